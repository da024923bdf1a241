/**
 * Multicasts that were delivered or sent lately. An application that is connected to several relays is several sessions
 * and gets a copy over each; copies are the same message when seq, topic and payload are equal.
 */
import { createHash } from 'node:crypto';

export class SeenMessages {
  readonly #max: number;
  readonly #forMs: number;
  /** Digest to the time it was first seen, oldest first. */
  readonly #seen = new Map<string, number>();

  constructor(max: number, forMs: number) {
    this.#max = max;
    this.#forMs = forMs;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** True the first time; `body` is topic and payload as on the wire. */
  isNew(seq: Uint8Array, body: Uint8Array, nowMs: number): boolean {
    const digest = createHash('sha256').update(seq).update(body).digest('base64');
    for (const [oldest, seenMs] of this.#seen) {
      if (nowMs - seenMs <= this.#forMs) break;
      this.#seen.delete(oldest);
    }
    if (this.#seen.has(digest)) return false;
    this.#seen.set(digest, nowMs);
    if (this.#seen.size > this.#max) this.#seen.delete(this.#seen.keys().next().value as string);
    return true;
  }
}
