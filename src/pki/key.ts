/**
 * Private and public keys on node:crypto alone: WebCrypto has no secp256k1.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { errorText, RelayError } from '../base/errors.js';
import { isPrivateKeyBlock, type PemBlock, splitPem } from './pem.js';

export const KEY_KINDS = ['secp256k1', 'rsa', 'p256'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** The size the reference's tools use for RSA channel certificates, and the smallest a listener accepts. */
export const RSA_BITS_MIN = 2048;

/** OpenSSL's names of curves that 2.x tools write, by the name people know. */
const P256_NAMES = new Set(['prime256v1', 'P-256']);

/** A fresh private key; its public half is `createPublicKey(key)`. RSA takes 25-500 ms, the curves less than 1 ms. */
export function generateKey(kind: KeyKind): KeyObject {
  switch (kind) {
    case 'secp256k1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: RSA_BITS_MIN }).privateKey;
  }
}

/**
 * Reads a PEM private key: PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), encrypted or not.
 * Only the first key block counts, so a file that starts with `EC PARAMETERS` or holds certificates too is accepted.
 * `name` stands in the error text, usually the file's path.
 *
 * @throws RelayError `key-invalid`
 */
export function loadPrivateKey(pem: string, name: string, passphrase?: string): KeyObject {
  const blocks = splitPem(pem);
  const block = blocks.find(isPrivateKeyBlock);
  if (block === undefined) throw new RelayError('key-invalid', `${name} ${describeNoKey(pem, blocks[0]?.label)}`);
  const encrypted = isEncryptedBlock(block);
  if (encrypted && passphrase === undefined) {
    throw new RelayError(
      'key-invalid',
      `${name} is an encrypted private key and no password was given; give it (--key-password-file, AMOP_KEY_PASSWORD, or typed on a terminal), or store it decrypted with mode 0600`,
    );
  }
  try {
    return createPrivateKey(encrypted ? { key: block.pem, passphrase } : block.pem);
  } catch (error) {
    const what = encrypted ? 'cannot be decrypted: the password is wrong or the file is damaged' : 'cannot be parsed';
    throw new RelayError('key-invalid', `${name} ${what} (${errorText(error)})`, error);
  }
}

/** Whether the key that `loadPrivateKey` would take from this text needs a password. */
export function isEncryptedPem(pem: string): boolean {
  const block = splitPem(pem).find(isPrivateKeyBlock);
  return block !== undefined && isEncryptedBlock(block);
}

function isEncryptedBlock(block: PemBlock): boolean {
  return block.label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(block.pem);
}

function describeNoKey(text: string, label: string | undefined): string {
  if (label?.endsWith('CERTIFICATE')) return 'holds a certificate, not a private key; are key and cert swapped?';
  if (label !== undefined) return `holds a PEM block "${label}", not a private key`;
  if (text.charCodeAt(0) === 0x30) return 'is not PEM; it looks like DER, convert it to PEM (PKCS#8)';
  return 'is not PEM: no "-----BEGIN PRIVATE KEY-----" in it';
}

/** The key as unencrypted PKCS#8 PEM, the form that every 2.x SDK loads. */
export function exportPrivateKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The kind of a public or private key, or undefined for one that no listener serves. */
export function keyKindOf(key: KeyObject): KeyKind | undefined {
  if (key.asymmetricKeyType === 'rsa') return 'rsa';
  if (key.asymmetricKeyType !== 'ec') return undefined;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'secp256k1') return 'secp256k1';
  return curve !== undefined && P256_NAMES.has(curve) ? 'p256' : undefined;
}

/** A key in words for error texts: "RSA with 1024 bits", "the curve brainpoolP256r1", "ed25519". */
export function describeKey(key: KeyObject): string {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa') return `RSA with ${details?.modulusLength ?? '?'} bits`;
  // OpenSSL reports no name for explicit parameters, which TLS cannot carry either.
  if (key.asymmetricKeyType === 'ec') return `the curve ${details?.namedCurve ?? 'with explicit parameters'}`;
  return key.asymmetricKeyType ?? 'an unknown kind';
}

/**
 * Node ID of a key on a 256-bit curve: X and Y as 128 lower-case hex digits (fisco 2.x node specification §3.1);
 * undefined for every other key. Takes the public or the private key. A compressed point gives the same ID.
 */
export function nodeIdOf(key: KeyObject): string | undefined {
  const kind = keyKindOf(key);
  if (kind !== 'secp256k1' && kind !== 'p256') return undefined;
  const { x, y } = key.export({ format: 'jwk' });
  if (x === undefined || y === undefined) return undefined;
  return Buffer.from(x, 'base64url').toString('hex') + Buffer.from(y, 'base64url').toString('hex');
}

/** DER SubjectPublicKeyInfo of a public key. */
export function exportSpki(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}
