/**
 * Keys of private topics: secp256k1 and nothing else. The receiver holds the private key, the sender lists public keys.
 * They are not keys of certificates, and must not be keys of chain accounts: whoever challenges a receiver chooses what
 * it signs.
 *
 * Hex forms, as SDKs hand them about: a private key is 64 digits; a public key is X and Y, 128 digits, or 130 with `04` in
 * front. The number of digits alone decides. The Java SDK looks at the first two instead, so it misreads a public key
 * whose X begins with 04 (one in 256); such keys are read here, never made, and `javaMisreads` tells them.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { RelayError } from '../base/errors.js';
import { describeKey, exportSpki, generateKey, keyKindOf, nodeIdOf } from './key.js';

const CURVE = 'secp256k1';
const SCALAR_BYTES = 32;
const POINT_BYTES = 64;

/** What a key file says of itself, in clear text before the PEM block or as description in a PKCS#12 file. */
export const AMOP_KEY_MARK = 'AMOP private-topic key';

/** @throws RelayError `key-invalid` when the key is on another curve */
export function requireAmopKey(key: KeyObject, name: string): void {
  if (keyKindOf(key) === 'secp256k1') return;
  throw new RelayError(
    'key-invalid',
    `${name} holds a key of another kind (${describeKey(key)}); keys of private topics are on the curve secp256k1` +
      // Node.js has no name for a key on SM2 that it reads.
      (key.asymmetricKeyType === undefined ? ', also where the chain uses SM2' : ''),
  );
}

/**
 * A fresh key whose forms everybody reads as they are meant: the public one in hex (see above), and the private one, which
 * FISCO's scripts take apart by its lines and lose where it begins with 00.
 */
export function generateAmopKey(generate: () => KeyObject = () => generateKey('secp256k1')): KeyObject {
  for (;;) {
    const key = generate();
    if (!javaMisreads(publicHexOf(key)) && !privateHexOf(key).startsWith('00')) return key;
  }
}

/** X and Y of a public or private key, 128 lower-case hex digits. */
export function publicHexOf(key: KeyObject): string {
  return nodeIdOf(key) ?? '';
}

/** The private scalar, 64 lower-case hex digits. A secret. */
export function privateHexOf(key: KeyObject): string {
  const { d } = key.export({ format: 'jwk' });
  return Buffer.from(d ?? '', 'base64url')
    .toString('hex')
    .padStart(2 * SCALAR_BYTES, '0');
}

export function publicKeyOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key;
}

/** SHA-256 of the public key's SubjectPublicKeyInfo, 64 lower-case hex digits. */
export function keyFingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(exportSpki(publicKeyOf(key)))
    .digest('hex');
}

export function javaMisreads(publicHex: string): boolean {
  return publicHex.startsWith('04');
}

/** Text that is meant as a hex key: digits, with `0x` and blanks around it allowed; undefined for any other. */
export function hexDigitsOf(text: string): string | undefined {
  return /^\s*(?:0x)?([0-9a-f]{2,})\s*$/i.exec(text)?.[1].toLowerCase();
}

/**
 * @param digits of hexDigitsOf
 * @throws RelayError `key-invalid`; the digits stand in no error text
 */
export function privateKeyFromHex(digits: string, name: string): KeyObject {
  if (digits.length !== 2 * SCALAR_BYTES) {
    const seen = digits.length === 2 * POINT_BYTES ? 'a public key' : `${digits.length} hex digits`;
    throw new RelayError('key-invalid', `${name} holds ${seen}; a private key has ${2 * SCALAR_BYTES} hex digits`);
  }
  const ecdh = createECDH(CURVE);
  try {
    ecdh.setPrivateKey(digits, 'hex');
  } catch (error) {
    throw new RelayError('key-invalid', `${name} is no private key: zero, or not below the order of secp256k1`, error);
  }
  const d = Buffer.from(digits, 'hex').toString('base64url');
  return createPrivateKey({ key: { ...pointJwk(ecdh.getPublicKey().subarray(1)), d }, format: 'jwk' });
}

/**
 * @param digits of hexDigitsOf
 * @throws RelayError `key-invalid`
 */
export function publicKeyFromHex(digits: string, name: string): KeyObject {
  const fail = (what: string, cause?: unknown) => new RelayError('key-invalid', `${name} ${what}`, cause);
  const bytes = Buffer.from(digits, 'hex');
  if (digits.length === 2 * SCALAR_BYTES) {
    throw fail('has 64 hex digits, as a private key has; give the public key, and keep the private one to its owner');
  }
  if (digits.length === 2 * SCALAR_BYTES + 2) throw fail('is a compressed public key; give X and Y, 128 hex digits');
  const point =
    bytes.length === POINT_BYTES
      ? bytes
      : bytes.length === POINT_BYTES + 1 && bytes[0] === 4
        ? bytes.subarray(1)
        : undefined;
  if (point === undefined) {
    throw fail(`has ${digits.length} hex digits; a public key has 128 (X and Y), or 130 with 04 in front`);
  }
  try {
    return createPublicKey({ key: pointJwk(point), format: 'jwk' });
  } catch (error) {
    throw fail('is no point of the curve secp256k1; is a digit wrong, or is it a key of another curve?', error);
  }
}

function pointJwk(point: Uint8Array): { kty: string; crv: string; x: string; y: string } {
  const half = (from: number) => Buffer.from(point.subarray(from, from + SCALAR_BYTES)).toString('base64url');
  return { kty: 'EC', crv: CURVE, x: half(0), y: half(SCALAR_BYTES) };
}
