import { describe, expect, it } from 'vitest';
import { type Claim, ClaimTable } from '../../../src/core/challenge-claims.js';

interface Claimant extends Claim {
  readonly id: string;
}

const claimant = (id: string, digest: string, ...challengeTopics: string[]): Claimant => ({
  id,
  digest,
  challengeTopics,
});

function setup() {
  /** Holders by topic, as last told. */
  const holders = new Map<string, string[]>();
  const refused: string[] = [];
  let changes = 0;
  const table = new ClaimTable<Claimant>({
    changed: (topic, claims) => {
      changes++;
      holders.set(topic, claims.map(({ id }) => id).sort());
    },
    refused: ({ id }, topic) => refused.push(`${id} ${topic}`),
  });
  return { table, holders, refused, changes: () => changes };
}

describe('claims on a challenge topic', () => {
  it('count for every session of one certificate, wherever it is connected', () => {
    const { table, holders, refused } = setup();
    const [one, two] = [claimant('one', 'D', 'V'), claimant('two', 'D', 'V')];
    table.put(one);
    table.put(two);
    expect(holders.get('V')).toEqual(['one', 'two']);
    expect([table.holds('V', one), table.holds('V', two)]).toEqual([true, true]);
    expect(refused).toEqual([]);
  });

  it('wait when another certificate was there first, told once each', () => {
    const { table, holders, refused } = setup();
    const [first, thief] = [claimant('first', 'D', 'V'), claimant('thief', 'E', 'V')];
    table.put(first);
    table.put(thief);
    table.put(thief);
    expect(holders.get('V')).toEqual(['first']);
    expect([table.holds('V', first), table.holds('V', thief)]).toEqual([true, false]);
    expect(refused).toEqual(['thief V']);
  });

  it('take over in the order in which their certificates came, when the last of the first certificate is gone', () => {
    const { table, holders, refused } = setup();
    const first = claimant('first', 'D', 'V');
    const second = claimant('second', 'E', 'V');
    const third = claimant('third', 'F', 'V');
    const sibling = claimant('sibling', 'D', 'V');
    const late = claimant('late', 'E', 'V');
    for (const one of [first, second, third, sibling, late]) table.put(one);
    expect(refused).toEqual(['second V', 'third V', 'late V']);
    table.drop(first);
    expect(holders.get('V'), 'a thief that came between two sessions').toEqual(['sibling']);
    expect(table.holds('V', second)).toBe(false);
    table.drop(sibling);
    expect(holders.get('V')).toEqual(['late', 'second']);
    table.drop(second);
    expect(holders.get('V')).toEqual(['late']);
    table.put(first);
    table.drop(late);
    expect(holders.get('V')).toEqual(['third']);
    table.drop(third);
    expect(holders.get('V')).toEqual(['first']);
  });

  it('are told as none when the last is gone, and begin anew', () => {
    const { table, holders } = setup();
    const [one, other] = [claimant('one', 'D', 'V'), claimant('other', 'E', 'V')];
    table.put(one);
    table.drop(one);
    expect(holders.get('V')).toEqual([]);
    expect(table.holds('V', one)).toBe(false);
    table.put(other);
    table.put(one);
    expect(holders.get('V')).toEqual(['other']);
  });

  it('keep their place while a claimant renames other topics, and lose it with the topic', () => {
    const { table, holders } = setup();
    const other = claimant('other', 'E', 'V', 'X');
    table.put(claimant('one', 'D', 'V', 'W'));
    table.put(other);
    table.put(claimant('one', 'D', 'V', 'Y'));
    expect([holders.get('V'), holders.get('W'), holders.get('Y')]).toEqual([['one'], [], ['one']]);
    table.put(claimant('one', 'D', 'Y'));
    expect([holders.get('V'), holders.get('X')]).toEqual([['other'], ['other']]);
    table.put(claimant('one', 'D', 'V', 'Y'));
    expect(holders.get('V'), 'who comes back waits').toEqual(['other']);
  });

  it('hand out the claimant as it was put last', () => {
    const told = new Map<string, readonly Claimant[]>();
    const table = new ClaimTable<Claimant>({ changed: (topic, claims) => told.set(topic, claims), refused: () => {} });
    table.put(claimant('one', 'D', 'V'));
    const again = claimant('one', 'D', 'V', 'W');
    table.put(again);
    expect([told.get('V'), told.get('W')]).toEqual([[again], [again]]);
  });

  it('of nobody are dropped without a word', () => {
    const { table, changes } = setup();
    table.drop(claimant('stranger', 'D', 'V'));
    table.put(claimant('one', 'D'));
    table.drop(claimant('one', 'D'));
    expect(changes()).toBe(0);
  });

  it('change nothing that is told while a waiting one comes or goes', () => {
    const { table, changes } = setup();
    table.put(claimant('first', 'D', 'V'));
    const before = changes();
    table.put(claimant('thief', 'E', 'V'));
    table.drop(claimant('thief', 'E', 'V'));
    expect(changes()).toBe(before);
  });

  it('are remembered up to 64 a topic; one more gets nothing even if all others leave', () => {
    const { table, holders, refused } = setup();
    const many = Array.from({ length: 64 }, (_, n) => claimant(`c${n}`, `D${n}`, 'V'));
    for (const one of many) table.put(one);
    const extra = claimant('extra', 'D0', 'V');
    table.put(extra);
    expect(refused).toHaveLength(64);
    expect(refused.at(-1)).toBe('extra V');
    expect(table.holds('V', extra)).toBe(false);
    for (const one of many) table.drop(one);
    expect(holders.get('V')).toEqual([]);
    // It may come again, like anybody.
    table.put(extra);
    expect(holders.get('V')).toEqual(['extra']);
    table.drop(extra);
    expect(holders.get('V')).toEqual([]);
  });
});
