import { describe, expect, it } from 'vitest';
import { PrivateReceivers } from '../../../src/shard/private-receivers.js';
import { encodeHandles } from '../../../src/wire/mesh/private-frame.js';
import { challengeOf, M, N } from './private-world.js';

const receiving = (topic: string) => [topic, challengeOf(topic)];
/** As they stand in a message, without their count. */
const named = (...handles: string[]) => encodeHandles(handles).subarray(2);

describe('sessions that a relay names', () => {
  const first = { id: 1, handle: '00112233ffffffff' };
  const second = { id: 2, handle: '0011223300000000' };
  const third = { id: 3, handle: 'ffeeddcc00000000' };

  it('are told apart by the whole handle', () => {
    const receivers = new PrivateReceivers();
    for (const one of [first, second, third]) receivers.subscribed(one, receiving(N));
    for (const { id, handle } of [first, second, third]) expect([...receivers.named(named(handle), N)]).toEqual([id]);
    expect([...receivers.named(named(second.handle, third.handle), N)]).toEqual([2, 3]);
    expect([...receivers.named(named('00112233fffffffe', 'ffeeddcd00000000'), N)]).toEqual([]);
    receivers.ended(first);
    expect([...receivers.named(named(first.handle, second.handle), N)]).toEqual([2]);
    receivers.ended(second);
    expect([...receivers.named(named(first.handle, second.handle, third.handle), N)]).toEqual([3]);
  });

  it('receive on what they subscribe to now', () => {
    const receivers = new PrivateReceivers();
    receivers.subscribed(first, receiving(N));
    receivers.subscribed(first, receiving(M));
    expect([...receivers.named(named(first.handle), N)]).toEqual([]);
    expect([...receivers.named(named(first.handle), M)]).toEqual([1]);
    expect([...(receivers.unnamed(M, true) ?? [])]).toEqual([1]);
  });
});
