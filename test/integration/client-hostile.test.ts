/**
 * The client against relays that hang, die, lie or babble. Each case is one behaviour of a scripted relay, which shares no code
 * with the client; in each of them every call settles by its deadline, closing takes no longer than it should, and the client
 * is as good as new once an honest relay listens in the same place.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ClientModule, ClientWorld } from '../helpers/client-world.js';
import { passTime, until, withDeadline } from '../helpers/deadline.js';
import { DIST_DIR } from '../helpers/pki.js';
import { asOwnRelay, type Peer, type Script } from '../helpers/scripted-relay.js';
import { amopBody, encodeFrame, type Frame, newSeq, TYPE } from '../helpers/wire.js';

const world = new ClientWorld((await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as ClientModule);

const TIMEOUT_MS = 400;
/** For a machine that does other things as well. */
const SLACK_MS = 1_500;

/** True for what a call sends; the handshake and heartbeats are not calls. */
const isCall = ({ type }: Frame): boolean =>
  type === TYPE.unicast || type === TYPE.multicast || type === TYPE.rpc || type === TYPE.subscribe;

/** What the relay does with a call; heartbeats too are left unanswered unless `alive`. */
const onCall = (react: (frame: Frame, peer: Peer) => void, alive = false): Script => ({
  onFrame: (frame, peer) => {
    if (asOwnRelay(frame, peer)) return true;
    if (frame.type === TYPE.heartbeat) return !alive;
    if (isCall(frame)) react(frame, peer);
    return true;
  },
});

const answerTo = (frame: Frame, result = 0): Buffer => {
  if (frame.type === TYPE.rpc)
    return encodeFrame(TYPE.rpc, frame.seq, result, '{"id":1,"jsonrpc":"2.0","result":[]}\n');
  return encodeFrame(TYPE.response, frame.seq, result, frame.body);
};

/** The five calls, and what each of them may end with. */
interface Outcome {
  readonly call: string;
  readonly code: number | undefined;
  readonly reason: string | undefined;
  readonly tookMs: number;
}

const BEHAVIOURS: readonly (readonly [
  string,
  Script,
  {
    readonly codes: readonly (number | undefined)[];
    readonly reasons?: readonly string[];
    readonly payloadBytes?: number;
  },
])[] = [
  ['is silent', onCall(() => {}), { codes: [102] }],
  ['is silent but answers heartbeats', onCall(() => {}, true), { codes: [102] }],
  ['resets the connection', onCall((_frame, peer) => peer.socket.destroy()), { codes: [99, 102] }],
  ['ends the connection', onCall((_frame, peer) => peer.socket.end()), { codes: [99, 102] }],
  [
    'sends half an answer and stops',
    onCall((frame, peer) => peer.socket.write(answerTo(frame).subarray(0, 45))),
    { codes: [99, 102] },
  ],
  [
    'sends half an answer and dies',
    onCall((frame, peer) => peer.socket.write(answerTo(frame).subarray(0, 45), () => peer.socket.destroy())),
    { codes: [99, 102] },
  ],
  [
    'sends an answer byte by byte and never the last one',
    onCall((frame, peer) => {
      for (const byte of answerTo(frame).subarray(0, -1)) peer.socket.write(Buffer.of(byte));
    }),
    { codes: [99, 102] },
  ],
  [
    'answers under another seq',
    onCall((frame, peer) => peer.send(TYPE.response, newSeq(), 0, frame.body)),
    { codes: [102] },
  ],
  ['answers with another type', onCall((frame, peer) => peer.send(0x77, frame.seq, 0, frame.body)), { codes: [102] }],
  [
    'answers with 104 and the request',
    onCall((frame, peer) => peer.socket.write(answerTo(frame, 104)), true),
    { codes: [104, 102] },
  ],
  [
    'answers with a body that has no topic',
    onCall((frame, peer) => peer.send(frame.type === TYPE.rpc ? TYPE.rpc : TYPE.response, frame.seq, 0, Buffer.of(0))),
    // The acknowledgement of a multicast has no payload that anybody reads.
    { codes: [1, undefined] },
  ],
  [
    'answers too late',
    onCall((frame, peer) => void setTimeout(() => peer.socket.write(answerTo(frame)), TIMEOUT_MS * 2)),
    { codes: [102] },
  ],
  [
    'sends garbage',
    onCall((_frame, peer) => peer.socket.write(Buffer.alloc(3_000, 0xa5))),
    { codes: [99, 102], reasons: ['bad-frame'] },
  ],
  [
    'sends zeros',
    onCall((_frame, peer) => peer.socket.write(Buffer.alloc(64))),
    { codes: [99, 102], reasons: ['bad-frame'] },
  ],
  [
    'announces a huge frame',
    onCall((_frame, peer) => peer.socket.write(Buffer.from('ffffffff', 'hex'))),
    { codes: [99, 102], reasons: ['bad-frame'] },
  ],
  [
    'announces the largest frame and stops',
    onCall((_frame, peer) => peer.socket.write(Buffer.from('063ffff0', 'hex'))),
    { codes: [102] },
  ],
  [
    'floods the client with frames that nobody asked for',
    onCall((_frame, peer) => {
      const stray = Buffer.concat([
        encodeFrame(TYPE.response, newSeq(), 0, amopBody('t', 'stray')),
        encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('nobody', 'stray')),
        encodeFrame(TYPE.multicast, newSeq(), 0, Buffer.of(200)),
        encodeFrame(0xffff, newSeq(), -1, ''),
      ]);
      for (let i = 0; i < 500; i++) peer.socket.write(stray);
    }),
    { codes: [102] },
  ],
  [
    'stops reading',
    { onFrame: (frame, peer) => asOwnRelay(frame, peer) || !peer.socket.pause() },
    { codes: [99, 102], payloadBytes: 30_000_000 },
  ],
];

