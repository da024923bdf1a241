import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAmopBody, encodeAmopBody } from '../../../src/wire/channel/amop-body.js';
import { parseCertificationRequest, parseCertificationResult } from '../../../src/wire/channel/certification.js';
import { decodeFrame, encodeFrame } from '../../../src/wire/channel/frame.js';
import { parseHandshake, parseHandshakeReply } from '../../../src/wire/channel/handshake.js';
import { heartbeatReply } from '../../../src/wire/channel/heartbeat.js';
import { formatRpcResult, parseRpcRequest } from '../../../src/wire/channel/json-rpc.js';
import { decodeReasonBody } from '../../../src/wire/channel/reason-body.js';
import { isReservedForSending, parsePrivateTopic, topicFault } from '../../../src/wire/channel/topic.js';
import { formatTopicList, parseTopicList } from '../../../src/wire/channel/topic-list.js';
import { decodeP2PFrame, encodeP2PFrame } from '../../../src/wire/p2p/frame.js';
import { type P2PFormat, protocolIdOf, protocolParts } from '../../../src/wire/p2p/protocol-id.js';
import { decompress } from '../../../src/wire/p2p/snappy.js';
import { formatTopics, parseTopicSeq, parseTopics } from '../../../src/wire/p2p/topics.js';
import { bytesOf, channelCaptures, p2pCaptures, rc1Captures } from './captures.js';

const DECOMPRESSED_BYTES_MAX = 1024 * 1024;

/** Everything that is ever done to bytes from the wire; none of it may throw. What decodes must re-encode the same. */
function decodeEverything(bytes: Buffer): void {
  const channel = decodeFrame(bytes);
  if (channel.status === 'ok') {
    const { type, seq, result, body } = channel.frame;
    const again = encodeFrame(type, seq, result, body);
    expect(again.equals(bytes.subarray(0, channel.consumed))).toBe(true);
    decodeBody(body);
  }
  for (const format of ['rc2', 'rc1'] as const) {
    const p2p = decodeP2PFrame(format, bytes);
    if (p2p.status !== 'ok') continue;
    const again = encodeP2PFrame(format, p2p.frame, p2p.frame.payload);
    expect(again.equals(bytes.subarray(0, p2p.consumed))).toBe(true);
    protocolParts(format, p2p.frame.protocolId);
    decodeBody(p2p.frame.payload);
  }
  decodeBody(bytes);
}

function decodeBody(body: Buffer): void {
  const amop = decodeAmopBody(body);
  if (amop.ok) {
    expect(encodeAmopBody(amop.topic, amop.payload).equals(body)).toBe(true);
    topicFault(amop.topic);
    isReservedForSending(amop.topic, 0x35);
    parsePrivateTopic(amop.topic.toString());
  }
  parseHandshake(body);
  parseHandshakeReply(body);
  heartbeatReply(1, body);
  heartbeatReply(3, body);
  parseRpcRequest(body);
  parseCertificationRequest(body);
  parseCertificationResult(body);
  decodeReasonBody(body);
  parseTopicSeq(body);
  decompress(body, DECOMPRESSED_BYTES_MAX);

  const list = parseTopicList(body);
  if (list.ok) {
    const again = parseTopicList(formatTopicList(list.topics));
    expect(again).toEqual({ ok: true, topics: list.topics, refused: [] });
  }
  const peer = parseTopics(body);
  if (peer.ok) {
    const again = parseTopics(formatTopics(peer.topicSeq, peer.topics));
    if (!again.ok) throw new Error(again.problem);
    // A list with only the empty topic reads `5 TAB`; without topics it reads `5`.
    expect(again.topics.sort()).toEqual(peer.topics.sort());
  }
}

const captured = [...channelCaptures, ...p2pCaptures, ...rc1Captures].map(bytesOf);

