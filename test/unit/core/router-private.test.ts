/** Unicast and multicast to receivers that are named: those of a topic in no table, or some of a topic. */
import { describe, expect, it } from 'vitest';
import { SeenCache } from '../../../src/core/seen-cache.js';
import { DetachedTopic, type RelayForm } from '../../../src/core/topic-table.js';
import { type FakeEndpoint, MULTICAST, makeMessage, makeWorld, UNICAST } from './fakes.js';

const FORM: RelayForm = { packetType: 4, prefix: () => Buffer.alloc(0), mayBePlain: () => true };

type World = ReturnType<typeof makeWorld>;

/** A topic that stands in no table. */
function detached(name: string, ...receivers: FakeEndpoint[]): DetachedTopic {
  const topic = new DetachedTopic(name, FORM);
  for (const receiver of receivers) topic.subscribers.add(receiver);
  return topic;
}

function ask(world: World, from: FakeEndpoint, seq: string, topic: DetachedTopic, only?: ReadonlySet<number>): Buffer {
  const frame = makeMessage(UNICAST, seq, topic.name);
  world.router.unicastTo(from, frame, topic, only, world.nowMs());
  return frame;
}

function copy(
  world: World,
  from: FakeEndpoint,
  frame: Buffer,
  topic: DetachedTopic,
  only?: ReadonlySet<number>,
): { copies: number; dropped: number } {
  let dropped = 0;
  const copies = world.router.multicastTo(from, frame, topic, only, world.nowMs(), () => dropped++);
  return { copies, dropped };
}

const peer = (world: World): FakeEndpoint => Object.assign(world.join(), { isPeer: true });
const failures = ({ answers }: FakeEndpoint) => answers.map(({ code, reason }) => [code, reason]);

