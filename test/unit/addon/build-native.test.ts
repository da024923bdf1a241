import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/build-native.mjs', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'amop-no-tools-'));
afterAll(() => rmSync(empty, { recursive: true, force: true }));

// --force: an up-to-date binary needs no tools. None of these calls gets as far as touching build/.
function build(env: Record<string, string>) {
  const { PATH = '' } = process.env;
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, '--force'], {
    encoding: 'utf8',
    env: { PATH, ...env },
  });
  return { status, stderr, stdout };
}

describe('scripts/build-native.mjs', () => {
  it.each([
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
});
