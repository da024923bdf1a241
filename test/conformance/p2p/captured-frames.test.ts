/**
 * What a relay writes to a 2.x node, and what it makes of what the node writes: the captured exchanges between two real
 * nodes with a relay in the place of one of them. Compared are all bytes but the P2P number, which is the relay's own, and
 * compression, which a relay never uses.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { capturedExchanges, capturedP2P } from '../../helpers/p2p/p2p-captures.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { type P2PFrame, parseTopicList } from '../../helpers/p2p/p2p-wire.js';
import { P2PRelay } from '../../helpers/p2p/relays.js';
import { amopBody, decodeFrame, encodeFrame, parseAmopBody, TYPE } from '../../helpers/wire.js';

const VERSION = { rc1: '2.0.0-rc1', rc2: '2.11.0' } as const;

describe.each(['rc2', 'rc1'] as const)('%s frames between a relay and a node', (format) => {
  let pki: P2PPki;
  let node: LegacyPeer;
  let relay: P2PRelay;
  let markers = 0;
  const exchanges = capturedExchanges(format);

  beforeAll(async () => {
    pki = await P2PPki.create();
    node = await LegacyPeer.start({ credentials: pki.node('node'), format, announceIntervalMs: 200 });
    relay = await P2PRelay.start(
      { credentials: pki.node('relay'), dials: [node.port], supportedVersion: VERSION[format] },
      { limits: { subscriber_timeout_ms: 300 } },
    );
    await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
  });
  afterAll(async () => {
    await node?.stop();
    await relay?.process.cleanUp();
    await pki.remove();
  });

  it('has exchanges to compare', () => {
    expect(exchanges.map(({ request }) => request.packetType)).toContain(1);
    expect(exchanges.length).toBeGreaterThanOrEqual(format === 'rc1' ? 2 : 12);
  });

  for (const { name, request, answer } of exchanges) {
    it(`${name}: the relay in the place of node 0, an application behind it`, async () => {
      const { topic } = parseAmopBody(decodeFrame(request.data).body);
      await makeRoutable(topic);
      node.answerer = () => {
        const { result, body } = decodeFrame(answer!.data);
        return { result, body };
      };
      const seen = node.amopFrames.length;
      const application = await relay.process.connect();
      application.sendBytes(request.data);
      const received = await application.next('the answer');
      const multicastAck = () =>
        encodeFrame(TYPE.response, decodeFrame(request.data).seq, 0, decodeFrame(request.data).body);
      expect(hex(received.bytes)).toBe(hex(answer?.data ?? multicastAck()));
      await node.waitForFrame(() => node.amopFrames.length > seen, name);
      const [sent] = node.amopFrames.slice(seen);
      expect(comparable(sent)).toEqual(comparable(request));
      expect([sent.compressed, sent.seq > 0]).toEqual([false, true]);
      if (request.compressed === false) {
        // Byte for byte, with the node's number in place of the relay's.
        const bytes = Buffer.from(sent.bytes);
        bytes.writeUInt32BE(request.seq, sent.bytes.length - sent.data.length - 4);
        expect(hex(bytes)).toBe(hex(request.bytes));
      }
      node.subscribe();
    });

    it(`${name}: the relay in the place of node 1, a subscriber behind it`, async () => {
      const channelRequest = decodeFrame(request.data);
      const { topic } = parseAmopBody(channelRequest.body);
      const subscriber = await relay.process.subscriber([topic]);
      onTestFinished(() => subscriber.destroy());
      await node.waitForTopic(topic, relay.nodeId);
      const captured = answer === undefined ? undefined : decodeFrame(answer.data);
      if (captured?.result !== 104) subscriber.answerer = () => captured;
      const seen = node.amopFrames.length;
      node.link(relay.nodeId).sendBytes(request.bytes); // as captured, compressed where it was
      const pushed = await subscriber.next('the request');
      expect(hex(pushed.bytes)).toBe(hex(request.data));
      if (answer !== undefined) {
        if (name.includes('disconnect')) subscriber.destroy();
        await node.waitForFrame(() => node.amopFrames.length > seen, 'the answer', 3_000);
        const [sent] = node.amopFrames.slice(seen);
        expect(sent.seq, 'an answer carries the number of its request').toBe(answer.seq);
        const silence = encodeFrame(TYPE.response, channelRequest.seq, 102, '');
        expect(hex(sent.data)).toBe(hex(captured?.result === 104 ? silence : answer.data));
        if (captured?.result !== 104 && !answer.compressed) expect(hex(sent.bytes)).toBe(hex(answer.bytes));
        expect([sent.protocolId, sent.packetType, sent.compressed]).toEqual([-1, 0, false]);
      } else {
        await subscriber.barrier();
        expect(node.amopFrames.slice(seen), 'a multicast has no answer').toEqual([]);
      }
      await subscriber.close().catch(() => {});
      await waitUntilForgotten(topic);
    });
  }

  it('answers 101 with an empty body to a request on a route that is stale', async () => {
    const link = node.link(relay.nodeId);
    const frame = encodeFrame(TYPE.unicast, '0123456789abcdef0123456789abcdef', 0, amopBody('nobody-here', 'x'));
    link.send({ protocolId: 1, packetType: 0, seq: 900_001, data: frame });
    const answer = await node.waitForFrame(({ seq }) => seq === 900_001, 'the answer');
    expect(hex(answer.data)).toBe(hex(encodeFrame(TYPE.response, '0123456789abcdef0123456789abcdef', 101, '')));
  });

  it('writes its gossip in the captured forms', async () => {
    const subscriber = await relay.process.subscriber(['topicA', '主题B']);
    await node.waitForTopic('主题B', relay.nodeId);
    await makeRoutable('of-the-node');
    const forms = capturedP2P(format).filter(({ protocolId }) => Math.abs(protocolId) === 2);
    const frames = node.topicFrames;
    for (const packetType of [1, 2, 3]) {
      const form = forms.find((candidate) => candidate.packetType === packetType)!;
      const ours = frames.filter((candidate) => candidate.packetType === packetType);
      expect(ours.length, `frames of packet type ${packetType}`).toBeGreaterThan(0);
      for (const frame of ours) {
        expect([frame.protocolId, frame.compressed]).toEqual([form.protocolId, false]);
        if (packetType === 1) expect([frame.seq, /^[1-9]\d*$/.test(`${frame.data}`)]).toEqual([0, true]);
        if (packetType === 2) expect([frame.seq > 0, frame.data.length]).toEqual([true, 0]);
        if (packetType === 3) expect(parseTopicList(frame.data).topicSeq).toBeGreaterThan(0);
      }
    }
    const list = frames.filter(({ data }) => `${data}`.includes('topicA')).at(-1)!;
    expect(`${list.data}`.replace(/^\d+/, 'S'), 'sorted by bytes, one TAB before each').toBe('S\ttopicA\t主题B');
    await subscriber.close();
  });

  it('never sent anything that a node could not follow', () => {
    expect(node.faults).toEqual([]);
  });

  /** The node subscribes to the topic and the relay knows: its list holds a further topic that answers. */
  async function makeRoutable(topic: string): Promise<void> {
    const marker = `marker-${markers++}`;
    node.answerWithEcho();
    node.subscribe(topic, marker);
    node.announce();
    const prober = await relay.process.connect();
    await until(async () => (await prober.request(marker)).result === 0, `${topic} to be routable`);
    await prober.close();
  }

  async function waitUntilForgotten(topic: string): Promise<void> {
    await until(() => !node.topicsOf(relay.nodeId).has(topic), `a list without ${topic}`);
  }
});

const hex = (bytes: Buffer) => bytes.toString('hex');

function comparable({ protocolId, packetType, data }: P2PFrame): object {
  return { protocolId, packetType, data: data.toString('hex') };
}
