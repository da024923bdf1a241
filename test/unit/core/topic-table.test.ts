import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopicTable } from '../../../src/core/topic-table.js';
import { FakeEndpoint, makeScanner } from './fakes.js';

function setup() {
  const scanner = makeScanner();
  const table = new TopicTable(scanner);
  const id = (name: string): number => scanner.lookup(Buffer.from(name));
  return { scanner, table, id, session: new FakeEndpoint(1), other: new FakeEndpoint(2) };
}

describe('topic table', () => {
  it('replaces the whole set and tells what changed', () => {
    const { table, session } = setup();
    expect(table.replace(session, ['a', 'b'])).toEqual({ added: ['a', 'b'], removed: [] });
    expect(table.replace(session, ['c', 'b'])).toEqual({ added: ['c'], removed: ['a'] });
    expect(table.replace(session, ['b', 'c'])).toEqual({ added: [], removed: [] });
    expect(table.replace(session, [])).toEqual({ added: [], removed: ['b', 'c'] });
    expect(table.replace(session, [])).toEqual({ added: [], removed: [] });
    expect([table.size, table.subscriptions]).toEqual([0, 0]);
  });

  it('keeps a topic as long as anybody subscribes', () => {
    const { table, id, session, other } = setup();
    table.replace(session, ['a']);
    table.replace(other, ['a']);
    const before = id('a');
    table.remove(session);
    expect(id('a')).toBe(before);
    expect(table.topic(before)?.subscribers.has(other)).toBe(true);
    table.remove(other);
    expect(id('a')).toBe(-1);
    expect(table.topic(before)).toBeUndefined();
  });

  it('uses the id of a topic that ended for the next one, so that ids stay small', () => {
    const { table, id, session } = setup();
    for (let at = 0; at < 500; at++) table.replace(session, [`a${at}`, `b${at}`]);
    expect(Math.max(id('a499'), id('b499'))).toBeLessThan(4);
    expect(table.topic(id('a499'))?.name).toBe('a499');
  });

  it('finds the topic that bears a name now, for whoever holds one that ended', () => {
    const { table, id, session } = setup();
    table.replace(session, ['a']);
    const old = table.topic(id('a'));
    if (!old) throw new Error('the topic is missing');
    expect(table.current(old)).toBe(old);
    table.replace(session, []);
    expect(table.current(old)).toBeUndefined();
    table.replace(session, ['x', 'a']);
    expect(table.current(old)).toBe(table.topic(id('a')));
    expect(table.current(old)?.subscribers.size).toBe(1);
  });

  it('knows topics by their bytes, not by their look', () => {
    const { table, id, session, other } = setup();
    table.replace(session, ['主题', '\u00e9']);
    table.replace(other, ['e\u0301']);
    expect(new Set([id('主题'), id('\u00e9'), id('e\u0301')]).size).toBe(3);
  });

  it('keeps interner, ids and subscribers in step, against plain sets', () => {
    const names = ['', 'a', 'b', 'ab', '主题', 'x'.repeat(254)];
    const step = fc.record({
      who: fc.nat(3),
      names: fc.subarray(names),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { scanner, table, id } = setup();
        const sessions = [1, 2, 3, 4].map((one) => new FakeEndpoint(one));
        const model = new Map(sessions.map((session) => [session, new Set<string>()]));
        for (const { who, names: wanted } of steps) {
          const session = sessions[who];
          const before = model.get(session) ?? new Set();
          const change = table.replace(session, wanted);
          expect(new Set(change.added)).toEqual(new Set(wanted.filter((name) => !before.has(name))));
          expect(new Set(change.removed)).toEqual(new Set([...before].filter((name) => !wanted.includes(name))));
          model.set(session, new Set(wanted));
          const live = names.filter((name) => sessions.some((one) => model.get(one)?.has(name)));
          expect([table.size, scanner.size]).toEqual([live.length, live.length]);
          expect(new Set(live.map(id)).size).toBe(live.length);
          for (const name of names) {
            const topic = table.topic(id(name));
            expect(topic?.name).toBe(live.includes(name) ? name : undefined);
            for (const one of sessions) expect(topic?.subscribers.has(one) ?? false).toBe(model.get(one)?.has(name));
          }
          expect(table.subscriptions).toBe([...model.values()].reduce((sum, set) => sum + set.size, 0));
        }
      }),
      { numRuns: 100 },
    );
  });
});
