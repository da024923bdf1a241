/**
 * Folders of authorities as FISCO's tools lay them out: `ca.crt, ca.key` of a chain, `agency.crt, agency.key` of an
 * agency with the chain's `ca.crt` beside it or one folder up.
 */
import type { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RelayError } from '../base/errors.js';
import type { Authority } from './authority.js';
import { buildChain, isSelfIssued } from './chain.js';
import { parseCertificates, readPemFile } from './files.js';
import { exportPrivateKey, isEncryptedPem, keyKindOf, loadPrivateKey } from './key.js';

/** Asks for the password of an encrypted key; `name` is the file's path. */
export type AskPassword = (name: string) => Promise<string>;

export type AuthorityRole = 'ca' | 'agency';

export interface AuthorityFolder {
  readonly role: AuthorityRole;
  /** `certPem` holds the authority and those above it but the root, as it stands behind a leaf. */
  readonly authority: Authority;
  /** The self-signed chain CA. */
  readonly root: X509Certificate;
  readonly certPath: string;
}

/**
 * Opens the key and checks that it can sign: it is the certificate's, that is a CA, valid now, and leads to a root.
 *
 * @throws RelayError `config-unreadable`, `certificate-invalid` or `key-invalid`
 */
export async function openAuthority(directory: string, now: Date, askPassword: AskPassword): Promise<AuthorityFolder> {
  const role = roleOf(directory);
  const certPath = join(directory, `${role}.crt`);
  const keyPath = join(directory, `${role}.key`);
  const [certificate, ...others] = parseCertificates(readPemFile(certPath, 'certificate'));
  const fail = (what: string) =>
    new RelayError('certificate-invalid', `certificate file ${certPath}: ${subjectOf(certificate)} ${what}`);
  if (!certificate.ca) throw fail('is no CA certificate and cannot sign others');
  const kind = keyKindOf(certificate.publicKey);
  if (kind === undefined) throw fail('has a key of an unsupported kind; use secp256k1 or RSA');
  if (now.getTime() > Date.parse(certificate.validTo)) {
    throw fail(`expired on ${new Date(certificate.validTo).toISOString()}; renew it first`);
  }
  const root = findRoot(directory, certificate, others);
  if (root === undefined) {
    throw fail(`was not issued by a CA at hand; put the ca.crt of its chain into ${directory}`);
  }
  const keyFile = readPemFile(keyPath, 'key');
  const password = isEncryptedPem(keyFile.text) ? await askPassword(keyPath) : undefined;
  const key = loadPrivateKey(keyFile.text, `key file ${keyPath}`, password);
  if (!certificate.checkPrivateKey(key)) {
    throw new RelayError(
      'key-invalid',
      `key file ${keyPath} is not the key of ${subjectOf(certificate)} in ${certPath}`,
    );
  }
  const between = [certificate, ...others].filter((one) => !isSelfIssued(one));
  return {
    role,
    certPath,
    root,
    authority: {
      kind,
      key,
      keyPem: exportPrivateKey(key),
      certificate,
      certPem: between.map(String).join(''),
    },
  };
}

/** Which authority a folder holds. @throws RelayError `config-unreadable` when it holds none */
export function roleOf(directory: string): AuthorityRole {
  // An agency's folder holds the chain's ca.crt as well.
  for (const role of ['agency', 'ca'] as const) {
    if (existsSync(join(directory, `${role}.crt`)) && existsSync(join(directory, `${role}.key`))) return role;
  }
  throw new RelayError(
    'config-unreadable',
    `${directory} is no folder of a CA: neither agency.crt with agency.key nor ca.crt with ca.key are in it`,
  );
}

export function subjectOf(certificate: X509Certificate): string {
  return `"${certificate.subject.replaceAll('\n', ', ')}"`;
}

function findRoot(
  directory: string,
  certificate: X509Certificate,
  others: readonly X509Certificate[],
): X509Certificate | undefined {
  const known = [certificate, ...others];
  for (const path of [join(directory, 'ca.crt'), join(dirname(resolve(directory)), 'ca.crt')]) {
    if (existsSync(path)) known.push(...parseCertificates(readPemFile(path, 'certificate')));
  }
  const found = buildChain(certificate, known, known.filter(isSelfIssued));
  return found.ok ? found.path.at(-1) : undefined;
}
