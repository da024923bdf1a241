/** A relay beside the scripted 2.x node: messages in both directions, gossip, disconnects, duplicate dials. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { LegacyPeer, type LegacyPeerOptions } from '../../helpers/p2p/legacy-peer.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { type P2PConfig, type P2PRelay, startP2PRelay } from '../../helpers/p2p/relays.js';
import { TcpProxy } from '../../helpers/p2p/tcp-proxy.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const ANNOUNCE_INTERVAL_MS = 5_000;

interface Pair {
  readonly pki: P2PPki;
  readonly node: LegacyPeer;
  readonly relay: P2PRelay;
}

interface PairOptions {
  readonly node?: Partial<LegacyPeerOptions>;
  readonly relay?: Partial<P2PConfig>;
  readonly limits?: Readonly<Record<string, number>>;
  /** Who dials. */
  readonly dialler?: 'relay' | 'node';
}

async function startPair(options: PairOptions = {}): Promise<Pair> {
  const pki = await P2PPki.create();
  onTestFinished(() => pki.remove());
  const node = await startNode(pki, options.node);
  const dials = options.dialler === 'node' ? [] : [node.port];
  const relay = await startP2PRelay(
    { credentials: pki.node('relay'), dials, ...options.relay },
    { limits: { subscriber_timeout_ms: 500, ...options.limits } },
  );
  if (options.dialler === 'node') node.dial(relay.p2pPort);
  await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
  return { pki, node, relay };
}

/** A list younger than 100 ms is believed without a pull, so a miss needs an older one; nothing else tells its age. */
function listGrowsOld(): Promise<void> {
  return passTime(250);
}

async function startNode(pki: P2PPki, options: Partial<LegacyPeerOptions> = {}): Promise<LegacyPeer> {
  const node = await LegacyPeer.start({
    announceIntervalMs: ANNOUNCE_INTERVAL_MS,
    redialIntervalMs: 300,
    credentials: pki.node('node'),
    ...options,
  });
  onTestFinished(() => node.stop());
  return node;
}

describe.each([
  ['rc2', '2.11.0', 'relay'],
  ['rc2', '2.11.0', 'node'],
  ['rc1', '2.0.0-rc1', 'relay'],
  ['rc1', '2.0.0-rc1', 'node'],
] as const)('%s (%s), dialled by the %s', (format, supportedVersion, dialler) => {
  const start = () => startPair({ node: { format }, relay: { supportedVersion }, dialler });

  it('carries unicasts and multicasts in both directions', async () => {
    const { node, relay } = await start();
    node.subscribe('at-the-node');
    node.answerWithEcho();
    const application = await relay.process.subscriber(['at-the-relay']);
    application.answerWithEcho();
    await node.waitForTopic('at-the-relay', relay.nodeId, 1_000);

    const answer = await application.request('at-the-node', 'ping');
    expect([answer.result, `${parseAmopBody(answer.body).payload}`]).toEqual([0, 'echo:ping']);
    const answerAtNode = await node.unicast('at-the-relay', 'pong');
    expect([answerAtNode.result, `${parseAmopBody(answerAtNode.body).payload}`]).toEqual([0, 'echo:pong']);

    const seq = application.multicast('at-the-node', 'to the node');
    expect((await application.response(seq)).body).toEqual(amopBody('at-the-node', 'to the node'));
    await until(() => node.multicasts.length === 1, 'the multicast at the node');
    expect(node.multicasts[0].bytes).toEqual(
      encodeFrame(TYPE.multicast, seq, 0, amopBody('at-the-node', 'to the node')),
    );
    expect(node.multicast('at-the-relay', 'to the relay')).toBe(1);
    const copy = await application.waitFor(({ type }) => type === TYPE.multicast, 'the multicast');
    expect(copy.body).toEqual(amopBody('at-the-relay', 'to the relay'));
    expect(node.faults).toEqual([]);
  });

  it('carries 200 KB there and back', async () => {
    const { node, relay } = await start();
    node.subscribe('large');
    node.answerer = ({ body }) => ({ body });
    const application = await relay.process.subscriber(['large-too']);
    application.answerer = ({ body }) => ({ body });
    const payload = Buffer.alloc(200_000, 'compressible ');
    expect((await application.request('large', payload)).body.equals(amopBody('large', payload))).toBe(true);
    await node.waitForTopic('large-too', relay.nodeId);
    expect((await node.unicast('large-too', payload)).body.equals(amopBody('large-too', payload))).toBe(true);
  });
});

