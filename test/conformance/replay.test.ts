/**
 * The client side of every captured channel scenario, byte for byte with its sequences, against one relay. Each client
 * must receive the node's frames byte for byte, in their order and nothing else, but for the differences listed below.
 * The capture had two nodes; here the clients of both are sessions of the one relay.
 */
import { describe, expect, it } from 'vitest';
import { type CapturedClient, type CapturedFrame, channelScenarios } from '../helpers/captures.js';
import type { RawClient, ReceivedFrame } from '../helpers/raw-client.js';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, decodeFrame, encodeFrame, type Frame, parseAmopBody, TYPE } from '../helpers/wire.js';

/** The node waits 5 s for a subscriber. */
const SUBSCRIBER_TIMEOUT_MS = 700;

type Expected = (captured: Frame, received: Frame) => Buffer;
interface Difference {
  readonly reason: string;
  /** What the relay sends instead; `received` may only fill in what no specification fixes. */
  readonly expected: Expected;
}

const withBody = (frame: Frame, body: string): Buffer => encodeFrame(frame.type, frame.seq, frame.result, body);
const emptyFailure =
  (code: number): Expected =>
  (captured) =>
    encodeFrame(TYPE.response, captured.seq, code, '');

/** JSON as the node writes it: no spaces, keys sorted at every level, a line feed at the end. */
function nodeJson(value: unknown): string {
  const sorted = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(sorted);
    if (part === null || typeof part !== 'object') return part;
    return Object.fromEntries(
      Object.entries(part)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, child]) => [key, sorted(child)]),
    );
  };
  return `${JSON.stringify(sorted(value))}\n`;
}

const parse = (frame: Frame) => JSON.parse(frame.body.toString());

/** The captured answer with the result's listed keys taken from what the relay said. */
const resultKeysFromRelay =
  (keys: readonly string[]): Expected =>
  (captured, received) => {
    const answer = parse(captured);
    const own = parse(received);
    for (const key of keys) {
      expect(typeof own.result[key], key).toBe('string');
      answer.result[key] = own.result[key];
    }
    return withBody(captured, nodeJson(answer));
  };

/** The captured answer with another result; `check` says what it must look like. */
const resultFromRelay =
  (check: (result: unknown) => void): Expected =>
  (captured, received) => {
    const { result } = parse(received);
    check(result);
    return withBody(captured, nodeJson({ ...parse(captured), result }));
  };

const errorTextFromRelay: Expected = (captured, received) => {
  const answer = parse(captured);
  const message = parse(received).error?.message;
  expect(message).toMatch(/\w+ \w+/);
  answer.error.message = message;
  return withBody(captured, nodeJson(answer));
};

const peerKeys = ['Agency', 'IPAndPort', 'Node', 'NodeID', 'Topic'];
const checkPeer = (peer: unknown) => {
  expect(Object.keys(peer as object).sort()).toEqual(peerKeys);
  expect((peer as { Topic: unknown }).Topic).toBeInstanceOf(Array);
};

/** Differences of decisions §3 and §10, by the captured frame they replace. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'chan-07-rpc-getClientVersion-02-A-from-node-rpc': {
    reason: 'the build fields are the relay’s own',
    expected: resultKeysFromRelay(['Build Time', 'Build Type', 'Git Branch', 'Git Commit Hash']),
  },
  'chan-07-rpc-getNodeIDList-02-A-from-node-rpc': {
    reason: 'other nodes, other IDs',
    expected: resultFromRelay((result) => {
      expect(result).toBeInstanceOf(Array);
      for (const id of result as unknown[]) expect(id).toMatch(/^[0-9a-f]{128}$/);
    }),
  },
  'chan-07-rpc-getPeers-02-A-from-node-rpc': {
    reason: 'other peers',
    expected: resultFromRelay((result) => {
      expect(result).toBeInstanceOf(Array);
      for (const peer of result as unknown[]) checkPeer(peer);
    }),
  },
  'chan-07-rpc-getNodeInfo-02-A-from-node-rpc': { reason: 'another node', expected: resultFromRelay(checkPeer) },
  'chan-07-rpc-noSuchMethod-02-A-from-node-rpc': { reason: 'JSON-RPC error texts', expected: errorTextFromRelay },
  'chan-08-rpc-parse-error-02-A-from-node-rpc': { reason: 'JSON-RPC error texts', expected: errorTextFromRelay },
  'chan-18-unicast-timeout-03-A-from-node-amop-response': {
    reason: '102 with an empty body where the node says 104 and echoes: the subscriber was silent',
    expected: emptyFailure(102),
  },
  'chan-19-late-response-03-A-from-node-amop-response': {
    reason: '102 with an empty body where the node says 104 and echoes: the subscriber was silent',
    expected: emptyFailure(102),
  },
  'chan-22-unicast-same-node-02-A-from-node-amop-response': {
    reason: 'the node cannot deliver to a subscriber of its own, the relay can',
    expected: (captured) => encodeFrame(TYPE.response, captured.seq, 0, amopBody('localT', 'echo:local?')),
  },
};

/** Frames that a client receives though the node sent none: delivery on one relay works. */
const ADDITIONAL: Readonly<Record<string, { client: CapturedClient; frame: string }>> = {
  '22-unicast-same-node': { client: 'A2', frame: 'chan-22-unicast-same-node-01-A-to-node-amop-request' },
  '23-multicast-same-node': { client: 'A2', frame: 'chan-23-multicast-same-node-01-A-to-node-multicast' },
};

