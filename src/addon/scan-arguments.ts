import { assert } from '../base/errors.js';
import { CHANNEL_HEADER_BYTES, TOPIC_BYTES_MAX } from '../base/limits.js';
import { ROW_INTS, SCAN_HEAD } from './types.js';

/** Offsets and lengths go into an Int32Array. */
const INT32_MAX = 0x7fff_ffff;

/** Bytes of a scanner's seed: the 128-bit key of SipHash; the twin uses the first half. */
export const SEED_BYTES = 16;

export function checkScanArguments(chunk: Uint8Array, start: number, rows: Int32Array): void {
  assert(rows.length >= SCAN_HEAD + ROW_INTS, 'rows of a scan hold at least one row');
  assert(Number.isInteger(start) && start >= 0 && start <= chunk.length, 'a scan starts inside its chunk');
  assert(chunk.length <= INT32_MAX, 'a scanned chunk is below 2 GiB');
}

export function checkIntern(topic: Uint8Array, id: number): void {
  assert(topic.length <= TOPIC_BYTES_MAX, 'an interned topic has at most 254 bytes');
  assert(Number.isInteger(id) && id >= 0 && id <= INT32_MAX, 'a topic id is an integer from 0 to 2^31 - 1');
}

export function checkScannerOptions(frameBytesMax: number, seed: Uint8Array): void {
  assert(
    Number.isInteger(frameBytesMax) && frameBytesMax >= CHANNEL_HEADER_BYTES && frameBytesMax <= INT32_MAX,
    'frameBytesMax is an integer from 42 to 2^31 - 1',
  );
  assert(seed.length === SEED_BYTES, 'the seed of a scanner has 16 bytes');
}
