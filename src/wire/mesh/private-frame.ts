/**
 * What relays put in front of a channel frame on a private topic (decisions §1). Module RELAY_MODULE, requests; the answer comes
 * back as an AMOP response. All integers are big-endian.
 *
 *   privateMessage  u16 n, 1 or more | n x 8 bytes: handles of the sessions that may receive it | channel frame 0x30 or 0x35 on N
 *   challenge       8 bytes: handle of the session that challenges                              | channel frame 0x30 on V
 *
 * A handle is 8 random bytes that a relay gives a session for its life; in text it is 16 lower-case hex digits.
 */
import { viewOf } from '../bytes.js';

export const HANDLE_BYTES = 8;
const COUNT_BYTES = 2;
/** A message names every session that may receive it; a topic with more receivers on one relay is a public one. */
export const HANDLES_MAX = 4_096;

const HANDLE = /^[0-9a-f]{16}$/;

export function isHandle(text: string): boolean {
  return HANDLE.test(text);
}

/**
 * The part in front of a private message; `handles` are valid ones.
 * @throws RangeError for none or more than the maximum
 */
export function encodeHandles(handles: readonly string[]): Buffer {
  if (handles.length === 0 || handles.length > HANDLES_MAX) throw new RangeError(`${handles.length} handles`);
  const bytes = Buffer.allocUnsafe(COUNT_BYTES + handles.length * HANDLE_BYTES);
  bytes.writeUInt16BE(handles.length, 0);
  handles.forEach((handle, index) => {
    bytes.write(handle, COUNT_BYTES + index * HANDLE_BYTES, 'hex');
  });
  return bytes;
}

/** The part in front of a challenge. */
export function encodeHandle(handle: string): Buffer {
  return Buffer.from(handle, 'hex');
}

export interface PrivateMessage {
  /** 8 bytes each, one after the other; a view of the input. */
  readonly handles: Buffer;
  /** A view of the input. */
  readonly frame: Buffer;
}

/** Takes a private message apart, or undefined for what is none. Never throws. */
export function decodePrivateMessage(payload: Uint8Array): PrivateMessage | undefined {
  if (payload.length < COUNT_BYTES) return undefined;
  const count = (payload[0] << 8) | payload[1];
  const start = COUNT_BYTES + count * HANDLE_BYTES;
  if (count === 0 || count > HANDLES_MAX || payload.length < start) return undefined;
  return { handles: viewOf(payload, COUNT_BYTES, start), frame: viewOf(payload, start, payload.length) };
}

export interface Challenge {
  readonly handle: string;
  /** A view of the input. */
  readonly frame: Buffer;
}

/** Takes a challenge apart, or undefined for what is none. Never throws. */
export function decodeChallenge(payload: Uint8Array): Challenge | undefined {
  if (payload.length < HANDLE_BYTES) return undefined;
  return {
    handle: viewOf(payload, 0, HANDLE_BYTES).toString('hex'),
    frame: viewOf(payload, HANDLE_BYTES, payload.length),
  };
}
