/**
 * Private topics between a relay and the scripted 2.x node, which certifies by the reference's rules: the node is Node2 for senders
 * of the relay and Node1 for its own. Tests that need nothing special share one pair and differ in their topics.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { STATUS } from '../../helpers/p2p/legacy-certification.js';
import { LegacyPeer, type LegacyPeerOptions } from '../../helpers/p2p/legacy-peer.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { P2PRelay } from '../../helpers/p2p/relays.js';
import { challengeTopic, messageTopic, PrivateSender, PrivateSubscriber, pushTopic } from '../../helpers/private.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

class Pair {
  readonly pki: P2PPki;
  readonly node: LegacyPeer;
  readonly relay: P2PRelay;

  private constructor(pki: P2PPki, node: LegacyPeer, relay: P2PRelay) {
    this.pki = pki;
    this.node = node;
    this.relay = relay;
  }

  static async start(options: Partial<LegacyPeerOptions> = {}): Promise<Pair> {
    const pki = await P2PPki.create();
    const node = await LegacyPeer.start({ announceIntervalMs: 200, credentials: pki.node('node'), ...options });
    const relay = await P2PRelay.start(
      { credentials: pki.node('relay'), dials: [node.port] },
      { limits: { subscriber_timeout_ms: 500, peer_timeout_ms: 2_000 } },
    );
    await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
    return new Pair(pki, node, relay);
  }

  async stop(): Promise<void> {
    await this.node.stop();
    await this.relay.process.cleanUp();
    await this.pki.remove();
  }
}

/** A pair for one test. */
async function startPair(options: Partial<LegacyPeerOptions> = {}): Promise<Pair> {
  const pair = await Pair.start(options);
  onTestFinished(() => pair.stop());
  return pair;
}

let shared: Pair | undefined;
beforeAll(async () => {
  shared = await Pair.start();
});
afterAll(() => shared?.stop());

/** The shared pair, its node without topics and memories, and names that no other test has. */
let names = 0;
function freshTopic(pair: Pair | undefined = shared) {
  if (pair === undefined) throw new Error('the pair is not running');
  const { node, relay } = pair;
  node.certifier = () => {};
  node.answerer = () => undefined;
  for (const kept of [node.questions, node.unicasts, node.multicasts]) kept.length = 0;
  const name = `secret-${names++}`;
  const N = messageTopic(name);
  /** In the order of their bytes. */
  const [V1, V2, V3] = ['1', '2', '3'].map((digit) => challengeTopic(name, digit.repeat(32)));
  return {
    node,
    relay,
    N,
    V1,
    V2,
    V3,
    rename: () => challengeTopic(name),
    sender: (...words: string[]): Promise<PrivateSender> =>
      PrivateSender.join((onFrame) => relay.process.connect({ onFrame }), name, ...words),
    subscriber: async (word: string): Promise<PrivateSubscriber> =>
      PrivateSubscriber.join(await relay.process.connect(), name, word),
    /** What the subscribers of the node sign with, by challenge topic; they echo messages. */
    subscribersAtNode: (words: Readonly<Record<string, string>>): void => {
      node.subscribe(N, ...Object.keys(words));
      node.answerer = ({ body }) => {
        const { topic, payload } = parseAmopBody(body);
        return { body: amopBody(topic, topic === N ? `secret echo:${payload}` : `${words[topic]}:${payload}`) };
      };
    },
    /** The application of the node that sends on the topic, as SDKs do; knows who signs with one of these words. */
    senderAtNode: (...words: string[]): void => {
      node.certifier = async ({ nodeId, topic, topicForCert }) => {
        const payload = randomBytes(16).toString('hex');
        const answer = await node.unicast(topicForCert, payload);
        if (answer.result !== 0) return;
        const signature = `${parseAmopBody(answer.body).payload}`;
        node.updateTopicStatus(nodeId, topic, words.some((word) => signature === `${word}:${payload}`) ? 0 : 1);
      };
      node.subscribe(pushTopic(name));
    },
    push: pushTopic(name),
    atNode: (topic: string) => node.unicasts.filter(({ body }) => parseAmopBody(body).topic === topic),
    status: () => node.statusOf(relay.nodeId, N),
  };
}

