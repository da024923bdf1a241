import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame } from '../../../src/wire/channel/frame.js';
import { encodeP2PHeader } from '../../../src/wire/p2p/frame.js';
import {
  type P2PFormat,
  P2PModule,
  protocolIdOf,
  protocolParts,
  TopicPacketType,
} from '../../../src/wire/p2p/protocol-id.js';
import { declaredSize, decompress } from '../../../src/wire/p2p/snappy.js';
import { formatTopicSeq, formatTopics, parseTopicSeq, parseTopics } from '../../../src/wire/p2p/topics.js';
import { bytesOf, channelCaptures, type P2PCapture, p2pCaptures, rc1Captures } from './captures.js';
import { p2pCodec } from './codecs.js';
import { fourChecks } from './four-checks.js';

const frames: { format: P2PFormat; file: string; capture: P2PCapture }[] = [
  ...p2pCaptures.map((capture) => ({ format: 'rc2' as const, file: capture.file, capture })),
  ...rc1Captures.map((capture) => ({ format: 'rc1' as const, file: capture.file, capture })),
];

/** The plain payload of a capture. */
function plain(format: P2PFormat, capture: P2PCapture): Buffer {
  const answer = p2pCodec(format).decode(bytesOf(capture));
  if (answer.frame === undefined) throw new Error(answer.status);
  if (!answer.frame.compressed) return answer.frame.payload;
  const unpacked = decompress(answer.frame.payload, capture.uncompressed_len ?? 0);
  if (!unpacked.ok) throw new Error(unpacked.problem);
  return unpacked.bytes;
}

describe('captured P2P frames', () => {
  it('are all there', () => expect([p2pCaptures.length, rc1Captures.length]).toEqual([63, 10]));

  it.each(frames)('decode whole and at every split point and re-encode: $format $file', ({ format, capture }) => {
    const frame = fourChecks(bytesOf(capture), p2pCodec(format));
    expect(frame.protocolId).toBe(capture.protocolID);
    expect(frame.packetType).toBe(capture.packetType);
    expect(frame.seq).toBe(capture.seq);
    expect(frame.payload.length).toBe(capture.payload_len);
    expect(frame.version).toBe(Number(capture.version ?? 0));
    expect(frame.compressed).toBe(capture.version === '0x8000');
    const header = encodeP2PHeader(format, frame, frame.payload.length);
    expect(bytesOf(capture).subarray(0, header.length).equals(header)).toBe(true);

    const parts = protocolParts(format, frame.protocolId);
    expect(parts).toEqual({ group: 0, module: Math.abs(capture.protocolID), response: capture.protocolID < 0 });
    expect(protocolIdOf(format, parts)).toBe(capture.protocolID);
  });

  it('decompress to the declared size and to a channel frame', () => {
    const packed = p2pCaptures.filter((capture) => capture.version === '0x8000');
    expect(packed.length).toBe(2);
    for (const capture of packed) {
      const payload = bytesOf(capture).subarray(16);
      expect(declaredSize(payload)).toBe(capture.uncompressed_len);
      const bytes = plain('rc2', capture);
      expect(bytes.length).toBe(capture.uncompressed_len);
      // The same frame was captured uncompressed on the channel port.
      expect(channelCaptures.map((other) => other.hex)).toContain(bytes.toString('hex'));
      expect(decompress(payload, bytes.length - 1)).toEqual({ ok: false, problem: 'too-large' });
    }
  });

  it('carry a whole channel frame when they are AMOP', () => {
    const amop = frames.filter(({ capture }) => Math.abs(capture.protocolID) === P2PModule.amop);
    expect(amop.length).toBeGreaterThan(25);
    for (const { format, capture } of amop) {
      const bytes = plain(format, capture);
      const inner = decodeFrame(bytes);
      if (inner.status !== 'ok') throw new Error(`${capture.file}: ${inner.status}`);
      expect(inner.consumed).toBe(bytes.length);
      const { type, seq, result, body } = inner.frame;
      expect(type).toBe(capture.protocolID < 0 ? 0x31 : capture.packetType === 1 ? 0x35 : 0x30);
      expect(encodeFrame(type, seq, result, body).equals(bytes)).toBe(true);
    }
  });

  it('carry topic lists that are read and written to the same bytes', () => {
    let seqs = 0;
    let lists = 0;
    for (const { format, capture } of frames) {
      if (Math.abs(capture.protocolID) !== P2PModule.topics) continue;
      const payload = plain(format, capture);
      if (capture.packetType === TopicPacketType.sendTopicSeq) {
        const topicSeq = parseTopicSeq(payload);
        expect(topicSeq).toBe(Number(payload.toString()));
        expect(formatTopicSeq(topicSeq ?? -1).equals(payload)).toBe(true);
        seqs++;
      } else if (capture.packetType === TopicPacketType.sendTopics) {
        const parsed = parseTopics(payload);
        if (!parsed.ok) throw new Error(parsed.problem);
        expect(parsed.refused).toBe(0);
        expect([String(parsed.topicSeq), ...parsed.topics].join('\t')).toBe(payload.toString('utf8'));
        expect(formatTopics(parsed.topicSeq, [...parsed.topics].reverse()).equals(payload)).toBe(true);
        lists++;
      } else {
        expect(payload.length).toBe(0);
      }
    }
    expect(seqs).toBeGreaterThan(15);
    expect(lists).toBeGreaterThan(10);
  });
});