describe('a unicast to receivers that stand in no table', () => {
  it('reaches them in fair turns, and nobody who subscribes to the name', () => {
    const world = makeWorld();
    const [one, two, stranger, sender] = [world.join(), world.join(), world.join('T'), world.join()];
    const topic = detached('T', one, two);
    for (let n = 0; n < 10; n++) {
      const frame = ask(world, sender, `s${n}`, topic);
      world.respond(one.delivered.at(-1) === frame ? one : two, frame);
    }
    expect([one.delivered.length, two.delivered.length, stranger.delivered.length]).toEqual([5, 5, 0]);
    expect(failures(sender)).toEqual(Array.from({ length: 10 }, () => [0, undefined]));
  });

  it('tries each of them once, and answers 102 at the end', () => {
    const world = makeWorld();
    const [one, two, stranger, sender] = [world.join(), world.join(), world.join('T'), world.join()];
    ask(world, sender, 's', detached('T', one, two));
    for (let n = 0; n < 2; n++) world.pass(5_000);
    expect([one.delivered.length, two.delivered.length, stranger.delivered.length]).toEqual([1, 1, 0]);
    expect(failures(sender)).toEqual([[102, 'subscriber-silent']]);
  });

  it('answers 100 at once when there is nobody: peers are not asked for lists of names', () => {
    const world = makeWorld();
    world.observer.hasPeers = true;
    const [sender, subscriber] = [world.join(), world.join('T')];
    ask(world, sender, 'a', detached('T'));
    ask(world, sender, 'b', detached('T', sender));
    world.router.unicastTo(
      sender,
      makeMessage(UNICAST, 'c', 'T'),
      world.topics.topic(world.topicId('T'))!,
      new Set(),
      0,
    );
    expect(failures(sender)).toEqual(Array.from({ length: 3 }, () => [100, 'no-subscriber']));
    expect([world.observer.misses, subscriber.delivered, sender.delivered]).toEqual([0, [], []]);
  });

  it('goes on to who became a receiver meanwhile, and to none who has ceased to be one', () => {
    const world = makeWorld();
    const [first, gone, late, sender] = [world.join(), world.join(), world.join(), world.join()];
    const topic = detached('T', first);
    ask(world, sender, 's', topic);
    topic.subscribers.add(gone);
    topic.subscribers.remove(gone);
    topic.subscribers.remove(first);
    topic.subscribers.add(late);
    world.pass(5_000);
    expect([gone.delivered.length, late.delivered.length]).toEqual([0, 1]);
    topic.subscribers.remove(late);
    world.respond(late, late.delivered[0]);
    expect(failures(sender), 'who has been asked may answer').toEqual([[0, undefined]]);
  });

  it('is handed to them with the topic and its sender, which decide its form between relays', () => {
    const world = makeWorld();
    const [link, sender] = [peer(world), world.join()];
    const seen: unknown[] = [];
    Object.assign(link, { deliver: (...given: unknown[]) => seen.push(...given.slice(2)) > 0 });
    const topic = detached('T', link);
    ask(world, sender, 's', topic);
    copy(world, sender, makeMessage(MULTICAST, 'm', 'T'), topic);
    expect(seen).toEqual([topic, sender, topic, sender]);
    expect(world.observer.forwardedFrames).toHaveLength(2);
  });

  it('over a bandwidth limit to peers goes to sessions, and is refused when there are none', () => {
    const world = makeWorld();
    world.observer.forwards = false;
    const [link, session, sender] = [peer(world), world.join(), world.join()];
    ask(world, sender, 'a', detached('T', link, session));
    ask(world, sender, 'b', detached('T', link));
    expect([link.delivered.length, session.delivered.length]).toEqual([0, 1]);
    expect(failures(sender)).toEqual([[103, 'bandwidth-limit']]);
  });

  it('is bounded and drained like any other', () => {
    const world = makeWorld({ sessionPendingMax: 1 });
    const [receiver, sender] = [world.join(), world.join()];
    const topic = detached('T', receiver);
    ask(world, sender, 'a', topic);
    ask(world, sender, 'b', topic);
    world.respond(receiver, receiver.delivered[0]);
    world.router.drain();
    ask(world, sender, 'c', topic);
    expect(failures(sender)).toEqual([
      [100, 'pending-max'],
      [0, undefined],
      [100, 'draining'],
    ]);
  });

  it('of a peer is answered under the number of the peer, and goes to no other peer', () => {
    const world = makeWorld();
    const [from, other, session] = [peer(world), peer(world), world.join()];
    const tickets: number[] = [];
    Object.assign(from, { answer: (_frame: Buffer, ticket: number) => tickets.push(ticket) });
    const topic = detached('T', other, session);
    const frame = makeMessage(UNICAST, 's', 'T');
    world.router.unicastTo(from, frame, topic, undefined, world.nowMs(), 77);
    world.respond(session, frame);
    expect([tickets, other.delivered]).toEqual([[77], []]);
  });
});

describe('a unicast to some receivers of a topic', () => {
  it('reaches those that are named and subscribe, whoever else is free', () => {
    const world = makeWorld();
    const subscribers = Array.from({ length: 4 }, () => world.join('T'));
    const [, named, , also] = subscribers;
    const sender = world.join();
    const topic = world.topics.topic(world.topicId('T'))!;
    const only = new Set([named.id, also.id, 9_999]);
    for (let n = 0; n < 6; n++) {
      const frame = makeMessage(UNICAST, `s${n}`, 'T');
      world.router.unicastTo(sender, frame, topic, only, world.nowMs());
      world.respond([named, also].find(({ delivered }) => delivered.at(-1) === frame)!, frame);
    }
    expect(subscribers.map(({ delivered }) => delivered.length)).toEqual([0, 3, 0, 3]);
  });

  it('tries no others when they are silent, full or gone', () => {
    const world = makeWorld();
    const [silent, gone, free, sender] = [world.join('T'), world.join('T'), world.join('T'), world.join()];
    const topic = world.topics.topic(world.topicId('T'))!;
    const send = (seq: string, ...only: FakeEndpoint[]) =>
      world.router.unicastTo(
        sender,
        makeMessage(UNICAST, seq, 'T'),
        topic,
        new Set(only.map(({ id }) => id)),
        world.nowMs(),
      );
    send('a', silent);
    world.pass(5_000);
    silent.full = true;
    send('b', silent);
    send('c', gone);
    world.leave(gone);
    send('d', gone);
    expect(failures(sender)).toEqual([
      [102, 'subscriber-silent'],
      [101, 'subscriber-busy'],
      [102, 'subscriber-gone'],
      [100, 'no-subscriber'],
    ]);
    expect(free.delivered).toEqual([]);
  });

  it('does not stay with the record of a request that is used again', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    const topic = world.topics.topic(world.topicId('T'))!;
    const frame = makeMessage(UNICAST, 'a', 'T');
    world.router.unicastTo(sender, frame, topic, new Set([one.id]), world.nowMs());
    world.respond(one, frame);
    for (let n = 0; n < 4; n++) world.ask(sender, `s${n}`);
    expect(two.delivered.length).toBeGreaterThan(0);
  });
});

