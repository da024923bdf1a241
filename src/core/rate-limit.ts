/**
 * A rate limit: `perSecond` on average, `burst` at once; at most `burst + perSecond` in any second.
 */
export class RateLimit {
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

  /** Takes a token; false when there is none. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes tokens that need not be there, for something that cost more than was known before. */
  pay(nowMs: number, cost: number): void {
    this.#fill(nowMs);
    this.#tokens -= cost;
  }

  #fill(nowMs: number): void {
    const earned = ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, earned));
    this.#filledMs = Math.max(this.#filledMs, nowMs);
  }
}
