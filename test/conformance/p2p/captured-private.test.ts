/**
 * The captured private-topic scenarios between two real nodes, with a relay in the place of one of them: lists, challenges, signatures
 * and messages. Compared are all bytes but the P2P number of what the relay asks, which is its own.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { type CapturedP2PFrame, capturedP2P } from '../../helpers/p2p/p2p-captures.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { parseTopicList } from '../../helpers/p2p/p2p-wire.js';
import { type P2PRelay, startP2PRelay } from '../../helpers/p2p/relays.js';
import { PrivateSender } from '../../helpers/private.js';
import { decodeFrame, encodeFrame, parseAmopBody, TYPE } from '../../helpers/wire.js';

const frames = capturedP2P('rc2');
const captured = (name: string): CapturedP2PFrame => {
  const frame = frames.find((one) => one.name === name);
  if (frame === undefined) throw new Error(`no captured frame ${name}`);
  return frame;
};
const list17 = captured('topic-17-node1-send-topics');
const list21 = captured('topic-21-node1-send-topics');
/** What node 0 asked and what node 1 answered, by scenario. */
const good = [
  ['amop-30-private-01-node0-request', 'amop-30-private-02-node1-response'],
  ['amop-30-private-03-node0-request', 'amop-30-private-04-node1-response'],
] as const;
const goodMulticast = 'amop-30-private-05-node0-multicast';
const bad = ['amop-31-private-failed-01-node0-request', 'amop-31-private-failed-02-node1-response'] as const;

const hex = (bytes: Buffer): string => bytes.toString('hex');
/** The bytes with the number of another frame; an RC2 header has it at 12. */
function numberedAs(bytes: Buffer, other: Buffer): string {
  const copy = Buffer.from(bytes);
  other.copy(copy, 12, 12, 16);
  return hex(copy);
}

async function startPair(): Promise<{ node: LegacyPeer; relay: P2PRelay }> {
  const pki = await P2PPki.create();
  onTestFinished(() => pki.remove());
  const node = await LegacyPeer.start({ credentials: pki.node('node'), announceIntervalMs: 200 });
  onTestFinished(() => node.stop());
  const relay = await startP2PRelay({ credentials: pki.node('relay'), dials: [node.port] });
  await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
  return { node, relay };
}

