/** What a file of certificates or keys holds, for people and programs that look at a folder. */
import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorText, RelayError } from '../base/errors.js';
import { isSelfIssued } from './chain.js';
import { type ParsedCrl, parseCrls } from './crl.js';
import { type PemFile, parseCertificates, readPemFile } from './files.js';
import { describeKey, exportSpki, isEncryptedPem, loadPrivateKey, nodeIdOf } from './key.js';
import { nameText } from './names.js';
import { namesOf } from './peer.js';
import { isCertificateBlock, isPrivateKeyBlock, splitPem } from './pem.js';

/** More files than the folder of any institution has; a larger folder is another one, given by mistake. */
const FILES_MAX = 256;
const NAMES = /\.(?:crt|cer|pem|key|crl)$/i;

export type CertificateRole = 'chain CA' | 'agency CA' | 'node' | 'sdk' | 'leaf';

export interface CertificateDescription {
  readonly what: 'certificate';
  readonly role: CertificateRole;
  readonly subject: string;
  readonly issuer: string;
  /** `secp256k1`, `RSA with 2048 bits`. */
  readonly key: string;
  readonly nodeId: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serial: string;
  /** SHA-256 of the DER, 64 hex digits. */
  readonly sha256: string;
  /** SHA-256 of the public key, 64 hex digits: of a CA, the organisation of its clients. */
  readonly keySha256: string;
  /** A leaf without them has no node ID on the P2P port. */
  readonly basicConstraints: boolean;
}

export interface KeyDescription {
  readonly what: 'private key';
  /** `PKCS#8`, `SEC1`, `PKCS#1`. */
  readonly form: string;
  readonly encrypted: boolean;
  /** Absent while it is encrypted. */
  readonly key?: string;
  readonly nodeId?: string;
  readonly keySha256?: string;
  /** Permission bits, 0 where the platform has none. */
  readonly mode: number;
}

export interface CrlDescription {
  readonly what: 'revocation list';
  readonly issuer: string;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly revoked: number;
}

export interface FileDescription {
  readonly path: string;
  readonly contents: readonly (CertificateDescription | KeyDescription | CrlDescription)[];
  /** Why it could not be read, instead of contents. */
  readonly problem?: string;
}

/**
 * Describes a file, or every file of a folder whose name says PEM.
 *
 * @throws RelayError `config-unreadable` when there is no such file or folder, or nothing in it
 */
export function describePath(path: string): FileDescription[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new RelayError('config-unreadable', `${path} cannot be read: ${errorText(error)}`, error);
  }
  if (!isFolder) return [describeFile(path)];
  const names = readdirSync(path)
    .filter((name) => NAMES.test(name))
    .sort();
  if (names.length === 0) {
    throw new RelayError('config-unreadable', `${path} holds no .crt, .key, .pem or .crl file`);
  }
  if (names.length > FILES_MAX) throw new RelayError('config-unreadable', `${path} holds ${names.length} such files`);
  return names.map((name) => describeFile(join(path, name)));
}

function describeFile(path: string): FileDescription {
  try {
    const contents = contentsOf(readPemFile(path, 'PEM'));
    return contents.length === 0
      ? { path, contents, problem: 'holds neither a certificate nor a private key nor a revocation list' }
      : { path, contents };
  } catch (error) {
    return { path, contents: [], problem: errorText(error) };
  }
}

function contentsOf(file: PemFile): FileDescription['contents'] {
  const blocks = splitPem(file.text);
  return [
    ...(blocks.some(isCertificateBlock) ? parseCertificates(file).map(describeCertificate) : []),
    ...(blocks.some(isPrivateKeyBlock) ? [describePrivateKey(file)] : []),
    ...parseCrls(file.text).map(describeCrl),
  ];
}

export function describeCertificate(certificate: X509Certificate): CertificateDescription {
  return {
    what: 'certificate',
    role: roleOf(certificate),
    subject: certificate.subject.replaceAll('\n', ', '),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    key: describeKey(certificate.publicKey),
    nodeId: nodeIdOf(certificate.publicKey),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    serial: certificate.serialNumber.toLowerCase(),
    sha256: sha256Hex(certificate.raw),
    keySha256: sha256Hex(exportSpki(certificate.publicKey)),
    basicConstraints: namesOf(certificate).basicConstraints,
  };
}

/** By what the certificate may do, and among leaves by the OU that FISCO's tools write. */
function roleOf(certificate: X509Certificate): CertificateRole {
  if (certificate.ca) return isSelfIssued(certificate) ? 'chain CA' : 'agency CA';
  const unit = namesOf(certificate).subjectOu.toLowerCase();
  return unit === 'node' || unit === 'sdk' ? unit : 'leaf';
}

function describePrivateKey(file: PemFile): KeyDescription {
  const common = { what: 'private key', mode: file.mode } as const;
  const label = splitPem(file.text).find(isPrivateKeyBlock)?.label;
  const form = label === 'EC PRIVATE KEY' ? 'SEC1' : label === 'RSA PRIVATE KEY' ? 'PKCS#1' : 'PKCS#8';
  if (isEncryptedPem(file.text)) return { ...common, form, encrypted: true };
  const key: KeyObject = loadPrivateKey(file.text, `key file ${file.path}`);
  const nodeId = nodeIdOf(key);
  return {
    ...common,
    form,
    encrypted: false,
    key: describeKey(key),
    ...(nodeId === undefined ? {} : { nodeId }),
    keySha256: sha256Hex(exportSpki(createPublicKey(key))),
  };
}

function describeCrl({ list, nextUpdate }: ParsedCrl): CrlDescription {
  const { issuer, thisUpdate, revokedCertificates } = list.tbsCertList;
  return {
    what: 'revocation list',
    issuer: nameText(issuer),
    thisUpdate: thisUpdate.getTime(),
    nextUpdate,
    revoked: revokedCertificates?.length ?? 0,
  };
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
