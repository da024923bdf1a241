/**
 * Issues X.509 v3 certificates with the extensions of the reference's tools, signed with SHA-256.
 * No policies and no templates; revocation is crl.ts.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, type X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_subjectKeyIdentifier,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from '@peculiar/asn1-x509';
import { RelayError } from '../base/errors.js';
import { toArrayBuffer } from './bytes.js';
import { exportSpki } from './key.js';
import { type DistinguishedName, nameOf } from './names.js';
import { encodePem } from './pem.js';

const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const OID_RSA_SHA256 = '1.2.840.113549.1.1.11';
const DER_NULL = new Uint8Array([5, 0]).buffer;

/** 128 random bits: RFC 5280 allows 20 bytes and wants unique serials without a register. */
const SERIAL_BYTES = 16;

/** Who signs: the name that goes into the issuer field and the private key. */
export interface Issuer {
  readonly name: DistinguishedName | Name;
  readonly key: KeyObject;
  /** subjectKeyIdentifier of the issuer's certificate where it is not the SHA-1 of its public key. */
  readonly keyIdentifier?: ArrayBuffer;
}

export type KeyUsageName = keyof typeof KeyUsageFlags;

export const LEAF_KEY_USAGE: readonly KeyUsageName[] = ['nonRepudiation', 'digitalSignature', 'keyEncipherment'];
export const CA_KEY_USAGE: readonly KeyUsageName[] = ['keyCertSign', 'cRLSign'];

export interface CertificateRequest {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  readonly issuer: Issuer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly ca: boolean;
  /** Certificate authorities allowed below this one. */
  readonly pathLength?: number;
  /** Default by `ca`: the reference's for leaves, keyCertSign and cRLSign for authorities. */
  readonly keyUsage?: readonly KeyUsageName[];
  /** A real node's P2P port closes a connection with such a certificate; for tests. */
  readonly omitBasicConstraints?: boolean;
  /** Big-endian, 1-20 bytes; random when missing. */
  readonly serial?: Uint8Array;
}

export interface IssuedCertificate {
  readonly pem: string;
  readonly der: Buffer;
}

/**
 * Issues one certificate. It is self-signed when `issuer.key` belongs to `publicKey` and the names agree.
 *
 * @throws RelayError `key-invalid` when the issuer's key can make neither ECDSA nor RSA signatures
 */
export function issueCertificate(request: CertificateRequest): IssuedCertificate {
  return signCertificate({
    subject: nameOf(request.subject),
    publicKeyInfo: AsnConvert.parse(exportSpki(request.publicKey), SubjectPublicKeyInfo),
    issuer: request.issuer,
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    extensions: extensionsOf(request),
    serial: request.serial ?? randomBytes(SERIAL_BYTES),
  });
}

interface Unsigned {
  readonly subject: Name;
  readonly publicKeyInfo: SubjectPublicKeyInfo;
  readonly issuer: Issuer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
  readonly serial: Uint8Array;
}

function signCertificate(unsigned: Unsigned): IssuedCertificate {
  const algorithm = signatureAlgorithmOf(unsigned.issuer.key);
  const tbs = new TBSCertificate({
    version: 2,
    serialNumber: derInteger(unsigned.serial),
    signature: algorithm,
    issuer: nameOf(unsigned.issuer.name),
    validity: new Validity({ notBefore: unsigned.notBefore, notAfter: unsigned.notAfter }),
    subject: unsigned.subject,
    subjectPublicKeyInfo: unsigned.publicKeyInfo,
    extensions: new Extensions([...unsigned.extensions]),
  });
  const tbsBytes = AsnConvert.serialize(tbs);
  const certificate = new Certificate({
    tbsCertificate: tbs,
    tbsCertificateRaw: tbsBytes,
    signatureAlgorithm: algorithm,
    signatureValue: signWith(unsigned.issuer.key, tbsBytes),
  });
  const der = Buffer.from(AsnConvert.serialize(certificate));
  return { pem: encodePem('CERTIFICATE', der), der };
}

/**
 * The same certificate with new dates, for the same key: subject byte for byte, every extension as it was but the issuer's
 * key identifier. So what the old one was good for the new one is too, and certificates below a renewed authority stay valid.
 * A leaf without basicConstraints gets them, because the P2P port of a node wants them.
 */
