/**
 * Token bucket in bytes with debt: one charge may exceed what is there, and delays the next instead of being refused.
 *
 * Invariant: between two calls the balance grows by time * rate, up to the depth; a charge takes its bytes from it.
 * The balance is a fraction on purpose: rounded to whole bytes at each call, small messages at a high rate would lose percents.
 */
import { assert } from '../base/errors.js';

/** Budget that an idle bucket collects (decisions §8). */
export const DEPTH_MS = 250;

/** 1 Mbit/s is 1024 * 1024 / 8 bytes/s, as in the reference implementation. */
const BYTES_PER_MBIT = 131_072;

/** The unit of the configuration, Mbit/s, in bytes/s. */
export function mbitToBytesPerSecond(mbitPerSecond: number): number {
  return mbitPerSecond * BYTES_PER_MBIT;
}

export class TokenBucket {
  readonly depthBytes: number;
  readonly #bytesPerMs: number;
  /** Begins as a number: V8 writes a field that once was undefined by making a new heap number each time. */
  #balanceBytes = 0;
  /** Time never goes back for a bucket: a call with an earlier time sees the latest one. */
  #latestMs = Number.NEGATIVE_INFINITY;

  /** A full bucket; the rate is above 0. */
  constructor(bytesPerSecond: number) {
    assert(bytesPerSecond > 0 && Number.isFinite(bytesPerSecond), `bandwidth of ${bytesPerSecond} bytes/s`);
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.depthBytes = this.#bytesPerMs * DEPTH_MS;
    this.#balanceBytes = this.depthBytes;
  }

  /** Bytes that may be spent; 0 or less while the bucket is in debt. */
  balance(nowMs: number): number {
    this.#fill(nowMs);
    return this.#balanceBytes;
  }

  /** True unless in debt: what is asked for may be larger than what is there. */
  allows(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#balanceBytes > 0;
  }

  isFull(nowMs: number): boolean {
    return this.balance(nowMs) === this.depthBytes;
  }

  /** Takes `bytes`, whatever the balance. */
  charge(bytes: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#balanceBytes -= bytes;
  }

  #fill(nowMs: number): void {
    if (nowMs > this.#latestMs) {
      const filledBytes = this.#balanceBytes + (nowMs - this.#latestMs) * this.#bytesPerMs;
      this.#balanceBytes = Math.min(this.depthBytes, filledBytes);
      this.#latestMs = nowMs;
    }
  }
}
