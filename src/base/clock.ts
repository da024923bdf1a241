import { performance } from 'node:perf_hooks';

/** Monotonic milliseconds with a fraction; only differences have a meaning. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => performance.now() };
