/** Topics on which the relay certifies subscribers in its own name, and those on which it answers in the place of a session. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ChallengeVerdict } from '../../../../src/control/private/challenge-verifier.js';
import type { KeyChanges } from '../../../../src/control/topic-keys.js';
import { until } from '../../../helpers/deadline.js';
import { challengeOf, digestOf, handleOf, M, N, pushOf, remote, session, TopicsWorld } from './topics-world.js';

const AGENT = 's0';
const [alice, bob, carol] = [session(1), session(2), session(3)];
const V = challengeOf(N);
const NO_CHANGE: KeyChanges = { receivers: new Set(), own: new Set() };
const TTL_MS = 100_000;
const RENEWED_AT_MS = 80_000;

interface Challenge {
  readonly topic: string;
  readonly endpoint: number | undefined;
  readonly seq: Uint8Array;
  readonly payload: Uint8Array;
}

/** Verdicts that tests give when they like; without one a signature is right when it names its challenge. */
class Verifier {
  held: ((verdict: ChallengeVerdict) => void)[] | undefined;
  calls = 0;
  always: ChallengeVerdict | undefined;

  readonly verify = (topic: string, challenge: Uint8Array, signature: Uint8Array): Promise<ChallengeVerdict> => {
    this.calls++;
    const { held } = this;
    if (held) return new Promise((resolve) => held.push(resolve));
    const verdict = `${Buffer.from(signature)}` === `${topic} ${Buffer.from(challenge)}` ? 'right' : 'wrong';
    return Promise.resolve(this.always ?? verdict);
  };
}

function open(...agentTopics: string[]) {
  const verifier = new Verifier();
  const world = new TopicsWorld({ ttlMs: TTL_MS, agentTopics, verify: verifier.verify });
  const answer = async (challenge: Challenge, signature: string | undefined) => {
    const settled = world.topics.onMessage.bind(world.topics);
    settled({
      type: 'challenge-answered',
      seq: challenge.seq,
      signature: signature === undefined ? undefined : Buffer.from(signature),
    });
    await turns();
  };
  return {
    world,
    verifier,
    answer,
    /** Challenges since the last call. */
    challenged: (): Challenge[] => world.take('challenge-send'),
    answerRight: (challenge: Challenge, messageTopic = N) =>
      answer(challenge, `${messageTopic} ${Buffer.from(challenge.payload)}`),
    /** Of the only pair. */
    state: () => {
      const [{ state, failure }] = world.topics.status();
      return failure === undefined ? state : `${state}: ${failure}`;
    },
    /** Receivers that were let in and shut out since the last call. */
    doors: () => [
      ...world.take('private-target').map(({ route, endpoint }) => `+${route}>${endpoint}`),
      ...world.take('private-untarget').map(({ route, endpoint }) => `-${route}>${endpoint}`),
    ],
  };
}

/** Lets time pass until there is a challenge. */
function nextChallenge(world: TopicsWorld): Challenge {
  for (let passedMs = 0; passedMs < 300_000; passedMs += 100) {
    world.pass(100);
    const [challenge] = world.take('challenge-send');
    if (challenge) return challenge;
  }
  throw new Error('nobody is challenged');
}

/** What is decided takes some turns of the queue of promises, and no time. */
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n++) await Promise.resolve();
}

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on('unhandledRejection', note);
afterEach(() => {
  expect(unhandled).toEqual([]);
});

