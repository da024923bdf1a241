/** Passwords of encrypted TLS keys, for whoever starts with one: from a file, from the environment, or typed. */
import { RelayError } from '../base/errors.js';
import type { RelayConfig } from '../config/index.js';
import { readPemFile } from '../pki/files.js';
import { isEncryptedPem } from '../pki/key.js';
import { askHidden, canAsk } from './keys-prompt.js';
import type { Verb } from './verb.js';

const ENV = 'AMOP_KEY_PASSWORD';

export function addKeyPasswordOption(command: Verb): Verb {
  return command.option(
    '--key-password-file <file>',
    `its first line decrypts the key; else ${ENV} does, else it is asked for on a terminal`,
  );
}

/**
 * The password for these key files, one for all of them; undefined where none is encrypted or nobody can be asked.
 * @throws RelayError `config-unreadable`
 */
export async function tlsKeyPassword(keys: readonly string[], passwordFile?: string): Promise<string | undefined> {
  const given = givenKeyPassword(passwordFile);
  if (given !== undefined || !canAsk()) return given;
  const encrypted = keys.find(isEncryptedFile);
  return encrypted === undefined ? undefined : askHidden(`Password of ${encrypted}: `);
}

/** The key files of a relay. */
export function tlsKeysOf({ rpc, network_security }: RelayConfig): string[] {
  return [...rpc.listener, ...(network_security === undefined ? [] : [network_security])].map(({ key }) => key);
}

/** Without asking. A variable that is set to nothing is none. */
export function givenKeyPassword(passwordFile?: string): string | undefined {
  if (passwordFile === undefined) return process.env[ENV] || undefined;
  const { text } = readPemFile(passwordFile, '--key-password-file');
  return Buffer.from(text, 'latin1').toString().split(/\r?\n/, 1)[0];
}

/** What cannot be read is explained by whoever loads it. */
function isEncryptedFile(path: string): boolean {
  try {
    return isEncryptedPem(readPemFile(path, 'key').text);
  } catch (error) {
    if (error instanceof RelayError) return false;
    throw error;
  }
}
