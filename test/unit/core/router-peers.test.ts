import { describe, expect, it } from 'vitest';
import { PeerAnswer } from '../../../src/core/router.js';
import { type FakeEndpoint, makeWorld, responseTo } from './fakes.js';

const codes = (endpoint: FakeEndpoint): number[] => endpoint.answers.map(({ code }) => code);

/** The endpoint that got this request. */
function holderOf(endpoints: readonly FakeEndpoint[], request: Buffer): FakeEndpoint {
  const holders = endpoints.filter(({ delivered }) => delivered.includes(request));
  expect(holders).toHaveLength(1);
  return holders[0];
}

describe('a unicast to a peer', () => {
  it('leaves as it came, under a number that is never 0 and never twice the same', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const requests = Array.from({ length: 50 }, (_, at) => world.ask(sender, `s${at}`));
    expect(peer.delivered).toEqual(requests);
    expect(new Set(peer.tickets).size).toBe(50);
    expect(peer.tickets).not.toContain(0);
    expect(world.observer.forwardedFrames).toEqual(requests.map((frame) => ({ sender, frameBytes: frame.length })));
  });

  it('may be one of several under the same sequence: the number tells them apart', () => {
    const world = makeWorld();
    const [peer, alice, bob] = [world.joinPeer({ T: 2 }), world.join(), world.join()];
    const first = world.ask(alice, 'same', 'T', '1');
    const second = world.ask(bob, 'same', 'T', '2');
    expect(peer.delivered).toEqual([first, second]);
    expect(world.peerResponds(peer, second, PeerAnswer.final, 2)).toBe(true);
    expect(world.peerResponds(peer, first, PeerAnswer.final, 1)).toBe(true);
    expect([codes(alice), codes(bob)]).toEqual([[1], [2]]);
  });

  it('is answered by that peer, under that number, once, and by nothing else', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const other = world.joinPeer({ U: 1 });
    const request = world.ask(sender, 'a');
    const ticket = peer.ticketOf(request);
    const answer = (from: FakeEndpoint, number: number) =>
      world.router.peerResponse(from, number, responseTo(request), PeerAnswer.final, world.nowMs());
    expect([answer(other, ticket), answer(peer, ticket + 1), answer(peer, 0)]).toEqual([false, false, false]);
    expect(world.respond(peer, request), 'not by its sequence, as a session').toBe(false);
    expect(sender.answers).toEqual([]);
    expect([answer(peer, ticket), answer(peer, ticket)]).toEqual([true, false]);
    expect(codes(sender)).toEqual([0]);
    expect(world.router.pending).toBe(0);
  });

  it('fails over after silence of the peer, later than after that of a session', () => {
    const world = makeWorld();
    const [peer, session, sender] = [world.joinPeer({ T: 1 }), world.join('T'), world.join()];
    // One of the two comes first to each endpoint.
    const requests = [world.ask(sender, 'a'), world.ask(sender, 'b')];
    const [toPeer, toSession] = peer.delivered[0] === requests[0] ? requests : requests.toReversed();
    world.pass(5_000);
    expect(peer.delivered).toEqual([toPeer, toSession]);
    world.pass(5_499);
    expect(session.delivered).toEqual([toSession]);
    world.pass(1);
    expect(session.delivered).toEqual([toSession, toPeer]);
    expect(world.peerResponds(peer, toPeer, PeerAnswer.final), 'too late').toBe(false);
    world.respond(session, toPeer);
    world.peerResponds(peer, toSession, PeerAnswer.final);
    expect(codes(sender)).toEqual([0, 0]);
  });

  it('ends in 102 when the link is lost in flight and nobody else is there', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
    world.ask(sender, 'a');
    world.leave(peer);
    expect(sender.answers).toMatchObject([{ code: 102, reason: 'subscriber-gone' }]);
    expect(peer.routerPushes.size).toBe(0);
  });

  it('ends in 100 when the link is full', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
    peer.full = true;
    world.ask(sender, 'a');
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'peer-unavailable' }]);
    expect([peer.offered, world.observer.forwardedFrames]).toEqual([1, []]);
  });
});

