import { describe, expect, it } from 'vitest';
import { ChallengeGate } from '../../../src/shard/challenge-gate.js';
import { challengeOf, N, RANDOM } from './private-world.js';

const V = challengeOf(N);
const PAYLOAD = Buffer.from(RANDOM);

/** A challenge that nothing but its payload or its number could stop. */
function admit(
  gate: ChallengeGate,
  source: string,
  challengeTopic: string,
  messageTopic: string,
  payload: Buffer,
  nowMs: number,
  peer?: string,
): string {
  return gate.admit({ source, peer, certifying: true, held: true, challengeTopic, messageTopic, payload }, nowMs);
}

/** Results of challenges of one source at these times. */
function results(
  gate: ChallengeGate,
  source: string,
  timesMs: readonly number[],
  topic = V,
  payload = PAYLOAD,
): string[] {
  return timesMs.map((nowMs) => admit(gate, source, topic, N, payload, nowMs));
}

const many = (count: number, nowMs: number): number[] => Array.from({ length: count }, () => nowMs);

describe('the gate for challenges', () => {
  it('lets a source challenge a topic four times at once, then every two seconds', () => {
    const gate = new ChallengeGate();
    expect(results(gate, 'a', many(5, 0))).toEqual(['passed', 'passed', 'passed', 'passed', 'rate']);
    expect(results(gate, 'a', [1_990, 2_010, 2_020, 3_990, 4_010])).toEqual([
      'rate',
      'passed',
      'rate',
      'rate',
      'passed',
    ]);
    // And never more than that in the long run.
    const minute = results(
      gate,
      'a',
      Array.from({ length: 600 }, (_, n) => 4_000 + n * 100),
    );
    expect(minute.filter((result) => result === 'passed')).toHaveLength(29);
  });

  it('gives the whole allowance back after eight quiet seconds, and no more', () => {
    const gate = new ChallengeGate();
    results(gate, 'a', many(4, 0));
    expect(results(gate, 'a', many(6, 8_000)).filter((result) => result === 'passed')).toHaveLength(4);
    expect(results(gate, 'a', many(9, 1_000_000)).filter((result) => result === 'passed')).toHaveLength(4);
  });

  it('counts each source and each topic by itself', () => {
    const gate = new ChallengeGate();
    results(gate, 'a', many(9, 0));
    expect(results(gate, 'b', many(5, 0))).toEqual(['passed', 'passed', 'passed', 'passed', 'rate']);
    const other = Buffer.from('00'.repeat(16));
    expect(results(gate, 'a', many(5, 0), challengeOf(N, '1'), other).at(-2)).toBe('passed');
    expect(results(gate, 'a', [0])).toEqual(['rate']);
  });

  it('lets nothing of another shape through, and does not count it against the source', () => {
    const gate = new ChallengeGate();
    for (let n = 0; n < 20; n++) {
      expect(admit(gate, 'a', V, N, Buffer.from('transaction, or anything else'), 0)).toBe('shape');
    }
    expect(results(gate, 'a', many(5, 0))).toEqual(['passed', 'passed', 'passed', 'passed', 'rate']);
  });

  it('takes the shapes of Go and web3sdk', () => {
    const gate = new ChallengeGate();
    const json = Buffer.from(JSON.stringify({ randValue: RANDOM, topic: N }));
    const topic = Buffer.from(V);
    const block = Buffer.concat([Buffer.of(1 + topic.length), topic, Buffer.of(0, json.length), json]);
    expect([
      admit(gate, 'a', V, N, Buffer.alloc(17, 1), 0),
      admit(gate, 'b', V, N, block, 0),
      admit(gate, 'c', V, '#!$TopicNeedVerify_other', block, 0),
    ]).toEqual(['passed', 'passed', 'shape']);
  });

  it('remembers 8,192 allowances, and forgets the one that was used longest ago', () => {
    const gate = new ChallengeGate();
    results(gate, 'first', many(4, 0));
    results(gate, 'second', many(4, 0));
    for (let n = 0; n < 8_190; n++) admit(gate, `s${n}`, V, N, PAYLOAD, 1);
    expect(results(gate, 'first', [1]), 'all of them fit').toEqual(['rate']);
    admit(gate, 'one more', V, N, PAYLOAD, 1);
    expect(results(gate, 'first', [1]), 'it was used lately').toEqual(['rate']);
    expect(results(gate, 'second', [1]), 'it made room').toEqual(['passed']);
  });

  it('forgets nobody who was quiet for less than eight seconds while there is room', () => {
    const gate = new ChallengeGate();
    results(gate, 'a', many(4, 0));
    for (let nowMs = 0; nowMs < 1_999; nowMs += 10) admit(gate, `s${nowMs}`, V, N, PAYLOAD, nowMs);
    expect(results(gate, 'a', [1_999])).toEqual(['rate']);
  });

  it('lets only who certifies challenge, and only where somebody takes challenges', () => {
    const gate = new ChallengeGate();
    const attempt = { source: 'a', challengeTopic: V, messageTopic: N, payload: PAYLOAD };
    const judge = (certifying: boolean, held: boolean, peer?: string) =>
      gate.admit({ ...attempt, certifying, held, peer }, 0);
    expect([judge(false, true), judge(false, true, 'B'), judge(true, false), judge(true, true)]).toEqual([
      'not-a-sender',
      'not-listed',
      'no-subscriber',
      'passed',
    ]);
  });

  it('bounds all sources behind a peer together', () => {
    const gate = new ChallengeGate();
    const results = Array.from({ length: 300 }, (_, n) => admit(gate, `source ${n}`, V, N, PAYLOAD, 0, 'B'));
    expect(results.filter((result) => result === 'passed')).toHaveLength(256);
    expect(admit(gate, 'source 0', V, N, PAYLOAD, 0, 'C'), 'another peer').toBe('passed');
    const later = Array.from({ length: 40 }, (_, n) => admit(gate, `late ${n}`, V, N, PAYLOAD, 1_000, 'B'));
    expect(later.filter((result) => result === 'passed')).toHaveLength(16);
  });
});
