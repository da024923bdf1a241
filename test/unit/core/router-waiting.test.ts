/** Messages for which nobody is known wait until the peers have been asked for their lists. */
import { describe, expect, it } from 'vitest';
import { type FakeEndpoint, MULTICAST, makeMessage, makeWorld, UNICAST } from './fakes.js';

/** A world in which there are peers to ask. */
function setup(limits: Parameters<typeof makeWorld>[0] = {}) {
  const world = makeWorld(limits);
  world.observer.hasPeers = true;
  return { ...world, sender: world.join(), peer: world.joinPeer() };
}

const multicastOf = (seq: string, payload = '', topic = 'T') => makeMessage(MULTICAST, seq, topic, payload);
const codes = (endpoint: FakeEndpoint): number[] => endpoint.answers.map(({ code }) => code);

describe('a unicast for which nobody is known', () => {
  it('goes to the peer whose list then has the topic', () => {
    const { observer, sender, peer, ask, route, pulled, pass } = setup();
    const request = ask(sender, 'a');
    expect([observer.misses, sender.answers]).toEqual([1, []]);
    pass(100);
    route(peer, { T: 1 });
    expect(peer.delivered).toEqual([request]);
    pulled();
    expect([peer.delivered.length, sender.answers]).toEqual([1, []]);
  });

  it('goes to the session that subscribes meanwhile', () => {
    const { sender, ask, join, subscribe } = setup();
    const request = ask(sender, 'a');
    const late = join();
    subscribe(late, 'T');
    expect(late.delivered).toEqual([request]);
  });

  it('is answered with 100 once the lists are there and nobody is, and its memory is free', () => {
    const { router, sender, ask, pulled, pass } = setup();
    const request = ask(sender, 'a');
    expect(sender.heldBytes).toBeGreaterThanOrEqual(request.length);
    pass(300);
    pulled();
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'no-subscriber' }]);
    expect([router.pending, sender.heldBytes]).toEqual([0, 0]);
  });

  it('is answered with 100 at once when there is nobody to ask', () => {
    const { observer, sender, ask } = setup();
    observer.hasPeers = false;
    ask(sender, 'a');
    expect([observer.misses, codes(sender)]).toEqual([1, [100]]);
  });

  it('waits, too, where only its sender subscribes, and until somebody else does', () => {
    const { topics, peer, join, joinPeer, ask, route, pulled } = setup();
    const sender = join('T', 'U');
    const request = ask(sender, 'a');
    expect(sender.answers).toEqual([]);
    // The list of another peer comes first and knows nothing of the topic.
    route(joinPeer(), { V: 1 });
    expect(sender.answers, 'the lists are not all there').toEqual([]);
    route(peer, { T: 1 });
    expect(peer.delivered).toEqual([request]);
    topics.replaceRoutes(peer, new Map());
    const second = ask(sender, 'b', 'U');
    pulled();
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'no-subscriber' }]);
    expect(second.length).toBeGreaterThan(0);
    expect(sender.delivered).toEqual([]);
  });

  it('waits once only: whoever was found and then lost is not waited for again', () => {
    const { observer, sender, peer, ask, route, leave } = setup();
    ask(sender, 'a');
    route(peer, { T: 1 });
    leave(peer);
    expect([observer.misses, codes(sender)]).toEqual([1, [102]]);
  });

  it('does not wait when somebody was found who could not take it', () => {
    const { observer, sender, join, ask } = setup();
    join('T').full = true;
    ask(sender, 'a');
    expect([observer.misses, codes(sender)]).toEqual([0, [101]]);
  });

  it('does not wait when it came from a peer: 101 says that nobody is here', () => {
    const { observer, peer, askOver } = setup();
    askOver(peer, 7, 'a');
    expect(observer.misses).toBe(0);
    expect(peer.answers).toMatchObject([{ code: 101, reason: 'no-subscriber' }]);
    expect(peer.answerTickets).toEqual([7]);
  });

  it('ends at its deadline even if the lists never come, and is not routed after that', () => {
    const { sender, peer, ask, pass, route, pulled } = setup({ requestTimeoutMs: 1_000 });
    ask(sender, 'a');
    pass(999);
    expect(sender.answers).toEqual([]);
    pass(1);
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'deadline' }]);
    route(peer, { T: 1 });
    pulled();
    expect([peer.delivered, sender.answers.length, sender.heldBytes]).toEqual([[], 1, 0]);
  });

  it('is forgotten when its sender leaves', () => {
    const { router, sender, peer, ask, leave, route } = setup();
    ask(sender, 'a');
    leave(sender);
    route(peer, { T: 1 });
    expect([router.pending, sender.heldBytes, peer.delivered, sender.answers]).toEqual([0, 0, [], []]);
  });

  it('counts against the bounds on requests while it waits', () => {
    const { sender, ask, pulled } = setup({ sessionPendingMax: 2 });
    ask(sender, 'a');
    ask(sender, 'b');
    ask(sender, 'c');
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'pending-max' }]);
    pulled();
    expect(codes(sender)).toEqual([100, 100, 100]);
  });

  it('finds the topic that has got another number meanwhile', () => {
    const { sender, peer, join, ask, subscribe, route, topicId } = setup();
    const other = join('T');
    const before = topicId('T');
    subscribe(other, 'U');
    const request = ask(sender, 'a');
    route(peer, { V: 1, T: 1 });
    expect(topicId('T')).not.toBe(before);
    expect(peer.delivered).toEqual([request]);
  });
});

