import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameScanner } from '../../../src/addon/scanner.js';
import {
  ROW_INTS,
  ROW_LENGTH,
  ROW_OFFSET,
  SCAN_CONSUMED,
  SCAN_COUNT,
  SCAN_HEAD,
  SCAN_NEXT_LENGTH,
  SCAN_STATUS,
  ScanStatus,
} from '../../../src/addon/types.js';
import { P2P_FRAME_BYTES_MAX } from '../../../src/base/limits.js';
import { createRows, type FrameHandler, FrameReader } from '../../../src/transport/frame-reader.js';
import { P2PScanner } from '../../../src/transport/p2p-scanner.js';

const RC2 = { frameBytesMin: 16, frameBytesMax: P2P_FRAME_BYTES_MAX };

function frameOf(length: number, fill = 0x70): Buffer {
  const frame = Buffer.alloc(length, fill);
  frame.writeUInt32BE(length, 0);
  return frame;
}

/** Four bytes that declare a length. */
function declared(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length, 0);
  return bytes;
}

/** What a scan says, without what a P2P scan does not say. */
function boundsOf(rows: Int32Array) {
  const frames = Array.from({ length: rows[SCAN_COUNT] }, (_, at) => {
    const row = SCAN_HEAD + at * ROW_INTS;
    return [rows[row + ROW_OFFSET], rows[row + ROW_LENGTH]];
  });
  return {
    status: rows[SCAN_STATUS],
    frames,
    consumed: rows[SCAN_CONSUMED],
    nextLength: rows[SCAN_NEXT_LENGTH],
  };
}

function scan(chunk: Uint8Array, start = 0, bounds = RC2, rowCount = 8) {
  const rows = new Int32Array(SCAN_HEAD + rowCount * ROW_INTS).fill(-7);
  new P2PScanner(bounds).scan(chunk, start, rows);
  return boundsOf(rows);
}

