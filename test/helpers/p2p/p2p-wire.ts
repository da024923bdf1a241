/**
 * The P2P frame as the fisco 2.x node specification draws it (§3.3, §3.4), written a second time for the tests: nothing
 * here comes from the relay, or a mistake of its codec would be on both sides of every comparison.
 *
 *   RC2  0 u32 length | 4 u16 version (0x8000: data is one raw Snappy block) | 6 i32 protocol ID | 10 u16 packet type
 *        12 u32 seq   | 16 data
 *   RC1  0 u32 length | 4 i16 protocol ID | 6 u16 packet type | 8 u32 seq | 12 data
 *
 * A response carries the negated protocol ID of its request.
 */
import { compressSync, uncompressSync } from 'snappy';

export type Format = 'rc1' | 'rc2';

export const P2P_HEADER_BYTES: Readonly<Record<Format, number>> = { rc1: 12, rc2: 16 };
export const P2P_FRAME_BYTES_MAX = 104_857_600;
export const COMPRESSED_FLAG = 0x8000;

export const PROTOCOL = { amop: 1, topics: 2, relayHello: 90 } as const;

/** Packet types of protocol 2. */
export const TOPICS = { seq: 1, request: 2, list: 3 } as const;

/** Packet types of protocol 1; receivers look at the inner frame only. */
export const AMOP = { unicast: 0, multicast: 1 } as const;

/** Bodies above this are compressed by a node with its default configuration; RC1 knows no compression. */
const COMPRESS_ABOVE_BYTES = 1_024;

export interface P2PMessage {
  readonly protocolId: number;
  readonly packetType: number;
  readonly seq: number;
  readonly data: Buffer;
}

export interface P2PFrame extends P2PMessage {
  /** `data` was compressed on the wire; it is plain here. */
  readonly compressed: boolean;
  /** As it came. */
  readonly bytes: Buffer;
}

export function encodeP2P(format: Format, message: P2PMessage, compress = false): Buffer {
  const compressed = compress && format === 'rc2' && message.data.length > COMPRESS_ABOVE_BYTES;
  const data = compressed ? compressSync(message.data) : message.data;
  return encodeRawP2P(format, message, data, compressed ? COMPRESSED_FLAG : 0);
}

/** A frame with any data and version, right or wrong. */
export function encodeRawP2P(
  format: Format,
  header: Omit<P2PMessage, 'data'>,
  data: Uint8Array,
  version = 0,
  length = P2P_HEADER_BYTES[format] + data.length,
): Buffer {
  const start = P2P_HEADER_BYTES[format];
  const frame = Buffer.alloc(start + data.length);
  frame.writeUInt32BE(length, 0);
  if (format === 'rc2') {
    frame.writeUInt16BE(version, 4);
    frame.writeInt32BE(header.protocolId, 6);
  } else {
    frame.writeInt16BE(header.protocolId, 4);
  }
  frame.writeUInt16BE(header.packetType, start - 6);
  frame.writeUInt32BE(header.seq, start - 4);
  frame.set(data, start);
  return frame;
}

/** Damaged compressed data becomes empty data, as in the node. */
export function decodeP2P(format: Format, bytes: Buffer): P2PFrame {
  const start = P2P_HEADER_BYTES[format];
  const compressed = format === 'rc2' && (bytes.readUInt16BE(4) & COMPRESSED_FLAG) !== 0;
  const data = bytes.subarray(start);
  return {
    protocolId: format === 'rc2' ? bytes.readInt32BE(6) : bytes.readInt16BE(4),
    packetType: bytes.readUInt16BE(start - 6),
    seq: bytes.readUInt32BE(start - 4),
    data: compressed ? uncompressOrEmpty(data) : data,
    compressed,
    bytes,
  };
}

function uncompressOrEmpty(data: Buffer): Buffer {
  try {
    return uncompressSync(data, { asBuffer: true }) as Buffer;
  } catch {
    return Buffer.alloc(0);
  }
}

/** What the decoder does with a stream it cannot follow (§3.3.3). */
export type Fault = 'too-short' | 'too-long';

/** Cuts a stream into frames. After a fault it reads nothing any more. */
export class P2PFrameReader {
  fault: Fault | undefined;
  private readonly format: Format;
  private chunks: Buffer[] = [];
  private buffered = 0;
  private needed = 4;

  constructor(format: Format) {
    this.format = format;
  }

  push(chunk: Buffer, onFrame: (frame: P2PFrame) => void): void {
    if (this.fault !== undefined) return;
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    if (this.buffered < this.needed) return;
    let bytes = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    this.needed = 4;
    while (bytes.length >= 4) {
      const length = bytes.readUInt32BE(0);
      if (length < P2P_HEADER_BYTES[this.format]) this.fault = 'too-short';
      else if (length > P2P_FRAME_BYTES_MAX) this.fault = 'too-long';
      if (this.fault !== undefined) return;
      if (bytes.length < length) {
        this.needed = length;
        break;
      }
      onFrame(decodeP2P(this.format, bytes.subarray(0, length)));
      bytes = bytes.subarray(length);
    }
    this.chunks = bytes.length === 0 ? [] : [bytes];
    this.buffered = bytes.length;
  }
}

/** `S`, then a TAB and a topic for each topic in the order of its bytes (§3.7.3). */
export function formatTopicList(topicSeq: number, topics: Iterable<string>): Buffer {
  const sorted = [...topics].map((topic) => Buffer.from(topic)).sort(Buffer.compare);
  return Buffer.from([topicSeq, ...sorted].join('\t'));
}

export function parseTopicList(data: Buffer): { topicSeq: number; topics: string[] } {
  const [topicSeq, ...topics] = data.toString().split('\t');
  if (!/^\d+$/.test(topicSeq)) throw new Error(`a topic list begins with ${JSON.stringify(topicSeq)}`);
  return { topicSeq: Number(topicSeq), topics };
}

/** A frame in words, for failing tests. */
export function describeP2P({ protocolId, packetType, seq, data }: P2PMessage): string {
  return `${protocolId}/${packetType} seq ${seq}, ${data.length} bytes`;
}
