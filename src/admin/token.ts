/**
 * The token of the admin port: who can read its file may change the relay. Made at the first start, with a mode that lets only the
 * relay's user read it.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { errorText, RelayError } from '../base/errors.js';

const TOKEN_BYTES = 32;
/** A token of somebody's own may be shorter than ours, but not guessable. */
const TOKEN_CHARS_MIN = 16;
const FILE_BYTES_MAX = 4_096;

/**
 * Reads the token, or makes it.
 * @throws RelayError `config-unreadable` for a file that cannot be used, with words about what to do
 */
export function loadToken(path: string): string {
  const fail = (what: string, cause?: unknown) =>
    new RelayError('config-unreadable', `admin.token_file ${path} ${what}`, cause);
  try {
    writeFileSync(path, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fail(`cannot be made: ${errorText(error)}`, error);
  }
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw fail('can be read by others; chmod 600 it');
    if (size > FILE_BYTES_MAX) throw fail(`is larger than ${FILE_BYTES_MAX} bytes: is it the right file?`);
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw error instanceof RelayError ? error : fail(`cannot be read: ${errorText(error)}`, error);
  }
  if (text.length < TOKEN_CHARS_MIN || /\s/.test(text)) {
    throw fail(`holds no token: one word of at least ${TOKEN_CHARS_MIN} characters; delete it to have one made`);
  }
  return text;
}

/** Is this the header `Authorization: Bearer <token>`? Takes the same time whatever is wrong. */
export function isAuthorized(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header?.startsWith('Bearer ') ? header.slice('Bearer '.length) : '');
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
