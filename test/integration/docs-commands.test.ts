/** Every command of the documents about certificates and about nodes is run as it stands there, in the order of the page. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withDeadline } from '../helpers/deadline.js';
import { copyClosed, FISCO } from '../helpers/fisco-tools.js';
import { MAIN } from '../unit/cli/run-amop.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const DEADLINE_MS = 60_000;
const root = mkdtempSync(join(tmpdir(), 'amop-docs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

beforeAll(() => {
  const bin = join(root, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'amop'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
});

const page = (name: string): string => readFileSync(join(PROJECT, 'docs', name), 'utf8');
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]);

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

function sh(script: string, cwd: string): Promise<Ran> {
  const env = {
    ...process.env,
    PATH: `${join(root, 'bin')}:${process.env.PATH}`,
    AMOP_PASSWORD: '',
    AMOP_NEW_PASSWORD: '',
  };
  const child = spawn('sh', ['-e', '-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  const ran = new Promise<Ran>((done) => child.once('close', (code) => done({ code, output })));
  return withDeadline(ran, DEADLINE_MS, () => `"${script}" to end; it wrote ${output}`).finally(() =>
    child.kill('SIGKILL'),
  );
}

async function runAll(scripts: readonly string[], cwd: string): Promise<string> {
  let all = '';
  for (const script of scripts) {
    const { code, output } = await sh(script, cwd);
    expect({ script, code, output }).toEqual({ script, code: 0, output });
    all += output;
  }
  return all;
}

describe('docs/certificates.md', () => {
  const text = page('certificates.md');
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
    const [config, ...others] = blocks(text, 'toml');
    expect(others).toEqual([]);
    writeFileSync(join(cwd, 'relay.toml'), config);
  });

  it(
    'has commands that all work, one after the other',
    async () => {
      const scripts = blocks(text, 'sh');
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
  const text = page('next-to-a-2x-node.md');
  const cwd = join(root, 'node');

  beforeAll(() => copyClosed(FISCO, cwd));

  it(
    'has commands that all work, one after the other',
    async () => {
      const scripts = blocks(text, 'sh');
      expect(scripts.length).toBeGreaterThan(4);
      const output = await runAll(scripts, cwd);
      expect(output).toContain('relay/relay.toml is good');
      expect(output).toContain('sdk/sdk.crt is good for an application');
    },
    DEADLINE_MS,
  );

  it('names every key that is carried over', async () => {
    const { output } = await sh('amop config import node0/config.ini --replace-node --json', cwd);
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
  const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');
  for (const name of ['certificates.md', 'next-to-a-2x-node.md', 'troubleshooting.md']) {
    expect(readme).toContain(`docs/${name}`);
  }
});
