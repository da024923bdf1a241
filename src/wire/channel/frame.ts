/**
 * The frame of the 2.x channel port. All integers are big-endian.
 *
 *   offset size field
 *   0      4    length   u32, the whole frame: 42 + body
 *   4      2    type     u16
 *   6      32   seq      raw bytes, chosen by the requester and repeated in the answer; never parsed
 *   38     4    result   i32
 *   42     n    body
 *
 * Invariant: a frame that decodes with status `ok` encodes to the same bytes.
 * Seen in captured frames of FISCO BCOS v2.11.0.
 */
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, SEQ_BYTES } from '../../base/limits.js';
import { frameBounds, readI32, readU16, viewOf } from '../bytes.js';

export const TYPE_OFFSET = 4;
export const SEQ_OFFSET = 6;
export const RESULT_OFFSET = 38;

export interface ChannelFrame {
  readonly type: number;
  /** 32 bytes. */
  readonly seq: Buffer;
  /** i32; 0 is success. */
  readonly result: number;
  readonly body: Buffer;
}

export type DecodedFrame =
  /** `seq` and `body` are views of the input; `consumed` is the length of the frame in bytes. */
  | { readonly status: 'ok'; readonly frame: ChannelFrame; readonly consumed: number }
  /** `needed`: bytes of the whole frame, or 42 while its length is unknown. */
  | { readonly status: 'incomplete'; readonly needed: number }
  /** The declared length is outside 42..maximum: close the connection, no later frame can be found. */
  | { readonly status: 'too-short' | 'too-long'; readonly length: number };

/** Type of the frame that starts at `offset`. */
export function readType(bytes: Uint8Array, offset = 0): number {
  return readU16(bytes, offset + TYPE_OFFSET);
}

/** Result of the frame that starts at `offset`, i32. */
export function readResult(bytes: Uint8Array, offset = 0): number {
  return readI32(bytes, offset + RESULT_OFFSET);
}

/** Decodes the first frame of `bytes`. Never throws for input; bytes behind the frame are left alone. */
export function decodeFrame(bytes: Uint8Array, frameBytesMax = CHANNEL_FRAME_BYTES_MAX): DecodedFrame {
  const bounds = frameBounds(bytes, CHANNEL_HEADER_BYTES, frameBytesMax);
  if (bounds.status !== 'ok') return bounds;
  const frame: ChannelFrame = {
    type: readType(bytes),
    seq: viewOf(bytes, SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES),
    result: readResult(bytes),
    body: viewOf(bytes, CHANNEL_HEADER_BYTES, bounds.length),
  };
  return { status: 'ok', frame, consumed: bounds.length };
}

/**
 * Encodes a frame with a body.
 * @throws RangeError when `seq` is not 32 bytes, the frame would be over the maximum, or an integer is out of range.
 */
export function encodeFrame(type: number, seq: Uint8Array, result: number, body: Uint8Array): Buffer {
  if (seq.length !== SEQ_BYTES) throw new RangeError(`seq must be ${SEQ_BYTES} bytes, got ${seq.length}`);
  const length = CHANNEL_HEADER_BYTES + body.length;
  if (length > CHANNEL_FRAME_BYTES_MAX) {
    throw new RangeError(`frame of ${length} bytes is over the maximum of ${CHANNEL_FRAME_BYTES_MAX}`);
  }
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt16BE(type, TYPE_OFFSET);
  frame.set(seq, SEQ_OFFSET);
  frame.writeInt32BE(result, RESULT_OFFSET);
  frame.set(body, CHANNEL_HEADER_BYTES);
  return frame;
}

const NO_BYTES = new Uint8Array(0);

/** Encodes a frame of 42 bytes: the form of every error answer (results 100-103) and of the 0x37 acknowledgement. */
export function encodeEmptyFrame(type: number, seq: Uint8Array, result: number): Buffer {
  return encodeFrame(type, seq, result, NO_BYTES);
}
