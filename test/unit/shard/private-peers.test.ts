import { describe, expect, it } from 'vitest';
import { encodeHandle, encodeHandles } from '../../../src/wire/mesh/private-frame.js';
import { RelayPacketType } from '../../../src/wire/mesh/relay-module.js';
import {
  challenge,
  challengeOf,
  failuresOf,
  M,
  multicast,
  N,
  PrivateWorld,
  pushOf,
  unicast,
  V,
} from './private-world.js';

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
    world.control({ type: 'challenge-listed', nodeId: node.identity.nodeId, topics: [V] });
    const frame = challenge();
    world.fromNode(node, frame);
    expect(bob.delivered).toEqual([frame]);
    world.fromNode(node, challenge(V, 'no challenge at all, much too long'));
    world.control({ type: 'challenge-listed', nodeId: node.identity.nodeId, topics: [] });
    world.fromNode(node, challenge());
    expect([world.challenges('passed'), world.challenges('not-listed'), world.challenges('shape')]).toEqual([1, 2, 1]);
    expect(bob.delivered).toHaveLength(1);
    expect(world.postsOf('challenge-failed'), 'of a session only').toEqual([]);
  });

  it('is rate limited as a challenge by the node as a whole', () => {
    const world = new PrivateWorld();
    const [node, other] = [world.link('node'), world.link('node')];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    for (const link of [node, other])
      world.control({ type: 'challenge-listed', nodeId: link.identity.nodeId, topics: [V] });
    for (let n = 0; n < 6; n++) world.fromNode(node, challenge());
    world.fromNode(other, challenge());
    expect([world.challenges('passed'), world.challenges('rate')]).toEqual([5, 2]);
  });

  it('is refused on other private names, as a multicast without an answer', () => {
    const world = new PrivateWorld();
    const node = world.link('node');
    world.control({ type: 'challenge-listed', nodeId: node.identity.nodeId, topics: [V] });
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
    world.control({ type: 'challenge-listed', nodeId: relay.identity.nodeId, topics: [V] });
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
    world.control({ type: 'challenge-listed', nodeId: node.identity.nodeId, topics: [V] });
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
    world.control({ type: 'challenge-listed', nodeId: relay.identity.nodeId, topics: [V] });
    for (let n = 0; n < 5; n++) from('a'.repeat(16));
    from('b'.repeat(16));
    expect([world.challenges('passed'), world.challenges('rate'), world.challenges('not-listed')]).toEqual([5, 1, 1]);
  });

  it('uses up the allowance of no session behind another relay', () => {
    const world = new PrivateWorld();
    const [relay, mallory] = [world.link(), world.link()];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    for (const link of [relay, mallory])
      world.control({ type: 'challenge-listed', nodeId: link.identity.nodeId, topics: [V] });
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
    world.control({ type: 'challenge-listed', nodeId: relay.identity.nodeId, topics: [V] });
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

  it('counts the list that a peer has pulled over another link, also one that has ended', () => {
    const world = new PrivateWorld();
    const relay = world.link();
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.control({ type: 'challenge-listed', nodeId: relay.identity.nodeId, topics: [V] });
    world.end(relay);
    const again = world.link('relay', relay.identity.nodeId);
    const stranger = world.link();
    for (const link of [again, stranger]) {
      world.fromRelay(link, RelayPacketType.challenge, Buffer.concat([encodeHandle('a'.repeat(16)), challenge()]));
    }
    expect([bob.delivered.length, world.challenges('not-listed')]).toEqual([1, 1]);
  });

  it('remembers the lists of 1,024 peers', () => {
    const world = new PrivateWorld();
    const [first, last] = [world.link(), world.link()];
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    const listed = (nodeId: string) => world.control({ type: 'challenge-listed', nodeId, topics: [V] });
    listed(first.identity.nodeId);
    for (let n = 0; n < 1_023; n++) listed(`${n}`.padStart(128, 'f'));
    listed(last.identity.nodeId);
    for (const link of [first, last]) {
      world.fromRelay(link, RelayPacketType.challenge, Buffer.concat([encodeHandle('a'.repeat(16)), challenge()]));
    }
    expect([bob.delivered.length, world.challenges('not-listed')]).toEqual([1, 1]);
  });
});
