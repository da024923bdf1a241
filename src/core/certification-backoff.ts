/**
 * When a failed certification may be tried again. Kept by what outlives sessions (certificates and topic), so that it holds
 * across reconnects: an SDK that drops its link on every challenge would otherwise be challenged again each time it comes back.
 */

/** The first wait; it doubles with each further failure. */
const WAIT_MS_MIN = 2_000;
const WAIT_MS_MAX = 300_000;
/** Certificates and topics remembered; beyond, the one that failed longest ago starts afresh. */
const ENTRIES_MAX = 16_384;
/** Without a failure for this long it is forgotten. */
const FORGET_MS = 3_600_000;

export class Backoff {
  failures = 0;
  retryMs = Number.NEGATIVE_INFINITY;
  usedMs: number;
  /** `usedMs` when it got its place in the table. */
  placedMs: number;

  constructor(nowMs: number) {
    this.usedMs = nowMs;
    this.placedMs = nowMs;
  }

  failed(nowMs: number): void {
    this.retryMs = nowMs + Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.min(this.failures, 16));
    this.failures++;
    this.usedMs = nowMs;
  }

  succeeded(): void {
    this.failures = 0;
    this.retryMs = Number.NEGATIVE_INFINITY;
  }
}

export class BackoffTable {
  /** In the order of their places; one that has failed since gets a new place when its turn comes. */
  readonly #byKey = new Map<string, Backoff>();
  #expiredMs = 0;

  get(key: string, nowMs: number): Backoff {
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= ENTRIES_MAX) this.#forgetOldest();
    const backoff = new Backoff(nowMs);
    this.#byKey.set(key, backoff);
    return backoff;
  }

  /** Forgets what has not failed for an hour; looks once a minute. */
  expire(nowMs: number): void {
    if (nowMs - this.#expiredMs < 60_000) return;
    this.#expiredMs = nowMs;
    for (const [key, backoff] of this.#byKey) {
      if (nowMs - backoff.usedMs >= FORGET_MS) this.#byKey.delete(key);
    }
  }

  /** In constant time on average: a peer that lists thousands of certificates must not make the table a list to search. */
  #forgetOldest(): void {
    for (const [key, backoff] of this.#byKey) {
      this.#byKey.delete(key);
      if (backoff.placedMs === backoff.usedMs) return;
      // It has failed since it was put here.
      backoff.placedMs = backoff.usedMs;
      this.#byKey.set(key, backoff);
    }
  }
}
