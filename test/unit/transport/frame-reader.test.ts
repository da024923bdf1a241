import { describe, expect, it } from 'vitest';
import { createFrameScanner } from '../../../src/addon/scanner.js';
import { FRAME_BUFFER_BYTES_MIN, SCAN_ROWS_MAX } from '../../../src/base/limits.js';
import { createRows, type FrameFault, type FrameHandler, FrameReader } from '../../../src/transport/frame-reader.js';
import { channelScenarios } from '../../helpers/captures.js';
import { seededRandom } from '../../helpers/random.js';

const FRAME_BYTES_MIN = 42;
const FRAME_BYTES_MAX = 1 << 20;
const UNKNOWN_TOPIC = -1;

interface Seen {
  readonly hex: string;
  readonly type: number;
  readonly result: number;
  readonly topic: number;
}

class Recorder implements FrameHandler {
  closed = false;
  readonly seen: Seen[] = [];
  /** Called for each frame; what it returns is handed to the reader. */
  act: (frame: Buffer) => boolean = () => false;

  onFrame(frame: Buffer, type: number, result: number, topic: number): boolean {
    this.seen.push({ hex: frame.toString('hex'), type, result, topic });
    return this.act(frame);
  }
}

function frameOf(type: number, body: Uint8Array | string = '', result = 0): Buffer {
  const bytes = Buffer.from(body as string);
  const frame = Buffer.alloc(FRAME_BYTES_MIN + bytes.length, 0x73);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt16BE(type, 4);
  frame.writeInt32BE(result, 38);
  bytes.copy(frame, FRAME_BYTES_MIN);
  return frame;
}

const topicFrame = (topic: string, payload = ''): Buffer =>
  frameOf(0x30, Buffer.concat([Buffer.of(topic.length + 1), Buffer.from(topic + payload)]));

/** A header that declares `length` and nothing behind it but `rest` bytes. */
function declared(length: number, rest = 0): Buffer {
  const bytes = Buffer.alloc(4 + rest);
  bytes.writeUInt32BE(length, 0);
  return bytes;
}

