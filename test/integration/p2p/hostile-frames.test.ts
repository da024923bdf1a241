/** Peers with a good certificate and bad manners: false lengths, huge lists, bombs, storms, peers that never read. */
import { compressSync } from 'snappy';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { type DialOptions, P2PLink } from '../../helpers/p2p/p2p-link.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import {
  COMPRESSED_FLAG,
  encodeP2P,
  encodeRawP2P,
  P2P_FRAME_BYTES_MAX,
  PROTOCOL,
  TOPICS,
} from '../../helpers/p2p/p2p-wire.js';
import { P2PRelay } from '../../helpers/p2p/relays.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { amopBody, encodeFrame, newSeq, TYPE } from '../../helpers/wire.js';

const LONG = process.env.AMOP_LONG === '1';
const MIB = 1_048_576;
const CLOSED = 'amop_p2p_connections_closed_total';
/** How late an honest request may be beside a hostile peer; two cores run all of it. */
const SERVED_WITHIN_MS = 2_000;

describe('hostile peers', () => {
  let pki: P2PPki;
  let relay: P2PRelay;
  let honest: LegacyPeer;
  let application: RawClient;
  let serial = 0;

  beforeAll(async () => {
    pki = await P2PPki.create();
    honest = await LegacyPeer.start({ credentials: pki.node('honest') });
    honest.subscribe('honest');
    honest.answerWithEcho();
    relay = await P2PRelay.start(
      { credentials: pki.node('relay'), dials: [honest.port] },
      { logLevel: 'info', limits: { slow_consumer_timeout_ms: 2_000, peer_queue_bytes_max: 8 * MIB } },
    );
    await relay.waitForPeers(1);
    application = await relay.process.connect();
  });
  afterAll(async () => {
    await honest?.stop();
    await relay?.process.cleanUp();
    await pki.remove();
  });
  afterEach(async () => {
    await expectServed();
    application.received.length = 0;
  });

  async function expectServed(): Promise<void> {
    const startMs = performance.now();
    expect((await application.request('honest', 'still there?')).result).toBe(0);
    expect(performance.now() - startMs, 'ms for an honest request').toBeLessThan(SERVED_WITHIN_MS);
  }

  async function intruder(options: Partial<DialOptions> = {}): Promise<P2PLink> {
    const link = await P2PLink.dial({
      port: relay.p2pPort,
      credentials: pki.node(`intruder-${serial++}`),
      ...options,
    });
    onTestFinished(() => link.destroy());
    return link;
  }

  const ask = (link: P2PLink, seq: number) =>
    link.send({ protocolId: PROTOCOL.topics, packetType: TOPICS.request, seq, data: Buffer.alloc(0) });

  /** Frames of a link are handled in order, so the list means that everything before was handled. */
  async function barrier(link: P2PLink): Promise<void> {
    const seq = 1_000_000 + serial++;
    ask(link, seq);
    await link.waitFor((frame) => frame.protocolId === -2 && frame.seq === seq, 'the topic list', 15_000);
  }

  async function expectClosed(link: P2PLink, reason: string, before: number): Promise<void> {
    await link.waitForClose();
    await relay.process.waitForMetric(CLOSED, { reason }, before + 1);
  }

  const counted = async (reason: string) => (await relay.process.metrics()).value(CLOSED, { reason });

  describe('lengths', () => {
    it.each([0, 1, 4, 11, 15])('closes the connection at a length of %i', async (length) => {
      const link = await intruder();
      const before = await counted('frame-too-short');
      const bytes = Buffer.alloc(16);
      bytes.writeUInt32BE(length, 0);
      link.sendBytes(bytes);
      await expectClosed(link, 'frame-too-short', before);
    });

    it.each([P2P_FRAME_BYTES_MAX + 1, 0x7fffffff, 0xffffffff])(
      'closes the connection at a length of %i',
      async (length) => {
        const link = await intruder();
        const before = await counted('frame-too-long');
        const bytes = Buffer.alloc(16);
        bytes.writeUInt32BE(length, 0);
        link.sendBytes(bytes);
        await expectClosed(link, 'frame-too-long', before);
      },
    );

    it('handles the frames before a false length', async () => {
      const link = await intruder();
      const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('nobody', 'x'));
      const request = encodeP2P('rc2', { protocolId: 1, packetType: 0, seq: 5, data });
      link.sendBytes(Buffer.concat([request, Buffer.alloc(16)]));
      await link.waitForClose();
      expect(link.received.some(({ protocolId, seq }) => protocolId === -1 && seq === 5)).toBe(true);
    });

    it('holds little for twenty peers that claim 100 MiB and stop', async () => {
      const before = relay.process.residentBytes();
      const links = await Promise.all(Array.from({ length: 20 }, () => intruder()));
      const header = { protocolId: PROTOCOL.amop, packetType: 0, seq: 1 };
      for (const link of links) {
        link.sendBytes(encodeRawP2P('rc2', header, Buffer.alloc(1_000), 0, P2P_FRAME_BYTES_MAX));
      }
      for (let n = 0; n < 10; n++) await expectServed();
      expect((relay.process.residentBytes() - before) / MIB).toBeLessThan(150);
    });

    it('takes frames byte by byte, and many in one write', async () => {
      const link = await intruder();
      const request = encodeP2P('rc2', { protocolId: 2, packetType: 2, seq: 6, data: Buffer.alloc(0) });
      for (const byte of request) {
        link.sendBytes(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await link.waitFor(({ seq }) => seq === 6, 'the answer');
      const many = Array.from({ length: 100 }, (_, n) =>
        encodeP2P('rc2', { protocolId: 2, packetType: 2, seq: 100 + n, data: Buffer.alloc(0) }),
      );
      link.sendBytes(Buffer.concat(many));
      await link.waitFor(({ seq }) => seq === 199, 'the last answer');
    });
  });

  it('ignores unknown protocol IDs, packet types and inner types, and stays connected', async () => {
    const link = await intruder();
    const data = Buffer.from('whatever');
    for (const protocolId of [0, 3, 8, 9, 10, 11, -8, 91, 0x10008, 0x20001, -0x10001, 2_147_483_647, -2_147_483_648]) {
      link.send({ protocolId, packetType: 1, seq: 9, data });
    }
    for (const packetType of [0, 4, 9, 65_535]) link.send({ protocolId: 2, packetType, seq: 9, data });
    for (const type of [0x12, 0x13, 0x14, 0x31, 0x32, 0x37, 0x7f]) {
      const inner = encodeFrame(type, newSeq(), 0, '["stolen"]');
      link.send({ protocolId: 1, packetType: 0, seq: 9, data: inner });
    }
    await barrier(link);
    expect(link.received.filter(({ seq }) => seq === 9)).toEqual([]);
    expect(link.isClosed).toBe(false);
  });

  it('drops AMOP frames whose inside is damaged, and stays connected', async () => {
    const subscriber = await relay.process.subscriber(['target']);
    onTestFinished(() => subscriber.destroy());
    const good = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('target', 'x'));
    const withLength = (length: number) => {
      const copy = Buffer.from(good);
      copy.writeUInt32BE(length, 0);
      return copy;
    };
    const link = await intruder();
    const damaged = [
      Buffer.alloc(0),
      Buffer.alloc(1),
      good.subarray(0, 41),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.of(0)]),
      withLength(0),
      withLength(41),
      withLength(0xffffffff),
      encodeFrame(TYPE.unicast, newSeq(), 0, ''),
      encodeFrame(TYPE.unicast, newSeq(), 0, Buffer.of(0)),
      encodeFrame(TYPE.unicast, newSeq(), 0, Buffer.of(255, 1)),
      encodeFrame(TYPE.multicast, newSeq(), 0, Buffer.of(0)),
      encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('\u0001control', 'x')),
    ];
    for (const data of damaged) {
      for (const packetType of [0, 1]) link.send({ protocolId: 1, packetType, seq: 9, data });
      link.send({ protocolId: -1, packetType: 0, seq: 9, data });
    }
    await barrier(link);
    expect(subscriber.received).toEqual([]);
    expect(link.isClosed).toBe(false);
    // A request that can be read may be answered, and then only with a code and nothing else.
    for (const { data } of link.received.filter(({ protocolId }) => protocolId === -1)) {
      expect([data.readUInt16BE(4), data.length]).toEqual([TYPE.response, 42]);
    }
  });

  it('drops answers that nobody waits for, whoever they pretend to be from', async () => {
    const link = await intruder();
    honest.answerer = () => undefined; // silent: the request stays open
    const seq = application.unicast('honest', 'to the honest node');
    const request = await until(() => honest.unicasts.find((frame) => frame.seq === seq), 'the request at the node');
    const forged = encodeFrame(TYPE.response, request.seq, 0, amopBody('honest', 'forged'));
    for (let p2pSeq = 0; p2pSeq < 500; p2pSeq++)
      link.send({ protocolId: -1, packetType: 0, seq: p2pSeq, data: forged });
    await barrier(link);
    honest.answerWithEcho();
    const own = honest.amopFrames.find(({ data }) => data.includes(seq))!;
    const data = encodeFrame(TYPE.response, seq, 0, amopBody('honest', 'true'));
    honest.link(relay.nodeId).send({ protocolId: -1, packetType: 0, seq: own.seq, data });
    expect((await application.response(seq)).body).toEqual(amopBody('honest', 'true'));
    await application.barrier();
    expect(application.framesOf(TYPE.response).filter((frame) => frame.seq === seq)).toHaveLength(1);
  });

  describe('topic lists', () => {
    /** A peer that answers every pull with `list`. */
    async function claimant(list: (seq: number) => Buffer): Promise<P2PLink> {
      const link = await intruder({
        onFrame: (frame, self) => {
          if (frame.protocolId === 2 && frame.packetType === TOPICS.request) self.sendBytes(list(frame.seq));
        },
      });
      link.send({ protocolId: 2, packetType: TOPICS.seq, seq: 0, data: Buffer.from('1') });
      await link.waitFor(({ protocolId, packetType }) => protocolId === 2 && packetType === TOPICS.request, 'a pull');
      return link;
    }

    const listFrame = (seq: number, data: Buffer) =>
      encodeP2P('rc2', { protocolId: -2, packetType: TOPICS.list, seq, data });

    it('survives lists of a million topics, compressed or not, in bounded memory', async () => {
      const data = Buffer.from(`1\t${Array.from({ length: 1_000_000 }, (_, n) => `topic-${n}`).join('\t')}`);
      const plain = (seq: number) => listFrame(seq, data);
      const small = compressSync(data);
      const packed = (seq: number) =>
        encodeRawP2P('rc2', { protocolId: -2, packetType: TOPICS.list, seq }, small, COMPRESSED_FLAG);
      const before = relay.process.residentBytes();
      for (const form of [plain, packed]) {
        for (let n = 0; n < 3; n++) {
          await claimant(form);
          for (let request = 0; request < 5; request++) await expectServed();
        }
      }
      expect((relay.process.residentBytes() - before) / MIB).toBeLessThan(300);
    }, 60_000);

    it('survives lists that are nonsense', async () => {
      const lists = [
        '',
        'abc',
        '-1\ta',
        '1e9\ta',
        '99999999999999999999\ta',
        `1\t${'x'.repeat(300)}`,
        '1\t\t\t',
        '1\ta\ta',
      ];
      for (const list of [...lists.map((text) => Buffer.from(text)), Buffer.from('31097fff00fe', 'hex')]) {
        await claimant((seq) => listFrame(seq, list));
        await expectServed();
      }
      for (const data of ['', 'abc', '-5', '1.5', '99999999999999999999', '1\t']) {
        const link = await intruder();
        link.send({ protocolId: 2, packetType: TOPICS.seq, seq: 0, data: Buffer.from(data) });
        await barrier(link);
      }
    });

    it('takes no list that it did not ask for from a peer in the name of another', async () => {
      const link = await intruder();
      link.sendBytes(listFrame(2, Buffer.from('9\thonest')));
      await barrier(link);
      for (let n = 0; n < 20; n++) await expectServed();
      expect(link.received.filter(({ protocolId }) => protocolId === 1).length).toBeLessThanOrEqual(20);
    });

    it('is not drawn to a peer that claims a topic and answers nothing: 102, and others are tried', async () => {
      const link = await claimant((seq) => listFrame(seq, Buffer.from('1\thonest')));
      link.pause();
      const answers = await Promise.all(Array.from({ length: 4 }, () => application.request('honest', '', 15_000)));
      expect(answers.map(({ result }) => result)).toEqual([0, 0, 0, 0]);
      await link.close();
    }, 30_000);
  });

  describe('Snappy', () => {
    const header = { protocolId: PROTOCOL.amop, packetType: 0, seq: 3 };
    const varint = (value: number) => {
      const bytes: number[] = [];
      let rest = value;
      while (rest > 127) {
        bytes.push((rest % 128) | 128);
        rest = Math.floor(rest / 128);
      }
      return Buffer.from([...bytes, rest]);
    };

    it.each([
      ['1 GiB', 1_073_741_824],
      ['4 GiB - 1', 4_294_967_295],
      ['one byte above the frame maximum', P2P_FRAME_BYTES_MAX + 1],
    ])('refuses a block that declares %s before it makes room for it', async (_, declared) => {
      const link = await intruder();
      const before = await counted('protocol-compression');
      const resident = relay.process.residentBytes();
      const block = Buffer.concat([varint(declared), Buffer.alloc(2_000, 0xfe)]);
      link.sendBytes(encodeRawP2P('rc2', header, block, COMPRESSED_FLAG));
      await expectClosed(link, 'protocol-compression', before);
      expect((relay.process.residentBytes() - resident) / MIB).toBeLessThan(60);
    });

    it.each([
      ['an endless number', Buffer.alloc(20, 0xff)],
      ['nothing', Buffer.alloc(0)],
      ['garbage', Buffer.concat([Buffer.from([0x80, 0x08]), Buffer.alloc(500, 0x55)])],
      ['less than it declares', compressSync(Buffer.alloc(5_000, 'a')).subarray(0, 20)],
    ])('survives a block with %s', async (_, block) => {
      const link = await intruder();
      link.sendBytes(encodeRawP2P('rc2', header, block, COMPRESSED_FLAG));
      await Promise.race([link.waitForClose(), barrier(link)]).catch(() => {});
    });

    it('survives many blocks that really unpack to 90 MiB, in bounded memory', async () => {
      const bomb = compressSync(encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('nobody', Buffer.alloc(90 * MIB))));
      const before = relay.process.residentBytes();
      const links = await Promise.all(Array.from({ length: 6 }, () => intruder()));
      let highest = 0;
      for (const link of links) link.sendBytes(encodeRawP2P('rc2', header, bomb, COMPRESSED_FLAG));
      for (let n = 0; n < 10; n++) {
        expect((await application.request('honest', '', 20_000)).result).toBe(0);
        highest = Math.max(highest, relay.process.residentBytes() - before);
      }
      expect(highest / MIB).toBeLessThan(512 + 200); // the inbound budget of the relay, and what was there
    }, 60_000);
  });

  describe('storms', () => {
    it('bounds the pulls that 100,000 announcements of new numbers bring about', async () => {
      const link = await intruder({ keeps: false });
      const chunk = 1_000;
      for (let n = 0; n < 100_000; n += chunk) {
        const frames = Array.from({ length: chunk }, (_, at) =>
          encodeP2P('rc2', { protocolId: 2, packetType: TOPICS.seq, seq: 0, data: Buffer.from(String(n + at + 1)) }),
        );
        await link.sendSlowly(Buffer.concat(frames));
        if (n % 20_000 === 0) await expectServed();
      }
      await expectServed();
    }, 40_000);

    it('does not pull again while a pull is unanswered', async () => {
      const link = await intruder();
      for (let n = 1; n <= 500; n++) {
        link.send({ protocolId: 2, packetType: TOPICS.seq, seq: 0, data: Buffer.from(String(n)) });
      }
      await barrier(link);
      const pulls = link.received.filter(
        ({ protocolId, packetType }) => protocolId === 2 && packetType === TOPICS.request,
      );
      expect(pulls.length).toBeGreaterThan(0);
      expect(pulls.length).toBeLessThanOrEqual(5);
    });

    it('bounds what it holds for a peer that asks for the topics 200,000 times and never reads', async () => {
      const topics = Array.from({ length: 400 }, (_, n) => `a-topic-with-a-long-name-${n}`);
      const subscriber = await relay.process.subscriber(topics);
      onTestFinished(() => subscriber.destroy());
      const link = await intruder();
      link.pause();
      const before = relay.process.residentBytes();
      const request = encodeP2P('rc2', { protocolId: 2, packetType: 2, seq: 1, data: Buffer.alloc(0) });
      const many = Buffer.concat(Array.from({ length: 1_000 }, () => request));
      let highest = 0;
      for (let n = 0; n < 200 && !link.isClosed; n++) {
        await Promise.race([link.sendSlowly(many), passTime(200)]);
        if (n % 20 === 0) await expectServed();
        highest = Math.max(highest, relay.process.residentBytes() - before);
      }
      expect(highest / MIB).toBeLessThan(120);
      link.destroy();
    }, 60_000);

    it('serves others while subscriptions of a session change without pause', async () => {
      const restless = await relay.process.connect();
      const seen = honest.topicFrames.length;
      const startMs = performance.now();
      for (let n = 0; n < 5_000; n++) {
        restless.send(TYPE.subscribe, JSON.stringify([`restless-${n}`]));
        if (n % 1_000 === 0) await expectServed();
      }
      await restless.barrier(20_000);
      const seconds = (performance.now() - startMs) / 1_000;
      const announced = honest.topicFrames.slice(seen).filter(({ packetType }) => packetType === TOPICS.seq);
      expect(announced.length, 'at most one announcement in 20 ms').toBeLessThanOrEqual(seconds * 50 + 5);
      await honest.waitForTopic('restless-4999', relay.nodeId);
      restless.destroy();
    }, 30_000);

    it('survives 50,000 unicasts for topics that nobody has, and answers those it takes', async () => {
      const link = await intruder({ keeps: false });
      let answers = 0;
      link.socket.on('data', (chunk) => {
        answers += chunk.length;
      });
      for (let n = 0; n < 50; n++) {
        const frames = Array.from({ length: 1_000 }, (_, at) =>
          encodeP2P('rc2', {
            protocolId: 1,
            packetType: 0,
            seq: n * 1_000 + at + 1,
            data: encodeFrame(TYPE.unicast, newSeq(), 0, amopBody(`nobody-${at}`, 'x')),
          }),
        );
        await link.sendSlowly(Buffer.concat(frames));
        if (n % 10 === 0) await expectServed();
      }
      await until(
        () => answers >= 50_000 * 58,
        () => `50,000 answers, got ${Math.floor(answers / 58)}`,
        20_000,
      );
      link.destroy();
    }, 60_000);
  });

  it('cuts a peer that claims a topic and never reads; memory stays bounded and others are served', async () => {
    const link = await intruder({
      onFrame: (frame, self) => {
        if (frame.protocolId !== 2 || frame.packetType !== TOPICS.request) return;
        self.send({ protocolId: -2, packetType: TOPICS.list, seq: frame.seq, data: Buffer.from('1\tflood') });
      },
    });
    link.send({ protocolId: 2, packetType: TOPICS.seq, seq: 0, data: Buffer.from('1') });
    await link.waitFor(({ protocolId, packetType }) => protocolId === 2 && packetType === TOPICS.request, 'a pull');
    await barrier(link);
    honest.subscribe('honest', 'flood');
    honest.announce();
    let copies = 0;
    const reader = await relay.process.connect({ onFrame: ({ type }) => type === TYPE.multicast && ++copies > 0 });
    await reader.subscribe('flood');
    link.pause();
    const before = await counted('queue-full');
    const resident = relay.process.residentBytes();
    const sender = await relay.process.connect({ onFrame: ({ type }) => type === TYPE.response });
    let highest = 0;
    const messages = 1_000;
    for (let n = 0; n < messages; n++) {
      sender.multicast('flood', Buffer.alloc(100_000, n));
      if (n % 20 !== 19) continue;
      await until(() => copies > n - 20, `copy ${n}`);
      highest = Math.max(highest, relay.process.residentBytes() - resident);
    }
    await until(() => copies === messages, 'all copies at the session');
    await until(() => honest.multicasts.length > messages / 2, 'copies at the honest node');
    expect(highest / MIB).toBeLessThan(150);
    await relay.process.waitForMetric(CLOSED, { reason: 'queue-full' }, before + 1, 15_000);
    await relay.process.waitForLog((line) => line.reason === 'queue-full', 'a line that names the slow peer');
    honest.subscribe('honest');
    honest.announce();
    honest.multicasts.length = 0;
    honest.frames.length = 0;
    for (const client of [reader, sender]) client.destroy();
  }, 60_000);

  it('reads a peer no faster than its subscribers, and costs no session its answers', async () => {
    const slow = await relay.process.subscriber(['slow']);
    onTestFinished(() => slow.destroy());
    slow.pause();
    const link = await intruder({ keeps: false });
    const before = relay.process.residentBytes();
    let highest = 0;
    for (let n = 0; n < 400 && !link.isClosed; n++) {
      const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('slow', Buffer.alloc(500_000)));
      const sent = link.sendSlowly(encodeP2P('rc2', { protocolId: 1, packetType: 0, seq: n + 1, data }));
      await Promise.race([sent, passTime(100)]);
      if (n % 40 === 0) await expectServed();
      if (link.socket.writableLength > 20 * MIB) break; // it does not read any more, as it should
      highest = Math.max(highest, relay.process.residentBytes() - before);
    }
    expect(highest / MIB).toBeLessThan(300);
    link.destroy();
  }, 90_000);

  it('forgets what a peer sent that leaves in the middle of a frame', async () => {
    const before = (await relay.process.metrics()).value('amop_inbound_bytes');
    for (let n = 0; n < 20; n++) {
      const link = await intruder();
      const data = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('honest', Buffer.alloc(1_000_000)));
      link.sendBytes(encodeP2P('rc2', { protocolId: 1, packetType: 0, seq: 1, data }).subarray(0, 900_000));
      await barrierOfSession();
      link.destroy();
    }
    await until(async () => (await relay.process.metrics()).value('amop_inbound_bytes') <= before, 'the bytes to go');
  });

  async function barrierOfSession(): Promise<void> {
    await application.barrier();
  }

  it.runIf(LONG)(
    'closes a peer that sends nothing for 60 s',
    async () => {
      const link = await intruder({ keeps: false });
      const before = await counted('idle');
      // The application may be idle no longer than a peer.
      const awake = setInterval(() => application.unicast('honest', 'awake'), 10_000);
      await link.waitForClose(75_000).finally(() => clearInterval(awake));
      await relay.process.waitForMetric(CLOSED, { reason: 'idle' }, before + 1);
      expect(honest.connected).toEqual([relay.nodeId]);
    },
    90_000,
  );

  it('survives a hello that is damaged, repeated, or of a later version', async () => {
    const bodies = [
      Buffer.alloc(0),
      Buffer.alloc(5),
      Buffer.alloc(14),
      Buffer.alloc(10_000, 0xff),
      Buffer.from('7fff'.repeat(10), 'hex'),
    ];
    for (const data of bodies) {
      const link = await intruder();
      for (let n = 0; n < 3; n++) link.send({ protocolId: 90, packetType: 1, seq: 1, data });
      for (const packetType of [2, 3, 4, 99]) {
        link.send({ protocolId: 90, packetType, seq: 2, data });
        link.send({ protocolId: -90, packetType, seq: 2, data });
      }
      await Promise.race([link.waitForClose(), barrier(link)]).catch(() => {});
      await expectServed();
    }
  });

  it('survives random frames', async () => {
    for (let round = 0; round < 20; round++) {
      const link = await intruder({ keeps: false });
      for (let n = 0; n < 50; n++) {
        const data = Buffer.from(newSeq().repeat(1 + ((round * 7 + n) % 40)), n % 2 === 0 ? 'hex' : 'latin1');
        const header = {
          protocolId: [1, -1, 2, -2, 90, -90][n % 6],
          packetType: n % 5,
          seq: n * round,
        };
        link.sendBytes(encodeRawP2P('rc2', header, data, n % 7 === 0 ? COMPRESSED_FLAG : n % 11));
      }
      await expectServed();
      link.destroy();
    }
  });
});
