/** (e), and (b) where it is about time: what stays true for too long. By the clock of the test, on the modules that decide. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Certification as Ours, type Subscriber } from '../../src/core/certification.js';
import { Certification as Reference } from './reference/core/certification.js';

const TTL_MS = 600_000;
const DAY_MS = 86_400_000;
const N = '#!$TopicNeedVerify_topic';
const NODE = 'b'.repeat(128);
const alice = { id: 'alice', digest: 'a' };

const subscriber = (id: string, number: string, digest = id, origin = NODE): Subscriber => ({
  id,
  messageTopic: N,
  origin,
  nodeId: `node ID of ${id}`,
  digest,
  challengeTopics: [`#!$VerifyChannel_${N}_${number.repeat(32)}`],
});
const bob = subscriber('bob', '0');
const eve = subscriber('eve', '1');

describe.each([
  ['works by the rules of the reference', Reference, true],
  ['fails against this relay', Ours, false],
])('(e) what was true once %s', (_, Certification, works) => {
  const questions: { readonly subscriber: string; readonly nodeId: string }[] = [];
  const served = new Set<string>();
  let nowMs = 0;
  let certification: Ours | Reference;

  beforeEach(() => {
    nowMs = 0;
    questions.length = 0;
    served.clear();
    certification = new Certification(TTL_MS, {
      ask: (_sender, { id, nodeId }) => questions.push({ subscriber: id, nodeId }),
      allow: (_sender, { id }) => served.add(id),
      deny: (_sender, { id }) => served.delete(id),
      challengeRoute: () => {},
      claimRefused: () => {},
      outcome: () => {},
    });
    certification.setSender(alice, [N], nowMs);
  });

  const list = (...subscribers: Subscriber[]) => certification.setSubscribers(NODE, subscribers, nowMs);
  const answer = (verified: boolean, question = questions.at(-1)) =>
    certification.result(alice.id, question?.nodeId ?? '', N, verified, nowMs);
  function pass(ms: number): void {
    const endMs = nowMs + ms;
    while (nowMs < endMs) {
      nowMs = Math.min(endMs, nowMs + 100);
      certification.tick(nowMs);
    }
  }

  it('a result that comes later than 30 s after the question counts', () => {
    list(bob);
    nowMs = 30_000;
    answer(true);
    expect(served.has('bob')).toBe(works);
  });

  it('a result that comes when the question was given up, and long before the next, counts', () => {
    list(bob);
    pass(88_000); // Asked at 0, 8, 18, 32 and 54 s; the next time at 92 s.
    answer(true);
    expect(served.has('bob')).toBe(works);
  });

  it('a success counts for ever, with nobody asked again', () => {
    list(bob);
    answer(true);
    expect(served.has('bob')).toBe(true);
    pass(TTL_MS + 1_000);
    expect(served.has('bob')).toBe(works);
    expect(questions.length === 1).toBe(works);
  });

  it('a success outlives the key: it is not taken back when the signature is wrong', () => {
    list(bob);
    answer(true);
    pass(TTL_MS * 0.8 + 1_000);
    answer(false);
    expect(served.has('bob')).toBe(works);
  });

  it('a failure counts for ever, so that one bad answer ends a topic', () => {
    list(bob);
    answer(false);
    pass(works ? DAY_MS : 3_000);
    expect(questions.length === 1).toBe(works);
    answer(true);
    expect(served.has('bob')).toBe(!works);
  });

  it('a success passes to the session that comes in the place of the certified one', () => {
    list(bob);
    answer(true);
    list(eve);
    expect(served).toEqual(new Set(works ? ['eve'] : []));
  });

  it('a success counts for the session that comes beside the certified one', () => {
    list(bob);
    answer(true);
    list(bob, eve);
    expect(served).toEqual(new Set(works ? ['bob', 'eve'] : ['bob']));
  });
});

describe('a claim that is certified through itself', () => {
  it('is not, by the answer to a question about another claim on its challenge topic', () => {
    const served: string[] = [];
    const questions: Subscriber[] = [];
    const certification = new Ours(TTL_MS, {
      ask: (_sender, asked) => questions.push(asked),
      allow: (_sender, { id }) => served.push(id),
      deny: () => {},
      challengeRoute: () => {},
      claimRefused: () => {},
      outcome: () => {},
    });
    const copy = { ...subscriber('thief', '0', 'bob', 'c'.repeat(128)) };
    certification.setSender(alice, [N], 0);
    certification.setSubscribers(copy.origin, [copy], 0);
    certification.setSubscribers(NODE, [bob], 0);
    // One at a time: of two challenges on one topic nobody could say which is for which.
    expect(questions.map(({ id }) => id)).toEqual(['thief']);
    for (let nowMs = 0; nowMs <= 9_000; nowMs += 100) certification.tick(nowMs);
    expect(questions.map(({ id }) => id)).toEqual(['thief', 'bob']);
    // The challenge for the first was late, went to Bob, and was signed.
    expect(certification.result(alice.id, copy.nodeId, N, true, 9_500)).toBe('not-asked');
    expect(certification.result(alice.id, bob.nodeId, N, true, 9_600)).toBe('certified');
    expect(served).toEqual(['bob']);
  });
});
