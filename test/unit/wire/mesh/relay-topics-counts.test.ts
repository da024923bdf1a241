import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TOPIC_BYTES_MAX } from '../../../../src/base/limits.js';
import {
  formatRelayTopics,
  parseRelayTopics,
  RELAY_COUNT_MAX,
  RELAY_LIST_BYTES_MAX,
} from '../../../../src/wire/mesh/relay-topics.js';
import { PEER_TOPICS_MAX } from '../../../../src/wire/p2p/topics.js';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const mapOf = (topics: Record<string, number>): Map<string, number> => new Map(Object.entries(topics));
const parsed = (list: string | Buffer) => {
  const result = parseRelayTopics(typeof list === 'string' ? text(list) : list);
  return result.ok
    ? { topicSeq: result.topicSeq, topics: [...result.topics], refused: result.refused }
    : result.problem;
};

describe('counts in a list between relays', () => {
  it('has the sequence, then each topic behind its count, in byte order', () => {
    const list = formatRelayTopics(7, mapOf({ b: 2, a: 10, B: 1, ü: 3, '': 4 }));
    expect(list.toString()).toBe('7\t4 \t1 B\t10 a\t2 b\t3 ü');
    // Byte order, not the order of UTF-16 units.
    expect(formatRelayTopics(1, mapOf({ '\u{1f600}': 1, '\uffee': 1 })).toString()).toBe('1\t1 \uffee\t1 \u{1f600}');
    expect(formatRelayTopics(4_294_967_295, new Map()).toString()).toBe('4294967295');
  });

  it('keeps topics that begin with digits or hold blanks', () => {
    const topics = mapOf({ '12 monkeys': 3, ' ': 1, '5': 2, 'a  b ': 9 });
    const back = parseRelayTopics(formatRelayTopics(1, topics));
    expect(back.ok && back.topics).toEqual(topics);
  });

  it('comes back from whatever is written', () => {
    const topic = fc.string({ unit: 'binary', maxLength: 12 }).filter((one) => {
      const bytes = Buffer.from(one, 'utf8');
      return bytes.every((byte) => byte >= 0x20 && byte !== 0x7f) && bytes.toString('utf8') === one;
    });
    const topics = fc.array(fc.tuple(topic, fc.integer({ min: 1, max: RELAY_COUNT_MAX })), { maxLength: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), topics, (topicSeq, entries) => {
        const map = new Map(entries);
        expect(parseRelayTopics(formatRelayTopics(topicSeq, map))).toMatchObject({
          ok: true,
          topicSeq,
          topics: map,
          refused: 0,
        });
      }),
    );
  });

  it.each(['', '\t1 a', 'x\t1 a', '-1', '4294967296', '01234567890'])('needs a sequence: %j has none', (list) => {
    expect(parsed(list)).toBe('no-topic-seq');
  });

  it('counts the first of one topic that is named twice', () => {
    expect(parsed('3\t2 a\t5 a\t1 b')).toEqual({
      topicSeq: 3,
      topics: [
        ['a', 2],
        ['b', 1],
      ],
      refused: 0,
    });
  });

  it.each([
    ['no count', 'a'],
    ['a count without a topic', '5'],
    ['nothing', ''],
    ['no digits before the blank', ' a'],
    ['a count of 0', '0 a'],
    ['a count above what a relay can hold', '1000001 a'],
    ['a count of eight digits, zeros among them', '00000001 a'],
    ['a negative count', '-1 a'],
    ['a sign', '+1 a'],
    ['a fraction', '1.5 a'],
    ['a count of full-width digits', '１ a'],
    ['a control character in the topic', '1 a\nb'],
    ['a topic of 255 bytes', `1 ${'x'.repeat(255)}`],
  ])('leaves an element out that has %s', (_what, element) => {
    expect(parsed(`3\t1 ok\t${element}\t2 end`)).toEqual({
      topicSeq: 3,
      topics: [
        ['ok', 1],
        ['end', 2],
      ],
      refused: 1,
    });
    expect(parsed(`3\t${element}`)).toEqual({ topicSeq: 3, topics: [], refused: 1 });
  });

  it('leaves a topic out that is not UTF-8, and keeps the longest one', () => {
    const longest = 'x'.repeat(TOPIC_BYTES_MAX);
    const list = Buffer.concat([text('3\t1 '), Buffer.of(0xc3, 0x28), text(`\t1000000 ${longest}`)]);
    expect(parsed(list)).toEqual({ topicSeq: 3, topics: [[longest, RELAY_COUNT_MAX]], refused: 1 });
  });

  it('is read from the middle of other bytes', () => {
    const around = text('xx5\t1 a\t2 byy');
    expect(parsed(around.subarray(2, around.length - 2))).toEqual({
      topicSeq: 5,
      topics: [
        ['a', 1],
        ['b', 2],
      ],
      refused: 0,
    });
  });

  it('is refused with one topic above the maximum, before any is read', () => {
    const list = (count: number) => text(`1${'\t1 t'.repeat(count)}`);
    expect(parseRelayTopics(list(PEER_TOPICS_MAX))).toMatchObject({ ok: true, refused: 0 });
    expect(parsed(list(PEER_TOPICS_MAX + 1))).toBe('too-many-topics');
    expect(parsed(Buffer.alloc(RELAY_LIST_BYTES_MAX + 1))).toBe('too-large');
    const million = text(`1${Array.from({ length: 1_000_000 }, (_, at) => `\t1 topic-${at}`).join('')}`);
    const start = performance.now();
    expect(parsed(million)).toBe('too-many-topics');
    // Decoding them takes about a second; the bound is wide for a busy machine.
    expect(performance.now() - start).toBeLessThan(150);
  });

  it('of as many and as long topics as there may be is written and read', () => {
    const topics = new Map<string, number>();
    for (let at = 0; at < PEER_TOPICS_MAX; at++) topics.set(String(at).padStart(TOPIC_BYTES_MAX, '0'), RELAY_COUNT_MAX);
    const list = formatRelayTopics(0xffffffff, topics);
    expect(list.length).toBeLessThanOrEqual(RELAY_LIST_BYTES_MAX);
    const back = parseRelayTopics(list);
    expect(back.ok && [back.topics.size, back.refused]).toEqual([PEER_TOPICS_MAX, 0]);
    topics.set('one more', 1);
    expect(() => formatRelayTopics(1, topics)).toThrow(RangeError);
  });

  it('has a count that a reader takes, however many there are', () => {
    expect(formatRelayTopics(1, mapOf({ a: RELAY_COUNT_MAX + 1 })).toString()).toBe('1\t1000000 a');
  });

  it.each([{ 'a\tb': 1 }, { ['x'.repeat(255)]: 1 }, { a: 0 }, { a: -1 }, { a: 1.5 }, { a: Number.NaN }])(
    'is never written with %j',
    (topics) => {
      expect(() => formatRelayTopics(1, mapOf(topics as Record<string, number>))).toThrow(RangeError);
    },
  );

  it('is read from any bytes without an exception', () => {
    const byte = fc.constantFrom(0x09, 0x20, 0x30, 0x31, 0x39, 0x61, 0xc3, 0xbc, 0x00, 0xff);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60, size: 'max' }), (bytes) => {
        const result = parseRelayTopics(Buffer.from(bytes));
        if (!result.ok) {
          expect(result.problem).toBe('no-topic-seq');
          return;
        }
        const elements = bytes.filter((one) => one === 0x09).length;
        expect(result.topics.size + result.refused).toBeLessThanOrEqual(elements);
        for (const count of result.topics.values()) expect(count).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});
