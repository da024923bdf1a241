/**
 * Bounds of a declared length, the same question on every port: both headers begin with the total length as u32.
 * "Not all here yet" is a plain value, so that a reader never pays for an exception when a frame spans chunks.
 */

/** What stands at the start of a byte string that should begin with a frame. */
export type FrameBounds =
  | { readonly status: 'ok'; readonly length: number }
  /** `needed`: bytes the frame has in all, or those of its header while the length field is not complete. */
  | { readonly status: 'incomplete'; readonly needed: number }
  /** `length`: what the length field says. The stream cannot be read any further. */
  | { readonly status: 'too-short' | 'too-long'; readonly length: number };

/** Bytes of the length field. */
const LENGTH_BYTES = 4;

/** u16, big-endian. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

/** u32, big-endian. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset) >>> 0;
}

/** i32, big-endian two's complement. */
export function readI32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
}

/** A Buffer over the same memory. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** Judges the length field as soon as it is complete: a bad one is known before anything is buffered for it. */
export function frameBounds(bytes: Uint8Array, headerBytes: number, frameBytesMax: number): FrameBounds {
  if (bytes.length < LENGTH_BYTES) return { status: 'incomplete', needed: headerBytes };
  const length = readU32(bytes, 0);
  if (length < headerBytes) return { status: 'too-short', length };
  if (length > frameBytesMax) return { status: 'too-long', length };
  if (bytes.length < length) return { status: 'incomplete', needed: length };
  return { status: 'ok', length };
}
