/**
 * Issues X.509 v3 certificates with the extensions of the reference's tools, signed with SHA-256.
 * For demo and test chains: no policy, no templates, no revocation beyond crl.ts.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, type X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
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
  Name,
  RelativeDistinguishedName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from '@peculiar/asn1-x509';
import { RelayError } from '../base/errors.js';
import { exportSpki } from './key.js';
import { encodePem } from './pem.js';

const OID_COMMON_NAME = '2.5.4.3';
const OID_ORGANISATION = '2.5.4.10';
const OID_ORGANISATIONAL_UNIT = '2.5.4.11';
const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const OID_RSA_SHA256 = '1.2.840.113549.1.1.11';
const DER_NULL = new Uint8Array([5, 0]).buffer;

/** 128 random bits: RFC 5280 allows 20 bytes and wants unique serials without a register. */
const SERIAL_BYTES = 16;

/** Subject as the reference writes it, in this order: CN, O, OU. */
export interface DistinguishedName {
  readonly cn: string;
  readonly o?: string;
  readonly ou?: string;
}

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
  const algorithm = signatureAlgorithmOf(request.issuer.key);
  const tbs = new TBSCertificate({
    version: 2,
    serialNumber: derInteger(request.serial ?? randomBytes(SERIAL_BYTES)),
    signature: algorithm,
    issuer: nameOf(request.issuer.name),
    validity: new Validity({ notBefore: request.notBefore, notAfter: request.notAfter }),
    subject: nameOf(request.subject),
    subjectPublicKeyInfo: AsnConvert.parse(exportSpki(request.publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions(extensionsOf(request)),
  });
  const tbsBytes = AsnConvert.serialize(tbs);
  const certificate = new Certificate({
    tbsCertificate: tbs,
    tbsCertificateRaw: tbsBytes,
    signatureAlgorithm: algorithm,
    signatureValue: signWith(request.issuer.key, tbsBytes),
  });
  const der = Buffer.from(AsnConvert.serialize(certificate));
  return { pem: encodePem('CERTIFICATE', der), der };
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
  const issuerKeyId = request.issuer.keyIdentifier ?? keyIdentifierOf(createPublicKey(request.issuer.key));
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
    extension(
      id_ce_authorityKeyIdentifier,
      false,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuerKeyId) }),
    ),
  );
  return extensions;
}

function extension(id: string, critical: boolean, value: unknown): Extension {
  return new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** SHA-1 of the public key's bits (RFC 5280 §4.2.1.2, method 1). */
export function keyIdentifierOf(publicKey: KeyObject): ArrayBuffer {
  const spki = AsnConvert.parse(exportSpki(publicKey), SubjectPublicKeyInfo);
  const digest = createHash('sha1').update(new Uint8Array(spki.subjectPublicKey)).digest();
  return bytesToArrayBuffer(digest);
}

export function nameOf(name: DistinguishedName | Name): Name {
  if (name instanceof Name) return name;
  const parts: RelativeDistinguishedName[] = [relativeName(OID_COMMON_NAME, name.cn)];
  if (name.o !== undefined) parts.push(relativeName(OID_ORGANISATION, name.o));
  if (name.ou !== undefined) parts.push(relativeName(OID_ORGANISATIONAL_UNIT, name.ou));
  return new Name(parts);
}

function relativeName(type: string, text: string): RelativeDistinguishedName {
  return new RelativeDistinguishedName([
    new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String: text }) }),
  ]);
}

/** First common name of a subject or issuer as written, or undefined. */
export function commonNameOf(name: Name): string | undefined {
  return firstOf(name, OID_COMMON_NAME);
}

/** First organisational unit, likewise. */
export function organisationalUnitOf(name: Name): string | undefined {
  return firstOf(name, OID_ORGANISATIONAL_UNIT);
}

function firstOf(name: Name, type: string): string | undefined {
  for (const relative of name) {
    for (const attribute of relative) if (attribute.type === type) return attribute.value.toString();
  }
  return undefined;
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
  return bytesToArrayBuffer(sign('sha256', new Uint8Array(bytes), key));
}

/** Contents of a positive DER INTEGER: no superfluous leading zero, the top bit clear, never zero itself. */
export function derInteger(bigEndian: Uint8Array): ArrayBuffer {
  let start = 0;
  while (start < bigEndian.length - 1 && bigEndian[start] === 0) start++;
  const digits = bigEndian.subarray(start);
  const padded = digits[0] >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits;
  return bytesToArrayBuffer(padded.length === 1 && padded[0] === 0 ? Buffer.of(1) : padded);
}

function bytesToArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}
