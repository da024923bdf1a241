import { describe, expect, it } from 'vitest';
import {
  challengeOf,
  digestOf,
  handleOf,
  M,
  N,
  nodeIdOf,
  pushOf,
  remote,
  session,
  TopicsWorld,
} from './topics-world.js';

const [alice, bob, carol] = [session(1), session(2), session(3)];
const V = challengeOf(N);

describe('a sender', () => {
  it('is one for the topics whose push topic it has, by a route of its own, until it drops it', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N), pushOf(M));
    world.has(alice, pushOf(M));
    world.has(alice);
    const route = 's1';
    expect(world.take('private-sender')).toEqual([
      { type: 'private-sender', session: 1, topic: N, route },
      { type: 'private-sender', session: 1, topic: M, route },
      { type: 'private-sender', session: 1, topic: N, route: undefined },
      { type: 'private-sender', session: 1, topic: M, route: undefined },
    ]);
  });

  it('is told once, however often its list comes', () => {
    const world = new TopicsWorld();
    for (let n = 0; n < 3; n++) world.has(alice, pushOf(N), N);
    expect(world.take('private-sender')).toHaveLength(1);
  });

  it('is none where the configuration names others: it is logged, counted and never asked', () => {
    const world = new TopicsWorld({ maySend: (name) => name !== 'secret' });
    world.has(bob, N, V);
    world.has(alice, pushOf(N), pushOf(M));
    expect(world.take('private-sender').map(({ topic }) => topic)).toEqual([M]);
    expect([world.asked(), world.count('sender-refused')]).toEqual([[], 1]);
    expect(world.lines).toMatchObject([{ level: 'warn', fields: { subject: 'sdk1', certificate: digestOf(1) } }]);
  });
});

describe('a subscriber of this relay', () => {
  it('is asked about, challenged over its session, and allowed before the result counts as settled', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    expect(world.take('challenge-route')).toEqual([{ type: 'challenge-route', topic: V, endpoints: [2] }]);
    const [question] = world.asked();
    expect(question).toEqual({
      session: 1,
      nodeId: expect.stringMatching(/^[0-9a-f]{128}$/),
      topic: N,
      topicForCert: V,
    });
    world.take('private-sender');
    world.says(alice, question, 0);
    expect(world.posts).toEqual([
      { type: 'private-target', route: 's1', topic: N, endpoint: 2, handles: [] },
      { type: 'private-settled', session: 1 },
    ]);
    expect(world.count('certified')).toBe(1);
  });

  it('is told to the sender as nobody else, and the same each time', () => {
    const asked = (who: typeof bob) => {
      const world = new TopicsWorld();
      world.has(alice, pushOf(N));
      world.has(who, N, V);
      return world.asked()[0].nodeId;
    };
    expect(asked(bob)).toBe(asked(bob));
    expect(asked(bob)).not.toBe(asked(carol));
    expect(asked(bob)).not.toBe(nodeIdOf('f'));
  });

  it('without a challenge topic of its own is none', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N);
    world.has(carol, N, challengeOf(M), `${V}0`, `#!$VerifyChannel_${N}x_${'1'.repeat(32)}`);
    expect([world.asked(), world.take('challenge-route'), world.announced]).toEqual([[], [], []]);
  });

  it('with several challenge topics uses the first by its bytes, as SDKs make one', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, challengeOf(N, '9'), N, challengeOf(N, '3'));
    expect(world.asked().map(({ topicForCert }) => topicForCert)).toEqual([challengeOf(N, '3')]);
    expect(world.take('challenge-route')).toHaveLength(1);
  });

  it('is not asked about for itself', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N), N, V);
    expect(world.asked()).toEqual([]);
    expect(world.announced).toHaveLength(1);
  });

  it('ends when it drops the topic, and with its session', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    for (const last of [['public'], []]) {
      world.has(bob, N, V);
      const [question] = world.asked();
      world.says(alice, question, 0);
      world.pass(5_000);
      world.has(bob, ...last);
      expect(world.take('private-untarget')).toEqual([
        { type: 'private-untarget', route: 's1', topic: N, endpoint: 2 },
      ]);
      expect(world.take('challenge-route').at(-1)).toEqual({ type: 'challenge-route', topic: V, endpoints: [] });
      world.says(alice, question, 0);
      expect(world.take('private-target')).toHaveLength(1);
    }
  });

  it('is allowed without a question where certification is switched off, challenge topic or not', () => {
    const world = new TopicsWorld({ certifyLocal: false });
    world.has(bob, N);
    world.has(alice, pushOf(N));
    world.has(carol, N, V);
    expect(world.take('private-target').map(({ endpoint }) => endpoint)).toEqual([2, 3]);
    expect(world.asked()).toEqual([]);
    expect([...world.announced.at(-1)!]).toEqual([
      [N, [{ handle: handleOf(3), digest: digestOf(3), challengeTopic: V }]],
    ]);
    const peer = world.peer('b', 9);
    world.relayLists(peer, [N, [remote(7)]]);
    expect(world.asked(), 'one elsewhere is certified all the same').toHaveLength(1);
  });
});

