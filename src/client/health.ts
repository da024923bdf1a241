import type { Choosable } from './choice.js';

/** Weight of the newest answer: some ten answers until an old time is forgotten. */
const SMOOTHING = 0.2;

/** Until something is known, a relay is neither preferred nor passed over. */
const RTT_UNKNOWN_MS = 1;

/** A relay that failed has this long to prove itself on calls that no other relay can carry. */
const AVOID_MS = 5_000;

/** How one relay has answered lately. It outlives connections: a relay that drops them all the time is not chosen. */
export class RelayHealth implements Pick<Choosable, 'rttMs' | 'avoidUntilMs'> {
  rttMs = RTT_UNKNOWN_MS;
  avoidUntilMs = 0;
  #known = false;

  /** The relay itself answered, without a subscriber's time in it. */
  answered(ms: number): void {
    this.rttMs = this.#known ? this.rttMs + SMOOTHING * (ms - this.rttMs) : ms;
    this.#known = true;
  }

  failed(nowMs: number): void {
    this.avoidUntilMs = nowMs + AVOID_MS;
  }
}
