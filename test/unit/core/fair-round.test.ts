import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/core/endpoint.js';
import { FairRound, type Filter } from '../../../src/core/fair-round.js';
import { PendingRequest } from '../../../src/core/pending-requests.js';
import { FakeEndpoint } from './fakes.js';

const EVERYBODY: Filter = { eligible: () => true };
const allBut = (...excluded: Endpoint[]): Filter => ({ eligible: (endpoint) => !excluded.includes(endpoint) });

function roundOf(count: number, weights: readonly number[] = []): { round: FairRound; members: FakeEndpoint[] } {
  const round = new FairRound();
  const members = Array.from({ length: count }, (_, index) => new FakeEndpoint(index + 1));
  for (const [index, member] of members.entries()) round.add(member, weights[index] ?? 1);
  return { round, members };
}

function counts(round: FairRound, choices: number, filter: Filter = EVERYBODY): Map<number, number> {
  const chosen = new Map<number, number>();
  for (let at = 0; at < choices; at++) {
    const endpoint = round.choose(filter);
    if (endpoint) chosen.set(endpoint.id, (chosen.get(endpoint.id) ?? 0) + 1);
  }
  return chosen;
}

describe('fair round', () => {
  it('chooses every member once before it chooses one twice', () => {
    const { round } = roundOf(7);
    for (let at = 0; at < 20; at++) {
      expect([...counts(round, 7).values()]).toEqual([1, 1, 1, 1, 1, 1, 1]);
    }
  });

  it('gives nobody more than one choice above an equal share in any window', () => {
    const { round } = roundOf(4);
    const ids = Array.from({ length: 400 }, () => round.choose(EVERYBODY)?.id);
    for (let start = 0; start + 40 <= ids.length; start++) {
      for (const id of [1, 2, 3, 4]) {
        const share = ids.slice(start, start + 40).filter((one) => one === id).length;
        expect(Math.abs(share - 10), `member ${id} in the window at ${start}`).toBeLessThanOrEqual(1);
      }
    }
  });

  it('gives shares by weight', () => {
    const { round } = roundOf(3, [1, 2, 5]);
    for (let at = 0; at < 10; at++) {
      expect(counts(round, 8)).toEqual(
        new Map([
          [3, 5],
          [2, 2],
          [1, 1],
        ]),
      );
    }
  });

  it('spreads a heavy member over its round instead of serving it in one burst', () => {
    const { round } = roundOf(2, [4, 4]);
    const ids = Array.from({ length: 8 }, () => round.choose(EVERYBODY)?.id);
    for (let at = 0; at < 8; at += 2) expect(new Set(ids.slice(at, at + 2)).size).toBe(2);
  });

  it('does not let a member that was ineligible for long catch up with a burst', () => {
    const { round, members } = roundOf(4);
    counts(round, 1_000, allBut(members[0]));
    const ids = Array.from({ length: 12 }, () => round.choose(EVERYBODY)?.id);
    expect(ids.filter((id) => id === 1).length).toBeLessThanOrEqual(4);
    for (let at = 1; at < ids.length; at++) expect([ids[at - 1], ids[at]]).not.toEqual([1, 1]);
  });

  it('chooses nobody when nobody is eligible, and costs the members nothing of their turn', () => {
    const { round } = roundOf(3);
    const first = round.choose(EVERYBODY)?.id;
    expect(round.choose({ eligible: () => false })).toBeUndefined();
    const rest = [round.choose(EVERYBODY)?.id, round.choose(EVERYBODY)?.id];
    expect(new Set([first, ...rest]).size).toBe(3);
  });

  it('prefers the member with the fewest answers outstanding among those with the same turn', () => {
    const { round, members } = roundOf(3);
    for (let at = 0; at < 2; at++) members[0].routerPushes.append(new PendingRequest());
    members[1].routerPushes.append(new PendingRequest());
    const order = Array.from({ length: 3 }, () => round.choose(EVERYBODY)?.id);
    expect(order).toEqual([3, 2, 1]);
  });

  it('still serves a busy member its turn: fairness goes before quiet', () => {
    const { round, members } = roundOf(2);
    for (let at = 0; at < 50; at++) members[0].routerPushes.append(new PendingRequest());
    expect(counts(round, 100)).toEqual(
      new Map([
        [2, 50],
        [1, 50],
      ]),
    );
  });

  it('lets a new member take part in the round that goes on', () => {
    const { round } = roundOf(2);
    round.choose(EVERYBODY);
    const late = new FakeEndpoint(9);
    round.add(late);
    expect(counts(round, 2).get(9)).toBe(1);
  });

  it('refuses a member twice and forgets one that it does not know', () => {
    const { round, members } = roundOf(1);
    expect(round.add(members[0])).toBe(false);
    expect(round.size).toBe(1);
    expect(round.remove(new FakeEndpoint(5))).toBe(false);
    expect(round.remove(members[0])).toBe(true);
    expect(round.choose(EVERYBODY)).toBeUndefined();
  });

  it('looks at a few members for one choice, also on a topic with 10,000', () => {
    const { round, members } = roundOf(10_000);
    let asked = 0;
    const sender = members[5_000];
    const counting: Filter = {
      eligible: (endpoint) => {
        asked++;
        return endpoint !== sender;
      },
    };
    const choices = 20_000;
    for (let at = 0; at < choices; at++) expect(round.choose(counting)).toBeDefined();
    expect(asked / choices).toBeLessThan(12);
  });

  it('looks at each of 10,000 members at most twice when none of them takes the frame', () => {
    const { round } = roundOf(10_000);
    const passed = new Set<Endpoint>();
    let asked = 0;
    const search: Filter = {
      eligible: (endpoint) => {
        asked++;
        return !passed.has(endpoint);
      },
    };
    for (let next = round.choose(search); next; next = round.choose(search)) passed.add(next);
    expect(passed.size).toBe(10_000);
    expect(asked).toBeLessThan(10_000 * 12);
  });

  /**
   * Oracle: plain lists. A choice must be an eligible member with the largest part of its weight left in the current round;
   * when none has any, everybody's turn starts anew. With few members the look-ahead bound does not matter.
   */
  it('behaves like an obvious list of turns under joins, leaves and exclusions', () => {
    type Step =
      | { kind: 'add'; id: number; weight: number }
      | { kind: 'remove'; id: number }
      | { kind: 'choose'; excluded: number[] };
    const id = fc.integer({ min: 0, max: 6 });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), id, weight: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('remove' as const), id }),
      fc.record({ kind: fc.constant('choose' as const), excluded: fc.array(id, { maxLength: 4 }) }),
      fc.record({ kind: fc.constant('choose' as const), excluded: fc.constant([] as number[]) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const endpoints = Array.from({ length: 7 }, (_, index) => new FakeEndpoint(index));
        const round = new FairRound();
        const model = new Map<number, { weight: number; left: number }>();
        for (const one of steps) {
          if (one.kind === 'add') {
            const known = model.get(one.id);
            expect(round.add(endpoints[one.id], one.weight)).toBe(known === undefined);
            const left = known ? Math.min(known.left, one.weight) : one.weight;
            model.set(one.id, { weight: one.weight, left });
          } else if (one.kind === 'remove') {
            expect(round.remove(endpoints[one.id])).toBe(model.delete(one.id));
          } else {
            const eligible = [...model].filter(([member]) => !one.excluded.includes(member));
            const chosen = round.choose(allBut(...one.excluded.map((member) => endpoints[member])));
            if (eligible.length === 0) {
              expect(chosen).toBeUndefined();
              continue;
            }
            if (eligible.every(([, turn]) => turn.left === 0)) {
              for (const turn of model.values()) turn.left = turn.weight;
            }
            const most = Math.max(...eligible.map(([, turn]) => turn.left / turn.weight));
            const turn = model.get(chosen?.id ?? -1);
            expect(eligible.map(([member]) => member)).toContain(chosen?.id);
            expect(turn && turn.left / turn.weight).toBe(most);
            if (turn) turn.left--;
          }
          const members: number[] = [];
          round.forEach((endpoint) => {
            members.push(endpoint.id);
          });
          expect(members.sort()).toEqual([...model.keys()].sort());
          expect(round.size).toBe(model.size);
        }
      }),
      { numRuns: 400 },
    );
  });
});
