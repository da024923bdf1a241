import { describe, expect, it } from 'vitest';
import {
  decodeChallenge,
  decodePrivateMessage,
  encodeHandle,
  encodeHandles,
  HANDLES_MAX,
  isHandle,
} from '../../../../src/wire/mesh/private-frame.js';

const A = '00112233445566ff';
const B = 'deadbeefcafe0001';
const FRAME = Buffer.from('a channel frame');
const handleOf = (index: number): string => index.toString(16).padStart(16, '0');

describe('a handle', () => {
  it('is 16 lower-case hex digits', () => {
    expect([A, B, '0'.repeat(16)].map(isHandle)).toEqual([true, true, true]);
    const others = ['', A.slice(1), `${A}0`, A.toUpperCase(), `${A.slice(1)}g`, `${A.slice(1)}\n`, `${A}\n`];
    expect(others.filter(isHandle)).toEqual([]);
  });
});

describe('a private message between relays', () => {
  it('is a count, the handles and the channel frame', () => {
    expect(encodeHandles([A, B]).toString('hex')).toBe(`0002${A}${B}`);
    const payload = Buffer.concat([encodeHandles([A, B]), FRAME]);
    expect(decodePrivateMessage(payload)).toEqual({ handles: Buffer.from(A + B, 'hex'), frame: FRAME });
  });

  it.each([1, 2, 16, HANDLES_MAX])('names %i sessions', (count) => {
    const handles = Array.from({ length: count }, (_, index) => handleOf(index));
    expect(decodePrivateMessage(Buffer.concat([encodeHandles(handles), FRAME]))).toEqual({
      handles: Buffer.from(handles.join(''), 'hex'),
      frame: FRAME,
    });
  });

  it('names at least one session and at most 4,096', () => {
    expect(() => encodeHandles([])).toThrow(RangeError);
    expect(() => encodeHandles(Array.from({ length: HANDLES_MAX + 1 }, () => A))).toThrow(RangeError);
    expect(decodePrivateMessage(Buffer.concat([Buffer.from([0, 0]), FRAME]))).toBeUndefined();
    const tooMany = Buffer.alloc(2 + (HANDLES_MAX + 1) * 8 + 60);
    tooMany.writeUInt16BE(HANDLES_MAX + 1);
    expect(decodePrivateMessage(tooMany)).toBeUndefined();
    expect(decodePrivateMessage(Buffer.alloc(100_000, 0xff)), 'a count of 65,535').toBeUndefined();
  });

  it('is none at every length that ends within the handles', () => {
    const payload = Buffer.concat([encodeHandles([A, B]), FRAME]);
    const headBytes = 2 + 2 * 8;
    for (let length = 0; length < headBytes; length++) {
      expect(decodePrivateMessage(payload.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
    // What is left of the frame is for the scanner to judge.
    for (let length = headBytes; length <= payload.length; length++) {
      const frame = FRAME.subarray(0, length - headBytes);
      expect(decodePrivateMessage(payload.subarray(0, length))).toEqual({ handles: Buffer.from(A + B, 'hex'), frame });
    }
  });

  it('hands the frame out as a view, from whatever place in memory it lies', () => {
    const memory = Buffer.concat([Buffer.from('before'), encodeHandles([B]), FRAME, Buffer.from('behind')]);
    const payload = new Uint8Array(memory.buffer, memory.byteOffset + 6, 2 + 8 + FRAME.length);
    const decoded = decodePrivateMessage(payload);
    expect(decoded).toEqual({ handles: Buffer.from(B, 'hex'), frame: FRAME });
    expect(decoded?.frame.buffer).toBe(memory.buffer);
  });
});

describe('a challenge between relays', () => {
  it('is the handle of who challenges and the channel frame', () => {
    expect(encodeHandle(A).toString('hex')).toBe(A);
    expect(decodeChallenge(Buffer.concat([encodeHandle(A), FRAME]))).toEqual({ handle: A, frame: FRAME });
  });

  it('is none at every length that ends within the handle', () => {
    const payload = Buffer.concat([encodeHandle(B), FRAME]);
    for (let length = 0; length < 8; length++) expect(decodeChallenge(payload.subarray(0, length))).toBeUndefined();
    for (let length = 8; length <= payload.length; length++) {
      expect(decodeChallenge(payload.subarray(0, length))).toEqual({ handle: B, frame: FRAME.subarray(0, length - 8) });
    }
  });
});
