/**
 * Multicast messages that were already delivered.
 *
 * An SDK with several connections sends one multicast over each of them with the same sequence and body; a later copy
 * delivers nothing. A message goes to the sessions that subscribe when its first copy arrives. Copies are the same when
 * sequence, result and body (which holds the topic) have the same SHA-256, for `ttlMs`.
 */
import { hash } from 'node:crypto';
import { SEQ_OFFSET } from '../wire/channel/frame.js';

export class SeenCache {
  readonly #until = new Map<string, number>();
  readonly #entriesMax: number;
  readonly #ttlMs: number;

  constructor(entriesMax: number, ttlMs: number) {
    this.#entriesMax = entriesMax;
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#until.size;
  }

  /** Remembers the multicast `frame`; returns true when it is the first copy. */
  first(frame: Buffer, nowMs: number): boolean {
    const key = hash('sha256', frame.subarray(SEQ_OFFSET), 'base64');
    const until = this.#until.get(key);
    if (until !== undefined && until > nowMs) return false;
    if (until !== undefined) this.#until.delete(key);
    else if (this.#until.size >= this.#entriesMax) this.#forgetOldest();
    this.#until.set(key, nowMs + this.#ttlMs);
    return true;
  }

  /** Forgets what is older than the time to live. Insertion order is time order. */
  expire(nowMs: number): void {
    for (const [key, until] of this.#until) {
      if (until > nowMs) return;
      this.#until.delete(key);
    }
  }

  #forgetOldest(): void {
    for (const key of this.#until.keys()) {
      this.#until.delete(key);
      return;
    }
  }
}