describe('the captured private scenarios', () => {
  it('are all here', () => {
    const names = frames.map(({ name }) => name).filter((name) => name.includes('private'));
    expect(names.sort()).toEqual([...good.flat(), goodMulticast, ...bad].sort());
  });

  it('with the relay in the place of node 1: its lists and answers are those of the node', async () => {
    const { node, relay } = await startPair();
    const subscriber = await relay.process.connect();
    // A relay counts changes like a node, so the numbers in the lists can be the captured ones.
    for (let number = 2; number < parseTopicList(list17.data).topicSeq; number++) {
      await subscriber.subscribe(...(number % 2 === 0 ? ['toggled'] : []));
      await node.waitForFrame(({ packetType, data }) => packetType === 1 && `${data}` === `${number}`, `${number}`);
    }

    await subscriber.subscribe(...parseTopicList(list17.data).topics);
    await expectList(node, list17);
    for (const [request, answer] of good) await expectAnswered(captured(request), captured(answer));
    const multicast = captured(goodMulticast);
    const seen = node.amopFrames.length;
    node.link(relay.nodeId).sendBytes(multicast.bytes);
    expect(hex((await subscriber.next('the multicast')).bytes)).toBe(hex(multicast.data));

    await subscriber.subscribe(...parseTopicList(list21.data).topics);
    await expectList(node, list21);
    expect(node.amopFrames.slice(seen), 'a multicast has no answer').toEqual([]);
    await expectAnswered(captured(bad[0]), captured(bad[1]));
    expect(subscriber.unread).toEqual([]);

    async function expectAnswered(request: CapturedP2PFrame, answer: CapturedP2PFrame): Promise<void> {
      const before = node.amopFrames.length;
      subscriber.answerer = () => decodeFrame(answer.data);
      node.link(relay.nodeId).sendBytes(request.bytes);
      expect(hex((await subscriber.next(request.name)).bytes), request.name).toBe(hex(request.data));
      await until(() => node.amopFrames.length > before, answer.name);
      expect(hex(node.amopFrames[before].bytes), answer.name).toBe(hex(answer.bytes));
    }
  });

  it('with the relay in the place of node 0: it asks and sends what the node did', async () => {
    const { node, relay } = await startPair();
    node.answerer = ({ seq }) => {
      const answer = frames.find(({ protocolId, data }) => protocolId === -1 && decodeFrame(data).seq === seq);
      return answer && decodeFrame(answer.data);
    };
    const names = parseTopicList(list21.data).topics.filter((topic) => topic.startsWith('#!$TopicNeedVerify_'));
    const [badTopic, goodTopic] = names;
    const sender = await PrivateSender.join(
      (onFrame) => relay.process.connect({ onFrame }),
      goodTopic.slice('#!$TopicNeedVerify_'.length),
    );
    sender.acts = false;
    const { client } = sender;

    node.subscribe(...parseTopicList(list17.data).topics);
    await expectForwarded(good[0][0], good[0][1], goodTopic);
    sender.report(sender.questions[0], 0);
    await expectForwarded(good[1][0], good[1][1]);
    await expectForwarded(goodMulticast, undefined);

    await client.subscribe(`#!$PushChannel_${goodTopic}`, `#!$PushChannel_${badTopic}`);
    node.subscribe(...parseTopicList(list21.data).topics);
    await expectForwarded(bad[0], bad[1], badTopic);
    sender.report(sender.questions[1], 1);
    const before = node.amopFrames.length;
    expect((await client.request(badTopic, 'must fail')).result).toBe(100);
    await client.response(client.multicast(goodTopic, 'behind it'));
    await until(() => node.amopFrames.length > before, 'the next message');
    expect(node.amopFrames.slice(before).map(({ packetType }) => packetType)).toEqual([1]);
    expect(sender.questions).toHaveLength(2);

    /** `asked`: the private topic that the sender must be asked about first. */
    async function expectForwarded(requestName: string, answerName: string | undefined, asked?: string): Promise<void> {
      const request = captured(requestName);
      const { topic } = parseAmopBody(decodeFrame(request.data).body);
      if (asked !== undefined) {
        await until(() => sender.questions.some((question) => question.topic === asked), `0x37 about ${asked}`);
        expect(sender.questions.at(-1)).toMatchObject({ nodeId: node.nodeId, topic: asked, topicForCert: topic });
      }
      const seen = node.amopFrames.length;
      client.sendBytes(request.data);
      const received = await client.next(`the answer to ${requestName}`);
      const { seq, body } = decodeFrame(request.data);
      const expected = answerName === undefined ? encodeFrame(TYPE.response, seq, 0, body) : captured(answerName).data;
      expect(hex(received.bytes), requestName).toBe(hex(expected));
      await until(() => node.amopFrames.length > seen, requestName);
      const sent = node.amopFrames[seen];
      expect(numberedAs(sent.bytes, request.bytes), requestName).toBe(hex(request.bytes));
      expect([sent.compressed, sent.seq > 0]).toEqual([false, true]);
    }
  });
});

async function expectList(node: LegacyPeer, expected: CapturedP2PFrame): Promise<void> {
  const { topicSeq } = parseTopicList(expected.data);
  const list = await node.waitForFrame(
    ({ packetType, protocolId, data }) =>
      protocolId === -2 && packetType === 3 && parseTopicList(data).topicSeq === topicSeq,
    expected.name,
  );
  expect(numberedAs(list.bytes, expected.bytes), expected.name).toBe(hex(expected.bytes));
}
