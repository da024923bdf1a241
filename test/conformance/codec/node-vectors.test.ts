import { describe, expect, it } from 'vitest';
import { decodeAmopBody, encodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import {
  formatCertificationRequest,
  formatCertificationResult,
  parseCertificationRequest,
  parseCertificationResult,
} from '../../../src/wire/channel/certification.js';
import { formatEventReply } from '../../../src/wire/channel/event-filter.js';
import { decodeFrame, encodeEmptyFrame, encodeFrame } from '../../../src/wire/channel/frame.js';
import {
  chooseProtocol,
  formatHandshakeReply,
  formatHandshakeRequest,
  parseHandshake,
  parseHandshakeReply,
} from '../../../src/wire/channel/handshake.js';
import { formatHeartbeatRequest, heartbeatReply } from '../../../src/wire/channel/heartbeat.js';
import { parseRpcRequest } from '../../../src/wire/channel/json-rpc.js';
import { MessageType } from '../../../src/wire/channel/message-type.js';
import { formatTopicList, parseTopicList } from '../../../src/wire/channel/topic-list.js';
import { decodeP2PFrame, encodeP2PFrame, encodeP2PHeader } from '../../../src/wire/p2p/frame.js';
import type { P2PFormat } from '../../../src/wire/p2p/protocol-id.js';
import { decompress } from '../../../src/wire/p2p/snappy.js';
import { formatTopicSeq, formatTopics, parseTopicSeq, parseTopics } from '../../../src/wire/p2p/topics.js';
import { channelCodec, p2pCodec } from './codecs.js';
import { fourChecks } from './four-checks.js';
import vectors from './node-vectors.json' with { type: 'json' };

type VectorId = keyof typeof vectors;

const hex = (id: VectorId): Buffer => Buffer.from(vectors[id].hex, 'hex');
const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const SEQ = text('0123456789abcdef0123456789abcdef');
const ZERO_SEQ = text('0'.repeat(32));
const FIRST_CERTIFICATION_SEQ = text(`${'0'.repeat(31)}1`);
const EMPTY = Buffer.alloc(0);
const T = MessageType;

const NODE_ID =
  '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798' +
  '483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8';
const MESSAGE_TOPIC = '#!$TopicNeedVerify_priv1';
const CHALLENGE_TOPIC = `#!$VerifyChannel_${MESSAGE_TOPIC}_92be6ce4dbd311eaae5a983b8fda4e0e`;

const amop = (topic: string, payload: string): Buffer => encodeAmopBody(topic, text(payload));

/** How each channel vector is built from what it means. */
const channel: Record<string, () => Buffer> = {
  C01: () =>
    encodeFrame(T.handshake, SEQ, 0, formatHandshakeRequest({ minimum: 1, maximum: 3, clientType: 'amop-relay' })),
  C02: () => encodeFrame(T.handshake, SEQ, 0, formatHandshakeReply({ nodeVersion: '2.11.0', protocol: 3 })),
  C03: () => encodeFrame(T.heartbeat, SEQ, 0, formatHeartbeatRequest(1)),
  C04: () => encodeFrame(T.heartbeat, SEQ, 0, heartbeatReply(1, formatHeartbeatRequest(1)) ?? EMPTY),
  C05: () => encodeFrame(T.heartbeat, SEQ, 0, formatHeartbeatRequest(2)),
  C06: () => encodeFrame(T.heartbeat, SEQ, 0, heartbeatReply(2, formatHeartbeatRequest(2)) ?? EMPTY),
  C07: () => encodeFrame(T.rpc, SEQ, 0, text('{"jsonrpc":"2.0","method":"getClientVersion","params":[],"id":1}')),
  C08: () => encodeFrame(T.subscribe, SEQ, 0, formatTopicList(['topicA', '_block_notify_1'])),
  C09: () => encodeFrame(T.subscribe, SEQ, 0, formatTopicList([])),
  C10: () => encodeFrame(T.unicast, SEQ, 0, amop('topicA', 'hello')),
  C11: () => encodeFrame(T.response, SEQ, 0, amop('topicA', 'world')),
  C12: () => encodeEmptyFrame(T.response, SEQ, 100),
  C13: () => encodeEmptyFrame(T.response, SEQ, 103),
  C14: () => encodeFrame(T.response, SEQ, 104, amop('topicA', 'hello')),
  C15: () => encodeFrame(T.multicast, SEQ, 0, amop('topicA', 'hello')),
  C16: () => encodeFrame(T.response, SEQ, 0, amop('topicA', 'hello')),
  C17: () => encodeFrame(T.subscribe, SEQ, 0, formatTopicList([MESSAGE_TOPIC, CHALLENGE_TOPIC])),
  C18: () => encodeFrame(T.subscribe, SEQ, 0, formatTopicList([`#!$PushChannel_${MESSAGE_TOPIC}`])),
  C19: () =>
    encodeFrame(
      T.requestCertification,
      FIRST_CERTIFICATION_SEQ,
      0,
      formatCertificationRequest({ nodeId: NODE_ID, messageTopic: MESSAGE_TOPIC, challengeTopic: CHALLENGE_TOPIC }),
    ),
  C20: () => encodeEmptyFrame(T.requestCertification, FIRST_CERTIFICATION_SEQ, 0),
  C21: () => encodeFrame(T.unicast, SEQ, 0, amop(CHALLENGE_TOPIC, '0f1e2d3c4b5a69788796a5b4c3d2e1f0')),
  C22: () =>
    encodeFrame(
      T.certificationResult,
      SEQ,
      0,
      formatCertificationResult({ checkResult: 0, nodeId: NODE_ID, messageTopic: MESSAGE_TOPIC }),
    ),
  C23: () => encodeFrame(T.blockNotify, ZERO_SEQ, 0, amop('_block_notify_1', '1,100')),
  C24: () => encodeFrame(T.blockNotify, ZERO_SEQ, 0, amop('_block_notify_1', '{"blockNumber":100,"groupID":1}\n')),
  C25: () =>
    encodeFrame(
      T.registerEvent,
      SEQ,
      0,
      amop('', '{"fromBlock":"latest","toBlock":"latest","addresses":[],"topics":[],"groupID":"1","filterID":"f1"}'),
    ),
  C26: () => encodeFrame(T.registerEvent, SEQ, 0, formatEventReply(0)),
  C27: () => encodeFrame(T.eventPush, ZERO_SEQ, 0, text('{"filterID":"f1","logs":null,"result":1}\n')),
};

const SEND_SEQ = { version: 0, protocolId: 2, packetType: 1, seq: 0 };
const PULL = { version: 0, protocolId: 2, packetType: 2, seq: 2 };
const LIST = { version: 0, protocolId: -2, packetType: 3, seq: 2 };
const UNICAST = { version: 0, protocolId: 1, packetType: 0, seq: 7 };
const ANSWER = { version: 0, protocolId: -1, packetType: 0, seq: 7 };
const MULTICAST = { version: 0, protocolId: 1, packetType: 1, seq: 8 };

/** How each P2P vector is built; P09 has a payload of its own below. */
const p2p: Record<string, (format: P2PFormat) => Buffer> = {
  P01: (format) => encodeP2PFrame(format, SEND_SEQ, formatTopicSeq(5)),
  P02: (format) => encodeP2PFrame(format, PULL, EMPTY),
  P03: (format) => encodeP2PFrame(format, LIST, formatTopics(5, ['topicB', 'topicA'])),
  P04: (format) => encodeP2PFrame(format, LIST, formatTopics(5, [])),
  P05: (format) => encodeP2PFrame(format, UNICAST, hex('C10')),
  P06: (format) => encodeP2PFrame(format, ANSWER, hex('C11')),
  P07: (format) => encodeP2PFrame(format, ANSWER, hex('C14')),
  P08: (format) => encodeP2PFrame(format, MULTICAST, hex('C15')),
};

describe('channel vectors of the node specification', () => {
  it('are covered, each one', () => {
    const named = Object.keys(vectors).filter((id) => id.startsWith('C'));
    expect(named.length).toBe(27);
    expect(Object.keys(channel)).toEqual(named);
  });

  it.each(Object.entries(channel))('%s: builds to the bytes of the vector and passes the four checks', (id, build) => {
    expect(build().toString('hex')).toBe(vectors[id as VectorId].hex);
    fourChecks(build(), channelCodec);
  });

  it('mean what they say when read', () => {
    const body = (id: VectorId): Buffer => fourChecks(hex(id), channelCodec).body;
    expect(parseHandshake(body('C01'))).toEqual({
      ok: true,
      minimum: 1,
      maximum: 3,
      clientType: 'amop-relay',
      capabilities: [],
    });
    expect(chooseProtocol(1, 3)).toBe(3);
    expect(parseHandshakeReply(body('C02'))).toEqual({
      ok: true,
      protocol: 3,
      nodeVersion: '2.11.0',
      capabilities: [],
    });
    expect(parseRpcRequest(body('C07'))).toEqual({ ok: true, id: 1, method: 'getClientVersion', params: [] });
    expect(parseTopicList(body('C08'))).toEqual({ ok: true, topics: ['topicA', '_block_notify_1'], refused: [] });
    expect(parseTopicList(body('C09'))).toEqual({ ok: true, topics: [], refused: [] });
    expect(parseTopicList(body('C17'))).toEqual({ ok: true, topics: [MESSAGE_TOPIC, CHALLENGE_TOPIC], refused: [] });
    expect(decodeAmopBody(body('C25'))).toMatchObject({ ok: true, topic: EMPTY });
    expect(parseCertificationResult(body('C22'))).toEqual({
      ok: true,
      checkResult: 0,
      nodeId: NODE_ID,
      messageTopic: MESSAGE_TOPIC,
    });
    expect(parseCertificationRequest(body('C19'))).toMatchObject({ ok: true });
  });

  it('yield both frames when two stand in one record, and wait when one is cut after byte 20', () => {
    const joined = Buffer.concat([hex('C03'), hex('C08')]);
    const first = decodeFrame(joined);
    if (first.status !== 'ok') throw new Error(first.status);
    const second = decodeFrame(joined.subarray(first.consumed));
    if (second.status !== 'ok') throw new Error(second.status);
    expect([first.frame.type, second.frame.type]).toEqual([0x13, 0x32]);
    expect(first.consumed + second.consumed).toBe(joined.length);
    expect(decodeFrame(hex('C10').subarray(0, 20))).toEqual({ status: 'incomplete', needed: 54 });
  });
});

describe('P2P vectors of the node specification', () => {
  it.each(Object.entries(p2p))('%s: builds to the bytes of the vector and passes the four checks', (id, build) => {
    expect(build('rc2').toString('hex')).toBe(vectors[id as VectorId].hex);
    fourChecks(hex(id as VectorId), p2pCodec('rc2'));
  });

  it.each(['R01', 'R02', 'R03', 'R05', 'R06', 'R08'] as const)('%s: the same as its P vector in RC1', (id) => {
    const build = p2p[id.replace('R', 'P')];
    expect(build('rc1').toString('hex')).toBe(vectors[id].hex);
    fourChecks(hex(id), p2pCodec('rc1'));
  });

  it('P09: a compressed unicast decompresses to its channel frame', () => {
    const frame = fourChecks(hex('P09'), p2pCodec('rc2'));
    expect(frame).toMatchObject({ version: 0x8000, compressed: true, protocolId: 1, packetType: 0, seq: 9 });
    const unpacked = decompress(frame.payload, 1049);
    if (!unpacked.ok) throw new Error(unpacked.problem);
    expect(unpacked.bytes.equals(encodeFrame(T.unicast, SEQ, 0, amop('topicA', 'a'.repeat(1000))))).toBe(true);
    expect(encodeP2PHeader('rc2', frame, frame.payload.length).equals(hex('P09').subarray(0, 16))).toBe(true);
  });

  it('covers every vector of the two formats', () => {
    const named = Object.keys(vectors).filter((id) => !id.startsWith('C'));
    expect(named).toEqual([...Object.keys(p2p), 'P09', 'R01', 'R02', 'R03', 'R05', 'R06', 'R08']);
  });
});

describe('negative vectors of the node specification', () => {
  const frameOf = (head: string, body = ''): Buffer =>
    Buffer.concat([Buffer.from(`${head}0030`, 'hex'), SEQ, Buffer.from(`00000000${body}`, 'hex')]);

  it('N01: refuses a channel length of 104857601 on its first four bytes', () => {
    expect(decodeFrame(frameOf('06400001'))).toEqual({ status: 'too-long', length: 104_857_601 });
    expect(decodeFrame(Buffer.from('06400001', 'hex'))).toEqual({ status: 'too-long', length: 104_857_601 });
  });

  it('refuses the lengths that fit the channel port of the reference but no P2P frame', () => {
    expect(decodeFrame(Buffer.from('06400000', 'hex')).status).toBe('too-long');
    expect(decodeFrame(Buffer.from('063ffff1', 'hex')).status).toBe('too-long');
    expect(decodeFrame(Buffer.from('063ffff0', 'hex'))).toEqual({ status: 'incomplete', needed: 104_857_584 });
  });

  it('N02: refuses a channel length of 41', () => {
    expect(decodeFrame(frameOf('00000029'))).toEqual({ status: 'too-short', length: 41 });
  });

  it.each([
    ['N03', '0000002b', '00', 'length-zero'],
    ['N04', '0000002c', 'ff41', 'length-beyond-body'],
    ['N05', '0000002a', '', 'empty-body'],
  ])('%s: a readable frame whose body has a fault', (_id, head, body, fault) => {
    const decoded = fourChecks(frameOf(head, body), channelCodec);
    expect(decodeAmopBody(decoded.body)).toEqual({ ok: false, fault });
  });

  it('N06, N07: refuses P2P lengths below the header and over the maximum', () => {
    const short = Buffer.from('0000000f0000000000010000' + '00000001', 'hex');
    expect(decodeP2PFrame('rc2', short)).toEqual({ status: 'too-short', length: 15 });
    expect(decodeP2PFrame('rc1', Buffer.from('0000000b', 'hex'))).toEqual({ status: 'too-short', length: 11 });
    expect(decodeP2PFrame('rc2', Buffer.from('06400001', 'hex')).status).toBe('too-long');
    expect(decodeP2PFrame('rc2', Buffer.from('06400000', 'hex')).status).toBe('incomplete');
  });

  it('N08: keeps the empty topic of a list', () => {
    expect(parseTopics(text('5\ta\t\tb'))).toEqual({ ok: true, topicSeq: 5, topics: ['a', '', 'b'], refused: 0 });
  });

  it('N09: has no topic sequence in "abc"', () => {
    expect(parseTopicSeq(text('abc'))).toBeUndefined();
  });
});
