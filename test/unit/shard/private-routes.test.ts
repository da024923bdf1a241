import { describe, expect, it } from 'vitest';
import { encodeHandle, encodeHandles } from '../../../src/wire/mesh/private-frame.js';
import { RelayPacketType } from '../../../src/wire/mesh/relay-module.js';
import { MULTICAST, makeMessage, RESPONSE, responseTo, seqBytes, UNICAST } from '../core/fakes.js';
import {
  challengeOf,
  type FakeSession,
  failuresOf,
  M,
  N,
  PrivateWorld,
  pushOf,
  RANDOM,
  type PrivateWorld as World,
} from './private-world.js';

const V = challengeOf(N);
let seq = 0;
const unicast = (topic = N, payload = 'secret'): Buffer => makeMessage(UNICAST, `u${seq++}`, topic, payload);
const multicast = (topic = N, payload = 'secret'): Buffer => makeMessage(MULTICAST, `m${seq++}`, topic, payload);
const challenge = (topic = V, payload = RANDOM): Buffer => makeMessage(UNICAST, `c${seq++}`, topic, payload);
const resultFrame = (body: string): Buffer => {
  const frame = Buffer.alloc(42 + body.length);
  frame.writeUInt32BE(frame.length);
  frame[5] = 0x38;
  frame.write(body, 42);
  return frame;
};

/** A sender of N with a push topic and a receiver that is allowed, both here. */
function pair(): { world: World; alice: FakeSession; bob: FakeSession; route: string } {
  const world = new PrivateWorld();
  const alice = world.session(pushOf(N));
  const bob = world.session(N, V);
  const route = world.route(alice, N, bob);
  return { world, alice, bob, route };
}

describe('private names of a session', () => {
  it('are told to the control thread with who it is, when they change', () => {
    const world = new PrivateWorld();
    const session = world.session('public', N, V, 'another');
    const { id, handle, identity } = session;
    const { certificateDigest, organisation, subject } = identity;
    const who = { id, handle, certificateDigest, organisation, subject };
    expect(world.posts).toEqual([{ type: 'private-topics', session: who, topics: [N, V] }]);
    world.subscribe(session, N, 'public', V);
    expect(world.posts).toHaveLength(1);
    world.subscribe(session, V, N);
    world.subscribe(session, N);
    world.subscribe(session);
    expect(world.postsOf('private-topics').map(({ topics }) => topics)).toEqual([[N, V], [V, N], [N], []]);
    world.end(session);
    expect(world.postsOf('private-topics').at(-1)).toEqual({ type: 'private-topics', session: who, topics: [] });
  });

  it('are told of nobody who has none', () => {
    const world = new PrivateWorld();
    world.end(world.session('public'));
    expect(world.posts).toEqual([]);
  });
});

