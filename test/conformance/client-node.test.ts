/**
 * The client against a 2.x node: a scripted server that answers with the very frames a node of v2.11.0 was seen to send, with
 * the client's seq in them, and pushes captured requests as they are. What the client sends must be what captured clients sent.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type CapturedFrame, type CapturedScenario, channelScenarios } from '../helpers/captures.js';
import { type ClientModule, ClientWorld } from '../helpers/client-world.js';
import { until } from '../helpers/deadline.js';
import { DIST_DIR } from '../helpers/pki.js';
import type { Script } from '../helpers/scripted-relay.js';
import { decodeFrame, encodeFrame, type Frame, parseAmopBody, TYPE } from '../helpers/wire.js';

const world = new ClientWorld((await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as ClientModule);
const scenarios = new Map(channelScenarios().map((scenario) => [scenario.id, scenario]));

function scenario(id: string): CapturedScenario {
  const found = scenarios.get(id);
  if (found === undefined) throw new Error(`no captured scenario ${id}`);
  return found;
}

const frames = (id: string, matches: (captured: CapturedFrame) => boolean): Frame[] =>
  scenario(id)
    .frames.filter(matches)
    .map(({ bytes }) => decodeFrame(bytes));

/** What client A asked in a scenario, and what the node answered. */
function exchange(id: string): { asked: Frame; answer: Frame } {
  const [asked] = frames(id, ({ client, fromNode }) => client === 'A' && !fromNode);
  const [answer] = frames(id, ({ client, fromNode }) => client === 'A' && fromNode);
  return { asked, answer };
}

const ASKED = [
  '10-unicast',
  '11-unicast-utf8',
  '12-unicast-empty',
  '13-unicast-binary',
  '14-unicast-4k',
  '15-unicast-no-subscriber',
  '16-multicast',
  '17-multicast-no-subscriber',
  '18-unicast-timeout',
  '20-subscriber-error',
  '07-rpc-getPeers',
].map((id) => ({ id, ...exchange(id) }));

/** A node that answers whatever was asked in a capture with what came back there. */
function node(protocol: 'v1' | 'v3' = 'v3'): Script {
  const [handshake] = frames(protocol === 'v3' ? '01-handshake-v3' : '02-handshake-v1', ({ fromNode }) => fromNode);
  const [heartbeat] = frames(protocol === 'v3' ? '04-heartbeat-v3' : '03-heartbeat-v1', ({ fromNode }) => fromNode);
  return {
    onFrame: (frame, peer) => {
      if (frame.type === TYPE.handshake) peer.send(frame.type, frame.seq, 0, handshake.body);
      else if (frame.type === TYPE.heartbeat) peer.send(frame.type, frame.seq, 0, heartbeat.body);
      else {
        const same = ({ asked }: (typeof ASKED)[number]) => asked.type === frame.type && sameBody(asked, frame);
        const known = ASKED.find(same);
        if (known !== undefined) peer.send(known.answer.type, frame.seq, known.answer.result, known.answer.body);
      }
      return true;
    },
  };
}

function sameBody(asked: Frame, frame: Frame): boolean {
  if (frame.type !== TYPE.rpc) return asked.body.equals(frame.body);
  const [one, other] = [asked, frame].map(({ body }) => JSON.parse(body.toString()));
  return one.method === other.method && JSON.stringify(one.params) === JSON.stringify(other.params);
}

