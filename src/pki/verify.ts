/**
 * Judges a folder as the relay and its clients will use it, before anybody connects: the same loaders, and what the other
 * end of a connection is known to want beyond them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RelayError } from '../base/errors.js';
import { type AskPassword, openAuthority, roleOf, subjectOf } from './authority-folder.js';
import { buildChain, isSelfIssued } from './chain.js';
import { parseCertificates, readPemFile } from './files.js';
import type { IdentityPaths, TlsIdentity } from './identity.js';
import { isEncryptedPem } from './key.js';
import { loadClientIdentity, loadListenerIdentity } from './load.js';
import { namesOf } from './peer.js';
import { splitPem } from './pem.js';

/** `listener` is the channel port of a relay, `p2p` its port for nodes and relays, `ca` signs others. */
export const USES = ['listener', 'p2p', 'client', 'ca'] as const;
export type Use = (typeof USES)[number];

export interface Verdict {
  readonly use: Use;
  /** The certificate that was judged. */
  readonly path: string;
  /** Why it cannot be used so; undefined when it can. */
  readonly problem: string | undefined;
  readonly warnings: readonly string[];
  readonly nodeId?: string;
  readonly notAfter?: Date;
}

export interface VerifyOptions {
  readonly now: Date;
  readonly askPassword: AskPassword;
  readonly crl?: string | undefined;
}

/** Leaves under the names that FISCO's tools and the demonstration give them. */
const LEAF_NAMES: readonly { readonly name: string; readonly caCert: string; readonly uses: readonly Use[] }[] = [
  { name: 'node', caCert: 'ca', uses: ['listener', 'p2p'] },
  { name: 'relay', caCert: 'relay-ca', uses: ['listener', 'p2p'] },
  { name: 'sdk', caCert: 'ca', uses: ['client'] },
];

/**
 * Every use that the files of a folder are for.
 *
 * @throws RelayError `config-unreadable` when nothing known is in it
 */
export async function verifyFolder(directory: string, options: VerifyOptions): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { name, caCert, uses } of LEAF_NAMES) {
    const file = (base: string, ending: string) => join(directory, `${base}.${ending}`);
    if (!existsSync(file(name, 'crt')) && !existsSync(file(name, 'key'))) continue;
    const paths = { cert: file(name, 'crt'), key: file(name, 'key'), caCert: file(caCert, 'crt') };
    const files = await withPassword(paths, options.askPassword);
    for (const use of uses) verdicts.push(verifyIdentity(use, files, options));
  }
  if (verdicts.length > 0) return verdicts;
  roleOf(directory);
  return [await verifyAuthority(directory, options)];
}

/** The files with the password of their key, asked for if it is encrypted. @throws RelayError when there is none */
export async function withPassword(files: IdentityPaths, askPassword: AskPassword): Promise<IdentityPaths> {
  let encrypted: boolean;
  try {
    encrypted = isEncryptedPem(readPemFile(files.key, 'key').text);
  } catch (error) {
    // What cannot be read is a verdict.
    if (error instanceof RelayError) return files;
    throw error;
  }
  return encrypted ? { ...files, passphrase: await askPassword(files.key) } : files;
}

/** One use of three files. */
export function verifyIdentity(use: Use, files: Omit<IdentityPaths, 'crl'>, options: VerifyOptions): Verdict {
  const paths: IdentityPaths = options.crl === undefined ? files : { ...files, crl: options.crl };
  let identity: TlsIdentity;
  try {
    identity = use === 'client' ? loadClientIdentity(paths, options.now) : loadListenerIdentity(paths, options.now);
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
    return { use, path: files.cert, problem: error.message, warnings: [] };
  }
  const warnings = [...identity.warnings];
  if (use === 'client') warnings.push(...clientWarnings(paths));
  return {
    use,
    path: files.cert,
    problem: use === 'p2p' ? p2pProblem(identity, files.cert) : undefined,
    warnings: use === 'p2p' ? nodeIdWarnings(identity, files.cert) : warnings,
    ...(identity.nodeId === undefined ? {} : { nodeId: identity.nodeId }),
    notAfter: identity.notAfter,
  };
}

async function verifyAuthority(directory: string, options: VerifyOptions): Promise<Verdict> {
  const path = join(directory, `${roleOf(directory)}.crt`);
  try {
    const { authority } = await openAuthority(directory, options.now, options.askPassword);
    return { use: 'ca', path, problem: undefined, warnings: [], notAfter: new Date(authority.certificate.validTo) };
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
    return { use: 'ca', path, problem: error.message, warnings: [] };
  }
}

/** What a node asks of a certificate on its P2P port (fisco 2.x node specification, 3.1), and this relay likewise. */
function p2pProblem(identity: TlsIdentity, path: string): string | undefined {
  const subject = `cert file ${path}: ${subjectOf(identity.leaf)}`;
  if (identity.kind !== 'secp256k1') {
    return `${subject} has an RSA key; the P2P port needs one on secp256k1, whose public key is the node ID`;
  }
  const names = namesOf(identity.leaf);
  if (!names.basicConstraints) {
    return `${subject} has no basicConstraints, so a node finds no node ID in it and closes the connection; renew it`;
  }
  if (names.subjectOu.toLowerCase() === 'sdk') {
    return `${subject} was made for an SDK (OU=sdk); make one for a relay, or have the peers set p2p.allow_sdk_certificates`;
  }
  return undefined;
}

/** Operators copy node IDs from the file, so a stale one leads them astray. */
function nodeIdWarnings(identity: TlsIdentity, certPath: string): string[] {
  const path = certPath.replace(/\.crt$/, '.nodeid');
  if (path === certPath || !existsSync(path)) return [];
  const written = readPemFile(path, 'node ID').text.trim().toLowerCase();
  return written === identity.nodeId
    ? []
    : [`node ID file ${path} is not that of ${certPath}, which is ${identity.nodeId}`];
}

function clientWarnings({ cert, key, caCert }: IdentityPaths): string[] {
  const warnings: string[] = [];
  const [leaf, ...others] = parseCertificates(readPemFile(cert, 'cert'));
  const roots = parseCertificates(readPemFile(caCert, 'ca_cert')).filter(isSelfIssued);
  if (!buildChain(leaf, others, roots).ok) {
    warnings.push(
      `cert file ${cert} lacks the certificate of its agency: a Go client then sends no certificate at all; put it behind the leaf`,
    );
  }
  if (
    splitPem(readPemFile(key, 'key').text).some(
      ({ label }) => label === 'EC PRIVATE KEY' || label === 'RSA PRIVATE KEY',
    )
  ) {
    warnings.push(`key file ${key} is in an old form (SEC1 or PKCS#1); the Java SDK reads PKCS#8 only`);
  }
  return warnings;
}
