import { describe, expect, it } from 'vitest';
import { CHANNEL_FRAME_BYTES_MAX } from '../../../../src/base/limits.js';
import { decodeAmopBody, encodeAmopBody } from '../../../../src/wire/channel/amop-body.js';
import { decodeFrame, encodeEmptyFrame, encodeFrame } from '../../../../src/wire/channel/frame.js';

const SEQ = Buffer.alloc(32, 0x61);

describe('channel frame', () => {
  it('asks for the header until the length is there, then for the whole frame', () => {
    const frame = encodeFrame(0x30, SEQ, 0, Buffer.alloc(8));
    expect(decodeFrame(frame.subarray(0, 0))).toEqual({ status: 'incomplete', needed: 42 });
    expect(decodeFrame(frame.subarray(0, 3))).toEqual({ status: 'incomplete', needed: 42 });
    expect(decodeFrame(frame.subarray(0, 4))).toEqual({ status: 'incomplete', needed: 50 });
  });

  it('takes lengths from 42 to the maximum and nothing beside them', () => {
    const length = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return decodeFrame(bytes);
    };
    expect(length(0)).toEqual({ status: 'too-short', length: 0 });
    expect(length(41)).toEqual({ status: 'too-short', length: 41 });
    expect(length(42).status).toBe('incomplete');
    expect(length(CHANNEL_FRAME_BYTES_MAX).status).toBe('incomplete');
    expect(length(CHANNEL_FRAME_BYTES_MAX + 1).status).toBe('too-long');
    expect(length(0xffffffff)).toEqual({ status: 'too-long', length: 0xffffffff });
  });

  it('judges by the maximum it is given', () => {
    const frame = encodeFrame(0x30, SEQ, 0, Buffer.alloc(8));
    expect(decodeFrame(frame, 49)).toEqual({ status: 'too-long', length: 50 });
    expect(decodeFrame(frame, 50).status).toBe('ok');
  });

  it('hands out views, so that nothing is copied', () => {
    const frame = encodeFrame(0x30, SEQ, 0, Buffer.from('body'));
    const decoded = decodeFrame(frame);
    if (decoded.status !== 'ok') throw new Error(decoded.status);
    frame[42] = 0x42;
    frame[6] = 0x62;
    expect(decoded.frame.body.toString()).toBe('Body');
    expect(decoded.frame.seq.toString()).toBe(`b${'a'.repeat(31)}`);
  });

  it('keeps negative results', () => {
    const decoded = decodeFrame(encodeEmptyFrame(0x31, SEQ, -41002));
    expect(decoded.status === 'ok' && decoded.frame.result).toBe(-41002);
  });

  it('refuses to encode a wrong seq, a wrong integer and a frame over the maximum', () => {
    expect(() => encodeEmptyFrame(0x31, Buffer.alloc(31), 0)).toThrow(RangeError);
    expect(() => encodeEmptyFrame(0x31, Buffer.alloc(33), 0)).toThrow(RangeError);
    expect(() => encodeEmptyFrame(0x10000, SEQ, 0)).toThrow(RangeError);
    expect(() => encodeEmptyFrame(0x31, SEQ, 2 ** 31)).toThrow(RangeError);
    // Only the length is read before the refusal.
    const huge = { length: CHANNEL_FRAME_BYTES_MAX - 41 } as Uint8Array;
    expect(() => encodeFrame(0x30, SEQ, 0, huge)).toThrow(RangeError);
  });
});

describe('AMOP body', () => {
  it('counts the length byte in itself', () => {
    expect(encodeAmopBody('ab', Buffer.from('x')).toString('hex')).toBe('03616278');
    expect(encodeAmopBody('', Buffer.alloc(0)).toString('hex')).toBe('01');
  });

  it('takes topics of 254 bytes and refuses 255, counted in UTF-8', () => {
    const longest = 'ü'.repeat(127);
    const decoded = decodeAmopBody(encodeAmopBody(longest, Buffer.from('p')));
    expect(decoded.ok && [decoded.topic.toString(), decoded.payload.toString()]).toEqual([longest, 'p']);
    expect(() => encodeAmopBody(`${longest}x`, Buffer.alloc(0))).toThrow(RangeError);
    expect(() => encodeAmopBody(Buffer.alloc(255), Buffer.alloc(0))).toThrow(RangeError);
  });

  it('takes a topic that ends with the body', () => {
    const decoded = decodeAmopBody(Buffer.from('0261', 'hex'));
    expect(decoded.ok && [decoded.topic.toString(), decoded.payload.length]).toEqual(['a', 0]);
  });

  it.each([
    ['', 'empty-body'],
    ['00', 'length-zero'],
    ['0061', 'length-zero'],
    ['02', 'length-beyond-body'],
    ['0361', 'length-beyond-body'],
    [`ff${'61'.repeat(253)}`, 'length-beyond-body'],
  ])('names the fault of %s', (hex, fault) => {
    expect(decodeAmopBody(Buffer.from(hex, 'hex'))).toEqual({ ok: false, fault });
  });
});