describe('a sender of the relay and subscribers of the node', () => {
  it('are certified with the node’s own ID, and reach each other by unicast and multicast', async () => {
    const { node, N, V1, sender, subscribersAtNode } = freshTopic();
    const alice = await sender('right');
    subscribersAtNode({ [V1]: 'right' });
    const answer = await alice.untilServed('private hello');
    expect(answer.body).toEqual(amopBody(N, 'secret echo:private hello'));
    expect(alice.questions).toMatchObject([{ nodeId: node.nodeId, topic: N, topicForCert: V1 }]);
    expect(alice.results).toEqual([{ nodeId: node.nodeId, checkResult: 0 }]);
    const seq = alice.client.multicast(N, 'private multi');
    await until(() => node.multicasts.length === 1, 'the multicast at the node');
    expect(node.multicasts[0].bytes).toEqual(encodeFrame(TYPE.multicast, seq, 0, amopBody(N, 'private multi')));
    expect(node.faults).toEqual([]);
  });

  it('never reach one that signs with a wrong key, until it signs with the right one', async () => {
    const { node, N, V1, sender, subscribersAtNode, atNode } = freshTopic();
    const alice = await sender('right');
    subscribersAtNode({ [V1]: 'wrong' });
    await until(() => alice.results.length === 1, 'the failed certification');
    expect(alice.results[0].checkResult).toBe(1);
    expect((await alice.request('secret')).result).toBe(100);
    expect((await alice.client.response(alice.client.multicast(N, 'secret'))).result).toBe(100);
    await until(() => alice.results.length === 2, 'a second try after the back-off');
    expect(alice.questions[1].atMs - alice.questions[0].atMs).toBeGreaterThan(1_900);
    subscribersAtNode({ [V1]: 'right' });
    await alice.untilServed('at last', 10_000);
    expect([atNode(N).length, node.multicasts]).toEqual([1, []]);
  }, 20_000);

  it('are tried through each of the node’s challenge topics in turn, one question at a time', async () => {
    const { V1, V2, V3, sender, subscribersAtNode, atNode } = freshTopic();
    const alice = await sender('right');
    subscribersAtNode({ [V1]: 'wrong', [V2]: 'wrong too', [V3]: 'right' });
    await alice.untilServed('hello', 15_000);
    expect(alice.questions.map(({ topicForCert }) => topicForCert)).toEqual([V1, V2, V3]);
    expect(alice.results.map(({ checkResult }) => checkResult)).toEqual([1, 1, 0]);
    expect([V1, V2, V3].map((topic) => atNode(topic).length)).toEqual([1, 1, 1]);
  }, 20_000);

  it('are certified with the node as a whole, and apart for each sender of the relay', async () => {
    const { N, V1, V2, relay, sender, subscribersAtNode } = freshTopic();
    const [alice, dave] = [await sender('right'), await sender('another')];
    subscribersAtNode({ [V1]: 'right', [V2]: 'another' });
    await alice.untilServed();
    // The first challenge topic fails for Dave, the next one is tried.
    await dave.untilServed('hello', 10_000);
    expect(dave.results.map(({ checkResult }) => checkResult)).toEqual([1, 0]);
    const eve = await relay.process.connect();
    expect((await eve.request(N, 'x')).result).toBe(100);
  }, 20_000);

  it('are asked again when nobody of the node answers the challenge', async () => {
    const { node, N, V1, relay, sender, subscribersAtNode } = freshTopic(await startPair({ subscriberTimeoutMs: 300 }));
    const alice = await sender('right');
    node.subscribe(N, V1);
    // 104 of the node: the SDK of the sender says nothing.
    await until(() => alice.questions.length === 2, 'a second question');
    expect(alice.results).toEqual([]);
    const { text } = await relay.process.http('/metrics');
    expect(text).toMatch(/amop_private_certifications_total\{result="challenge-failed"\} [1-9]/);
    subscribersAtNode({ [V1]: 'right' });
    await alice.untilServed('hello', 10_000);
  }, 30_000);

  it('end when the node lists the topic no longer, and when it disconnects', async () => {
    const { node, V1, sender, subscribersAtNode } = freshTopic(await startPair());
    const alice = await sender('right');
    subscribersAtNode({ [V1]: 'right' });
    await alice.untilServed();
    node.subscribe();
    await until(async () => (await alice.request('x')).result === 100, 'the end');
    subscribersAtNode({ [V1]: 'right' });
    await alice.untilServed();
    await node.stop();
    await until(async () => (await alice.request('x')).result === 100, 'the end with the node');
  }, 30_000);

  it('are found within a tick of a node that tells of nothing sooner', async () => {
    const { node, V1, sender, subscribersAtNode } = freshTopic(await startPair({ announceIntervalMs: 5_000 }));
    const alice = await sender('right');
    await until(() => node.topicFrames.some(({ packetType }) => packetType === 1), 'the link to be in use');
    subscribersAtNode({ [V1]: 'right' });
    const startMs = performance.now();
    expect((await alice.request('too soon')).result, 'no list is pulled for a private name').toBe(100);
    await alice.untilServed('hello', 7_000);
    expect(performance.now() - startMs).toBeLessThan(6_500);
  }, 30_000);
});

