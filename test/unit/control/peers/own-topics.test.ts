import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAnnounced, OwnTopics } from '../../../../src/control/peers/own-topics.js';
import { parseRelayTopics } from '../../../../src/wire/mesh/relay-topics.js';
import { parseTopics } from '../../../../src/wire/p2p/topics.js';

const U32_MAX = 0xffffffff;
const listsOf = (own: OwnTopics): [string, string] => [own.setList().toString(), own.countList().toString()];

/** One more subscriber of each topic, and a new number for it. */
function add(own: OwnTopics, ...topics: string[]) {
  own.apply(topics, []);
  return own.renumber();
}

function remove(own: OwnTopics, ...topics: string[]) {
  own.apply([], topics);
  return own.renumber();
}

describe('which topics are announced', () => {
  it.each(['', 'a', '$', '#!', '#$x', '_block', '_block_notif', ' _block_notify_', 'x#!$y', '0'])('%j is', (topic) =>
    expect(isAnnounced(topic)).toBe(true),
  );

  it.each([
    '#!$TopicNeedVerify_x',
    '#!$VerifyChannel_x',
    '#!$PushChannel_#!$TopicNeedVerify_x',
    '#!$',
    '_block_notify_',
    '_block_notify_1',
  ])('%j is not', (topic) => expect(isAnnounced(topic)).toBe(false));
});

describe('own topics', () => {
  it('begin with number 1 and an empty list, which a 2.x node pulls once', () => {
    const own = new OwnTopics();
    expect([own.setSeq, own.countSeq, own.size, own.leftOut, own.touched]).toEqual([1, 1, 0, 0, false]);
    expect(listsOf(own)).toEqual(['1', '1']);
  });

  it('count the sessions of a topic; the set changes with the first and the last', () => {
    const own = new OwnTopics();
    expect(add(own, 'a')).toEqual({ set: true });
    expect(listsOf(own)).toEqual(['2\ta', '2\t1 a']);
    expect(add(own, 'a', 'a')).toEqual({ set: false });
    expect([own.setSeq, own.countSeq]).toEqual([2, 3]);
    expect(listsOf(own)).toEqual(['2\ta', '3\t3 a']);
    expect(remove(own, 'a', 'a')).toEqual({ set: false });
    expect(remove(own, 'a')).toEqual({ set: true });
    expect(listsOf(own)).toEqual(['5', '5']);
  });

  it('keep their numbers when everything is as it was', () => {
    const own = new OwnTopics();
    add(own, 'a');
    own.apply(['b', 'a'], []);
    own.apply([], ['b', 'a']);
    expect(own.touched).toBe(true);
    expect(own.renumber()).toBeUndefined();
    expect([own.touched, own.setSeq, own.countSeq]).toEqual([false, 2, 2]);
    expect(own.renumber()).toBeUndefined();
  });

  it('list what stood at the last number, whatever has come and gone since', () => {
    const own = new OwnTopics();
    add(own, 'a', 'b', 'b');
    own.apply(['b', 'c'], ['a']);
    expect(own.size).toBe(2);
    expect(listsOf(own)).toEqual(['2\ta\tb', '2\t1 a\t2 b']);
    own.renumber();
    expect(listsOf(own)).toEqual(['3\tb\tc', '3\t3 b\t1 c']);
  });

  it('list the same bytes for one number, written once', () => {
    const own = new OwnTopics();
    add(own, 'a');
    const [set, counted] = [own.setList(), own.countList()];
    own.apply(['b'], []);
    expect([own.setList(), own.countList()]).toEqual([set, counted]);
    expect(own.setList()).toBe(set);
    own.renumber();
    expect(own.setList()).not.toBe(set);
  });

  it('never have the number 0', () => {
    const own = new OwnTopics(U32_MAX - 1);
    add(own, 'a');
    expect([own.setSeq, own.countSeq]).toEqual([U32_MAX, U32_MAX]);
    add(own, 'a');
    expect([own.setSeq, own.countSeq]).toEqual([U32_MAX, 1]);
    add(own, 'b');
    expect([own.setSeq, own.countSeq]).toEqual([2, 2]);
    expect(listsOf(own)).toEqual(['2\ta\tb', '2\t2 a\t1 b']);
  });

  it('have nothing once they are cleared, however many waited', () => {
    const own = new OwnTopics(1, 2);
    add(own, 'a', 'b', 'c', 'd');
    own.clear();
    expect(own.renumber()).toEqual({ set: true });
    expect([own.size, own.leftOut]).toEqual([0, 0]);
    expect(listsOf(own)).toEqual(['3', '3']);
    expect(remove(own, 'a', 'c')).toBeUndefined();
  });

  it('are not disturbed by names that are no topics, or by the end of what never began', () => {
    const own = new OwnTopics(1, 1);
    expect(add(own, 'x'.repeat(255), 'a\tb', '\u0000')).toBeUndefined();
    expect(remove(own, 'never', '#!$x')).toBeUndefined();
    add(own, 'a');
    add(own, 'x'.repeat(255), 'a\tb');
    expect([own.size, own.leftOut]).toEqual([1, 0]);
    expect(listsOf(own)).toEqual(['2\ta', '2\t1 a']);
  });
});

