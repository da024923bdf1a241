/**
 * Certificates of the tests: one chain per key kind, two agencies, and those that must be refused (expired, of another
 * chain). Made once per test run with the built package's own PKI and kept in a temporary directory; the TLS libraries
 * at both ends judge them independently.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { madeOnce } from './made-once.js';

export const PROJECT_DIR = fileURLToPath(new URL('../..', import.meta.url));

/** The build under test; another one can be named to test an installed package. */
export const DIST_DIR = process.env.AMOP_TEST_DIST ?? join(PROJECT_DIR, 'dist');

export const KINDS = ['secp256k1', 'rsa'] as const;
export type Kind = (typeof KINDS)[number];

/** PEM texts, in the names of node:tls. */
export interface Credentials {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface TestPki {
  /** Holds `<kind>/relay.key`, `relay.crt` and `ca.crt` for a listener. */
  readonly dir: string;
  /** Applications of two agencies. */
  readonly sdkA: Record<Kind, Credentials>;
  readonly sdkB: Record<Kind, Credentials>;
  /** Of the right agency, but its time is over. */
  readonly expired: Record<Kind, Credentials>;
  /** Of another chain; trusts the relay's all the same. */
  readonly foreign: Record<Kind, Credentials>;
}

const LEAVES = ['sdkA', 'sdkB', 'expired', 'foreign'] as const;
const DAY_MS = 86_400_000;

/** What the tests use of dist/pki/authority.js. */
interface Authority {
  readonly certPem: string;
}
interface PkiModule {
  createChain(request: { kind: Kind; chainName: string; notBefore: Date; notAfter: Date }): Authority;
  createAgency(chain: Authority, name: string, validity: { notBefore: Date; notAfter: Date }): Authority;
  createLeaf(
    agency: Authority,
    role: 'node' | 'sdk',
    name: string,
    validity: { notBefore: Date; notAfter: Date },
  ): { certPem: string; keyPem: string };
  listenerCaPem(chain: Authority, agencies: readonly Authority[]): string;
}

export async function testPki(): Promise<TestPki> {
  return load(await madeOnce('pki', generate));
}

async function generate(dir: string): Promise<void> {
  const pki = (await import(pathToFileURL(join(DIST_DIR, 'pki/authority.js')).href)) as PkiModule;
  const now = Date.now();
  const valid = { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + 300 * DAY_MS) };
  const over = { notBefore: new Date(now - 3 * DAY_MS), notAfter: new Date(now - DAY_MS) };
  const always = { notBefore: new Date(now - 4 * DAY_MS), notAfter: new Date(now + 600 * DAY_MS) };
  for (const kind of KINDS) {
    const at = join(dir, kind);
    await mkdir(at, { recursive: true });
    const chain = pki.createChain({ kind, chainName: 'test-chain', ...always });
    const agencyA = pki.createAgency(chain, 'agencyA', always);
    const agencyB = pki.createAgency(chain, 'agencyB', always);
    const otherChain = pki.createChain({ kind, chainName: 'other-chain', ...always });
    const otherAgency = pki.createAgency(otherChain, 'otherAgency', always);
    const relay = pki.createLeaf(agencyA, 'node', 'relay', valid);
    await writeFile(join(at, 'relay.key'), relay.keyPem, { mode: 0o600 });
    await writeFile(join(at, 'relay.crt'), relay.certPem);
    await writeFile(join(at, 'ca.crt'), pki.listenerCaPem(chain, [agencyA, agencyB]));
    await writeFile(join(at, 'root.crt'), chain.certPem);
    const leaves = {
      sdkA: pki.createLeaf(agencyA, 'sdk', 'sdkA', valid),
      sdkB: pki.createLeaf(agencyB, 'sdk', 'sdkB', valid),
      expired: pki.createLeaf(agencyA, 'sdk', 'expired', over),
      foreign: pki.createLeaf(otherAgency, 'sdk', 'foreign', valid),
    };
    for (const name of LEAVES) {
      await writeFile(join(at, `${name}.key`), leaves[name].keyPem, { mode: 0o600 });
      await writeFile(join(at, `${name}.crt`), leaves[name].certPem);
    }
  }
}

async function load(dir: string): Promise<TestPki> {
  const read = (name: string) => readFile(join(dir, name), 'utf8');
  const sets = {} as Record<(typeof LEAVES)[number], Record<Kind, Credentials>>;
  for (const name of LEAVES) {
    const byKind = {} as Record<Kind, Credentials>;
    for (const kind of KINDS) {
      byKind[kind] = {
        key: await read(`${kind}/${name}.key`),
        cert: await read(`${kind}/${name}.crt`),
        ca: await read(`${kind}/root.crt`),
      };
    }
    sets[name] = byKind;
  }
  return { dir, ...sets };
}

/** What a listener of the tests presents, for servers that are not the relay. */
export async function relayCredentials(pki: TestPki, kind: Kind): Promise<Credentials> {
  const read = (name: string) => readFile(join(pki.dir, kind, name), 'utf8');
  return { key: await read('relay.key'), cert: await read('relay.crt'), ca: await read('ca.crt') };
}

/** Puts the files of an application into a folder, named as SDKs and the command line want them. */
export async function writeCerts(folder: string, { key, cert, ca }: Credentials): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'sdk.key'), key, { mode: 0o600 });
  await writeFile(join(folder, 'sdk.crt'), cert);
  await writeFile(join(folder, 'ca.crt'), ca);
  return folder;
}