describe('a sender of the node and subscribers of the relay', () => {
  it('are certified by the node’s rules, and reach each other by unicast and multicast', async () => {
    const { node, N, relay, subscriber, senderAtNode, status } = freshTopic();
    senderAtNode('right');
    const bob = await subscriber('right');
    await until(() => status() === STATUS.success, 'the certification');
    expect(node.questions).toMatchObject([{ nodeId: relay.nodeId, topic: N, topicForCert: bob.topics[1] }]);
    const answer = await node.unicast(N, 'private hello');
    expect([answer.result, answer.body]).toEqual([0, amopBody(N, 'secret echo:private hello')]);
    expect(node.multicast(N, 'private multi')).toBe(1);
    await until(() => bob.multicasts.length === 1, 'the multicast');
    expect([bob.messages, bob.multicasts]).toEqual([['private hello'], ['private multi']]);
    expect(node.faults).toEqual([]);
  });

  it('fail with a wrong key, which is final for the node until the name has left its list', async () => {
    const { node, N, relay, subscriber, senderAtNode, status } = freshTopic();
    senderAtNode('right');
    const bob = await subscriber('wrong');
    await until(() => status() === STATUS.failed, 'the failure');
    expect((await node.unicast(N, 'secret')).result).toBe(100);
    bob.word = 'right';
    await bob.client.subscribe();
    await until(() => !node.topicsOf(relay.nodeId).has(N), 'the name to go');
    await bob.client.subscribe(...bob.topics);
    await until(() => status() === STATUS.success, 'the certification');
    expect((await node.unicast(N, 'hello')).result).toBe(0);
  });

  it('leave out sessions that only know the name, though the node certifies the relay as a whole', async () => {
    const { node, N, relay, subscriber, senderAtNode, status } = freshTopic();
    senderAtNode('right');
    const eve = await relay.process.connect();
    eve.answerWithEcho();
    await eve.subscribe(N);
    const bob = await subscriber('right');
    await until(() => status() === STATUS.success, 'the certification');
    for (let n = 0; n < 10; n++) expect((await node.unicast(N, `${n}`)).result).toBe(0);
    node.multicast(N, 'to all');
    await until(() => bob.multicasts.length === 1, 'the multicast');
    await eve.barrier();
    expect([bob.messages.length, eve.received]).toEqual([10, []]);
    // Nobody is left who could be challenged. A node with an old list is told so; nobody else gets the message.
    await bob.client.close();
    const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(N, 'x'));
    node.link(relay.nodeId).send({ protocolId: 1, packetType: 0, seq: 900_003, data });
    const answer = await node.waitForFrame(({ seq }) => seq === 900_003, 'the answer');
    expect(answer.data.readInt32BE(38)).toBe(101);
    await eve.barrier();
    expect(eve.received).toEqual([]);
  });

  it('are found at the next tick of a node that pulls then, and certified they stay over a new challenge topic', async () => {
    const pair = await startPair({ announceIntervalMs: 5_000, pullsOnTick: true });
    const { node, N, relay, subscriber, senderAtNode, status, rename } = freshTopic(pair);
    senderAtNode('right');
    await until(() => node.topicFrames.some(({ packetType }) => packetType === 1), 'the link to be in use');
    const startMs = performance.now();
    const bob = await subscriber('right');
    await until(() => node.topicFrames.some(({ data }) => `${data}` === '2'), 'the announcement');
    const unasked = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(bob.topics[1], randomBytes(16).toString('hex')));
    node.link(relay.nodeId).send({ protocolId: 1, packetType: 0, seq: 900_001, data: unasked });
    const refused = await node.waitForFrame(({ seq }) => seq === 900_001, 'the answer');
    expect(refused.data.readInt32BE(38), 'a list that was not pulled gives no right to challenge').toBe(100);
    await until(() => status() === STATUS.success, 'the certification', 7_000);
    expect(performance.now() - startMs).toBeLessThan(6_500);
    await bob.client.subscribe(N, rename());
    expect((await node.unicast(N, 'hello')).result).toBe(0);
    expect(bob.challenges).toHaveLength(1);
  }, 30_000);

  it('are certified at last when the challenge topic is renamed between list and challenge', async () => {
    const { node, N, subscriber, senderAtNode, status, rename } = freshTopic(await startPair({ pullsOnTick: true }));
    const bob = await subscriber('right');
    senderAtNode('right');
    const certify = node.certifier;
    const results: number[] = [];
    node.certifier = async (question) => {
      if (results.length > 0) return certify(question);
      const renamed = bob.client.subscribe(N, rename());
      await renamed;
      results.push((await node.unicast(question.topicForCert, randomBytes(16).toString('hex'))).result);
    };
    await until(() => status() === STATUS.success, 'the certification', 12_000);
    expect([results, bob.challenges.length]).toEqual([[100], 1]);
    expect((await node.unicast(N, 'hello')).result).toBe(0);
  }, 30_000);
});

