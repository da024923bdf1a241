import { SIGNATURE_BATCH_ROWS_MAX } from '../base/limits.js';
import {
  DIGEST_BYTES,
  PRIVATE_KEY_BYTES,
  PUBLIC_KEY_BYTES,
  RECOVER_ROW_BYTES,
  type RecoveryRule,
  RULE_BYTES,
  SIGNATURE_BYTES,
  type SignatureRule,
  VERIFY_ROW_BYTES,
} from './secp256k1-types.js';

/** Offsets in a row; the drawing is in secp256k1-types.ts. */
export const ROW_RULE = 0;
export const ROW_SIGNATURE_BYTES = 1;
export const ROW_SIGNATURE = 2;
export const ROW_DIGEST = ROW_SIGNATURE + SIGNATURE_BYTES;
export const ROW_PUBLIC_KEY = ROW_DIGEST + DIGEST_BYTES;

const LENGTH_MAX = 255;

export interface Recovery {
  /** As it came; of any length, a wrong one is refused like any other bad signature. */
  readonly signature: Uint8Array;
  readonly digest: Uint8Array;
  readonly rule?: RecoveryRule;
}

export interface Verification {
  readonly signature: Uint8Array;
  readonly digest: Uint8Array;
  /** X || Y. */
  readonly publicKey: Uint8Array;
  readonly rule?: SignatureRule;
}

/** @throws TypeError when digest, key or rule are no such thing: those are the caller's own, only signatures come from peers */
export function writeVerifyRow(rows: Uint8Array, index: number, check: Verification): void {
  checkBytes(
    check.publicKey,
    PUBLIC_KEY_BYTES,
    'a public key is a Uint8Array of 64 bytes, X and Y without 04 in front',
  );
  const row = rows.subarray(index * VERIFY_ROW_BYTES, (index + 1) * VERIFY_ROW_BYTES);
  writeRow(row, check.signature, check.digest, RULE_BYTES[check.rule ?? 'strict']);
  row.set(check.publicKey, ROW_PUBLIC_KEY);
}

/** @throws TypeError as above */
export function writeRecoverRow(rows: Uint8Array, index: number, check: Recovery): void {
  const rule = RULE_BYTES[check.rule ?? 'strict'];
  if (rule !== RULE_BYTES.strict && rule !== RULE_BYTES.java) {
    throw new TypeError('a key is recovered by the rule strict or java');
  }
  const row = rows.subarray(index * RECOVER_ROW_BYTES, (index + 1) * RECOVER_ROW_BYTES);
  writeRow(row, check.signature, check.digest, rule);
}

function writeRow(row: Uint8Array, signature: Uint8Array, digest: Uint8Array, rule: unknown): void {
  if (!(signature instanceof Uint8Array)) throw new TypeError('a signature is a Uint8Array');
  checkDigest(digest);
  if (typeof rule !== 'number') throw new TypeError(`a rule is one of ${Object.keys(RULE_BYTES).join(', ')}`);
  row[ROW_RULE] = rule;
  row[ROW_SIGNATURE_BYTES] = Math.min(signature.length, LENGTH_MAX);
  row.set(signature.subarray(0, SIGNATURE_BYTES), ROW_SIGNATURE);
  row.set(digest, ROW_DIGEST);
}

export function checkRows(rows: Uint8Array, rowBytes: number): void {
  const count = rows instanceof Uint8Array ? rows.length / rowBytes : 0;
  if (!Number.isInteger(count) || count < 1 || count > SIGNATURE_BATCH_ROWS_MAX) {
    throw new TypeError(`a batch is a Uint8Array of 1 to ${SIGNATURE_BATCH_ROWS_MAX} rows of ${rowBytes} bytes`);
  }
}

export function checkDigest(digest: Uint8Array): void {
  checkBytes(digest, DIGEST_BYTES, 'a digest is a Uint8Array of 32 bytes');
}

export function checkPrivateKey(privateKey: Uint8Array): void {
  checkBytes(privateKey, PRIVATE_KEY_BYTES, 'a private key is a Uint8Array of 32 bytes');
}

function checkBytes(bytes: Uint8Array, length: number, what: string): void {
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) throw new TypeError(what);
}
