/**
 * The channel frame as the specification draws it, written a second time for the tests: nothing here may come from src,
 * or a mistake of the relay's codec would be on both sides of every comparison.
 *
 *   0  u32 length (whole frame) | 4  u16 type | 6  32 bytes seq | 38  i32 result | 42  body
 */
import { randomUUID } from 'node:crypto';

export const HEADER_BYTES = 42;

export const TYPE = {
  rpc: 0x12,
  heartbeat: 0x13,
  handshake: 0x14,
  eventRegister: 0x15,
  eventUnregister: 0x16,
  unicast: 0x30,
  response: 0x31,
  subscribe: 0x32,
  multicast: 0x35,
  requestTopicCert: 0x37,
  updateTopicStatus: 0x38,
} as const;

export interface Frame {
  readonly type: number;
  readonly seq: string;
  readonly result: number;
  readonly body: Buffer;
  /** The whole frame as it came. */
  readonly bytes: Buffer;
}

/** A sequence as the SDKs make it: 32 lower-case hex characters. */
export function newSeq(): string {
  return randomUUID().replaceAll('-', '');
}

export function encodeFrame(type: number, seq: string, result: number, body: Uint8Array | string): Buffer {
  const bodyBytes = typeof body === 'string' ? Buffer.from(body) : body;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt16BE(type, 4);
  if (frame.write(seq, 6, 32, 'latin1') !== 32) throw new Error(`a seq has 32 bytes, not ${seq.length}`);
  frame.writeInt32BE(result, 38);
  frame.set(bodyBytes, HEADER_BYTES);
  return frame;
}

export function decodeFrame(bytes: Buffer): Frame {
  return {
    type: bytes.readUInt16BE(4),
    seq: bytes.toString('latin1', 6, 38),
    result: bytes.readInt32BE(38),
    body: bytes.subarray(HEADER_BYTES),
    bytes,
  };
}

/** AMOP body: a byte that counts itself and the topic, the topic, the payload. */
export function amopBody(topic: string, payload: Uint8Array | string = ''): Buffer {
  const topicBytes = Buffer.from(topic);
  if (topicBytes.length > 254) throw new Error('a topic has at most 254 bytes');
  const payloadBytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return Buffer.concat([Buffer.from([1 + topicBytes.length]), topicBytes, payloadBytes]);
}

export function parseAmopBody(body: Buffer): { topic: string; payload: Buffer } {
  const prefix = body[0] ?? 0;
  if (prefix < 1 || prefix > body.length) throw new Error(`topic byte ${prefix} in a body of ${body.length} bytes`);
  return { topic: body.toString('utf8', 1, prefix), payload: body.subarray(prefix) };
}

/** Cuts a byte stream into frames; chunks are joined once per frame, so that large frames stay linear. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private buffered = 0;
  private needed = HEADER_BYTES;

  push(chunk: Buffer, onFrame: (bytes: Buffer) => void): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    if (this.buffered < this.needed) return;
    let bytes = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    while (bytes.length >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(0);
      if (length < HEADER_BYTES) throw new Error(`received a frame length of ${length}`);
      if (bytes.length < length) break;
      onFrame(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    this.needed = bytes.length >= HEADER_BYTES ? bytes.readUInt32BE(0) : HEADER_BYTES;
    this.chunks = bytes.length === 0 ? [] : [bytes];
    this.buffered = bytes.length;
  }
}
