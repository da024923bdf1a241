/**
 * The captured channel scenarios against two relays, as they were captured against two nodes: A, A2 and C
 * on relay 0, B and B2 on relay 1. Every client must receive the node's frames byte for byte, in their order and nothing
 * else, but for decisions on silent subscribers and on delivery within one relay. JSON-RPC (07, 08) asks nothing of a
 * peer and is replayed against one relay elsewhere.
 */
import { describe, expect, it } from 'vitest';
import { type CapturedClient, type CapturedFrame, channelScenarios } from '../../helpers/captures.js';
import { useMesh } from '../../helpers/p2p/relays.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { amopBody, decodeFrame, encodeFrame, type Frame, TYPE } from '../../helpers/wire.js';

/** The node waits 5 s for a subscriber. */
const SUBSCRIBER_TIMEOUT_MS = 700;

const RELAY_OF: Readonly<Record<CapturedClient, number>> = { A: 0, A2: 0, C: 0, B: 1, B2: 1 };

type Expected = (captured: Frame) => Buffer;
const silent: Expected = ({ seq }) => encodeFrame(TYPE.response, seq, 102, '');

/** What a relay sends where the node sent something else. */
const DIFFERENCES: Readonly<Record<string, Expected>> = {
  'chan-18-unicast-timeout-03-A-from-node-amop-response': silent,
  'chan-19-late-response-03-A-from-node-amop-response': silent,
  'chan-22-unicast-same-node-02-A-from-node-amop-response': ({ seq }) =>
    encodeFrame(TYPE.response, seq, 0, amopBody('localT', 'echo:local?')),
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
const numberOf = (id: string) => Number(id.slice(0, 2));
const replayed = scenarios.filter(({ id }) => numberOf(id) <= 26 && numberOf(id) !== 7 && numberOf(id) !== 8);

describe('replay of the captured channel scenarios over two relays', () => {
  const mesh = useMesh({ limits: { subscriber_timeout_ms: SUBSCRIBER_TIMEOUT_MS } });

  it('covers every captured scenario', () => {
    const numbers = new Set(replayed.map(({ id }) => numberOf(id)));
    const all = Array.from({ length: 26 }, (_, index) => index + 1);
    expect([...numbers]).toEqual(all.filter((number) => number !== 7 && number !== 8));
  });

  for (const { id, title, frames } of replayed) {
    it(`${id}: ${title}`, async () => {
      const clients = await connectClients(id, frames);
      for (const frame of frames) {
        const client = clients.get(frame.client)!;
        if (frame.fromNode) await expectFrame(client, frame);
        else await send(client, frame);
        const extra = ADDITIONAL[id];
        if (extra?.frame !== frame.name) continue;
        const received = await clients.get(extra.client)!.next('the message for the subscriber on the same relay');
        expect(received.bytes.equals(frame.bytes)).toBe(true);
      }
      if (id === '06-handshake-unsupported') {
        await clients.get('C')!.waitForClose();
        expect(clients.get('C')!.unread).toEqual([]);
        return;
      }
      await expectSilence(clients);
    });
  }

  it('26: after [] nobody on the other relay is found any more', async () => {
    const clients = await connectClients('26-unsubscribe', []);
    expect((await clients.get('A')!.request('topicA')).result).toBe(0);
    await send(clients.get('B')!, scenarios.find(({ id }) => id === '26-subscribe-empty')!.frames[0]);
    const answer = await clients.get('A')!.request('topicA');
    expect([answer.result, answer.body.length]).toEqual([100, 0]);
    for (const client of clients.values()) await client.close();
  });

  it('30 and 31: a private topic certified and used, another one that fails, on the same connections', async () => {
    const clients = await connectClients('30-private', []);
    const [a, b] = [clients.get('A')!, clients.get('B')!];
    await Promise.all([a.subscribe(), b.subscribe()]);
    const frames = scenarios.filter(({ id }) => numberOf(id) >= 30).flatMap((scenario) => scenario.frames);
    /** What differs: the number of a 0x37, and who the sender is told that the subscriber is. */
    const questions = new Map<string, { seq: string; nodeId: string }>();
    for (const { name, client, fromNode, bytes } of frames) {
      const captured = decodeFrame(bytes);
      const json = () => JSON.parse(captured.body.toString()) as { nodeId: string; topic: string };
      if (fromNode) {
        const received = await clients.get(client)!.next(name);
        let expected = bytes;
        if (captured.type === 0x37) {
          const { nodeId } = JSON.parse(received.body.toString()) as { nodeId: string };
          expect([nodeId, received.seq]).toEqual([
            expect.stringMatching(/^[0-9a-f]{128}$/),
            expect.stringMatching(/^\d{32}$/),
          ]);
          questions.set(captured.seq, { seq: received.seq, nodeId });
          questions.set(json().topic, { seq: received.seq, nodeId });
          const body = captured.body.toString().replace(json().nodeId, nodeId);
          expected = encodeFrame(captured.type, received.seq, captured.result, body);
        }
        expect(received.bytes.toString('latin1'), name).toBe(expected.toString('latin1'));
      } else if (captured.type === 0x37) {
        const { seq } = questions.get(captured.seq)!;
        clients.get(client)!.sendBytes(encodeFrame(captured.type, seq, captured.result, captured.body));
      } else if (captured.type === 0x38) {
        const { nodeId, topic } = json();
        const body = captured.body.toString().replace(nodeId, questions.get(topic)!.nodeId);
        clients.get(client)!.sendBytes(encodeFrame(captured.type, captured.seq, captured.result, body));
      } else {
        clients.get(client)!.sendBytes(bytes);
      }
    }
    await expectSilence(clients);
  });

  /** A new topic set counts as sent when the other relay knows it. */
  async function send(client: RawClient, { bytes, client: name }: Pick<CapturedFrame, 'bytes' | 'client'>) {
    client.sendBytes(bytes);
    if (decodeFrame(bytes).type !== TYPE.subscribe) return;
    await client.barrier();
    await mesh().settled(RELAY_OF[name]);
  }

  /** The clients of a scenario in the state that the earlier scenarios left them in. */
  async function connectClients(id: string, frames: readonly CapturedFrame[]): Promise<Map<CapturedClient, RawClient>> {
    const number = numberOf(id);
    const names = new Set<CapturedClient>([...frames.map(({ client }) => client)]);
    if (number > 8) for (const name of ['A', 'B'] as const) names.add(name);
    const earlier = EARLIER_TOPICS[id] ?? {};
    for (const name of Object.keys(earlier)) names.add(name as CapturedClient);

    const clients = new Map<CapturedClient, RawClient>();
    for (const name of names) {
      const client = await mesh().connect(RELAY_OF[name], { name });
      clients.set(name, client);
      if (number > 1 && name !== 'C') await replayCaptured(client, '01-handshake-v3', name[0] as 'A' | 'B');
      if (number === 3 && name === 'C') await replayCaptured(client, '02-handshake-v1', 'C');
      if (number >= 10 && name === 'B') await replayCaptured(client, '09-subscribe', 'B');
      const topics = earlier[name];
      if (topics !== undefined) await client.subscribe(...topics);
      if (name === 'A2' || number === 26) client.answerWithEcho();
    }
    for (const relay of [0, 1]) await mesh().settled(relay);
    return clients;
  }

  async function replayCaptured(client: RawClient, id: string, as: CapturedClient): Promise<void> {
    const scenario = scenarios.find((candidate) => candidate.id === id)!;
    for (const frame of scenario.frames.filter((candidate) => candidate.client === as)) {
      if (!frame.fromNode) client.sendBytes(frame.bytes);
      else expect((await client.next(frame.name)).bytes.equals(frame.bytes), frame.name).toBe(true);
    }
    await client.barrier();
  }

  async function expectFrame(client: RawClient, captured: CapturedFrame): Promise<void> {
    const received = await client.next(captured.name);
    const expected = DIFFERENCES[captured.name]?.(decodeFrame(captured.bytes)) ?? captured.bytes;
    expect(received.bytes.toString('latin1'), captured.name).toBe(expected.toString('latin1'));
  }

  /** Nothing more comes for anybody, and nobody is left behind for the next scenario. */
  async function expectSilence(clients: Map<CapturedClient, RawClient>): Promise<void> {
    for (const relay of [0, 1]) await mesh().settled(relay);
    for (const client of clients.values()) await client.barrier();
    for (const [name, client] of clients) {
      const tooMany = client.unread.map(({ bytes }) => bytes.toString('latin1'));
      expect(tooMany, `frames too many at ${name}`).toEqual([]);
      await client.close();
    }
    for (const relay of [0, 1]) await mesh().settled(relay);
  }
});