describe('a message on a private topic', () => {
  it('reaches the receivers of its sender, and nobody who only subscribes to the name', () => {
    const { world, alice, bob } = pair();
    const eve = world.session(N);
    for (let n = 0; n < 10; n++) {
      const frame = world.send(alice, unicast());
      expect(bob.delivered.at(-1)).toEqual(frame);
      world.answer(bob, frame);
    }
    world.send(alice, multicast());
    expect([bob.delivered.length, eve.delivered.length]).toEqual([11, 0]);
    expect(failuresOf(alice)).toEqual(Array.from({ length: 10 }, () => [0, undefined]));
  });

  it('is refused with 100 while nobody is allowed, and of everybody who is no sender', () => {
    const { world, bob } = pair();
    const dave = world.session(pushOf(N));
    world.control({ type: 'private-sender', session: dave.id, topic: N, route: `s${dave.id}` });
    const frank = world.session();
    const grace = world.session(pushOf(N));
    for (const session of [dave, frank, grace, bob]) {
      world.send(session, unicast());
      world.send(session, multicast());
      expect(failuresOf(session)).toEqual([
        [100, 'not-certified'],
        [100, 'not-certified'],
      ]);
      expect(session.acknowledged).toEqual([]);
    }
    expect(bob.delivered).toEqual([]);
  });

  it('on another private topic of the same sender has receivers of its own', () => {
    const { world, alice, bob } = pair();
    world.subscribe(alice, pushOf(N), pushOf(M));
    world.route(alice, M);
    world.send(alice, unicast(M));
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    expect(bob.delivered).toEqual([]);
  });

  it('is refused on a name of no known form, and to push topics', () => {
    const { world, alice } = pair();
    for (const topic of ['#!$', '#!$Other_n', '#!$VerifyChannel_n', `${V}0`, pushOf(N)])
      world.send(alice, unicast(topic));
    expect(new Set(failuresOf(alice).map((failure) => failure.join(' ')))).toEqual(new Set(['100 private-topic']));
    expect(alice.refusals).toEqual(Array.from({ length: 5 }, () => 'private-topic'));
  });

  it('is shared fairly by receivers here and behind a relay, which counts as often as it has some', () => {
    const { world, alice, bob, route } = pair();
    const link = world.link();
    world.target(route, N, link, ['a'.repeat(16), 'b'.repeat(16), 'c'.repeat(16)]);
    for (let n = 0; n < 40; n++) {
      const frame = world.send(alice, unicast());
      const relayed = link.relayed.at(-1);
      if (relayed?.frame === frame) world.router.peerResponse(link, relayed.ticket, responseTo(frame), 0, world.nowMs);
      else world.answer(bob, frame);
    }
    expect([bob.delivered.length, link.relayed.length]).toEqual([10, 30]);
  });

  it('tells a relay which sessions behind it may receive: a multicast all, a unicast sixteen in turn', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const route = world.route(alice, N);
    const link = world.link();
    const handles = Array.from({ length: 20 }, (_, n) => n.toString(16).padStart(16, '0'));
    world.target(route, N, link, handles);
    const frame = world.send(alice, multicast());
    expect(link.relayed).toMatchObject([
      { packetType: RelayPacketType.privateMessage, prefix: encodeHandles(handles) },
    ]);
    expect(link.relayed[0].frame).toEqual(frame);
    const firsts = [0, 1, 2].map(() => {
      world.send(alice, unicast());
      const { prefix } = link.relayed.at(-1)!;
      expect(prefix.length).toBe(2 + 16 * 8);
      return prefix.toString('hex', 2, 10);
    });
    expect(firsts).toEqual(handles.slice(0, 3));
    world.target(route, N, link, handles.slice(0, 2));
    world.send(alice, unicast());
    expect(link.relayed.at(-1)?.prefix).toEqual(encodeHandles(handles.slice(0, 2)));
  });

  it('names at most 4,096 sessions behind a relay', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const route = world.route(alice, N);
    const link = world.link();
    const handles = Array.from({ length: 5_000 }, (_, n) => n.toString(16).padStart(16, '0'));
    world.target(route, N, link, handles);
    world.send(alice, multicast());
    expect(link.relayed[0].prefix).toEqual(encodeHandles(handles.slice(0, 4_096)));
  });

  it('goes to a 2.x node as it is, and to a relay never without the handles', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const node = world.link('node');
    world.route(alice, N, node);
    const frame = world.send(alice, unicast());
    expect([node.delivered, node.relayed]).toEqual([[frame], []]);
    const zoe = world.session(pushOf(N));
    const relay = world.link();
    world.route(zoe, N, relay);
    world.send(zoe, unicast());
    expect([relay.delivered, relay.relayed]).toEqual([[], []]);
    expect(failuresOf(zoe)).toEqual([[100, 'peer-unavailable']]);
  });

  it('ends for a receiver when control says so, when it drops the topic, and when it ends', () => {
    const { world, alice, bob, route } = pair();
    const refused = () => {
      world.send(alice, unicast());
      return alice.answers.at(-1)?.code === 100 && bob.delivered.length === 0;
    };
    world.control({ type: 'private-untarget', route, topic: N, endpoint: bob.id });
    expect(refused()).toBe(true);
    world.target(route, N, bob);
    world.subscribe(bob, V);
    expect(refused(), 'at once, before the control thread has decided').toBe(true);
    world.subscribe(bob, N, V);
    expect(refused(), 'a new subscription is not the old one').toBe(true);
    world.target(route, N, bob);
    world.end(bob);
    expect(refused()).toBe(true);
    // What the control thread said before it knew of the end.
    world.target(route, N, bob);
    expect(refused()).toBe(true);
  });

  it('ends for a sender that drops its push topic, at once, and for that topic alone', () => {
    const { world, alice, bob } = pair();
    world.route(alice, M, bob);
    world.subscribe(alice, pushOf(M));
    world.send(alice, unicast());
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    world.send(alice, unicast(M));
    expect(bob.delivered).toHaveLength(1);
    world.control({ type: 'private-sender', session: alice.id, topic: M, route: undefined });
    world.send(alice, unicast(M));
    expect(failuresOf(alice).at(-1)).toEqual([100, 'not-certified']);
  });

  it('of a session that ended, or is not known, changes nothing', () => {
    const world = new PrivateWorld();
    world.control({ type: 'private-sender', session: 99, topic: N, route: 's99' });
    world.control({ type: 'private-settled', session: 99 });
    world.control({ type: 'certify', session: 99, body: Buffer.from('{}') });
    world.control({ type: 'private-untarget', route: 's99', topic: N, endpoint: 99 });
    world.target('s99', N, { id: 99 });
    const { alice, world: other, route } = pair();
    const closing = other.session(N, challengeOf(N, '1'));
    closing.closed = true;
    other.control({ type: 'private-untarget', route, topic: N, endpoint: 2 });
    other.target(route, N, closing);
    other.send(alice, unicast());
    expect(closing.delivered).toEqual([]);
  });

  it('is acknowledged and copied once to each receiver when it is a multicast', () => {
    const { world, alice, bob, route } = pair();
    const [carol, link] = [world.session(N), world.link()];
    world.target(route, N, carol);
    world.target(route, N, link, ['a'.repeat(16)]);
    const frame = world.send(alice, multicast());
    expect(alice.acknowledged).toEqual([frame]);
    expect([bob.delivered, carol.delivered, link.relayed.map((one) => one.frame)]).toEqual([[frame], [frame], [frame]]);
    world.send(alice, Buffer.from(frame));
    expect([bob.delivered.length, carol.delivered.length, link.relayed.length]).toEqual([1, 1, 1]);
    carol.full = true;
    world.send(alice, multicast());
    expect([world.stat('multicastCopies'), world.stat('multicastDuplicates'), world.stat('multicastDropped')]).toEqual([
      5, 1, 1,
    ]);
  });

  it('is refused with 103 over a bandwidth limit, whatever its kind', () => {
    const { world, alice, bob } = pair();
    world.flowRefuses = true;
    world.send(alice, unicast());
    world.send(alice, multicast());
    expect(failuresOf(alice)).toEqual([
      [103, 'bandwidth-limit'],
      [103, 'bandwidth-limit'],
    ]);
    expect([bob.delivered, alice.acknowledged, world.stat('bandwidthRefused')]).toEqual([[], [], 2]);
  });
});

