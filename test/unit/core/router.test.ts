import { describe, expect, it } from 'vitest';
import { makeMessage, makeWorld, responseTo, UNICAST } from './fakes.js';

const codeOf = (answers: readonly { code: number }[]): number[] => answers.map(({ code }) => code);

describe('unicast', () => {
  it('pushes the frame unchanged to exactly one of two subscribers, and the answer back as it came', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    const request = world.ask(sender, 'a', 'T', 'hello');
    const target = one.delivered.length > 0 ? one : two;
    expect([...one.delivered, ...two.delivered]).toEqual([request]);
    expect(world.respond(target, request, 42)).toBe(true);
    expect(sender.answers).toEqual([{ frame: responseTo(request, 42), code: 42, reason: undefined }]);
    expect(world.observer.results).toEqual([42]);
    expect(world.router.pending).toBe(0);
  });

  it.each([0, 100, 102, 104, -1, 2_147_483_647])('takes a subscriber result of %i as final', (result) => {
    const world = makeWorld();
    const [first, sender] = [world.join('T'), world.join()];
    world.join('T').full = true;
    const request = world.ask(sender, 'a');
    world.respond(first, request, result);
    expect(codeOf(sender.answers)).toEqual([result]);
    world.pass(60_000);
    expect(sender.answers).toHaveLength(1);
  });

  it('answers 100 where nobody subscribes, or only the sender does', () => {
    const world = makeWorld();
    const sender = world.join('mine');
    world.ask(sender, 'a', 'nobody');
    world.ask(sender, 'b', 'mine');
    expect(sender.answers).toMatchObject([
      { code: 100, reason: 'no-subscriber' },
      { code: 100, reason: 'no-subscriber' },
    ]);
    expect(sender.delivered).toEqual([]);
  });

  it('never gives a session its own message, whoever else is full, silent or gone', () => {
    const world = makeWorld();
    const sender = world.join('T');
    const other = world.join('T');
    for (let at = 0; at < 20; at++) {
      other.full = at % 3 === 0;
      world.ask(sender, `own ${at}`);
      world.pass(2_500);
    }
    world.leave(other);
    world.pass(60_000);
    expect(sender.delivered).toEqual([]);
    expect(sender.answers).toHaveLength(20);
  });

  it('passes over a session whose queue is full', () => {
    const world = makeWorld();
    const [full, free, sender] = [world.join('T'), world.join('T'), world.join()];
    full.full = true;
    for (let at = 0; at < 4; at++) world.respond(free, world.ask(sender, `s${at}`));
    expect(full.delivered).toEqual([]);
    expect(codeOf(sender.answers)).toEqual([0, 0, 0, 0]);
  });

  it('answers 101 when every queue is full', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join('T')];
    one.full = true;
    two.full = true;
    world.ask(sender, 'a');
    expect(sender.answers).toMatchObject([{ code: 101, reason: 'subscriber-busy' }]);
    expect([one.offered, two.offered]).toEqual([1, 1]);
  });

  it('tries the next subscriber after silence, each once, and answers 102 at the end', () => {
    const world = makeWorld();
    const subscribers = [world.join('T'), world.join('T'), world.join('T')];
    const sender = world.join();
    const request = world.ask(sender, 'a');
    for (let tried = 1; tried <= 3; tried++) {
      expect(subscribers.map(({ delivered }) => delivered.length).reduce((sum, n) => sum + n)).toBe(tried);
      world.pass(4_999);
      expect(subscribers.flatMap(({ delivered }) => delivered)).toHaveLength(tried);
      world.pass(1);
    }
    expect(subscribers.map(({ delivered }) => delivered)).toEqual([[request], [request], [request]]);
    expect(sender.answers).toMatchObject([{ code: 102, reason: 'subscriber-silent' }]);
    expect([world.observer.pushes, world.observer.retries]).toEqual([3, 2]);
  });

  it('prefers 102 to 101: one was silent, the rest could not take the message', () => {
    const world = makeWorld();
    const [silent, full, sender] = [world.join('T'), world.join('T'), world.join()];
    full.full = true;
    world.ask(sender, 'a');
    expect(silent.delivered).toHaveLength(1);
    world.pass(5_000);
    expect(sender.answers).toMatchObject([{ code: 102, reason: 'subscriber-silent' }]);
  });

  it('fails over at once when the chosen session ends, and says 102 when it was the last', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    const request = world.ask(sender, 'a');
    const [first, second] = one.delivered.length > 0 ? [one, two] : [two, one];
    world.leave(first);
    expect(second.delivered).toEqual([request]);
    expect(sender.answers).toEqual([]);
    world.leave(second);
    expect(sender.answers).toMatchObject([{ code: 102, reason: 'subscriber-gone' }]);
  });

  it('finds a subscriber that took the topic over while the first was silent', () => {
    const world = makeWorld();
    const [first, sender] = [world.join('T'), world.join()];
    const request = world.ask(sender, 'a');
    world.topics.replace(first, ['U']);
    const second = world.join('T');
    world.pass(5_000);
    expect(second.delivered).toEqual([request]);
    world.respond(second, request);
    expect(codeOf(sender.answers)).toEqual([0]);
  });

  it('drops an answer that comes after the request went on to another subscriber', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    const request = world.ask(sender, 'a');
    const [first, second] = one.delivered.length > 0 ? [one, two] : [two, one];
    world.pass(5_000);
    expect(world.respond(first, request)).toBe(false);
    expect(world.respond(second, request)).toBe(true);
    expect(world.respond(second, request)).toBe(false);
    expect(codeOf(sender.answers)).toEqual([0]);
  });

  it('takes an answer only from the session that was asked', () => {
    const world = makeWorld();
    const [target, sender] = [world.join('T'), world.join()];
    const request = world.ask(sender, 'a');
    expect(world.respond(world.join('T'), request)).toBe(false);
    expect(world.respond(sender, request)).toBe(false);
    expect(sender.answers).toEqual([]);
    expect(world.respond(target, request)).toBe(true);
  });

  it('answers before the deadline of the request, whatever choices are left', () => {
    const world = makeWorld({ requestTimeoutMs: 12_000 });
    const subscribers = Array.from({ length: 5 }, () => world.join('T'));
    const sender = world.join();
    world.ask(sender, 'a');
    world.pass(5_000);
    world.pass(5_000);
    expect(sender.answers).toEqual([]);
    world.pass(2_000);
    expect(sender.answers).toMatchObject([{ code: 102, reason: 'deadline' }]);
    world.pass(60_000);
    expect(sender.answers).toHaveLength(1);
    expect(subscribers.reduce((sum, { delivered }) => sum + delivered.length, 0)).toBe(3);
    expect(world.observer.failures).toEqual([{ code: 102, reason: 'deadline', durationMs: 12_000 }]);
  });

  it('keeps the same sequence of two senders apart when two subscribers hold them', () => {
    const world = makeWorld();
    const [one, two, alice, bob] = [world.join('T'), world.join('T'), world.join(), world.join()];
    const fromAlice = world.ask(alice, 'same', 'T', 'from alice');
    const fromBob = world.ask(bob, 'same', 'T', 'from bob');
    expect([one.delivered.length, two.delivered.length]).toEqual([1, 1]);
    for (const subscriber of [one, two]) world.respond(subscriber, subscriber.delivered[0], 0);
    expect(alice.answers.map(({ frame }) => frame)).toEqual([responseTo(fromAlice)]);
    expect(bob.answers.map(({ frame }) => frame)).toEqual([responseTo(fromBob)]);
  });

  it('never gives one subscriber two open requests under one sequence: the second sender gets 101', () => {
    const world = makeWorld();
    const [only, alice, bob] = [world.join('T'), world.join(), world.join()];
    const first = world.ask(alice, 'same');
    world.ask(bob, 'same');
    expect(only.delivered).toEqual([first]);
    expect(bob.answers).toMatchObject([{ code: 101, reason: 'subscriber-busy' }]);
    world.respond(only, first);
    expect(codeOf(alice.answers)).toEqual([0]);
    // The sequence is free again.
    world.respond(only, world.ask(bob, 'same'));
    expect(codeOf(bob.answers)).toEqual([101, 0]);
  });

  it('answers both requests of a sender that uses one sequence twice', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    world.ask(sender, 'dup', 'T', '1');
    world.ask(sender, 'dup', 'T', '2');
    for (const subscriber of [one, two]) world.respond(subscriber, subscriber.delivered[0]);
    expect(codeOf(sender.answers)).toEqual([0, 0]);
    expect(world.router.pending).toBe(0);
  });

  it('refuses what is over the bound of the session or of the relay, and takes more once something ended', () => {
    const world = makeWorld({ sessionPendingMax: 2, pendingMax: 3 });
    const [subscriber, alice, bob] = [world.join('T'), world.join(), world.join()];
    const first = world.ask(alice, 'a1');
    world.ask(alice, 'a2');
    world.ask(alice, 'a3');
    expect(alice.answers).toMatchObject([{ reason: 'pending-max' }]);
    world.ask(bob, 'b1');
    world.ask(bob, 'b2');
    expect(bob.answers).toMatchObject([{ reason: 'pending-max' }]);
    expect(world.router.pending).toBe(3);
    world.respond(subscriber, first);
    world.ask(bob, 'b3');
    expect(bob.answers).toHaveLength(1);
    expect(world.router.pending).toBe(3);
  });

  it('refuses new requests while draining, and still answers and fails over those under way', () => {
    const world = makeWorld();
    const [one, two, sender] = [world.join('T'), world.join('T'), world.join()];
    const first = world.ask(sender, 'a');
    const [target, other] = one.delivered.length > 0 ? [one, two] : [two, one];
    world.router.drain();
    world.ask(sender, 'b');
    expect(sender.answers).toMatchObject([{ code: 100, reason: 'draining' }]);
    world.leave(target);
    expect(other.delivered).toEqual([first]);
    world.respond(other, first);
    expect(codeOf(sender.answers)).toEqual([100, 0]);
  });

  it('forgets what a session asked when it ends, and takes no answer for it', () => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    const request = world.ask(sender, 'a');
    world.leave(sender);
    expect(world.router.pending).toBe(0);
    expect(subscriber.routerPushes.size).toBe(0);
    expect(world.respond(subscriber, request)).toBe(false);
    world.pass(60_000);
    expect(sender.answers).toEqual([]);
    expect(sender.heldBytes).toBe(0);
  });

  it('holds the memory of a request from its push to its end', () => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    const request = world.ask(sender, 'a', 'T', 'x'.repeat(500));
    expect(sender.heldBytes).toBeGreaterThanOrEqual(request.length);
    world.respond(subscriber, request);
    expect(sender.heldBytes).toBe(0);
    world.ask(sender, 'b', 'nobody');
    expect(sender.heldBytes).toBe(0);
  });

  it('gives four quiet subscribers a quarter each', () => {
    const world = makeWorld();
    const subscribers = Array.from({ length: 4 }, () => world.join('T'));
    const sender = world.join('T');
    for (let at = 0; at < 400; at++) {
      const request = world.ask(sender, `s${at}`);
      const target = subscribers.find(({ delivered }) => delivered.at(-1) === request);
      if (target) world.respond(target, request);
    }
    expect(subscribers.map(({ delivered }) => delivered.length)).toEqual([100, 100, 100, 100]);
  });

  it('routes frames whose sequence is any 32 bytes', () => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    const frames = Array.from({ length: 256 }, (_, byte) => {
      const frame = makeMessage(UNICAST, '', 'T');
      frame.fill(0, 6, 38);
      frame[6 + (byte % 32)] = byte;
      return frame;
    }).filter((frame, at, all) => all.findIndex((other) => other.equals(frame)) === at);
    for (const frame of frames) world.router.unicast(sender, frame, world.topicId('T'), world.nowMs());
    for (const frame of frames.toReversed()) expect(world.respond(subscriber, frame)).toBe(true);
    expect(sender.answers.map((answer) => answer.frame)).toEqual(frames.toReversed().map((frame) => responseTo(frame)));
  });
});
