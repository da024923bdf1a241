import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import {
  describeKey,
  exportPrivateKey,
  generateKey,
  KEY_KINDS,
  keyKindOf,
  loadPrivateKey,
  nodeIdOf,
} from '../../../src/pki/key.js';
import { encodePem } from '../../../src/pki/pem.js';

/** SEC1 without the public part, as OpenSSL completes it: private key 1 on secp256k1. */
const KEY_ONE_SEC1 = Buffer.from(`302e0201010420${'00'.repeat(31)}01a00706052b8104000a`, 'hex');

/** fisco 2.x node specification §3.1. */
const NODE_ID_ONE =
  '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798' +
  '483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8';

function refusal(run: () => unknown): RelayError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    return error as RelayError;
  }
  throw new Error('nothing was thrown');
}

describe('node ID', () => {
  it('is X and Y of the public point: the specification vector of private key 1', () => {
    const key = loadPrivateKey(encodePem('EC PRIVATE KEY', KEY_ONE_SEC1), 'one.key');
    expect(nodeIdOf(key)).toBe(NODE_ID_ONE);
    expect(nodeIdOf(createPublicKey(key))).toBe(NODE_ID_ONE);
  });

  it('is the same for a public key written as a compressed point', () => {
    const spki = Buffer.concat([
      Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex'),
      Buffer.from(`02${NODE_ID_ONE.slice(0, 64)}`, 'hex'),
    ]);
    expect(nodeIdOf(createPublicKey({ key: spki, format: 'der', type: 'spki' }))).toBe(NODE_ID_ONE);
  });

  it('does not exist for RSA', () => {
    expect(nodeIdOf(generateKey('rsa'))).toBeUndefined();
  });
});

describe('private keys', () => {
  it.each(KEY_KINDS)('of kind %s come back from their own PKCS#8 PEM', (kind) => {
    const key = generateKey(kind);
    expect(keyKindOf(key)).toBe(kind);
    const pem = exportPrivateKey(key);
    expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(loadPrivateKey(pem, 'a.key').equals(key)).toBe(true);
  });

  it('load from SEC1 behind EC PARAMETERS, and from PKCS#1', () => {
    const ec = generateKey('secp256k1');
    const sec1 = ec.export({ type: 'sec1', format: 'pem' }).toString();
    const parameters = encodePem('EC PARAMETERS', Buffer.from('06052b8104000a', 'hex'));
    expect(loadPrivateKey(parameters + sec1, 'a.key').equals(ec)).toBe(true);
    const rsa = generateKey('rsa');
    expect(loadPrivateKey(rsa.export({ type: 'pkcs1', format: 'pem' }).toString(), 'a.key').equals(rsa)).toBe(true);
  });

  it.each(['pkcs8', 'sec1'] as const)('encrypted as %s load with the password only', (type) => {
    const key = generateKey('secp256k1');
    const pem = key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' }).toString();
    expect(loadPrivateKey(pem, 'a.key', 'right').equals(key)).toBe(true);
    const missing = refusal(() => loadPrivateKey(pem, 'a.key'));
    expect(missing.code).toBe('key-invalid');
    expect(missing.message).toContain('a.key is an encrypted private key');
    expect(refusal(() => loadPrivateKey(pem, 'a.key', 'wrong')).message).toContain('the password is wrong');
  });

  it('that are something else are named for what they are', () => {
    const says = (text: string) => refusal(() => loadPrivateKey(text, 'a.key')).message;
    expect(says(encodePem('CERTIFICATE', Buffer.of(1)))).toContain('are key and cert swapped?');
    expect(says('0\u0082')).toContain('looks like DER');
    expect(says('')).toContain('is not PEM');
    expect(says(encodePem('EC PARAMETERS', Buffer.of(1)))).toContain('"EC PARAMETERS"');
    expect(says(encodePem('PRIVATE KEY', Buffer.of(1)))).toContain('cannot be parsed');
  });

  it('are described by curve or size', () => {
    expect(describeKey(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).privateKey)).toBe(
      'the curve brainpoolP256r1',
    );
    expect(describeKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)).toBe('RSA with 1024 bits');
    expect(describeKey(generateKeyPairSync('ed25519').privateKey)).toBe('ed25519');
    expect(keyKindOf(generateKeyPairSync('ed25519').privateKey)).toBeUndefined();
  });
});
