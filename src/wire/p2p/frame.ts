/**
 * The frame of the 2.x P2P port in both formats. All integers are big-endian.
 *
 *   RC2 offset size                     RC1 offset size
 *       0      4  length      u32           0      4  length      u32   header included
 *       4      2  version     u16           -
 *       6      4  protocolID  i32           4      2  protocolID  i16   see protocol-id.ts
 *       10     2  packetType  u16           6      2  packetType  u16
 *       12     4  seq         u32           8      4  seq         u32
 *       16     n  payload                   12     n  payload
 *
 * Bit 0x8000 of `version` says that the payload is a raw Snappy block (snappy.ts); it stays compressed here, so that
 * nothing is allocated for a size somebody merely claims. RC1 has no compression.
 * Invariant: a frame that decodes with status `ok` encodes to the same bytes. Seen in captured frames.
 */
import { P2P_FRAME_BYTES_MAX } from '../../base/limits.js';
import { frameBounds, readI32, readU16, readU32, viewOf } from '../bytes.js';
import type { P2PFormat } from './protocol-id.js';

export const P2P_HEADER_BYTES = { rc2: 16, rc1: 12 } as const satisfies Record<P2PFormat, number>;

/** Flag in `version`: the payload is compressed. */
export const COMPRESSED_FLAG = 0x8000;

export interface P2PHeader {
  /** u16; always 0 in RC1. */
  readonly version: number;
  /** Signed. */
  readonly protocolId: number;
  readonly packetType: number;
  /**
   * u32. 0 stands in SendTopicSeq only: a node that answers a request with seq 0 replaces it by a number of its own.
   */
  readonly seq: number;
}

export interface P2PFrame extends P2PHeader {
  /** True when `payload` is a Snappy block. */
  readonly compressed: boolean;
  readonly payload: Buffer;
}

export type DecodedP2PFrame =
  /** `payload` is a view of the input. */
  | { readonly status: 'ok'; readonly frame: P2PFrame; readonly consumed: number }
  /** `needed`: bytes of the whole frame, or of its header while the length is unknown. */
  | { readonly status: 'incomplete'; readonly needed: number }
  /** The declared length is outside header..maximum: close the connection. */
  | { readonly status: 'too-short' | 'too-long'; readonly length: number };

/** Decodes the first frame of `bytes`. Never throws for input; bytes behind the frame are left alone. */
export function decodeP2PFrame(
  format: P2PFormat,
  bytes: Uint8Array,
  frameBytesMax = P2P_FRAME_BYTES_MAX,
): DecodedP2PFrame {
  const headerBytes = P2P_HEADER_BYTES[format];
  const bounds = frameBounds(bytes, headerBytes, frameBytesMax);
  if (bounds.status !== 'ok') return bounds;
  const isRc1 = format === 'rc1';
  const version = isRc1 ? 0 : readU16(bytes, 4);
  // Every field in one literal: a header spread into it costs V8 more than all the rest of the frame's decoding.
  const frame = {
    version,
    protocolId: isRc1 ? (readU16(bytes, 4) << 16) >> 16 : readI32(bytes, 6),
    packetType: readU16(bytes, headerBytes - 6),
    seq: readU32(bytes, headerBytes - 4),
    compressed: (version & COMPRESSED_FLAG) !== 0,
    payload: viewOf(bytes, headerBytes, bounds.length),
  };
  return { status: 'ok', frame, consumed: bounds.length };
}

const NOTHING = new Uint8Array(0);

/**
 * Encodes the header in front of a payload of `payloadBytes`, for writers that send the payload without copying it.
 * @param start the payload's first bytes, which come behind the header; the caller sends the rest
 * @throws RangeError when the frame would be over the maximum, an integer does not fit, or RC1 is given a version.
 */
export function encodeP2PHeader(
  format: P2PFormat,
  header: P2PHeader,
  payloadBytes: number,
  start: Uint8Array = NOTHING,
): Buffer {
  const headerBytes = P2P_HEADER_BYTES[format];
  const length = headerBytes + payloadBytes;
  if (length > P2P_FRAME_BYTES_MAX) {
    throw new RangeError(`frame of ${length} bytes is over the maximum of ${P2P_FRAME_BYTES_MAX}`);
  }
  const bytes = Buffer.allocUnsafe(headerBytes + start.length);
  let at = bytes.writeUInt32BE(length, 0);
  if (format === 'rc1') {
    if (header.version !== 0) throw new RangeError('an RC1 header has no version field');
    at = bytes.writeInt16BE(header.protocolId, at);
  } else {
    at = bytes.writeUInt16BE(header.version, at);
    at = bytes.writeInt32BE(header.protocolId, at);
  }
  at = bytes.writeUInt16BE(header.packetType, at);
  at = bytes.writeUInt32BE(header.seq, at);
  if (start.length > 0) bytes.set(start, at);
  return bytes;
}

/** Encodes a whole frame; throws like `encodeP2PHeader`. A payload is never compressed: plain is always understood. */
export function encodeP2PFrame(format: P2PFormat, header: P2PHeader, payload: Uint8Array): Buffer {
  return encodeP2PHeader(format, header, payload.length, payload);
}