/** A captured frame with bytes replaced, cut, repeated or with its length made true again afterwards. */
const mutated = fc
  .record({
    frame: fc.constantFrom(...captured),
    edits: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    cut: fc.option(fc.nat(), { nil: undefined }),
    extra: fc.uint8Array({ maxLength: 24 }),
    repairLength: fc.boolean(),
  })
  .map(({ frame, edits, cut, extra, repairLength }) => {
    const end = cut === undefined ? frame.length : cut % (frame.length + 1);
    const bytes = Buffer.concat([frame.subarray(0, end), extra]);
    for (const [at, value] of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
    if (repairLength && bytes.length >= 4) bytes.writeUInt32BE(bytes.length, 0);
    return bytes;
  });

/** Text close to what the JSON decoders expect. */
const almostJson = fc
  .tuple(fc.json({ maxDepth: 5 }), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }))
  .map(([text, edits]) => {
    const bytes = Buffer.from(text, 'utf8');
    for (const [at, value] of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });

describe('decoders and hostile bytes', () => {
  it('survive random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => decodeEverything(Buffer.from(bytes))),
      { numRuns: 2000 },
    );
  });

  it('survive mutated captures, and what decodes encodes to the same bytes', () => {
    fc.assert(fc.property(mutated, decodeEverything), { numRuns: 3000 });
  });

  it('survive text that is almost JSON', () => {
    fc.assert(fc.property(almostJson, decodeBody), { numRuns: 2000 });
  });

  it('give the same answer for a plain Uint8Array at an odd offset', () => {
    fc.assert(
      fc.property(mutated, fc.integer({ min: 0, max: 7 }), (bytes, offset) => {
        const memory = new Uint8Array(bytes.length + offset + 3).fill(0xee);
        memory.set(bytes, offset);
        const view = memory.subarray(offset, offset + bytes.length);
        expect(decodeFrame(view)).toEqual(decodeFrame(bytes));
        expect(decodeAmopBody(view)).toEqual(decodeAmopBody(bytes));
        expect(parseTopicList(view)).toEqual(parseTopicList(bytes));
        expect(parseTopics(view)).toEqual(parseTopics(bytes));
        expect(decodeP2PFrame('rc2', view)).toEqual(decodeP2PFrame('rc2', bytes));
      }),
      { numRuns: 500 },
    );
  });
});

describe('round trips', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const seq = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const bytes = fc.uint8Array({ maxLength: 200 });

  it('any channel frame', () => {
    fc.assert(
      fc.property(u16, seq, i32, bytes, (type, seqBytes, result, body) => {
        const encoded = encodeFrame(type, seqBytes, result, body);
        const decoded = decodeFrame(encoded);
        if (decoded.status !== 'ok') throw new Error(decoded.status);
        expect(decoded.consumed).toBe(encoded.length);
        expect(decoded.frame).toEqual({ type, seq: Buffer.from(seqBytes), result, body: Buffer.from(body) });
      }),
    );
  });

  it('any AMOP body, up to a topic of 254 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 254 }), bytes, (topic, payload) => {
        const decoded = decodeAmopBody(encodeAmopBody(topic, payload));
        expect(decoded).toEqual({ ok: true, topic: Buffer.from(topic), payload: Buffer.from(payload) });
      }),
    );
  });

  it('any P2P frame', () => {
    const header = fc.record({ version: u16, protocolId: i32, packetType: u16, seq: u32 });
    fc.assert(
      fc.property(fc.constantFrom<P2PFormat>('rc2', 'rc1'), header, bytes, (format, fields, payload) => {
        const rc1 = { version: 0, protocolId: (fields.protocolId << 16) >> 16 };
        const sent = format === 'rc1' ? { ...fields, ...rc1 } : fields;
        const decoded = decodeP2PFrame(format, encodeP2PFrame(format, sent, payload));
        if (decoded.status !== 'ok') throw new Error(decoded.status);
        const compressed = (sent.version & 0x8000) !== 0;
        expect(decoded.frame).toEqual({ ...sent, compressed, payload: Buffer.from(payload) });
      }),
    );
  });

  it('any protocol ID in range', () => {
    fc.assert(
      fc.property(fc.nat({ max: 127 }), fc.integer({ min: 1, max: 255 }), fc.boolean(), (group, module, response) => {
        for (const format of ['rc2', 'rc1'] as const) {
          const parts = { group, module, response };
          expect(protocolParts(format, protocolIdOf(format, parts))).toEqual(parts);
        }
      }),
    );
  });

  it('any JSON result', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.oneof(fc.nat(), fc.string()), (result, id) => {
        const text = formatRpcResult(id, result as never).toString();
        expect(text.endsWith('}\n')).toBe(true);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ id, jsonrpc: '2.0', result })));
      }),
    );
  });
});
