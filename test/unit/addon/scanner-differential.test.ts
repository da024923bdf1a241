import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROW_INTS, SCAN_CONSUMED, SCAN_COUNT, SCAN_HEAD, SCAN_STATUS, ScanStatus } from '../../../src/addon/types.js';
import { makeFrame, makeScanner, topicBody } from './helpers.js';

const FRAME_BYTES_MAX = 700;
const FILL = 0x5a5a5a5a;

const knownTopics = ['', 'a', 'topicA', '_block_notify_1', '#!$VerifyChannel_x', '#!$PushChannel_x', 'n'.repeat(254)];

const typeArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0x30, 0x35) },
  { weight: 2, arbitrary: fc.constantFrom(0x12, 0x13, 0x31, 0x32, 0x1001) },
  { weight: 1, arbitrary: fc.nat(0xffff) },
);
const bodyArbitrary = fc.oneof(
  fc.tuple(fc.constantFrom(...knownTopics), fc.uint8Array({ maxLength: 40 })).map(([t, p]) => topicBody(t, p)),
  fc.tuple(fc.uint8Array({ maxLength: 254 }), fc.uint8Array({ maxLength: 40 })).map(([t, p]) => topicBody(t, p)),
  fc.uint8Array({ maxLength: 60 }),
);
const frameArbitrary = fc
  .tuple(typeArbitrary, bodyArbitrary, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
  .map(([type, body, result]) => makeFrame(type, body, result));
const mutationArbitrary = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 0x1f, 0x2a, 0x7f, 0xff), fc.nat(255)));

/** A valid stream, a few bytes of it changed, cut anywhere; or just bytes. */
const chunkArbitrary = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.array(frameArbitrary, { maxLength: 12 }),
        fc.array(mutationArbitrary, { maxLength: 4 }),
        fc.option(fc.nat(), { nil: undefined }),
      )
      .map(([frames, mutations, cut]) => {
        const stream = Buffer.concat(frames);
        for (const [at, byte] of mutations) if (stream.length > 0) stream[at % stream.length] = byte;
        return cut === undefined ? stream : stream.subarray(0, cut % (stream.length + 1));
      }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
);

function scanners() {
  const all = (['native', 'typescript', 'auto'] as const).map((prefer) => makeScanner(prefer, FRAME_BYTES_MAX));
  for (const scanner of all) {
    for (const [id, topic] of knownTopics.entries()) scanner.intern(Buffer.from(topic), id);
  }
  return all;
}

describe('native scanner and its twin', () => {
  it('write the same rows for the same bytes, call after call', () => {
    const all = scanners();
    const counts = { frames: 0, rowsFull: 0, refused: 0 };
    fc.assert(
      fc.property(
        chunkArbitrary,
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        fc.nat(5),
        (chunk, rowsMax, seek, spare) => {
          // Mostly from the beginning, sometimes from the middle of a frame.
          let start = seek % 4 === 0 ? seek % (chunk.length + 1) : 0;
          for (;;) {
            const [native, twin, auto] = all.map((scanner) => {
              const rows = new Int32Array(SCAN_HEAD + rowsMax * ROW_INTS + spare).fill(FILL);
              scanner.scan(chunk, start, rows);
              return rows;
            });
            expect(native).toEqual(twin);
            expect(auto).toEqual(twin);
            const status = twin![SCAN_STATUS]!;
            counts.frames += twin![SCAN_COUNT]!;
            if (status === ScanStatus.rowsFull) counts.rowsFull++;
            else if (status !== ScanStatus.ok) counts.refused++;
            if (status !== ScanStatus.rowsFull) break;
            start += twin![SCAN_CONSUMED]!;
          }
        },
      ),
      { numRuns: 1500 },
    );
    // The generator must reach all of it, or agreement says nothing.
    expect(counts.frames).toBeGreaterThan(1000);
    expect(counts.rowsFull).toBeGreaterThan(50);
    expect(counts.refused).toBeGreaterThan(50);
  });
});
