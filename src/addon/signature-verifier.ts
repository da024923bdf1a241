import { SIGNATURE_BATCH_ROWS_MAX, SIGNATURE_BATCH_ROWS_MIN } from '../base/limits.js';
import { type Recovery, type Verification, writeRecoverRow, writeVerifyRow } from './secp256k1-rows.js';
import {
  type BatchFailure,
  PUBLIC_KEY_BYTES,
  RECOVER_RESULT_BYTES,
  RECOVER_ROW_BYTES,
  type Secp256k1,
  VERIFY_RESULT_BYTES,
  VERIFY_ROW_BYTES,
} from './secp256k1-types.js';

export interface SignatureVerifierOptions {
  /** After this a check resolves as timed out. */
  readonly timeoutMs: number;
}

/**
 * Checks single signatures in micro-batches: what is asked for within one turn of the event loop goes together, because the way
 * to a pool thread and back costs as much as a check. Nothing waits longer than its turn, so a lone check is not delayed.
 */
export class SignatureVerifier {
  readonly #verifications: MicroBatch<'valid' | 'invalid'>;
  readonly #recoveries: MicroBatch<Uint8Array | 'invalid'>;

  constructor(secp256k1: Secp256k1, { timeoutMs }: SignatureVerifierOptions) {
    this.#verifications = new MicroBatch<'valid' | 'invalid'>(
      VERIFY_ROW_BYTES,
      secp256k1.inFlightMax,
      (rows) => secp256k1.verifyBatch(rows, timeoutMs),
      (results, i) => (results[i * VERIFY_RESULT_BYTES] === 1 ? 'valid' : 'invalid'),
    );
    this.#recoveries = new MicroBatch<Uint8Array | 'invalid'>(
      RECOVER_ROW_BYTES,
      secp256k1.inFlightMax,
      (rows) => secp256k1.recoverBatch(rows, timeoutMs),
      (results, i) => {
        const at = i * RECOVER_RESULT_BYTES;
        return results[at] === 1 ? results.slice(at + 1, at + 1 + PUBLIC_KEY_BYTES) : 'invalid';
      },
    );
  }

  /** Whether the signature is one of this key for this digest. Rejects with a TypeError for wrong arguments only. */
  async verify(check: Verification): Promise<'valid' | 'invalid' | BatchFailure> {
    return this.#verifications.add((rows, i) => writeVerifyRow(rows, i, check));
  }

  /**
   * The public key whose owner made the signature: one recovery replaces a verification for each of several keys.
   * Rejects with a TypeError for wrong arguments only.
   */
  async recover(check: Recovery): Promise<Uint8Array | 'invalid' | BatchFailure> {
    return this.#recoveries.add((rows, i) => writeRecoverRow(rows, i, check));
  }
}

interface Waiting<T> {
  readonly resolve: (outcome: T | BatchFailure) => void;
  readonly reject: (error: unknown) => void;
}

/** The rows of one turn. They are written at once, so callers may reuse their buffers. */
class MicroBatch<T> {
  readonly #rows: Uint8Array;
  #waiting: Waiting<T>[] = [];

  readonly #rowBytes: number;
  readonly #partsMax: number;
  readonly #run: (rows: Uint8Array) => Promise<Uint8Array | BatchFailure>;
  readonly #read: (results: Uint8Array, index: number) => T;

  constructor(
    rowBytes: number,
    partsMax: number,
    run: (rows: Uint8Array) => Promise<Uint8Array | BatchFailure>,
    read: (results: Uint8Array, index: number) => T,
  ) {
    this.#rows = new Uint8Array(SIGNATURE_BATCH_ROWS_MAX * rowBytes);
    this.#rowBytes = rowBytes;
    this.#partsMax = partsMax;
    this.#run = run;
    this.#read = read;
  }

  add(write: (rows: Uint8Array, index: number) => void): Promise<T | BatchFailure> {
    write(this.#rows, this.#waiting.length);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === SIGNATURE_BATCH_ROWS_MAX) this.#flush(1);
      else if (this.#waiting.length === 1) setImmediate(() => this.#flush(this.#partsMax));
    });
  }

  /** In parts for several threads, none of them smaller than the least that pays. */
  #flush(partsMax: number): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const parts = Math.max(1, Math.min(partsMax, Math.floor(waiting.length / SIGNATURE_BATCH_ROWS_MIN)));
    const size = Math.ceil(waiting.length / parts);
    for (let from = 0; from < waiting.length; from += size) {
      const rows = this.#rows.subarray(from * this.#rowBytes, Math.min(from + size, waiting.length) * this.#rowBytes);
      this.#settle(waiting.slice(from, from + size), this.#run(rows));
    }
  }

  #settle(waiting: readonly Waiting<T>[], running: Promise<Uint8Array | BatchFailure>): void {
    running.then(
      (outcome) => {
        for (const [i, { resolve }] of waiting.entries()) {
          resolve(typeof outcome === 'string' ? outcome : this.#read(outcome, i));
        }
      },
      (error) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}
