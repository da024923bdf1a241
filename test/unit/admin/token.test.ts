import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAuthorized, loadToken } from '../../../src/admin/token.js';

const dir = mkdtempSync(join(tmpdir(), 'amop-token-'));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('the token of the admin port', () => {
  it('is made once, for the user of the relay alone, and stays', () => {
    const path = join(dir, 'fresh');
    const token = loadToken(path);
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe(`${token}\n`);
    expect(loadToken(path)).toBe(token);
    expect(loadToken(join(dir, 'other'))).not.toBe(token);
  });

  it('may be a word of the operator', () => {
    expect(loadToken(file('own', '  correct-horse-battery\n'))).toBe('correct-horse-battery');
  });

  it.each([
    ['readable by others', 'correct-horse-battery', 0o644, /can be read by others; chmod 600 it/],
    ['empty', '', 0o600, /holds no token: one word of at least 16 characters; delete it to have one made/],
    ['short', 'secret', 0o600, /holds no token/],
    ['two words', 'correct-horse battery-staple', 0o600, /holds no token/],
    ['a wrong file', 'x'.repeat(5_000), 0o600, /is larger than 4096 bytes/],
  ])('is refused when its file is %s', (what, text, mode, message) => {
    const path = file(what.replaceAll(' ', '-'), text, mode);
    expect(() => loadToken(path)).toThrow(expect.objectContaining({ code: 'config-unreadable' }));
    expect(() => loadToken(path)).toThrow(message);
  });

  it('is refused where no file can be', () => {
    expect(() => loadToken(join(dir, 'no', 'folder'))).toThrow(/admin\.token_file .* cannot be made: .*ENOENT/);
    expect(() => loadToken(dir)).toThrow(/cannot be read/);
  });

  it('is recognised only whole', () => {
    expect(isAuthorized('Bearer abc', 'abc')).toBe(true);
    for (const header of [undefined, '', 'Bearer ', 'Bearer ab', 'Bearer abcd', 'bearer abc', 'Basic abc']) {
      expect(isAuthorized(header, 'abc'), `${header}`).toBe(false);
    }
  });
});
