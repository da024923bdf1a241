/** A subscription that would rather have its relays wait than lose a message: `whenFull: 'pause'`. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { AmopError, type ConnectOptions, connect, type SubscribeOptions } from '../../../src/client/index.js';
import { ClientWorld, slowHandler } from '../../helpers/client-world.js';
import { passTime, until } from '../../helpers/deadline.js';
import type { Peer, Script } from '../../helpers/scripted-relay.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const world = new ClientWorld({ connect, AmopError });

/** More than the buffers of two sockets hold: not all of it can leave while nobody reads. */
const MESSAGES = 3_000;
const MESSAGE_BYTES = 8_192;
const FULL = { concurrency: 1, inboxMax: 10, whenFull: 'pause' } as const;

const echo: Script = {
  onFrame: (frame, peer) => {
    if (frame.type !== TYPE.unicast) return false;
    const { topic, payload } = parseAmopBody(frame.body);
    peer.send(TYPE.response, frame.seq, 0, amopBody(topic, payload));
    return true;
  },
};

function flood(peer: Peer, topic: string): void {
  const payload = Buffer.alloc(MESSAGE_BYTES);
  for (let n = 0; n < MESSAGES; n++) {
    payload.writeUInt32BE(n);
    peer.send(TYPE.multicast, newSeq(), 0, amopBody(topic, payload));
  }
}

/** Nothing leaves the relay any more, although something waits to. */
async function standsStill(peer: Peer): Promise<void> {
  let before = -1;
  await until(async () => {
    const { bytesWritten, writableLength } = peer.socket;
    const waiting = bytesWritten - writableLength;
    const same = writableLength > 0 && waiting === before;
    before = waiting;
    if (!same) await passTime(100);
    return same;
  }, 'the relay to stand still');
}

/** A client whose subscription to `t` is full, with one message in its handler. */
async function openFull(script: Script = {}, options: Partial<ConnectOptions> = {}, subscribe: SubscribeOptions = {}) {
  const { client, peer } = await world.open(script, options);
  const { got, handle, release } = slowHandler();
  await client.subscribe('t', handle, { ...FULL, ...subscribe });
  flood(peer, 't');
  await standsStill(peer);
  return { client, peer, got, release };
}

const inOrder = Array.from({ length: MESSAGES }, (_, n) => n);

describe('a full inbox that pauses', () => {
  it('makes the relay wait, loses nothing, and goes on in order', async () => {
    const { client, peer, got, release } = await openFull({}, { heartbeatIntervalMs: 50, deadLinkMs: 200 });
    // Longer than a silent link is believed in.
    await passTime(400);
    expect(got).toEqual([0]);
    expect(client.relays[0].state).toBe('connected');
    release();
    await until(
      () => got.length === MESSAGES,
      () => `all messages, got ${got.length}`,
      20_000,
    );
    expect(got).toEqual(inOrder);
    expect(client.counters).toMatchObject({ droppedMulticasts: 0, droppedUnicasts: 0 });
    expect(peer.socket.destroyed).toBe(false);
  });

  it('does the same for a loop', async () => {
    const { client, peer } = await world.open();
    const stream = client.subscribe('t', FULL);
    await stream.ready;
    flood(peer, 't');
    await standsStill(peer);
    const got: number[] = [];
    for await (const message of stream) {
      got.push(message.payload.readUInt32BE(0));
      if (got.length === MESSAGES) break;
    }
    expect(got).toEqual(inOrder);
  });

  it('keeps the answers to own calls waiting, which end in time, and takes subscriptions all the same', async () => {
    const { client, peer, got, release } = await openFull(echo);
    const error = await world.failure(client.request('other', 'x', { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 102, reason: 'timeout' });
    expect(client.relays[0].state).toBe('connected');
    release();
    await until(
      () => got.length === MESSAGES,
      () => `all messages, got ${got.length}`,
      20_000,
    );
    expect((await client.request('other', 'y')).text()).toBe('y');
    await client.subscribe('another', () => {});
    expect(JSON.parse(`${peer.of(TYPE.subscribe).at(-1)?.body}`)).toEqual(['t', 'another']);
  });

  it('lets another subscription through while it is full', async () => {
    const { client, peer } = await world.open();
    const { got, handle, release } = slowHandler();
    await client.subscribe('t', handle, { ...FULL, inboxMax: 1 });
    for (let n = 0; n < 3; n++) peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', Buffer.from([0, 0, 0, n])));
    await until(() => got.length === 1, 'the first');
    await client.subscribe('another', () => {});
    release();
    await until(() => got.length === 3, 'all three');
    expect(got).toEqual([0, 1, 2]);
  });

  it('has relays wait that connect while it is full', async () => {
    const relays = [await world.relay(), await world.relay()];
    // While nothing is read only a write tells that a relay is gone.
    const client = await world.connect({ relays: relays.map(({ address }) => address), heartbeatIntervalMs: 100 });
    const peers = [await relays[0].peer(), await relays[1].peer()];
    const { got, handle, release } = slowHandler();
    await client.subscribe('t', handle, FULL);
    flood(peers[0], 't');
    await standsStill(peers[0]);
    const connected = once(client, 'connect');
    peers[1].socket.destroy();
    const again = await relays[1].peer(1);
    await connected;
    flood(again, 't');
    await standsStill(again);
    expect(got).toEqual([0]);
    release();
    await until(
      () => got.length === 2 * MESSAGES,
      () => `all messages, got ${got.length}`,
      30_000,
    );
    expect(client.counters.droppedMulticasts).toBe(0);
  });

  it('ends with its subscription', async () => {
    const end = new AbortController();
    const { client, got } = await openFull(echo, {}, { signal: end.signal });
    end.abort();
    expect((await client.request('other', 'x')).text()).toBe('x');
    expect(got).toEqual([0]);
  });

  it('is ended with its client', async () => {
    const { client, peer } = await openFull();
    await client.close();
    await until(() => peer.socket.destroyed, 'the end of the connection');
  });

  it('is one of two ways', async () => {
    const { client } = await world.open();
    const options = { whenFull: 'wait' } as unknown as typeof FULL;
    await expect(client.subscribe('t', () => {}, options)).rejects.toThrow(
      'option whenFull must be "refuse" or "pause"',
    );
    expect(() => client.subscribe('t', options)).toThrow(TypeError);
  });
});
