/**
 * Passwords of key files: from a file, from the environment or typed, never from the command line, where every process of
 * the machine and the shell's history would see them.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorText, RelayError } from '../base/errors.js';
import { askHidden, canAsk } from './keys-prompt.js';
import { note } from './output.js';
import type { Verb } from './verb.js';

export interface PasswordOptions {
  readonly passwordFile?: string;
  readonly newPasswordFile?: string;
}

export const PASSWORD_ENV = 'AMOP_PASSWORD';
export const NEW_PASSWORD_ENV = 'AMOP_NEW_PASSWORD';

/** A password is a line; a longer file is another one. */
const FILE_BYTES_MAX = 4_096;

export function addPasswordOption(command: Verb): Verb {
  return command.option(
    '--password-file <file>',
    `file whose first line is the password of an encrypted key (else ${PASSWORD_ENV}, else it is asked for)`,
  );
}

export function addNewPasswordOption(command: Verb): Verb {
  return command.option(
    '--new-password-file <file>',
    `file whose first line is the password of a key that is written encrypted (else ${NEW_PASSWORD_ENV}, else it is asked for)`,
  );
}

/** Password of the key file `name`. @throws RelayError `usage` or `config-unreadable` */
export async function passwordOf(name: string, options: PasswordOptions): Promise<string> {
  return givenPassword(options.passwordFile, PASSWORD_ENV) ?? ask(name, '--password-file', PASSWORD_ENV, 'Password of');
}

/** A password to encrypt the new file `name` with. @throws RelayError `usage` or `config-unreadable` */
export async function newPasswordFor(name: string, options: PasswordOptions): Promise<string> {
  const given = givenPassword(options.newPasswordFile, NEW_PASSWORD_ENV);
  if (given !== undefined) return requirePortable(given);
  const typed = await ask(name, '--new-password-file', NEW_PASSWORD_ENV, 'New password for');
  if ((await askHidden(`The same again: `)) !== typed) throw new RelayError('usage', 'the two passwords differ');
  return requirePortable(typed);
}

/** What stands in the file or in the environment, or undefined. */
export function givenPassword(file: string | undefined, env: string): string | undefined {
  if (file !== undefined) return readPasswordFile(file);
  const value = process.env[env];
  return value === undefined || value === '' ? undefined : value;
}

function ask(name: string, option: string, env: string, question: string): Promise<string> {
  if (!canAsk()) {
    throw new RelayError(
      'usage',
      `${name} needs a password; give ${option} or ${env}, or run the command on a terminal, where it asks`,
    );
  }
  return askHidden(`${question} ${name}: `);
}

function readPasswordFile(path: string): string {
  let bytes: Buffer;
  try {
    const fd = openSync(path, 'r');
    try {
      const { mode, size } = fstatSync(fd);
      if (size > FILE_BYTES_MAX) throw new RelayError('usage', `it has ${size} bytes, more than ${FILE_BYTES_MAX}`);
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        note(`amop: warning: password file ${path} can be read by others; chmod 600 it`);
      }
      bytes = Buffer.alloc(FILE_BYTES_MAX);
      bytes = bytes.subarray(0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new RelayError('config-unreadable', `password file ${path} cannot be read: ${errorText(error)}`, error);
  }
  const [line] = bytes.toString('utf8').split(/\r?\n/, 1);
  if (line === '') throw new RelayError('usage', `password file ${path} begins with an empty line`);
  return line;
}

/** The JDK, BouncyCastle and OpenSSL turn other characters into different bytes, so such a file opens in only some of them. */
function requirePortable(password: string): string {
  if (/^[\x20-\x7e]+$/.test(password)) return password;
  throw new RelayError(
    'usage',
    password === ''
      ? 'an empty password protects nothing'
      : 'use printable ASCII in the password: Java and OpenSSL disagree about other characters',
  );
}
