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
