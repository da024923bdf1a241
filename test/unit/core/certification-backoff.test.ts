import { describe, expect, it } from 'vitest';
import { Backoff, BackoffTable } from '../../../src/core/certification-backoff.js';

const HOUR_MS = 3_600_000;

describe('the back-off of a certification', () => {
  it('allows the first try at once', () => {
    expect(new Backoff(5).retryMs).toBeLessThan(0);
  });

  it('doubles from 2 s to 5 minutes', () => {
    const backoff = new Backoff(0);
    const waits = Array.from({ length: 40 }, (_, n) => {
      backoff.failed(n * 1_000);
      return backoff.retryMs - n * 1_000;
    });
    expect(waits.slice(0, 9)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000]);
    expect(new Set(waits.slice(9))).toEqual(new Set([300_000]));
  });

  it('is forgotten by a success', () => {
    const backoff = new Backoff(0);
    for (let n = 0; n < 5; n++) backoff.failed(n);
    backoff.succeeded();
    expect(backoff.retryMs).toBeLessThan(0);
    backoff.failed(100);
    expect(backoff.retryMs).toBe(2_100);
  });
});

describe('the table of back-offs', () => {
  it('remembers by key, whoever asks', () => {
    const table = new BackoffTable();
    table.get('a', 0).failed(0);
    expect(table.get('a', 1).retryMs).toBe(2_000);
    expect(table.get('b', 1).retryMs).toBeLessThan(0);
  });

  it('forgets what has not failed for an hour', () => {
    const table = new BackoffTable();
    const failed = table.get('failed', 0);
    failed.failed(0);
    table.expire(HOUR_MS - 1);
    expect(table.get('failed', HOUR_MS - 1)).toBe(failed);
    failed.failed(HOUR_MS);
    table.expire(2 * HOUR_MS - 1);
    expect(table.get('failed', 2 * HOUR_MS)).toBe(failed);
    table.expire(2 * HOUR_MS + 60_000);
    expect(table.get('failed', 2 * HOUR_MS + 60_000)).not.toBe(failed);
  });

  it('remembers 16,384 keys, and starts the one afresh that failed longest ago', () => {
    const table = new BackoffTable();
    const first = Array.from({ length: 16_384 }, (_, n) => table.get(`k${n}`, n));
    first[0].failed(50_000);
    table.get('one more', 60_000);
    expect(table.get('k0', 60_000)).toBe(first[0]);
    expect(table.get('k2', 60_000)).toBe(first[2]);
    expect(table.get('k1', 60_000)).not.toBe(first[1]);
    // Which has put out the next oldest.
    expect(table.get('k2', 60_000)).not.toBe(first[2]);
  });
});
