import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PendingRequest, PendingRequests } from '../../../src/core/pending-requests.js';
import { Topic } from '../../../src/core/topic-table.js';
import { FakeEndpoint, makeMessage, UNICAST } from './fakes.js';

const TOPIC = new Topic(0, 'T', Buffer.from('T'));

function setup() {
  const pending = new PendingRequests(99);
  const [sender, target] = [new FakeEndpoint(1), new FakeEndpoint(2)];
  const hold = (seq: string, nowMs = 0, from = sender): PendingRequest =>
    pending.hold(from, makeMessage(UNICAST, seq, 'T'), TOPIC, 10, 0, nowMs);
  return { pending, sender, target, hold };
}

describe('pending requests', () => {
  it('finds a push by its target and its sequence, and by nothing else', () => {
    const { pending, sender, target, hold } = setup();
    const request = hold('a');
    expect(pending.find(target, request.frame)).toBeUndefined();
    pending.pushed(request, target, 0, 5);
    expect(pending.find(target, makeMessage(UNICAST, 'a', 'other', 'payload'))).toBe(request);
    expect(pending.find(target, makeMessage(UNICAST, 'b', 'T'))).toBeUndefined();
    expect(pending.find(sender, request.frame)).toBeUndefined();
  });

  it('keeps a request held when its push ends, and forgets it when it is released', () => {
    const { pending, sender, target, hold } = setup();
    const request = hold('a');
    pending.pushed(request, target, 0, 5);
    pending.unpushed(request);
    expect(pending.find(target, request.frame)).toBeUndefined();
    expect([pending.size, sender.routerRequests.size, target.routerPushes.size, pending.byPush.size]).toEqual([
      1, 1, 0, 0,
    ]);
    expect(sender.heldBytes).toBe(10);
    pending.release(request);
    expect([pending.size, sender.routerRequests.size, sender.heldBytes]).toEqual([0, 0, 0]);
  });

  it('hands out a used request without anything of its former life', () => {
    const { pending, sender, target, hold } = setup();
    const first = hold('a');
    pending.pushed(first, target, 0, 5);
    first.counted = 31;
    first.gone = true;
    first.tried.push(target);
    pending.release(first);
    const second = hold('b', 7);
    expect(second).toBe(first);
    expect(second).toMatchObject({ counted: 0, gone: false, tried: [], target: undefined, startedMs: 7 });
    expect(second.requester).toBe(sender);
  });

  it('keeps lists in order of time, whatever is taken out of their middle', () => {
    const { pending, sender, hold } = setup();
    const requests = ['a', 'b', 'c', 'd'].map((seq, at) => hold(seq, at));
    pending.release(requests[1]);
    pending.release(requests[3]);
    const order: number[] = [];
    for (let at = pending.byDeadline.head; at; at = pending.byDeadline.head) {
      order.push(at.startedMs);
      pending.release(at);
    }
    expect(order).toEqual([0, 2]);
    expect(sender.routerRequests.head).toBeUndefined();
  });

  it('finds everything in a table that grew, against a plain map', () => {
    const step = fc.record({ seq: fc.nat(3_000), target: fc.integer({ min: 10, max: 13 }), ends: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2_500, maxLength: 4_000, size: 'max' }), (steps) => {
        const { pending, hold } = setup();
        const targets = new Map([10, 11, 12, 13].map((id) => [id, new FakeEndpoint(id)]));
        const model = new Map<string, PendingRequest>();
        for (const { seq, target: id, ends } of steps) {
          const target = targets.get(id) as FakeEndpoint;
          const key = `${id} ${seq}`;
          const known = model.get(key);
          const found = pending.find(target, makeMessage(UNICAST, String(seq), 'T'));
          if (found !== known) throw new Error(`push ${key} was not found as the map says`);
          if (known && ends) {
            pending.release(known);
            model.delete(key);
          } else if (!known) {
            const request = hold(String(seq));
            pending.pushed(request, target, 0, 0);
            model.set(key, request);
          }
        }
        expect(pending.size).toBe(model.size);
        for (const request of model.values()) pending.release(request);
        expect([pending.size, pending.byPush.size]).toEqual([0, 0]);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });
});

function peerOf(id: number): FakeEndpoint {
  const peer = new FakeEndpoint(id);
  peer.isPeer = true;
  return peer;
}

describe('pushes to peers', () => {
  it('are found by target and number, whatever their sequence, and not by their sequence', () => {
    const { pending, hold } = setup();
    const [one, two] = [peerOf(11), peerOf(12)];
    const [first, second] = [hold('same'), hold('same')];
    pending.pushed(first, one, 7, 5);
    pending.pushed(second, one, 8, 5);
    expect([pending.findTicket(one, 7), pending.findTicket(one, 8)]).toEqual([first, second]);
    expect([pending.findTicket(two, 7), pending.findTicket(one, 9), pending.find(one, first.frame)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    pending.unpushed(first);
    expect([pending.findTicket(one, 7), first.ticket, one.routerPushes.size, pending.size]).toEqual([
      undefined,
      0,
      1,
      2,
    ]);
    pending.release(second);
    expect([pending.findTicket(one, 8), one.routerPushes.size, pending.byPeerPush.size]).toEqual([undefined, 0, 0]);
  });

  it('stand in a list of their own, since they may take longer', () => {
    const { pending, target, hold } = setup();
    const peer = peerOf(11);
    const [toPeer, toSession] = [hold('a'), hold('b')];
    pending.pushed(toPeer, peer, 7, 5);
    pending.pushed(toSession, target, 0, 6);
    expect([pending.byPeerPush.head, pending.byPeerPush.size]).toEqual([toPeer, 1]);
    expect([pending.byPush.head, pending.byPush.size]).toEqual([toSession, 1]);
  });

  it('are found under their number from another link to the same process only', () => {
    const { pending, hold } = setup();
    const [one, two, node] = [peerOf(11), peerOf(12), peerOf(13)];
    one.process = 'p';
    two.process = 'p';
    const request = hold('a');
    pending.pushed(request, one, 7, 5);
    expect([pending.findTicket(two, 7), pending.findTicket(node, 7)]).toEqual([request, undefined]);
    pending.unpushed(request);
    pending.pushed(request, node, 8, 6);
    expect(pending.findTicket(two, 8)).toBeUndefined();
  });
});

describe('numbers of frames to peers', () => {
  it('are 32 bits, never 0, and begin anew', () => {
    const pending = new PendingRequests(99, 0xfffffffe);
    expect([pending.nextTicket(), pending.nextTicket(), pending.nextTicket()]).toEqual([0xffffffff, 1, 2]);
  });

  it('leave those out that are in use', () => {
    const pending = new PendingRequests(99, 0xffffffff);
    const [sender, peer] = [new FakeEndpoint(1), peerOf(11)];
    for (const ticket of [1, 2, 4]) {
      const request = pending.hold(sender, makeMessage(UNICAST, 'a', 'T'), TOPIC, 10, 0, 0);
      pending.pushed(request, peer, ticket, 0);
    }
    expect([pending.nextTicket(), pending.nextTicket(), pending.nextTicket()]).toEqual([3, 5, 6]);
  });
});

describe('requests of peers', () => {
  it('have a deadline list of their own and are counted with the others', () => {
    const { pending, hold } = setup();
    const peer = peerOf(11);
    const [ofSession, ofPeer] = [hold('a'), hold('b', 3, peer)];
    expect([pending.byDeadline.head, pending.byPeerDeadline.head, pending.size]).toEqual([ofSession, ofPeer, 2]);
    pending.release(ofPeer);
    expect([pending.byPeerDeadline.size, pending.byDeadline.size, peer.heldBytes]).toEqual([0, 1, 0]);
  });
});

describe('a link that takes the place of another', () => {
  it('takes pushes and requests over with their order, their numbers and their memory', () => {
    const { pending, target, hold } = setup();
    const [from, to, other] = [peerOf(11), peerOf(12), peerOf(13)];
    const pushes = ['a', 'b', 'c'].map((seq, at) => {
      const request = hold(seq);
      pending.pushed(request, at === 1 ? other : from, 7 + at, at);
      return request;
    });
    const asked = [hold('d', 1, from), hold('e', 2, other), hold('f', 3, from)];
    pending.pushed(asked[0], target, 0, 4);
    pending.migrate(from, to);
    expect([from.routerPushes.size, from.routerRequests.size, from.heldBytes]).toEqual([0, 0, 0]);
    expect([to.routerPushes.size, to.routerRequests.size, to.heldBytes]).toEqual([2, 2, 20]);
    expect([pending.findTicket(to, 7), pending.findTicket(to, 9), pending.findTicket(from, 7)]).toEqual([
      pushes[0],
      pushes[2],
      undefined,
    ]);
    expect(pushes.map((request) => request.tried.includes(to))).toEqual([true, false, true]);
    expect(asked.map(({ requester }) => requester)).toEqual([to, other, to]);
    // By age, whoever they belong to now.
    expect([pending.byPeerPush.head, pending.byPeerDeadline.head]).toEqual([pushes[0], asked[0]]);
    expect(pending.find(target, asked[0].frame)).toBe(asked[0]);
    for (const request of [...pushes, ...asked]) pending.release(request);
    expect([pending.size, to.heldBytes, pending.byPeerPush.size, pending.byPush.size]).toEqual([0, 0, 0, 0]);
  });
});

describe('requests that wait', () => {
  it('stand in the order in which they came, and leave from anywhere', () => {
    const { pending, hold } = setup();
    const requests = ['a', 'b', 'c', 'd'].map((seq, at) => {
      const request = hold(seq);
      pending.wait(request, at);
      return request;
    });
    pending.unwait(requests[1]);
    pending.unwait(requests[1]);
    pending.release(requests[3]);
    const left: PendingRequest[] = [];
    for (let at = pending.waiting.head; at; at = pending.nextWaiting(at)) left.push(at);
    expect([left, pending.waiting.size]).toEqual([[requests[0], requests[2]], 2]);
    expect(pending.size, 'they are held all the same').toBe(3);
  });

  it('have nothing of it left in their next life', () => {
    const { pending, target, hold } = setup();
    const first = hold('a');
    first.pulled = true;
    first.legacyAnswer = Buffer.alloc(1);
    first.replyTicket = 9;
    pending.wait(first, 1);
    pending.release(first);
    const second = hold('b');
    expect(second).toBe(first);
    expect(second).toMatchObject({ pulled: false, waiting: false, legacyAnswer: undefined, replyTicket: 0, ticket: 0 });
    pending.pushed(second, target, 0, 0);
    expect(pending.waiting.head).toBeUndefined();
  });
});
