import { describe, expect, it } from 'vitest';
import { ANSWER_TIMEOUT_MS, RESULT_WINDOW_MS } from '../../../src/core/certification.js';
import { CertificationWorld, challengeOf, M, N, sender, subscriber, TTL_MS } from './certification-world.js';

const alice = sender('alice');
const bob = subscriber('bob');

/** Alice and Bob, asked and certified. */
function certified() {
  const world = new CertificationWorld();
  world.sends(alice, N);
  world.listed('B', bob);
  expect(world.says(alice, bob, true)).toBe('certified');
  world.asked();
  return world;
}

describe('a pair of sender and subscriber', () => {
  it.each([
    ['the sender', (world: CertificationWorld) => [world.sends(alice, N), world.listed('B', bob)]],
    ['the subscriber', (world: CertificationWorld) => [world.listed('B', bob), world.sends(alice, N)]],
  ])('is asked about at once when both are there, %s first', (_who, come) => {
    const world = new CertificationWorld();
    come(world);
    expect(world.questions).toEqual([
      { sender: 'alice', subscriber: bob, challengeTopic: challengeOf(N, 'bob'), atMs: world.nowMs },
    ]);
    expect(world.doors).toEqual([]);
    expect(world.state(alice, bob)).toBe('pending');
  });

  it('is allowed when the sender has verified the signature, once, and not before', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.pass(1_000);
    expect(world.doors).toEqual([]);
    expect(world.says(alice, bob, true)).toBe('certified');
    expect(world.says(alice, bob, true)).toBe('not-asked');
    expect(world.doors).toEqual(['+alice>bob']);
    expect(world.outcomes).toEqual(['alice>bob certified']);
    expect(world.state(alice, bob)).toBe('certified');
  });

  it('is not allowed when the signature was wrong, and tried again after 2 s, 4 s, 8 s', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    for (const waitMs of [2_000, 4_000, 8_000]) {
      expect(world.asked()).toEqual(['alice>bob']);
      expect(world.says(alice, bob, false)).toBe('refused');
      expect(world.state(alice, bob)).toBe('failed: refused');
      world.pass(waitMs - 100);
      expect(world.asked()).toEqual([]);
      world.pass(100);
    }
    expect(world.asked()).toEqual(['alice>bob']);
    expect(world.doors).toEqual([]);
    world.says(alice, bob, true);
    expect(world.state(alice, bob)).toBe('certified');
  });

  it('fails without an answer after 6 s, and is tried again', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.pass(ANSWER_TIMEOUT_MS - 1);
    expect(world.state(alice, bob)).toBe('pending');
    world.pass(1);
    expect(world.state(alice, bob)).toBe('failed: unanswered');
    expect(world.asked()).toHaveLength(1);
    world.pass(2_000);
    expect(world.asked()).toHaveLength(1);
  });

  it('does not exist for a sender of another topic, and for nobody who sends', () => {
    const world = new CertificationWorld();
    world.sends(alice, M);
    world.listed('B', bob);
    world.pass(10_000);
    expect([world.asked(), world.certification.pairs()]).toEqual([[], []]);
  });

  it('is never one session with itself', () => {
    const world = new CertificationWorld();
    const own = (id: string) => subscriber(id, { origin: 'session 1', owner: 'alice' });
    world.listed('session 1', own('self'));
    world.sends(alice, N);
    world.sends(sender('carol'), N);
    expect(world.asked()).toEqual(['carol>self']);
    world.says(sender('carol'), own('self'), true);
    world.listed('session 1', own('self'), own('again'));
    expect(world.asked()).toEqual(['carol>again']);
  });

  it('without certification is allowed at once, never asked about, and denied when the subscriber leaves', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('session 1', subscriber('near', { origin: 'session 1', trusted: true, challengeTopics: [] }));
    expect(world.doors).toEqual(['+alice>near']);
    world.pass(2 * TTL_MS);
    world.listed('session 1');
    expect(world.doors).toEqual(['+alice>near', '-alice>near']);
    expect(world.asked()).toEqual([]);
  });

  it('shows since when it is in its state', () => {
    const world = new CertificationWorld();
    const views = () => world.certification.pairs().map(({ state, sinceMs }) => [state, world.nowMs - sinceMs]);
    world.sends(alice, N);
    world.listed('B', bob);
    world.pass(500);
    expect(views()).toEqual([['pending', 500]]);
    world.says(alice, bob, true);
    world.pass(300);
    expect(views()).toEqual([['certified', 300]]);
    world.pass(TTL_MS * 0.8);
    world.says(alice, bob, true);
    world.pass(100);
    expect(views(), 'a renewal is no news').toEqual([['certified', 400 + TTL_MS * 0.8]]);
  });
});