/** Topics that clients had when a scenario began: captured in an earlier one or not at all. */
const EARLIER_TOPICS: Readonly<Record<string, Partial<Record<CapturedClient, readonly string[]>>>> = {
  '21-multicast-two-sessions': { B2: ['topicA'] },
  '22-unicast-same-node': { A2: ['localT'] },
  '23-multicast-same-node': { A2: ['localT'] },
};

const scenarios = channelScenarios();
const oneRelay = scenarios.filter(({ id }) => Number(id.slice(0, 2)) <= 26);

describe('replay of the captured channel scenarios', () => {
  const relay = useRelay({ limits: { subscriber_timeout_ms: SUBSCRIBER_TIMEOUT_MS } });

  it('covers every captured scenario', () => {
    const numbers = new Set(scenarios.map(({ id }) => Number(id.slice(0, 2))));
    expect([...numbers]).toEqual([...Array.from({ length: 26 }, (_, index) => index + 1), 30, 31]);
    const names = new Set(scenarios.flatMap(({ frames }) => frames.map(({ name }) => name)));
    for (const name of Object.keys(DIFFERENCES)) expect(names).toContain(name);
  });

  for (const { id, title, frames } of oneRelay) {
    it(`${id}: ${title}`, async () => {
      const clients = await connectClients(id, frames);
      for (const frame of frames) {
        const client = clients.get(frame.client)!;
        if (frame.fromNode) await expectFrame(client, frame);
        else client.sendBytes(frame.bytes);
        const extra = ADDITIONAL[id];
        if (extra?.frame === frame.name) await expectAdditional(clients.get(extra.client)!, frame.bytes);
      }
      if (id === '06-handshake-unsupported') {
        await clients.get('C')!.waitForClose();
        expect(clients.get('C')!.unread).toEqual([]);
        return;
      }
      await expectSilence(clients);
    });
  }

  it('19: the late answer is dropped and counted', async () => {
    await relay().waitForMetric('amop_input_refused_total', { reason: 'unmatched-response' }, 1);
  });

  it('26: after [] the session subscribes to nothing', async () => {
    const clients = await connectClients('26-unsubscribe', []);
    const before = await clients.get('A')!.request('topicA');
    expect(before.result).toBe(0);
    const unsubscribe = oneRelay.find(({ id }) => id === '26-subscribe-empty')!.frames[0];
    clients.get('B')!.sendBytes(unsubscribe.bytes);
    await clients.get('B')!.barrier();
    expect((await clients.get('A')!.request('topicA')).bytes.readInt32BE(38)).toBe(100);
    for (const client of clients.values()) await client.close();
  });

  /** The clients of a scenario in the state that the earlier scenarios left them in. */
  async function connectClients(id: string, frames: readonly CapturedFrame[]): Promise<Map<CapturedClient, RawClient>> {
    const number = Number(id.slice(0, 2));
    const names = new Set<CapturedClient>(['A', 'B', ...frames.map(({ client }) => client)]);
    const earlier = EARLIER_TOPICS[id] ?? {};
    for (const name of Object.keys(earlier)) names.add(name as CapturedClient);
    if (number <= 8)
      for (const name of ['A', 'B'] as const) if (!frames.some((f) => f.client === name)) names.delete(name);

    const clients = new Map<CapturedClient, RawClient>();
    for (const name of names) {
      const client = await relay().connect({ name });
      clients.set(name, client);
      if (number > 1 && name !== 'C') await replayCaptured(client, '01-handshake-v3', name[0] as 'A' | 'B', name);
      if (number === 3 && name === 'C') await replayCaptured(client, '02-handshake-v1', 'C', name);
      if (number >= 10 && number <= 26 && name === 'B') await replayCaptured(client, '09-subscribe', 'B', name);
      const topics = earlier[name];
      if (topics !== undefined) await client.subscribe(...topics);
      if (name === 'A2' || number === 26) client.answerWithEcho();
    }
    return clients;
  }

  async function replayCaptured(client: RawClient, id: string, as: CapturedClient, name: string): Promise<void> {
    const scenario = scenarios.find((candidate) => candidate.id === id)!;
    for (const frame of scenario.frames.filter((candidate) => candidate.client === as)) {
      if (!frame.fromNode) client.sendBytes(frame.bytes);
      else expect((await client.next(`${frame.name} at ${name}`)).bytes.equals(frame.bytes)).toBe(true);
    }
    await client.barrier();
  }

  async function expectFrame(client: RawClient, captured: CapturedFrame): Promise<void> {
    const received = await client.next(captured.name);
    const difference = DIFFERENCES[captured.name];
    const expected = difference?.expected(decodeFrame(captured.bytes), received) ?? captured.bytes;
    expect(describeFrame(received), captured.name).toEqual(describeFrame(decodeFrame(expected)));
    expect(received.bytes.equals(expected), `${captured.name} byte for byte`).toBe(true);
  }

  async function expectAdditional(client: RawClient, bytes: Buffer): Promise<void> {
    const received = await client.next('the message for the subscriber on the same relay');
    expect(received.bytes.equals(bytes)).toBe(true);
  }

  /** Nothing more comes for anybody. */
  async function expectSilence(clients: Map<CapturedClient, RawClient>): Promise<void> {
    for (const client of clients.values()) await client.barrier();
    for (const [name, client] of clients) {
      expect(client.unread.map(describeFrame), `frames too many at ${name}`).toEqual([]);
      await client.close();
    }
  }
});

function describeFrame(frame: Frame | ReceivedFrame): object {
  const { type, seq, result, body } = frame;
  const text = type === TYPE.unicast && body.length > 0 ? parseAmopBody(body).payload : body;
  return { type, seq, result, body: text.toString('latin1') };
}
