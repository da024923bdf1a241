import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HANDLES_MAX } from '../../../../src/wire/mesh/private-frame.js';
import {
  formatRelayTopics,
  type PrivateSubscriber,
  parseRelayTopics,
  RELAY_COUNT_MAX,
  RELAY_LIST_BYTES_MAX,
} from '../../../../src/wire/mesh/relay-topics.js';
import { PEER_TOPICS_MAX } from '../../../../src/wire/p2p/topics.js';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const N = '#!$TopicNeedVerify_t';
const N2 = '#!$TopicNeedVerify_t2';
const challengeOf = (messageTopic: string, digit = '0'): string =>
  `#!$VerifyChannel_${messageTopic}_${digit.repeat(32)}`;
const HANDLE = '00112233445566ff';
const DIGEST = 'ab'.repeat(32);

const session = (fields: Partial<PrivateSubscriber> = {}): PrivateSubscriber => ({
  handle: HANDLE,
  digest: DIGEST,
  challengeTopic: challengeOf(N),
  ...fields,
});
const element = (fields: Partial<PrivateSubscriber> = {}): string => {
  const { handle, digest, challengeTopic } = session(fields);
  return `@${handle} ${digest} ${challengeTopic}`;
};

function parsed(list: string | Buffer) {
  const result = parseRelayTopics(typeof list === 'string' ? text(list) : list);
  if (!result.ok) throw new Error(result.problem);
  const { topicSeq, refused } = result;
  return { topicSeq, refused, topics: [...result.topics], subscribers: [...result.subscribers] };
}

const problemOf = (list: string | Buffer) => parseRelayTopics(typeof list === 'string' ? text(list) : list);