describe('a result', () => {
  it('counts for nobody but the pair that was asked about', () => {
    const world = new CertificationWorld();
    const mallory = subscriber('mallory');
    expect(world.says(alice, bob, true), 'before anybody is there').toBe('not-asked');
    world.sends(alice, N);
    world.sends(sender('carol'), M);
    world.listed('B', bob, mallory);
    expect(world.asked()).toEqual(['alice>bob']);
    expect(world.says(alice, mallory, true), 'a subscriber whose turn has not come').toBe('not-asked');
    expect(world.says(sender('carol'), bob, true), 'another sender').toBe('not-asked');
    expect(world.says(alice, { ...bob, messageTopic: M }, true), 'another topic').toBe('not-asked');
    expect(world.says(alice, { ...bob, nodeId: 'nobody' }, true), 'another node ID').toBe('not-asked');
    expect(world.doors).toEqual([]);
    expect(world.says(alice, bob, true)).toBe('certified');
  });

  it('counts within 30 s of the question, even when the sender was given up meanwhile', () => {
    for (const [waitMs, verdict] of [
      [RESULT_WINDOW_MS - 1, 'certified'],
      [RESULT_WINDOW_MS, 'not-asked'],
    ] as const) {
      const world = new CertificationWorld();
      world.sends(alice, N);
      world.listed('B', bob);
      // The clock alone: no second question that a result could answer.
      world.nowMs += waitMs;
      expect(world.says(alice, bob, true)).toBe(verdict);
    }
    const late = new CertificationWorld();
    late.sends(alice, N);
    late.listed('B', bob);
    late.pass(ANSWER_TIMEOUT_MS + 500);
    expect(late.state(alice, bob)).toBe('failed: unanswered');
    expect(late.says(alice, bob, true)).toBe('certified');
    late.pass(TTL_MS / 2);
    expect(late.questions, 'a success ends the back-off and the next try').toHaveLength(1);
  });

  it('does not count for a question that was asked before the subscriber or the sender left', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.listed('B');
    expect(world.says(alice, bob, true)).toBe('not-asked');
    world.listed('B', bob);
    expect(world.says(alice, bob, true), 'it is back and has not been asked about').toBe('not-asked');

    const other = new CertificationWorld();
    other.sends(alice, N);
    other.listed('B', bob);
    other.sends(alice);
    expect(other.says(alice, bob, true)).toBe('not-asked');
  });

  it('in a second time is none, whatever it says', () => {
    const world = certified();
    for (const verified of [true, false]) expect(world.says(alice, bob, verified)).toBe('not-asked');
    expect(world.doors).toEqual(['+alice>bob']);
  });
});