describe('the client at a 2.x node', () => {
  it('takes the handshake of a node, which knows no capabilities', async () => {
    const { client, peer } = await world.open(node());
    expect(client.relays[0].server).toEqual({ nodeVersion: '2.11.0', protocol: 3, capabilities: [] });
    const hello = JSON.parse((await peer.frame(TYPE.handshake)).body.toString());
    const [captured] = frames('01-handshake-v3', ({ fromNode }) => !fromNode);
    expect(hello).toMatchObject({ ...JSON.parse(captured.body.toString()), clientType: 'amop-relay' });
  });

  it.each([
    ['v3', '04-heartbeat-v3'],
    ['v1', '03-heartbeat-v1'],
  ] as const)('sends the heartbeat of protocol %s', async (protocol, id) => {
    const { client, peer } = await world.open(node(protocol), { heartbeatIntervalMs: 20, deadLinkMs: 200 });
    const [captured] = frames(id, ({ fromNode }) => !fromNode);
    expect((await peer.frame(TYPE.heartbeat, 2)).body).toEqual(captured.body);
    expect(client.relays[0].state).toBe('connected');
  });

  it.each(['10-unicast', '11-unicast-utf8', '12-unicast-empty', '13-unicast-binary', '14-unicast-4k'])(
    'asks and is answered as in %s',
    async (id) => {
      const { asked, answer } = exchange(id);
      const { topic, payload } = parseAmopBody(asked.body);
      const { client, peer } = await world.open(node());
      const reply = await client.request(topic, payload);
      expect(reply.payload).toEqual(parseAmopBody(answer.body).payload);
      const sent = await peer.frame(TYPE.unicast);
      expect(sent.bytes).toEqual(encodeFrame(asked.type, reply.seq, 0, asked.body));
    },
  );

  it.each([
    ['15-unicast-no-subscriber', 100],
    ['18-unicast-timeout', 104],
    ['20-subscriber-error', 7],
  ])('makes an error without a reason of %s', async (id, code) => {
    const { topic, payload } = parseAmopBody(exchange(id).asked.body);
    const { client } = await world.open(node());
    expect(await world.failure(client.request(topic, payload))).toMatchObject({ code, reason: undefined });
  });

  it.each(['16-multicast', '17-multicast-no-subscriber'])('multicasts as in %s', async (id) => {
    const { asked } = exchange(id);
    const { topic, payload } = parseAmopBody(asked.body);
    const { client, peer } = await world.open(node());
    const { seq } = await client.multicast(topic, payload);
    expect((await peer.frame(TYPE.multicast)).bytes).toEqual(encodeFrame(asked.type, seq, 0, asked.body));
  });

  it('lists the topics of the peers of a node', async () => {
    const { answer } = exchange('07-rpc-getPeers');
    const peers = JSON.parse(answer.body.toString()).result as { Topic: string[] }[];
    const { client } = await world.open(node());
    const topics = [...new Set(peers.flatMap(({ Topic }) => Topic))].filter((topic) => !topic.startsWith('#!$')).sort();
    expect(await client.topics()).toEqual(topics.map((topic) => ({ topic, subscribers: undefined })));
  });

  it('subscribes as in 09-subscribe, and answers what a node pushes byte for byte as captured', async () => {
    const [subscription] = frames('09-subscribe', () => true);
    const topics = JSON.parse(subscription.body.toString()) as string[];
    const { client, peer } = await world.open(node());
    const echo = Buffer.from('echo:');
    await Promise.all(topics.map((topic) => client.subscribe(topic, ({ payload }) => Buffer.concat([echo, payload]))));
    expect(JSON.parse((await peer.frame(TYPE.subscribe)).body.toString())).toEqual(topics);
    let answered = 0;
    for (const id of ['10-unicast', '11-unicast-utf8', '12-unicast-empty', '13-unicast-binary', '14-unicast-4k']) {
      const [pushed] = frames(id, ({ client: who, fromNode }) => who === 'B' && fromNode);
      const [expected] = frames(id, ({ client: who, fromNode }) => who === 'B' && !fromNode);
      peer.socket.write(pushed.bytes);
      expect((await peer.frame(TYPE.response, answered++)).bytes, id).toEqual(expected.bytes);
    }
  });

  it('answers with an error of its own as in 20-subscriber-error, but for the payload', async () => {
    const { client, peer } = await world.open(node());
    await client.subscribe('topicA', (message) => void message.fail(7));
    const [pushed] = frames('20-subscriber-error', ({ client: who, fromNode }) => who === 'B' && fromNode);
    const [expected] = frames('20-subscriber-error', ({ client: who, fromNode }) => who === 'B' && !fromNode);
    peer.socket.write(pushed.bytes);
    expect(await peer.frame(TYPE.response)).toMatchObject({ seq: expected.seq, result: expected.result });
  });

  it('takes a multicast of a node once, though two nodes deliver it, and answers none', async () => {
    const nodes = [await world.relay(node()), await world.relay(node())];
    const client = await world.connect({ relays: nodes.map(({ address }) => address) });
    await until(() => client.relays.every(({ state }) => state === 'connected'), 'both nodes');
    const got: string[] = [];
    await client.subscribe('topicA', (message) => void got.push(message.text()));
    const copies = frames('21-multicast-two-sessions', ({ client: who, fromNode }) => who.startsWith('B') && fromNode);
    expect(copies).toHaveLength(2);
    for (const [index, copy] of copies.entries()) (await nodes[index].peer()).socket.write(copy.bytes);
    await until(() => client.counters.duplicateMessages === 1, 'the copy');
    expect(got).toEqual(['to both']);
    for (const one of nodes) expect((await one.peer()).of(TYPE.response)).toEqual([]);
  });

  it('ignores what a node may send besides: certification, notifications, late answers', async () => {
    const { client, peer } = await world.open(node());
    const [certification] = frames(
      '30-private',
      ({ client: who, fromNode, name }) => who === 'A' && fromNode && name.includes('cert'),
    );
    peer.socket.write(certification.bytes);
    for (const type of [0x1000, 0x1001, 0x1002]) peer.send(type, certification.seq, 0, '{}');
    peer.socket.write(exchange('10-unicast').answer.bytes);
    const { topic, payload } = parseAmopBody(exchange('10-unicast').asked.body);
    expect((await client.request(topic, payload)).text()).toBe('echo:hello amop');
    expect(client.counters.unmatchedResponses).toBe(1);
  });
});
