import { setImmediate as nextTurn } from 'node:timers/promises';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { SIGNATURE_BATCHES_QUEUED_MAX } from '../base/limits.js';
import { BatchQueue } from './batch-queue.js';
import {
  checkDigest,
  checkPrivateKey,
  checkRows,
  ROW_DIGEST,
  ROW_PUBLIC_KEY,
  ROW_RULE,
  ROW_SIGNATURE,
  ROW_SIGNATURE_BYTES,
} from './secp256k1-rows.js';
import {
  type BatchFailure,
  DIGEST_BYTES,
  RECOVER_RESULT_BYTES,
  RECOVER_ROW_BYTES,
  RULE_BYTES,
  type Secp256k1,
  SIGNATURE_BYTES,
  VERIFY_RESULT_BYTES,
  VERIFY_ROW_BYTES,
} from './secp256k1-types.js';

const COMPACT_BYTES = 64;
/** First byte of an uncompressed point, which @noble wants. */
const UNCOMPRESSED = 0x04;

/**
 * The same over @noble, about thirty times slower. It runs on the event loop, one row for each turn (about 1 ms), so that a
 * batch delays other work by one row at most. JavaScript numbers have no constant-time arithmetic and cannot be wiped: whoever
 * signs with keys that others may time wants the addon.
 */
export class TwinSecp256k1 implements Secp256k1 {
  readonly implementation = 'typescript';
  readonly inFlightMax = 1;
  readonly #queue = new BatchQueue({ inFlightMax: 1, queuedMax: SIGNATURE_BATCHES_QUEUED_MAX });

  async verifyBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    checkRows(rows, VERIFY_ROW_BYTES);
    const execute = rowByRow(VERIFY_ROW_BYTES, VERIFY_RESULT_BYTES, (row, result) => {
      result[0] = verifyRow(row) ? 1 : 0;
    });
    return this.#queue.run(execute, rows, timeoutMs);
  }

  async recoverBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    checkRows(rows, RECOVER_ROW_BYTES);
    const execute = rowByRow(RECOVER_ROW_BYTES, RECOVER_RESULT_BYTES, (row, result) => {
      const publicKey = recoverRow(row);
      if (publicKey === undefined) return;
      result[0] = 1;
      result.set(publicKey, 1);
    });
    return this.#queue.run(execute, rows, timeoutMs);
  }

  sign(digest: Uint8Array, privateKey: Uint8Array): Uint8Array {
    checkDigest(digest);
    checkPrivateKey(privateKey);
    if (!secp256k1.utils.isValidSecretKey(privateKey)) {
      throw new TypeError('a private key is above 0 and below the order');
    }
    // @noble puts v in front.
    const made = secp256k1.sign(digest, privateKey, { prehash: false, lowS: true, format: 'recovered' });
    const signature = new Uint8Array(SIGNATURE_BYTES);
    signature.set(made.subarray(1));
    signature[COMPACT_BYTES] = made[0]!;
    return signature;
  }

  publicFromPrivate(privateKey: Uint8Array): Uint8Array | undefined {
    checkPrivateKey(privateKey);
    if (!secp256k1.utils.isValidSecretKey(privateKey)) return undefined;
    return secp256k1.getPublicKey(privateKey, false).slice(1);
  }

  keccak256(bytes: Uint8Array): Uint8Array {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('what is hashed is a Uint8Array');
    return keccak_256(bytes);
  }
}

function rowByRow(rowBytes: number, resultBytes: number, look: (row: Uint8Array, result: Uint8Array) => void) {
  return async (rows: Uint8Array, isLate: () => boolean): Promise<Uint8Array> => {
    const count = rows.length / rowBytes;
    const results = new Uint8Array(count * resultBytes);
    for (let i = 0; i < count; i++) {
      await nextTurn();
      if (isLate()) break;
      look(rows.subarray(i * rowBytes, (i + 1) * rowBytes), results.subarray(i * resultBytes, (i + 1) * resultBytes));
    }
    return results;
  };
}

function verifyRow(row: Uint8Array): boolean {
  const rule = row[ROW_RULE];
  const publicKey = row.subarray(ROW_PUBLIC_KEY);
  if (rule === RULE_BYTES.strict || rule === RULE_BYTES.java) {
    const recovered = recoverRow(row);
    return recovered !== undefined && Buffer.compare(recovered, publicKey) === 0;
  }
  if (rule !== RULE_BYTES.go && rule !== RULE_BYTES.compact) return false;
  if (row[ROW_SIGNATURE_BYTES] !== (rule === RULE_BYTES.go ? SIGNATURE_BYTES : COMPACT_BYTES)) return false;
  const point = Uint8Array.of(UNCOMPRESSED, ...publicKey);
  return secp256k1.verify(compactOf(row), digestOf(row), point, { prehash: false, lowS: true, format: 'compact' });
}

/** The public key, or undefined where the signature has none: @noble says so with errors of many kinds. */
function recoverRow(row: Uint8Array): Uint8Array | undefined {
  const rule = row[ROW_RULE];
  if (rule !== RULE_BYTES.strict && rule !== RULE_BYTES.java) return undefined;
  if (row[ROW_SIGNATURE_BYTES] !== SIGNATURE_BYTES) return undefined;
  const v = row[ROW_SIGNATURE + COMPACT_BYTES]!;
  try {
    const signature = secp256k1.Signature.fromBytes(compactOf(row), 'compact').addRecoveryBit(v);
    if (rule === RULE_BYTES.strict && signature.hasHighS()) return undefined;
    return signature.recoverPublicKey(digestOf(row)).toBytes(false).subarray(1);
  } catch {
    return undefined;
  }
}

function compactOf(row: Uint8Array): Uint8Array {
  return row.subarray(ROW_SIGNATURE, ROW_SIGNATURE + COMPACT_BYTES);
}

function digestOf(row: Uint8Array): Uint8Array {
  return row.subarray(ROW_DIGEST, ROW_DIGEST + DIGEST_BYTES);
}