describe('senders and subscribers on both sides', () => {
  it('of one topic reach each other over one link, certified each by its own side', async () => {
    const { node, N, V1, push, sender, subscriber, subscribersAtNode, senderAtNode, status } = freshTopic();
    const alice = await sender('of the node');
    const bob = await subscriber('of the relay');
    subscribersAtNode({ [V1]: 'of the node' });
    senderAtNode('of the relay');
    node.subscribe(N, V1, push);
    await until(() => status() === STATUS.success, 'the node’s certification', 12_000);
    await until(() => alice.results.some(({ checkResult }) => checkResult === 0), 'the relay’s certification');
    expect((await alice.untilServed('to the node')).body).toEqual(amopBody(N, 'secret echo:to the node'));
    expect((await node.unicast(N, 'to the relay')).body).toEqual(amopBody(N, 'secret echo:to the relay'));
    expect(bob.messages, 'a word that Alice does not know').toEqual(['to the relay']);
    node.multicast(N, 'from the node');
    await until(() => bob.multicasts.length === 1, 'the multicast');
    await alice.client.response(alice.client.multicast(N, 'from the relay'));
    await until(() => node.multicasts.length === 1, 'the other multicast');
    expect(bob.multicasts, 'nothing of Alice').toEqual(['from the node']);
  }, 20_000);

  it('never reach from one node to another through the relay', async () => {
    const pair = await startPair();
    const { node, N, V1, relay, sender, subscribersAtNode } = freshTopic(pair);
    const other = await LegacyPeer.start({ announceIntervalMs: 200, credentials: pair.pki.node('other') });
    onTestFinished(() => other.stop());
    other.dial(relay.p2pPort);
    await relay.waitForPeers(2);
    subscribersAtNode({ [V1]: 'right' });
    const alice = await sender('right');
    await alice.untilServed();
    expect([...other.topicsOf(relay.nodeId)]).toEqual([]);
    const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(N, 'x'));
    other.link(relay.nodeId).send({ protocolId: 1, packetType: 0, seq: 900_002, data });
    const answer = await other.waitForFrame(({ seq }) => seq === 900_002, 'the answer');
    expect(answer.data.readInt32BE(38)).toBe(101);
    expect(node.unicasts.filter(({ body }) => parseAmopBody(body).topic === N)).toHaveLength(1);
  }, 30_000);
});