describe('a message right behind a result', () => {
  const RESULT = resultFrame('{"checkResult":0}');

  it('waits until the control thread has taken the result, and then goes in its order', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    const frames = [unicast(), multicast(), unicast()];
    for (const frame of frames) world.send(alice, frame);
    expect([alice.answers, bob.delivered]).toEqual([[], []]);
    expect(alice.heldBytes).toBe(frames.reduce((sum, { length }) => sum + length, 0));
    world.target(route, N, bob);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toEqual(frames);
    for (const frame of frames) world.answer(bob, frame);
    expect(alice.heldBytes).toBe(0);
  });

  it('is not overtaken by one that comes when the receiver is allowed already', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    const first = world.send(alice, unicast());
    world.target(route, N, bob);
    const second = world.send(alice, unicast());
    world.control({ type: 'private-settled', session: alice.id });
    const third = world.send(alice, unicast());
    expect(bob.delivered).toEqual([first, second, third]);
  });

  it('is refused when the result allows nobody', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    world.result(alice, RESULT);
    world.result(alice, RESULT);
    world.send(alice, unicast());
    world.control({ type: 'private-settled', session: alice.id });
    expect(alice.answers).toEqual([]);
    world.control({ type: 'private-settled', session: alice.id });
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    expect(alice.heldBytes).toBe(0);
    world.send(alice, unicast());
    expect(alice.answers).toHaveLength(2);
  });

  it('does not wait when its receiver was allowed before', () => {
    const { world, alice, bob } = pair();
    world.result(alice, RESULT);
    world.send(alice, unicast());
    expect(bob.delivered).toHaveLength(1);
  });

  it('waits with 255 others at most; one more is refused', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    for (let n = 0; n < 257; n++) world.send(alice, unicast());
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    world.target(route, N, bob);
    world.send(alice, unicast());
    expect([alice.answers.length, bob.delivered.length], 'and none goes before the others').toEqual([2, 0]);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toHaveLength(256);
  });

  it('is forgotten with its session', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    world.send(alice, unicast());
    world.end(alice);
    world.target(route, N, bob);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toEqual([]);
  });
});

