/**
 * Bytes to frames. Both ports begin a frame with its length; what follows tells them apart: a channel frame has its type at
 * byte 4, a P2P frame in RC2 format a version of 0 or 0x8000, one in RC1 format a protocol ID.
 */

import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, P2P_FRAME_BYTES_MAX, SEQ_BYTES } from '../base/limits.js';
import type { FrameBounds } from '../wire/bytes.js';
import { frameBounds, readU16 } from '../wire/bytes.js';
import { SEQ_OFFSET } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { COMPRESSED_FLAG, P2P_HEADER_BYTES } from '../wire/p2p/frame.js';
import { protocolParts } from '../wire/p2p/protocol-id.js';

export type FrameFormat = 'channel' | 'rc2' | 'rc1';

export const FORMAT_WORDS: Readonly<Record<FrameFormat, string>> = {
  channel: 'channel port',
  rc2: 'P2P port, RC2 header',
  rc1: 'P2P port, RC1 header',
};

/** Modules of 2.x nodes, and the one that relays speak among themselves. */
export const MODULE_NAMES: Readonly<Record<number, string>> = {
  1: 'AMOP',
  2: 'topics',
  8: 'PBFT',
  9: 'block sync',
  10: 'transaction pool',
  11: 'Raft',
  90: 'relay',
};

const CHANNEL_TYPES: ReadonlySet<number> = new Set(Object.values(MessageType));
const TELLING_BYTES = 6;

/** Which frames these are, by the first of them; undefined when it looks like none. */
export function detectFormat(bytes: Uint8Array): FrameFormat | undefined {
  if (bytes.length < TELLING_BYTES) return undefined;
  const word = readU16(bytes, 4);
  if (word === 0 || word === COMPRESSED_FLAG) return 'rc2';
  if (CHANNEL_TYPES.has(word)) return 'channel';
  const { module } = protocolParts('rc1', (word << 16) >> 16);
  if (module in MODULE_NAMES) return 'rc1';
  // A type that nobody knows, but a sequence as every SDK writes it.
  const seq = bytes.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES);
  return seq.length === SEQ_BYTES && seq.every((byte) => byte > 0x20 && byte < 0x7f) ? 'channel' : undefined;
}

export type Part =
  | { readonly ok: true; readonly offset: number; readonly bytes: Buffer }
  /** Why no further frame can be found, and the bytes from there on. */
  | { readonly ok: false; readonly offset: number; readonly problem: string; readonly bytes: Buffer };

/** The frames one after the other; the last part says what is wrong with the rest, if there is one. */
export function* splitFrames(bytes: Buffer, format: FrameFormat): Generator<Part> {
  const headerBytes = format === 'channel' ? CHANNEL_HEADER_BYTES : P2P_HEADER_BYTES[format];
  const bytesMax = format === 'channel' ? CHANNEL_FRAME_BYTES_MAX : P2P_FRAME_BYTES_MAX;
  let offset = 0;
  while (offset < bytes.length) {
    const rest = bytes.subarray(offset);
    const bounds = frameBounds(rest, headerBytes, bytesMax);
    if (bounds.status !== 'ok') {
      yield { ok: false, offset, problem: boundsProblem(bounds, rest.length, headerBytes, bytesMax), bytes: rest };
      return;
    }
    yield { ok: true, offset, bytes: rest.subarray(0, bounds.length) };
    offset += bounds.length;
  }
}

function boundsProblem(
  bounds: Exclude<FrameBounds, { status: 'ok' }>,
  available: number,
  headerBytes: number,
  bytesMax: number,
): string {
  switch (bounds.status) {
    case 'incomplete':
      return available < headerBytes
        ? `cut off: ${available} bytes are here, and the header alone has ${headerBytes}`
        : `cut off: its length field says ${bounds.needed} bytes, ${available} are here, ${bounds.needed - available} missing`;
    case 'too-short':
      return `its length field says ${bounds.length}, less than its header of ${headerBytes} bytes; a receiver closes the connection`;
    case 'too-long':
      return `its length field says ${bounds.length}, more than the maximum of ${bytesMax} bytes; a receiver closes the connection`;
  }
}
