import fc from 'fast-check';
import { compressSync } from 'snappy';
import { describe, expect, it } from 'vitest';
import { declaredSize, decompress } from '../../../../src/wire/p2p/snappy.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const MIB = 1024 * 1024;

describe('declared size', () => {
  it.each([
    ['00', 0],
    ['7f', 127],
    ['8001', 128],
    ['b120', 4145],
    ['ffffffff0f', 0xffffffff],
    ['8000', 0],
  ])('of %s is %i', (data, size) => expect(declaredSize(hex(data))).toBe(size));

  it.each(['', '80', 'ffffffff', 'ffffffff10', 'ffffffff7f', 'ffffffffff01'])('of "%s" is none', (data) => {
    expect(declaredSize(hex(data))).toBeUndefined();
    expect(decompress(hex(data), MIB)).toEqual({ ok: false, problem: 'no-size' });
  });
});

describe('decompression', () => {
  it('gives back what was compressed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 40 }), (bytes, repeat) => {
        const plain = Buffer.concat(Array.from({ length: repeat }, () => bytes));
        const result = decompress(compressSync(plain), plain.length);
        expect(result.ok && result.bytes.equals(plain)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('never finds a block of the densest kind impossible', () => {
    const plain = Buffer.alloc(MIB, 0x61);
    const result = decompress(compressSync(plain), plain.length);
    expect(result.ok && result.bytes.equals(plain)).toBe(true);
    // 1 literal byte, then copies of 64 bytes in 3 bytes each: as dense as the format allows.
    const copies = 1000;
    const size = 1 + copies * 64;
    const head = Buffer.from([(size & 0x7f) | 0x80, ((size >> 7) & 0x7f) | 0x80, size >> 14, 0x00, 0x61]);
    const densest = Buffer.concat([head, Buffer.alloc(copies * 3, hex('fe0100'))]);
    const unpacked = decompress(densest, MIB);
    expect(unpacked.ok && unpacked.bytes.equals(Buffer.alloc(size, 0x61))).toBe(true);
  });

  it('refuses a size over the bound', () => {
    const data = compressSync(Buffer.alloc(1000));
    expect(decompress(data, 999)).toEqual({ ok: false, problem: 'too-large' });
    expect(decompress(data, 1000).ok).toBe(true);
    expect(decompress(hex('ffffffff0f00'), 100 * MIB)).toEqual({ ok: false, problem: 'too-large' });
  });

  it('refuses a size that so few bytes cannot yield', () => {
    const data = Buffer.concat([hex('80808032'), Buffer.alloc(1000)]);
    expect(declaredSize(data)).toBe(100 * MIB);
    expect(decompress(data, 100 * MIB)).toEqual({ ok: false, problem: 'impossible-size' });
  });

  it.each(['05', '050061', '0100', '01fe0100', '0361', '0008616263', '03f0'])('calls %s damaged', (data) => {
    const result = decompress(hex(data), MIB);
    expect(result.ok).toBe(false);
  });

  it('survives every single damaged byte of a block', () => {
    const plain = Buffer.from('the quick brown fox jumps over the lazy dog. '.repeat(40));
    const block = compressSync(plain);
    for (let at = 0; at < block.length; at++) {
      for (const value of [0x00, 0xff, block[at] ^ 0x01, block[at] ^ 0x80]) {
        const damaged = Buffer.from(block);
        damaged[at] = value;
        const result = decompress(damaged, MIB);
        if (result.ok) expect(result.bytes.length).toBe(declaredSize(damaged));
      }
      const cut = decompress(block.subarray(0, at), MIB);
      expect(cut.ok).toBe(false);
    }
  });
});