describe('what is announced', () => {
  it('are the sessions that can be certified, with their challenge topics', () => {
    const world = new TopicsWorld();
    const other = challengeOf(M, '2');
    world.has(bob, N, V, M, other);
    world.has(carol, N, challengeOf(N, '3'));
    world.has(alice, pushOf(N));
    expect([...world.announced.at(-1)!]).toEqual([
      [
        N,
        [
          { handle: handleOf(2), digest: digestOf(2), challengeTopic: V },
          { handle: handleOf(3), digest: digestOf(3), challengeTopic: challengeOf(N, '3') },
        ],
      ],
      [M, [{ handle: handleOf(2), digest: digestOf(2), challengeTopic: other }]],
    ]);
    expect(world.announced, 'a sender is no news for peers').toHaveLength(2);
    world.has(bob);
    world.has(carol);
    expect([...world.announced.at(-1)!]).toEqual([]);
  });

  it('is the new challenge topic when an SDK renames it', () => {
    const world = new TopicsWorld();
    world.has(bob, N, V);
    world.has(bob, N, challengeOf(N, 'a'));
    expect(world.announced.at(-1)?.get(N)).toEqual([
      { handle: handleOf(2), digest: digestOf(2), challengeTopic: challengeOf(N, 'a') },
    ]);
  });

  it('are at most 8,192 sessions and topics', () => {
    const world = new TopicsWorld();
    const topics = Array.from({ length: 2_000 }, (_, n) => `#!$TopicNeedVerify_${n}`);
    for (let id = 1; id <= 5; id++) {
      world.has(session(id), ...topics.flatMap((topic) => [topic, challengeOf(topic, String(id))]));
    }
    const count = [...world.announced.at(-1)!.values()].reduce((sum, sessions) => sum + sessions.length, 0);
    expect(count).toBe(8_192);
  });
});