describe('what a peer answers', () => {
  it.each([
    [PeerAnswer.final, 'a subscriber', [0, 1, 99, 100, 101, 102, 103, 104, -1]],
    [PeerAnswer.legacy, 'a 2.x node', [0, 1, 99, 100, 101, 102, 103, -104]],
  ] as const)('is passed on as it came, whatever its result, when it is of kind %i: %s', (kind, _who, results) => {
    for (const result of results) {
      const world = makeWorld();
      const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
      const other = world.joinPeer({ T: 1 });
      const request = world.ask(sender, 'a');
      const asked = holderOf([peer, other], request);
      world.peerResponds(asked, request, kind, result);
      expect(sender.answers).toEqual([{ frame: responseTo(request, result), code: result, reason: undefined }]);
      expect(peer.delivered.length + other.delivered.length).toBe(1);
    }
  });

  it.each([
    ['a relay', PeerAnswer.relay, 102, 102, 'subscriber-silent'],
    ['a relay', PeerAnswer.relay, 101, 101, 'subscriber-busy'],
    ['a relay', PeerAnswer.relay, 103, 103, 'bandwidth-limit'],
    ['a relay', PeerAnswer.relay, 100, 100, 'peer-unavailable'],
    ['a relay that says what no relay says', PeerAnswer.relay, 0, 100, 'peer-unavailable'],
    ['a 2.x node', PeerAnswer.legacy, 104, 104, 'node-without-subscriber'],
  ] as const)('%s (%i) as %i brings the next choice, and at the end %i', (_who, kind, result, code, reason) => {
    const world = makeWorld();
    const peers = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
    const sender = world.join();
    const request = world.ask(sender, 'a');
    const first = holderOf(peers, request);
    world.peerResponds(first, request, kind, result);
    expect(sender.answers).toEqual([]);
    const second = peers[first === peers[0] ? 1 : 0];
    expect(second.delivered).toEqual([request]);
    world.peerResponds(second, request, kind, result);
    expect(codes(sender)).toEqual([code]);
    expect(world.observer.failures).toMatchObject([{ code, reason }]);
    expect([world.observer.pushes, world.observer.retries]).toEqual([2, 1]);
  });

  it('is 104 with the body that the node echoed, an empty one for our own codes', () => {
    const world = makeWorld();
    const [node, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const request = world.ask(sender, 'a', 'T', 'a body');
    world.peerResponds(node, request, PeerAnswer.legacy, 104);
    expect(sender.answers).toEqual([{ frame: responseTo(request, 104), code: 104, reason: undefined }]);
  });

  it('counts in the order 102, 104, 101, 103, 100 over all choices', () => {
    const outcomes = [
      [PeerAnswer.relay, 102],
      [PeerAnswer.legacy, 104],
      [PeerAnswer.relay, 101],
      [PeerAnswer.relay, 103],
      [PeerAnswer.relay, 100],
    ] as const;
    for (let from = 0; from < outcomes.length; from++) {
      for (let to = from; to < outcomes.length; to++) {
        const two = [outcomes[from], outcomes[to]];
        for (const order of [two, two.toReversed()]) {
          const world = makeWorld();
          const peers = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
          const sender = world.join();
          const request = world.ask(sender, 'a');
          for (const [kind, result] of order) {
            const asked = peers.find(({ routerPushes }) => routerPushes.size > 0) as FakeEndpoint;
            world.peerResponds(asked, request, kind, result);
          }
          expect(codes(sender)).toEqual([outcomes[from][1]]);
        }
      }
    }
  });

  it('does not decide while a session can still answer', () => {
    const world = makeWorld();
    const [node, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const request = world.ask(sender, 'a');
    const late = world.join('T');
    world.peerResponds(node, request, PeerAnswer.legacy, 104);
    expect([late.delivered, sender.answers]).toEqual([[request], []]);
    world.respond(late, request, 7);
    expect(codes(sender)).toEqual([7]);
  });
});

describe('what came from a peer', () => {
  it('goes to sessions only, however many peers subscribe', () => {
    const world = makeWorld();
    const [from, other] = [world.joinPeer({ T: 5 }), world.joinPeer({ T: 5 })];
    const session = world.join('T');
    for (let at = 1; at <= 12; at++) {
      const request = world.askOver(from, at, `s${at}`);
      world.respond(session, request, at);
    }
    expect([from.delivered, other.delivered, session.delivered.length]).toEqual([[], [], 12]);
    expect(codes(from)).toEqual(from.answerTickets);
    expect(world.observer.askedToForward, 'no limit on peer links is asked').toEqual([]);
  });

  it.each([
    ['nobody subscribes', (_: ReturnType<typeof makeWorld>) => {}, 101, 'no-subscriber'],
    ['peers alone subscribe', (world: ReturnType<typeof makeWorld>) => world.joinPeer({ T: 1 }), 101, 'no-subscriber'],
    [
      'every queue is full',
      (world: ReturnType<typeof makeWorld>) => {
        world.join('T').full = true;
      },
      101,
      'subscriber-busy',
    ],
  ] as const)('is answered with its number and 101 when %s', (_what, prepare, code, reason) => {
    const world = makeWorld();
    prepare(world);
    const peer = world.joinPeer();
    world.askOver(peer, 4_000_000_000, 'a');
    expect(peer.answers).toMatchObject([{ code, reason }]);
    expect(peer.answerTickets).toEqual([4_000_000_000]);
  });

  it('is answered with 102 when two sessions were silent, before the peer gives up', () => {
    const world = makeWorld();
    const sessions = [world.join('T'), world.join('T'), world.join('T')];
    const peer = world.joinPeer();
    world.askOver(peer, 9, 'a');
    world.pass(5_000);
    world.pass(5_000);
    expect(sessions.map(({ delivered }) => delivered.length)).toEqual([1, 1, 1]);
    world.pass(249);
    expect(peer.answers).toEqual([]);
    world.pass(1);
    expect(peer.answers).toMatchObject([{ code: 102, reason: 'deadline' }]);
    expect(peer.answerTickets).toEqual([9]);
  });

  it('is refused with its number while draining and above the bounds', () => {
    const world = makeWorld({ sessionPendingMax: 1 });
    world.join('T');
    const peer = world.joinPeer();
    world.askOver(peer, 1, 'a');
    world.askOver(peer, 2, 'b');
    world.router.drain();
    world.askOver(peer, 3, 'c');
    expect(peer.answers).toMatchObject([
      { code: 100, reason: 'pending-max' },
      { code: 100, reason: 'draining' },
    ]);
    expect(peer.answerTickets).toEqual([2, 3]);
  });

  it('is forgotten when its link ends, and its subscriber may answer in vain', () => {
    const world = makeWorld();
    const [session, peer] = [world.join('T'), world.joinPeer()];
    const request = world.askOver(peer, 1, 'a');
    world.leave(peer);
    expect(world.respond(session, request)).toBe(false);
    expect([world.router.pending, peer.heldBytes, peer.answers]).toEqual([0, 0, []]);
  });
});

describe('weights', () => {
  it('give every subscriber the same, wherever it is', () => {
    const world = makeWorld();
    const [local, one, three] = [world.join('T'), world.joinPeer({ T: 1 }), world.joinPeer({ T: 3 })];
    const sender = world.join('T');
    for (let at = 0; at < 500; at++) {
      const request = world.ask(sender, `s${at}`);
      if (local.delivered.includes(request)) world.respond(local, request);
      else world.peerResponds(holderOf([one, three], request), request, PeerAnswer.final);
    }
    expect([local, one, three].map(({ delivered }) => delivered.length)).toEqual([100, 100, 300]);
  });

  it('change with the list of the peer', () => {
    const world = makeWorld();
    const [local, peer, sender] = [world.join('T'), world.joinPeer({ T: 3 }), world.join()];
    world.route(peer, { T: 1 });
    for (let at = 0; at < 100; at++) world.ask(sender, `s${at}`);
    expect([local.delivered.length, peer.delivered.length]).toEqual([50, 50]);
    world.route(peer, { T: 4 });
    for (let at = 0; at < 100; at++) world.ask(sender, `t${at}`);
    expect([local.delivered.length, peer.delivered.length]).toEqual([70, 130]);
  });

  it('do not make a peer to be tried more than once for one request', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 9 }), world.join()];
    const request = world.ask(sender, 'a');
    world.peerResponds(peer, request, PeerAnswer.relay, 101);
    expect([peer.delivered.length, codes(sender)]).toEqual([1, [101]]);
  });
});

