/**
 * Topics that a relay speaks for, towards the scripted 2.x node: its applications know nothing of the exchange, those of the node are
 * SDKs with keys. What passes the link has the form of what a real node and its SDKs sent (captures).
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { STATUS } from '../../helpers/p2p/legacy-certification.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { capturedP2P } from '../../helpers/p2p/p2p-captures.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import type { P2PFrame } from '../../helpers/p2p/p2p-wire.js';
import { P2PRelay } from '../../helpers/p2p/relays.js';
import { challengeTopic, messageTopic, PrivateSubscriber, pushTopic } from '../../helpers/private.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { agentToml, type SigningKey, SigningKeys } from '../../helpers/signing-keys.js';
import { amopBody, decodeFrame, encodeFrame, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const keys = new SigningKeys();
const [right, other] = [keys.make('right'), keys.make('other')];
const certifies = [other, right];

/** Topics on which the relay certifies, and on which it answers; a test has its own. */
const SENT = [
  'sent',
  'sent-form',
  'sent-wrong',
  'sent-outside',
  'sent-silent',
  'sent-two-a',
  'sent-two-b',
  'sent-ends',
];
const RECEIVED = ['received', 'received-form', 'received-outside', 'received-two-a', 'received-two-b', 'received-go'];

interface Pair {
  readonly pki: P2PPki;
  readonly node: LegacyPeer;
  readonly relay: P2PRelay;
}

let pair: Pair | undefined;
beforeAll(async () => {
  const pki = await P2PPki.create();
  const node = await LegacyPeer.start({
    announceIntervalMs: 200,
    subscriberTimeoutMs: 300,
    credentials: pki.node('node'),
  });
  const extraToml = [
    ...SENT.map((name) => agentToml(name, { certifies })),
    ...RECEIVED.map((name) => agentToml(name, { answers: right })),
    agentToml('received-wrong', { answers: other }),
    agentToml('both', { certifies: [right], answers: right }),
  ].join('\n');
  const relay = await P2PRelay.start(
    { credentials: pki.node('relay'), dials: [node.port], extraToml },
    { limits: { subscriber_timeout_ms: 500, peer_timeout_ms: 2_000 } },
  );
  pair = { pki, node, relay };
  await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
});
afterAll(async () => {
  await pair?.node.stop();
  await pair?.relay.process.cleanUp();
  await pair?.pki.remove();
  keys.remove();
});

/** The pair with a node that has no topics and no memories. */
function fresh(): Pair {
  if (pair === undefined) throw new Error('the pair is not running');
  const { node } = pair;
  node.subscribe();
  node.certifier = () => {};
  node.answerer = () => undefined;
  for (const kept of [node.questions, node.unicasts, node.multicasts, node.frames]) kept.length = 0;
  return pair;
}

const challengesAt = (node: LegacyPeer) =>
  node.unicasts.map(({ body }) => parseAmopBody(body)).filter(({ topic }) => topic.startsWith('#!$VerifyChannel_'));

/** Receivers of the node: SDKs that hold these keys, by plain name; undefined is one that is silent. They echo messages. */
function receiversAtNode(node: LegacyPeer, holders: Readonly<Record<string, SigningKey | undefined>>): void {
  node.subscribe(...Object.keys(holders).flatMap((name) => [messageTopic(name), V(name)]));
  node.answerer = ({ body }) => {
    const { topic, payload } = parseAmopBody(body);
    if (!topic.startsWith('#!$VerifyChannel_')) return { body: amopBody(topic, `echo:${payload}`) };
    const holder = Object.entries(holders).find(([name]) => topic === V(name))?.[1];
    return holder && { body: amopBody(topic, holder.sign(payload)) };
  };
}
const V = (name: string): string => challengeTopic(name, '1'.repeat(32));

/** A sender of the node: challenges as an SDK does that has these public keys. */
function senderAtNode(
  node: LegacyPeer,
  publicKeys: readonly SigningKey[],
  random: () => Uint8Array = javaRandom,
): void {
  node.certifier = async ({ nodeId, topic, topicForCert }) => {
    const challenge = random();
    const { result, body } = await node.forward(
      encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(topicForCert, challenge)),
    );
    if (result !== 0) return;
    const { payload } = parseAmopBody(body);
    node.updateTopicStatus(nodeId, topic, publicKeys.some((key) => key.hasSigned(challenge, payload)) ? 0 : 1);
  };
}
const javaRandom = (): Uint8Array => Buffer.from(randomBytes(16).toString('hex'));

const served = (client: RawClient, name: string, payload = 'hello') =>
  until(
    async () => {
      const answer = await client.request(messageTopic(name), payload);
      return answer.result === 0 && answer;
    },
    `an answer on ${name}`,
    10_000,
  );

