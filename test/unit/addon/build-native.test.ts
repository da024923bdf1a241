import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
// @ts-expect-error a script without types
import { renderNativeTools } from '../../../scripts/native-tools-lock.mjs';

const project = fileURLToPath(new URL('../../..', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'amop-no-tools-'));
const copy = mkdtempSync(join(tmpdir(), 'amop build alone-'));
afterAll(() => {
  for (const folder of [empty, copy]) rmSync(folder, { recursive: true, force: true });
});

function run(root: string, args: string[], env: Record<string, string>) {
  const { PATH = '' } = process.env;
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), ...args], {
    encoding: 'utf8',
    env: { PATH, ...env },
  });
  return { status, stderr, stdout };
}

/** --force: an up-to-date binary needs no tools. None of these calls gets as far as touching build/. */
const build = (env: Record<string, string>) => run(project, ['--force'], env);

describe('scripts/native-tools', () => {
  it('is what package-lock.json says (else run scripts/native-tools-lock.mjs)', () => {
    for (const [name, text] of Object.entries(renderNativeTools() as Record<string, string>)) {
      expect(readFileSync(join(project, 'scripts', 'native-tools', name), 'utf8')).toBe(text);
      expect(text).not.toContain('"resolved"');
    }
    const { packages } = JSON.parse(renderNativeTools()['package-lock.json']);
    const pinned = Object.entries<{ integrity?: string }>(packages).filter(([path]) => path !== '');
    expect(pinned.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
    for (const name of ['node-gyp', 'secp256k1-wasm']) expect(packages).toHaveProperty([`node_modules/${name}`]);
  });
});

describe('scripts/build-native.mjs', () => {
  it.each([
    ['CC', 'gcc'],
    ['CXX', 'g++'],
    ['MAKE', 'make'],
    ['PYTHON', 'python3'],
  ])('exits 3 with one line that names the package when %s does not run', (variable, debianPackage) => {
    const { status, stderr, stdout } = build({ [variable]: '/nonexistent/tool' });
    expect(stdout).toBe('');
    expect(stderr).toMatch(new RegExp(`^native addon: .*apt-get install ${debianPackage.replaceAll('+', '\\+')}\n$`));
    expect(status).toBe(3);
  });

  it('names everything that is missing at once', () => {
    const { status, stderr } = build({ PATH: empty });
    expect(stderr).toMatch(/^native addon: [^\n]*apt-get install g\+\+ make python3\n$/);
    expect(status).toBe(3);
  });

  it('builds without headers, npm settings or a home, once, and shows why a build failed', () => {
    for (const name of ['native', 'binding.gyp', 'scripts/build-native.mjs']) {
      cpSync(join(project, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
    // The second setting would win over the script's own arguments if it reached node-gyp.
    const env = { HOME: join(copy, 'nowhere'), npm_config_nodedir: '', npm_config_python: '/nonexistent' };
    expect(run(copy, ['--package-headers'], env)).toEqual({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^native addon: built in .* s \(headers: node-api-headers\)\n$/),
    });
    const addon = createRequire(import.meta.url)(join(copy, 'build', 'Release', 'amop_native.node'));
    expect(addon.contract).toBe(2);
    const digest = new Uint8Array(32);
    expect(addon.keccak256(new Uint8Array(), digest)).toBe(0);
    expect(Buffer.from(digest).toString('hex')).toMatch(/^c5d24601/);
    expect(run(copy, [], env)).toEqual({ status: 0, stderr: '', stdout: 'native addon: up to date\n' });

    appendFileSync(join(copy, 'native', 'addon.cc'), '\n#error "not today"\n');
    const failed = run(copy, ['--package-headers'], env);
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toContain('not today');
    // Neither a stamp nor a binary of older sources is left to be taken for the new one.
    expect(existsSync(join(copy, 'build', 'Release', 'amop_native.node'))).toBe(false);
    expect(existsSync(join(copy, 'build', 'Release', 'amop_native.stamp'))).toBe(false);
  }, 60_000);
});
