/**
 * The CAs and revocation lists of one port: who its connections are, and whether a certificate that was let in would be let in
 * again, after CAs, lists or time have changed.
 *
 * The handshake has verified the leaf's signature with the key of its issuer; what can change is whether the issuer still leads to
 * a CA of the list, whether the leaf was revoked, and its time. So ten thousand sessions are looked through in milliseconds.
 */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { buildChain } from './chain.js';
import { crlIsFrom, type ParsedCrl, parseCrls } from './crl.js';
import { describePeer, type KnownPeers, type PeerDescription } from './peer.js';
import { splitPem } from './pem.js';

export type TrustRefusal = 'untrusted-certificate' | 'expired-certificate' | 'revoked-certificate';

export class Trust {
  readonly authorities: readonly X509Certificate[];
  readonly #caPem: string;
  readonly #crls: readonly ParsedCrl[];
  readonly #known: KnownPeers = new Map();
  /** By fingerprint of an issuer: does it lead to a CA of ours, and which serials has it revoked? */
  readonly #issuers = new Map<string, { readonly trusted: boolean; readonly revoked: ReadonlySet<string> }>();

  constructor(files: { readonly caPem: string; readonly crlPem?: string | undefined }) {
    this.authorities = splitPem(files.caPem).map((block) => new X509Certificate(block.pem));
    this.#caPem = files.caPem;
    this.#crls = files.crlPem === undefined ? [] : parseCrls(files.crlPem);
  }

  /** Who is at the other end of a connection that was verified with these CAs. */
  describe(socket: TLSSocket): PeerDescription | undefined {
    return describePeer(socket, this.authorities, this.#known);
  }

  /**
   * Why this certificate would not be let in now; undefined when it would.
   * @param before what it was let in by
   */
  refusal(peer: PeerDescription, before: Trust, now: Date): TrustRefusal | undefined {
    if (peer.notAfter < now) return 'expired-certificate';
    // Its agency is not known here, it sent it itself: nothing can be said but whether anything changed.
    if (peer.issuer === undefined) return before.#caPem === this.#caPem ? undefined : 'untrusted-certificate';
    const { trusted, revoked } = this.#issuer(peer.issuer);
    if (!trusted) return 'untrusted-certificate';
    return revoked.has(serialOf(peer.serial)) ? 'revoked-certificate' : undefined;
  }

  #issuer(issuer: X509Certificate): { readonly trusted: boolean; readonly revoked: ReadonlySet<string> } {
    const known = this.#issuers.get(issuer.fingerprint256);
    if (known) return known;
    const revoked = new Set<string>();
    for (const crl of this.#crls) {
      if (!crlIsFrom(crl, issuer)) continue;
      for (const { userCertificate } of crl.list.tbsCertList.revokedCertificates ?? []) {
        revoked.add(serialOf(Buffer.from(userCertificate).toString('hex')));
      }
    }
    const found = { trusted: buildChain(issuer, [], this.authorities).ok, revoked };
    this.#issuers.set(issuer.fingerprint256, found);
    return found;
  }
}

/** Without the zeros that DER and OpenSSL put in front or leave out. */
const serialOf = (hex: string): string => hex.toLowerCase().replace(/^0+(?=.)/, '');
