import { describe, expect, it } from 'vitest';
import { keyChanges } from '../../../src/control/topic-keys.js';

const key = (fill: number): Uint8Array => new Uint8Array(64).fill(fill);

/** Public keys by topic, and private ones. */
const prepared = (
  receivers: Readonly<Record<string, readonly number[]>>,
  own: Readonly<Record<string, number | undefined>> = {},
) => ({
  receiverKeys: new Map(Object.entries(receivers).map(([topic, fills]) => [topic, fills.map(key)])),
  setup: {
    agents: Object.entries(own).map(([messageTopic, fill]) => ({
      messageTopic,
      privateKey: fill === undefined ? undefined : key(fill).subarray(32),
    })),
  },
});

const changes = (before: ReturnType<typeof prepared>, now: ReturnType<typeof prepared>) => {
  const { receivers, own } = keyChanges(before, now);
  return [[...receivers], [...own]];
};

describe('the keys of a topic', () => {
  it('have changed when one came, went or is another', () => {
    const before = prepared({ more: [1], fewer: [1, 2], other: [1, 2], same: [1, 2] });
    const now = prepared({ more: [1, 2], fewer: [2], other: [1, 3], same: [1, 2] });
    expect(changes(before, now)).toEqual([['more', 'fewer', 'other'], []]);
  });

  it('have not changed by their order, or by one that is named twice', () => {
    expect(changes(prepared({ a: [1, 2] }), prepared({ a: [2, 1, 2] }))).toEqual([[], []]);
  });

  it('of the relay itself are another matter', () => {
    const before = prepared({ both: [1] }, { both: 1, same: 5, none: undefined });
    const now = prepared({ both: [1] }, { both: 2, same: 5, none: undefined });
    expect(changes(before, now)).toEqual([[], ['both']]);
  });

  it('are no other keys where there were none before, or are none now: nothing was certified by them', () => {
    const before = prepared({ gone: [1] }, { gone: 1, lost: 2 });
    const now = prepared({ new: [1] }, { new: 1, lost: undefined });
    expect(changes(before, now)).toEqual([[], []]);
  });
});