describe('a certification result', () => {
  it('is handed to the control thread in memory of its own', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const frame = resultFrame('{"checkResult":0}');
    world.result(alice, frame);
    frame.fill(0, 42);
    expect(world.postsOf('certification-result')).toEqual([
      { type: 'certification-result', session: alice.id, body: Buffer.from('{"checkResult":0}') },
    ]);
  });

  it('is refused of a session without private topics, and when it is too long', () => {
    const world = new PrivateWorld();
    const [stranger, alice] = [world.session('public'), world.session(pushOf(N))];
    world.result(stranger, resultFrame('{"checkResult":0}'));
    world.result(alice, resultFrame('x'.repeat(4_097)));
    expect([stranger.refusals, alice.refusals]).toEqual([['certification-result'], ['certification-result']]);
    expect(world.postsOf('certification-result')).toEqual([]);
    world.send(alice, unicast());
    expect(failuresOf(alice), 'nothing waits for it').toEqual([[100, 'not-certified']]);
    world.result(alice, resultFrame('x'.repeat(4_096)));
    expect(world.postsOf('certification-result')).toHaveLength(1);
  });
});

describe('a question', () => {
  it('is pushed as 0x37 with a number of its own and the body as it is', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    for (let n = 0; n < 2; n++)
      world.control({ type: 'certify', session: alice.id, body: Buffer.from('{"nodeId":""}\n') });
    const [first, second] = alice.sent;
    expect([first.readUInt32BE(0), first.readUInt16BE(4), first.readInt32BE(38)]).toEqual([first.length, 0x37, 0]);
    expect(first.toString('latin1', 42)).toBe('{"nodeId":""}\n');
    expect([first, second].map((frame) => frame.toString('latin1', 6, 38))).toEqual([
      '1'.padStart(32, '0'),
      '2'.padStart(32, '0'),
    ]);
  });

  it('is acknowledged once by any frame with its number, of the session that was asked', () => {
    const world = new PrivateWorld();
    const [alice, mallory] = [world.session(pushOf(N)), world.session(pushOf(N))];
    world.control({ type: 'certify', session: alice.id, body: Buffer.from('{}') });
    const [question] = alice.sent;
    for (const type of [0x37, RESPONSE]) {
      const acknowledgement = Buffer.from(question);
      acknowledgement[5] = type;
      expect(world.acknowledges(mallory, acknowledgement)).toBe(false);
      expect(world.acknowledges(world.session(), acknowledgement)).toBe(false);
      expect(world.acknowledges(alice, acknowledgement)).toBe(type === 0x37);
    }
    expect(world.acknowledges(alice, makeMessage(RESPONSE, 'other', N))).toBe(false);
  });

  it('is remembered with 1,023 others until it is acknowledged', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    for (let n = 0; n < 1_025; n++) world.control({ type: 'certify', session: alice.id, body: Buffer.from('{}') });
    expect(world.acknowledges(alice, alice.sent[0])).toBe(false);
    expect(world.acknowledges(alice, alice.sent[1])).toBe(true);
    expect(world.acknowledges(alice, alice.sent[1_024])).toBe(true);
  });

  it('is not asked of a session that is closing, of a link, or of one that has left', () => {
    const world = new PrivateWorld();
    const [alice, link] = [world.session(pushOf(N)), world.link()];
    alice.closed = true;
    for (const session of [alice.id, link.id]) world.control({ type: 'certify', session, body: Buffer.from('{}') });
    expect(alice.sent).toEqual([]);
  });
});

