/**
 * Every command of the documents about certificates, nodes and operation is run as it stands there, in the order of the page,
 * and every piece of a configuration is checked in a whole one.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, readPage } from '../helpers/documents.js';
import { copyClosed, FISCO } from '../helpers/fisco-tools.js';
import { DIST_DIR } from '../helpers/pki.js';
import { amopOnPath, Shells } from '../helpers/shell.js';

const DEADLINE_MS = 60_000;
const root = mkdtempSync(join(tmpdir(), 'amop-docs-'));
const bin = join(root, 'bin');
mkdirSync(bin);
const env = { ...process.env, PATH: amopOnPath(bin), AMOP_PASSWORD: '', AMOP_NEW_PASSWORD: '' };
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs scripts in a folder, one after the other; each must succeed. */
async function runAll(scripts: readonly string[], cwd: string): Promise<string> {
  const shells = new Shells({ cwd, env, deadlineMs: DEADLINE_MS });
  let all = '';
  try {
    for (const script of scripts) all += await shells.run(`set -e\n${script}`);
  } finally {
    shells.killAll();
  }
  return all;
}

describe('docs/certificates.md', () => {
  const text = readPage('docs/certificates.md');
  const cwd = join(root, 'certificates');

  beforeAll(() => {
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'password.txt'), '123456\n', { mode: 0o600 });
    // As build_chain.sh lays it out.
    copyClosed(join(FISCO, 'chain'), join(cwd, 'nodes/cert'));
    copyClosed(join(FISCO, 'agency'), join(cwd, 'nodes/cert/agency'));
    copyClosed(join(FISCO, 'node0'), join(cwd, 'nodes/127.0.0.1/node0'));
    copyClosed(join(FISCO, 'sdk'), join(cwd, 'nodes/127.0.0.1/sdk'));
    copyFileSync(join(FISCO, 'accounts/openssl3.p12'), join(cwd, 'account.p12'));
    chmodSync(join(cwd, 'account.p12'), 0o600);
    const [config, ...others] = codeBlocks(text, 'toml');
    expect(others).toEqual([]);
    writeFileSync(join(cwd, 'relay.toml'), config);
  });

  it(
    'has commands that all work, one after the other',
    async () => {
      const scripts = codeBlocks(text, 'sh');
      expect(scripts.length).toBeGreaterThan(9);
      const output = await runAll(scripts, cwd);
      expect(output).toContain('relay.toml is good');
      expect(output).not.toContain('warning: cert');
      expect(output).not.toContain('is not good for a channel listener');
    },
    DEADLINE_MS,
  );

  it(
    'has a command for each of FISCO’s that works',
    async () => {
      const table = text.slice(text.indexOf('### From their commands'));
      const commands = [...table.matchAll(/^\| [^|]+ \| `(amop [^`]+)` \|$/gm)].map((match) => match[1]);
      expect(commands.length).toBeGreaterThan(9);
      await runAll(commands, cwd);
    },
    DEADLINE_MS,
  );
});

describe('docs/next-to-a-2x-node.md', () => {
  const text = readPage('docs/next-to-a-2x-node.md');
  const cwd = join(root, 'node');

  beforeAll(() => copyClosed(FISCO, cwd));

  it(
    'has commands that all work, one after the other',
    async () => {
      const scripts = codeBlocks(text, 'sh');
      expect(scripts.length).toBeGreaterThan(4);
      const output = await runAll(scripts, cwd);
      expect(output).toContain('relay/relay.toml is good');
      expect(output).toContain('sdk/sdk.crt is good for an application');
    },
    DEADLINE_MS,
  );

  it('names every key that is carried over', async () => {
    const output = await runAll(['amop config import node0/config.ini --replace-node --json'], cwd);
    const { carried } = JSON.parse(output.trim()) as { carried: { key: string }[] };
    const table = text.slice(text.indexOf('## What becomes of each key'));
    const named = [...table.matchAll(/^\| (`.+?) \| /gm)].map((match) => match[1]).join(' ');
    expect(carried.length).toBeGreaterThan(12);
    for (const { key } of carried) {
      // The folder of the groups is "the group files beside it".
      const name =
        key === 'group.group_config_path'
          ? 'group files'
          : key
              .replace(/\.\d+$/, '.N')
              .split('.')
              .slice(1)
              .join('.');
      expect(named).toContain(name);
    }
  });
});

/** A relay's folder with what the snippets of the pages name, and a listener to which they are added. */
async function makeRelayFolder(cwd: string): Promise<string> {
  mkdirSync(cwd);
  await runAll(
    [
      'amop pki init chain',
      'amop pki org bank-a --chain chain',
      'amop pki relay conf --org bank-a --name relay',
      'amop keys generate keys/bank-b',
      'amop keys generate keys/settlement',
    ],
    cwd,
  );
  const files = 'key = "conf/node.key"\ncert = "conf/node.crt"\nca_cert = "conf/ca.crt"\n';
  return `[[rpc.listener]]\nchannel_listen_ip = "127.0.0.1"\nchannel_listen_port = 0\n${files}`;
}

