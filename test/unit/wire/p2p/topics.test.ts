import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import {
  formatTopicSeq,
  formatTopics,
  PEER_TOPICS_MAX,
  parseTopicSeq,
  parseTopics,
  TOPIC_LIST_BYTES_MAX,
} from '../../../../src/wire/p2p/topics.js';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

describe('topic sequence', () => {
  it('is decimal text of 32 bits', () => {
    for (const topicSeq of [0, 5, 14, 4294967295]) expect(parseTopicSeq(formatTopicSeq(topicSeq))).toBe(topicSeq);
    expect(formatTopicSeq(14).toString()).toBe('14');
  });

  it.each(['', 'abc', '-1', '+1', ' 1', '1\n', '1.0', '0x1', '4294967296', '00000000001', '１'])('is not %j', (value) =>
    expect(parseTopicSeq(text(value))).toBeUndefined(),
  );

  it.each([-1, 1.5, 4294967296, Number.NaN])('is never written for %s', (value) => {
    expect(() => formatTopicSeq(value)).toThrow(RangeError);
  });
});

describe('topic list of a peer', () => {
  it('is the sequence and the topics in byte order, each once', () => {
    expect(formatTopics(5, ['b', 'a', 'B', 'ü', 'b', '']).toString()).toBe('5\t\tB\ta\tb\tü');
    // Byte order, not the order of UTF-16 units.
    expect(formatTopics(1, ['\u{1f600}', '\uffee']).toString()).toBe('1\t\uffee\t\u{1f600}');
    expect(formatTopics(0, []).toString()).toBe('0');
  });

  it('keeps the order it reads and drops duplicates', () => {
    expect(parseTopics(text('7\tb\ta\tb'))).toEqual({ ok: true, topicSeq: 7, topics: ['b', 'a'], refused: 0 });
    expect(parseTopics(text('7'))).toEqual({ ok: true, topicSeq: 7, topics: [], refused: 0 });
    expect(parseTopics(text('7\t'))).toEqual({ ok: true, topicSeq: 7, topics: [''], refused: 0 });
  });

  it('leaves out what nobody could send to', () => {
    const list = Buffer.concat([text(`3\tok\ta\nb\t${'x'.repeat(255)}\t`), Buffer.from([0xff]), text('\tend')]);
    expect(parseTopics(list)).toEqual({ ok: true, topicSeq: 3, topics: ['ok', 'end'], refused: 3 });
  });

  it('keeps a byte order mark, which is part of the name', () => {
    expect(parseTopics(text('3\t\ufeffa'))).toMatchObject({ topics: ['\ufeffa'] });
  });

  it.each(['', '\t', '\ta', 'x\ta', '4294967296\ta'])('needs a sequence: %j has none', (list) => {
    expect(parseTopics(text(list))).toEqual({ ok: false, problem: 'no-topic-seq' });
  });

  it('refuses one topic above the maximum', () => {
    const list = (count: number) => text(`1${'\tt'.repeat(count)}`);
    expect(parseTopics(list(PEER_TOPICS_MAX))).toMatchObject({ ok: true, topics: ['t'] });
    expect(parseTopics(list(PEER_TOPICS_MAX + 1))).toEqual({ ok: false, problem: 'too-many-topics' });
    expect(parseTopics(Buffer.alloc(TOPIC_LIST_BYTES_MAX + 1))).toEqual({ ok: false, problem: 'too-large' });
  });

  it('refuses a million topics in milliseconds', () => {
    const list = text(`1${Array.from({ length: 1_000_000 }, (_, i) => `\ttopic-${i}`).join('')}`);
    const start = performance.now();
    expect(parseTopics(list)).toEqual({ ok: false, problem: 'too-many-topics' });
    // Decoding them takes about a second; the bound is wide for a busy machine.
    expect(performance.now() - start).toBeLessThan(150);
  });

  it('is never written with a topic that would corrupt it', () => {
    expect(() => formatTopics(1, ['a\tb'])).toThrow(RangeError);
    expect(() => formatTopics(1, ['x'.repeat(255)])).toThrow(RangeError);
    const many = Array.from({ length: PEER_TOPICS_MAX + 1 }, (_, i) => `${i}`);
    expect(() => formatTopics(1, many)).toThrow(RangeError);
    const written = parseTopics(formatTopics(1, many.slice(1)));
    expect(written.ok && written.topics.length).toBe(PEER_TOPICS_MAX);
  });
});
