/** Topics that the relay speaks for, on the data path: what it signs, what it challenges, and for whom. */
import { describe, expect, it } from 'vitest';
import { decodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import { encodeHandle, encodeHandles } from '../../../src/wire/mesh/private-frame.js';
import { RelayPacketType } from '../../../src/wire/mesh/relay-module.js';
import { makeMessage, RESPONSE, ROUTER_LIMITS, responseTo, UNICAST } from '../core/fakes.js';
import {
  challenge,
  challengeOf,
  type FakeLink,
  type FakeSession,
  failuresOf,
  M,
  multicast,
  N,
  PrivateWorld,
  pushOf,
  RANDOM,
  unicast,
  V,
} from './private-world.js';

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const sign = (payload: Uint8Array, privateKey: Uint8Array) => Buffer.concat([privateKey.subarray(0, 1), payload]);

const receiving = (...sessions: string[]) => ({ messageTopic: N, sessions, sends: false, privateKey: key(1) });
const sending = (...sessions: string[]) => ({ messageTopic: N, sessions, sends: true, privateKey: undefined });

/** The challenge topic that the relay has given a session of this topic, as the control thread hears of it. */
const givenTo = (world: PrivateWorld, { id }: FakeSession): string[] => [
  ...(world.postsOf('private-topics').findLast(({ session }) => session.id === id)?.answered ?? []),
];

const payloadsOf = (endpoint: FakeSession | FakeLink) =>
  endpoint.answers.map(({ frame }) => {
    const body = decodeAmopBody(frame.subarray(42));
    return body.ok ? `${body.payload}` : '';
  });

describe('a challenge for a session in whose place the relay answers', () => {
  /** Bob is served; Alice certifies, as an SDK does. */
  function open() {
    const world = new PrivateWorld([receiving('bank/sdk1')], sign);
    const bob = world.session(N, 'public');
    const [own] = givenTo(world, bob);
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    world.control({ type: 'challenge-route', topic: own, endpoints: [bob.id] });
    return { world, alice, bob, own };
  }

  it('is signed here, and the session sees nothing of it', () => {
    const { world, alice, bob, own } = open();
    const frame = world.send(alice, challenge(own));
    const [{ frame: answer }] = alice.answers;
    expect(answer).toEqual(makeMessage(RESPONSE, frame.toString('latin1', 6, 38), own, `\x01${RANDOM}`));
    expect([bob.delivered, world.challenges('passed'), world.router.pending]).toEqual([[], 1, 0]);
  });

  it('is signed for a relay and a 2.x node that have pulled the list, under their ticket', () => {
    const { world, own } = open();
    const [relay, node] = [world.link(), world.link('node')];
    for (const link of [relay, node])
      world.control({ type: 'challenge-listed', nodeId: link.identity.nodeId, topics: [own] });
    const frame = Buffer.concat([encodeHandle('a'.repeat(16)), challenge(own)]);
    world.fromRelay(relay, RelayPacketType.challenge, frame, 11);
    world.fromNode(node, challenge(own), 12);
    expect([relay.answerTickets, node.answerTickets]).toEqual([[11], [12]]);
    expect([payloadsOf(relay), payloadsOf(node)]).toEqual([[`\x01${RANDOM}`], [`\x01${RANDOM}`]]);
  });

  it('passes the gate like any other: of who certifies, in a known shape, so often', () => {
    const { world, alice, own } = open();
    const mallory = world.session(pushOf(M));
    world.route(mallory, M);
    world.send(mallory, challenge(own));
    world.send(alice, challenge(own, 'a transaction, or what else one would like to have signed'));
    for (let n = 0; n < 5; n++) world.send(alice, challenge(own));
    expect([world.challenges('not-a-sender'), world.challenges('shape'), world.challenges('passed')]).toEqual([
      1, 1, 4,
    ]);
    expect(world.challenges('rate')).toBe(1);
    expect(failuresOf(mallory)).toEqual([[100, 'challenge-refused']]);
  });

  it('is not signed for a claim behind a peer that has copied the name', () => {
    const { world, alice, bob, own } = open();
    const thief = world.link();
    world.control({ type: 'challenge-route', topic: own, endpoints: [bob.id, thief.id] });
    const body = Buffer.from('{}');
    world.control({ type: 'certify', session: alice.id, body, challengeTopic: own, endpoint: thief.id });
    const frame = world.send(alice, challenge(own));
    expect(alice.answers, 'it would certify the thief').toEqual([]);
    expect(thief.relayed.map((one) => one.frame)).toEqual([frame]);
    world.control({ type: 'certify', session: alice.id, body, challengeTopic: own, endpoint: bob.id });
    world.send(alice, challenge(own));
    expect(payloadsOf(alice)).toEqual([`\x01${RANDOM}`]);
  });

  it('is not signed for another session that holds the name when the served one has left', () => {
    const { world, alice, bob, own } = open();
    const thief = world.session(N, own);
    world.end(bob);
    world.control({ type: 'challenge-route', topic: own, endpoints: [thief.id] });
    const frame = world.send(alice, challenge(own));
    expect([alice.answers, thief.delivered]).toEqual([[], [frame]]);
  });

  it('goes to the session itself where that has a challenge topic of its own', () => {
    const world = new PrivateWorld([receiving('bank/sdk1')], sign);
    const bob = world.session(N, V);
    expect(givenTo(world, bob)).toEqual([]);
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    const frame = world.send(alice, challenge());
    expect(bob.delivered).toEqual([frame]);
  });

  it('is signed by the key of its topic where there are several', () => {
    const world = new PrivateWorld(
      [receiving('bank/sdk1'), { ...receiving('bank/sdk1'), messageTopic: M, privateKey: key(2) }],
      sign,
    );
    const bob = world.session(N, M);
    const own = givenTo(world, bob);
    const alice = world.session(pushOf(N), pushOf(M));
    world.route(alice, N);
    world.route(alice, M);
    for (const topic of own) {
      world.control({ type: 'challenge-route', topic, endpoints: [bob.id] });
      world.send(alice, challenge(topic, topic.slice(-32)));
    }
    expect(payloadsOf(alice)).toEqual([`\x01${own[0].slice(-32)}`, `\x02${own[1].slice(-32)}`]);
  });
});

describe('a message in the place of a session', () => {
  it('goes over the certification of the relay, of the sessions that are named alone', () => {
    const world = new PrivateWorld([sending('bank/sdk1', 'bank/sdk2')]);
    const [alice, dave, mallory] = [world.session(), world.session(), world.session()];
    const bob = world.session(N, V);
    for (const session of [alice, mallory]) world.send(session, unicast());
    world.target('s0', N, bob);
    for (const session of [alice, dave, mallory]) {
      const frame = world.send(session, unicast());
      world.answer(bob, frame);
      world.send(session, multicast());
    }
    expect([bob.delivered.length, alice.answers.length, mallory.answers.length]).toEqual([4, 2, 3]);
    expect(failuresOf(mallory)).toEqual(Array.from({ length: 3 }, () => [100, 'not-certified']));
    expect(failuresOf(alice)).toEqual([
      [100, 'not-certified'],
      [0, undefined],
    ]);
    expect(world.routes.agentTopicsOf(alice as never)).toEqual([N]);
    expect(world.routes.agentTopicsOf(mallory as never)).toEqual([]);
  });

  it('goes over the certification of the session where that sends by itself', () => {
    const world = new PrivateWorld([sending('bank/sdk1')]);
    const alice = world.session(pushOf(N));
    const [bob, carol] = [world.session(N, V), world.session(N, challengeOf(N, '1'))];
    world.route(alice, N, carol);
    world.target('s0', N, bob);
    world.send(alice, unicast());
    expect([bob.delivered.length, carol.delivered.length]).toEqual([0, 1]);
  });
});

describe('a challenge in the relay’s own name', () => {
  const seq = (text: string): Buffer => Buffer.from(text.padEnd(32, '.'), 'latin1');

  function open(...endpoints: ('session' | 'relay' | 'node')[]) {
    const world = new PrivateWorld([sending('bank/sdk1')]);
    const held = endpoints.map((kind) => (kind === 'session' ? world.session(N, V) : world.link(kind)));
    world.control({ type: 'challenge-route', topic: V, endpoints: held.map(({ id }) => id) });
    const ask = (endpoint: number | undefined, name = 'a', topic = V) =>
      world.control({ type: 'challenge-send', topic, endpoint, seq: seq(name), payload: Buffer.from(RANDOM) });
    const outcomes = () =>
      world
        .postsOf('challenge-answered')
        .map((post) => [
          `${Buffer.from(post.seq)}`.replace(/\.+$/, ''),
          post.signature && `${Buffer.from(post.signature)}`,
        ]);
    return { world, held, ask, outcomes };
  }

  it('is a 0x30 as SDKs send it, and the answer goes to the control thread', () => {
    const { world, held, ask, outcomes } = open('session');
    const [bob] = held;
    ask(bob.id);
    const frame = makeMessage(UNICAST, 'a', V, RANDOM);
    expect(bob.delivered).toEqual([frame]);
    expect(world.router.response(bob, makeMessage(RESPONSE, 'a', V, 'x'.repeat(65)), world.nowMs)).toBe(true);
    expect(outcomes()).toEqual([['a', 'x'.repeat(65)]]);
    expect([world.challenges('passed'), world.postsOf('challenge-failed')]).toEqual([1, []]);
  });

  it('names one handle to relays for all that is challenged, and is plain to a 2.x node', () => {
    const { held, ask } = open('relay', 'node');
    const [relay, node] = held as [FakeLink, FakeLink];
    ask(relay.id, 'a');
    ask(relay.id, 'b');
    ask(node.id, 'c');
    expect(relay.relayed.map(({ packetType }) => packetType)).toEqual([
      RelayPacketType.challenge,
      RelayPacketType.challenge,
    ]);
    const [first, second] = relay.relayed.map(({ prefix }) => prefix.toString('hex'));
    expect([first.length, first]).toEqual([16, second]);
    expect(relay.relayed[0].frame).toEqual(makeMessage(UNICAST, 'a', V, RANDOM));
    expect(node.delivered).toEqual([makeMessage(UNICAST, 'c', V, RANDOM)]);
  });

  it('goes only to the claim that is in question', () => {
    const { held, ask, outcomes } = open('session', 'session', 'relay');
    const [bob, carol, relay] = held as [FakeSession, FakeSession, FakeLink];
    for (let n = 0; n < 4; n++) ask(carol.id, `${n}`);
    ask(undefined, 'nobody');
    expect([bob.delivered.length, carol.delivered.length, relay.relayed.length]).toEqual([0, 4, 0]);
    expect(outcomes()).toEqual([['nobody', undefined]]);
  });

  it.each([
    ['the receiver goes away', ({ world, held }: ReturnType<typeof open>) => world.end(held[0])],
    ['the receiver is silent', ({ world }: ReturnType<typeof open>) => pass(world, 5_000)],
    [
      'the receiver answers with a result of its own',
      ({ world, held }: ReturnType<typeof open>) =>
        world.router.response(held[0], makeMessage(RESPONSE, 'a', V, 'x'.repeat(65), 3), world.nowMs),
    ],
  ])('was not answered, once, when %s', (_what, act) => {
    const all = open('session');
    all.ask(all.held[0].id);
    act(all);
    expect(all.outcomes()).toEqual([['a', undefined]]);
    expect(all.world.router.pending).toBe(0);
  });

  it('is not answered by what comes too late', () => {
    const { world, held, ask, outcomes } = open('session');
    const [bob] = held;
    ask(bob.id);
    pass(world, 5_000);
    expect(world.router.response(bob, makeMessage(RESPONSE, 'a', V, 'x'.repeat(65)), world.nowMs)).toBe(false);
    expect(outcomes()).toEqual([['a', undefined]]);
  });

  it('was not answered when nobody holds the topic, over the rate, and while the shard drains', () => {
    const { world, held, ask, outcomes } = open('session');
    const [bob] = held;
    ask(bob.id, 'nobody', challengeOf(N, '7'));
    for (let n = 0; n < 5; n++) ask(bob.id, `${n}`);
    expect(outcomes()).toEqual([
      ['nobody', undefined],
      ['4', undefined],
    ]);
    pass(world, 2_000);
    world.router.drain();
    ask(bob.id, 'draining');
    expect(outcomes().at(-1)).toEqual(['draining', undefined]);
  });

  it('answers with whatever came: nothing of a body that is none, and at most 256 bytes', () => {
    const { world, held, ask, outcomes } = open('session');
    const [bob] = held;
    ask(bob.id, 'a');
    ask(bob.id, 'b');
    const broken = responseTo(bob.delivered[0]);
    broken[42] = 255;
    expect(world.router.response(bob, broken, world.nowMs)).toBe(true);
    world.router.response(bob, makeMessage(RESPONSE, 'b', V, 'y'.repeat(5_000)), world.nowMs);
    expect(outcomes()).toEqual([
      ['a', ''],
      ['b', 'y'.repeat(256)],
    ]);
  });

  it('is under way with as many others as a session may have requests; one more fails at once', () => {
    const { world, held, ask, outcomes } = open('session');
    const [bob] = held;
    const topics = Array.from({ length: ROUTER_LIMITS.sessionPendingMax + 1 }, (_, n) => {
      const topic = `#!$VerifyChannel_${N}_${n.toString(16).padStart(32, '0')}`;
      world.control({ type: 'challenge-route', topic, endpoints: [bob.id] });
      return topic;
    });
    for (const [n, topic] of topics.entries()) {
      const payload = Buffer.from(n.toString(16).padStart(32, '0'));
      world.control({ type: 'challenge-send', topic, endpoint: bob.id, seq: seq(`${n}`), payload });
    }
    expect([bob.delivered.length, outcomes()]).toEqual([1_000, [['1000', undefined]]]);
    world.answer(bob, bob.delivered[0]);
    ask(bob.id, 'next');
    expect(bob.delivered).toHaveLength(1_001);
  });
});

/** Lets the router look at the time. */
function pass(world: PrivateWorld, ms: number): void {
  world.nowMs += ms;
  world.router.expire(world.nowMs);
}

describe('a change of the configuration', () => {
  it('ends at once what a session receives and sends that is not named any more', () => {
    const both = { ...receiving('bank/sdk1'), sends: true };
    const world = new PrivateWorld([both], sign);
    const bob = world.session(N);
    const [own] = givenTo(world, bob);
    const carol = world.session(N, challengeOf(N, '1'));
    const [relay, node] = [world.link(), world.link('node')];
    world.target('s0', N, carol);
    world.control({ type: 'challenge-route', topic: own, endpoints: [bob.id] });
    for (const link of [relay, node])
      world.control({ type: 'challenge-listed', nodeId: link.identity.nodeId, topics: [own] });
    const message = () => Buffer.concat([encodeHandles([bob.handle]), unicast()]);
    world.fromRelay(relay, RelayPacketType.privateMessage, message());
    world.fromNode(node, multicast());
    world.send(bob, unicast());
    expect([bob.delivered.length, carol.delivered.length]).toEqual([2, 2]);

    world.routes.setAgents([{ ...both, sessions: ['bank/sdk99'] }]);
    expect(world.postsOf('private-topics').at(-1)).toMatchObject({ topics: [N], answered: [] });
    world.fromRelay(relay, RelayPacketType.privateMessage, message());
    world.fromNode(node, multicast());
    world.send(bob, unicast());
    world.fromNode(node, challenge(own));
    expect(bob.delivered, 'whatever peers have not heard of yet').toHaveLength(2);
    expect(failuresOf(bob)).toEqual([[100, 'not-certified']]);
    expect(failuresOf(relay)).toEqual([[101, 'no-subscriber']]);
    expect(failuresOf(node)).toEqual([[100, 'challenge-refused']]);
  });

  it('lets a session in that is connected already', () => {
    const world = new PrivateWorld([], sign);
    const bob = world.session(N);
    const carol = world.session('public');
    expect(givenTo(world, bob)).toEqual([]);
    world.routes.setAgents([receiving('bank/sdk1', 'bank/sdk2')]);
    const [own] = givenTo(world, bob);
    expect(world.postsOf('private-topics').at(-1)).toMatchObject({ topics: [N, own], answered: [own] });
    expect(world.postsOf('private-topics'), 'and nobody without private topics').toHaveLength(2);
    world.subscribe(carol, N);
    expect(givenTo(world, carol)).toHaveLength(1);
  });

  it('that concerns nobody is not told', () => {
    const world = new PrivateWorld([receiving('bank/sdk1')], sign);
    world.session(N);
    world.session(pushOf(M));
    const posts = world.posts.length;
    world.routes.setAgents([{ ...receiving('bank/sdk1', 'bank/sdk7'), privateKey: key(5) }]);
    expect(world.posts).toHaveLength(posts);
  });

  it('of what an organisation is called counts for sessions that are connected', () => {
    const world = new PrivateWorld([receiving('bank/sdk1')], sign);
    const bob = world.session(N);
    bob.identity = { ...bob.identity, organisation: 'new bank' };
    world.routes.setAgents([receiving('bank/sdk1')]);
    expect(world.postsOf('private-topics').at(-1)).toMatchObject({
      session: { organisation: 'new bank' },
      topics: [N],
      answered: [],
    });
    world.routes.setAgents([receiving('new bank/sdk1')]);
    expect(givenTo(world, bob)).toHaveLength(1);
    // Who sends by itself may be named by it as well.
    const alice = world.session(pushOf(N));
    const posts = world.posts.length;
    alice.identity = { ...alice.identity, organisation: 'new bank' };
    world.routes.setAgents([receiving('new bank/sdk1')]);
    expect(world.posts.slice(posts)).toMatchObject([
      { type: 'private-topics', session: { id: alice.id, organisation: 'new bank' }, topics: [pushOf(N)] },
    ]);
  });
});
