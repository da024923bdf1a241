import { describe, expect, it } from 'vitest';
import { type FakeEndpoint, MULTICAST, makeMessage, makeWorld } from './fakes.js';

type World = ReturnType<typeof makeWorld>;

function send(world: World, from: FakeEndpoint, frame: Buffer, topic = 'T'): { copies: number; dropped: number } {
  let dropped = 0;
  const copies = world.router.multicast(from, frame, world.topicId(topic), world.nowMs(), () => dropped++);
  return { copies, dropped };
}

describe('multicast', () => {
  it('delivers one copy to every subscriber but the sender', () => {
    const world = makeWorld();
    const [one, two, sender, stranger] = [world.join('T'), world.join('T'), world.join('T'), world.join('U')];
    const frame = makeMessage(MULTICAST, 'm', 'T', 'news');
    expect(send(world, sender, frame)).toEqual({ copies: 2, dropped: 0 });
    expect([one.delivered, two.delivered]).toEqual([[frame], [frame]]);
    expect([sender.delivered, stranger.delivered]).toEqual([[], []]);
  });

  it('tells of each copy that a full queue lost, and delivers the others', () => {
    const world = makeWorld();
    const [full, free, sender] = [world.join('T'), world.join('T'), world.join()];
    full.full = true;
    expect(send(world, sender, makeMessage(MULTICAST, 'm', 'T'))).toEqual({ copies: 1, dropped: 1 });
    expect(free.delivered).toHaveLength(1);
  });

  it('delivers nothing to a topic without subscribers', () => {
    const world = makeWorld();
    expect(send(world, world.join(), makeMessage(MULTICAST, 'm', 'T'))).toEqual({ copies: 0, dropped: 0 });
  });

  it('delivers the second copy of a message to nobody, whichever connection sends it', () => {
    const world = makeWorld();
    const [subscriber, first, second] = [world.join('T'), world.join('T'), world.join('T')];
    const frame = makeMessage(MULTICAST, 'm', 'T', 'news');
    expect(send(world, first, frame).copies).toBe(2);
    expect(send(world, second, Buffer.from(frame)).copies).toBe(-1);
    expect(send(world, first, Buffer.from(frame)).copies).toBe(-1);
    expect(subscriber.delivered).toHaveLength(1);
    expect(second.delivered).toHaveLength(1);
    expect(first.delivered).toHaveLength(0);
  });

  it.each([
    ['sequence', makeMessage(MULTICAST, 'n', 'T', 'news')],
    ['payload', makeMessage(MULTICAST, 'm', 'T', 'newt')],
    ['length', makeMessage(MULTICAST, 'm', 'T', 'news!')],
  ])('takes a frame with another %s for another message', (_what, other) => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    send(world, sender, makeMessage(MULTICAST, 'm', 'T', 'news'));
    expect(send(world, sender, other).copies).toBe(1);
    expect(subscriber.delivered).toHaveLength(2);
  });

  it('delivers the same bytes again after 30 s', () => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    send(world, sender, frame);
    world.pass(29_999);
    expect(send(world, sender, frame).copies).toBe(-1);
    world.pass(1);
    expect(send(world, sender, frame).copies).toBe(1);
    expect(subscriber.delivered).toHaveLength(2);
  });

  it('delivers a later copy to a session that subscribed in between, and to it alone', () => {
    const world = makeWorld();
    const [early, sender, sibling] = [world.join('T'), world.join(), world.join()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    send(world, sender, frame);
    const late = world.join('T');
    expect(send(world, sibling, frame).copies).toBe(1);
    expect([early.delivered.length, late.delivered.length]).toEqual([1, 1]);
    expect(send(world, sender, frame).copies).toBe(-1);
    expect(late.delivered).toHaveLength(1);
  });

  it('delivers no later copy to a session that sent one, though it subscribed in between', () => {
    const world = makeWorld();
    const [subscriber, first, second] = [world.join('T'), world.join(), world.join()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    send(world, first, frame);
    world.topics.replace(first, ['T']);
    world.topics.replace(second, ['T']);
    expect(send(world, second, frame).copies).toBe(-1);
    expect([first.delivered, second.delivered]).toEqual([[], []]);
    expect(subscriber.delivered).toHaveLength(1);
  });

  it('delivers no message twice to a session that leaves the topic and comes back', () => {
    const world = makeWorld();
    const [subscriber, sender, sibling] = [world.join('T'), world.join('T'), world.join()];
    const frame = makeMessage(MULTICAST, 'm', 'T');
    send(world, sender, frame);
    world.topics.replace(subscriber, ['U']);
    world.topics.replace(subscriber, ['T', 'U']);
    send(world, sibling, frame);
    expect(subscriber.delivered).toHaveLength(1);
  });

  it('keeps the order of one sender', () => {
    const world = makeWorld();
    const [subscriber, sender] = [world.join('T'), world.join()];
    const frames = Array.from({ length: 50 }, (_, at) => makeMessage(MULTICAST, `m${at}`, 'T', String(at)));
    for (const frame of frames) send(world, sender, frame);
    expect(subscriber.delivered).toEqual(frames);
  });
});