describe('questions', () => {
  const carol = subscriber('carol');
  const dave = subscriber('dave');

  it('are one at a time for a sender, topic and origin, the next one with the result', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob, carol, dave);
    expect(world.asked()).toEqual(['alice>bob']);
    world.says(alice, bob, true);
    expect(world.asked()).toEqual(['alice>carol']);
    world.says(alice, carol, false);
    expect(world.asked()).toEqual(['alice>dave']);
    world.says(alice, dave, true);
    expect(world.asked()).toEqual([]);
  });

  it('are asked side by side of other senders, on other topics and about other origins', () => {
    const world = new CertificationWorld();
    world.sends(alice, N, M);
    world.sends(sender('zoe'), N);
    world.listed('B', bob, subscriber('bob-m', { messageTopic: M }));
    world.listed('C', subscriber('far', { origin: 'C' }));
    expect(world.asked().sort()).toEqual(['alice>bob', 'alice>bob-m', 'alice>far', 'zoe>bob', 'zoe>far']);
  });

  it('go to whoever has waited longest, so that one who never answers does not keep others waiting', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob, carol, dave);
    expect(world.asked()).toEqual(['alice>bob']);
    for (const next of ['carol', 'dave', 'bob', 'carol']) {
      world.pass(ANSWER_TIMEOUT_MS);
      expect(world.asked()).toEqual([`alice>${next}`]);
    }
  });

  it('about one pair are at least a second apart, however often its subscriber renames its challenge topic', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    for (let n = 0; n < 299; n++) {
      world.listed('B', subscriber('bob', { challengeTopics: [challengeOf(N, `${n}`)] }));
      world.pass(10);
    }
    const times = world.questions.map(({ atMs }) => atMs);
    expect(times).toHaveLength(3);
    for (let n = 1; n < times.length; n++) expect(times[n] - times[n - 1]).toBeGreaterThanOrEqual(1_000);
  });

  it('end with a challenge that brought no signature, and go on with the next subscriber', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob, carol);
    world.asked();
    const failed = (topic: string) => world.certification.challengeFailed('alice', topic, world.nowMs);
    failed(challengeOf(N, 'carol'));
    world.certification.challengeFailed('nobody', challengeOf(N, 'bob'), world.nowMs);
    expect(world.outcomes, 'nobody was asked about carol').toEqual([]);
    failed(challengeOf(N, 'bob'));
    expect(world.state(alice, bob)).toBe('failed: challenge-failed');
    expect(world.asked()).toEqual(['alice>carol']);
    failed(challengeOf(N, 'bob'));
    expect(world.outcomes, 'and once').toEqual(['alice>bob challenge-failed']);
  });

  it('do not end with a failed challenge that was for another subscriber on the same topic', () => {
    const world = new CertificationWorld();
    const V = challengeOf(N, 'both');
    const [one, two] = ['one', 'two'].map((id) => subscriber(id, { digest: 'D', challengeTopics: [V], origin: id }));
    world.sends(alice, N);
    world.listed('one', one);
    world.listed('two', two);
    world.pass(8_000);
    expect([world.state(alice, one), world.asked()]).toEqual(['failed: unanswered', ['alice>one', 'alice>two']]);
    world.certification.challengeFailed('alice', V, world.nowMs, one.nodeId);
    expect(world.state(alice, two)).toBe('pending');
    world.certification.challengeFailed('alice', V, world.nowMs, two.nodeId);
    expect(world.state(alice, two)).toBe('failed: challenge-failed');
  });

  it('take the challenge topics of a node in turn', () => {
    const world = new CertificationWorld();
    const topics = ['1', '2', '3'].map((end) => challengeOf(N, end));
    const node = subscriber('node', { challengeTopics: topics });
    world.sends(alice, N);
    world.listed('B', node);
    for (let n = 0; n < 3; n++) {
      world.says(alice, node, false);
      world.pass(60_000);
    }
    const used = world.questions.map(({ challengeTopic }) => challengeTopic);
    expect(used.slice(0, 4)).toEqual([topics[0], topics[1], topics[2], topics[0]]);
  });

  it('are not asked on no challenge topic', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', subscriber('bob', { challengeTopics: [] }), carol);
    expect(world.asked()).toEqual(['alice>carol']);
  });
});