describe('P2P scanner', () => {
  it('finds the frames of a chunk and the beginning of the next one', () => {
    const chunk = Buffer.concat([frameOf(16), frameOf(100), frameOf(17), frameOf(50).subarray(0, 20)]);
    expect(scan(chunk)).toEqual({
      status: ScanStatus.ok,
      frames: [
        [0, 16],
        [16, 100],
        [116, 17],
      ],
      consumed: 133,
      nextLength: 50,
    });
  });

  it('begins where it is told, with offsets from the start of the chunk', () => {
    const chunk = Buffer.concat([Buffer.alloc(5, 0xff), frameOf(20), frameOf(16)]);
    expect(scan(chunk, 5)).toMatchObject({
      frames: [
        [5, 20],
        [25, 16],
      ],
      consumed: 36,
      nextLength: 0,
    });
  });

  it('knows nothing of a length that is not all here', () => {
    for (const rest of [0, 1, 2, 3]) {
      const chunk = Buffer.concat([frameOf(16), declared(1).subarray(0, rest)]);
      expect(scan(chunk)).toEqual({ status: ScanStatus.ok, frames: [[0, 16]], consumed: 16, nextLength: 0 });
    }
  });

  it.each([
    [15, ScanStatus.tooShort],
    [0, ScanStatus.tooShort],
    [P2P_FRAME_BYTES_MAX + 1, ScanStatus.tooLong],
    [0x80000000, ScanStatus.tooLong],
    [0xffffffff, ScanStatus.tooLong],
  ])('stops at a declared length of %i, and keeps the frames before it', (length, status) => {
    expect(scan(Buffer.concat([frameOf(16), declared(length), frameOf(16)]))).toEqual({
      status,
      frames: [[0, 16]],
      consumed: 16,
      nextLength: 0,
    });
  });

  it.each([
    ['RC2', 16],
    ['RC1', 12],
  ])('takes a frame of an %s header alone, and the largest one', (_format, header) => {
    const bounds = { frameBytesMin: header, frameBytesMax: 64 };
    expect(scan(Buffer.concat([frameOf(header), frameOf(64)]), 0, bounds).frames).toEqual([
      [0, header],
      [header, 64],
    ]);
    expect(scan(declared(header - 1), 0, bounds).status).toBe(ScanStatus.tooShort);
    expect(scan(declared(65), 0, bounds).status).toBe(ScanStatus.tooLong);
    expect(scan(declared(P2P_FRAME_BYTES_MAX))).toMatchObject({
      status: ScanStatus.ok,
      nextLength: P2P_FRAME_BYTES_MAX,
    });
  });

  it('says when there are more frames than rows, and goes on from there', () => {
    const chunk = Buffer.concat([frameOf(16), frameOf(17), frameOf(18)]);
    expect(scan(chunk, 0, RC2, 2)).toEqual({
      status: ScanStatus.rowsFull,
      frames: [
        [0, 16],
        [16, 17],
      ],
      consumed: 33,
      nextLength: 0,
    });
    expect(scan(chunk, 33, RC2, 2)).toMatchObject({ status: ScanStatus.ok, frames: [[33, 18]] });
    expect(scan(chunk.subarray(0, 33), 0, RC2, 2).status, 'exactly as many').toBe(ScanStatus.ok);
    expect(scan(chunk.subarray(0, 50), 0, RC2, 2), 'the third one is not all here').toMatchObject({
      status: ScanStatus.ok,
      nextLength: 18,
    });
  });

  it('leaves nothing in its rows of what the channel scanner would have found there', () => {
    const rows = new Int32Array(SCAN_HEAD + 2 * ROW_INTS).fill(-7);
    new P2PScanner(RC2).scan(frameOf(16), 0, rows);
    expect([...rows.subarray(SCAN_HEAD)]).toEqual([0, 16, 0, 0, 0, 0, ...Array(ROW_INTS).fill(-7)]);
  });

  it('finds the same bounds as the channel scanner when both have the same limits', () => {
    const bounds = { frameBytesMin: 42, frameBytesMax: 200 };
    const channel = createFrameScanner({ frameBytesMax: bounds.frameBytesMax }, 'typescript', new Uint8Array(16));
    const part = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 42, max: 200 }).map((length) => frameOf(length, 0)) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 250 }).map(declared) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)) },
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.nat(30), fc.nat(5), (parts, cut, start) => {
        const all = Buffer.concat([Buffer.alloc(start), ...parts]);
        const chunk = all.subarray(0, Math.max(start, all.length - cut));
        const rows = new Int32Array(SCAN_HEAD + 4 * ROW_INTS);
        channel.scan(chunk, start, rows);
        expect(scan(chunk, start, bounds, 4)).toEqual(boundsOf(rows));
      }),
      { numRuns: 500 },
    );
  });
});

describe('frame reader over the P2P scanner', () => {
  function read(chunks: readonly Buffer[]): { frames: string[]; fault: string | undefined } {
    const frames: string[] = [];
    const handler: FrameHandler = {
      closed: false,
      onFrame: (frame) => {
        frames.push(frame.toString('hex'));
        return false;
      },
    };
    const reader = new FrameReader(new P2PScanner(RC2), createRows(), handler, RC2);
    for (const chunk of chunks) {
      const fault = reader.push(Buffer.from(chunk));
      if (fault) return { frames, fault };
    }
    return { frames, fault: undefined };
  }

  it('hands out the same frames wherever the stream is cut', () => {
    const parts = [frameOf(16, 1), frameOf(40, 2), frameOf(17, 3)];
    const stream = Buffer.concat(parts);
    const wanted = parts.map((frame) => frame.toString('hex'));
    for (let at = 0; at <= stream.length; at++) {
      expect(read([stream.subarray(0, at), stream.subarray(at)])).toEqual({ frames: wanted, fault: undefined });
    }
    expect(read([...stream].map((byte) => Buffer.of(byte))).frames).toEqual(wanted);
  });

  it('ends at a false length as soon as it is known', () => {
    const bad = Buffer.concat([frameOf(16, 1), declared(15)]);
    expect(read([bad])).toEqual({ frames: [frameOf(16, 1).toString('hex')], fault: 'frame-too-short' });
    expect(read([...declared(0xffffffff)].map((byte) => Buffer.of(byte))).fault).toBe('frame-too-long');
  });
});
