/**
 * One frame per TLS record for strict sessions (decisions §6): Go stalls and Python and Node.js lose messages when a record
 * carries bytes of two frames. Counted from outside, by a proxy that reads record headers.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { RawClient } from '../helpers/raw-client.js';
import { RecordProxy, recordOverheadBytes, recordUse } from '../helpers/record-proxy.js';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

/** Around the record size and well above it. */
const PAYLOAD_BYTES = [0, 1, 100, 128, 1_000, 5_000, 16_300, 16_384 - 42 - 5, 16_384, 20_000, 65_536, 200_000];
const SMALL_PAYLOAD_BYTES = [0, 10, 128, 128, 128, 300, 1_000];

describe('counting records', () => {
  const relay = useRelay();
  let proxy: RecordProxy;
  beforeAll(async () => {
    proxy = await RecordProxy.start(relay().ports.secp256k1);
  });
  afterAll(() => proxy.stop());

  interface Metered {
    readonly client: RawClient;
    readonly use: () => ReturnType<typeof recordUse>;
    readonly frames: () => number;
  }

  /** A client behind the proxy; `use` lays its records over its frames. */
  async function metered(name: string, clientType?: string): Promise<Metered> {
    const lengths: number[] = [];
    const client = await relay().connect({
      name,
      port: proxy.port,
      onFrame: (frame) => {
        lengths.push(frame.bytes.length);
        return false;
      },
    });
    const connection = proxy.connections[proxy.connections.length - 1];
    const overheadBytes = recordOverheadBytes(client.socket.getCipher().name);
    if (clientType !== undefined) await client.handshake(clientType);
    return {
      client,
      use: () => recordUse(connection.toClient.lengths, overheadBytes, lengths),
      frames: () => lengths.length,
    };
  }

  /** Bursts of multicasts and unicasts from several senders, each burst written at once. */
  async function load(topic: string, receivers: readonly RawClient[], payloadBytes: readonly number[], bursts: number) {
    const senders = await Promise.all(
      ['x', 'y', 'z'].map((name) => relay().connect({ name, onFrame: (frame) => frame.type === TYPE.response })),
    );
    for (const receiver of receivers) receiver.answerWithEcho();
    let multicasts = 0;
    let unicasts = 0;
    for (let burst = 0; burst < bursts; burst++) {
      for (const [index, sender] of senders.entries()) {
        const frames = payloadBytes.map((bytes, n) => {
          const isUnicast = (n + burst + index) % 4 === 0;
          if (isUnicast) unicasts++;
          else multicasts++;
          const body = amopBody(topic, Buffer.alloc(bytes, n));
          return encodeFrame(isUnicast ? TYPE.unicast : TYPE.multicast, newSeq(), 0, body);
        });
        sender.sendBytes(Buffer.concat(frames));
      }
      await until(
        () => receivers.every((receiver) => receiver.framesOf(TYPE.multicast).length === multicasts),
        () => `${multicasts} multicasts; they have ${receivers.map((r) => r.framesOf(TYPE.multicast).length)}`,
      );
    }
    await until(
      () => receivers.reduce((sum, receiver) => sum + receiver.framesOf(TYPE.unicast).length, 0) === unicasts,
      'all unicasts',
    );
    for (const sender of senders) await sender.close();
  }

  const expectStrict = ({ use }: Metered) =>
    expect(use()).toEqual({ joined: 0, splitSmall: 0, splitLength: 0, splitOften: 0 });

  it.each([
    ['never sent 0x14', undefined],
    ['is a Go client', 'Go-SDK'],
    ['says it is our own client but not that it takes joined frames', 'amop-relay'],
  ])('gives every frame records of its own to a session that %s', async (_, clientType) => {
    const topic = `strict ${clientType}`;
    const sessions = [await metered('m1', clientType), await metered('m2', clientType)];
    for (const { client } of sessions) await client.subscribe(topic);
    await load(
      topic,
      sessions.map(({ client }) => client),
      PAYLOAD_BYTES,
      12,
    );
    for (const session of sessions) {
      expect(session.frames()).toBeGreaterThan(300);
      expectStrict(session);
    }
  });

  it('does so when the receiver stops reading for a while and the queue grows', async () => {
    const session = await metered('stops');
    await session.client.subscribe('backlog');
    const sender = await relay().connect({ onFrame: (frame) => frame.type === TYPE.response });
    session.client.pause();
    for (let n = 0; n < 400; n++) sender.multicast('backlog', Buffer.alloc(PAYLOAD_BYTES[n % PAYLOAD_BYTES.length], n));
    await sender.barrier();
    session.client.resume();
    await until(
      () => session.client.framesOf(TYPE.multicast).length === 400,
      () => `400 copies, has ${session.client.framesOf(TYPE.multicast).length}`,
    );
    expectStrict(session);
  });

  it('does so for answers, acknowledgements, heartbeats and JSON-RPC sent back to one session', async () => {
    const subscriber = await relay().subscriber(['answers']);
    subscriber.answerer = (frame) => ({ body: frame.body });
    const session = await metered('sender');
    const { client } = session;
    const frames: Buffer[] = [];
    for (let n = 0; n < 240; n++) {
      const body = amopBody('answers', Buffer.alloc(PAYLOAD_BYTES[n % PAYLOAD_BYTES.length], n));
      const kinds: [number, Uint8Array | string][] = [
        [TYPE.unicast, body],
        [TYPE.multicast, body],
        [TYPE.heartbeat, '0'],
        [TYPE.rpc, '{"jsonrpc":"2.0","method":"getBlockNumber","params":[1],"id":1}'],
        [TYPE.eventRegister, Buffer.from([1])],
        [TYPE.unicast, amopBody('nobody here')],
      ];
      frames.push(encodeFrame(kinds[n % kinds.length][0], newSeq(), 0, kinds[n % kinds.length][1]));
    }
    client.sendBytes(Buffer.concat(frames));
    await client.waitFor(() => client.received.length === 240, '240 answers', 15_000);
    expectStrict(session);
  });

  it('returns to one frame per record when a session stops being a Java client', async () => {
    const session = await metered('changes', 'java-sdk');
    await session.client.handshake('Go-SDK');
    await session.client.subscribe('changed');
    await load('changed', [session.client], SMALL_PAYLOAD_BYTES, 10);
    expectStrict(session);
  });

  it('joins frames for a Java client, which shows that the count sees joined records', async () => {
    const session = await metered('java', 'java-sdk');
    await session.client.subscribe('joined');
    await load('joined', [session.client], SMALL_PAYLOAD_BYTES, 20);
    expect(session.use().joined).toBeGreaterThan(0);
    const payloads = session.client.framesOf(TYPE.multicast).map((frame) => parseAmopBody(frame.body).payload.length);
    expect(payloads.length).toBeGreaterThan(200);
  });
});

