/**
 * Failed handshakes in words. Pure; decides by codes only (tls-codes.ts), since texts differ between Node versions.
 *
 * A listener sees a *missing* certificate as an error of the handshake. A *foreign, expired or revoked* one completes
 * the handshake, then node:tls destroys the socket: 'tlsClientError' brings a bare ECONNRESET and the reason stands only
 * in `tlsSocket.authorizationError`. The far end gets no alert then, only a reset.
 */
import type { TlsFailure } from '../base/close-reason.js';
import type { TlsIdentity } from './identity.js';
import { alertOf, CRL_CODES, codeOf } from './tls-codes.js';

export { type DialContext, explainDialError, isNotTls } from './dial-explain.js';

/** The parts of a TLSSocket that are read; its type declarations call the code an Error. */
export interface TlsSocketState {
  readonly authorizationError?: unknown;
}

const FAILURE_OF_CODE: Readonly<Record<string, TlsFailure>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no-certificate',
  ERR_SSL_NO_SHARED_CIPHER: 'no-common-curve-or-cipher',
  ERR_SSL_NO_SHARED_GROUPS: 'no-common-curve-or-cipher',
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: 'no-common-curve-or-cipher',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'no-common-curve-or-cipher',
  ERR_SSL_WRONG_CURVE: 'no-common-curve-or-cipher',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'protocol-version',
  ERR_SSL_VERSION_TOO_LOW: 'protocol-version',
  ERR_SSL_INAPPROPRIATE_FALLBACK: 'protocol-version',
  ERR_SSL_HTTP_REQUEST: 'not-tls',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'not-tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not-tls',
  ERR_SSL_UNKNOWN_PROTOCOL: 'not-tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'not-tls',
  ERR_SSL_BAD_RECORD_TYPE: 'not-tls',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ECONNRESET: 'connection-lost',
  EPIPE: 'connection-lost',
  ETIMEDOUT: 'connection-lost',
};

/** What the client said as it ended the handshake. */
const FAILURE_OF_ALERT: Readonly<Record<string, TlsFailure>> = {
  UNKNOWN_CA: 'client-refused-our-certificate',
  BAD_CERTIFICATE: 'client-refused-our-certificate',
  UNSUPPORTED_CERTIFICATE: 'client-refused-our-certificate',
  CERTIFICATE_REVOKED: 'client-refused-our-certificate',
  CERTIFICATE_EXPIRED: 'client-refused-our-certificate',
  CERTIFICATE_UNKNOWN: 'client-refused-our-certificate',
  ACCESS_DENIED: 'client-refused-our-certificate',
  DECRYPT_ERROR: 'client-refused-our-certificate',
  HANDSHAKE_FAILURE: 'no-common-curve-or-cipher',
  ILLEGAL_PARAMETER: 'no-common-curve-or-cipher',
  INSUFFICIENT_SECURITY: 'no-common-curve-or-cipher',
  PROTOCOL_VERSION: 'protocol-version',
};

const FAILURE_OF_VERIFICATION: Readonly<Record<string, TlsFailure>> = {
  CERT_HAS_EXPIRED: 'expired-certificate',
  CERT_NOT_YET_VALID: 'expired-certificate',
  CERT_REVOKED: 'revoked-certificate',
};

/**
 * Classifies a server's 'tlsClientError'. The caller destroys the socket afterwards: node:tls leaves a connection open
 * whose handshake timed out.
 */
export function classifyServerTlsError(error: unknown, socket: TlsSocketState): TlsFailure {
  const verification = verificationCodeOf(socket);
  if (verification !== undefined) return FAILURE_OF_VERIFICATION[verification] ?? 'untrusted-certificate';
  const code = codeOf(error);
  if (code === undefined) return 'other';
  const alert = alertOf(code);
  return (alert === undefined ? FAILURE_OF_CODE[code] : FAILURE_OF_ALERT[alert]) ?? 'other';
}

export interface TlsFailureDetails {
  /** What the listener serves. */
  readonly kind: TlsIdentity['kind'];
  /** `code` of the error and `authorizationError` of the socket, where there are some (see tlsFailureCodes). */
  readonly code?: string;
  readonly verification?: string;
}

