import { describe, expect, it } from 'vitest';
import { decodeAmopBody, encodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import { parseCertificationRequest, parseCertificationResult } from '../../../src/wire/channel/certification.js';
import { encodeEmptyFrame, encodeFrame } from '../../../src/wire/channel/frame.js';
import { parseHandshakeReply } from '../../../src/wire/channel/handshake.js';
import { formatHeartbeatRequest } from '../../../src/wire/channel/heartbeat.js';
import { MessageType } from '../../../src/wire/channel/message-type.js';
import { isChallengeTopicOf, parsePrivateTopic } from '../../../src/wire/channel/topic.js';
import { formatTopicList, parseTopicList } from '../../../src/wire/channel/topic-list.js';
import { channelCodec } from './codecs.js';
import { fourChecks } from './four-checks.js';
import vectors from './sdk-vectors.json' with { type: 'json' };

const bytes = (id: keyof typeof vectors): Buffer => Buffer.from(vectors[id], 'hex');
const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const SEQ = text('a'.repeat(32));
const N = '#!$TopicNeedVerify_PrivateTopic';
const V = `#!$VerifyChannel_${N}_0123456789abcdef0123456789abcdef`;
const T = MessageType;

const frames: [keyof typeof vectors, (body: Buffer) => Buffer | undefined][] = [
  ['0x30 hello/"hi"', () => encodeFrame(T.unicast, SEQ, 0, encodeAmopBody('hello', text('hi')))],
  ['0x31 "Yes, I received!"', () => encodeFrame(T.response, SEQ, 0, encodeAmopBody('hello', text('Yes, I received!')))],
  ['0x31 error 100', () => encodeEmptyFrame(T.response, SEQ, 100)],
  ['0x32 ["hello"]', () => encodeFrame(T.subscribe, SEQ, 0, formatTopicList(['hello']))],
  ['0x13 v2/v3 request', () => encodeFrame(T.heartbeat, SEQ, 0, formatHeartbeatRequest(3))],
  // Without LF, unlike the reference's: decoded only.
  ['0x13 v2/v3 reply', () => undefined],
  ['0x14 reply', () => undefined],
  ['0x37 (nodeId 128 x 1)', () => undefined],
  ['ack by Java/web3sdk', () => encodeEmptyFrame(T.requestCertification, SEQ, 0)],
  ['ack by Go', () => encodeFrame(T.response, SEQ, 0, encodeAmopBody(`#!$VerifyChannel_${V}`, new Uint8Array(0)))],
  [
    '0x30 challenge on V',
    () => encodeFrame(T.unicast, SEQ, 0, encodeAmopBody(V, text('5e14c53197adbcb719d915fb93342c25'))),
  ],
  ['0x31 signature on V', (body) => encodeFrame(T.response, SEQ, 0, encodeAmopBody(V, body.subarray(-65)))],
];

describe('vectors of the SDK specification', () => {
  it('are covered, each frame', () => {
    expect(frames.map(([id]) => id).sort()).toEqual(
      Object.keys(vectors)
        .filter((id) => id !== 'web3sdk inner challenge block')
        .sort(),
    );
  });

  it.each(frames)('%s', (id, build) => {
    const frame = fourChecks(bytes(id), channelCodec);
    expect(frame.seq.equals(SEQ)).toBe(true);
    const built = build(frame.body);
    if (built !== undefined) expect(built.toString('hex')).toBe(vectors[id]);
  });

  it('0x14 reply is understood whatever the order of its members', () => {
    expect(parseHandshakeReply(bytes('0x14 reply').subarray(42))).toEqual({
      ok: true,
      protocol: 3,
      nodeVersion: '2.9.1',
      capabilities: [],
    });
  });

  it('0x37 is understood whatever the order of its members', () => {
    expect(parseCertificationRequest(bytes('0x37 (nodeId 128 x 1)').subarray(42))).toEqual({
      ok: true,
      nodeId: '1'.repeat(128),
      messageTopic: N,
      challengeTopic: V,
    });
  });

  it('0x38 is understood', () => {
    const body = text(`{"checkResult":0,"nodeId":"${'1'.repeat(128)}","topic":"${N}"}`);
    expect(parseCertificationResult(body)).toEqual({
      ok: true,
      checkResult: 0,
      nodeId: '1'.repeat(128),
      messageTopic: N,
    });
  });

  it('topic lists of a private subscriber and publisher', () => {
    expect(parseTopicList(text(`["${V}","${N}"]`))).toEqual({ ok: true, topics: [V, N], refused: [] });
    expect(parseTopicList(text(`["#!$PushChannel_${N}"]`))).toMatchObject({ topics: [`#!$PushChannel_${N}`] });
    expect(isChallengeTopicOf(V, N)).toBe(true);
    expect(parsePrivateTopic(N)).toEqual({ kind: 'message', messageTopic: N, name: 'PrivateTopic' });
  });

  it('the inner challenge block of web3sdk starts like a body of its own on V', () => {
    const decoded = decodeAmopBody(bytes('web3sdk inner challenge block'));
    if (!decoded.ok) throw new Error(decoded.fault);
    expect(decoded.topic.toString()).toBe(V);
    expect(decoded.payload.readUInt16BE(0)).toBe(decoded.payload.length - 2);
    expect(JSON.parse(decoded.payload.subarray(2).toString())).toEqual({
      randValue: '5e14c53197adbcb719d915fb93342c25',
      topic: N,
    });
  });

  it('a file payload passes as opaque bytes', () => {
    const payload = Buffer.from('ffffff8000000005612e74787444415441', 'hex');
    const decoded = decodeAmopBody(encodeAmopBody('files', payload));
    expect(decoded.ok && decoded.payload.equals(payload)).toBe(true);
  });
});
