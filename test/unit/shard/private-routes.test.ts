import { describe, expect, it } from 'vitest';
import { encodeHandles } from '../../../src/wire/mesh/private-frame.js';
import { RelayPacketType } from '../../../src/wire/mesh/relay-module.js';
import { responseTo } from '../core/fakes.js';
import { challengeOf, failuresOf, M, multicast, N, PrivateWorld, pair, pushOf, unicast, V } from './private-world.js';

describe('private names of a session', () => {
  it('are told to the control thread with who it is, when they change', () => {
    const world = new PrivateWorld();
    const session = world.session('public', N, V, 'another');
    const { id, handle, identity } = session;
    const { certificateDigest, organisation, subject } = identity;
    const who = { id, handle, certificateDigest, organisation, subject };
    expect(world.posts).toEqual([{ type: 'private-topics', session: who, topics: [N, V], answered: [] }]);
    world.subscribe(session, N, 'public', V);
    expect(world.posts).toHaveLength(1);
    world.subscribe(session, V, N);
    world.subscribe(session, N);
    world.subscribe(session);
    expect(world.postsOf('private-topics').map(({ topics }) => topics)).toEqual([[N, V], [V, N], [N], []]);
    world.end(session);
    expect(world.postsOf('private-topics').at(-1)).toMatchObject({ session: who, topics: [] });
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

  it('goes by the topic of each frame, also when those before it had names that are nearly the same', () => {
    const world = new PrivateWorld();
    const topics = ['ab', 'bb', 'abc', 'ac', 'ab'].map((name) => `#!$TopicNeedVerify_${name}`);
    const alice = world.session(...new Set(topics.map(pushOf)));
    const links = new Map([...new Set(topics)].map((topic) => [topic, world.link('node')]));
    for (const [topic, link] of links) world.route(alice, topic, link);
    for (const topic of topics) {
      const [first, second] = [world.send(alice, unicast(topic)), world.send(alice, unicast(topic))];
      expect(links.get(topic)?.delivered.slice(-2)).toEqual([first, second]);
    }
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

  it('ends with the link to its receivers', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const link = world.link();
    const route = world.route(alice, N);
    world.target(route, N, link, ['a'.repeat(16)]);
    world.end(link);
    world.send(alice, unicast());
    world.send(alice, multicast());
    expect([link.relayed, alice.acknowledged]).toEqual([[], []]);
    expect(failuresOf(alice)).toEqual([
      [100, 'not-certified'],
      [100, 'not-certified'],
    ]);
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
    world.control({
      type: 'certify',
      session: 99,
      body: Buffer.from('{}'),
      challengeTopic: challengeOf(N),
      endpoint: undefined,
    });
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
