/** Bytes of frames from what people paste: hex with blanks, colons or 0x, or raw bytes on standard input. */
import { RelayError } from '../base/errors.js';
import { P2P_FRAME_BYTES_MAX } from '../base/limits.js';

/** Hex has two digits and mostly a blank for each byte. */
const STDIN_BYTES_MAX = 3 * P2P_FRAME_BYTES_MAX;

const SEPARATORS: ReadonlySet<string> = new Set([' ', '\t', '\r', '\n', ':', ',']);

/**
 * A loop and no regular expression: an input of megabytes would exhaust the stack of one.
 *
 * @throws RelayError `usage` with the place of the first character that is no hex
 */
export function bytesOfHex(text: string): Buffer {
  const bytes = Buffer.alloc(Math.ceil(text.length / 2));
  let digits = 0;
  let fresh = true;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (fresh && char === '0' && (text[at + 1] === 'x' || text[at + 1] === 'X')) {
      at++;
      continue;
    }
    fresh = SEPARATORS.has(char);
    if (fresh) continue;
    const value = nibble(text.charCodeAt(at));
    if (value === undefined) {
      throw new RelayError('usage', `character ${at + 1} of the input, ${JSON.stringify(char)}, is no hex digit`);
    }
    bytes[digits >> 1] |= digits % 2 === 0 ? value << 4 : value;
    digits++;
  }
  if (digits === 0) throw new RelayError('usage', 'no bytes were given');
  if (digits % 2 !== 0) throw new RelayError('usage', `${digits} hex digits are half a byte too many or too few`);
  return bytes.subarray(0, digits / 2);
}

function nibble(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}

/** Text of hex digits is read as hex, anything else as the bytes themselves. */
export function bytesOfStdin(bytes: Buffer): Buffer {
  for (const byte of bytes) {
    // Text that is printable but no hex is a mistake that bytesOfHex can explain; frames have bytes that no text has.
    if (byte < 0x20 ? byte !== 0x09 && byte !== 0x0a && byte !== 0x0d : byte > 0x7e) return bytes;
  }
  return bytesOfHex(bytes.toString('latin1'));
}

export async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > STDIN_BYTES_MAX) {
      throw new RelayError('usage', `standard input holds more than ${STDIN_BYTES_MAX} bytes`);
    }
  }
  return Buffer.concat(chunks, bytes);
}