describe('a receiver that the relay certifies', () => {
  it('is challenged over its own claim, and let in by the right signature', async () => {
    const { world, challenged, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    const [challenge, ...more] = challenged();
    expect([challenge.topic, challenge.endpoint, more]).toEqual([V, 2, []]);
    expect([challenge.seq, challenge.payload].map((bytes) => `${bytes}`)).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    expect(state()).toBe('pending');
    await answerRight(challenge);
    expect([doors(), state(), world.count('certified')]).toEqual([[`+${AGENT}>2`], 'certified', 1]);
    expect(world.asked(), 'nobody is sent a 0x37').toEqual([]);
  });

  it('is challenged on every topic by itself, here and behind peers', async () => {
    const { world, challenged, answerRight, doors } = open(N, M);
    world.has(bob, N, V, M, challengeOf(M, '2'));
    world.relayLists(world.peer('b', 9), [N, [remote(7)]], [M, [remote(8, M)]]);
    const all = challenged();
    expect(all.map(({ topic, endpoint }) => [topic, endpoint])).toEqual([
      [V, 2],
      [challengeOf(M, '2'), 2],
      [remote(7).challengeTopic, 9],
      [remote(8, M).challengeTopic, 9],
    ]);
    expect(new Set(all.map(({ payload }) => `${payload}`)).size).toBe(4);
    await answerRight(all[1], M);
    await answerRight(all[2], M);
    expect(doors(), 'the signature of another topic').toEqual([`+${AGENT}>2`]);
    expect(world.topics.counts()).toEqual({ pending: 2, certified: 1, failed: 1 });
  });

  it('is certified for the relay and for a session that sends by itself, each for itself', async () => {
    const { world, challenged, answerRight, doors } = open(N);
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    const [question] = world.asked();
    await answerRight(challenged()[0]);
    expect(doors()).toEqual([`+${AGENT}>2`]);
    world.says(alice, question, 0);
    expect(doors()).toEqual(['+s1>2']);
  });

  it('is renewed in silence, and stays when the renewal is not answered', async () => {
    const { world, challenged, answer, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    await answerRight(challenged()[0]);
    world.pass(RENEWED_AT_MS - 100);
    expect(challenged()).toEqual([]);
    world.pass(200);
    const [renewal] = challenged();
    expect(renewal.topic).toBe(V);
    await answerRight(renewal);
    expect([doors(), state()]).toEqual([[`+${AGENT}>2`], 'certified']);
    world.pass(RENEWED_AT_MS + 100);
    await answer(challenged()[0], undefined);
    expect([doors(), state(), world.count('challenge-failed')]).toEqual([[], 'certified', 1]);
  });

  it('is shut out when it is not renewed in time, and let in again', async () => {
    const { world, challenged, answer, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    await answerRight(challenged()[0]);
    doors();
    for (let passedMs = 0; passedMs < TTL_MS; passedMs += 1_000) {
      world.pass(1_000);
      for (const challenge of challenged()) await answer(challenge, undefined);
    }
    expect([doors(), world.count('expired')]).toEqual([[`-${AGENT}>2`], 1]);
    expect(state()).toBe('failed: challenge-failed');
    await answerRight(nextChallenge(world));
    expect([doors(), state()]).toEqual([[`+${AGENT}>2`], 'certified']);
  });

  it('is shut out at once by a renewal with a wrong signature', async () => {
    const { world, challenged, answer, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    await answerRight(challenged()[0]);
    world.pass(RENEWED_AT_MS + 100);
    await answer(challenged()[0], 'stolen');
    expect([doors(), state()]).toEqual([[`+${AGENT}>2`, `-${AGENT}>2`], 'failed: refused']);
  });

  it('is tried again after 2 s, and after twice as long each time', async () => {
    const { world, challenged, answer, answerRight } = open(N);
    world.has(bob, N, V);
    const waits: number[] = [];
    await answer(challenged()[0], 'wrong');
    for (let n = 0; n < 4; n++) {
      const startMs = world.nowMs;
      const challenge = nextChallenge(world);
      waits.push(world.nowMs - startMs);
      await answer(challenge, n % 2 === 0 ? undefined : 'wrong');
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000]);
    await answerRight(nextChallenge(world));
    expect(world.topics.counts().certified).toBe(1);
  });

  it('that goes away while it is challenged has failed, and its answer changes nothing', async () => {
    const { world, challenged, answerRight, doors } = open(N);
    world.has(bob, N, V);
    const [challenge] = challenged();
    world.has(bob);
    await answerRight(challenge);
    expect([doors(), world.topics.status(), world.count('subscriber-left')]).toEqual([[], [], 1]);
    world.has(bob, N, V);
    expect(challenged(), 'it waits as after any failure').toEqual([]);
    world.pass(2_100);
    await answerRight(challenge);
    expect(doors()).toEqual([]);
    await answerRight(challenged()[0]);
    expect(doors()).toEqual([`+${AGENT}>2`]);
  });

  it('is not let in by an answer that comes when the question was given up and another one is open', async () => {
    const { world, verifier, challenged, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    const [late] = challenged();
    world.pass(6_000);
    expect([state(), world.count('unanswered')]).toEqual(['failed: unanswered', 1]);
    world.pass(2_000);
    const [now] = challenged();
    await answerRight(late);
    expect([doors(), verifier.calls]).toEqual([[], 0]);
    await answerRight(now);
    expect(doors()).toEqual([`+${AGENT}>2`]);
  });

  it('has not failed because an older question was never answered', async () => {
    const { world, challenged, answer, state } = open(N);
    world.has(bob, N, V);
    const [late] = challenged();
    world.pass(8_100);
    expect(challenged()).toHaveLength(1);
    const failures = () => world.count('challenge-failed');
    await answer(late, undefined);
    expect([failures(), state()]).toEqual([0, 'failed: unanswered']);
  });

  it('has not failed because another one with the same challenge topic has', async () => {
    const { world, challenged, answer, answerRight, doors } = open(N);
    for (const who of [bob, { ...carol, certificateDigest: bob.certificateDigest }]) world.has(who, N, V);
    const [first, ...more] = challenged();
    expect(more).toEqual([]);
    world.pass(8_000);
    const [second] = challenged();
    expect([first.endpoint, second.endpoint]).toEqual([2, 3]);
    await answer(first, undefined);
    expect(world.count('challenge-failed')).toBe(0);
    await answerRight(second);
    expect(doors()).toEqual([`+${AGENT}>3`]);
  });

  it('is let in by an answer after the question was given up, as long as no other one is open', async () => {
    const { world, challenged, answerRight, doors } = open(N);
    world.has(bob, N, V);
    const [challenge] = challenged();
    world.pass(7_000);
    await answerRight(challenge);
    expect(doors()).toEqual([`+${AGENT}>2`]);
  });

  it('is not let in by its signature of another challenge', async () => {
    const { world, challenged, answer, answerRight, doors, state } = open(N);
    world.has(bob, N, V);
    world.relayLists(world.peer('b', 9), [N, [remote(7)]]);
    const [first, second] = challenged();
    await answer(first, `${N} ${Buffer.from(second.payload)}`);
    expect([doors(), state()]).toEqual([[], 'failed: refused']);
    await answerRight(second);
    expect(doors()).toEqual([`+${AGENT}>9`]);
  });

  it('is judged by its first answer', async () => {
    const { world, verifier, challenged, answer, answerRight, state } = open(N);
    world.has(bob, N, V);
    const [challenge] = challenged();
    await answer(challenge, 'wrong');
    await answerRight(challenge);
    await answer({ ...challenge, seq: Buffer.alloc(32) }, 'of nothing');
    expect([state(), verifier.calls]).toEqual(['failed: refused', 1]);
  });

  it('has failed, and is not shut out, when its signature could not be checked', async () => {
    const { world, verifier, challenged, answer, answerRight, doors, state } = open(N);
    verifier.always = 'unchecked';
    world.has(bob, N, V);
    await answer(challenged()[0], 'x');
    expect(state()).toBe('failed: challenge-failed');
    verifier.always = undefined;
    world.pass(2_100);
    await answerRight(challenged()[0]);
    verifier.always = 'unchecked';
    world.pass(RENEWED_AT_MS + 100);
    await answer(challenged()[0], 'x');
    expect([doors(), state()]).toEqual([[`+${AGENT}>2`], 'certified']);
  });

  it('is one of 16,384 at most', () => {
    const { world, challenged } = open(N);
    const peers = Array.from('abcd', (digit, n) => world.peer(digit, 10 + n));
    const many = (from: number) =>
      Array.from({ length: 8_000 }, (_, n) =>
        remote(from + n, N, { challengeTopic: `#!$VerifyChannel_${N}_${(from + n).toString(16).padStart(32, '0')}` }),
      );
    for (const [n, peer] of peers.entries()) world.relayLists(peer, [N, many(8_000 * n)]);
    expect(world.topics.counts().pending).toBe(16_384);
    expect(world.count('pairs-max')).toBeGreaterThan(0);
    expect(challenged(), 'one of each peer at a time').toHaveLength(3);
  });
});

describe('other keys', () => {
  it('of receivers start what was certified and what has failed by the old ones anew, at once', async () => {
    const { world, challenged, answer, answerRight, doors } = open(N, M);
    world.has(bob, N, V);
    world.has(carol, M, challengeOf(M, '3'));
    const [first, second] = challenged();
    await answerRight(first);
    await answerRight(second, M);
    world.has(session(4), N, challengeOf(N, '4'));
    await answer(challenged()[0], 'wrong');
    expect(doors()).toEqual([`+${AGENT}>2`, `+${AGENT}>3`]);

    world.topics.setRules({ maySend: () => true, agentTopics: [N, M] }, { ...NO_CHANGE, receivers: new Set([N]) });
    expect(doors(), 'and the other topic is left alone').toEqual([`-${AGENT}>2`]);
    const again = challenged();
    expect(again.map(({ topic }) => topic)).toEqual([V, challengeOf(N, '4')]);
    expect(world.lines.at(-1)).toMatchObject({ level: 'info', fields: { component: 'private', pairs: 2 } });
    for (const challenge of again) await answerRight(challenge);
    expect(doors()).toEqual([`+${AGENT}>2`, `+${AGENT}>4`]);
  });

  it('of receivers make nothing of answers to what was asked before', async () => {
    const { world, verifier, challenged, answerRight, doors } = open(N);
    const change = () =>
      world.topics.setRules({ maySend: () => true, agentTopics: [N] }, { ...NO_CHANGE, receivers: new Set([N]) });
    world.has(bob, N, V);
    const [unanswered] = challenged();
    change();
    const [checked] = challenged();
    await answerRight(unanswered);
    verifier.held = [];
    await answerRight(checked);
    expect(verifier.calls).toBe(1);
    change();
    verifier.held[0]('right');
    await turns();
    expect(doors(), 'the check was by the old keys').toEqual([]);
    verifier.held = undefined;
    await answerRight(challenged()[0]);
    expect(doors()).toEqual([`+${AGENT}>2`]);
  });

  it('come for a topic that had none, and go', async () => {
    const { world, challenged, answerRight, doors } = open();
    world.has(bob, N, V);
    expect(challenged()).toEqual([]);
    world.topics.setRules({ maySend: () => true, agentTopics: [N] }, NO_CHANGE);
    await answerRight(challenged()[0]);
    world.topics.setRules({ maySend: () => true, agentTopics: [] }, NO_CHANGE);
    expect([doors(), world.topics.status()]).toEqual([[`+${AGENT}>2`, `-${AGENT}>2`], []]);
  });

  it('that are the same change nothing', async () => {
    const { world, challenged, answerRight, doors } = open(N);
    world.has(bob, N, V);
    await answerRight(challenged()[0]);
    const lines = world.lines.length;
    world.topics.setRules({ maySend: () => true, agentTopics: [N] }, NO_CHANGE);
    expect([doors(), challenged(), world.lines.length]).toEqual([[`+${AGENT}>2`], [], lines]);
  });

  it('by which the relay answers start pairs with the sessions that it answers for anew, and with no others', async () => {
    const { world, doors } = open();
    world.has(alice, pushOf(N), pushOf(M));
    world.isServed(bob, N, M);
    world.has(carol, N, challengeOf(N, '3'));
    for (const question of world.asked()) world.says(alice, question, 0);
    for (const question of world.asked()) world.says(alice, question, 0);
    expect(doors()).toHaveLength(3);
    world.topics.setRules({ maySend: () => true, agentTopics: [] }, { ...NO_CHANGE, own: new Set([N]) });
    expect(doors()).toEqual(['-s1>2']);
    const [question, ...more] = world.asked();
    expect([question.topicForCert, more]).toEqual([challengeOf(N, '2'), []]);
    world.says(alice, question, 0);
    expect(doors()).toEqual(['+s1>2']);
  });

  it('by which the relay answers leave the list for a second, so that peers certify anew', () => {
    const { world } = open();
    const [theirs, own] = [challengeOf(N, '3'), challengeOf(N, '2')];
    world.isServed(bob, N, M);
    world.has(carol, N, theirs);
    const listed = () => [...(world.announced.at(-1)?.get(N) ?? [])].map(({ challengeTopic }) => challengeTopic);
    expect(listed()).toEqual([own, theirs]);
    world.topics.setRules({ maySend: () => true, agentTopics: [] }, { ...NO_CHANGE, own: new Set([N]) });
    expect([listed(), world.announced.at(-1)?.get(M)?.length]).toEqual([[theirs], 1]);
    world.pass(900);
    world.has(carol, N, theirs, 'public');
    expect(listed()).toEqual([theirs]);
    world.pass(100);
    expect(listed()).toEqual([own, theirs]);
    const count = world.announced.length;
    world.pass(1_000);
    expect(world.announced).toHaveLength(count);
  });
});

describe('the status', () => {
  it('names the relay as the sender, and a session sees what the relay certifies in its place', async () => {
    const { world, challenged, answer, answerRight } = open(N, M);
    world.has(bob, N, V);
    world.relayLists(world.peer('b', 9), [M, [remote(8, M)]]);
    const [first, second] = challenged();
    world.pass(1_500);
    const fields = { topic: 'secret', sender: 'this relay', subscriber: 'bank2/sdk2' };
    expect(world.topics.status(77, [N])).toEqual([
      { ...fields, state: 'pending', forSeconds: 1.5, failure: undefined },
    ]);
    await answerRight(first);
    await answer(second, 'wrong');
    expect(world.topics.status(77, [N])).toMatchObject([{ ...fields, state: 'certified', forSeconds: 0 }]);
    expect(world.topics.status(77, [M])).toMatchObject([
      {
        state: 'failed',
        failure: 'refused',
        sender: 'this relay',
        subscriber: `certificate ${digestOf(8).slice(0, 16)} behind ${'b'.repeat(16)}`,
      },
    ]);
    expect(world.topics.status(77, [N, M])).toHaveLength(2);
    expect(world.topics.status(77)).toEqual([]);
    expect(world.topics.status(2, []), 'a receiver sees its pair, too').toHaveLength(1);
    expect(world.topics.status()).toHaveLength(2);
  });

  it('of a session in whose place the relay answers is that of any receiver', () => {
    const { world } = open();
    world.has(alice, pushOf(N));
    world.isServed(bob, N);
    world.says(alice, world.asked()[0], 1);
    expect(world.topics.status(2)).toMatchObject([{ state: 'failed', failure: 'refused', sender: 'bank1/sdk1' }]);
    expect([...world.announced.at(-1)!.get(N)!]).toEqual([
      { handle: handleOf(2), digest: digestOf(2), challengeTopic: challengeOf(N, '2') },
    ]);
  });

  it('calls a session what its organisation is called now', () => {
    const { world } = open();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.has({ ...bob, organisation: 'renamed' }, N, V);
    expect(world.topics.status()).toMatchObject([{ subscriber: 'renamed/sdk2' }]);
  });
});

it('certifies a receiver on a thousand topics at once', async () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `#!$TopicNeedVerify_${n}`);
  const { world, challenged, answerRight } = open(...names);
  world.has(bob, ...names.flatMap((name) => [name, challengeOf(name)]));
  const all = challenged();
  expect(all.length).toBe(1_000);
  const nameOf = (topic: string) => topic.slice('#!$VerifyChannel_'.length, -33);
  await Promise.all(all.map((challenge) => answerRight(challenge, nameOf(challenge.topic))));
  await until(() => world.topics.counts().certified === 1_000, 'all of them');
});
