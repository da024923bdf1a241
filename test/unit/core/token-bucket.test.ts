import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEPTH_MS, mbitToBytesPerSecond, TokenBucket } from '../../../src/core/token-bucket.js';
import { seededRandom } from '../../helpers/random.js';

const DAY_MS = 86_400_000;

/** Offers messages at about twice the rate and returns the bytes that passed. */
function offerTwice(bucket: TokenBucket, rate: number, frameBytes: number, fromMs: number, forMs: number): number {
  const gapMs = (frameBytes / rate) * 500;
  let passed = 0;
  for (let at = 0; at * gapMs < forMs; at++) {
    const nowMs = fromMs + at * gapMs;
    if (!bucket.allows(nowMs)) continue;
    bucket.charge(frameBytes, nowMs);
    passed += frameBytes;
  }
  return passed;
}

describe('token bucket', () => {
  it('counts 1 Mbit/s as 131,072 bytes/s, fractions included', () => {
    expect(mbitToBytesPerSecond(1)).toBe(131_072);
    expect(mbitToBytesPerSecond(5)).toBe(655_360);
    expect(mbitToBytesPerSecond(0.5)).toBe(65_536);
  });

  for (const bytes of [100, 1_000, 10_000, 60_000]) {
    it(`passes the rate within 1 % of 60 s of twice the load, ${bytes} bytes each`, () => {
      const rate = mbitToBytesPerSecond(5);
      const passed = offerTwice(new TokenBucket(rate), rate, bytes, 0, 60_000);
      expect(Math.abs(passed / (rate * 60) - 1)).toBeLessThan(0.01);
    });
  }

  it('is as exact after a month under load, and with small messages at 10 Gbit/s', () => {
    for (const [rate, bytes, forMs] of [
      [mbitToBytesPerSecond(5), 1_000, 60_000],
      [mbitToBytesPerSecond(10_240), 100, 100],
      [1_000, 300, 600_000],
    ]) {
      const bucket = new TokenBucket(rate);
      bucket.charge(bucket.depthBytes, 0);
      // A month of full load, so that the bucket was never full since its first charge.
      bucket.charge((30 * DAY_MS * rate) / 1000, 0);
      const passed = offerTwice(bucket, rate, bytes, 30 * DAY_MS, forMs);
      expect(Math.abs(passed / ((rate * forMs) / 1000) - 1)).toBeLessThan(0.01);
    }
  });

  it('passes a message larger than a second of budget, and delays the next by as much', () => {
    const bucket = new TokenBucket(655_360);
    expect(bucket.allows(0)).toBe(true);
    bucket.charge(20 * 1024 * 1024, 0);
    const freeMs = (20 * 1024 * 1024 * 1000) / 655_360 - DEPTH_MS;
    expect(bucket.allows(freeMs - 1)).toBe(false);
    expect(bucket.allows(freeMs + 1)).toBe(true);
  });

  it('refuses at exactly zero and takes charges in debt', () => {
    const bucket = new TokenBucket(1_000);
    bucket.charge(250, 0);
    expect(bucket.balance(0)).toBe(0);
    expect(bucket.allows(0)).toBe(false);
    bucket.charge(1_000, 0);
    expect(bucket.balance(0)).toBe(-1_000);
    expect(bucket.balance(500)).toBe(-500);
  });

  it('collects no more than its depth while idle', () => {
    const bucket = new TokenBucket(1_000);
    expect(bucket.depthBytes).toBe(250);
    expect(bucket.balance(7 * DAY_MS)).toBe(250);
    // Idle between charges, without a question in between.
    bucket.charge(100, 7 * DAY_MS);
    bucket.charge(250, 14 * DAY_MS);
    expect(bucket.allows(14 * DAY_MS)).toBe(false);
    expect(bucket.isFull(14 * DAY_MS + 249)).toBe(false);
    expect(bucket.isFull(14 * DAY_MS + 251)).toBe(true);
  });

  it('gains nothing from a clock that steps back', () => {
    const bucket = new TokenBucket(1_000);
    bucket.charge(250, 10_000);
    bucket.charge(50, 9_000);
    expect(bucket.balance(9_500)).toBe(-50);
    expect(bucket.balance(10_000)).toBe(-50);
    expect(bucket.balance(10_050)).toBeCloseTo(0, 9);
  });

  it('refuses a rate that is none', () => {
    for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new TokenBucket(rate)).toThrow(/invariant/);
    }
  });

  it('never lets more pass in any window than rate, depth and the last message', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1_000, max: 10_000_000 }), (seed, rate) => {
        const random = seededRandom(seed);
        const bucket = new TokenBucket(rate);
        const passed: [number, number][] = [];
        let nowMs = 0;
        for (let at = 0; at < 300; at++) {
          nowMs += random() < 0.05 ? random() * 2_000 : random() * 20;
          const bytes = 1 + Math.floor(random() ** 4 * rate);
          if (!bucket.allows(nowMs)) continue;
          bucket.charge(bytes, nowMs);
          passed.push([nowMs, bytes]);
        }
        for (let first = 0; first < passed.length; first++) {
          let before = 0;
          for (let last = first; last < passed.length; last++) {
            const windowMs = passed[last][0] - passed[first][0];
            // Without the last message: it was allowed because what went before it left something.
            expect(before).toBeLessThan(bucket.depthBytes + (windowMs * rate) / 1000 + 1e-3);
            before += passed[last][1];
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
