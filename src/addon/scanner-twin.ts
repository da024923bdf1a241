import { CHANNEL_HEADER_BYTES } from '../base/limits.js';
import { checkIntern, checkScanArguments, checkScannerOptions } from './scan-arguments.js';
import { TopicTable } from './topic-table.js';
import {
  type FrameScanner,
  type FrameScannerOptions,
  ROW_INTS,
  ROW_LENGTH,
  ROW_OFFSET,
  ROW_RESULT,
  ROW_TOPIC,
  ROW_TOPIC_BYTES,
  ROW_TYPE,
  SCAN_CONSUMED,
  SCAN_COUNT,
  SCAN_HEAD,
  SCAN_NEXT_LENGTH,
  SCAN_STATUS,
  ScanStatus,
  TopicFault,
} from './types.js';

const TYPE_UNICAST = 0x30;
const TYPE_MULTICAST = 0x35;

/** Fields of a channel frame (layout: native/core/frame_scanner.h). */
const TYPE_OFFSET = 4;
const RESULT_OFFSET = 38;

const UNDERSCORE = 0x5f;
const HASH_SIGN = 0x23;
const BLOCK_NOTIFY = Buffer.from('_block_notify_');
const PUSH_CHANNEL = Buffer.from('#!$PushChannel_');
const VERIFY_CHANNEL = Buffer.from('#!$VerifyChannel_');

/**
 * The frame scanner in TypeScript: the oracle of the native one in tests, its stand-in where the addon is missing, and the
 * faster of the two for a chunk of one or two frames. Allocates nothing in `scan`.
 */
export class TwinFrameScanner implements FrameScanner {
  readonly implementation = 'typescript';
  readonly #frameBytesMax: number;
  readonly #topics: TopicTable;

  constructor(options: FrameScannerOptions, seed: Uint8Array) {
    checkScannerOptions(options.frameBytesMax, seed);
    this.#frameBytesMax = options.frameBytesMax;
    this.#topics = new TopicTable(seed);
  }

  get size(): number {
    return this.#topics.size;
  }

  intern(topic: Uint8Array, id: number): void {
    checkIntern(topic, id);
    this.#topics.intern(topic, id);
  }

  release(topic: Uint8Array): boolean {
    return this.#topics.release(topic);
  }

  lookup(topic: Uint8Array): number {
    return this.#topics.lookup(topic);
  }

  scan(chunk: Uint8Array, start: number, rows: Int32Array): void {
    checkScanArguments(chunk, start, rows);
    const end = chunk.length;
    const rowsMax = Math.floor((rows.length - SCAN_HEAD) / ROW_INTS);
    let status: ScanStatus = ScanStatus.ok;
    let count = 0;
    let offset = start;
    let nextLength = 0;
    while (end - offset >= 4) {
      const length = readInt32(chunk, offset) >>> 0;
      if (length < CHANNEL_HEADER_BYTES) {
        status = ScanStatus.tooShort;
        break;
      }
      if (length > this.#frameBytesMax) {
        status = ScanStatus.tooLong;
        break;
      }
      if (length > end - offset) {
        nextLength = length;
        break;
      }
      if (count === rowsMax) {
        status = ScanStatus.rowsFull;
        break;
      }
      const row = SCAN_HEAD + count * ROW_INTS;
      const type = (chunk[offset + TYPE_OFFSET]! << 8) | chunk[offset + TYPE_OFFSET + 1]!;
      rows[row + ROW_OFFSET] = offset;
      rows[row + ROW_LENGTH] = length;
      rows[row + ROW_TYPE] = type;
      rows[row + ROW_RESULT] = readInt32(chunk, offset + RESULT_OFFSET);
      rows[row + ROW_TOPIC] = 0;
      rows[row + ROW_TOPIC_BYTES] = 0;
      if (type === TYPE_UNICAST || type === TYPE_MULTICAST) {
        this.#writeTopic(chunk, offset + CHANNEL_HEADER_BYTES, offset + length, type, rows, row);
      }
      count++;
      offset += length;
    }
    rows[SCAN_STATUS] = status;
    rows[SCAN_COUNT] = count;
    rows[SCAN_CONSUMED] = offset - start;
    rows[SCAN_NEXT_LENGTH] = nextLength;
  }

  /** Topic id or fault of the body `[body, end)` into the row. */
  #writeTopic(chunk: Uint8Array, body: number, end: number, type: number, rows: Int32Array, row: number): void {
    if (body === end) {
      rows[row + ROW_TOPIC] = TopicFault.emptyBody;
      return;
    }
    const counted = chunk[body]!;
    if (counted === 0) {
      rows[row + ROW_TOPIC] = TopicFault.lengthZero;
      return;
    }
    if (counted > end - body) {
      rows[row + ROW_TOPIC] = TopicFault.lengthBeyondBody;
      return;
    }
    const from = body + 1;
    const to = body + counted;
    rows[row + ROW_TOPIC_BYTES] = counted - 1;
    if (hasControlCharacter(chunk, from, to)) rows[row + ROW_TOPIC] = TopicFault.controlCharacter;
    else if (reservedForSending(chunk, from, to, type)) rows[row + ROW_TOPIC] = TopicFault.reserved;
    // -1 of the table is `TopicFault.unknown`.
    else rows[row + ROW_TOPIC] = this.#topics.find(chunk, from, to);
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function hasControlCharacter(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte === 0x7f) return true;
  }
  return false;
}

function reservedForSending(bytes: Uint8Array, from: number, to: number, type: number): boolean {
  if (from === to) return false;
  if (bytes[from] === UNDERSCORE) return startsWith(bytes, from, to, BLOCK_NOTIFY);
  if (bytes[from] !== HASH_SIGN) return false;
  return (
    startsWith(bytes, from, to, PUSH_CHANNEL) ||
    (type === TYPE_MULTICAST && startsWith(bytes, from, to, VERIFY_CHANNEL))
  );
}

function startsWith(bytes: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (to - from < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[from + i] !== prefix[i]) return false;
  }
  return true;
}
