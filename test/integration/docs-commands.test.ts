/** Every command of the documents about certificates and about nodes is run as it stands there, in the order of the page. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, readPage } from '../helpers/documents.js';
import { copyClosed, FISCO } from '../helpers/fisco-tools.js';
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

it('the documents are found from the README', () => {
  const readme = readPage('README.md');
  for (const name of ['certificates.md', 'next-to-a-2x-node.md', 'troubleshooting.md']) {
    expect(readme).toContain(`docs/${name}`);
  }
});