const byFirstLine = (snippets: readonly string[]): [string, string][] =>
  snippets.map((snippet) => [snippet.split('\n', 1)[0], snippet]);

/** Adds a snippet to the listener, and checks the whole as an operator would. */
async function checkSnippet(cwd: string, listener: string, snippet: string): Promise<void> {
  writeFileSync(join(cwd, 'merged.toml'), `${listener}\n${snippet}`);
  expect(await runAll(['amop config check merged.toml'], cwd)).toMatch(/^merged\.toml is good$/m);
}

describe('docs/operations.md', () => {
  const text = readPage('docs/operations.md');
  const snippets = codeBlocks(text, 'toml');
  const [unit] = codeBlocks(text, 'ini');
  const cwd = join(root, 'operations');
  let listener: string;

  /** Runs a command of the page until it has said this, and ends it as systemd does. */
  async function runRelay(command: string, says: RegExp): Promise<{ code: number | null; output: string }> {
    const shells = new Shells({ cwd, env });
    try {
      const relay = shells.start(`exec ${command.replace(/^(?:\/usr\/bin\/)?node /, `'${process.execPath}' `)}`);
      await relay.says(says);
      relay.terminate();
      return { code: await relay.end(), output: relay.output };
    } finally {
      shells.killAll();
    }
  }

  beforeAll(async () => {
    listener = await makeRelayFolder(cwd);
    symlinkSync(DIST_DIR, join(cwd, 'dist'));
    const p2p = snippets.find((snippet) => snippet.includes('[p2p]')) ?? '';
    const onFreePorts = p2p.replace(/^listen_port = \d+$/m, 'listen_ip = "127.0.0.1"\nlisten_port = 0');
    writeFileSync(join(cwd, 'relay.toml'), `${listener}\n[admin]\nlisten_port = 0\n\n${onFreePorts}`);
  });

  it('has a command that starts a relay, whose first line is as the page shows it', async () => {
    const [commands, ofThePackage, ...others] = codeBlocks(text, 'sh');
    expect(others).toEqual([]);
    // test/integration/package.test.ts runs these.
    expect(ofThePackage).toMatch(/^npm install amop-relay\n/);
    const lines = commands.trim().split('\n');
    const start = lines.pop() ?? '';
    // `npm test` has done what the lines before it do.
    expect(lines.filter((line) => !/^npm (?:ci|run [\w:]+)$/.test(line))).toEqual([]);
    const { code, output } = await runRelay(start, /"relay ready"/);
    expect(code).toBe(0);
    const shown = JSON.parse(codeBlocks(text, 'json')[0]) as unknown;
    const logged = output.split('\n').find((line) => line.includes('"relay ready"')) ?? '';
    expect(shapeOf(JSON.parse(logged))).toEqual(shapeOf(shown));
  });

  it.each(byFirstLine(snippets))('has a piece of a configuration that fits into one: %s', async (_title, snippet) => {
    await checkSnippet(cwd, listener, snippet);
  });

  it('has a unit for systemd whose command runs, and whose times and codes are those of a relay', async () => {
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
    expect(
      unit.split('\n').filter((line) => !/^(?:|#.*|\[(?:Unit|Service|Install)\]|[A-Z]\w+=\S.*)$/.test(line)),
    ).toEqual([]);
    const command = value('ExecStart').replace('/opt/amop-relay', cwd).replace('/etc/amop-relay', cwd);
    expect(await runRelay(command, /"relay ready"/)).toMatchObject({ code: 0 });
    writeFileSync(join(cwd, 'wrong.toml'), '[admin]\n');
    const wrong = await runRelay(command.replace('relay.toml', 'wrong.toml'), /never/);
    expect(wrong.code).toBe(Number(value('RestartPreventExitStatus')));
    const rows = readPage('docs/configuration.md');
    const defaultOf = (key: string) =>
      Number(new RegExp(`^\\| \`${key}\` \\| [^|]+ \\| \`(\\d+)\``, 'm').exec(rows)?.[1]);
    expect(Number(value('TimeoutStopSec')) * 1000).toBeGreaterThanOrEqual(defaultOf('drain_timeout_ms') + 3_000);
    expect(Number(value('LimitNOFILE'))).toBeGreaterThan(defaultOf('sessions_max') + defaultOf('handshakes_max'));
  });
});

/** Names and types of JSON, without its values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}

describe('docs/private-topics.md', () => {
  const snippets = codeBlocks(readPage('docs/private-topics.md'), 'toml');
  const cwd = join(root, 'private-topics');
  let listener: string;

  beforeAll(async () => {
    listener = await makeRelayFolder(cwd);
  });

  it('has pieces of a configuration', () => expect(snippets).toHaveLength(2));

  it.each(byFirstLine(snippets))('has a piece of a configuration that fits into one: %s', async (_title, snippet) => {
    await checkSnippet(cwd, listener, snippet);
  });
});