describe('a challenge of a session', () => {
  /** A sender, and a holder of V. */
  function open() {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    return { world, alice, bob };
  }

  it('passes to who holds the topic, and the answer comes back as it was', () => {
    const { world, alice, bob } = open();
    const frame = world.send(alice, challenge());
    expect(bob.delivered).toEqual([frame]);
    const signature = makeMessage(RESPONSE, frame.toString('latin1', 6, 38), V, 'x'.repeat(65));
    expect(world.router.response(bob, signature, world.nowMs)).toBe(true);
    expect(alice.answers.map(({ frame: answer }) => answer)).toEqual([signature]);
    expect(world.challenges('passed')).toBe(1);
    expect(world.postsOf('challenge-failed')).toEqual([]);
  });

  it('is refused of a session that is no sender of the topic, in another shape, over the rate and with nobody there', () => {
    const { world, alice, bob } = open();
    const mallory = world.session(pushOf(M));
    world.route(mallory, M);
    const early = world.session(pushOf(N));
    for (const session of [mallory, early, bob]) world.send(session, challenge());
    world.send(alice, challenge(V, 'a transaction, or what else one would like to have signed'));
    world.send(alice, challenge(challengeOf(N, '1')));
    for (let n = 0; n < 5; n++) world.send(alice, challenge());
    expect(bob.delivered).toHaveLength(4);
    expect([mallory, early, bob].flatMap(failuresOf)).toEqual(
      Array.from({ length: 3 }, () => [100, 'challenge-refused']),
    );
    expect(failuresOf(alice)).toEqual([
      [100, 'challenge-refused'],
      [100, 'no-subscriber'],
      [100, 'challenge-refused'],
    ]);
    expect(
      (['passed', 'not-a-sender', 'not-listed', 'no-subscriber', 'shape', 'rate'] as const).map((result) =>
        world.challenges(result),
      ),
    ).toEqual([4, 3, 0, 1, 1, 1]);
  });

  it('that ends without a signature is told to the control thread, whatever ended it', () => {
    const { world, alice, bob } = open();
    world.send(alice, challenge());
    world.end(bob);
    expect(failuresOf(alice)).toEqual([[102, 'subscriber-gone']]);
    world.send(alice, challenge());
    expect(world.postsOf('challenge-failed')).toEqual([
      { type: 'challenge-failed', session: alice.id, topic: V },
      { type: 'challenge-failed', session: alice.id, topic: V },
    ]);
    world.send(alice, unicast());
    expect(world.postsOf('challenge-failed'), 'a message is no challenge').toHaveLength(2);
  });

  it('never comes back to the session itself', () => {
    const { world, alice } = open();
    world.subscribe(alice, pushOf(N), N, challengeOf(N, '2'));
    world.control({ type: 'challenge-route', topic: challengeOf(N, '2'), endpoints: [alice.id] });
    world.send(alice, challenge(challengeOf(N, '2')));
    expect(alice.delivered).toEqual([]);
    expect(failuresOf(alice)).toEqual([[100, 'no-subscriber']]);
  });

  it('tells another relay who challenges, and goes to a 2.x node as it is', () => {
    const { world, alice } = open();
    const [relay, node] = [world.link(), world.link('node')];
    const [far, old] = [challengeOf(N, '3'), challengeOf(N, '4')];
    world.control({ type: 'challenge-route', topic: far, endpoints: [relay.id] });
    world.control({ type: 'challenge-route', topic: old, endpoints: [node.id] });
    const frames = [world.send(alice, challenge(far)), world.send(alice, challenge(old))];
    expect(relay.relayed).toMatchObject([
      { packetType: RelayPacketType.challenge, prefix: encodeHandle(alice.handle) },
    ]);
    expect(relay.relayed[0].frame).toEqual(frames[0]);
    expect(node.delivered).toEqual([frames[1]]);
  });

  it('goes to who holds the topic now', () => {
    const { world, alice, bob } = open();
    const carol = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [carol.id, 99] });
    world.send(alice, challenge());
    expect([bob.delivered.length, carol.delivered.length]).toEqual([0, 1]);
    world.control({ type: 'challenge-route', topic: V, endpoints: [] });
    world.send(alice, challenge());
    expect(world.challenges('no-subscriber')).toBe(1);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.subscribe(bob, N);
    world.send(alice, challenge());
    expect(bob.delivered, 'who dropped it takes no more, at once').toEqual([]);
  });
});

