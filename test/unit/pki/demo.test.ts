import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createDemoPki, DEMO_AGENCIES, DEMO_KINDS, type DemoPki } from '../../../src/pki/demo.js';
import { loadClientIdentity, loadListenerIdentity } from '../../../src/pki/load.js';
import { organisationIdOf } from '../../../src/pki/peer.js';
import { certificatesOf, handshake } from './world.js';

const NOW = new Date();
const base = mkdtempSync(join(tmpdir(), 'amop-demo-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** RSA keys take most of the time, so one set is made and copied. */
const original = join(base, 'original');
const first = createDemoPki(original, { now: NOW });

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function snapshot(): Record<string, string> {
  return Object.fromEntries(everyFile(original).map((path) => [path, readFileSync(path, 'utf8')]));
}

describe('the demo set', () => {
  beforeEach(() => {
    createDemoPki(original, { now: NOW });
  });

  it('has for both kinds and both agencies one relay and two applications, each pair of which connects', async () => {
    expect(first.made).toEqual(DEMO_KINDS);
    expect(first.notes).toEqual([]);
    for (const kind of DEMO_KINDS) {
      const organisations = new Set<string | undefined>();
      for (const agency of DEMO_AGENCIES) {
        const relay = loadListenerIdentity(first.files[kind]['bank-a'].relay, NOW);
        expect(relay).toMatchObject({ kind, warnings: [] });
        for (const name of ['sdk', 'sdk2'] as const) {
          const client = loadClientIdentity(first.files[kind][agency][name], NOW);
          expect(client.warnings).toEqual([]);
          const outcome = await handshake(relay, client, relay.nodeId);
          expect(outcome.peer?.subjectCn).toBe(`${name}-${agency}`);
          organisations.add(outcome.peer?.organisationId);
        }
      }
      const agencies = DEMO_AGENCIES.map((agency) =>
        certificatesOf(readFileSync(join(original, kind, agency, 'agency.crt'), 'utf8')),
      );
      expect(organisations).toEqual(new Set(agencies.map(([one]) => organisationIdOf(one))));
    }
  });

  it.skipIf(process.platform === 'win32')('keeps keys and directories to its owner', () => {
    const files = everyFile(original);
    for (const path of files.filter((one) => one.endsWith('.key'))) expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const kind of DEMO_KINDS) {
      for (const name of ['', 'chain', ...DEMO_AGENCIES]) {
        expect(statSync(join(original, kind, name)).mode & 0o777).toBe(0o700);
      }
    }
    expect(files.filter((one) => one.endsWith('.tmp'))).toEqual([]);
  });

  it('is valid for ten years', () => {
    const { notAfter } = loadListenerIdentity(first.files.rsa['bank-b'].relay, NOW);
    expect(notAfter.getUTCFullYear()).toBe(NOW.getUTCFullYear() + 10);
  });

  it('is reused untouched while it is whole', () => {
    const before = snapshot();
    const again = createDemoPki(original, { now: NOW });
    expect(again).toMatchObject({ made: [], notes: [], files: first.files });
    expect(snapshot()).toEqual(before);
  });

  it.each<[string, () => void, string]>([
    ['a file is missing', () => rmSync(join(original, 'secp256k1/bank-b/sdk2.key')), 'does not exist'],
    ['the chain is missing', () => rmSync(join(original, 'secp256k1/chain'), { recursive: true }), 'ENOENT'],
    ['a file is cut short', () => writeFileSync(join(original, 'secp256k1/bank-a/relay.crt'), ''), 'is not PEM'],
    ['a CA file is of another set', () => copy('rsa/bank-a/ca.crt', 'secp256k1/bank-a/ca.crt'), 'bank-a'],
    ['an agency lost its key', () => copy('secp256k1/bank-a/agency.key', 'secp256k1/bank-b/agency.key'), 'agency.key'],
  ])('is made anew with a line saying so when %s', (_name, damage, words) => {
    damage();
    const remade: DemoPki = createDemoPki(original, { now: NOW });
    expect(remade.made).toEqual(['secp256k1']);
    expect(remade.notes).toHaveLength(1);
    expect(remade.notes[0]).toContain('are made anew');
    expect(remade.notes[0]).toContain(words);
    expect(createDemoPki(original, { now: NOW })).toMatchObject({ made: [], notes: [] });
  });

  it('leaves files that are not its own alone when it is made anew', () => {
    const own = join(original, 'secp256k1/bank-a/notes.txt');
    writeFileSync(own, 'mine');
    rmSync(join(original, 'secp256k1/bank-a/sdk.crt'));
    createDemoPki(original, { now: NOW });
    expect(readFileSync(own, 'utf8')).toBe('mine');
    rmSync(own);
  });

  it('is made anew when it has expired, or is about to', () => {
    const late = new Date(NOW);
    late.setUTCFullYear(late.getUTCFullYear() + 11);
    const remade = createDemoPki(original, { now: late });
    expect(remade.made).toEqual(DEMO_KINDS);
    expect(remade.notes.every((note) => note.includes('expired on'))).toBe(true);
    // Made for a time eleven years ahead: not valid now.
    expect(createDemoPki(original, { now: NOW }).notes[0]).toContain('is not valid before');
  });
});

it('names a directory that cannot be written', () => {
  const blocked = join(base, 'blocked');
  writeFileSync(blocked, '');
  expect(() => createDemoPki(join(blocked, 'pki'), { now: NOW })).toThrow(/cannot be written .* choose a directory/);
  expect(existsSync(join(blocked, 'pki'))).toBe(false);
});

function copy(from: string, to: string): void {
  writeFileSync(join(original, to), readFileSync(join(original, from)));
}