describe('topic list between relays', () => {
  it('is the sequence and the topics with their counts, in byte order', () => {
    const topics = new Map([
      ['orders', 2],
      ['news', 1],
      ['12 o’clock', 3],
      ['', 4],
    ]);
    expect(`${formatRelayTopics(7, topics)}`).toBe('7\t4 \t3 12 o’clock\t1 news\t2 orders');
    expect(parsed('7\t4 \t3 12 o’clock\t1 news\t2 orders')).toEqual({
      topicSeq: 7,
      topics: [
        ['', 4],
        ['12 o’clock', 3],
        ['news', 1],
        ['orders', 2],
      ],
      subscribers: [],
      refused: 0,
    });
    expect(`${formatRelayTopics(0, new Map())}`).toBe('0');
    expect(parsed('0')).toEqual({ topicSeq: 0, topics: [], subscribers: [], refused: 0 });
  });

  it('has the subscriber sessions of a private topic behind it', () => {
    const second = session({ handle: 'f'.repeat(16), challengeTopic: challengeOf(N, 'A') });
    const other = session({ challengeTopic: challengeOf(N2) });
    const subscribers = new Map([
      [N2, [other]],
      [N, [session(), second]],
    ]);
    const list = formatRelayTopics(
      9,
      new Map([
        ['z', 1],
        [N2, 1],
        [N, 2],
      ]),
      subscribers,
    );
    expect(`${list}`).toBe(
      `9\t2 ${N}\t${element()}\t@${'f'.repeat(16)} ${DIGEST} ${challengeOf(N, 'A')}` +
        `\t1 ${N2}\t${element({ challengeTopic: challengeOf(N2) })}\t1 z`,
    );
    expect(parsed(list)).toEqual({
      topicSeq: 9,
      topics: [
        [N, 2],
        [N2, 1],
        ['z', 1],
      ],
      subscribers: [
        [N, [session(), second]],
        [N2, [other]],
      ],
      refused: 0,
    });
  });

  it('takes a topic that begins with @ for a topic', () => {
    expect(parsed('1\t2 @home')).toMatchObject({ topics: [['@home', 2]], subscribers: [], refused: 0 });
  });

  it('is read back as it was written, whatever the topics', () => {
    const name = fc
      .string({ unit: 'grapheme', maxLength: 40 })
      .map((one) => [...one].filter((char) => char >= ' ' && char !== '\x7f').join(''));
    const topics = fc.uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: RELAY_COUNT_MAX })), {
      selector: ([one]) => one,
    });
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
    const subscriber = fc.record({ handle: hex(16), digest: hex(64), id: hex(32) });
    const priv = fc.uniqueArray(fc.tuple(name, fc.array(subscriber, { minLength: 1, maxLength: 4 })), {
      selector: ([one]) => one,
    });
    fc.assert(
      fc.property(fc.nat(0xffffffff), topics, priv, (topicSeq, plain, secret) => {
        const counts = new Map(plain.filter(([topic]) => !topic.startsWith('#!$')));
        const subscribers = new Map<string, PrivateSubscriber[]>();
        for (const [short, sessions] of secret) {
          const messageTopic = `#!$TopicNeedVerify_${short}`;
          counts.set(messageTopic, sessions.length);
          subscribers.set(
            messageTopic,
            sessions.map(({ handle, digest, id }) => ({
              handle,
              digest,
              challengeTopic: `#!$VerifyChannel_${messageTopic}_${id}`,
            })),
          );
        }
        const read = parseRelayTopics(formatRelayTopics(topicSeq, counts, subscribers));
        expect(read).toEqual({ ok: true, topicSeq, topics: counts, subscribers, refused: 0 });
      }),
      { numRuns: 300 },
    );
  });

  it('cut off anywhere is a shorter list and never another one', () => {
    const whole = formatRelayTopics(
      12,
      new Map([
        ['plain', 3],
        [N, 2],
        [N2, 1],
      ]),
      new Map([
        [N, [session(), session({ handle: 'e'.repeat(16) })]],
        [N2, [session({ challengeTopic: challengeOf(N2) })]],
      ]),
    );
    const full = parsed(whole);
    expect(problemOf(whole.subarray(0, 0))).toEqual({ ok: false, problem: 'no-topic-seq' });
    for (let length = 1; length < whole.length; length++) {
      const { topics, subscribers, refused } = parsed(whole.subarray(0, length));
      const context = `${length} bytes`;
      expect(refused, context).toBeLessThanOrEqual(1);
      // Only the last element can be another one than in the whole list: a topic cut short is a topic.
      for (const [at, entry] of topics.slice(0, -1).entries()) expect(entry, context).toEqual(full.topics[at]);
      for (const [topic, sessions] of subscribers) {
        const known = full.subscribers.find(([name]) => name === topic)?.[1] ?? [];
        expect(sessions, context).toEqual(known.slice(0, sessions.length));
      }
    }
  });
});