export function reissueCertificate(
  old: X509Certificate,
  issuer: Issuer,
  validity: { readonly notBefore: Date; readonly notAfter: Date },
): IssuedCertificate {
  const before = AsnConvert.parse(old.raw, Certificate).tbsCertificate;
  const kept = (before.extensions ?? []).filter(({ extnID }) => extnID !== id_ce_authorityKeyIdentifier);
  if (!kept.some(({ extnID }) => extnID === id_ce_basicConstraints)) {
    kept.unshift(extension(id_ce_basicConstraints, false, new BasicConstraints({ cA: false })));
  }
  return signCertificate({
    subject: before.subject,
    publicKeyInfo: before.subjectPublicKeyInfo,
    issuer,
    ...validity,
    extensions: [...kept, authorityKeyIdentifierOf(issuer)],
    serial: randomBytes(SERIAL_BYTES),
  });
}

/** The issuer behind an existing CA certificate: its subject byte for byte and its own key identifier. */
export function issuerFrom(certificate: X509Certificate, key: KeyObject): Issuer {
  const tbs = AsnConvert.parse(certificate.raw, Certificate).tbsCertificate;
  const extension = tbs.extensions?.find((one) => one.extnID === id_ce_subjectKeyIdentifier);
  const keyIdentifier =
    extension === undefined ? undefined : AsnConvert.parse(extension.extnValue.buffer, SubjectKeyIdentifier).buffer;
  return { name: tbs.subject, key, keyIdentifier };
}

function extensionsOf(request: CertificateRequest): Extension[] {
  const extensions: Extension[] = [];
  if (!request.omitBasicConstraints) {
    // Critical for authorities (RFC 5280); for leaves as the reference's tools write it.
    const constraints = new BasicConstraints({ cA: request.ca });
    if (request.ca && request.pathLength !== undefined) constraints.pathLenConstraint = request.pathLength;
    extensions.push(extension(id_ce_basicConstraints, request.ca, constraints));
  }
  const usages = request.keyUsage ?? (request.ca ? CA_KEY_USAGE : LEAF_KEY_USAGE);
  if (usages.length > 0) {
    const bits = usages.reduce((sum, usage) => sum | KeyUsageFlags[usage], 0);
    extensions.push(extension(id_ce_keyUsage, request.ca, new KeyUsage(bits)));
  }
  extensions.push(
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdentifierOf(request.publicKey))),
    authorityKeyIdentifierOf(request.issuer),
  );
  return extensions;
}

function authorityKeyIdentifierOf(issuer: Issuer): Extension {
  const keyId = issuer.keyIdentifier ?? keyIdentifierOf(createPublicKey(issuer.key));
  return extension(
    id_ce_authorityKeyIdentifier,
    false,
    new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyId) }),
  );
}

function extension(id: string, critical: boolean, value: unknown): Extension {
  return new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** SHA-1 of the public key's bits (RFC 5280 §4.2.1.2, method 1). */
export function keyIdentifierOf(publicKey: KeyObject): ArrayBuffer {
  const spki = AsnConvert.parse(exportSpki(publicKey), SubjectPublicKeyInfo);
  const digest = createHash('sha1').update(new Uint8Array(spki.subjectPublicKey)).digest();
  return toArrayBuffer(digest);
}

export function signatureAlgorithmOf(key: KeyObject): AlgorithmIdentifier {
  if (key.asymmetricKeyType === 'ec') return new AlgorithmIdentifier({ algorithm: OID_ECDSA_SHA256 });
  if (key.asymmetricKeyType === 'rsa') {
    return new AlgorithmIdentifier({ algorithm: OID_RSA_SHA256, parameters: DER_NULL });
  }
  throw new RelayError(
    'key-invalid',
    `a key of kind ${key.asymmetricKeyType} cannot issue certificates; use secp256k1, P-256 or RSA`,
  );
}

export function signWith(key: KeyObject, bytes: ArrayBuffer): ArrayBuffer {
  return toArrayBuffer(sign('sha256', new Uint8Array(bytes), key));
}

/** Contents of a positive DER INTEGER: no superfluous leading zero, the top bit clear, never zero itself. */
export function derInteger(bigEndian: Uint8Array): ArrayBuffer {
  let start = 0;
  while (start < bigEndian.length - 1 && bigEndian[start] === 0) start++;
  const digits = bigEndian.subarray(start);
  const padded = digits[0] >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits;
  return toArrayBuffer(padded.length === 1 && padded[0] === 0 ? Buffer.of(1) : padded);
}