describe('challenges and answers pass as they are', () => {
  /** Of one challenge topic each: a number that comes again on another one is refused. */
  const random = (): string => randomBytes(16).toString('hex');
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
  /** web3sdk has a topic header of its own in the payload. */
  const web3Block = (topic: string, json: object): Buffer => {
    const text = Buffer.from(JSON.stringify(json));
    return Buffer.concat([amopBody(topic), Buffer.of(text.length >> 8, text.length & 0xff), text]);
  };
  /** Signatures are vectors of the SDK specification, §8; nobody here checks what they are of. */
  const shapes: readonly (readonly [string, (N: string, V: string) => [Buffer, Buffer]])[] = [
    [
      'Java',
      () => [
        Buffer.from(random()),
        bytes(
          '2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d75d5090b8948122938748f1b995021818a1e824e2304963ab0c72d8228c77abb00',
        ),
      ],
    ],
    [
      'Go',
      () => [
        bytes(`02${random()}`),
        bytes(
          '0b145cc1ccfd01ea5b13b101fc3bc4fea2a4213669820760ba8144c26b82405a65287dbd23d9ac8a45b033aab96652e19e3735c42d869ee363a5fb6646b4745001',
        ),
      ],
    ],
    [
      'web3sdk',
      (N, V) => [
        web3Block(V, { randValue: random(), topic: N }),
        web3Block(V, {
          signature: 'MEYCIQCDPucCkFKXNYROlmXTHscQL/+6Q+XMGjLEvIzhMou34QIhAOKt282mBUmFXR8YJHlJkN0ADFi6D3eqr5U9MA9eJbWw',
        }),
      ],
    ],
  ];
  const hex = ({ bytes: frame }: { readonly bytes: Buffer }): string => frame.toString('hex');
  const frameOf = (type: number, seq: string, topic: string, payload: Buffer): string =>
    encodeFrame(type, seq, 0, amopBody(topic, payload)).toString('hex');

  it.each(shapes)('%s: from an application of the relay to one of the node', async (_sdk, shapeOf) => {
    const { node, N, V1, sender } = freshTopic();
    const [challenge, signature] = shapeOf(N, V1);
    const alice = await sender();
    alice.acts = false;
    node.subscribe(N, V1);
    node.answerer = () => ({ body: amopBody(V1, signature) });
    await until(() => alice.questions.length === 1, 'the question');
    alice.acknowledge(alice.questions[0]);
    const seq = alice.client.unicast(V1, challenge);
    const answer = await alice.client.response(seq);
    expect(node.unicasts.map(hex)).toEqual([frameOf(TYPE.unicast, seq, V1, challenge)]);
    expect(hex(answer)).toBe(frameOf(TYPE.response, seq, V1, signature));
    alice.report(alice.questions[0], 0);
    expect((await alice.request('right behind it')).result).toBe(0);
  });

  it.each(shapes)('%s: from an application of the node to one of the relay', async (_sdk, shapeOf) => {
    const { node, N, V1, relay } = freshTopic();
    const [challenge, signature] = shapeOf(N, V1);
    const bob = await relay.process.subscriber([V1, N]);
    bob.answerer = () => ({ body: amopBody(V1, signature) });
    await node.waitForTopic(V1, relay.nodeId);
    const seq = newSeq();
    const answer = await node.forward(encodeFrame(TYPE.unicast, seq, 0, amopBody(V1, challenge)));
    expect(bob.framesOf(TYPE.unicast).map(hex)).toEqual([frameOf(TYPE.unicast, seq, V1, challenge)]);
    expect(hex(answer)).toBe(frameOf(TYPE.response, seq, V1, signature));
  });
});
