/**
 * The guides as a newcomer works through them: the blocks of each page in their order, in the terminals that the page
 * names, one page after the other in the same folder. Commands must succeed, and what the page shows must be seen.
 *
 * `npm ci` alone is left out: the modules are those of this clone.
 */
import { createPublicKey } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPage } from '../helpers/documents.js';
import { copyClosed, FISCO } from '../helpers/fisco-tools.js';
import { freePorts } from '../helpers/free-ports.js';
import { type GuideBlock, guideBlocks } from '../helpers/guide.js';
import { DIST_DIR, PROJECT_DIR } from '../helpers/pki.js';
import { Reader } from '../helpers/reader.js';
import { amopOnPath, Shells } from '../helpers/shell.js';

const STEP_MS = 60_000;
const PAGE_PORTS = [20200, 20201, 20210, 30300, 30310, 9090, 9091];
/** What the build needs of a clone. */
const SOURCES = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  'binding.gyp',
  'tsconfig.json',
  'native',
  'scripts',
  'src',
];

/** The programs of the package org.fisco.bcos.sdk.demo.amop. */
const DEMOS = [
  'AmopSubscriber',
  'AmopPublisher',
  'AmopPublisherFile',
  'AmopSubscriberPrivate',
  'AmopPublisherPrivate',
  'AmopPublisherPrivateFile',
  'AmopSubscriberPrivateByKey',
  'QueryAmopSubscribers',
  'PerformanceAmop',
];

/** Of the key pair that comes with the demos. */
const DEMO_PUBLIC_KEY =
  'd7b9e00f56d3f79305359fa2d7db166021e73086bdcd2e7a28d6ed27345e1f2d' +
  'decf85db7438e8457fd474ef9c4ceb89abb7d5fa60a22f2902ec26dca52ad5e5';

const root = mkdtempSync(join(tmpdir(), 'amop-guides-'));
const clone = join(root, 'amop-relay');
let reader: Reader;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const [home, bin, prefix] = ['home', 'bin', 'npm'].map((name) => join(root, name));
  for (const folder of [home, bin, prefix, clone]) mkdirSync(folder);
  // `node`, and with it npm and amop, is that of the test.
  symlinkSync(process.execPath, join(bin, 'node'));
  const foreign = /^(?:npm_.*|AMOP_(?!NATIVE).*|XDG_CONFIG_HOME)$/i;
  env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
    PATH: [bin, join(prefix, 'bin'), process.env.PATH].join(delimiter),
    npm_config_prefix: prefix,
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  const free = await freePorts(PAGE_PORTS.length);
  const ports = new Map(PAGE_PORTS.map((port, index) => [port, free[index]]));
  // The admin port where a command names none.
  env.AMOP_ADMIN = `http://127.0.0.1:${ports.get(9090)}`;
  reader = new Reader({ home, env, ports });
});
afterAll(() => {
  reader?.leave();
  rmSync(root, { recursive: true, force: true });
});

/** What a clone holds after `npm ci`, and the addon, which takes long to build. */
function makeClone(): void {
  for (const name of SOURCES) cpSync(join(PROJECT_DIR, name), join(clone, name), { recursive: true });
  cpSync(join(PROJECT_DIR, 'build', 'Release'), join(clone, 'build', 'Release'), { recursive: true });
  // Links one by one: whatever npm did in this folder, it could not reach the modules of the project.
  const modules = join(PROJECT_DIR, 'node_modules');
  mkdirSync(join(clone, 'node_modules'));
  for (const name of readdirSync(modules)) symlinkSync(join(modules, name), join(clone, 'node_modules', name));
}