describe('a success', () => {
  it('is renewed in silence after four fifths of its time', () => {
    const world = certified();
    for (let round = 0; round < 3; round++) {
      world.pass(TTL_MS * 0.8 - 100);
      expect(world.asked()).toEqual([]);
      world.pass(100);
      expect(world.asked()).toEqual(['alice>bob']);
      expect(world.says(alice, bob, true)).toBe('certified');
    }
    expect(world.doors).toEqual(['+alice>bob']);
  });

  it('ends when its time is over and the sender did not renew it, though it was asked again and again', () => {
    const world = certified();
    world.pass(TTL_MS - 100);
    expect(world.asked().length).toBeGreaterThan(2);
    expect(world.doors).toEqual(['+alice>bob']);
    world.pass(100);
    expect(world.doors).toEqual(['+alice>bob', '-alice>bob']);
    expect(world.outcomes.at(-1)).toBe('alice>bob expired');
    expect(world.state(alice, bob), 'for the reason for which it was not renewed').toBe('failed: unanswered');
    for (let n = 0; world.questions.length === 0 && n < 3_000; n++) world.pass(100);
    world.says(alice, bob, true);
    expect(world.doors.at(-1)).toBe('+alice>bob');
  });

  it('ends at once when a renewal says that the signature is wrong', () => {
    const world = certified();
    world.pass(TTL_MS * 0.8);
    expect(world.says(alice, bob, false)).toBe('refused');
    expect(world.doors).toEqual(['+alice>bob', '-alice>bob']);
    expect(world.state(alice, bob)).toBe('failed: refused');
  });

  it('keeps what is left of its time when the challenge of a renewal fails', () => {
    const world = certified();
    world.pass(TTL_MS * 0.8);
    world.certification.challengeFailed('alice', challengeOf(N, 'bob'), world.nowMs);
    expect(world.state(alice, bob)).toBe('certified');
    expect(world.doors).toEqual(['+alice>bob']);
  });

  it('ends with the subscriber, with the sender’s push topic and with the sender, and is asked for anew', () => {
    const world = new CertificationWorld();
    world.sends(alice, N, M);
    const other = subscriber('bob-m', { messageTopic: M });
    world.listed('B', bob, other);
    world.says(alice, bob, true);
    world.says(alice, other, true);
    world.asked();
    world.listed('B', other);
    expect(world.doors.at(-1)).toBe('-alice>bob');
    world.listed('B', bob, other);
    expect(world.asked()).toEqual(['alice>bob']);
    world.says(alice, bob, true);
    world.sends(alice, M);
    expect(world.doors.at(-1)).toBe('-alice>bob');
    world.sends(alice);
    expect(world.doors.at(-1)).toBe('-alice>bob-m');
    expect(world.certification.pairs()).toEqual([]);
    world.sends(alice, N, M);
    expect(world.asked().sort()).toEqual(['alice>bob', 'alice>bob-m']);
  });

  it('stays while its subscriber renames its challenge topic, and is renewed on the new one', () => {
    const world = certified();
    const renamed = subscriber('bob', { challengeTopics: [challengeOf(N, 'again')] });
    world.listed('B', renamed);
    world.pass(TTL_MS * 0.8 - 100);
    expect(world.questions).toEqual([]);
    world.pass(100);
    expect(world.questions.map(({ challengeTopic }) => challengeTopic)).toEqual([challengeOf(N, 'again')]);
    expect(world.doors).toEqual(['+alice>bob']);
  });

  it('ends when another certificate stands behind the same name', () => {
    const world = certified();
    const other = subscriber('bob', { digest: 'another certificate' });
    world.listed('B', other);
    expect(world.doors).toEqual(['+alice>bob', '-alice>bob']);
    expect(world.routes.get(challengeOf(N, 'bob'))).toEqual(['bob']);
    expect(world.asked()).toEqual(['alice>bob']);
  });
});