describe('a frame of a 2.x node', () => {
  it('reaches sessions with a challenge topic of their own, and nobody who only knows the name', () => {
    const world = new PrivateWorld();
    const node = world.link('node');
    const [bob, eve, frank] = [world.session(N, V), world.session(N), world.session(N, challengeOf(M))];
    const frame = unicast();
    world.fromNode(node, frame, 5);
    world.fromNode(node, multicast());
    expect(bob.delivered).toHaveLength(2);
    expect([eve.delivered, frank.delivered]).toEqual([[], []]);
    world.answer(bob, frame);
    expect(failuresOf(node)).toEqual([[0, undefined]]);
    world.subscribe(bob);
    world.fromNode(node, unicast());
    world.fromNode(node, multicast());
    expect(failuresOf(node).slice(1)).toEqual([[101, 'no-subscriber']]);
    world.end(eve);
    world.end(frank);
    world.fromNode(node, unicast());
    expect(failuresOf(node).at(-1)).toEqual([101, 'no-subscriber']);
  });

  it('passes as a challenge only on a topic that it has pulled', () => {
    const world = new PrivateWorld();
    const node = world.link('node');
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.fromNode(node, challenge());
    expect(failuresOf(node)).toEqual([[100, 'challenge-refused']]);
    world.control({ type: 'challenge-listed', link: node.id, topics: [V] });
    const frame = challenge();
    world.fromNode(node, frame);
    expect(bob.delivered).toEqual([frame]);
    world.fromNode(node, challenge(V, 'no challenge at all, much too long'));
    world.control({ type: 'challenge-listed', link: node.id, topics: [] });
    world.fromNode(node, challenge());
    expect([world.challenges('passed'), world.challenges('not-listed'), world.challenges('shape')]).toEqual([1, 2, 1]);
    expect(bob.delivered).toHaveLength(1);
  });

  it('is rate limited as a challenge by the node as a whole', () => {
    const world = new PrivateWorld();
    const [node, other] = [world.link('node'), world.link('node')];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    for (const link of [node, other]) world.control({ type: 'challenge-listed', link: link.id, topics: [V] });
    for (let n = 0; n < 6; n++) world.fromNode(node, challenge());
    world.fromNode(other, challenge());
    expect([world.challenges('passed'), world.challenges('rate')]).toEqual([5, 2]);
  });

  it('is refused on other private names, as a multicast without an answer', () => {
    const world = new PrivateWorld();
    const node = world.link('node');
    world.control({ type: 'challenge-listed', link: node.id, topics: [V] });
    for (const topic of ['#!$', pushOf(N), `${V}0`]) world.fromNode(node, unicast(topic));
    expect(failuresOf(node)).toEqual(Array.from({ length: 3 }, () => [100, 'private-topic']));
    for (const topic of [V, pushOf(N)]) world.fromNode(node, multicast(topic));
    expect([node.answers.length, node.refusals]).toEqual([3, Array.from({ length: 5 }, () => 'malformed-body')]);
  });

  it('is none when a relay sends it', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.control({ type: 'challenge-listed', link: relay.id, topics: [V] });
    for (const frame of [unicast(), challenge(), multicast()]) world.fromNode(relay, frame);
    expect(bob.delivered).toEqual([]);
    expect(failuresOf(relay)).toEqual([
      [100, 'private-topic'],
      [100, 'private-topic'],
    ]);
  });

  it('never goes on to another peer', () => {
    const world = new PrivateWorld();
    const [node, other] = [world.link('node'), world.link()];
    world.control({ type: 'challenge-route', topic: V, endpoints: [other.id] });
    world.control({ type: 'challenge-listed', link: node.id, topics: [V] });
    world.fromNode(node, challenge());
    expect(other.relayed).toEqual([]);
    expect(failuresOf(node)).toEqual([[101, 'no-subscriber']]);
  });
});