describe('subscribers behind a relay', () => {
  it('are certified one by one, and allowed by the handles of their sessions over the link', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const peer = world.peer('b', 9);
    world.relayLists(peer, [N, [remote(7), remote(8)]]);
    const [first, ...more] = world.asked();
    expect([first.topicForCert, more]).toEqual([remote(7).challengeTopic, []]);
    expect(world.take('challenge-route').map(({ topic, endpoints }) => [topic, endpoints])).toEqual([
      [remote(7).challengeTopic, [9]],
      [remote(8).challengeTopic, [9]],
    ]);
    world.says(alice, first, 0);
    const [second] = world.asked();
    expect(second.topicForCert).toBe(remote(8).challengeTopic);
    expect(second.nodeId).not.toBe(first.nodeId);
    world.says(alice, second, 0);
    expect(world.take('private-target').map(({ endpoint, handles }) => [endpoint, handles])).toEqual([
      [9, [handleOf(7)]],
      [9, [handleOf(7), handleOf(8)]],
    ]);
    world.relayLists(peer, [N, [remote(8)]]);
    expect(world.take('private-target').map(({ handles }) => handles)).toEqual([[handleOf(8)]]);
    world.relayLists(peer);
    expect(world.take('private-untarget')).toEqual([{ type: 'private-untarget', route: 's1', topic: N, endpoint: 9 }]);
  });

  it('are nobody on a topic that is no private message topic', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.relayLists(world.peer('b', 9), [V, [remote(7)]], ['public', [remote(8)]]);
    expect([world.asked(), world.take('challenge-route')]).toEqual([[], []]);
  });

  it('stay certified over another link to the same relay, and go when no link has come', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const peer = world.peer('b', 9);
    world.relayLists(peer, [N, [remote(7)]]);
    world.says(alice, world.asked()[0], 0);
    world.take('private-target');
    world.take('challenge-route');
    world.topics.peerGone(peer.nodeId);
    world.topics.peerActive(peer.nodeId, 10);
    world.pass(500);
    expect(world.take('private-target')).toEqual([
      { type: 'private-target', route: 's1', topic: N, endpoint: 10, handles: [handleOf(7)] },
    ]);
    expect(world.take('challenge-route')).toEqual([
      { type: 'challenge-route', topic: remote(7).challengeTopic, endpoints: [10] },
    ]);
    world.topics.peerActive(peer.nodeId, 10);
    expect(world.take('private-target'), 'nothing new').toEqual([]);
    world.topics.peerGone(peer.nodeId);
    expect(world.topics.counts().certified).toBe(1);
    world.pass(100);
    expect(world.topics.counts()).toEqual({ pending: 0, certified: 0, failed: 0 });
    expect(world.take('challenge-route')).toEqual([
      { type: 'challenge-route', topic: remote(7).challengeTopic, endpoints: [] },
    ]);
    expect(world.asked()).toEqual([]);
  });

  it('cannot be taken for those of another relay that lists the same handles', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const [honest, mallory] = [world.peer('b', 9), world.peer('c', 10)];
    world.relayLists(honest, [N, [remote(7)]]);
    world.says(alice, world.asked()[0], 0);
    // The handles of others stand in the lists that every relay pulls.
    const copied = remote(7, N, { digest: digestOf(99), challengeTopic: challengeOf(N, 'e') });
    world.relayLists(mallory, [N, [copied]]);
    world.pass(1_000);
    const [about] = world.asked();
    expect(about.topicForCert).toBe(copied.challengeTopic);
    world.says(alice, about, 1);
    expect(world.take('private-untarget')).toEqual([]);
    world.relayLists(mallory);
    expect(world.take('private-untarget')).toEqual([]);
    expect(world.topics.status().map(({ state }) => state)).toEqual(['certified']);
    world.relayLists(honest);
    expect(world.take('private-untarget')).toEqual([{ type: 'private-untarget', route: 's1', topic: N, endpoint: 9 }]);
  });

  it('cannot be taken for a session of this relay, either', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.says(alice, world.asked()[0], 0);
    const mallory = world.peer('c', 10);
    world.relayLists(mallory, [N, [remote(2, N, { challengeTopic: challengeOf(N, 'e') })]]);
    world.relayLists(mallory);
    expect([world.take('private-untarget'), world.topics.counts().certified]).toEqual([[], 1]);
  });

  it('that claim the challenge topic of another certificate wait, and are counted', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.take('challenge-route');
    world.relayLists(world.peer('c', 10), [N, [remote(7, N, { challengeTopic: V })]]);
    expect(world.asked().map(({ session: id }) => id)).toEqual([1]);
    expect([world.count('claim-refused'), world.take('challenge-route')]).toEqual([1, []]);
    world.has(bob);
    expect(world.take('challenge-route').at(-1)?.endpoints).toEqual([10]);
  });

  it('of one application that gave two relays one challenge topic are challenged over both, one after the other', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const same = { digest: digestOf(7), challengeTopic: V };
    world.relayLists(world.peer('b', 9), [N, [remote(7, N, same), remote(6, N, same)]]);
    world.relayLists(world.peer('c', 10), [N, [remote(8, N, same)]]);
    const [first, ...others] = world.asked();
    expect(others).toEqual([]);
    expect(world.take('challenge-route').at(-1)?.endpoints).toEqual([9, 10]);
    world.says(alice, first, 0);
    const [second] = world.asked();
    expect(second.nodeId).not.toBe(first.nodeId);
  });
});

describe('a 2.x node', () => {
  it('is one subscriber by its own node ID, with all its challenge topics, and without handles', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const peer = world.peer('d', 11, false);
    const [one, two] = [challengeOf(N, '2'), challengeOf(N, '4')];
    world.nodeLists(peer, two, N, one, M, pushOf(N), `${one}0`, 'public');
    const [question, ...more] = world.asked();
    expect([question, more]).toEqual([{ session: 1, nodeId: nodeIdOf('d'), topic: N, topicForCert: one }, []]);
    world.says(alice, question, 1);
    world.pass(2_000);
    const [again] = world.asked();
    expect(again.topicForCert, 'the next one after a failure').toBe(two);
    world.says(alice, again, 0);
    expect(world.take('private-target')).toEqual([
      { type: 'private-target', route: 's1', topic: N, endpoint: 11, handles: [] },
    ]);
    world.nodeLists(peer, N);
    expect(world.take('private-untarget')).toHaveLength(1);
  });

  it('that turns out to be a relay is certified by its sessions', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    const peer = world.peer('d', 11, false);
    world.nodeLists(peer, N, challengeOf(N, '7'));
    world.says(alice, world.asked()[0], 0);
    world.relayLists({ ...peer, isRelay: true }, [N, [remote(7)]]);
    expect(world.take('private-untarget')).toHaveLength(1);
    world.pass(1_000);
    expect(world.asked().map(({ nodeId }) => nodeId)).not.toContain(nodeIdOf('d'));
  });
});