describe('recordUse', () => {
  it('tells joined records, split frames and split lengths apart', () => {
    const plain = (...plaintextBytes: number[]) => plaintextBytes.map((bytes) => bytes + 24);
    const none = { joined: 0, splitSmall: 0, splitLength: 0, splitOften: 0 };
    expect(recordUse(plain(50, 60), 24, [50, 60])).toEqual(none);
    expect(recordUse(plain(16_384, 3_616, 42), 24, [20_000, 42])).toEqual(none);
    expect(recordUse(plain(110), 24, [50, 60])).toEqual({ ...none, joined: 1 });
    expect(recordUse(plain(170), 24, [50, 60, 60])).toEqual({ ...none, joined: 1 });
    expect(recordUse(plain(16_384, 3_658), 24, [20_000, 42])).toEqual({ ...none, joined: 1 });
    expect(recordUse(plain(30, 20), 24, [50])).toEqual({ ...none, splitSmall: 1 });
    expect(recordUse(plain(3, 47), 24, [50])).toEqual({ ...none, splitSmall: 1, splitLength: 1 });
    expect(recordUse(plain(52, 58), 24, [50, 60])).toEqual({ ...none, joined: 1, splitSmall: 1, splitLength: 1 });
    expect(recordUse(plain(5_000, 5_000, 5_000, 5_000), 24, [20_000])).toEqual({ ...none, splitOften: 1 });
    expect(() => recordUse(plain(50), 24, [51])).toThrow('50 bytes in records but 51 bytes in frames');
  });
});