describe('a frame of another relay', () => {
  const message = (frame: Buffer, ...sessions: { readonly handle: string }[]): Buffer =>
    Buffer.concat([encodeHandles(sessions.map(({ handle }) => handle)), frame]);

  it('reaches the sessions that it names, as long as they subscribe', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const [bob, carol, dave] = [
      world.session(N, V),
      world.session(N, challengeOf(N, '1')),
      world.session(N, challengeOf(N, '2')),
    ];
    const frame = multicast();
    world.fromRelay(relay, RelayPacketType.privateMessage, message(frame, bob, carol, { handle: 'f'.repeat(16) }), 0);
    expect([bob.delivered, carol.delivered, dave.delivered]).toEqual([[frame], [frame], []]);
    for (let n = 0; n < 6; n++) {
      const request = unicast();
      world.fromRelay(relay, RelayPacketType.privateMessage, message(request, carol), n);
      world.answer(carol, request);
    }
    expect([bob.delivered.length, carol.delivered.length, dave.delivered.length]).toEqual([1, 7, 0]);
    world.subscribe(carol, V);
    world.fromRelay(relay, RelayPacketType.privateMessage, message(unicast(), carol));
    expect(failuresOf(relay).at(-1)).toEqual([101, 'no-subscriber']);
    world.end(carol);
    world.fromRelay(relay, RelayPacketType.privateMessage, message(unicast(), carol));
    expect(failuresOf(relay).at(-1)).toEqual([101, 'no-subscriber']);
    expect(relay.refusals).toEqual([]);
  });

  it('gives each sender’s copy of a multicast to its own receivers, once', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const [bob, carol] = [world.session(N, V), world.session(N, challengeOf(N, '1'))];
    const frame = multicast();
    world.fromRelay(relay, RelayPacketType.privateMessage, message(frame, bob), 0);
    world.fromRelay(relay, RelayPacketType.privateMessage, message(frame, bob, carol), 0);
    expect([bob.delivered.length, carol.delivered.length]).toEqual([1, 1]);
    expect([world.stat('multicastCopies'), world.stat('multicastDuplicates')]).toEqual([2, 0]);
    world.fromRelay(relay, RelayPacketType.privateMessage, message(frame, carol), 0);
    expect(world.stat('multicastDuplicates')).toBe(1);
  });

  it('passes as a challenge on a topic that the relay has pulled, rate limited by the session that it names', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    const from = (handle: string) =>
      world.fromRelay(relay, RelayPacketType.challenge, Buffer.concat([encodeHandle(handle), challenge()]));
    from('a'.repeat(16));
    expect(failuresOf(relay)).toEqual([[100, 'challenge-refused']]);
    world.control({ type: 'challenge-listed', link: relay.id, topics: [V] });
    for (let n = 0; n < 5; n++) from('a'.repeat(16));
    from('b'.repeat(16));
    expect([world.challenges('passed'), world.challenges('rate'), world.challenges('not-listed')]).toEqual([5, 1, 1]);
  });

  it('uses up the allowance of no session behind another relay', () => {
    const world = new PrivateWorld();
    const [relay, mallory] = [world.link(), world.link()];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    for (const link of [relay, mallory]) world.control({ type: 'challenge-listed', link: link.id, topics: [V] });
    const from = (link: typeof relay) =>
      world.fromRelay(link, RelayPacketType.challenge, Buffer.concat([encodeHandle('a'.repeat(16)), challenge()]));
    for (let n = 0; n < 9; n++) from(mallory);
    from(relay);
    expect(world.challenges('passed')).toBe(5);
  });

  it('is refused when it carries no channel frame on a private topic, without an answer', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    world.session(N, V);
    const frames = [
      Buffer.alloc(0),
      Buffer.from([0, 0]),
      message(Buffer.alloc(0), { handle: 'a'.repeat(16) }),
      message(unicast().subarray(0, -1), { handle: 'a'.repeat(16) }),
      message(Buffer.concat([unicast(), unicast()]), { handle: 'a'.repeat(16) }),
      message(unicast('public'), { handle: 'a'.repeat(16) }),
      message(unicast('#!$Other_n'), { handle: 'a'.repeat(16) }),
    ];
    for (const frame of frames) world.fromRelay(relay, RelayPacketType.privateMessage, frame);
    world.fromRelay(relay, RelayPacketType.challenge, Buffer.alloc(7));
    world.fromRelay(relay, RelayPacketType.challenge, Buffer.alloc(100));
    expect([relay.answers, relay.refusals]).toEqual([[], Array.from({ length: 9 }, () => 'malformed-frame')]);
  });

  it('is answered with 100 when its kind does not fit its topic', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.control({ type: 'challenge-listed', link: relay.id, topics: [V] });
    world.fromRelay(relay, RelayPacketType.privateMessage, message(challenge(), bob));
    world.fromRelay(relay, RelayPacketType.challenge, Buffer.concat([encodeHandle(bob.handle), unicast()]));
    world.fromRelay(relay, RelayPacketType.challenge, Buffer.concat([encodeHandle(bob.handle), multicast(V)]));
    expect(bob.delivered).toEqual([]);
    expect([failuresOf(relay), relay.refusals]).toEqual([
      [
        [100, 'private-topic'],
        [100, 'private-topic'],
      ],
      // Nobody may multicast on a challenge topic, which the scanner knows.
      ['malformed-body', 'malformed-body', 'malformed-frame'],
    ]);
  });

  it('finds no list of a link that has ended, even if the control thread named it late', () => {
    const world = new PrivateWorld();
    const [relay, late] = [world.link(), world.link()];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.control({ type: 'challenge-listed', link: relay.id, topics: [V] });
    for (const link of [relay, late]) world.end(link);
    world.control({ type: 'challenge-listed', link: late.id, topics: [V] });
    for (const link of [relay, late]) {
      world.fromRelay(link, RelayPacketType.challenge, Buffer.concat([encodeHandle('a'.repeat(16)), challenge()]));
    }
    expect([bob.delivered, world.challenges('not-listed')]).toEqual([[], 2]);
  });
});

it('sequences of questions cannot be those of applications by chance alone', () => {
  // Decimal and padded with zeros, as the reference counts them: 32 hex digits at random are none of the first 10^12.
  const world = new PrivateWorld();
  const alice = world.session(pushOf(N));
  world.control({ type: 'certify', session: alice.id, body: Buffer.from('{}') });
  expect(alice.sent[0].toString('latin1', 6, 38)).toMatch(/^0{20}\d{12}$/);
  expect(seqBytes('x')).toHaveLength(32);
});
