/**
 * Makes and renews the folders of a chain: CA, agencies, relays and applications, under FISCO's file names.
 *
 *   CA       ca.crt, ca.key
 *   agency   agency.crt, agency.key, ca.crt
 *   relay    node.crt (leaf, agency), node.key, node.nodeid (secp256k1), ca.crt
 *   sdk      sdk.crt (leaf, agency), sdk.key, ca.crt
 *
 * Invariant: a key is written only where there is none, or where the caller said `overwrite`. Renewing keeps the key, and
 * with it the node ID, and makes a new certificate.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { AsnConvert } from '@peculiar/asn1-schema';
import { RelayError } from '../base/errors.js';
import { type LeafRole, nameIn, type Validity } from './authority.js';
import { type AskPassword, type AuthorityFolder, openAuthority, subjectOf } from './authority-folder.js';
import { type Issuer, issueCertificate, issuerFrom, reissueCertificate } from './certificate.js';
import { parseCertificates, readPemFile } from './files.js';
import { exportPrivateKey, generateKey, isEncryptedPem, type KeyKind, loadPrivateKey, nodeIdOf } from './key.js';
import { encryptPkcs8 } from './pbes2.js';
import { encodePem } from './pem.js';
import { type FileToWrite, makeFolder, writeFiles } from './write-files.js';

/** Backdated, so that machines whose clocks differ a little accept a new certificate at once. */
const BACKDATE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** X.520: the longest common name. */
const NAME_CHARS_MAX = 64;

/** `chain` issues itself. */
export type MadeRole = 'chain' | 'agency' | LeafRole;

const FILE_NAMES: Readonly<Record<MadeRole, string>> = { chain: 'ca', agency: 'agency', node: 'node', sdk: 'sdk' };

export interface IssueRequest {
  readonly directory: string;
  /** Common name; the folder's own name, or when renewing the one of the old certificate, when absent. */
  readonly name?: string | undefined;
  readonly days: number;
  readonly now: Date;
  /** Keeps the key of the folder. */
  readonly renew: boolean;
  /** Lets existing keys and certificates be replaced. */
  readonly overwrite: boolean;
  readonly askPassword: AskPassword;
  /** Password that a new key is encrypted with; undefined writes it as it is. */
  readonly newPassword?: string | undefined;
}

export interface Issued {
  readonly files: readonly string[];
  readonly certificate: X509Certificate;
  /** The certificate that was renewed. */
  readonly previous: X509Certificate | undefined;
  readonly nodeId: string | undefined;
  /** What the caller should say. */
  readonly notes: readonly string[];
}

/** @throws RelayError `usage`, `config-unreadable`, `certificate-invalid` or `key-invalid` */
export function issueChain(request: IssueRequest & { readonly kind: KeyKind }): Promise<Issued> {
  return issue(request, 'chain', undefined, request.kind);
}

/** @throws RelayError as issueChain */
export async function issueAgency(request: IssueRequest & { readonly chainDirectory: string }): Promise<Issued> {
  const chain = await openAuthority(request.chainDirectory, request.now, request.askPassword);
  if (chain.role !== 'ca') {
    throw new RelayError(
      'usage',
      `${request.chainDirectory} is the folder of an agency; give the folder of the chain CA`,
    );
  }
  return issue(request, 'agency', chain, chain.authority.kind);
}

/** @throws RelayError as issueChain */
export async function issueLeaf(
  request: IssueRequest & { readonly role: LeafRole; readonly agencyDirectory: string },
): Promise<Issued> {
  const agency = await openAuthority(request.agencyDirectory, request.now, request.askPassword);
  if (agency.role !== 'agency') {
    throw new RelayError(
      'usage',
      `${request.agencyDirectory} is the folder of a chain CA; give the folder of an agency, which amop pki org makes`,
    );
  }
  return issue(request, request.role, agency, agency.authority.kind);
}

