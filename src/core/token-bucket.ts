/**
 * Token bucket in bytes with debt: one charge may exceed what is there, and delays the next instead of being refused.
 *
 * Invariant: balance(t) = min(depth, depth + (t - anchor) * rate - spent). `spent` is a sum of whole bytes and the anchor moves
 * only when the bucket is full, so nothing is rounded per charge and a bucket under load for a year is as exact as a new one.
 * Adding a refill per call would lose a fraction of a byte each time, which small messages at a high rate turn into percents.
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
  #anchorMs = 0;
  #spentBytes = 0;
  /** Time never goes back for a bucket: a call with an earlier time sees the latest one. */
  #latestMs = Number.NEGATIVE_INFINITY;

  /** A full bucket; the rate is above 0. */
  constructor(bytesPerSecond: number) {
    assert(bytesPerSecond > 0 && Number.isFinite(bytesPerSecond), `bandwidth of ${bytesPerSecond} bytes/s`);
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.depthBytes = this.#bytesPerMs * DEPTH_MS;
  }

  /** Bytes that may be spent; 0 or less while the bucket is in debt. */
  balance(nowMs: number): number {
    if (nowMs > this.#latestMs) this.#latestMs = nowMs;
    const owedBytes = this.#spentBytes - (this.#latestMs - this.#anchorMs) * this.#bytesPerMs;
    if (owedBytes > 0) return this.depthBytes - owedBytes;
    this.#anchorMs = this.#latestMs;
    this.#spentBytes = 0;
    return this.depthBytes;
  }

  /** True unless in debt: what is asked for may be larger than what is there. */
  allows(nowMs: number): boolean {
    return this.balance(nowMs) > 0;
  }

  isFull(nowMs: number): boolean {
    return this.balance(nowMs) === this.depthBytes;
  }

  /** Takes `bytes`, whatever the balance. @returns the new balance */
  charge(bytes: number, nowMs: number): number {
    const balance = this.balance(nowMs);
    this.#spentBytes += bytes;
    return balance - bytes;
  }
}