describe.each(BEHAVIOURS)('a relay that %s', (_name, script, expected) => {
  it('makes every call fail by its deadline, and the client recovers', async () => {
    const relay = await world.relay(script);
    const client = await world.connect({ relays: [relay.address], heartbeatIntervalMs: 100, deadLinkMs: 5_000 });
    const reasons = new Set<string | undefined>();
    client.on('disconnect', ({ error }) => reasons.add(error.reason));
    await client.subscribe('before', () => 'x', { timeoutMs: TIMEOUT_MS }).catch(() => {});

    const timed = async (call: string, promise: Promise<unknown>): Promise<Outcome> => {
      const startMs = performance.now();
      const error = await promise.then(
        () => undefined,
        (reason: { code: number; reason?: string }) => reason,
      );
      return { call, code: error?.code, reason: error?.reason, tookMs: performance.now() - startMs };
    };
    const options = { timeoutMs: TIMEOUT_MS };
    const calls = [
      timed('request', client.request('t', Buffer.alloc(expected.payloadBytes ?? 3_000), options)),
      timed('publish', client.publish('t', { json: true }, options)),
      timed('multicast', client.multicast('t', 'text', options)),
      timed('topics', client.topics(options)),
      timed(
        'subscribe',
        client.subscribe('t', () => 'x', options),
      ),
      timed('unsubscribe', client.unsubscribe('before', options)),
    ];
    const outcomes = await withDeadline(Promise.all(calls), TIMEOUT_MS + 5_000, 'every call');
    for (const { call, code, tookMs } of outcomes) {
      expect(tookMs, call).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      // Ending a subscription fails only where somebody is connected who does not react; a list may be answered in every case.
      if (call !== 'unsubscribe' && call !== 'subscribe' && call !== 'topics')
        expect(expected.codes, call).toContain(code);
    }
    for (const reason of expected.reasons ?? []) expect(reasons).toContain(reason);

    await relay.stop();
    await until(() => client.relays[0].state === 'disconnected', 'the client to notice');
    await world.relay(
      {
        onFrame: (frame, peer) =>
          asOwnRelay(frame, peer) || (isCall(frame) && peer.socket.write(answerTo(frame)) !== undefined),
      },
      { port: relay.port },
    );
    expect((await client.request('t', 'honest')).text()).toBe('honest');
    const closing = performance.now();
    await client.close();
    expect(performance.now() - closing).toBeLessThan(1_000 + SLACK_MS);
  });
});

