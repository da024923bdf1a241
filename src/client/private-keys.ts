/**
 * Keys of private topics as callers give them: a KeyObject, PEM, or hex. Key files of other forms (PKCS#12) and encrypted ones
 * are for `amop keys convert`, or node:crypto's `createPrivateKey`, whose result is taken here.
 */
import { createPublicKey, KeyObject } from 'node:crypto';
import { errorText, RelayError } from '../base/errors.js';
import {
  hexDigitsOf,
  privateHexOf,
  privateKeyFromHex,
  publicHexOf,
  publicKeyFromHex,
  requireAmopKey,
} from '../pki/amop-key.js';
import { isEncryptedPem, loadPrivateKey } from '../pki/key.js';
import { isPrivateKeyBlock, splitPem } from '../pki/pem.js';
import { PUBLIC_KEYS_MAX } from './bounds.js';

/** The key of a receiver: of node:crypto, unencrypted PEM (PKCS#8 or SEC1), or 64 hex digits. */
export type PrivateTopicKey = KeyObject | string | Buffer;

/** The key of a receiver as its senders know it: of node:crypto, PEM, or X and Y as 128 hex digits (130 with 04 in front). */
export type PublicTopicKey = KeyObject | string | Buffer;

/**
 * The 32 bytes to sign with.
 * @throws TypeError for something else, RelayError `key-invalid` for a key that cannot work
 */
export function privateKeyBytes(key: unknown): Buffer {
  const object = privateKeyObject(key, 'privateKey');
  if (object.type !== 'private') throw new RelayError('key-invalid', 'privateKey is no private key');
  requireAmopKey(object, 'privateKey');
  return Buffer.from(privateHexOf(object), 'hex');
}

/**
 * X and Y of each key, once each.
 * @throws TypeError, RangeError for their number, RelayError `key-invalid`
 */
export function publicKeyBytes(keys: unknown): Buffer[] {
  if (!Array.isArray(keys)) throw new TypeError('publicKeys must be an array');
  if (keys.length < 1 || keys.length > PUBLIC_KEYS_MAX) {
    throw new RangeError(`publicKeys must have 1 to ${PUBLIC_KEYS_MAX} keys, got ${keys.length}`);
  }
  const hex = keys.map((key, index) => publicHexOf(publicKeyObject(key, `publicKeys[${index}]`)));
  return [...new Set(hex)].map((one) => Buffer.from(one, 'hex'));
}

function privateKeyObject(key: unknown, name: string): KeyObject {
  if (key instanceof KeyObject) return key;
  const text = textOf(key, name);
  const digits = hexDigitsOf(text);
  if (digits !== undefined) return privateKeyFromHex(digits, name);
  if (isEncryptedPem(text)) {
    throw new RelayError(
      'key-invalid',
      `${name} is an encrypted private key; give what createPrivateKey({ key, passphrase }) of node:crypto makes of it`,
    );
  }
  return loadPrivateKey(text, name);
}

function publicKeyObject(key: unknown, name: string): KeyObject {
  const object = key instanceof KeyObject ? key : publicKeyFromText(textOf(key, name), name);
  if (object.type === 'private') throw new RelayError('key-invalid', `${name} ${ONLY_PUBLIC}`);
  requireAmopKey(object, name);
  return object;
}

const ONLY_PUBLIC = 'is a private key, which only the receiver may have; give its public key';

function publicKeyFromText(text: string, name: string): KeyObject {
  const digits = hexDigitsOf(text);
  if (digits !== undefined) return publicKeyFromHex(digits, name);
  const blocks = splitPem(text);
  if (blocks.some(isPrivateKeyBlock)) throw new RelayError('key-invalid', `${name} ${ONLY_PUBLIC}`);
  const block = blocks.find(({ label }) => label === 'PUBLIC KEY');
  if (block === undefined) {
    throw new RelayError('key-invalid', `${name} is neither hex nor PEM with a block "PUBLIC KEY"`);
  }
  try {
    return createPublicKey(block.pem);
  } catch (error) {
    throw new RelayError('key-invalid', `${name} cannot be parsed (${errorText(error)})`, error);
  }
}

function textOf(key: unknown, name: string): string {
  if (typeof key === 'string') return key;
  if (Buffer.isBuffer(key)) return key.toString('latin1');
  throw new TypeError(`${name} must be a KeyObject, PEM or hex`);
}
