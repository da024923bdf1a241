/**
 * A demo chain on disk: per key kind one chain CA, two agencies, and under each agency one relay and two applications.
 *
 *   <directory>/<kind>/chain/{ca.crt,ca.key}
 *   <directory>/<kind>/<agency>/{agency.crt,agency.key}
 *   <directory>/<kind>/<agency>/{relay.crt,relay.key,relay-ca.crt}             a listener's cert, key, ca_cert
 *   <directory>/<kind>/<agency>/{sdk.crt,sdk.key,sdk2.crt,sdk2.key,ca.crt}     an application's, named as SDKs want it
 *
 * Directories have mode 0700, keys 0600. A set is reused only when it is whole and valid; otherwise all of its kind is
 * made anew, since a new CA invalidates every leaf. Files of other names are never touched.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText, RelayError } from '../base/errors.js';
import { createAgency, createChain, createLeaf, listenerCaPem, type Validity } from './authority.js';
import { isListed } from './chain.js';
import { parseCertificates, readPemFile } from './files.js';
import type { IdentityPaths } from './identity.js';
import { loadClientIdentity, loadListenerIdentity } from './load.js';

export const DEMO_KINDS = ['secp256k1', 'rsa'] as const;
export type DemoKind = (typeof DEMO_KINDS)[number];

export const DEMO_AGENCIES = ['bank-a', 'bank-b'] as const;
export type DemoAgency = (typeof DEMO_AGENCIES)[number];

const DEMO_YEARS = 10;

/** Backdated, so that machines whose clocks differ a little accept the set at once. */
const BACKDATE_MS = 3600 * 1000;

/** A set that ends within a day would die under a running demo. */
const REMAINING_MS_MIN = 24 * 3600 * 1000;

export interface DemoAgencyFiles {
  readonly relay: IdentityPaths;
  readonly sdk: IdentityPaths;
  readonly sdk2: IdentityPaths;
}

export interface DemoPki {
  readonly directory: string;
  readonly files: Readonly<Record<DemoKind, Readonly<Record<DemoAgency, DemoAgencyFiles>>>>;
  /** Kinds made in this call. */
  readonly made: readonly DemoKind[];
  /** Why an existing set was made anew, one line each; empty otherwise. */
  readonly notes: readonly string[];
}

/**
 * Makes or reuses the demo set. A first run takes 0.3-2 s, most of it nine RSA keys.
 *
 * @throws RelayError `config-unreadable` when the directory cannot be written
 */
export function createDemoPki(directory: string, options: { readonly now: Date }): DemoPki {
  const made: DemoKind[] = [];
  const notes: string[] = [];
  for (const kind of DEMO_KINDS) {
    const root = join(directory, kind);
    const present = existsSync(root);
    const problem = present ? findProblem(root, options.now) : 'not there yet';
    if (problem === undefined) continue;
    if (present) notes.push(`demo certificates in ${root} are made anew: ${problem}`);
    try {
      writeKind(root, kind, options.now);
    } catch (error) {
      throw new RelayError(
        'config-unreadable',
        `demo certificates cannot be written to ${root}: ${errorText(error)}; choose a directory of your own`,
        error,
      );
    }
    made.push(kind);
  }
  const files = Object.fromEntries(DEMO_KINDS.map((kind) => [kind, filesOfKind(join(directory, kind))]));
  return { directory, files: files as DemoPki['files'], made, notes };
}

function filesOfKind(root: string): Record<DemoAgency, DemoAgencyFiles> {
  const of = (agency: string): DemoAgencyFiles => {
    const file = (name: string) => join(root, agency, name);
    return {
      relay: { key: file('relay.key'), cert: file('relay.crt'), caCert: file('relay-ca.crt') },
      sdk: { key: file('sdk.key'), cert: file('sdk.crt'), caCert: file('ca.crt') },
      sdk2: { key: file('sdk2.key'), cert: file('sdk2.crt'), caCert: file('ca.crt') },
    };
  };
  return { 'bank-a': of('bank-a'), 'bank-b': of('bank-b') };
}

/** Why a set cannot be reused, or undefined: the relay's own checks on every leaf, then the CA keys. */
function findProblem(root: string, now: Date): string | undefined {
  const soon = new Date(now.getTime() + REMAINING_MS_MIN);
  try {
    const chainCa = readAuthority(join(root, 'chain'), 'ca');
    const agencies = DEMO_AGENCIES.map((agency) => readAuthority(join(root, agency), 'agency'));
    for (const files of Object.values(filesOfKind(root))) {
      const relay = loadListenerIdentity(files.relay, now);
      for (const identity of [relay, loadClientIdentity(files.sdk, now), loadClientIdentity(files.sdk2, now)]) {
        if (identity.notAfter < soon) return `they expire on ${identity.notAfter.toISOString()}`;
      }
      const listed = splitCertificates(files.relay.caCert);
      if (![chainCa, ...agencies].every((one) => isListed(one, listed))) return 'the CA files do not belong together';
      if (!isListed(chainCa, splitCertificates(files.sdk.caCert))) return 'the CA files do not belong together';
    }
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

function readAuthority(directory: string, name: string): X509Certificate {
  const certificate = new X509Certificate(readFileSync(join(directory, `${name}.crt`)));
  const key = createPrivateKey(readFileSync(join(directory, `${name}.key`)));
  if (!certificate.checkPrivateKey(key)) {
    throw new RelayError('key-invalid', `${join(directory, name)}.key is not the key of ${name}.crt`);
  }
  return certificate;
}

function splitCertificates(path: string): X509Certificate[] {
  return parseCertificates(readPemFile(path, 'ca_cert'));
}

function writeKind(root: string, kind: DemoKind, now: Date): void {
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + DEMO_YEARS);
  const validity: Validity = { notBefore: new Date(now.getTime() - BACKDATE_MS), notAfter };
  const chain = createChain({ kind, chainName: 'amop-demo', ...validity });
  const agencies = DEMO_AGENCIES.map((name) => ({ name, authority: createAgency(chain, name, validity) }));
  const relayCa = listenerCaPem(
    chain,
    agencies.map((one) => one.authority),
  );
  for (const { name, authority } of agencies) {
    const directory = join(root, name);
    makePrivateDirectory(directory);
    write(directory, 'agency', authority);
    write(directory, 'relay', createLeaf(authority, 'node', `relay-${name}`, validity));
    write(directory, 'sdk', createLeaf(authority, 'sdk', `sdk-${name}`, validity));
    write(directory, 'sdk2', createLeaf(authority, 'sdk', `sdk2-${name}`, validity));
    writeFile(join(directory, 'ca.crt'), chain.certPem, 0o644);
    writeFile(join(directory, 'relay-ca.crt'), relayCa, 0o644);
  }
  makePrivateDirectory(join(root, 'chain'));
  write(join(root, 'chain'), 'ca', chain);
}

function write(directory: string, name: string, files: { readonly certPem: string; readonly keyPem: string }): void {
  writeFile(join(directory, `${name}.key`), files.keyPem, 0o600);
  writeFile(join(directory, `${name}.crt`), files.certPem, 0o644);
}

/** Written beside and renamed: a reader sees the old file or the new one, and the mode is right from the first byte. */
function writeFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
}