describe('a failure', () => {
  it('of a subscriber that leaves within 2 s of its question keeps it waiting when it comes back', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    // web3sdk drops its connection on a challenge of Java, every time.
    const gaps: number[] = [];
    for (let session = 0; session < 5; session++) {
      const backMs = world.nowMs;
      const again = subscriber(`bob${session}`, { digest: 'cert-bob' });
      world.listed('B', again);
      while (world.questions.length === session && world.nowMs - backMs < 100_000) world.pass(100);
      gaps.push(world.questions[session].atMs - backMs);
      world.pass(1_900);
      world.listed('B');
    }
    expect(gaps).toEqual([0, 2_000, 4_000, 8_000, 16_000]);
    expect(world.outcomes).toEqual(Array.from({ length: 5 }, (_, n) => `alice>bob${n} subscriber-left`));
  });

  it('is none when it leaves later, or was not being asked about', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.pass(2_000);
    world.listed('B');
    expect(world.outcomes).toEqual([]);
    world.listed('B', bob);
    expect(world.asked()).toEqual(['alice>bob', 'alice>bob']);
    world.says(alice, bob, true);
    world.listed('B');
    expect(world.outcomes).toEqual(['alice>bob certified']);
  });

  it('holds for the next session of the same sender and subscriber, and for no other', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.says(alice, bob, false);
    world.sends(alice);
    world.asked();
    world.sends(sender('alice-again', 'cert-alice'), N);
    expect(world.asked()).toEqual([]);
    world.sends(sender('zoe'), N);
    expect(world.asked()).toEqual(['zoe>bob']);
    world.listed('C', subscriber('carol', { origin: 'C' }));
    expect(world.asked().sort()).toEqual(['alice-again>carol', 'zoe>carol']);
    world.listed('B', bob, subscriber('bob-m', { messageTopic: M, digest: 'cert-bob' }));
    world.sends(sender('alice-again', 'cert-alice'), N, M);
    expect(world.asked(), 'another topic').toEqual(['alice-again>bob-m']);
    world.pass(2_000);
    expect(world.asked()).toContain('alice-again>bob');
  });

  it('is forgotten by a success: the next one is tried again after 2 s', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    for (const verified of [false, false, false, true]) {
      expect(world.asked()).toEqual(['alice>bob']);
      world.says(alice, bob, verified);
      for (let n = 0; !verified && world.questions.length === 0 && n < 100; n++) world.pass(100);
    }
    expect(world.state(alice, bob)).toBe('certified');
    world.pass(TTL_MS * 0.8);
    expect(world.asked()).toEqual(['alice>bob']);
    world.says(alice, bob, false);
    world.pass(2_000);
    expect(world.asked()).toEqual(['alice>bob']);
  });

  it('is none when the challenge topic is renamed while it is asked about', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob);
    world.listed('B', subscriber('bob', { challengeTopics: [challengeOf(N, 'new')] }));
    world.pass(1_000);
    expect(world.outcomes).toEqual([]);
    expect(world.questions.map(({ challengeTopic }) => challengeTopic)).toEqual([
      challengeOf(N, 'bob'),
      challengeOf(N, 'new'),
    ]);
  });
});

