/**
 * A rate limit: `perSecond` on average, `burst` at once; at most `burst + perSecond` in any second.
 * A cost above the burst is allowed when the bucket is full and is paid off as debt.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledMs = nowMs;
  }

  /** Takes `cost` tokens; false when they are not there, nothing is taken then. */
  take(nowMs: number, cost = 1): boolean {
    const earned = ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, earned));
    this.#filledMs = Math.max(this.#filledMs, nowMs);
    if (this.#tokens < Math.min(cost, this.#burst)) return false;
    this.#tokens -= cost;
    return true;
  }
}
