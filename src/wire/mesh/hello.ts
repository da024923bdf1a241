/**
 * The relay hello: the first frame that a relay sends on every link, dialled or accepted. P2P frame with protocol ID 90
 * (group 0, so it fits the 8-bit module of RC1), packetType 1, seq not 0; a 2.x node drops the unknown ID and stays connected.
 *
 *   offset size
 *   0      2  version          u16   highest version of the relay protocol the sender speaks, from 1
 *   2      4  capabilities     u32   bits, none is assigned in version 1
 *   6      8  boot epoch       u64   milliseconds since 1970 at which the sending process started
 *   14     n  reserved for later versions, ignored
 *
 * Integers are big-endian. A receiver takes a higher version and unknown bits as they are and uses what both sides know.
 * The boot epoch tells two starts of one node apart: a link to the earlier start is dead, whatever TCP thinks of it.
 */

export const RELAY_VERSION = 1;

const HELLO_BYTES = 14;
/** Later versions add tens of bytes; a peer that sends more has no use for them. */
export const HELLO_BYTES_MAX = 1024;

const U16_MAX = 0xffff;
const U32_MAX = 0xffffffff;

export interface Hello {
  /** 1..65,535 */
  readonly version: number;
  /** u32 */
  readonly capabilities: number;
  /** 0..2^53-1 */
  readonly bootEpochMs: number;
}

export type HelloProblem = 'too-short' | 'too-long' | 'no-version' | 'boot-epoch';

export type DecodedHello =
  | { readonly ok: true; readonly hello: Hello }
  /** The peer speaks protocol 90 but not ours: close with `protocol-hello`. */
  | { readonly ok: false; readonly problem: HelloProblem };

/**
 * Encodes the body of a hello.
 * @throws RangeError when a field does not fit
 */
export function encodeHello(hello: Hello): Buffer {
  const { version, capabilities, bootEpochMs } = hello;
  if (!Number.isInteger(version) || version < 1 || version > U16_MAX) throw new RangeError(`hello version ${version}`);
  if (!Number.isInteger(capabilities) || capabilities < 0 || capabilities > U32_MAX) {
    throw new RangeError(`hello capabilities ${capabilities}`);
  }
  if (!Number.isSafeInteger(bootEpochMs) || bootEpochMs < 0) throw new RangeError(`hello boot epoch ${bootEpochMs}`);
  const body = Buffer.alloc(HELLO_BYTES);
  body.writeUInt16BE(version, 0);
  body.writeUInt32BE(capabilities, 2);
  body.writeBigUInt64BE(BigInt(bootEpochMs), 6);
  return body;
}

/** Decodes the body of a hello. Never throws; bytes behind the known fields are ignored. */
export function decodeHello(body: Uint8Array): DecodedHello {
  if (body.length < HELLO_BYTES) return { ok: false, problem: 'too-short' };
  if (body.length > HELLO_BYTES_MAX) return { ok: false, problem: 'too-long' };
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const version = view.getUint16(0);
  if (version === 0) return { ok: false, problem: 'no-version' };
  const bootEpochMs = Number(view.getBigUint64(6));
  if (!Number.isSafeInteger(bootEpochMs)) return { ok: false, problem: 'boot-epoch' };
  return { ok: true, hello: { version, capabilities: view.getUint32(2), bootEpochMs } };
}