/** The codes behind a failure, for explainTlsFailure and the log. */
export function tlsFailureCodes(error: unknown, socket: TlsSocketState): { code?: string; verification?: string } {
  return { code: codeOf(error), verification: verificationCodeOf(socket) };
}

/** One sentence or two for the listener's log: what happened and what to do. */
export function explainTlsFailure(failure: TlsFailure, details: TlsFailureDetails): string {
  const { kind, code, verification } = details;
  const known = verification ?? code;
  switch (failure) {
    case 'no-certificate':
      return (
        'the client sent no certificate: configure its sdk.crt and sdk.key. A Go client sends none unless its file ' +
        'leads to a CA of this list: put leaf and agency into sdk.crt, or the agency into ca_cert'
      );
    case 'untrusted-certificate':
      if (verification !== undefined && CRL_CODES.has(verification)) {
        return (
          `the client's certificate could not be checked against the crl of this listener (${verification}): ` +
          'it needs one current list, signed by its CA, for every CA of the chain'
        );
      }
      return (
        `the client's certificate does not lead to ca_cert (${known ?? 'unverified'}): it is of another chain, or of ` +
        `the other kind (this port is for ${kind} certificates), or its file lacks the agency certificate`
      );
    case 'expired-certificate':
      return verification === 'CERT_NOT_YET_VALID'
        ? "the client's certificate, or its agency's, is not valid yet: check the clocks of both machines"
        : "the client's certificate, or its agency's, has expired: have it renewed, and check the clock of this machine";
    case 'revoked-certificate':
      return "the client's certificate has been revoked by its CA (crl): it needs a new one";
    case 'no-common-curve-or-cipher':
      return explainNoCommon(kind, code);
    case 'protocol-version':
      return 'the client does not speak TLS 1.2, the only version here: allow TLS 1.2 in the client';
    case 'not-tls':
      return code === 'ERR_SSL_HTTP_REQUEST'
        ? 'the client sent plain HTTP: this is the channel port (TLS); JSON-RPC over HTTP and /metrics are elsewhere'
        : 'the client did not speak TLS: wrong port, a port scan, a health check, or a client with TLS switched off';
    case 'client-refused-our-certificate':
      return explainRefusal(kind, code);
    case 'timeout':
      return 'the handshake was not finished in time: a stalled client, a port scan, or a firewall that drops packets';
    case 'connection-lost':
      return (
        'the connection ended inside the handshake without a reason: the client gave up, a health check, or the ' +
        'client refused our certificate silently'
      );
    case 'too-many-handshakes':
      return 'too many handshakes at once: refused before any work was done; the client should retry later';
    case 'other':
      return `the handshake failed (${known ?? 'no code'})`;
  }
}

function explainNoCommon(kind: TlsIdentity['kind'], code: string | undefined): string {
  if (code === 'ERR_SSL_WRONG_CURVE') {
    return "the client's certificate is on a curve that it does not offer itself: add secp256k1 to its list of groups";
  }
  return kind === 'secp256k1'
    ? 'no curve or cipher suite in common: a client must offer secp256k1 on this port and an ECDHE-ECDSA AES-GCM suite; ' +
        'a JDK without secp256k1 needs the rsa listener and RSA certificates, Node.js needs --tls-max-v1.2'
    : 'no curve or cipher suite in common: a client must offer P-256, P-384 or secp256k1 and an ECDHE-RSA AES-GCM suite';
}

function explainRefusal(kind: TlsIdentity['kind'], code: string | undefined): string {
  const alert = code === undefined ? undefined : alertOf(code);
  const said = alert === undefined ? '' : ` ("${alert.toLowerCase().replaceAll('_', ' ')}")`;
  const other = kind === 'secp256k1' ? 'RSA' : 'secp256k1';
  return alert === 'CERTIFICATE_EXPIRED'
    ? `the client refused our certificate${said}: look at notAfter of cert, and at the clock of the client`
    : `the client refused our certificate${said}: probably it holds ${other} certificates, and this port is for ` +
        `${kind}; else its ca.crt is of another chain`;
}

function verificationCodeOf(socket: TlsSocketState): string | undefined {
  const value = socket.authorizationError;
  return typeof value === 'string' ? value : codeOf(value);
}
