import type { BatchFailure } from './secp256k1-types.js';

/** setTimeout fires at once for a longer one. */
const TIMEOUT_MS_MAX = 0x7fff_ffff;

/**
 * Works one batch off. `isLate` tells whether anybody still waits for it.
 * Resolves with undefined where there is no room or memory for the batch now.
 */
export type ExecuteBatch = (rows: Uint8Array, isLate: () => boolean) => Promise<Uint8Array | undefined>;

export interface BatchBounds {
  /** Batches under way, late ones included: they hold a thread until they are done. */
  readonly inFlightMax: number;
  /** Batches that wait for their turn. */
  readonly queuedMax: number;
}

interface Batch {
  readonly execute: ExecuteBatch;
  readonly rows: Uint8Array;
  readonly resolve: (outcome: Uint8Array | BatchFailure) => void;
  readonly reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
  isLate: boolean;
}

/**
 * Bounds on batches that run beside the event loop. Every batch is settled once: with its results, as `timed-out` when they are
 * not there in time (waiting or running), or as `overloaded` at once when too many are waiting.
 */
export class BatchQueue {
  readonly #bounds: BatchBounds;
  readonly #queued: Batch[] = [];
  #inFlight = 0;

  constructor(bounds: BatchBounds) {
    this.#bounds = bounds;
  }

  /** Copies `rows`: whatever the caller does with them afterwards, this is what is looked at. */
  run(execute: ExecuteBatch, rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    if (!Number.isFinite(timeoutMs) || timeoutMs <= 0 || timeoutMs > TIMEOUT_MS_MAX) {
      throw new TypeError('a time-out is a number of milliseconds above 0 and below 2^31');
    }
    if (this.#inFlight >= this.#bounds.inFlightMax && this.#queued.length >= this.#bounds.queuedMax) {
      return Promise.resolve('overloaded');
    }
    return new Promise((resolve, reject) => {
      // Not slice(): of a Buffer that is a view.
      const batch: Batch = { execute, rows: new Uint8Array(rows), resolve, reject, timer: undefined, isLate: false };
      // Not a reason to keep the process alive; work under way is one.
      batch.timer = setTimeout(() => this.#expire(batch), timeoutMs).unref();
      this.#queued.push(batch);
      this.#advance();
    });
  }

  #advance(): void {
    while (this.#inFlight < this.#bounds.inFlightMax) {
      const batch = this.#queued.shift();
      if (batch === undefined) return;
      this.#inFlight++;
      batch
        .execute(batch.rows, () => batch.isLate)
        .then((results) => batch.resolve(results ?? 'overloaded'), batch.reject)
        .finally(() => {
          clearTimeout(batch.timer);
          this.#inFlight--;
          this.#advance();
        });
    }
  }

  /** What a late batch resolves with afterwards changes nothing: a promise is settled once. */
  #expire(batch: Batch): void {
    batch.isLate = true;
    const at = this.#queued.indexOf(batch);
    if (at >= 0) this.#queued.splice(at, 1);
    batch.resolve('timed-out');
  }
}