describe('a hostile topic list', () => {
  it.each([
    ['no session', '@'],
    ['a handle of 15 digits', `@${HANDLE.slice(1)} ${DIGEST} ${challengeOf(N)}`],
    ['a handle in upper case', `@${HANDLE.toUpperCase()} ${DIGEST} ${challengeOf(N)}`],
    ['a digest of 63 digits', `@${HANDLE} ${DIGEST.slice(1)} ${challengeOf(N)}`],
    ['no digest', `@${HANDLE} ${challengeOf(N)}`],
    ['another separator', element().replace(' ', '_')],
    ['two blanks', element().replace(' ', '  ')],
    ['no challenge topic', `@${HANDLE} ${DIGEST} `],
    ['a public challenge topic', element({ challengeTopic: 'news' })],
    ['the message topic for a challenge topic', element({ challengeTopic: N })],
    ['the challenge topic of another topic', element({ challengeTopic: challengeOf(N2) })],
    ['one with a further digit', element({ challengeTopic: `${challengeOf(N)}0` })],
    ['one with a digit less', element({ challengeTopic: challengeOf(N).slice(0, -1) })],
    ['one with a line end', element({ challengeTopic: `${challengeOf(N)}\n` })],
    ['a zero byte', element({ challengeTopic: `${challengeOf(N).slice(0, -1)}\0` })],
  ])('loses an element with %s, and keeps the others', (_what, bad) => {
    expect(parsed(`3\t1 ${N}\t${bad}\t${element({ handle: 'a'.repeat(16) })}\t1 z`)).toEqual({
      topicSeq: 3,
      topics: [
        [N, 1],
        ['z', 1],
      ],
      subscribers: [[N, [session({ handle: 'a'.repeat(16) })]]],
      refused: 1,
    });
  });

  it('loses a session that stands behind no topic, a public one or one that was refused', () => {
    expect(parsed(`3\t${element()}\t1 ${N}`)).toMatchObject({ subscribers: [], refused: 1 });
    expect(parsed(`3\t1 ${N}\t1 news\t${element()}`)).toMatchObject({ subscribers: [], refused: 1 });
    expect(parsed(`3\t1 a\t0 ${N}\t${element()}`)).toMatchObject({ topics: [['a', 1]], subscribers: [], refused: 2 });
  });

  it('loses a name that is not UTF-8, of a topic or of a challenge topic', () => {
    const bad = Buffer.concat([
      text('3\t1 a'),
      Buffer.of(0xff),
      text(`\t1 ${N}\t@${HANDLE} ${DIGEST} `),
      Buffer.of(0xc3),
    ]);
    expect(parsed(bad)).toEqual({ topicSeq: 3, topics: [[N, 1]], subscribers: [], refused: 2 });
  });

  it('loses a challenge topic that only looks like the right one after a repair', () => {
    // A byte that is no UTF-8 becomes U+FFFD when it is decoded, which a name may hold.
    const name = '#!$TopicNeedVerify_\ufffd';
    const topic = text(challengeOf(name));
    const at = topic.indexOf(0xef);
    const raw = Buffer.concat([topic.subarray(0, at), Buffer.of(0xff), topic.subarray(at + 3)]);
    const list = Buffer.concat([text(`3\t1 ${name}\t@${HANDLE} ${DIGEST} `), raw]);
    expect(parsed(list)).toEqual({ topicSeq: 3, topics: [[name, 1]], subscribers: [], refused: 1 });
  });

  it('loses a challenge topic that is too long, as that of a name with 186 bytes', () => {
    const list = (name: string) => `3\t1 ${name}\t${element({ challengeTopic: challengeOf(name) })}`;
    const longest = `#!$TopicNeedVerify_${'x'.repeat(185)}`;
    expect(parsed(list(longest))).toMatchObject({ refused: 0, subscribers: [[longest, [{ handle: HANDLE }]]] });
    expect(parsed(list(`${longest}x`))).toMatchObject({ refused: 1, subscribers: [] });
  });

  it.each(['0', '-1', '+1', '', ' ', '1.5', '0x1', '1000001', '99999999', '00000001', '１'])(
    'loses a topic with the count %j',
    (count) => expect(parsed(`3\t${count} a\t1 b`)).toMatchObject({ topics: [['b', 1]], refused: 1 }),
  );

  it('loses a count without a topic behind a blank', () => {
    expect(parsed('3\t5\t1 b')).toMatchObject({ topics: [['b', 1]], refused: 1 });
    expect(parsed('3\tnews\t1 b')).toMatchObject({ topics: [['b', 1]], refused: 1 });
    expect(parsed('3\t\t1 b')).toMatchObject({ topics: [['b', 1]], refused: 1 });
  });

  it('has counts up to a million; a relay writes none that is larger', () => {
    expect(parsed(`3\t${RELAY_COUNT_MAX} a`)).toMatchObject({ topics: [['a', RELAY_COUNT_MAX]] });
    expect(`${formatRelayTopics(3, new Map([['a', 5_000_000]]))}`).toBe(`3\t${RELAY_COUNT_MAX} a`);
  });

  it('counts a topic that stands twice as it stands first, and all its sessions', () => {
    const second = element({ handle: 'b'.repeat(16) });
    expect(parsed(`3\t1 ${N}\t${element()}\t9 ${N}\t${second}`)).toMatchObject({
      topics: [[N, 1]],
      subscribers: [[N, [session(), session({ handle: 'b'.repeat(16) })]]],
      refused: 0,
    });
  });

  it('keeps at most 4,096 sessions of a topic, the first ones', () => {
    const sessions = Array.from({ length: HANDLES_MAX + 10 }, (_, n) =>
      element({ handle: n.toString(16).padStart(16, '0') }),
    );
    const { subscribers, refused } = parsed(`3\t1 ${N}\t${sessions.join('\t')}`);
    expect([subscribers[0][1].length, subscribers[0][1].at(-1)?.handle, refused]).toEqual([
      HANDLES_MAX,
      (HANDLES_MAX - 1).toString(16).padStart(16, '0'),
      10,
    ]);
  });

  it('is refused whole without a sequence', () => {
    for (const list of ['', '\t', '\t1 a', 'x\t1 a', '4294967296\t1 a', '@\t1 a']) {
      expect(problemOf(list), JSON.stringify(list)).toEqual({ ok: false, problem: 'no-topic-seq' });
    }
  });

  it('is refused whole with one element above the maximum, topics and sessions together', () => {
    const list = (count: number) => text(`1\t1 ${N}${`\t${element()}`.repeat(count - 1)}`);
    expect(problemOf(list(PEER_TOPICS_MAX))).toMatchObject({ ok: true, refused: PEER_TOPICS_MAX - 1 - HANDLES_MAX });
    expect(problemOf(list(PEER_TOPICS_MAX + 1))).toEqual({ ok: false, problem: 'too-many-topics' });
    expect(problemOf(Buffer.alloc(RELAY_LIST_BYTES_MAX + 1))).toEqual({ ok: false, problem: 'too-large' });
  });

  it('of a hundred thousand sessions is refused in milliseconds', () => {
    const list = text(`1${`\t${element()}`.repeat(100_000)}`);
    const startMs = performance.now();
    expect(problemOf(list)).toEqual({ ok: false, problem: 'too-many-topics' });
    // Reading them takes hundreds of milliseconds; the bound is wide for a busy machine.
    expect(performance.now() - startMs).toBeLessThan(150);
  });

  it('of any bytes is read without an exception', () => {
    const piece = fc.constantFrom(
      '\t',
      '@',
      ' ',
      '1',
      '5 ',
      N,
      HANDLE,
      DIGEST,
      challengeOf(N),
      element(),
      'x',
      '\n',
      '\0',
    );
    const pieces = fc.array(piece, { maxLength: 24 }).map((parts) => text(parts.join('')));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), pieces), (bytes) => {
        const result = parseRelayTopics(bytes);
        if (!result.ok) return;
        for (const [topic, sessions] of result.subscribers) {
          expect(result.topics.has(topic)).toBe(true);
          for (const one of sessions) expect(one.challengeTopic).toMatch(`#!$VerifyChannel_${topic}_`);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a topic list that cannot be written', () => {
  it('is one with a topic that is none, with no subscriber, or with too many topics', () => {
    expect(() => formatRelayTopics(1, new Map([['a\tb', 1]]))).toThrow(RangeError);
    expect(() => formatRelayTopics(1, new Map([['x'.repeat(255), 1]]))).toThrow(RangeError);
    for (const count of [0, -1, 1.5, Number.NaN]) {
      expect(() => formatRelayTopics(1, new Map([['a', count]]))).toThrow(RangeError);
    }
    const many = new Map(Array.from({ length: PEER_TOPICS_MAX + 1 }, (_, n) => [`${n}`, 1]));
    expect(() => formatRelayTopics(1, many)).toThrow(RangeError);
    expect(() => formatRelayTopics(-1, new Map())).toThrow(RangeError);
  });
});