/** A frame of the link without the values in it: two frames with one shape differ in nothing that a node looks at. */
function shapeOf({ protocolId, packetType, seq, compressed, data, bytes }: P2PFrame, name: string) {
  const { type, seq: channelSeq, result, body } = decodeFrame(data);
  const { topic, payload } = parseAmopBody(body);
  const random = /^[0-9a-f]{32}$/;
  return {
    protocolId,
    packetType,
    isNumbered: seq > 0,
    compressed,
    version: bytes.readUInt16BE(4),
    isWhole: bytes.readUInt32BE(0) === bytes.length && data.readUInt32BE(0) === data.length,
    type,
    seq: random.test(channelSeq),
    result,
    topic: topic.replace(name, 'NAME').replace(/[0-9a-f]{32}$/, 'ID'),
    payload: random.test(`${payload}`) ? 'random' : payload.length === 65 && payload[64] < 2 ? 'signature' : 'message',
  };
}
const capturedShape = (name: string) => {
  const frame = capturedP2P('rc2').find((one) => one.name === `amop-30-private-${name}`);
  if (frame === undefined) throw new Error(`no capture ${name}`);
  return shapeOf(frame, 'privTopic');
};
/** What the relay sent over the link, of one type and topic. */
function sentShape(node: LegacyPeer, type: number, topic: string, name: string) {
  const frame = node.amopFrames.find(({ data }) => {
    const decoded = decodeFrame(data);
    return decoded.type === type && decoded.body.length > 0 && parseAmopBody(decoded.body).topic === topic;
  });
  if (frame === undefined) throw new Error(`nothing of type ${type} on ${topic}`);
  return shapeOf(frame, name);
}

describe('an application of the relay that only sends, and receivers of the node', () => {
  it('reach each other by unicast and multicast once the relay has certified the node', async () => {
    const { node, relay } = fresh();
    const alice = await relay.process.connect();
    receiversAtNode(node, { sent: right });
    expect((await served(alice, 'sent', 'private hello')).body).toEqual(
      amopBody(messageTopic('sent'), 'echo:private hello'),
    );
    const seq = alice.multicast(messageTopic('sent'), 'private multi');
    expect((await alice.response(seq)).result).toBe(0);
    await until(() => node.multicasts.length === 1, 'the multicast');
    expect(node.multicasts[0].bytes).toEqual(
      encodeFrame(TYPE.multicast, seq, 0, amopBody(messageTopic('sent'), 'private multi')),
    );
    expect(challengesAt(node)).toHaveLength(1);
    expect([alice.received.every(({ type }) => type === TYPE.response), node.faults]).toEqual([true, []]);
  });

  it('are sent what a real node sends: the challenge, the message and the multicast', async () => {
    const { node, relay } = fresh();
    const name = 'sent-form';
    const alice = await relay.process.connect();
    receiversAtNode(node, { [name]: right });
    await served(alice, name, 'private hello');
    alice.multicast(messageTopic(name), 'private multi');
    await until(() => node.multicasts.length === 1, 'the multicast');
    const sent = (type: number, topic: string) => sentShape(node, type, topic, name);
    expect(sent(TYPE.unicast, V(name))).toEqual(capturedShape('01-node0-request'));
    expect(sent(TYPE.unicast, messageTopic(name))).toEqual(capturedShape('03-node0-request'));
    expect(sent(TYPE.multicast, messageTopic(name))).toEqual(capturedShape('05-node0-multicast'));
  });

  it('are never certified by a wrong signature, and by the right one when it comes', async () => {
    const { node, relay } = fresh();
    const name = 'sent-wrong';
    const N = messageTopic(name);
    const wrong = keys.make('wrong');
    const alice = await relay.process.connect();
    receiversAtNode(node, { [name]: wrong });
    await until(() => challengesAt(node).length === 2, 'a second challenge, after the back-off', 10_000);
    expect(challengesAt(node)[0].payload).not.toEqual(challengesAt(node)[1].payload);
    expect((await alice.request(N, 'secret')).result).toBe(100);
    expect((await alice.response(alice.multicast(N, 'secret'))).result).toBe(100);
    expect(await pairsOf(relay, name)).toMatchObject([{ state: 'failed', failure: 'refused', sender: 'this relay' }]);
    receiversAtNode(node, { [name]: right });
    await served(alice, name);
    expect(node.unicasts.filter(({ body }) => parseAmopBody(body).topic === N)).toHaveLength(1);
    expect(node.multicasts).toEqual([]);
  }, 30_000);

  it('are certified at last when the first challenge was not answered', async () => {
    const { node, relay } = fresh();
    const name = 'sent-silent';
    const alice = await relay.process.connect();
    receiversAtNode(node, { [name]: undefined });
    // The node says 104 for its silent subscriber.
    await until(async () => (await pairsOf(relay, name))[0]?.failure === 'challenge-failed', 'the failure');
    receiversAtNode(node, { [name]: right });
    await served(alice, name);
    expect(await pairsOf(relay, name)).toMatchObject([{ state: 'certified' }]);
  }, 30_000);

  it('are certified on each topic by itself', async () => {
    const { node, relay } = fresh();
    const alice = await relay.process.connect();
    receiversAtNode(node, { 'sent-two-a': right, 'sent-two-b': keys.make('nobody') });
    await served(alice, 'sent-two-a');
    await until(async () => (await pairsOf(relay, 'sent-two-b'))[0]?.failure === 'refused', 'the other verdict');
    expect((await alice.request(messageTopic('sent-two-b'), 'x')).result).toBe(100);
    expect((await alice.request(messageTopic('sent-two-a'), 'x')).result).toBe(0);
  });

  it('stay out of reach of a session that the configuration does not name', async () => {
    const { node, relay } = fresh();
    const name = 'sent-outside';
    const N = messageTopic(name);
    const mallory = await relay.process.connect({ credentials: relay.process.pki.sdkB.secp256k1 });
    const alice = await relay.process.connect();
    receiversAtNode(node, { [name]: right });
    await served(alice, name);
    expect((await mallory.request(N, 'secret')).result).toBe(100);
    expect((await mallory.response(mallory.multicast(N, 'secret'))).result).toBe(100);
    await alice.response(alice.multicast(N, 'to all'));
    await until(() => node.multicasts.length === 1, 'the multicast');
    expect(node.multicasts.map(({ body }) => `${parseAmopBody(body).payload}`)).toEqual(['to all']);
    const messages = node.unicasts.map(({ body }) => parseAmopBody(body)).filter(({ topic }) => topic === N);
    expect(messages.map(({ payload }) => `${payload}`)).toEqual(['hello']);
  });

  it('part when the node lists the topic no longer', async () => {
    const { node, relay } = fresh();
    const name = 'sent-ends';
    const alice = await relay.process.connect();
    receiversAtNode(node, { [name]: right });
    await served(alice, name);
    node.subscribe();
    await until(async () => (await alice.request(messageTopic(name), 'x')).result === 100, 'the end');
    expect(await pairsOf(relay, name)).toEqual([]);
  });
});