describe('a multicast for which nobody is known', () => {
  it('goes to the peer whose list then has the topic, once, and its memory is free', () => {
    const { observer, sender, peer, multicast, route, pulled } = setup();
    const frame = multicastOf('m', 'news');
    expect(multicast(sender, frame)).toBe(0);
    expect(sender.heldBytes).toBeGreaterThanOrEqual(frame.length);
    route(peer, { T: 1 });
    pulled();
    expect([peer.delivered, sender.heldBytes]).toEqual([[frame], 0]);
    expect(observer.forwardedFrames).toEqual([{ sender, frameBytes: frame.length }]);
  });

  it('is gone once the lists are there and nobody is', () => {
    const { sender, peer, multicast, route, pulled } = setup();
    multicast(sender, multicastOf('m'));
    pulled();
    expect(sender.heldBytes).toBe(0);
    route(peer, { T: 1 });
    expect(peer.delivered).toEqual([]);
  });

  it('goes out although its sender has left: it was acknowledged', () => {
    const { sender, peer, multicast, leave, route } = setup();
    const frame = multicastOf('m');
    multicast(sender, frame);
    leave(sender);
    expect(sender.heldBytes).toBe(0);
    route(peer, { T: 1 });
    expect([peer.delivered, sender.heldBytes]).toEqual([[frame], 0]);
  });

  it('waits until somebody but its sender subscribes', () => {
    const { sender, peer, multicast, subscribe, route } = setup();
    const frame = multicastOf('m');
    multicast(sender, frame);
    subscribe(sender, 'T');
    expect(sender.heldBytes).toBeGreaterThan(0);
    route(peer, { T: 1 });
    expect([peer.delivered, sender.delivered, sender.heldBytes]).toEqual([[frame], [], 0]);
  });

  it('tells of copies that a full queue lost', () => {
    const { sender, peer, multicast, route } = setup();
    let dropped = 0;
    multicast(sender, multicastOf('m'), 'T', () => dropped++);
    peer.full = true;
    route(peer, { T: 1 });
    expect(dropped).toBe(1);
  });

  it('does not wait when it came from a peer, or when there is nobody to ask', () => {
    const { observer, sender, peer, multicast, joinPeer, route } = setup();
    multicast(joinPeer(), multicastOf('m'));
    expect(observer.misses).toBe(0);
    observer.hasPeers = false;
    multicast(sender, multicastOf('n'));
    route(peer, { T: 1 });
    expect([peer.delivered, sender.heldBytes]).toEqual([[], 0]);
  });

  it('is one of at most 1,024', () => {
    const { sender, peer, multicast, route } = setup();
    for (let at = 0; at < 1_030; at++) multicast(sender, multicastOf(`m${at}`));
    route(peer, { T: 1 });
    expect([peer.delivered.length, sender.heldBytes]).toEqual([1_024, 0]);
  });
});

describe('messages that waited', () => {
  it('arrive in the order in which they were sent, whatever their kind', () => {
    const { sender, peer, ask, multicast, route, pulled } = setup();
    const sent: Buffer[] = [];
    for (let at = 0; at < 12; at++) {
      if (at % 3 === 0) sent.push(ask(sender, `r${at}`));
      else {
        const frame = multicastOf(`m${at}`);
        multicast(sender, frame);
        sent.push(frame);
      }
    }
    route(peer, { T: 1 });
    pulled();
    expect(peer.delivered).toEqual(sent);
  });

  it('of one topic do not hold up those of another, and keep their order when these come later', () => {
    const { sender, peer, joinPeer, ask, multicast, route } = setup();
    const other = joinPeer();
    const first = multicastOf('m0', '', 'U');
    multicast(sender, first, 'U');
    const second = ask(sender, 'r1', 'T');
    const third = ask(sender, 'r2', 'U');
    const fourth = multicastOf('m3', '', 'U');
    multicast(sender, fourth, 'U');
    route(peer, { T: 1 });
    expect([peer.delivered, other.delivered]).toEqual([[second], []]);
    const fifth = ask(sender, 'r4', 'U');
    route(other, { U: 1 });
    expect(other.delivered).toEqual([first, third, fourth, fifth]);
  });

  it('arrive before what is sent once the topic is known', () => {
    const { sender, ask, join, multicast, subscribe } = setup();
    const first = ask(sender, 'a');
    const second = multicastOf('b');
    multicast(sender, second);
    const late = join();
    subscribe(late, 'T');
    const third = ask(sender, 'c');
    expect(late.delivered).toEqual([first, second, third]);
  });

  it('free all memory, through any mixture of ends', () => {
    const { router, sender, peer, join, ask, multicast, leave, route, pulled, pass } = setup({ requestTimeoutMs: 50 });
    const other = join();
    for (const from of [sender, other]) {
      ask(from, 'a', 'T');
      multicast(from, multicastOf('b', '', 'U'), 'U');
      ask(from, 'c', 'U');
    }
    leave(other);
    pass(60);
    ask(sender, 'd', 'T');
    route(peer, { T: 1 });
    pulled();
    leave(peer);
    expect([sender.heldBytes, other.heldBytes, router.pending]).toEqual([0, 0, 0]);
    expect(codes(sender)).toEqual([100, 100, 102]);
  });

  it('of a frame of any kind are recognised by the topic inside', () => {
    const { router, sender, peer, route, nowMs } = setup();
    const long = makeMessage(UNICAST, 'a', 'x'.repeat(254), 'payload');
    router.unicast(sender, long, -1, nowMs());
    route(peer, { ['x'.repeat(254)]: 1 });
    expect(peer.delivered).toEqual([long]);
  });
});