describe('a multicast to receivers that are named', () => {
  it('is copied to each of them once, but to its sender', () => {
    const world = makeWorld();
    const [one, two, stranger, sender] = [world.join(), world.join(), world.join('T'), world.join()];
    const topic = detached('T', one, two, sender);
    const frame = makeMessage(MULTICAST, 'm', 'T');
    expect(copy(world, sender, frame, topic)).toEqual({ copies: 2, dropped: 0 });
    expect(copy(world, sender, frame, topic)).toEqual({ copies: -1, dropped: 0 });
    expect([one, two, stranger, sender].map(({ delivered }) => delivered.length)).toEqual([1, 1, 0, 0]);
  });

  it('that another session of the application sends reaches receivers of its own, and nobody twice', () => {
    const world = makeWorld();
    const [both, hers, his, alice, twin] = Array.from({ length: 5 }, () => world.join());
    const frame = makeMessage(MULTICAST, 'm', 'T');
    expect(copy(world, alice, frame, detached('T', both, hers, twin)).copies).toBe(3);
    expect(copy(world, twin, Buffer.from(frame), detached('T', both, his, alice)).copies).toBe(1);
    expect([both, hers, his, alice, twin].map(({ delivered }) => delivered.length)).toEqual([1, 1, 1, 0, 1]);
  });

  it('comes again to one whose queue was full, and to one who became a receiver in between', () => {
    const world = makeWorld();
    const [full, late, sender, twin] = Array.from({ length: 4 }, () => world.join());
    full.full = true;
    const topic = detached('T', full);
    const frame = makeMessage(MULTICAST, 'm', 'T');
    expect(copy(world, sender, frame, topic)).toEqual({ copies: 0, dropped: 1 });
    full.full = false;
    topic.subscribers.add(late);
    expect(copy(world, twin, frame, topic)).toEqual({ copies: 2, dropped: 0 });
    expect(copy(world, sender, frame, topic).copies).toBe(-1);
    expect([full.delivered.length, late.delivered.length]).toEqual([1, 1]);
  });

  it('goes to peers from a session, once each, and from a peer to sessions alone', () => {
    const world = makeWorld();
    const [link, other, session, alice, twin] = [peer(world), peer(world), world.join(), world.join(), world.join()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    expect(copy(world, link, frame, detached('T', other, session)).copies).toBe(1);
    // That it came from a peer says nothing about the others.
    expect(copy(world, alice, frame, detached('T', other, session)).copies).toBe(1);
    expect(copy(world, twin, frame, detached('T', other, link, session)).copies, 'nor back to it').toBe(-1);
    const third = peer(world);
    expect(copy(world, twin, frame, detached('T', other, third)).copies).toBe(1);
    expect([link, other, session, third].map(({ delivered }) => delivered.length)).toEqual([0, 1, 1, 1]);
  });

  it('goes to a relay by the route of each sender, since it names receivers of its own, and to a 2.x node once', () => {
    const world = makeWorld();
    const [relay, node, session, alice, twin] = [peer(world), peer(world), world.join(), world.join(), world.join()];
    const route = () => {
      const topic = new DetachedTopic('T', { ...FORM, mayBePlain: (link) => link === node.id });
      for (const receiver of [relay, node, session]) topic.subscribers.add(receiver);
      return topic;
    };
    const [first, second] = [route(), route()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    expect(copy(world, alice, frame, first).copies).toBe(3);
    expect(copy(world, alice, frame, first).copies, 'the same receivers').toBe(-1);
    expect(copy(world, twin, frame, second).copies).toBe(1);
    expect(copy(world, twin, frame, second).copies).toBe(-1);
    expect([relay, node, session].map(({ delivered }) => delivered.length)).toEqual([2, 1, 1]);
    expect(world.observer.forwardedFrames.map(({ sender }) => sender)).toEqual([alice, alice, twin]);
  });

  it('is copied to those of a topic that are named, and to others when a later copy names them', () => {
    const world = makeWorld();
    const [one, two, three] = [world.join('T'), world.join('T'), world.join('T')];
    const link = peer(world);
    const topic = world.topics.topic(world.topicId('T'))!;
    const frame = makeMessage(MULTICAST, 'm', 'T');
    const send = (...only: FakeEndpoint[]) =>
      world.router.multicastTo(link, frame, topic, new Set(only.map(({ id }) => id)), world.nowMs(), () => {});
    expect([send(one), send(one), send(one, two), send(two)]).toEqual([1, -1, 1, -1]);
    expect([one, two, three].map(({ delivered }) => delivered.length)).toEqual([1, 1, 0]);
  });

  it('never waits for the lists of peers', () => {
    const world = makeWorld();
    world.observer.hasPeers = true;
    expect(copy(world, world.join(), makeMessage(MULTICAST, 'm', 'T'), detached('T'))).toEqual({
      copies: 0,
      dropped: 0,
    });
    expect(world.observer.misses).toBe(0);
  });

  it('is forgotten after 30 s', () => {
    const world = makeWorld();
    const [receiver, sender] = [world.join(), world.join()];
    const topic = detached('T', receiver);
    const frame = makeMessage(MULTICAST, 'm', 'T');
    copy(world, sender, frame, topic);
    world.pass(30_000);
    expect(copy(world, sender, frame, topic).copies).toBe(1);
  });
});

describe('a topic that stands in no table', () => {
  it('is found under its own name only as itself, with and without receivers', () => {
    const world = makeWorld();
    const receiver = world.join('T');
    const topic = detached('T');
    expect(world.topics.current(topic)).toBe(topic);
    topic.subscribers.add(receiver);
    expect([world.topics.current(topic), topic.id, topic.name, topic.bytes]).toEqual([
      topic,
      -1,
      'T',
      Buffer.from('T'),
    ]);
    expect(world.topics.lookup(Buffer.from('T'))).not.toBe(topic);
  });

  it('keeps no receiver by leaving a topic of its name', () => {
    const world = makeWorld();
    const receiver = world.join('T');
    const topic = detached('T', receiver);
    world.topics.remove(receiver);
    expect([topic.subscribers.has(receiver), topic.countOthers(world.join())]).toEqual([
      true,
      { sessions: 1, peers: 0 },
    ]);
  });
});

describe('the memory of multicasts', () => {
  it('holds whom the first copy was handed to, filled in later, and nothing for a public topic', () => {
    const cache = new SeenCache(10, 1_000);
    const receivers = new Set<number>();
    expect(cache.note(makeMessage(MULTICAST, 'm', 'T'), 1, true, 0, 0, receivers)).toBeUndefined();
    receivers.add(5);
    expect(cache.note(makeMessage(MULTICAST, 'm', 'T'), 2, true, 0, 1, new Set())?.receivers).toEqual(new Set([5]));
    cache.note(makeMessage(MULTICAST, 'n', 'T'), 1, true, 0, 0);
    expect(cache.note(makeMessage(MULTICAST, 'n', 'T'), 2, true, 0, 1)?.receivers).toBeUndefined();
    const again = new Set([6]);
    cache.note(makeMessage(MULTICAST, 'm', 'T'), 3, true, 0, 1_000, again);
    expect(cache.note(makeMessage(MULTICAST, 'm', 'T'), 3, true, 0, 1_001)?.receivers).toBe(again);
  });
});
