/** Folders on disk for the tests of issuing, verifying and revoking. */
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { type Issued, type IssueRequest, issueAgency, issueChain, issueLeaf } from '../../../src/pki/issue.js';

const FISCO = fileURLToPath(new URL('../../fixtures/fisco-tools/', import.meta.url));

export const NOW = new Date();
export const DAY_MS = 86_400_000;

/** A folder of the test file's own, gone afterwards. */
export function useFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'amop-pki-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const noPassword = (): Promise<string> => Promise.reject(new Error('nobody should ask'));

export function request(directory: string, extra: Partial<IssueRequest> = {}): IssueRequest {
  return { directory, days: 100, now: NOW, renew: false, overwrite: false, askPassword: noPassword, ...extra };
}

export interface Chain {
  readonly chain: string;
  readonly agency: string;
  readonly relay: string;
  readonly sdk: string;
}

/** A whole chain in a folder, as the commands make it. */
export async function makeChain(root: string, kind: 'secp256k1' | 'rsa' = 'secp256k1'): Promise<Chain> {
  const at = {
    chain: join(root, 'chain'),
    agency: join(root, 'bank-a'),
    relay: join(root, 'relay-1'),
    sdk: join(root, 'app-1'),
  };
  await issueChain({ ...request(at.chain, { days: 1_000 }), kind });
  await issueAgency({ ...request(at.agency, { days: 500 }), chainDirectory: at.chain });
  await issueLeaf({ ...request(at.relay), role: 'node', agencyDirectory: at.agency });
  await issueLeaf({ ...request(at.sdk), role: 'sdk', agencyDirectory: at.agency });
  return at;
}

/** A copy of the folders that openssl made in the steps of FISCO's tools. */
export function copyFisco(root: string): { chain: string; agency: string; node: string; sdk: string } {
  cpSync(FISCO, root, { recursive: true });
  const at = (name: string) => join(root, name);
  // As openssl leaves them; a clone of the repository has lost the modes.
  for (const key of ['chain/ca.key', 'agency/agency.key', 'node0/conf/node.key', 'sdk/sdk.key'])
    chmodSync(at(key), 0o600);
  return { chain: at('chain'), agency: at('agency'), node: at('node0/conf'), sdk: at('sdk') };
}

export function read(directory: string, name: string): string {
  return readFileSync(join(directory, name), 'utf8');
}

export async function refusal(run: () => Promise<Issued | unknown>): Promise<RelayError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    return error as RelayError;
  }
  throw new Error('it was accepted');
}