describe('more topics than a peer takes', () => {
  it('leave those out that came last, and let them in, in their order, when there is room', () => {
    const own = new OwnTopics(1, 2);
    add(own, 'z', 'y', 'x', 'w', 'x');
    expect([own.size, own.leftOut]).toEqual([2, 2]);
    expect(listsOf(own)).toEqual(['2\ty\tz', '2\t1 y\t1 z']);
    expect(remove(own, 'z')).toEqual({ set: true });
    expect(listsOf(own)).toEqual(['3\tx\ty', '3\t2 x\t1 y']);
    expect(remove(own, 'y')).toEqual({ set: true });
    expect(listsOf(own)).toEqual(['4\tw\tx', '4\t1 w\t2 x']);
    expect(own.leftOut).toBe(0);
  });

  it('count the sessions of those that wait, and forget those that leave', () => {
    const own = new OwnTopics(1, 1);
    add(own, 'a', 'b', 'b', 'c');
    expect(remove(own, 'b', 'c')).toBeUndefined();
    expect(own.leftOut).toBe(1);
    remove(own, 'a');
    expect(listsOf(own)[1]).toBe('3\t1 b');
  });

  it('give the place of one that leaves and comes back in one step to the one that waited', () => {
    const own = new OwnTopics(1, 1);
    add(own, 'a', 'b');
    own.apply([], ['a']);
    own.apply(['a'], []);
    expect(own.renumber()).toEqual({ set: true });
    expect([listsOf(own)[0], own.leftOut]).toEqual(['3\tb', 1]);
  });
});

/** Counts in a plain map, in the order in which topics came. */
class Model {
  readonly counts = new Map<string, number>();

  change(topic: string, by: 1 | -1): void {
    const count = (this.counts.get(topic) ?? 0) + by;
    if (count > 0) this.counts.set(topic, count);
    else this.counts.delete(topic);
  }

  /** As a list between relays. */
  announced(max: number): [string, number][] {
    return [...this.counts]
      .filter(([topic]) => isAnnounced(topic))
      .slice(0, max)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

describe('own topics against a plain map', () => {
  const topics = ['a', 'b', 'c', 'd', 'e', '#!$p', '_block_notify_1'];
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        topic: fc.constantFrom(...topics),
        by: fc.constantFrom(1 as const, 1 as const, -1 as const),
      }),
    },
    { weight: 2, arbitrary: fc.constant('renumber' as const) },
    { weight: 1, arbitrary: fc.constant('list' as const) },
  );

  it('have the lists of the map at each number, and a new number exactly when a list changed', () => {
    const firstSeq = fc.constantFrom(1, 5, U32_MAX - 3);
    const max = fc.constantFrom(2, 3, 100);
    fc.assert(
      fc.property(firstSeq, max, fc.array(step, { maxLength: 80, size: 'max' }), (first, topicsMax, steps) => {
        const own = new OwnTopics(first, topicsMax);
        const model = new Model();
        let numbered: [string, number][] = [];
        const seen = { set: new Map<number, string>(), counts: new Map<number, string>() };
        const check = (): void => {
          const counted = parseRelayTopics(own.countList());
          const set = parseTopics(own.setList());
          expect(counted.ok && [counted.topicSeq, [...counted.topics]]).toEqual([own.countSeq, numbered]);
          expect(set.ok && [set.topicSeq, set.topics]).toEqual([own.setSeq, numbered.map(([topic]) => topic)]);
          // One number never names two lists.
          for (const [lists, number, list] of [
            [seen.set, own.setSeq, own.setList().toString()],
            [seen.counts, own.countSeq, own.countList().toString()],
          ] as const) {
            expect(lists.get(number) ?? list).toBe(list);
            expect(number).toBeGreaterThan(0);
            lists.set(number, list);
          }
        };
        for (const one of [...steps, 'renumber' as const]) {
          if (one === 'list') check();
          else if (one === 'renumber') {
            const before = [own.setSeq, own.countSeq];
            const wanted = model.announced(topicsMax);
            const names = (list: readonly [string, number][]) => list.map(([topic]) => topic).join();
            const changed = { set: names(wanted) !== names(numbered), counts: wanted.join() !== numbered.join() };
            expect(own.renumber()).toEqual(changed.counts ? { set: changed.set } : undefined);
            expect([own.setSeq !== before[0], own.countSeq !== before[1]]).toEqual([changed.set, changed.counts]);
            numbered = wanted;
            check();
          } else if (one.by > 0 || model.counts.has(one.topic)) {
            model.change(one.topic, one.by);
            own.apply(one.by > 0 ? [one.topic] : [], one.by < 0 ? [one.topic] : []);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
