/** Crowds: more subscribers than anybody has, to make a relay, or a sender, work for nothing. On the modules that decide. */
import { describe, expect, it } from 'vitest';
import { Certification, type Subscriber } from '../../src/core/certification.js';
import { type Backoff, BackoffTable } from '../../src/core/certification-backoff.js';
import { PAIRS_MAX, PAIRS_PER_ORIGIN_MAX, PAIRS_PER_SENDER_MAX } from '../../src/core/pair-counts.js';

const N = '#!$TopicNeedVerify_topic';
const topicOf = (n: number): string => `${N}${n}`;

const subscriber = (n: number, origin: string, digest: string, messageTopic = N): Subscriber => ({
  id: `${n} ${origin} ${messageTopic}`,
  messageTopic,
  origin,
  nodeId: `node ID of ${n} behind ${origin}`,
  digest,
  challengeTopics: [`#!$VerifyChannel_${messageTopic}_${n.toString(16).padStart(32, '0')}`],
});

function watched() {
  const asked: string[] = [];
  const outcomes: string[] = [];
  const certification = new Certification(600_000, {
    ask: (sender, { id }) => asked.push(`${sender} about ${id}`),
    allow: () => {},
    deny: () => {},
    challengeRoute: () => {},
    claimRefused: () => {},
    outcome: (_sender, _subscriber, outcome) => outcomes.push(outcome),
  });
  return { certification, asked, outcomes };
}

describe('a relay that lists thousands of sessions', () => {
  it('takes no more pairs than its share, is told of once, and keeps nobody else from being certified', () => {
    const { certification, asked, outcomes } = watched();
    for (let n = 0; n < 100; n++) certification.setSender({ id: `s${n}`, digest: `d${n}` }, [N], 0);
    const crowd = Array.from({ length: 4_096 }, (_, n) => subscriber(n, 'crowd', `c${n}`));
    certification.setSubscribers('crowd', crowd, 0);
    expect(certification.pairs()).toHaveLength(PAIRS_PER_ORIGIN_MAX);
    expect(outcomes).toEqual(['pairs-max']);
    asked.length = 0;
    certification.setSubscribers('bob', [subscriber(5_000, 'bob', 'b')], 0);
    expect(asked).toHaveLength(100);
    // What it does not take any more is free again.
    certification.setSubscribers('crowd', [], 0);
    expect(certification.pairs()).toHaveLength(100);
    certification.setSubscribers('crowd', crowd, 0);
    expect(certification.pairs()).toHaveLength(100 + PAIRS_PER_ORIGIN_MAX);
    for (let n = 0; n < 100; n++) certification.setSender({ id: `s${n}`, digest: `d${n}` }, [], 0);
    expect(certification.pairs()).toEqual([]);
  });

  it('makes no sender answer more than one question at a time', () => {
    const { certification, asked } = watched();
    certification.setSender({ id: 'alice', digest: 'a' }, [N], 0);
    certification.setSubscribers(
      'crowd',
      Array.from({ length: 4_096 }, (_, n) => subscriber(n, 'crowd', `c${n}`)),
      0,
    );
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) certification.tick(nowMs);
    // Each is given up after six seconds.
    expect(asked).toHaveLength(10);
  });
});

describe('a session that announces thousands of topics', () => {
  it('takes no more pairs than its share', () => {
    const { certification } = watched();
    for (let node = 0; node < 8; node++) {
      const all = Array.from({ length: 4_096 }, (_, n) => subscriber(n, `node ${node}`, `d${node}`, topicOf(n)));
      certification.setSubscribers(`node ${node}`, all, 0);
    }
    const topics = Array.from({ length: 4_096 }, (_, n) => topicOf(n));
    certification.setSender({ id: 'mallory', digest: 'm' }, topics, 0);
    expect(certification.pairs()).toHaveLength(PAIRS_PER_SENDER_MAX);
    for (let n = 0; n < 8; n++) certification.setSender({ id: `m${n}`, digest: 'm' }, topics, 0);
    expect(certification.pairs()).toHaveLength(PAIRS_MAX);
  });
});

describe('a crowd of sessions with one certificate', () => {
  it('makes a sender answer four questions at a time, and none while one of them has failed', () => {
    const { certification, asked } = watched();
    certification.setSender({ id: 'alice', digest: 'a' }, [N], 0);
    const join = (n: number) => certification.setSubscribers(`session ${n}`, [subscriber(n, `session ${n}`, 'm')], 0);
    for (let n = 0; n < 1_000; n++) join(n);
    expect(asked).toHaveLength(4);
    for (let nowMs = 0; nowMs <= 7_900; nowMs += 100) certification.tick(nowMs);
    expect(asked).toHaveLength(4);
    // Another one is asked about at once.
    certification.setSubscribers('bob', [subscriber(5_000, 'bob', 'b')], 7_900);
    expect(asked.at(-1)).toContain('bob');
    expect(asked).toHaveLength(5);
  });
});

describe('the table of back-offs', () => {
  it('takes a crowd of certificates in the time of a crowd, and keeps who failed last', () => {
    const table = new BackoffTable();
    const failing: Backoff = table.get('failing', 0);
    const startMs = performance.now();
    for (let n = 0; n < 100_000; n++) {
      table.get(`crowd ${n}`, n);
      if (n % 1_000 === 0) failing.failed(n);
    }
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(table.get('failing', 100_000)).toBe(failing);
  });
});