describe('the bandwidth limit of peer links', () => {
  it('is asked once a choice, with the sender, and leaves sessions to choose from', () => {
    const world = makeWorld();
    const [local, sender] = [world.join('T'), world.join()];
    const peers = [world.joinPeer({ T: 3 }), world.joinPeer({ T: 3 })];
    world.observer.forwards = false;
    for (let at = 0; at < 7; at++) world.respond(local, world.ask(sender, `s${at}`));
    expect(codes(sender)).toEqual(Array(7).fill(0));
    expect(peers.flatMap(({ delivered }) => delivered)).toEqual([]);
    // A request whose first choice is the session is not asked for at all, the others once, though there are two peers.
    const { askedToForward } = world.observer;
    expect(askedToForward.length).toBeGreaterThan(3);
    expect(askedToForward.length).toBeLessThanOrEqual(7);
    expect(new Set(askedToForward)).toEqual(new Set([sender]));
  });

  it('that refuses ends in 103 where there are peers only, at once', () => {
    const world = makeWorld();
    const peers = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
    const sender = world.join();
    world.observer.forwards = false;
    world.ask(sender, 'a');
    expect(sender.answers).toMatchObject([{ code: 103, reason: 'bandwidth-limit' }]);
    expect(world.observer.askedToForward).toEqual([sender]);
    expect(peers.map(({ offered }) => offered)).toEqual([0, 0]);
  });

  it('is asked again for the next choice after a failure', () => {
    const world = makeWorld();
    const peers = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
    const sender = world.join();
    const request = world.ask(sender, 'a');
    world.observer.forwards = false;
    world.peerResponds(holderOf(peers, request), request, PeerAnswer.relay, 101);
    expect(world.observer.askedToForward).toEqual([sender, sender]);
    // 101 was counted before, and comes before 103.
    expect(codes(sender)).toEqual([101]);
  });

  it('is charged for a frame that left, not for one that a full link refused', () => {
    const world = makeWorld();
    const peers = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
    const sender = world.join();
    peers[0].full = true;
    const first = world.ask(sender, 'a');
    const second = world.ask(sender, 'b');
    expect(peers[1].delivered).toEqual([first, second]);
    expect(world.observer.forwardedFrames).toEqual(
      [first, second].map(({ length }) => ({ sender, frameBytes: length })),
    );
  });
});