describe('gossip with a node', () => {
  it('pulls from the node when it does not know a topic, before it answers 100', async () => {
    const { node, relay } = await startPair();
    node.answerWithEcho();
    const application = await relay.process.connect();
    expect((await application.request('new')).result).toBe(100);
    for (const topic of ['new', 'newer', 'newest']) {
      await listGrowsOld();
      node.subscribe(topic); // and nothing is announced for seconds
      const startMs = performance.now();
      const answer = await application.request(topic, 'at once');
      expect(answer.result, topic).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(1_000);
    }
  });

  it('delivers a multicast to a subscriber of the node that it did not know', async () => {
    const { node, relay } = await startPair();
    const application = await relay.process.connect();
    await application.barrier();
    await listGrowsOld();
    node.subscribe('news');
    await application.response(application.multicast('news', 'first'));
    await until(() => node.multicasts.length === 1, 'the multicast at the node');
  });

  it('pulls at most 5 times a second, however many requests miss, and answers each with 100', async () => {
    const { node, relay } = await startPair();
    const application = await relay.process.connect();
    const before = node.topicFrames.length;
    const startMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => application.request(`nobody-${n}`)));
    const seconds = (performance.now() - startMs) / 1_000;
    expect(answers.filter(({ result, body }) => result !== 100 || body.length > 0)).toEqual([]);
    const pulls = node.topicFrames.slice(before).filter(({ packetType }) => packetType === 2).length;
    expect(pulls).toBeGreaterThan(0);
    expect(pulls).toBeLessThanOrEqual(Math.ceil(5 * (seconds + 1)));
  });

  it('answers 100 in bounded time when the node does not answer a pull', async () => {
    const pki = await P2PPki.create();
    onTestFinished(() => pki.remove());
    const node = await startNode(pki);
    const proxy = await TcpProxy.start(node.port);
    onTestFinished(() => proxy.stop());
    const relay = await startP2PRelay({ credentials: pki.node('relay'), dials: [proxy.port] });
    await relay.waitForPeers(1);
    const application = await relay.process.connect();
    await listGrowsOld();
    proxy.freeze();
    const startMs = performance.now();
    expect((await application.request('nobody')).result).toBe(100);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    proxy.thaw();
  });

  it('announces at once when its topics change, and every 5 s', async () => {
    const { node, relay } = await startPair();
    const announcements = () => node.topicFrames.filter(({ packetType }) => packetType === 1);
    const atMs = performance.now();
    const application = await relay.process.subscriber(['soon']);
    await node.waitForTopic('soon', relay.nodeId, 1_000);
    const change = announcements().find((frame) => frame.atMs > atMs)!;
    expect(change.atMs - atMs).toBeLessThan(500);
    await application.close();
    await until(() => !node.topicsOf(relay.nodeId).has('soon'), 'the topic to go', 1_000);
    const quiet = announcements().length;
    await until(() => announcements().length >= quiet + 2, 'two announcements without a change', 13_000);
    const [, first, second] = announcements().slice(quiet - 1);
    expect(second.atMs - first.atMs).toBeGreaterThan(4_000);
    expect(second.atMs - first.atMs).toBeLessThan(6_500);
    expect(`${second.data}`, 'the same number while nothing changes').toBe(`${first.data}`);
  }, 25_000);

  it('announces topics that were there before the node came, never with number 0', async () => {
    const pki = await P2PPki.create();
    onTestFinished(() => pki.remove());
    const relay = await startP2PRelay({ credentials: pki.node('relay') });
    const application = await relay.process.subscriber(['early']);
    application.answerWithEcho();
    const node = await startNode(pki);
    node.dial(relay.p2pPort);
    await node.waitForTopic('early', relay.nodeId, 2_000);
    expect((await node.unicast('early')).result).toBe(0);
    for (const { packetType, data } of node.topicFrames) {
      if (packetType !== 2) expect(Number.parseInt(`${data}`, 10)).toBeGreaterThan(0);
    }
  });

  it('learns from a node that announces a number it had before a restart of the relay’s link', async () => {
    const { node, relay } = await startPair({ node: { topicSeq: 7 } });
    node.subscribe('t');
    node.answerWithEcho();
    node.announce();
    const application = await relay.process.connect();
    // The empty list that came with the link may be younger than 100 ms, and answers then.
    await until(async () => (await application.request('t')).result === 0, 'the route', 2_000);
    node.link(relay.nodeId).destroy();
    await node.waitForPeer(relay.nodeId);
    await until(async () => (await application.request('t')).result === 0, 'the route to be back', 2_000);
  });

  it('does not list private topics and block notifications of its sessions', async () => {
    const { node, relay } = await startPair();
    await relay.process.subscriber([
      '_block_notify_1',
      '#!$TopicNeedVerify_p',
      '#!$PushChannel_#!$TopicNeedVerify_p',
      'z',
    ]);
    await node.waitForTopic('z', relay.nodeId);
    expect([...node.topicsOf(relay.nodeId)]).toEqual(['z']);
  });

  it('shows the node and its topics in getPeers, as SDKs of publishers look for them', async () => {
    const { node, relay } = await startPair();
    node.subscribe('listed');
    node.announce();
    const application = await relay.process.connect();
    const peers = await until(async () => {
      const list = (await application.rpc('getPeers', [1])).result as { NodeID: string; Topic: string[] }[];
      return list.find(({ NodeID, Topic }) => NodeID === node.nodeId && Topic.includes('listed'));
    }, 'the node with its topic in getPeers');
    expect(Object.keys(peers).sort()).toEqual(['Agency', 'IPAndPort', 'Node', 'NodeID', 'Topic']);
    expect(peers).toMatchObject({ Agency: 'agencyA', Node: 'node' });
  });
});

