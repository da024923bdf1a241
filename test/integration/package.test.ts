/**
 * The package as its users get it: packed, installed in an empty folder, used by the first example of the client guide against
 * a relay that runs from the package too. Needs the npm registry, or a cache that `npm ci` has filled.
 */
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withDeadline } from '../helpers/deadline.js';
import { codeBlocks, readPage } from '../helpers/documents.js';
import { PROJECT_DIR, writeCerts } from '../helpers/pki.js';
import { useRelay } from '../helpers/relay-process.js';

const run = promisify(execFile);
const relay = useRelay();
const INSTALL_DEADLINE_MS = 120_000;

/** As docs/operations.md says it to who installs the package: install, build the addon, run a relay. */
const [, OF_THE_PACKAGE] = codeBlocks(readPage('docs/operations.md'), 'sh');
const [INSTALL, BUILD, RELAY] = OF_THE_PACKAGE.trim()
  .split('\n')
  .map((line) => line.split(' '));

let folder: string;
let packed: { filename: string; size: number; files: { path: string; size: number }[] };

/** npm with this Node, so that no other one has a say. */
function npm(args: readonly string[], cwd: string): Promise<{ stdout: string }> {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  const npmCli = process.env.npm_execpath;
  const options = { cwd, timeout: INSTALL_DEADLINE_MS, maxBuffer: 16 * 1024 * 1024 };
  if (npmCli !== undefined && /\.c?js$/.test(npmCli))
    return run(process.execPath, [npmCli, ...args, ...quiet], options);
  return run('npm', [...args, ...quiet], options);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amop-package-'));
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], PROJECT_DIR);
  [packed] = JSON.parse(stdout);
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  await npm(['install', `./${packed.filename}`], folder);
  await writeCerts(join(folder, 'conf'), relay().credentials('secp256k1'));
}, INSTALL_DEADLINE_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('holds what runs, its types, the addon to build and the usual papers, and nothing else', () => {
    const kinds: readonly RegExp[] = [
      /^dist\/[\w/-]+(?:\.d)?\.[jt]s$/,
      /^native\/[\w/-]+\.(?:cc?|h|gypi)$/,
      /^(?:binding\.gyp|scripts\/(?:build-native|native-tools)\.mjs|scripts\/native-tools\/package(?:-lock)?\.json)$/,
      /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE)$/,
    ];
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => !kinds.some((kind) => kind.test(path)))).toEqual([]);
    expect(paths.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))).toEqual([]);
    for (const needed of [
      'dist/client/index.js',
      'dist/client/index.d.ts',
      'dist/cli/main.js',
      'dist/shard/main.js',
      'LICENSE',
    ]) {
      expect(paths).toContain(needed);
    }
    expect(packed.size).toBeLessThan(1024 * 1024);
  });

  it('brings a command that runs', async () => {
    const { version } = JSON.parse(await readFile(join(PROJECT_DIR, 'package.json'), 'utf8'));
    const { stdout } = await run(join(folder, 'node_modules', '.bin', 'amop'), ['--version'], { cwd: folder });
    expect(stdout).toBe(`${version}\n`);
  });

  it(
    'builds its addon with one command, which it names, and runs on TypeScript until then',
    async () => {
      const at = join(folder, 'node_modules', 'amop-relay');
      const loader = pathToFileURL(join(at, 'dist', 'addon', 'loader.js')).href;
      const attempt = async () => {
        const program = `const { tryNative } = await import('${loader}'); console.log(tryNative().reason ?? 'native');`;
        return (await run(process.execPath, ['--input-type=module', '-e', program])).stdout.trim();
      };
      const command = /"node (\S+build-native\.mjs) --fetch-tools"/.exec(await attempt());
      expect(command?.[1]).toBe(join(await realpath(at), 'scripts', 'build-native.mjs'));
      expect([INSTALL.join(' '), BUILD[0], BUILD.at(-1)]).toEqual(['npm install amop-relay', 'node', '--fetch-tools']);
      const build = (...options: readonly string[]) =>
        run(process.execPath, [...BUILD.slice(1, -1), ...options], { cwd: folder, timeout: INSTALL_DEADLINE_MS });
      const before = await readdir(join(folder, 'node_modules'));
      await expect(build()).rejects.toThrow(/node-addon-api is not installed; add --fetch-tools/);
      expect((await build('--fetch-tools')).stdout).toMatch(/^native addon: built in /);
      expect(await attempt()).toBe('native');
      // What it was built with has gone again.
      expect(await readdir(join(folder, 'node_modules'))).toEqual(before);
    },
    INSTALL_DEADLINE_MS,
  );

  it('runs a ten-line example that subscribes and requests, against a relay of the package', async () => {
    await copyFile(join(relay().dir, 'relay.toml'), join(folder, 'relay.toml'));
    const [npx, name, ...args] = RELAY;
    expect([npx, name]).toEqual(['npx', 'amop']);
    const child = spawn(process.execPath, [join(folder, 'node_modules', '.bin', name), ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const port = await withDeadline(readyPort(child.stdout), 20_000, 'the relay of the package to be ready');
      const guide = await readFile(join(PROJECT_DIR, 'docs', 'client.md'), 'utf8');
      const example = /^```js\n(.*?)^```/ms.exec(guide)?.[1] ?? '';
      expect(example.trim().split('\n').length).toBeLessThanOrEqual(11);
      await writeFile(join(folder, 'example.mjs'), example.replaceAll('20200', String(port)));
      const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: folder, timeout: 20_000 });
      expect({ stdout, stderr }).toEqual({ stdout: 'accepted: buy 100\n', stderr: '' });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('exports the client and its own package.json, and no inner module', async () => {
    const code = (name: string) =>
      run(process.execPath, ['--input-type=module', '-e', `await import('${name}')`], { cwd: folder });
    await expect(code('amop-relay')).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
    await expect(code('amop-relay/dist/client/link.js')).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
    await code('amop-relay/client');
  });

  it.each([
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'bundler'],
  ])('has types that a strict consumer can use (module %s, resolution %s)', async (module, moduleResolution) => {
    // As for everything on Node.js, the types of Node are the consumer's.
    await mkdir(join(folder, 'node_modules', '@types'), { recursive: true });
    await symlink(
      join(PROJECT_DIR, 'node_modules', '@types', 'node'),
      join(folder, 'node_modules', '@types', 'node'),
    ).catch(() => {});
    await symlink(
      join(PROJECT_DIR, 'node_modules', 'undici-types'),
      join(folder, 'node_modules', 'undici-types'),
    ).catch(() => {});
    await writeFile(join(folder, 'consumer.ts'), CONSUMER);
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      module,
      moduleResolution,
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    const compiler = join(PROJECT_DIR, 'node_modules', 'typescript', 'bin', 'tsc');
    const outcome = await run(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: folder }).catch(
      (error) => error,
    );
    expect(outcome.stdout).toBe('');
  });
});