describe('an answer', () => {
  it('is told of with both sides, its topic and its size, wherever it comes from', () => {
    const world = makeWorld();
    const [session, peer, sender] = [world.join('T'), world.joinPeer({ U: 1 }), world.join()];
    const local = world.ask(sender, 'a');
    world.respond(session, local);
    const remote = world.ask(sender, 'b', 'U', 'longer');
    world.peerResponds(peer, remote, PeerAnswer.final);
    const incoming = world.askOver(peer, 5, 'c');
    world.respond(session, incoming);
    expect(world.observer.answers).toEqual([
      { from: session, requester: sender, topic: 'T', frameBytes: local.length },
      { from: peer, requester: sender, topic: 'U', frameBytes: remote.length },
      { from: session, requester: peer, topic: 'T', frameBytes: incoming.length },
    ]);
  });

  it('is told of without a topic once nobody subscribes to that, and with it once somebody does again', () => {
    const world = makeWorld();
    const [session, sender] = [world.join('T'), world.join()];
    const first = world.ask(sender, 'a');
    const second = world.ask(sender, 'b');
    world.topics.replace(session, []);
    world.respond(session, first);
    world.join('T');
    world.respond(session, second);
    expect(world.observer.answers.map(({ topic }) => topic)).toEqual([undefined, 'T']);
  });

  it('that is not final is not told of', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const request = world.ask(sender, 'a');
    world.peerResponds(peer, request, PeerAnswer.legacy, 104);
    expect([codes(sender), world.observer.answers, world.observer.results]).toEqual([[104], [], []]);
  });
});