/** The folder `conf` of the demos as far as the page touches it: certificates of a node, configurations, their keys. */
function makeDemos(conf: string): void {
  copyClosed(join(FISCO, 'sdk'), conf);
  const amop = join(conf, 'amop');
  mkdirSync(amop);
  for (const role of ['publisher', 'subscriber']) {
    const toml = '[cryptoMaterial]\ncertPath = "conf"\n\n[network]\npeers=["127.0.0.1:20200", "127.0.0.1:20201"]\n';
    writeFileSync(join(amop, `config-${role}-for-test.toml`), toml);
  }
  cpSync(join(PROJECT_DIR, 'test/fixtures/java-sdk/key-a.p12'), join(amop, 'consumer_private_key.p12'));
  const half = (from: number) => Buffer.from(DEMO_PUBLIC_KEY.slice(from, from + 64), 'hex').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'secp256k1', x: half(0), y: half(64) }, format: 'jwk' });
  writeFileSync(join(amop, 'consumer_public_key_1.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
}

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

const titleOf = ({ language, code, heading }: GuideBlock): string =>
  `${heading}: ${language === 'text' ? 'shows ' : ''}${code.split('\n', 1)[0]}`;

const steps = (blocks: readonly GuideBlock[]): [string, GuideBlock][] =>
  blocks.filter(({ language }) => ['sh', 'text', 'js'].includes(language)).map((block) => [titleOf(block), block]);

describe('docs/quickstart.md', () => {
  const blocks = guideBlocks(readPage('docs/quickstart.md'));
  const install = blocks.filter(({ heading }) => heading === '1. Install');
  const work = steps(blocks.filter((block) => !install.includes(block)));

  it(
    'installs a command that runs',
    async () => {
      makeClone();
      expect(install.map(({ language }) => language)).toEqual(['sh', 'text']);
      const [{ code }, shown] = install;
      expect(code).toMatch(/^npm ci\n/);
      const shells = new Shells({ cwd: clone, env, deadlineMs: STEP_MS });
      const said = await shells.run(`set -e\n${code.replace(/^npm ci\n/, '')}`).finally(() => shells.killAll());
      expect(lastLine(said)).toBe(lastLine(shown.code));
      // From here on the build under test runs.
      amopOnPath(join(root, 'bin'));
      rmSync(join(clone, 'dist'), { recursive: true });
      symlinkSync(DIST_DIR, join(clone, 'dist'));
    },
    STEP_MS,
  );

  it.each(work)('%s', (_title, block) => reader.work(block), STEP_MS);

  it('has found its blocks, and what runs ends well', async () => {
    expect(work.length).toBeGreaterThan(25);
    expect((await reader.stopAll()).filter((shown) => shown.includes('relay stopped'))).toHaveLength(2);
  });
});

describe('docs/migrating-from-the-java-demos.md', () => {
  const page = readPage('docs/migrating-from-the-java-demos.md');
  const blocks = guideBlocks(page);
  const work = steps(blocks);

  beforeAll(() => makeDemos(join(root, 'home', 'java-sdk-demo', 'dist', 'conf')));

  it.each(work)(
    '%s',
    async (_title, block) => {
      if (block.language === 'js') reader.save('two-banks', block);
      else await reader.work(block);
    },
    STEP_MS,
  );

  it('makes the payload that the demos make, and stores a file under a name of its own whatever it is called', async () => {
    const cwd = join(root, 'home', 'two-banks');
    const shells = new Shells({ cwd, env });
    try {
      writeFileSync(join(cwd, 'a.txt'), 'DATA');
      const payload = await shells.run('sh demo-payload.sh a.txt | od -An -v -tx1 | tr -d " \\n"');
      expect(payload).toBe('ffffff8000000005612e74787444415441');
      const before = readdirSync(join(cwd, 'received'));
      const everything = readdirSync(cwd);
      for (const [name, nameBytes] of [
        ['../evil', '\\007'],
        ['store.sh', '\\010'],
        // A name that claims to be longer than the payload.
        ['x', '\\377'],
      ]) {
        await shells.run(`printf '\\377\\377\\377\\200\\000\\000\\000${nameBytes}${name}EVIL' | sh store.sh`);
      }
      expect(existsSync(join(cwd, '..', 'evil'))).toBe(false);
      expect(readdirSync(cwd)).toEqual(everything);
      expect(readFileSync(join(cwd, 'store.sh'), 'utf8')).not.toContain('EVIL');
      const stored = readdirSync(join(cwd, 'received')).filter((name) => !before.includes(name));
      const contents = stored.map((name) => readFileSync(join(cwd, 'received', name), 'utf8'));
      expect(contents.sort()).toEqual(['', 'EVIL', 'EVIL']);
    } finally {
      shells.killAll();
    }
  });

  it('has an amop command for every demo', () => {
    const start = page.indexOf('## 2. Command by command');
    const table = page.slice(start, page.indexOf('\n### ', start));
    const rows = [...table.matchAll(/^\| (`.+) \| (.+) \|$/gm)];
    for (const demo of DEMOS) {
      const row = rows.find(([, left]) => left.split(/[`, ]+/).includes(demo));
      expect(row?.[2], demo).toMatch(/`amop [a-z]+|the same/);
    }
  });

  it('names only calls of the client that exist', () => {
    const typesOf = (name: string) => readFileSync(join(DIST_DIR, 'client', `${name}.d.ts`), 'utf8');
    const declared: Readonly<Record<string, string>> = {
      client: typesOf('client'),
      sender: typesOf('private-sender'),
      message: typesOf('message'),
      answer: typesOf('reply'),
      error: typesOf('amop-error'),
    };
    const start = page.indexOf('## 4. In code');
    const rows = [...page.slice(start).matchAll(/^\| .+ \| (.+) \|$/gm)];
    const calls = rows.flatMap(([, right]) => [...right.matchAll(/`(\w+)\.(\w+)(\(?)[^`]*`/g)]);
    expect(rows.length).toBeGreaterThan(15);
    expect(calls.length).toBeGreaterThan(20);
    for (const [call, object, member, isCall] of calls) {
      const declaration = new RegExp(
        `^ +(?:readonly |get )?${member}${isCall === '' ? '(?:: |\\(\\): )' : '(?:<.*>)?\\('}`,
        'm',
      );
      expect(declared[object], call).toMatch(declaration);
    }
  });

  it('has found its blocks, and what runs ends well', async () => {
    expect(work.length).toBeGreaterThan(45);
    await reader.stopAll();
  });
});
