import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../src/client/frame-reader.js';
import { encodeFrame, newSeq } from '../../helpers/wire.js';

const frames = [
  encodeFrame(0x31, newSeq(), 0, 'first'),
  encodeFrame(0x31, newSeq(), -1, ''),
  encodeFrame(0x13, newSeq(), 0, 'a body that is a little longer'),
];
const stream = Buffer.concat(frames);

function readAll(chunks: readonly Buffer[]): Buffer[] {
  const reader = new FrameReader();
  const got: Buffer[] = [];
  for (const chunk of chunks) {
    const fault = reader.push(chunk, (frame) => {
      got.push(encodeFrame(frame.type, frame.seq.toString('latin1'), frame.result, frame.body));
      return true;
    });
    expect(fault).toBeUndefined();
  }
  return got;
}

describe('FrameReader', () => {
  it('finds the same frames at every split point', () => {
    for (let split = 0; split <= stream.length; split++) {
      expect(readAll([stream.subarray(0, split), stream.subarray(split)]), `split at ${split}`).toEqual(frames);
    }
  });

  it('finds the same frames byte by byte', () => {
    expect(readAll([...stream].map((byte) => Buffer.from([byte])))).toEqual(frames);
  });

  it.each([
    [41, 'too-short'],
    [0, 'too-short'],
    [104_857_585, 'too-long'],
    [0xffff_ffff, 'too-long'],
  ])(
    'reports a declared length of %i as soon as its four bytes are there, after the frames before it',
    (length, fault) => {
      const bad = Buffer.alloc(4);
      bad.writeUInt32BE(length);
      const reader = new FrameReader();
      let count = 0;
      const onFrame = () => {
        count++;
        return true;
      };
      expect(reader.push(Buffer.concat([stream, bad.subarray(0, 3)]), onFrame)).toBeUndefined();
      expect(reader.push(bad.subarray(3), onFrame)).toBe(fault);
      expect(count).toBe(frames.length);
    },
  );

  it('holds no more for a large frame than about twice what has come of it', () => {
    const reader = new FrameReader();
    const head = Buffer.alloc(100);
    head.writeUInt32BE(100_000_000);
    let sent = 0;
    for (const chunk of [head, Buffer.alloc(70_000), Buffer.alloc(200_000), ...Array(50).fill(Buffer.alloc(1))]) {
      expect(reader.push(chunk, () => true)).toBeUndefined();
      sent += chunk.length;
      expect(reader.heldCapacityBytes).toBeLessThanOrEqual(Math.max(2 * sent, 65_536));
    }
  });

  it('stops in the middle of a chunk when it is told to', () => {
    let count = 0;
    new FrameReader().push(stream, () => {
      count++;
      return false;
    });
    expect(count).toBe(1);
  });
});