describe('a link that takes the place of another', () => {
  it('gets the answers to what was asked over that one, also for those that it asked', () => {
    const world = makeWorld();
    const [old, session, sender] = [world.joinPeer({ U: 1 }), world.join('T'), world.join()];
    const outgoing = world.ask(sender, 'a', 'U');
    const incoming = world.askOver(old, 77, 'b');
    const next = world.joinPeer();
    world.router.migrate(old, next);
    expect([old.heldBytes, old.routerPushes.size, old.routerRequests.size]).toEqual([0, 0, 0]);
    expect(next.heldBytes).toBeGreaterThanOrEqual(incoming.length);
    world.leave(old);
    const ticket = old.ticketOf(outgoing);
    expect(world.router.peerResponse(next, ticket, responseTo(outgoing), PeerAnswer.final, world.nowMs())).toBe(true);
    world.respond(session, incoming, 3);
    expect([codes(sender), codes(next), next.answerTickets, old.answers]).toEqual([[0], [3], [77], []]);
    expect([next.heldBytes, world.router.pending]).toEqual([0, 0]);
  });

  it('keeps the time of what was under way', () => {
    const world = makeWorld({ subscriberTimeoutMs: 60_000 });
    const [old, sender] = [world.joinPeer({ U: 1 }), world.join()];
    world.join('T');
    world.ask(sender, 'a', 'U');
    world.askOver(old, 8, 'b');
    world.pass(6_000);
    const next = world.joinPeer();
    world.router.migrate(old, next);
    world.leave(old);
    world.pass(4_250);
    expect(next.answerTickets).toEqual([8]);
    expect(sender.answers).toEqual([]);
    world.pass(250);
    expect(codes(sender)).toEqual([102]);
  });

  it('is not asked again what was asked over that one', () => {
    const world = makeWorld();
    const [old, sender] = [world.joinPeer({ T: 1 }), world.join()];
    const request = world.ask(sender, 'a');
    const next = world.joinPeer({ T: 1 });
    world.router.migrate(old, next);
    world.leave(old);
    world.router.peerResponse(next, old.ticketOf(request), responseTo(request, 101), PeerAnswer.relay, world.nowMs());
    expect([next.delivered, codes(sender)]).toEqual([[], [101]]);
  });

  it('may bring the answer before the end of that one is seen, if both lead to one process', () => {
    const world = makeWorld();
    const [old, next, sender] = [world.joinPeer({ T: 1 }), world.joinPeer(), world.join()];
    const request = world.ask(sender, 'a');
    const answer = () =>
      world.router.peerResponse(next, old.ticketOf(request), responseTo(request), PeerAnswer.final, world.nowMs());
    expect(answer(), 'two nodes of 2.x').toBe(false);
    old.process = 'node 1';
    expect(answer()).toBe(false);
    next.process = 'node 2';
    expect(answer(), 'another start of it').toBe(false);
    next.process = 'node 1';
    expect(answer()).toBe(true);
    expect([codes(sender), old.routerPushes.size, world.router.pending]).toEqual([[0], 0, 0]);
  });
});