describe('a sender of the node, and an application of the relay that only subscribes', () => {
  it('reach each other by unicast and multicast once the node has certified the relay', async () => {
    const { node, relay } = fresh();
    const N = messageTopic('received');
    node.subscribe(pushTopic('received'));
    senderAtNode(node, [right]);
    const bob = await plainReceiver(relay, 'received');
    await until(() => node.statusOf(relay.nodeId, N) === STATUS.success, 'the certification');
    const { result, body } = await node.unicast(N, 'private hello');
    expect([result, body]).toEqual([0, amopBody(N, 'echo:private hello')]);
    expect(node.multicast(N, 'private multi')).toBe(1);
    await until(() => bob.framesOf(TYPE.multicast).length === 1, 'the multicast');
    expect(topicsOf(bob), 'and nothing of the exchange').toEqual([N, N]);
    const [listed] = [...node.topicsOf(relay.nodeId)].filter((topic) => topic.includes('VerifyChannel'));
    expect(listed).toMatch(/^#!\$VerifyChannel_#!\$TopicNeedVerify_received_[0-9a-f]{32}$/);
    expect(node.questions).toMatchObject([{ nodeId: relay.nodeId, topic: N, topicForCert: listed }]);
    expect(node.faults).toEqual([]);
    await bob.subscribe('public');
    await until(() => node.topicsOf(relay.nodeId).size === 1, 'both names to leave the list');
    await bob.close();
  });

  it('are answered with what a real node answers: the signature of an SDK', async () => {
    const { node, relay } = fresh();
    const name = 'received-form';
    node.subscribe(pushTopic(name));
    senderAtNode(node, [right]);
    const bob = await plainReceiver(relay, name);
    await until(() => node.statusOf(relay.nodeId, messageTopic(name)) === STATUS.success, 'the certification');
    const [{ topicForCert }] = node.questions;
    expect(sentShape(node, TYPE.response, topicForCert, name)).toEqual(capturedShape('02-node1-response'));
    await node.unicast(messageTopic(name), 'private hello');
    expect(sentShape(node, TYPE.response, messageTopic(name), name)).toEqual(capturedShape('04-node1-response'));
    await bob.close();
  });

  it('are certified with the challenge of a Go SDK as well', async () => {
    const { node, relay } = fresh();
    const name = 'received-go';
    node.subscribe(pushTopic(name));
    senderAtNode(node, [right], () => randomBytes(16));
    const bob = await plainReceiver(relay, name);
    await until(() => node.statusOf(relay.nodeId, messageTopic(name)) === STATUS.success, 'the certification');
    expect((await node.unicast(messageTopic(name), 'x')).result).toBe(0);
    await bob.close();
  });

  it('are not certified by the key of somebody else', async () => {
    const { node, relay } = fresh();
    const name = 'received-wrong';
    node.subscribe(pushTopic(name));
    senderAtNode(node, [right]);
    const bob = await plainReceiver(relay, name);
    await until(() => node.statusOf(relay.nodeId, messageTopic(name)) === STATUS.failed, 'the failure');
    expect((await node.unicast(messageTopic(name), 'secret')).result).toBe(100);
    expect(node.multicast(messageTopic(name), 'secret')).toBe(0);
    await bob.barrier();
    expect(topicsOf(bob)).toEqual([]);
    await bob.close();
  });

  it('leave out a session that the configuration does not name, beside another and alone', async () => {
    const { node, relay } = fresh();
    const name = 'received-outside';
    const N = messageTopic(name);
    node.subscribe(pushTopic(name));
    senderAtNode(node, [right]);
    const eve = await plainReceiver(relay, name, { credentials: relay.process.pki.sdkB.secp256k1 });
    const bob = await plainReceiver(relay, name);
    await until(() => node.statusOf(relay.nodeId, N) === STATUS.success, 'the certification');
    for (let n = 0; n < 10; n++) expect((await node.unicast(N, `${n}`)).result).toBe(0);
    node.multicast(N, 'to all');
    await until(() => bob.framesOf(TYPE.multicast).length === 1, 'the multicast');
    await bob.close();
    await until(() => !node.topicsOf(relay.nodeId).has(N), 'the name to leave the list');
    // A node that has not heard of it yet.
    const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(N, 'late'));
    node.link(relay.nodeId).send({ protocolId: 1, packetType: 0, seq: 900_001, data });
    const refused = await node.waitForFrame(({ seq }) => seq === 900_001, 'the answer');
    expect(refused.data.readInt32BE(38)).toBe(101);
    await eve.barrier();
    expect(topicsOf(eve)).toEqual([]);
    await eve.close();
  });

  it('are certified on each topic by itself, and by the key of an SDK beside them', async () => {
    const { node, relay } = fresh();
    const names = ['received-two-a', 'received-two-b'];
    node.subscribe(...names.map(pushTopic));
    senderAtNode(node, [right]);
    const bob = await relay.process.connect();
    bob.answerWithEcho();
    await bob.subscribe(...names.map(messageTopic));
    for (const name of names) {
      await until(() => node.statusOf(relay.nodeId, messageTopic(name)) === STATUS.success, `${name} to be certified`);
      expect((await node.unicast(messageTopic(name), 'x')).result).toBe(0);
    }
    expect(new Set(node.questions.map(({ topicForCert }) => topicForCert)).size).toBe(2);
    const carol = await PrivateSubscriber.join(await relay.process.connect(), names[0], 'a word');
    node.multicast(messageTopic(names[0]), 'to all');
    await until(() => carol.multicasts.length === 1, 'the multicast');
    expect([carol.challenges, topicsOf(bob).length], 'the node certifies the relay as a whole').toEqual([[], 3]);
    for (const client of [bob, carol.client]) await client.close();
  });
});

