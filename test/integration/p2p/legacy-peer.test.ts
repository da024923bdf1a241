/** The scripted node itself: two of them against each other, and its frames against the captured ones. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { LegacyPeer, type LegacyPeerOptions } from '../../helpers/p2p/legacy-peer.js';
import { capturedExchanges, capturedP2P } from '../../helpers/p2p/p2p-captures.js';
import { P2PLink } from '../../helpers/p2p/p2p-link.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import {
  decodeP2P,
  encodeP2P,
  encodeRawP2P,
  formatTopicList,
  P2PFrameReader,
  parseTopicList,
} from '../../helpers/p2p/p2p-wire.js';
import { TcpProxy } from '../../helpers/p2p/tcp-proxy.js';
import { amopBody, decodeFrame, parseAmopBody } from '../../helpers/wire.js';

describe.each(['rc1', 'rc2'] as const)('the test’s %s codec', (format) => {
  it('writes every captured frame as the node did; compressed ones hold the same data', () => {
    for (const frame of capturedP2P(format)) {
      const written = encodeP2P(format, frame, frame.compressed);
      if (!frame.compressed) expect(written.toString('hex'), frame.name).toBe(frame.bytes.toString('hex'));
      else expect(decodeP2P(format, written).data.equals(frame.data), frame.name).toBe(true);
    }
  });

  it('cuts the captured stream at any byte', () => {
    const frames = capturedP2P(format);
    const stream = Buffer.concat(frames.map(({ bytes }) => bytes));
    for (const step of [1, 7, 1000, stream.length]) {
      const reader = new P2PFrameReader(format);
      const seen: string[] = [];
      for (let at = 0; at < stream.length; at += step) {
        reader.push(stream.subarray(at, at + step), ({ bytes }) => seen.push(bytes.toString('hex')));
      }
      expect(seen).toEqual(frames.map(({ bytes }) => bytes.toString('hex')));
    }
  });

  it('writes captured topic lists in the node’s order', () => {
    for (const { packetType, protocolId, data, name } of capturedP2P(format)) {
      if (protocolId !== -2 || packetType !== 3) continue;
      const { topicSeq, topics } = parseTopicList(data);
      expect(formatTopicList(topicSeq, topics.toReversed()).equals(data), name).toBe(true);
    }
  });
});

describe('the scripted node', () => {
  let pki: P2PPki;
  beforeAll(async () => {
    pki = await P2PPki.create();
  });
  afterAll(() => pki.remove());

  async function start(name: string, options: Partial<LegacyPeerOptions> = {}): Promise<LegacyPeer> {
    const credentials = options.credentials ?? pki.node(name);
    const node = await LegacyPeer.start({ announceIntervalMs: 50, redialIntervalMs: 100, ...options, credentials });
    onTestFinished(() => node.stop());
    return node;
  }

  /** node 0 dials node 1. */
  async function pair(options: Partial<LegacyPeerOptions> = {}): Promise<[LegacyPeer, LegacyPeer]> {
    const [node0, node1] = [await start('node0', options), await start('node1', options)];
    node0.dial(node1.port);
    await Promise.all([node0.waitForPeer(node1.nodeId), node1.waitForPeer(node0.nodeId)]);
    return [node0, node1];
  }

  describe.each(['rc1', 'rc2'] as const)('%s', (format) => {
    it('exchanges the captured unicasts and multicasts with another, byte for byte but for the number', async () => {
      const [node0, node1] = await pair({ format });
      const exchanges = capturedExchanges(format);
      expect(exchanges.length).toBeGreaterThanOrEqual(format === 'rc1' ? 2 : 10);
      for (const { name, request, answer } of exchanges) {
        const channelRequest = decodeFrame(request.data);
        const { topic } = parseAmopBody(channelRequest.body);
        const captured104 = answer !== undefined && decodeFrame(answer.data).result === 104;
        node1.subscribe(topic);
        await node0.waitForTopic(topic);
        if (captured104) node1.subscribe(); // node 0 does not know yet
        node1.answerer = () => {
          const { result, body } = decodeFrame(answer!.data);
          return { result, body };
        };
        const before = [node0.amopFrames.length, node1.amopFrames.length];
        if (request.packetType === 1) expect(node0.forwardMulticast(request.data)).toBe(1);
        else expect((await node0.forward(request.data)).bytes.equals(answer!.data), name).toBe(true);
        await until(() => node1.amopFrames.length > before[1], name);
        expect(withoutSeq(node1.amopFrames[before[1]]), name).toEqual(withoutSeq(request));
        if (answer !== undefined) expect(withoutSeq(node0.amopFrames[before[0]]), name).toEqual(withoutSeq(answer));
      }
    });

    it('announces, is asked and answers as captured', async () => {
      const [node0, node1] = await pair({ format, announceIntervalMs: 60_000 });
      const forms = capturedP2P(format).filter(({ protocolId }) => Math.abs(protocolId) === 2);
      const form = (packetType: number) => forms.find((frame) => frame.packetType === packetType)!;
      node1.subscribe('topicA', '主题B');
      node1.announce();
      await node0.waitForTopic('topicA');
      const [announced] = node0.topicFrames.filter(({ packetType, data }) => packetType === 1 && `${data}` === '1');
      expect([announced.protocolId, announced.seq]).toEqual([form(1).protocolId, form(1).seq]);
      const [asked] = node1.topicFrames.filter(({ packetType }) => packetType === 2);
      expect(asked.bytes.equals(form(2).bytes), 'the first request has number 2').toBe(true);
      const [list] = node0.topicFrames.filter(({ packetType }) => packetType === 3);
      expect(`${list.data}`).toBe('1\ttopicA\t主题B');
      expect([list.protocolId, list.seq]).toEqual([-2, asked.seq]);
    });
  });

  it('announces at the start and on its tick only, not when its topics change', async () => {
    const [node0, node1] = await pair({ announceIntervalMs: 300 });
    const announcements = () => node0.topicFrames.filter(({ packetType }) => packetType === 1);
    await until(() => announcements().length === 1, 'the first announcement');
    node1.subscribe('later');
    await until(() => announcements().length === 3, 'two more');
    const [first, second, third] = announcements();
    expect([first, second, third].map(({ data }) => `${data}`)).toEqual(['0', '1', '1']);
    expect(second.atMs - first.atMs).toBeGreaterThan(250);
    expect(third.atMs - second.atMs).toBeGreaterThan(250);
    await until(() => node1.topicFrames.filter(({ packetType }) => packetType === 2).length === 1, 'one pull');
  });

  it('compresses above 1,024 bytes, not at them', async () => {
    const [node0, node1] = await pair();
    node1.answerWithEcho();
    node1.subscribe('t');
    await node0.waitForTopic('t');
    const payload = (frameBytes: number) => Buffer.alloc(frameBytes - 42 - 2, 'a');
    await node0.unicast('t', payload(1_024));
    const answer = await node0.unicast('t', payload(1_025));
    expect(node1.amopFrames.map(({ compressed, data }) => [compressed, data.length])).toEqual([
      [false, 1_024],
      [true, 1_025],
    ]);
    expect(answer.body.equals(amopBody('t', `echo:${payload(1_025)}`))).toBe(true);
  });

  it('passes the result of its subscriber on, and says 104 with the request’s body for a silent one', async () => {
    const [node0, node1] = await pair({ subscriberTimeoutMs: 50 });
    node1.subscribe('t');
    await node0.waitForTopic('t');
    node1.answerer = ({ body }) => ({ result: 7, body });
    expect((await node0.unicast('t', 'x')).result).toBe(7);
    node1.answerer = () => undefined;
    const silent = await node0.unicast('t', 'x');
    expect([silent.result, silent.body]).toEqual([104, amopBody('t', 'x')]);
    node1.subscribe();
    expect((await node0.unicast('t', 'x')).result).toBe(104);
    await until(() => !node0.topicsOf(node1.nodeId).has('t'), 'the topic to go');
    expect((await node0.unicast('t', 'x')).result).toBe(100);
  });

  it('numbers requests from 2 with one counter', async () => {
    const [node0, node1] = await pair();
    node1.answerWithEcho();
    node1.subscribe('t');
    await node0.waitForTopic('t'); // request 2
    await node0.unicast('t');
    node0.multicast('t');
    await node0.unicast('t');
    expect(node1.amopFrames.map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(node0.amopFrames.map(({ seq }) => seq)).toEqual([3, 5]);
    expect(node1.multicasts).toHaveLength(1);
  });

  it('tries the next node with the same number when one disconnects in flight', async () => {
    const [node0, node1] = await pair();
    const node2 = await start('node2');
    node0.dial(node2.port);
    for (const node of [node1, node2]) {
      node.subscribe('t');
      await node0.waitForTopic('t', node.nodeId);
      node.answerer = () => {
        if (node1.unicasts.length + node2.unicasts.length > 1) return { body: amopBody('t', 'second') };
        void node.stop();
        return undefined;
      };
    }
    expect(`${parseAmopBody((await node0.unicast('t')).body).payload}`).toBe('second');
    const seqs = [node1, node2].map(({ amopFrames }) => amopFrames.map(({ seq }) => seq));
    expect(seqs[0]).toEqual(seqs[1]);
  });

  it('refuses the newer connection with a node ID, from either side, and its own', async () => {
    const [node0, node1] = await pair();
    const twin = await P2PLink.tryDial({ port: node1.port, credentials: node0.credentials });
    await twin?.waitForClose();
    expect(node1.duplicatesRefused).toBe(1);
    node1.dial(node0.port);
    await until(() => node0.duplicatesRefused + node1.duplicatesRefused > 1, 'the second connection to be refused');
    node0.dial(node0.port);
    expect([node0.connected, node1.connected]).toEqual([[node1.nodeId], [node0.nodeId]]);
  });

  it('forgets a peer that disconnects, and comes back on its tick', async () => {
    const proxy = await TcpProxy.start();
    onTestFinished(() => proxy.stop());
    const [node0, node1] = [await start('node0'), await start('node1')];
    proxy.target = node1.port;
    node0.dial(proxy.port);
    node1.subscribe('t');
    node1.answerWithEcho();
    await node0.waitForTopic('t');
    proxy.cut();
    await until(() => node0.connected.length + node1.connected.length === 0, 'both to notice');
    expect((await node0.unicast('t')).result).toBe(100);
    proxy.open();
    await node0.waitForTopic('t');
    expect((await node0.unicast('t')).result).toBe(0);
  });

  it('drops what it does not know and stays connected; stops reading at a false length', async () => {
    const node = await start('node');
    const link = await P2PLink.dial({ port: node.port, credentials: pki.node('stranger') });
    for (const protocolId of [90, -90, 3, 0x10001]) {
      link.send({ protocolId, packetType: 1, seq: 9, data: Buffer.from('x') });
    }
    link.send({ protocolId: 2, packetType: 9, seq: 9, data: Buffer.from('x') });
    link.send({ protocolId: 1, packetType: 0, seq: 9, data: Buffer.from('no frame') });
    link.send({ protocolId: 2, packetType: 2, seq: 10, data: Buffer.alloc(0) });
    await link.waitFor(({ seq }) => seq === 10, 'the topic list');
    expect(link.received.filter(({ seq }) => seq === 9)).toEqual([]);
    const header = { protocolId: 2, packetType: 2, seq: 11 };
    link.sendBytes(encodeRawP2P('rc2', header, Buffer.alloc(0), 0, 15));
    link.close();
    await until(() => node.faults.length === 1, 'the fault');
    expect(node.faults[0]).toMatch(/too-short/);
  });

  it('lets nobody in without a certificate of its chain', async () => {
    const node = await start('node');
    for (const credentials of [pki.foreign(), pki.expired(), pki.notYetValid()]) {
      const link = await P2PLink.tryDial({ port: node.port, credentials, tls: { ca: node.credentials.ca } });
      await link?.waitForClose();
      expect(node.connected, credentials.name).toEqual([]);
    }
  });

  describe('with private topics', () => {
    const N = '#!$TopicNeedVerify_secret';
    const PUSH = `#!$PushChannel_${N}`;
    const challengeOf = (name: string, digit: string) => `#!$VerifyChannel_${name}_${digit.repeat(32)}`;

    it('asks its application with every list and announcement until it has said something, which is final', async () => {
      const [node0, node1] = await pair();
      node0.subscribe(PUSH);
      node1.answerWithEcho();
      node1.subscribe(N, challengeOf(N, '1'));
      await until(() => node0.questions.length >= 3, 'three questions');
      const [{ nodeId, topic, topicForCert, frame }] = node0.questions;
      expect([nodeId, topic, topicForCert, frame.type, frame.seq]).toEqual([
        node1.nodeId,
        N,
        challengeOf(N, '1'),
        0x37,
        '1'.padStart(32, '0'),
      ]);
      expect([node0.statusOf(node1.nodeId, N), (await node0.unicast(N)).result]).toEqual([0, 100]);
      expect((await node0.unicast(topicForCert, 'challenge')).result, 'an ordinary topic').toBe(0);
      node0.updateTopicStatus(node1.nodeId, N, 0);
      expect((await node0.unicast(N)).result).toBe(0);
      expect(node0.multicast(N)).toBe(1);
      const asked = node0.questions.length;
      node0.updateTopicStatus(node1.nodeId, N, 1);
      const seen = node0.topicFrames.length;
      await until(() => node0.topicFrames.length > seen + 2, 'further announcements');
      expect([node0.statusOf(node1.nodeId, N), node0.questions.length]).toEqual([1, asked]);
    });

    it('keeps a failure until the name is gone from the list', async () => {
      const [node0, node1] = await pair();
      node0.subscribe(PUSH);
      node1.subscribe(N, challengeOf(N, '1'));
      await until(() => node0.questions.length > 0, 'a question');
      node0.updateTopicStatus(node1.nodeId, N, 1);
      node1.subscribe(N, challengeOf(N, '2'));
      await node0.waitForTopic(challengeOf(N, '2'), node1.nodeId);
      expect(node0.statusOf(node1.nodeId, N)).toBe(2);
      node1.subscribe();
      await until(() => !node0.topicsOf(node1.nodeId).has(N), 'the name to go');
      node1.subscribe(N, challengeOf(N, '3'));
      await until(() => node0.questions.at(-1)?.topicForCert === challengeOf(N, '3'), 'a new question');
      expect(node0.statusOf(node1.nodeId, N)).toBe(0);
    });

    it('asks nobody without the push topic, and takes the first name that begins like the challenge topic', async () => {
      const [node0, node1] = await pair();
      node1.subscribe(`${N}A`, N, challengeOf(`${N}A`, '1'), challengeOf(N, '1'));
      await node0.waitForTopic(N, node1.nodeId);
      expect(node0.questions).toEqual([]);
      node0.subscribe(PUSH);
      await until(() => node0.questions.length > 0, 'a question');
      expect(node0.questions[0], 'A stands before _').toMatchObject({
        topic: N,
        topicForCert: challengeOf(`${N}A`, '1'),
      });
    });

    it('pulls on its own tick where it is told to', async () => {
      const [node0, node1] = [
        await start('node0', { pullsOnTick: true, announceIntervalMs: 400 }),
        await start('node1'),
      ];
      node0.dial(node1.port);
      await Promise.all([node0.waitForPeer(node1.nodeId), node1.waitForPeer(node0.nodeId)]);
      const ticks = () => node1.topicFrames.filter(({ packetType }) => packetType === 1).length;
      await until(() => ticks() === 1, 'the first announcement');
      node1.subscribe('later');
      await node0.waitForFrame(({ packetType, data }) => packetType === 1 && `${data}` === '1', 'the number');
      expect(node0.topicsOf(node1.nodeId).has('later')).toBe(false);
      await node0.waitForTopic('later', node1.nodeId);
      expect(ticks()).toBe(2);
    });
  });

  it('gives a fresh number to an answer whose request had none', async () => {
    const node = await start('node');
    const link = await P2PLink.dial({ port: node.port, credentials: pki.node('asker') });
    link.send({ protocolId: 2, packetType: 2, seq: 0, data: Buffer.alloc(0) });
    const list = await link.waitFor(({ packetType }) => packetType === 3, 'the topic list');
    expect(list.seq).toBeGreaterThan(0);
  });
});

function withoutSeq({ protocolId, packetType, data, compressed }: ReturnType<typeof decodeP2P>): object {
  return { protocolId, packetType, compressed, data: data.toString('hex') };
}