// A missing addon fails the first of these instead of skipping it.
describe.each(['native', 'typescript', 'auto'] as const)('frame reader over the %s scanner', (prefer) => {
  function setup(frameBytesMax = FRAME_BYTES_MAX) {
    const scanner = createFrameScanner({ frameBytesMax }, prefer, new Uint8Array(16).fill(3));
    const handler = new Recorder();
    const reader = new FrameReader(scanner, createRows(), handler, { frameBytesMin: FRAME_BYTES_MIN, frameBytesMax });
    return { scanner, handler, reader };
  }

  /** What comes out when `stream` arrives cut at `cuts`. */
  function read(stream: Buffer, cuts: readonly number[] = []): { seen: Seen[]; faults: FrameFault[] } {
    const { handler, reader } = setup();
    const faults: FrameFault[] = [];
    const edges = [0, ...cuts, stream.length];
    for (let at = 1; at < edges.length; at++) {
      if (edges[at] === edges[at - 1]) continue;
      const fault = reader.push(Buffer.from(stream.subarray(edges[at - 1], edges[at])));
      if (fault) {
        faults.push(fault);
        break;
      }
    }
    return { seen: handler.seen, faults };
  }

  it('gives every captured frame whole, and the same at each split', () => {
    for (const { frames } of channelScenarios()) {
      for (const { bytes, name } of frames) {
        const whole = read(bytes);
        expect(
          whole.seen.map(({ hex }) => hex),
          name,
        ).toEqual([bytes.toString('hex')]);
        for (let cut = 1; cut < bytes.length; cut++) {
          const { seen, faults } = read(bytes, [cut]);
          if (faults.length > 0 || seen.length !== 1 || seen[0].hex !== whole.seen[0].hex) {
            expect({ name, cut, seen, faults }).toEqual({ name, cut, seen: whole.seen, faults: [] });
          }
        }
      }
    }
  });

  it('gives the same frames of a mixed stream at every split, byte by byte, and in random chunks', () => {
    const stream = Buffer.concat([
      frameOf(0x13, '0'),
      topicFrame('T', 'payload'),
      frameOf(0x31),
      frameOf(0x12, 'x'.repeat(300), 100),
      frameOf(0x30),
      frameOf(0xffff, 'unknown', -1),
      topicFrame('other'),
    ]);
    const whole = read(stream);
    expect(whole.seen).toHaveLength(7);
    expect(whole.faults).toEqual([]);
    for (let cut = 1; cut < stream.length; cut++) expect(read(stream, [cut]), `cut at ${cut}`).toEqual(whole);
    expect(
      read(
        stream,
        Array.from({ length: stream.length - 1 }, (_, at) => at + 1),
      ),
    ).toEqual(whole);
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed);
      const cuts: number[] = [];
      for (let at = 0; at < stream.length; at += 1 + Math.floor(random() * 90)) cuts.push(at);
      expect(read(stream, cuts), `seed ${seed}`).toEqual(whole);
    }
  });

  it('gives more frames of one chunk than a scan has rows', () => {
    const count = 2 * SCAN_ROWS_MAX + 3;
    const { seen } = read(Buffer.concat(Array.from({ length: count }, (_, at) => frameOf(0x13, '', at))));
    expect(seen.map(({ result }) => result)).toEqual(Array.from({ length: count }, (_, at) => at));
  });

  it.each([0, 1, 4, 5, 41])(
    'calls a declared length of %i too short at every split, after the frames before it',
    (length) => {
      const before = frameOf(0x13, '0');
      const stream = Buffer.concat([before, declared(length, 60)]);
      for (let cut = 1; cut < stream.length; cut++) {
        const { seen, faults } = read(stream, [cut]);
        expect({ cut, frames: seen.length, faults }).toEqual({ cut, frames: 1, faults: ['frame-too-short'] });
      }
      const byByte = read(
        stream,
        Array.from({ length: stream.length - 1 }, (_, at) => at + 1),
      );
      expect(byByte).toMatchObject({ faults: ['frame-too-short'], seen: [{ type: 0x13 }] });
    },
  );

  it.each([FRAME_BYTES_MAX + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])(
    'calls a declared length of %i too long at every split, and takes no memory for it',
    (length) => {
      const stream = declared(length, 60);
      for (let cut = 1; cut < stream.length; cut++) {
        expect({ cut, ...read(stream, [cut]) }).toEqual({ cut, seen: [], faults: ['frame-too-long'] });
      }
      const { reader } = setup();
      for (const byte of stream.subarray(0, 4)) reader.push(Buffer.of(byte));
      expect(reader.partialBytes).toBeLessThanOrEqual(8);
    },
  );

  it('takes a frame of exactly the maximum', () => {
    const { handler, reader } = setup(500);
    const frame = frameOf(0x12, 'x'.repeat(500 - FRAME_BYTES_MIN));
    expect(reader.push(frame.subarray(0, 10))).toBeUndefined();
    expect(reader.push(frame.subarray(10))).toBeUndefined();
    expect(handler.seen.map(({ hex }) => hex)).toEqual([frame.toString('hex')]);
  });

  it('holds memory for what was received, not for what was declared', () => {
    const frame = frameOf(0x12, 'x'.repeat(900_000));
    const { handler, reader } = setup();
    for (let received = 0; received < frame.length; ) {
      const end = Math.min(frame.length, received + 10_000);
      reader.push(Buffer.from(frame.subarray(received, end)));
      received = end;
      if (received === frame.length) break;
      expect(reader.partialBytes).toBeLessThanOrEqual(Math.max(FRAME_BUFFER_BYTES_MIN, 2 * received));
      expect(reader.partialLength).toBe(frame.length);
    }
    expect(handler.seen).toHaveLength(1);
    expect(handler.seen[0].hex === frame.toString('hex')).toBe(true);
    expect([reader.partialBytes, reader.partialLength]).toEqual([0, 0]);
  });

  it('frees what it held of an incomplete frame', () => {
    const { reader } = setup();
    reader.push(frameOf(0x12, 'x'.repeat(5_000)).subarray(0, 3_000));
    expect(reader.partialBytes).toBeGreaterThan(0);
    reader.clear();
    expect([reader.partialBytes, reader.partialLength]).toEqual([0, 0]);
  });

  it('sees a topic that an earlier frame of the same chunk interned', () => {
    const { scanner, handler, reader } = setup();
    const subscribe = frameOf(0x32, '["T"]');
    handler.act = (frame) => {
      if (frame[5] !== 0x32) return false;
      scanner.intern(Buffer.from('T'), 5);
      return true;
    };
    reader.push(Buffer.concat([topicFrame('T'), subscribe, topicFrame('T'), frameOf(0x13), topicFrame('T', 'more')]));
    const topics = handler.seen.map(({ topic }) => topic);
    expect(topics).toEqual([UNKNOWN_TOPIC, 0, 5, 0, 5]);
  });

  it('scans again after a change at the end of a chunk, of a collected frame and of full rows', () => {
    const { scanner, handler, reader } = setup();
    const subscribe = frameOf(0x32, '["T"]');
    let id = 0;
    handler.act = (frame) => {
      if (frame[5] !== 0x32) return false;
      scanner.intern(Buffer.from('T'), ++id);
      return true;
    };
    const many = Array.from({ length: SCAN_ROWS_MAX - 1 }, () => topicFrame('T'));
    const stream = Buffer.concat([subscribe, ...many, subscribe, topicFrame('T'), subscribe]);
    reader.push(stream.subarray(0, 20));
    reader.push(stream.subarray(20));
    reader.push(topicFrame('T'));
    const topics = handler.seen.filter(({ type }) => type === 0x30).map(({ topic }) => topic);
    expect(topics).toEqual([...many.map(() => 1), 2, 3]);
  });

  it('gives nothing more once its connection is closed, in the same chunk or behind a collected frame', () => {
    for (const cut of [0, 10]) {
      const { handler, reader } = setup();
      handler.act = () => {
        handler.closed = true;
        return false;
      };
      const stream = Buffer.concat([frameOf(0x13), frameOf(0x13), declared(1, 50)]);
      if (cut > 0) expect(reader.push(Buffer.from(stream.subarray(0, cut)))).toBeUndefined();
      expect(reader.push(Buffer.from(stream.subarray(cut)))).toBeUndefined();
      expect(handler.seen).toHaveLength(1);
      expect(reader.partialBytes).toBe(0);
    }
  });

  it('never writes again into a frame that it handed out', () => {
    const { handler, reader } = setup();
    const frames: Buffer[] = [];
    handler.act = (frame) => {
      frames.push(frame);
      return false;
    };
    const stream = Buffer.concat(Array.from({ length: 40 }, (_, at) => frameOf(0x12, 'x'.repeat(at * 7), at)));
    for (let at = 0; at < stream.length; at += 33) reader.push(Buffer.from(stream.subarray(at, at + 33)));
    expect(Buffer.concat(frames).equals(stream)).toBe(true);
  });
});