describe('a relay that cannot be connected to', () => {
  const attempt = async (options: Parameters<typeof world.connect>[0]) => {
    const startMs = performance.now();
    const error = await world.failure(world.connect({ connectTimeoutMs: TIMEOUT_MS, ...options }), 5_000);
    expect(performance.now() - startMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    expect(error.code).toBe(99);
    return error;
  };

  it('because it accepts and says nothing', async () => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => sockets.add(socket.on('error', () => {})));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    world.later(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const error = await attempt({ port: (server.address() as AddressInfo).port });
    expect(error).toMatchObject({ reason: 'connect-timeout' });
  });

  it.each([
    ['never answers the handshake', () => true, 'connect-timeout'],
    [
      'answers it with half a frame',
      (frame: Frame, peer: Peer) => peer.socket.write(frame.bytes.subarray(0, 20)),
      'connect-timeout',
    ],
    [
      'answers it with garbage',
      (_frame: Frame, peer: Peer) => peer.socket.write('\u0000\u0000\u0000\u0001garbage'),
      'handshake-failed',
    ],
    [
      'answers it under another seq',
      (_frame: Frame, peer: Peer) => peer.send(TYPE.handshake, newSeq(), 0, '{"protocol":3}'),
      'connect-timeout',
    ],
    [
      'answers it with nonsense',
      (frame: Frame, peer: Peer) => peer.send(TYPE.handshake, frame.seq, 0, '[]'),
      'handshake-failed',
    ],
    ['closes at the handshake', (_frame: Frame, peer: Peer) => peer.socket.destroy(), 'refused'],
  ])('because it %s', async (_name, react, reason) => {
    const relay = await world.relay({
      onFrame: (frame, peer) => {
        react(frame, peer);
        return true;
      },
    });
    expect(await attempt({ port: relay.port })).toMatchObject({ reason });
  });
});

describe('a relay that dies again and again', () => {
  it('costs the client no call that is not settled, and no more than a few attempts a second', async () => {
    const relay = await world.relay({
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        peer.socket.destroy();
        return true;
      },
    });
    const client = await world.connect({ relays: [relay.address], lazy: true });
    const endMs = performance.now() + 2_000;
    const outcomes: Promise<unknown>[] = [];
    while (performance.now() < endMs) {
      outcomes.push(client.request('t', 'x', { timeoutMs: 300 }).catch((error) => error.code));
      await passTime(5);
    }
    const codes = await withDeadline(Promise.all(outcomes), 2_000, 'every call');
    for (const code of codes) expect([99, 102]).toContain(code);
    expect(relay.peers.length).toBeLessThan(20);
  });

  it('that is gone for good is told by AMOP-99 at the deadline', async () => {
    const relay = await world.relay();
    const client = await world.connect({ relays: [relay.address] });
    await relay.stop();
    await until(() => client.relays[0].state === 'disconnected', 'the loss');
    const startMs = performance.now();
    const error = await world.failure(client.request('t', 'x', { timeoutMs: TIMEOUT_MS }));
    expect(error).toMatchObject({ code: 99, reason: 'not-connected' });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(TIMEOUT_MS);
    expect(performance.now() - startMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  });
});

describe('memory', () => {
  it('does not follow a frame that is announced and sent in tiny pieces', async () => {
    const relay = await world.relay(
      onCall((_frame, peer) => {
        peer.socket.write(Buffer.from('063ffff0', 'hex'));
        for (let i = 0; i < 20_000; i++) peer.socket.write(Buffer.of(0));
      }),
    );
    const client = await world.connect({ relays: [relay.address] });
    const before = process.memoryUsage().rss;
    await client.request('t', 'x', { timeoutMs: 2_000 }).catch(() => {});
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });
});
