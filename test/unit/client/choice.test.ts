import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../src/client/backoff.js';
import { type Choosable, choose } from '../../../src/client/choice.js';
import { RelayHealth } from '../../../src/client/health.js';

interface Named extends Choosable {
  readonly name: string;
}
const relay = (name: string, outstanding: number, rttMs: number, avoidUntilMs = 0): Named => ({
  name,
  outstanding,
  rttMs,
  avoidUntilMs,
});
const first = () => 0;

describe('choose', () => {
  it.each([
    ['nobody where there is nobody', [], undefined],
    ['the one with the fewest open calls', [relay('a', 3, 1), relay('b', 2, 1)], 'b'],
    ['the one that answers fastest', [relay('a', 0, 9), relay('b', 0, 3)], 'b'],
    ['a slower one with less to do', [relay('far', 0, 10), relay('near', 19, 2)], 'far'],
    ['one that has not just failed', [relay('a', 0, 1, 1_001), relay('b', 99, 99)], 'b'],
    ['one whose failure is over', [relay('a', 0, 1, 1_000), relay('b', 99, 99)], 'a'],
    ['one that has failed where all have', [relay('a', 5, 1, 2_000), relay('b', 2, 1, 2_000)], 'b'],
  ])('takes %s', (_name, candidates, expected) => {
    expect(choose(candidates, 1_000, first)?.name).toBe(expected);
  });

  it('treats relays of one network as equally fast and spreads over them evenly', () => {
    const candidates = [relay('a', 0, 0.2), relay('b', 0, 0.9), relay('c', 0, 0.4)];
    let state = 1;
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const counts = new Map<string, number>();
    for (let i = 0; i < 3_000; i++) {
      const name = choose(candidates, 0, random)?.name ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const name of ['a', 'b', 'c']) expect(counts.get(name)).toBeGreaterThan(850);
  });
});

describe('RelayHealth', () => {
  it('follows the time of answers, and a failure for five seconds', () => {
    const health = new RelayHealth();
    health.answered(10);
    expect(health.rttMs).toBe(10);
    for (let i = 0; i < 50; i++) health.answered(2);
    expect(health.rttMs).toBeCloseTo(2, 1);
    health.failed(1_000);
    expect(health.avoidUntilMs).toBe(6_000);
  });
});

describe('backoffMs', () => {
  const outage = { attempts: 0, downMs: 0, refused: false };

  it('doubles from a tenth of a second and stays below half a second while a relay is restarted', () => {
    const waits = [0, 1, 2, 3, 9, 1_000].map((attempts) => backoffMs({ ...outage, attempts }, first));
    expect(waits).toEqual([100, 200, 400, 500, 500, 500]);
  });

  it('takes off up to a half at random', () => {
    expect(backoffMs(outage, () => 1)).toBe(50);
    expect(backoffMs({ ...outage, attempts: 9 }, () => 0.5)).toBe(375);
  });

  it('asks seldom where it is refused or the relay has been away for long', () => {
    const refused = [0, 3, 9].map((attempts) => backoffMs({ ...outage, attempts, refused: true }, first));
    expect(refused).toEqual([100, 800, 5_000]);
    expect(backoffMs({ attempts: 50, downMs: 601_000, refused: false }, first)).toBe(5_000);
  });
});