/** What a consumer writes; a line with an error must be one. */
const CONSUMER = `
import { AmopCode, AmopError, type AmopClient, connect, type Message, type RelayStatus } from 'amop-relay/client';

interface Order { readonly buy: number }

const client: AmopClient = await connect({ relays: ['127.0.0.1:20200'], key: '', cert: '', ca: Buffer.from('') });
await client.subscribe('orders', async (message: Message) => ({ bought: message.json<Order>().buy }), { concurrency: 4 });
await client.subscribe('news', (message) => { message.text(); });
for await (const message of client.subscribe('ticks', { signal: new AbortController().signal })) message.reply('seen');
const order: Order = { buy: 100 };
const total: number = (await client.request('orders', order, { timeoutMs: 1_000 })).json<{ bought: number }>().bought;
client.on('disconnect', ({ relay, error }) => console.log(relay, error.code === AmopCode.notSent, total));
client.on('drop', ({ multicast }) => console.log(multicast));
const state: RelayStatus['state'] = client.relays[0].state;
try {
  const { seq } = await client.multicast('news', new Uint8Array(3));
  console.log(seq, state);
} catch (error) {
  if (error instanceof AmopError) console.log(error.id, error.reason);
}
// @ts-expect-error a number is no payload
await client.publish('orders', 5);
// @ts-expect-error there is no such event
client.on('disconnected', () => {});
// @ts-expect-error a certificate is needed
await connect({ relays: [] });
await client.close();
`;

function readyPort(stdout: NodeJS.ReadableStream): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    stdout.on('data', (part) => {
      text += part;
      const line = text.split('\n').find((one) => one.includes('"relay ready"') && one.endsWith('}'));
      if (line === undefined) return;
      const { listeners } = JSON.parse(line) as { listeners: { kind: string; port: number }[] };
      resolve(listeners.find(({ kind }) => kind === 'secp256k1')?.port ?? 0);
    });
  });
}