describe('a result', () => {
  it('that answers nothing, or cannot be read, is logged, counted and settled', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    const [question] = world.asked();
    world.says(carol, question, 0);
    world.says(alice, { nodeId: nodeIdOf('0'), topic: N }, 0);
    world.topics.onMessage({ type: 'certification-result', session: 1, body: Buffer.from('{"checkResult":0}') });
    world.topics.onMessage({ type: 'certification-result', session: 1, body: Buffer.from('no JSON') });
    expect(world.count('not-asked')).toBe(4);
    expect(world.lines.filter(({ level }) => level === 'warn')).toHaveLength(4);
    expect(world.take('private-settled').map(({ session: id }) => id)).toEqual([3, 1, 1, 1]);
    expect(world.take('private-target')).toEqual([]);
    world.says(alice, question, 0);
    expect(world.take('private-target')).toHaveLength(1);
  });

  it.each([1, -1, 7])('of %i refuses', (checkResult) => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.says(alice, world.asked()[0], checkResult);
    expect([world.take('private-target'), world.count('refused')]).toEqual([[], 1]);
  });
});

describe('a failed challenge', () => {
  it('is a failure of the pair that was asked about', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.topics.onMessage({ type: 'challenge-failed', session: 3, topic: V });
    expect(world.count('challenge-failed')).toBe(0);
    world.topics.onMessage({ type: 'challenge-failed', session: 1, topic: V });
    expect(world.count('challenge-failed')).toBe(1);
    expect(world.topics.status()).toMatchObject([{ state: 'failed', failure: 'challenge-failed' }]);
  });
});

describe('the status', () => {
  it('shows each pair by plain name and by who it is, with how long it has been so', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(bob, N, V);
    world.pass(1_500);
    expect(world.topics.status()).toEqual([
      {
        topic: 'secret',
        state: 'pending',
        forSeconds: 1.5,
        failure: undefined,
        sender: 'bank1/sdk1',
        subscriber: 'bank2/sdk2',
      },
    ]);
    world.says(alice, world.asked()[0], 0);
    world.relayLists(world.peer('b', 9), [N, [remote(7)]]);
    expect(world.topics.status()).toMatchObject([
      { state: 'certified', forSeconds: 0, subscriber: 'bank2/sdk2' },
      { state: 'pending', subscriber: `certificate ${digestOf(7).slice(0, 16)} behind ${'b'.repeat(16)}` },
    ]);
    expect(world.topics.counts()).toEqual({ pending: 1, certified: 1, failed: 0 });
  });

  it('of a session shows its own pairs alone, as sender and as subscriber', () => {
    const world = new TopicsWorld();
    world.has(alice, pushOf(N));
    world.has(carol, pushOf(N));
    world.has(bob, N, V);
    world.has(session(12), N, challengeOf(N, 'c'));
    const pairsOf = (id: number) => world.topics.status(id).map(({ sender, subscriber }) => `${sender}>${subscriber}`);
    expect(pairsOf(1)).toEqual(['bank1/sdk1>bank2/sdk2', 'bank1/sdk1>bank12/sdk12']);
    expect(pairsOf(2)).toEqual(['bank1/sdk1>bank2/sdk2', 'bank3/sdk3>bank2/sdk2']);
    expect(pairsOf(99)).toEqual([]);
    expect(world.topics.status()).toHaveLength(4);
  });
});

it('no line of the log holds the name of a topic or of a challenge topic', () => {
  const world = new TopicsWorld({ maySend: (name) => name !== 'other' });
  world.has(alice, pushOf(N), pushOf(M));
  world.has(bob, N, V);
  world.relayLists(world.peer('c', 10), [N, [remote(7, N, { challengeTopic: V })]]);
  world.says(alice, world.asked()[0], 1);
  world.pass(3_000);
  world.says(alice, world.asked()[0], 0);
  world.says(alice, { nodeId: nodeIdOf('0'), topic: N }, 0);
  world.has(bob);
  expect(world.lines.length).toBeGreaterThan(4);
  const text = JSON.stringify(world.lines);
  for (const secret of ['#!$', 'secret', V.slice(-32)]) expect(text).not.toContain(secret);
  expect(JSON.stringify(world.topics.status())).not.toContain('#!$');
});