describe('codes of a node', () => {
  it('passes 104 on, as it came, when the node is the only choice', async () => {
    const { node, relay } = await startPair();
    node.subscribe('stale');
    node.announce();
    const application = await relay.process.connect();
    node.answerer = ({ body }) => ({ body });
    expect((await application.request('stale')).result).toBe(0);
    node.subscribe(); // not announced
    const answer = await application.request('stale', 'x');
    expect(answer.result).toBe(104);
    expect(answer.body).toEqual(amopBody('stale', 'x'));
  });

  it('tries its own subscriber when the node says 104', async () => {
    const { node, relay } = await startPair();
    node.subscribe('both');
    node.announce();
    const application = await relay.process.connect();
    node.answerer = ({ body }) => ({ body });
    expect((await application.request('both')).result).toBe(0);
    const own = await relay.process.subscriber(['both']);
    own.answerWithEcho();
    node.subscribe();
    for (let n = 0; n < 6; n++) expect((await application.request('both')).result).toBe(0);
  });

  it.each([[0], [7], [-1], [2_147_483_647]])('passes a result of %i on', async (result) => {
    const { node, relay } = await startPair();
    node.subscribe('t');
    node.answerer = () => ({ result, body: amopBody('t', 'own words') });
    const application = await relay.process.connect();
    await listGrowsOld();
    const answer = await application.request('t');
    expect([answer.result, answer.body]).toEqual([result, amopBody('t', 'own words')]);
  });

  it('answers 102 when the node is silent, and drops its late answer', async () => {
    const { node, relay } = await startPair({ node: { subscriberTimeoutMs: 1_000 }, limits: { peer_timeout_ms: 600 } });
    node.subscribe('silent');
    node.announce();
    const application = await relay.process.connect();
    const seq = application.unicast('silent', 'x');
    const answer = await application.response(seq);
    expect([answer.result, answer.body.length]).toEqual([102, 0]);
    await passTime(700);
    await application.barrier();
    expect(application.framesOf(TYPE.response)).toHaveLength(1);
  });

  it('answers 102 at once when the node disconnects with the request in its hands', async () => {
    const { node, relay } = await startPair();
    node.subscribe('hang-up');
    node.announce();
    node.answerer = () => {
      node.link(relay.nodeId).destroy();
      return undefined;
    };
    const application = await relay.process.connect();
    const startMs = performance.now();
    const answer = await application.request('hang-up');
    expect([answer.result, answer.body.length]).toEqual([102, 0]);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  it('tells the node 102 for a silent subscriber and for one that leaves', async () => {
    const { node, relay } = await startPair();
    const subscriber = await relay.process.subscriber(['quiet']);
    await node.waitForTopic('quiet', relay.nodeId);
    const silent = await node.unicast('quiet');
    expect([silent.result, silent.body.length]).toEqual([102, 0]);
    const gone = node.unicast('quiet');
    await subscriber.waitFor(() => subscriber.framesOf(TYPE.unicast).length === 2, 'the second request');
    subscriber.destroy();
    expect((await gone).result).toBe(102);
  });

  it('never sends a message of a node on to another node', async () => {
    const { pki, node, relay } = await startPair();
    const other = await startNode(pki, { credentials: pki.node('other') });
    other.dial(relay.p2pPort);
    await relay.waitForPeers(2);
    other.subscribe('far');
    other.answerWithEcho();
    other.announce();
    const application = await relay.process.connect();
    await until(async () => (await application.request('far')).result === 0, 'the route to the other node');
    const seen = other.amopFrames.length;
    // A real node would not send this, for the relay does not list the topic.
    const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('far', 'x'));
    node.link(relay.nodeId).send({ protocolId: 1, packetType: 0, seq: 900_002, data });
    await node.waitForFrame(({ seq }) => seq === 900_002, 'an answer');
    node.link(relay.nodeId).send({
      protocolId: 1,
      packetType: 1,
      seq: 900_003,
      data: encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('far', 'x')),
    });
    expect((await application.request('far')).result).toBe(0);
    expect(other.amopFrames).toHaveLength(seen + 1);
  });
});

