import { createFrameScanner } from '../../../src/addon/scanner.js';
import {
  type FrameScanner,
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
} from '../../../src/addon/types.js';

/** Every suite of the contract runs over these; a missing addon fails it instead of skipping. */
export const IMPLEMENTATIONS = ['native', 'typescript', 'auto'] as const;

export const HEADER_BYTES = 42;
export const UNICAST = 0x30;
export const MULTICAST = 0x35;

/** Small, so that limits are reached with small inputs. */
export const FRAME_BYTES_MAX = 4096;

/** Fixed, so that a failure can be repeated. */
export const SEED = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1);

export function makeScanner(
  prefer: (typeof IMPLEMENTATIONS)[number],
  frameBytesMax = FRAME_BYTES_MAX,
  seed: Uint8Array = SEED,
): FrameScanner {
  return createFrameScanner({ frameBytesMax }, prefer, seed);
}

export function makeRows(rows: number): Int32Array {
  return new Int32Array(SCAN_HEAD + rows * ROW_INTS);
}

/** Frame as on the wire; `seq` is filler. */
export function makeFrame(type: number, body: Uint8Array = new Uint8Array(), result = 0): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + body.length, 0x2e);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt16BE(type, 4);
  frame.writeInt32BE(result, 38);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** Body of a 0x30 or 0x35: length byte that counts itself, topic, payload. */
export function topicBody(topic: string | Uint8Array, payload: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(topic as Uint8Array);
  return Buffer.concat([Buffer.of(bytes.length + 1), bytes, Buffer.from(payload as Uint8Array)]);
}

export interface Row {
  offset: number;
  length: number;
  type: number;
  result: number;
  topic: number;
  topicBytes: number;
}

export interface Scan {
  status: number;
  consumed: number;
  nextLength: number;
  frames: Row[];
}

export function scan(scanner: FrameScanner, chunk: Uint8Array, start = 0, rows: Int32Array = makeRows(64)): Scan {
  scanner.scan(chunk, start, rows);
  const frames = Array.from({ length: rows[SCAN_COUNT]! }, (_, i) => {
    const row = rows.subarray(SCAN_HEAD + i * ROW_INTS);
    return {
      offset: row[ROW_OFFSET]!,
      length: row[ROW_LENGTH]!,
      type: row[ROW_TYPE]!,
      result: row[ROW_RESULT]!,
      topic: row[ROW_TOPIC]!,
      topicBytes: row[ROW_TOPIC_BYTES]!,
    };
  });
  return { status: rows[SCAN_STATUS]!, consumed: rows[SCAN_CONSUMED]!, nextLength: rows[SCAN_NEXT_LENGTH]!, frames };
}
