/**
 * Certificate revocation lists: issue simple ones, read what an operator configured.
 * node:tls checks the whole chain once any list is given, so every CA of the chain needs a current one.
 */
import { createPublicKey, verify, type X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AuthorityKeyIdentifier,
  CertificateList,
  CRLNumber,
  Extension,
  id_ce_authorityKeyIdentifier,
  id_ce_cRLNumber,
  KeyIdentifier,
  RevokedCertificate,
  TBSCertList,
  Time,
} from '@peculiar/asn1-x509';
import { derInteger, type Issuer, keyIdentifierOf, signatureAlgorithmOf, signWith } from './certificate.js';
import { nameOf } from './names.js';
import { encodePem, splitPem } from './pem.js';

export interface CrlRequest {
  readonly issuer: Issuer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** `serialHex` as X509Certificate.serialNumber gives it. */
  readonly revoked: readonly { readonly serialHex: string; readonly at: Date }[];
  readonly number?: number;
}

/** Issues a version 2 list as PEM ("X509 CRL"). */
export function issueCrl(request: CrlRequest): string {
  const algorithm = signatureAlgorithmOf(request.issuer.key);
  const keyIdentifier = request.issuer.keyIdentifier ?? keyIdentifierOf(createPublicKey(request.issuer.key));
  const tbs = new TBSCertList({
    version: 1,
    signature: algorithm,
    issuer: nameOf(request.issuer.name),
    thisUpdate: new Time(request.thisUpdate),
    nextUpdate: new Time(request.nextUpdate),
    // An empty SEQUENCE is forbidden here (RFC 5280 §5.1.2.6): the field must be absent.
    revokedCertificates: request.revoked.length === 0 ? undefined : request.revoked.map(revokedEntry),
    crlExtensions: [
      new Extension({
        extnID: id_ce_authorityKeyIdentifier,
        extnValue: new OctetString(
          AsnConvert.serialize(new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier) })),
        ),
      }),
      new Extension({
        extnID: id_ce_cRLNumber,
        extnValue: new OctetString(AsnConvert.serialize(new CRLNumber(request.number ?? 1))),
      }),
    ],
  });
  const tbsBytes = AsnConvert.serialize(tbs);
  const list = new CertificateList({
    tbsCertList: tbs,
    tbsCertListRaw: tbsBytes,
    signatureAlgorithm: algorithm,
    signature: signWith(request.issuer.key, tbsBytes),
  });
  return encodePem('X509 CRL', new Uint8Array(AsnConvert.serialize(list)));
}

function revokedEntry(entry: { serialHex: string; at: Date }): RevokedCertificate {
  const even = entry.serialHex.length % 2 === 0 ? entry.serialHex : `0${entry.serialHex}`;
  return new RevokedCertificate({
    userCertificate: derInteger(Buffer.from(even, 'hex')),
    revocationDate: new Time(entry.at),
  });
}

/** One list of a file, parsed far enough to be checked before node:tls gets it. */
export interface ParsedCrl {
  readonly pem: string;
  readonly list: CertificateList;
  readonly nextUpdate: Date | undefined;
}

/** Every "X509 CRL" block of a text; throws when one cannot be parsed. */
export function parseCrls(text: string): ParsedCrl[] {
  return splitPem(text)
    .filter((block) => block.label === 'X509 CRL')
    .map((block) => {
      const base64 = block.pem.replace(/-----[^-]+-----/g, '');
      const list = AsnConvert.parse(Buffer.from(base64, 'base64'), CertificateList);
      return { pem: block.pem, list, nextUpdate: list.tbsCertList.nextUpdate?.getTime() };
    });
}

/** The entries of a list; `serialHex` in lower case without zeros in front. */
export function revokedOf(crl: ParsedCrl): { readonly serialHex: string; readonly at: Date }[] {
  return (crl.list.tbsCertList.revokedCertificates ?? []).map((entry) => ({
    serialHex: Buffer.from(entry.userCertificate)
      .toString('hex')
      .replace(/^0+(?=.)/, ''),
    at: entry.revocationDate.getTime(),
  }));
}

/** Number of the list, 0 where it has none. */
export function numberOf(crl: ParsedCrl): number {
  const extension = crl.list.tbsCertList.crlExtensions?.find(({ extnID }) => extnID === id_ce_cRLNumber);
  return extension === undefined ? 0 : AsnConvert.parse(extension.extnValue.buffer, CRLNumber).value;
}

/** Digest of the signature algorithms that CRLs are signed with; ECDSA and RSA PKCS#1. */
const DIGEST_OF: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
};

/** True when `authority` signed the list with one of the digests above. */
export function crlIsFrom(crl: ParsedCrl, authority: X509Certificate): boolean {
  const raw = crl.list.tbsCertListRaw;
  const digest = DIGEST_OF[crl.list.signatureAlgorithm.algorithm];
  if (raw === undefined || digest === undefined) return false;
  return verify(digest, new Uint8Array(raw), authority.publicKey, new Uint8Array(crl.list.signature));
}
