/**
 * Who is at the other end of a verified connection.
 *
 * Only `getPeerX509Certificate()` is used: `getPeerCertificate()` kills Node 24.21 and 26.10 on secp256k1.
 * The chain a peer sends is its own choice and node:tls links it by names alone. An ECDSA signature fits more than one
 * public key, so a certificate with the agency's name and such a key would even verify the leaf: an issuer counts only
 * when it is one of our CAs or leads to one by signature.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate, id_ce_basicConstraints } from '@peculiar/asn1-x509';
import { buildChain, isIssuedBy, mayBeIssuedBy } from './chain.js';
import { describeKey, exportSpki, keyKindOf, nodeIdOf } from './key.js';
import { commonNameOf, organisationalUnitOf } from './names.js';

/** X.520 allows 64 characters in a common name; a longer one is cut, so that a log line stays a line. */
const COMMON_NAME_CHARS_MAX = 64;

/** Certificates of the sent chain that are looked at; the reference sends two or three. */
const SENT_CHAIN_MAX = 8;

export interface PeerDescription {
  /** Common names, cleaned of control characters and cut for display; empty when there is none. Not unique. */
  readonly subjectCn: string;
  readonly issuerCn: string;
  /**
   * SHA-256 of the issuer's SubjectPublicKeyInfo, 64 lower-case hex digits. Undefined when no CA of ours is the issuer
   * and the sent chain gives none: a listener on Node 24.21 is shown no sent chain at all, Node 20 and 22 show it once
   * (seen), and a peer can hide its agency behind a false one. So list the agencies in `ca_cert`, treat all peers
   * without an organisation as one organisation, and log that their agency belongs into `ca_cert`.
   */
  readonly organisationId: string | undefined;
  /** The certificate of the issuer, where it is known. */
  readonly issuer: X509Certificate | undefined;
  /** SHA-256 of the certificate's DER, 64 lower-case hex digits. */
  readonly certificateDigest: string;
  readonly notAfter: Date;
  /** Lower-case hex. */
  readonly serial: string;
  /**
   * 128 lower-case hex digits; undefined for RSA, and for a certificate without basicConstraints, which the reference gives no
   * node ID either (2.x node specification, 3.1).
   */
  readonly nodeId: string | undefined;
  /** `secp256k1`, `rsa`, or what else the key is. */
  readonly keyKind: string;
  /** Made for a client: OU=sdk in its subject. */
  readonly isSdk: boolean;
}

/** Descriptions by digest of the certificate: reading one takes a third of a handshake's time. Of one list of authorities. */
export type KnownPeers = Map<string, PeerDescription>;

/** About half a MiB of them; a relay serves tens of applications. */
const KNOWN_PEERS_MAX = 1_024;

/**
 * Describes the peer of a TLS connection, or undefined when it has shown no certificate. Never throws. Call it once,
 * inside the 'secureConnection' or 'secureConnect' handler: a peer that closes at once takes its certificate with it.
 * `authorities` are the parsed certificates of the endpoint's `caPem`; `known` remembers what it finds.
 */
export function describePeer(
  socket: TLSSocket,
  authorities: readonly X509Certificate[],
  known: KnownPeers = new Map(),
): PeerDescription | undefined {
  try {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return undefined;
    const certificateDigest = sha256Hex(leaf.raw);
    const before = socket.authorized ? known.get(certificateDigest) : undefined;
    if (before !== undefined) return before;
    const issuer = findIssuer(leaf, authorities, socket.authorized);
    const names = namesOf(leaf);
    const description = {
      subjectCn: names.subjectCn,
      issuerCn: names.issuerCn,
      organisationId: issuer === undefined ? undefined : organisationIdOf(issuer),
      issuer,
      certificateDigest,
      notAfter: new Date(leaf.validTo),
      serial: leaf.serialNumber.toLowerCase(),
      nodeId: names.basicConstraints ? nodeIdOf(leaf.publicKey) : undefined,
      keyKind: keyKindOf(leaf.publicKey) ?? describeKey(leaf.publicKey),
      isSdk: names.subjectOu.toLowerCase() === 'sdk',
    };
    // Without an issuer the next connection may show more.
    if (socket.authorized && issuer !== undefined) remember(known, description);
    return description;
  } catch {
    // A destroyed socket or a certificate that OpenSSL parses and we do not: no description.
    return undefined;
  }
}

/** Identity of the organisation that a CA certificate stands for. */
export function organisationIdOf(issuer: X509Certificate): string {
  return sha256Hex(exportSpki(issuer.publicKey));
}

function remember(known: KnownPeers, description: PeerDescription): void {
  known.set(description.certificateDigest, description);
  for (const oldest of known.keys()) {
    if (known.size <= KNOWN_PEERS_MAX) return;
    known.delete(oldest);
  }
}

function findIssuer(
  leaf: X509Certificate,
  authorities: readonly X509Certificate[],
  verified: boolean,
): X509Certificate | undefined {
  const candidates = authorities.filter((one) => mayBeIssuedBy(leaf, one));
  // OpenSSL looks into the CA list first, so the only candidate there is the one it has verified the leaf with:
  // a second check would add 0.4 ms to every handshake.
  if (verified && candidates.length === 1) return candidates[0];
  const listed = candidates.find((one) => leaf.verify(one.publicKey));
  if (listed !== undefined) return listed;
  const sent = sentAuthorities(leaf);
  const issuer = sent.find((one) => isIssuedBy(leaf, one));
  return issuer !== undefined && buildChain(issuer, sent, authorities).ok ? issuer : undefined;
}

function sentAuthorities(leaf: X509Certificate): X509Certificate[] {
  const sent: X509Certificate[] = [];
  let next = leaf.issuerCertificate;
  while (next !== undefined && sent.length < SENT_CHAIN_MAX) {
    sent.push(next);
    // The root links to itself.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return sent;
}

/**
 * What a leaf says of itself, from its DER: the text form of node:crypto joins attributes in a way that a hostile name can
 * imitate, and hides whether basicConstraints is there.
 */
export function namesOf(leaf: X509Certificate): {
  subjectCn: string;
  subjectOu: string;
  issuerCn: string;
  basicConstraints: boolean;
} {
  const { subject, issuer, extensions } = AsnConvert.parse(leaf.raw, Certificate).tbsCertificate;
  return {
    subjectCn: clean(commonNameOf(subject)),
    subjectOu: clean(organisationalUnitOf(subject)),
    issuerCn: clean(commonNameOf(issuer)),
    basicConstraints: extensions?.some(({ extnID }) => extnID === id_ce_basicConstraints) ?? false,
  };
}

function clean(text: string | undefined): string {
  if (text === undefined) return '';
  return Array.from(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?'))
    .slice(0, COMMON_NAME_CHARS_MAX)
    .join('');
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
