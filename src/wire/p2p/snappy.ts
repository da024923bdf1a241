/**
 * Raw Snappy blocks, as the payload of a P2P frame with flag 0x8000: a varint with the decompressed size, then elements.
 * Nodes compress by default above 1,024 bytes, so a receiver must understand them; the relay never sends any.
 *
 * The size is judged before anything is allocated, twice: against the caller's bound, and against what the elements can
 * yield at most. The densest element makes 64 bytes of 3, so 100 bytes cannot claim 100 MiB.
 */
import { uncompressSync } from 'snappy';

const VARINT_BYTES_MAX = 5;
const U32_MAX = 0xffffffff;
const ELEMENT_BYTES_MIN = 3;
const ELEMENT_YIELD_MAX = 64;

export type SnappyProblem =
  /** No varint of at most 32 bits at the start. */
  | 'no-size'
  /** The declared size is above the caller's bound. */
  | 'too-large'
  /** The declared size cannot come from so few bytes. */
  | 'impossible-size'
  | 'corrupt';

export type Decompressed =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly problem: SnappyProblem };

function readSize(data: Uint8Array): { readonly size: number; readonly sizeBytes: number } | undefined {
  let size = 0;
  for (let i = 0; i < VARINT_BYTES_MAX && i < data.length; i++) {
    size += (data[i] & 0x7f) * 2 ** (7 * i);
    if (data[i] < 0x80) return size > U32_MAX ? undefined : { size, sizeBytes: i + 1 };
  }
  return undefined;
}

/** The decompressed size in bytes that `data` claims, or undefined when it has no legal one. Allocates nothing. */
export function declaredSize(data: Uint8Array): number | undefined {
  return readSize(data)?.size;
}

/**
 * Decompresses a block of at most `bytesMax` bytes into memory of its own. Never throws; only part of a block is never
 * handed out (the reference passes zero-filled data on).
 */
export function decompress(data: Uint8Array, bytesMax: number): Decompressed {
  const declared = readSize(data);
  if (declared === undefined) return { ok: false, problem: 'no-size' };
  if (declared.size > bytesMax) return { ok: false, problem: 'too-large' };
  const elementBytes = data.length - declared.sizeBytes;
  if (declared.size * ELEMENT_BYTES_MIN > elementBytes * ELEMENT_YIELD_MAX) {
    return { ok: false, problem: 'impossible-size' };
  }
  let bytes: string | Buffer;
  try {
    bytes = uncompressSync(data, { asBuffer: true });
  } catch {
    return { ok: false, problem: 'corrupt' };
  }
  return typeof bytes === 'string' ? { ok: false, problem: 'corrupt' } : { ok: true, bytes };
}
