import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import {
  generateAmopKey,
  hexDigitsOf,
  javaMisreads,
  keyFingerprintOf,
  privateHexOf,
  privateKeyFromHex,
  publicHexOf,
  publicKeyFromHex,
  publicKeyOf,
  requireAmopKey,
} from '../../../src/pki/amop-key.js';
import { generateKey } from '../../../src/pki/key.js';

/** fisco 2.x SDK specification, §8: key A of the Java demo. */
const KEY_A = {
  d: 'c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c',
  pub:
    'd7b9e00f56d3f79305359fa2d7db166021e73086bdcd2e7a28d6ed27345e1f2d' +
    'decf85db7438e8457fd474ef9c4ceb89abb7d5fa60a22f2902ec26dca52ad5e5',
};
/** The same place: demo key 1 of the Go SDK. */
const GO_KEY = {
  d: 'b8ac1f6be271cd4ad5644615dea54823f7fa5d860fb8d3ae8b24141d9f1b9486',
  pub:
    '7cd0596006e3c0549482d010735303f25d6c308ef66643b63deef0a382a76205' +
    '56eb49641cb3d45f4901a068a5e68475f8ba3b03a1bc785e84fe6490d66df365',
};
/** 45: the smallest private key whose X begins with 04. */
const KEY_04 = {
  d: '2d'.padStart(64, '0'),
  pub:
    '049370a4b5f43412ea25f514e8ecdad05266115e4a7ecb1387231808f8b45963' +
    '758f3f41afd6ed428b3081b0512fd62a54c3f3afbb5b6764b653052a12949c9a',
};
const ORDER = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141';

function refusal(run: () => unknown): RelayError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    expect((error as RelayError).code).toBe('key-invalid');
    return error as RelayError;
  }
  throw new Error('nothing was thrown');
}

describe('a private key in hex', () => {
  it.each([
    ['A of the Java demo', KEY_A],
    ['1 of the Go demo', GO_KEY],
    ['whose X begins with 04', KEY_04],
  ])('%s has the public key of the specification', (_name, { d, pub }) => {
    const key = privateKeyFromHex(d, 'k');
    expect(publicHexOf(key)).toBe(pub);
    expect(privateHexOf(key)).toBe(d);
  });

  it.each(['00'.repeat(32), ORDER, 'ff'.repeat(32)])('%s is refused: not below the order, or zero', (digits) => {
    expect(refusal(() => privateKeyFromHex(digits, 'file k')).message).toContain('file k is no private key');
  });

  it('of another length is refused without showing a digit of it', () => {
    const { message } = refusal(() => privateKeyFromHex(KEY_A.d.slice(2), 'file k'));
    expect(message).toContain('62 hex digits');
    expect(message).not.toContain(KEY_A.d.slice(2, 10));
    expect(refusal(() => privateKeyFromHex(KEY_A.pub, 'file k')).message).toContain('holds a public key');
  });
});

describe('a public key in hex', () => {
  it.each([
    ['X and Y', KEY_A.pub, KEY_A.pub],
    ['04 before them', `04${KEY_A.pub}`, KEY_A.pub],
    ['X that itself begins with 04', KEY_04.pub, KEY_04.pub],
    ['04 before such an X', `04${KEY_04.pub}`, KEY_04.pub],
  ])('of %s is that point', (_name, digits, pub) => {
    expect(publicHexOf(publicKeyFromHex(digits, 'k'))).toBe(pub);
  });

  it.each([
    [KEY_A.d, 'as a private key has'],
    [`02${KEY_A.pub.slice(0, 64)}`, 'compressed'],
    [KEY_A.pub.slice(2), '126 hex digits'],
    [`05${KEY_A.pub}`, '130 hex digits'],
    [`${KEY_A.pub.slice(0, -1)}6`, 'no point of the curve'],
    ['00'.repeat(64), 'no point of the curve'],
  ])('%s is refused and the reason named', (digits, reason) => {
    expect(refusal(() => publicKeyFromHex(digits, 'public_keys[0]')).message).toMatch(
      new RegExp(`^public_keys.0. .*${reason}`),
    );
  });

  it('is told apart from other text', () => {
    expect(hexDigitsOf(` 0x${KEY_A.pub.toUpperCase()}\n`)).toBe(KEY_A.pub);
    expect(hexDigitsOf('keys/a.pem')).toBeUndefined();
    expect(hexDigitsOf('')).toBeUndefined();
  });
});

describe('a key of another kind', () => {
  it.each([
    ['P-256', () => generateKey('p256')],
    ['RSA', () => generateKey('rsa')],
    ['Ed25519', () => generateKeyPairSync('ed25519').privateKey],
  ])('%s is refused with the curve that is wanted', (_name, make) => {
    expect(refusal(() => requireAmopKey(make(), 'file k')).message).toMatch(/^file k holds .* secp256k1$/);
  });
});

describe('a generated key', () => {
  it('is never one whose public hex the Java SDK misreads, or whose private key begins with 00', () => {
    const given = [KEY_04.d, '1'.padStart(64, '0'), KEY_A.d].map((digits) => privateKeyFromHex(digits, 'k'));
    expect(publicHexOf(generateAmopKey(() => given.shift()!))).toBe(KEY_A.pub);
    expect(javaMisreads(KEY_04.pub)).toBe(true);
    expect(javaMisreads(KEY_A.pub)).toBe(false);
  });

  it('has one fingerprint for its private and its public half', () => {
    const key = generateAmopKey();
    expect(keyFingerprintOf(key)).toBe(keyFingerprintOf(publicKeyOf(key)));
    expect(keyFingerprintOf(key)).toMatch(/^[0-9a-f]{64}$/);
    expect(keyFingerprintOf(key)).not.toBe(keyFingerprintOf(generateAmopKey()));
  });

  it('keeps leading zeros of its scalar', () => {
    expect(privateHexOf(privateKeyFromHex('1'.padStart(64, '0'), 'k'))).toBe('1'.padStart(64, '0'));
  });
});
