/** What the README tells people to type works: its client example and its commands, on a relay as they would have it. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { codeBlocks, readPage } from '../helpers/documents.js';
import { useMesh } from '../helpers/p2p/relays.js';
import { DIST_DIR, KINDS } from '../helpers/pki.js';
import { type Shell, Shells } from '../helpers/shell.js';

/** The relays of bank-a and bank-b, joined as in the demonstration. */
const mesh = useMesh();
const DEADLINE_MS = 10_000;
/** Port in the README: relay and certificate kind. */
const DEMO_PORTS = [
  { port: '20200', relay: 0, kind: 'secp256k1' },
  { port: '20210', relay: 1, kind: 'secp256k1' },
  { port: '20211', relay: 1, kind: 'rsa' },
] as const;

/** Stands for the folder of the clone: certificates where the demonstration puts them, the package under its name. */
let clone: string;
let shells: Shells;
const readme = readPage('README.md');

beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'amop-relay-readme-'));
  shells = new Shells({ cwd: clone, deadlineMs: DEADLINE_MS });
  await mkdir(join(clone, 'node_modules'));
  await symlink(dirname(DIST_DIR), join(clone, 'node_modules', 'amop-relay'));
  await symlink(DIST_DIR, join(clone, 'dist'));
  for (const kind of KINDS) {
    const { sdkA, sdkB } = mesh().relay(0).pki;
    for (const [bank, { key, cert, ca }] of [['bank-a', sdkA[kind]] as const, ['bank-b', sdkB[kind]] as const]) {
      const folder = join(clone, 'demo', 'certs', kind, bank);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'sdk.key'), key, { mode: 0o600 });
      await writeFile(join(folder, 'sdk.crt'), cert);
      await writeFile(join(folder, 'ca.crt'), ca);
    }
  }
});

afterAll(async () => {
  shells?.killAll();
  await rm(clone, { recursive: true, force: true });
});

/** The relays of the test listen on other ports than those of the demonstration. */
function onTestPorts(code: string): string {
  return DEMO_PORTS.reduce((result, { port, relay, kind }) => {
    expect(readme).toContain(port);
    return result.replaceAll(port, String(mesh().relay(relay).ports[kind]));
  }, code);
}

/** Code blocks of one language that hold `part`. */
const blocks = (language: string, part: string): string[] =>
  codeBlocks(readme, language).filter((block) => block.includes(part));

/** The line of the README that runs this verb. */
function command(verb: string): string {
  const lines = blocks('sh', `main.js ${verb} `).flatMap((block) => block.split('\n'));
  const found = lines.filter((line) => line.includes(`main.js ${verb} `));
  expect(found).toHaveLength(1);
  return onTestPorts(found[0]);
}

/** A line of the README under the Node of the test; `exec`, so that its exit code is that of the command after Ctrl-C, too. */
const start = (line: string): Shell => shells.start(`exec ${line.replace(/^node /, `'${process.execPath}' `)}`);

it('runs the client example of the README and prints what the README says', async () => {
  const [example, ...others] = blocks('js', 'amop-relay/client');
  expect(others).toEqual([]);
  await writeFile(join(clone, 'hello.mjs'), onTestPorts(example));
  const run = start('node hello.mjs');
  expect({ code: await run.end(), stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
  expect(run.stdout).toBe('accepted: buy 100\n');
  expect(readme).toContain('It prints `accepted: buy 100`.');
});

it('runs the commands of the README: one subscriber answers a request and gets a multicast', async () => {
  const subscriber = start(command('sub'));
  await until(
    () => subscriber.stderr.includes('subscribed'),
    () => `the subscription; it wrote:\n${subscriber.stdout}${subscriber.stderr}`,
  );
  // The subscription crosses to the other relay.
  await mesh().settled(1);
  const request = start(command('request'));
  expect(await request.end()).toBe(0);
  expect(request.stdout).toBe('accepted\n');
  const multicast = start(command('multicast'));
  expect(await multicast.end()).toBe(0);
  await until(
    () => subscriber.stdout.includes('news\tmarkets are open\n'),
    () => `the multicast; the subscriber wrote:\n${subscriber.stdout}${subscriber.stderr}`,
  );
  expect(subscriber.stdout).toBe('orders\tbuy 100\nnews\tmarkets are open\n');
  subscriber.interrupt();
  expect(await subscriber.end()).toBe(0);
});
