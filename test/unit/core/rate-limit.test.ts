import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../../src/core/rate-limit.js';

/** How many of `count` are taken at this moment. */
function takeAll(limit: RateLimit, count: number, nowMs: number): number {
  let taken = 0;
  for (let at = 0; at < count; at++) if (limit.take(nowMs)) taken++;
  return taken;
}

describe('a rate limit', () => {
  it('gives the burst at once and then the rate', () => {
    const limit = new RateLimit(10, 3, 1_000);
    expect(takeAll(limit, 100, 1_000)).toBe(3);
    expect([limit.take(1_099), limit.take(1_100), limit.take(1_100)]).toEqual([false, true, false]);
    expect(takeAll(limit, 100, 1_300)).toBe(2);
  });

  it('saves up to the burst, not more', () => {
    const limit = new RateLimit(10, 3, 0);
    expect(takeAll(limit, 100, 1_000_000)).toBe(3);
  });

  it('takes payments that are not there, and gives nothing until they are earned', () => {
    const limit = new RateLimit(10, 3, 0);
    limit.pay(0, 5);
    expect([limit.take(0), limit.take(299), limit.take(300), limit.take(300)]).toEqual([false, false, true, false]);
    limit.pay(300, 0);
    expect(limit.take(400)).toBe(true);
  });

  it('earns nothing by a clock that goes back, and does not earn the same time twice', () => {
    const limit = new RateLimit(10, 1, 1_000);
    expect([limit.take(1_000), limit.take(0), limit.take(1_050), limit.take(500)]).toEqual([true, false, false, false]);
    expect([limit.take(1_099), limit.take(1_100)]).toEqual([false, true]);
  });

  it('never gives more than the burst and the rate in any time', () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 400 }), asks: fc.integer({ min: 0, max: 30 }) });
    const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 100 }), burst: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(
        rates,
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        ({ perSecond, burst }, steps) => {
          const limit = new RateLimit(perSecond, burst, 0);
          const taken: { nowMs: number; sum: number }[] = [{ nowMs: 0, sum: 0 }];
          let nowMs = 0;
          for (const { ms, asks } of steps) {
            nowMs += ms;
            const sum = taken[taken.length - 1].sum + takeAll(limit, asks, nowMs);
            for (const from of taken) {
              // Counted from just before the takes of that moment.
              const earned = burst + ((nowMs - from.nowMs) * perSecond) / 1000;
              if (sum - from.sum > earned + 1e-6) throw new Error(`${sum - from.sum} of ${earned} since ${from.nowMs}`);
            }
            taken.push({ nowMs, sum });
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([
    [5, 5],
    [20, 20],
    [100, 200],
  ])('of %i a second and a burst of %i gives all of that to who asks often', (perSecond, burst) => {
    const limit = new RateLimit(perSecond, burst, 0);
    let taken = 0;
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 7) taken += takeAll(limit, 1_000, nowMs);
    expect(Math.abs(taken - (burst + 60 * perSecond))).toBeLessThanOrEqual(1);
  });
});