async function issue(
  request: IssueRequest,
  role: MadeRole,
  issuerFolder: AuthorityFolder | undefined,
  kind: KeyKind,
): Promise<Issued> {
  const { directory } = request;
  const path = (ending: string) => join(directory, `${FILE_NAMES[role]}.${ending}`);
  const notes: string[] = [];
  const old = request.renew ? await openOld(path('crt'), path('key'), request.askPassword) : undefined;
  const key = old?.key ?? generateKey(kind);
  const issuer: Issuer =
    issuerFolder === undefined
      ? old === undefined
        ? { name: nameIn(nameOfNew(request), role), key }
        : issuerFrom(old.certificate, key)
      : issuerFrom(issuerFolder.authority.certificate, issuerFolder.authority.key);
  const validity = validityOf(request, issuerFolder?.authority.certificate, notes);
  const issued =
    old === undefined
      ? issueCertificate({
          subject: nameIn(nameOfNew(request), role),
          publicKey: createPublicKey(key),
          issuer,
          ...validity,
          ca: role === 'chain' || role === 'agency',
          ...(role === 'agency' ? { pathLength: 0 } : {}),
        })
      : reissueCertificate(old.certificate, issuer, validity);
  const certificate = new X509Certificate(issued.pem);
  const nodeId = role === 'node' ? nodeIdOf(key) : undefined;

  const files: FileToWrite[] = [];
  if (old === undefined) files.push({ path: path('key'), content: privatePem(key, request.newPassword), secret: true });
  const above = issuerFolder?.authority.certPem ?? '';
  files.push({ path: path('crt'), content: issued.pem + above, secret: false });
  if (nodeId !== undefined) files.push({ path: path('nodeid'), content: `${nodeId}\n`, secret: false });
  const root = issuerFolder === undefined ? [] : rootFile(directory, issuerFolder.root, request.overwrite);
  makeFolder(directory);
  writeFiles(files, request.overwrite || request.renew, '--renew keeps its key, --overwrite makes a new one');
  writeFiles(root, true, '');
  return {
    files: [...files, ...root].map((file) => file.path),
    certificate,
    previous: old?.certificate,
    nodeId,
    notes,
  };
}

interface Old {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

async function openOld(certPath: string, keyPath: string, askPassword: AskPassword): Promise<Old> {
  if (!existsSync(certPath) || !existsSync(keyPath)) {
    throw new RelayError('usage', `nothing to renew: ${certPath} and ${keyPath} are not both there; leave out --renew`);
  }
  const [certificate] = parseCertificates(readPemFile(certPath, 'certificate'));
  const keyFile = readPemFile(keyPath, 'key');
  const password = isEncryptedPem(keyFile.text) ? await askPassword(keyPath) : undefined;
  const key = loadPrivateKey(keyFile.text, `key file ${keyPath}`, password);
  if (!certificate.checkPrivateKey(key)) {
    throw new RelayError(
      'key-invalid',
      `key file ${keyPath} is not the key of ${subjectOf(certificate)} in ${certPath}`,
    );
  }
  return { key, certificate };
}

function nameOfNew(request: IssueRequest): string {
  const name = request.name ?? basename(resolve(request.directory));
  if (name === '' || Array.from(name).length > NAME_CHARS_MAX || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new RelayError('usage', `a name has 1 to ${NAME_CHARS_MAX} printable characters; give one with --name`);
  }
  return name;
}

/** Not beyond the issuer: its end would cut the certificate's life short without a word. */
function validityOf(request: IssueRequest, issuer: X509Certificate | undefined, notes: string[]): Validity {
  const notBefore = new Date(request.now.getTime() - BACKDATE_MS);
  const wanted = new Date(request.now.getTime() + request.days * DAY_MS);
  const issuerEnd = issuer === undefined ? undefined : new Date(issuer.validTo);
  if (issuerEnd === undefined || wanted <= issuerEnd) return { notBefore, notAfter: wanted };
  notes.push(`it ends with its issuer, on ${issuerEnd.toISOString()}, before the ${request.days} days are over`);
  return { notBefore, notAfter: issuerEnd };
}

function rootFile(directory: string, root: X509Certificate, overwrite: boolean): FileToWrite[] {
  const path = join(directory, 'ca.crt');
  if (existsSync(path)) {
    const present = parseCertificates(readPemFile(path, 'certificate'));
    if (present.some((one) => one.raw.equals(root.raw))) return [];
    // A renewed chain CA has the same key; the folder needs the new certificate.
    if (!overwrite && !present.some((one) => one.publicKey.equals(root.publicKey))) {
      throw new RelayError('usage', `${path} is the CA of another chain; choose another folder, or give --overwrite`);
    }
  }
  return [{ path, content: String(root), secret: false }];
}

function privatePem(key: KeyObject, password: string | undefined): string {
  if (password === undefined) return exportPrivateKey(key);
  const encrypted = encryptPkcs8(key.export({ type: 'pkcs8', format: 'der' }), password);
  return encodePem('ENCRYPTED PRIVATE KEY', new Uint8Array(AsnConvert.serialize(encrypted)));
}
