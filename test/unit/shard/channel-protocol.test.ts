import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { createStatMemory, Stats } from '../../../src/base/stats.js';
import { handleFrame } from '../../../src/shard/channel-protocol.js';
import type { ShardContext } from '../../../src/shard/context.js';
import type { Session } from '../../../src/shard/session.js';
import { encodeFrame } from '../../../src/wire/channel/frame.js';
import { MessageType } from '../../../src/wire/channel/message-type.js';
import { FakeEndpoint, makeWorld, seqBytes } from '../core/fakes.js';

/** What a subscription needs of a session. */
class FakeSession extends FakeEndpoint {
  readonly label = 'fake';

  refuse(what: string): void {
    throw new Error(`refused: ${what}`);
  }
}

function setup() {
  const world = makeWorld();
  const { router, topics, nowMs } = world;
  const context = {
    router,
    topics,
    clock: { nowMs },
    stats: new Stats(createStatMemory()),
    logger: silentLogger,
    subscriptionsChanged: () => {},
    privates: { subscribed: () => {} },
  } as unknown as ShardContext;
  const subscribe = (session: FakeSession, ...names: string[]): boolean => {
    const frame = encodeFrame(MessageType.subscribe, seqBytes('s'), 0, Buffer.from(JSON.stringify(names)));
    return handleFrame(context, session as unknown as Session, frame, MessageType.subscribe, 0, 0);
  };
  return { ...world, subscribe };
}

describe('a subscription', () => {
  it('gets what waited for somebody to subscribe, before anything that is sent later', () => {
    const { observer, join, ask, subscribe } = setup();
    observer.hasPeers = true;
    const sender = join();
    const first = ask(sender, 'a');
    const late = new FakeSession(99);
    expect(subscribe(late, 'T'), 'topic ids have changed').toBe(true);
    const second = ask(sender, 'b');
    expect(late.delivered).toEqual([first, second]);
  });

  it('that changes nothing says so', () => {
    const { subscribe } = setup();
    const session = new FakeSession(99);
    subscribe(session, 'T');
    expect(subscribe(session, 'T')).toBe(false);
    expect(subscribe(session)).toBe(true);
  });
});
