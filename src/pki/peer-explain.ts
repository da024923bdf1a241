/** Refusals on the P2P port in words: what happened, which certificate, list or curve it was, and what to do. */
import type { TlsFailure } from '../base/close-reason.js';
import type { P2PCloseReason } from '../base/p2p-close-reason.js';
import { alertOf, CRL_CODES } from './tls-codes.js';
import { explainTlsFailure, type TlsFailureDetails } from './tls-explain.js';

/** A failed handshake on the P2P port; where a peer differs from a client. */
export function explainPeerTlsFailure(failure: TlsFailure, details: TlsFailureDetails): string {
  const { code, verification } = details;
  switch (failure) {
    case 'no-certificate':
      return (
        'the peer sent no certificate: this port is for relays and nodes, which show one; an application belongs on the ' +
        'channel port'
      );
    case 'untrusted-certificate':
      return verification !== undefined && CRL_CODES.has(verification)
        ? `the peer's certificate could not be checked against p2p.crl (${verification}): it needs one current list, ` +
            'signed by its CA, for every CA of the chain'
        : `the peer's certificate does not lead to network_security.ca_cert (${verification ?? code ?? 'unverified'}): it ` +
            'is of another chain, or its file lacks the agency certificate';
    case 'expired-certificate':
      return verification === 'CERT_NOT_YET_VALID'
        ? "the peer's certificate, or its agency's, is not valid yet: check the clocks of both machines"
        : "the peer's certificate, or its agency's, has expired: have it renewed, and check the clock of this machine";
    case 'revoked-certificate':
      return "the peer's certificate has been revoked by its CA (p2p.crl): it needs a new one";
    case 'no-common-curve-or-cipher':
      return (
        'no curve or cipher suite in common: relays and nodes have secp256k1 certificates, so a peer must offer that curve ' +
        'and an ECDHE-ECDSA AES-GCM suite'
      );
    case 'protocol-version':
      return 'the peer does not speak TLS 1.2, the only version here';
    case 'client-refused-our-certificate': {
      const alert = code === undefined ? undefined : alertOf(code);
      const said = alert === undefined ? '' : ` ("${alert.toLowerCase().replaceAll('_', ' ')}")`;
      return (
        `the peer refused our certificate${said}: its CA file is of another chain, or network_security.cert lacks the ` +
        'agency certificate'
      );
    }
    default:
      return explainTlsFailure(failure, details);
  }
}

/** Why a link with a verified certificate was closed, for the log; undefined where the reason says it all. */
export function explainPeerRefusal(reason: P2PCloseReason, keyKind: string): string | undefined {
  switch (reason) {
    case 'no-node-id':
      return keyKind === 'secp256k1'
        ? 'its certificate has no basicConstraints extension, so nodes of 2.x give it no node ID: issue it with CA:FALSE'
        : `its certificate has a key of kind ${keyKind}; a node ID is a public key on the curve secp256k1`;
    case 'self':
      return 'its certificate holds our own key: the address is our own, or somebody uses a copy of network_security.key';
    case 'blacklisted':
      return 'its node ID is on certificate_blacklist.ids, which wins over the white list';
    case 'not-whitelisted':
      return 'certificate_whitelist.ids has entries, and its node ID is none of them';
    case 'sdk-certificate':
      return 'its certificate was made for an application (OU=sdk); p2p.allow_sdk_certificates would let it in';
    case 'duplicate-peer':
      return 'another link to the same node ID stays; two nodes must not share one key';
    case 'peers-max':
      return 'the relay holds limits.peers_max peers already';
    case 'untrusted-certificate':
      return 'since the reload no CA of network_security.ca_cert leads to its certificate';
    case 'revoked-certificate':
      return 'since the reload its certificate is on the revocation list of p2p.crl';
    case 'expired-certificate':
      return 'its certificate had expired at the reload';
    case 'queue-full':
      return 'the peer took no bytes for limits.slow_consumer_timeout_ms while its output queue was waiting';
    default:
      return undefined;
  }
}

/** A dialled link that the peer closed before it sent a frame. */
export const SILENT_PEER_HINT =
  'the peer closed the connection without a frame: probably it refused us (our certificate, its lists, or our node ID is ' +
  'connected to it already), its log knows; or this is the channel port of a relay, and its P2P port is wanted';