describe('the link to a node', () => {
  it('is dialled again after every disconnect, and the routes are back', async () => {
    const { node, relay } = await startPair();
    node.subscribe('t');
    node.answerWithEcho();
    const application = await relay.process.connect();
    for (let round = 0; round < 5; round++) {
      node.link(relay.nodeId).destroy();
      await until(() => node.connected.length === 0, 'the disconnect');
      await until(async () => (await application.request('t')).result === 0, `the route in round ${round}`, 3_000);
      expect(node.connected).toEqual([relay.nodeId]);
    }
  }, 30_000);

  it('forgets the topics of a node that is gone, and finds it when it is back on its port', async () => {
    const { node, relay } = await startPair();
    node.subscribe('t');
    node.answerWithEcho();
    const application = await relay.process.connect();
    await until(async () => (await application.request('t')).result === 0, 'the route');
    const { port } = node;
    await node.stop();
    await relay.waitForPeers(0);
    expect((await application.request('t')).result).toBe(100);
    const again = await LegacyPeer.start({ credentials: node.credentials, port });
    onTestFinished(() => again.stop());
    again.subscribe('t');
    again.answerWithEcho();
    await until(async () => (await application.request('t')).result === 0, 'the route to be back', 4_000);
  });

  it('settles on one connection when both dial, whoever was first', async () => {
    const pki = await P2PPki.create();
    onTestFinished(() => pki.remove());
    const node = await startNode(pki);
    const toNode = await TcpProxy.start(node.port);
    const toRelay = await TcpProxy.start();
    onTestFinished(() => Promise.all([toNode.stop(), toRelay.stop()]).then(() => {}));
    const relay = await startP2PRelay({ credentials: pki.node('relay'), dials: [toNode.port] });
    toRelay.target = relay.p2pPort;
    node.dial(toRelay.port);
    node.subscribe('t');
    node.answerWithEcho();
    const application = await relay.process.connect();
    for (let round = 0; round < 6; round++) {
      for (const proxy of [toNode, toRelay]) proxy.cut();
      await relay.waitForPeers(0);
      for (const proxy of [toNode, toRelay]) proxy.hold();
      await until(() => toNode.held > 0 && toRelay.held > 0, 'both to dial', 5_000);
      for (const proxy of [toNode, toRelay]) proxy.open();
      // The hello is awaited for 2 s before a peer counts as a node.
      await until(
        async () =>
          toNode.live + toRelay.live === 1 && node.connected.length === 1 && (await relay.activePeers()) === 1,
        () => `one connection in round ${round}, there are ${toNode.live} and ${toRelay.live}`,
        5_000,
      );
      await until(async () => (await application.request('t')).result === 0, 'the route');
    }
    await passTime(1_000);
    expect([toNode.live + toRelay.live, node.connected.length]).toEqual([1, 1]);
  }, 60_000);

  it('knows a relay’s hello from a node’s silence: a node gets its frames on protocols 1, 2 and the hello only', async () => {
    const { node, relay } = await startPair();
    node.subscribe('t');
    node.answerWithEcho();
    const application = await relay.process.subscriber(['u']);
    await until(async () => (await application.request('t')).result === 0, 'the route');
    await passTime(2_500); // the time of a hello is over
    await application.request('t');
    const others = node.frames.filter(({ protocolId }) => Math.abs(protocolId) > 2);
    expect(others.map(({ protocolId, packetType }) => [protocolId, packetType])).toEqual([[90, 1]]);
    expect(others[0].seq).not.toBe(0);
    expect(node.frames[0].protocolId, 'the hello is the first frame').toBe(90);
  });

  it('keeps a node that never uses compression, and reads one that always does', async () => {
    for (const compress of [false, true]) {
      const { node, relay } = await startPair({ node: { compress } });
      node.subscribe(...Array.from({ length: 300 }, (_, n) => `topic-${n}`)); // a long list is compressed, too
      node.answerWithEcho();
      const application = await relay.process.connect();
      await listGrowsOld();
      expect((await application.request('topic-299', 'a'.repeat(5_000))).result).toBe(0);
    }
  });
});