it('an application with both keys sends to the node and receives from it', async () => {
  const { node, relay } = fresh();
  const N = messageTopic('both');
  const bob = await plainReceiver(relay, 'both');
  senderAtNode(node, [right]);
  receiversAtNode(node, { both: right });
  node.subscribe(N, V('both'), pushTopic('both'));
  await until(() => node.statusOf(relay.nodeId, N) === STATUS.success, 'the node’s certification');
  expect((await node.unicast(N, 'in')).body).toEqual(amopBody(N, 'echo:in'));
  expect((await served(bob, 'both', 'out')).body).toEqual(amopBody(N, 'echo:out'));
  expect(topicsOf(bob)).toEqual([N]);
  await bob.close();
}, 20_000);

async function plainReceiver(relay: P2PRelay, name: string, options = {}): Promise<RawClient> {
  const client = await relay.process.connect(options);
  client.answerWithEcho();
  await client.subscribe(messageTopic(name));
  return client;
}

/** Topics of the unicasts and multicasts that came to a client. */
const topicsOf = (client: RawClient): string[] =>
  client.received
    .filter(({ type }) => type === TYPE.unicast || type === TYPE.multicast)
    .map(({ body }) => parseAmopBody(body).topic);

async function pairsOf({ process }: P2PRelay, name: string): Promise<Record<string, unknown>[]> {
  const { pairs } = JSON.parse((await process.http('/private')).text) as { pairs: Record<string, unknown>[] };
  return pairs.filter(({ topic }) => topic === name);
}