describe('other keys', () => {
  const carol = subscriber('carol');
  const ofBob = (_sender: string, { id }: { readonly id: string }) => id === 'bob';

  it('start a certified pair anew, and leave others alone', () => {
    const world = certified();
    world.pass(2_000);
    world.listed('B', bob, carol);
    world.asked();
    world.says(alice, carol, true);
    expect(world.certification.startAnew(ofBob, world.nowMs)).toBe(1);
    expect(world.doors).toEqual(['+alice>bob', '+alice>carol', '-alice>bob']);
    expect([world.state(alice, bob), world.asked()]).toEqual(['pending', ['alice>bob']]);
    world.says(alice, bob, true);
    expect(world.doors.at(-1)).toBe('+alice>bob');
  });

  it('end the wait after failures, and what an older question may still bring', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob, carol);
    world.says(alice, bob, false);
    world.says(alice, carol, false);
    world.asked();
    expect(world.certification.startAnew(ofBob, world.nowMs)).toBe(1);
    expect([world.asked(), world.state(alice, bob)]).toEqual([['alice>bob'], 'pending']);
    world.says(alice, bob, false);
    world.pass(1_900);
    expect(world.asked(), 'as after a first failure').toEqual([]);
    world.pass(100);
    expect(world.asked()).toContain('alice>bob');
  });

  it('make nothing of a result while the pair waits for its new question', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', bob, carol);
    world.pass(6_000);
    expect(world.asked(), 'carol is asked about now').toEqual(['alice>bob', 'alice>carol']);
    world.certification.startAnew(ofBob, world.nowMs);
    expect(world.asked()).toEqual([]);
    expect(world.says(alice, bob, true)).toBe('not-asked');
    expect(world.doors).toEqual([]);
  });

  it('are nothing to pairs without certification', () => {
    const world = new CertificationWorld();
    const trusted = subscriber('bob', { trusted: true });
    world.sends(alice, N);
    world.listed('A', trusted);
    expect(world.certification.startAnew(ofBob, world.nowMs)).toBe(0);
    expect([world.doors, world.asked()]).toEqual([['+alice>bob'], []]);
  });
});

describe('a challenge topic', () => {
  const V = challengeOf(N, 'shared');

  it('that two certificates claim is asked about for the first alone, until it is gone', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', subscriber('victim', { challengeTopics: [V] }));
    world.listed('C', subscriber('thief', { origin: 'C', challengeTopics: [V] }));
    expect(world.claimsRefused).toEqual([`thief ${V}`]);
    world.pass(30_000);
    expect(new Set(world.asked())).toEqual(new Set(['alice>victim']));
    expect(world.routes.get(V)).toEqual(['victim']);
    world.listed('B');
    expect(world.routes.get(V)).toEqual(['thief']);
    world.pass(100);
    expect(world.asked()).toEqual(['alice>thief']);
    world.listed('C');
    expect(world.routes.get(V)).toEqual([]);
  });

  it('that one application gave to two servers is certified through each of them', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    const one = subscriber('one', { digest: 'D', challengeTopics: [V] });
    const two = subscriber('two', { digest: 'D', challengeTopics: [V], origin: 'C' });
    world.listed('B', one);
    world.listed('C', two);
    expect(world.asked(), 'a challenge names only its topic').toEqual(['alice>one']);
    expect(world.routes.get(V)).toEqual(['one', 'two']);
    world.says(alice, two, true);
    expect(world.doors, 'it was not asked about').toEqual([]);
    world.says(alice, one, true);
    expect(world.doors, 'a success of one is none of the other').toEqual(['+alice>one']);
    expect([world.state(alice, one), world.state(alice, two)]).toEqual(['certified', 'pending']);
    expect(world.asked()).toEqual(['alice>two']);
    world.says(alice, two, true);
    expect(world.doors).toEqual(['+alice>one', '+alice>two']);
  });

  it('that a second certificate claims is left out, while its own others are asked about', () => {
    const world = new CertificationWorld();
    world.sends(alice, N);
    world.listed('B', subscriber('victim', { challengeTopics: [V] }));
    const node = subscriber('node', { origin: 'C', challengeTopics: [V, challengeOf(N, 'own')] });
    world.listed('C', node);
    for (let n = 0; n < 3; n++) {
      world.says(alice, node, false);
      world.pass(60_000);
    }
    const used = world.questions.filter(({ subscriber: { id } }) => id === 'node');
    expect(used.length).toBeGreaterThan(2);
    expect(new Set(used.map(({ challengeTopic }) => challengeTopic))).toEqual(new Set([challengeOf(N, 'own')]));
  });
});
