import { expect, it } from 'vitest';
import { FRAME_KINDS } from '../../../../src/base/stats.js';
import { frameKindIndex, MessageType } from '../../../../src/wire/channel/message-type.js';

it('gives every type the index of its kind', () => {
  const kinds = Object.fromEntries(
    Object.entries(MessageType).map(([name, type]) => [name, FRAME_KINDS[frameKindIndex(type)]]),
  );
  expect(kinds).toEqual({
    rpc: 'rpc',
    heartbeat: 'heartbeat',
    handshake: 'handshake',
    registerEvent: 'event',
    unregisterEvent: 'event',
    unicast: 'unicast',
    response: 'response',
    subscribe: 'subscribe',
    multicast: 'multicast',
    requestCertification: 'certification',
    certificationResult: 'certification',
    transactionNotify: 'other',
    blockNotify: 'other',
    eventPush: 'event',
  });
});

it('gives every other 16-bit number the kind "other"', () => {
  const known = new Set<number>(Object.values(MessageType));
  for (let type = 0; type <= 0xffff; type++) {
    if (!known.has(type) && FRAME_KINDS[frameKindIndex(type)] !== 'other') throw new Error(`type ${type}`);
  }
});
