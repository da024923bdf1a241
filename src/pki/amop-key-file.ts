/**
 * Reads keys of private topics from what people have: PEM and PKCS#12 of this program, of FISCO's account script, of the
 * Java SDK and of OpenSSL, and hex. The content decides, not the name of the file.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { errorText, RelayError } from '../base/errors.js';
import {
  AMOP_KEY_MARK,
  hexDigitsOf,
  privateHexOf,
  privateKeyFromHex,
  publicHexOf,
  publicKeyFromHex,
  requireAmopKey,
} from './amop-key.js';
import { type PemFile, readPemFile } from './files.js';
import { isEncryptedPem, loadPrivateKey } from './key.js';
import { isPrivateKeyBlock, splitPem } from './pem.js';
import { JAVA_ALIAS, readPkcs12 } from './pkcs12.js';

const DER_SEQUENCE = 0x30;
/** Hex of the longest key with everything around it; a longer text is something else. */
const HEX_CHARS_MAX = 256;

export type AmopKeyFormat = 'pem' | 'p12' | 'hex';

/** A key file that was read but not opened. */
export interface AmopKeyFile {
  readonly path: string;
  /** `private_key file k.pem`, for error texts. */
  readonly name: string;
  readonly format: AmopKeyFormat;
  readonly holds: 'private' | 'public';
  /** A password is needed to open it. */
  readonly encrypted: boolean;
  readonly file: PemFile;
}

export interface AmopPrivateKey {
  readonly key: KeyObject;
  /** X and Y, 128 lower-case hex digits. */
  readonly publicHex: string;
  /** Made for private topics, by its own words. Any other may be the key of a chain account. */
  readonly marked: boolean;
  readonly warnings: readonly string[];
}

export interface AmopPublicKey {
  readonly key: KeyObject;
  readonly publicHex: string;
}

/**
 * Loads the private key of a private topic.
 *
 * @param setting the configuration key or option that names the file, for error texts
 * @throws RelayError `config-unreadable` or `key-invalid`; a file that others may read is refused
 */
export function loadAmopPrivateKey(path: string, setting: string, password?: string): AmopPrivateKey {
  return openAmopPrivateKey(readAmopKeyFile(path, setting), password);
}

/**
 * Loads a public key: hex digits, or the name of a file.
 *
 * @throws RelayError `config-unreadable` or `key-invalid`
 */
export function loadAmopPublicKey(reference: string, setting: string): AmopPublicKey {
  const digits = hexDigitsOf(reference);
  // A file may well have a name of hex digits; a public key has 128 of them.
  if (digits !== undefined && digits.length > 64)
    return publicFrom(publicKeyFromHex(digits, `${setting} ${short(reference)}`));
  return openAmopPublicKey(readAmopKeyFile(reference, setting));
}

/** @throws RelayError `config-unreadable`, or `key-invalid` for a file that holds no key */
export function readAmopKeyFile(path: string, setting: string): AmopKeyFile {
  return amopKeyFileFrom(readPemFile(path, setting), `${setting} file ${path}`);
}

/** The same for bytes that are at hand. @throws RelayError `key-invalid` */
export function amopKeyFileFrom(file: PemFile, name: string): AmopKeyFile {
  const { path } = file;
  const fail = (what: string) => new RelayError('key-invalid', `${name} ${what}`);
  const found = (format: AmopKeyFormat, holds: 'private' | 'public', encrypted: boolean): AmopKeyFile => {
    return { path, name, format, holds, encrypted, file };
  };
  const blocks = splitPem(file.text);
  if (blocks.some(isPrivateKeyBlock)) return found('pem', 'private', isEncryptedPem(file.text));
  if (blocks.some(({ label }) => label === 'PUBLIC KEY')) return found('pem', 'public', false);
  if (blocks.length > 0) throw fail(`holds a PEM block "${blocks[0].label}", not a key of a private topic`);
  const digits = file.text.length <= HEX_CHARS_MAX ? hexDigitsOf(file.text) : undefined;
  if (digits !== undefined) return found('hex', digits.length <= 64 ? 'private' : 'public', false);
  // Behind the hex: a text that begins with the digit 0 begins with the same byte.
  if (file.text.charCodeAt(0) === DER_SEQUENCE) return found('p12', 'private', true);
  throw fail('is neither PEM nor PKCS#12 nor hex digits');
}

/** @throws RelayError `key-invalid` */
export function openAmopPrivateKey(source: AmopKeyFile, password?: string): AmopPrivateKey {
  const { file, name } = source;
  const fail = (what: string) => new RelayError('key-invalid', `${name} ${what}`);
  if (source.holds === 'public') throw fail('holds a public key; the private key is needed here');
  if ((file.mode & 0o077) !== 0) {
    throw fail(
      `can be read by others (mode 0${file.mode.toString(8)}); chmod 600 it, and make a new key if others had access`,
    );
  }
  if (source.encrypted && password === undefined) throw fail('is encrypted, and no password was given');
  const { key, marked, warnings } = decode(source, password ?? '');
  requireAmopKey(key, name);
  // From the scalar: the public half that a file carries beside it could be another one.
  const own = privateKeyFromHex(privateHexOf(key), name);
  if (publicHexOf(own) !== publicHexOf(key)) throw fail('is damaged: its public half is not that of its private half');
  return { key: own, publicHex: publicHexOf(own), marked, warnings };
}

function decode(source: AmopKeyFile, password: string): { key: KeyObject; marked: boolean; warnings: string[] } {
  const { file, name } = source;
  switch (source.format) {
    case 'pem':
      return {
        key: loadPrivateKey(file.text, name, password),
        marked: file.text.includes(AMOP_KEY_MARK),
        warnings: [],
      };
    case 'hex':
      return { key: privateKeyFromHex(hexDigitsOf(file.text) ?? '', name), marked: false, warnings: [] };
    case 'p12': {
      const { key, alias, description } = readPkcs12(Buffer.from(file.text, 'latin1'), password, name);
      const called = alias === undefined ? 'has no alias' : `has the alias "${alias.slice(0, 64)}"`;
      const warnings =
        alias === JAVA_ALIAS
          ? []
          : [`${name} ${called}; the Java SDK finds a key under the alias "${JAVA_ALIAS}" only`];
      return { key, marked: description === AMOP_KEY_MARK, warnings };
    }
  }
}

/** @throws RelayError `key-invalid`; also for a private key, which does not belong to a sender */
export function openAmopPublicKey(source: AmopKeyFile): AmopPublicKey {
  const { file, name } = source;
  if (source.holds === 'private') {
    throw new RelayError(
      'key-invalid',
      `${name} holds a private key, which only the receiver may have; give the public key, a .public.pem file or hex`,
    );
  }
  if (source.format === 'hex') return publicFrom(publicKeyFromHex(hexDigitsOf(file.text) ?? '', name));
  let key: KeyObject;
  try {
    key = createPublicKey(splitPem(file.text).find(({ label }) => label === 'PUBLIC KEY')?.pem ?? '');
  } catch (error) {
    throw new RelayError('key-invalid', `${name} cannot be parsed (${errorText(error)})`, error);
  }
  requireAmopKey(key, name);
  return publicFrom(key);
}

function publicFrom(key: KeyObject): AmopPublicKey {
  return { key, publicHex: publicHexOf(key) };
}

function short(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 16)}…` : text);
}
