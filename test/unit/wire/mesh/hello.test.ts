import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHello, encodeHello, HELLO_BYTES_MAX, type Hello } from '../../../../src/wire/mesh/hello.js';

const HELLO: Hello = { version: 1, capabilities: 0, bootEpochMs: 1_700_000_000_123 };
const HEX = '0001000000000000018bcfe5687b';
const U64_MAX = 'ffffffffffffffff';

describe('hello', () => {
  it('has version, capabilities and boot epoch where the drawing says', () => {
    expect(encodeHello(HELLO).toString('hex')).toBe(HEX);
    expect(encodeHello({ version: 0xabcd, capabilities: 0x12345678, bootEpochMs: 0 }).toString('hex')).toBe(
      'abcd123456780000000000000000',
    );
    expect(decodeHello(Buffer.from(HEX, 'hex'))).toEqual({ ok: true, hello: HELLO });
  });

  it('comes back from every value that fits', () => {
    const hello = fc.record({
      version: fc.integer({ min: 1, max: 0xffff }),
      capabilities: fc.integer({ min: 0, max: 0xffffffff }),
      bootEpochMs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(hello, (one) => {
        expect(decodeHello(encodeHello(one))).toEqual({ ok: true, hello: one });
      }),
    );
  });

  it('is read from the middle of other bytes', () => {
    const around = Buffer.concat([Buffer.alloc(3, 0xff), Buffer.from(HEX, 'hex'), Buffer.alloc(2, 0xff)]);
    expect(decodeHello(around.subarray(3, 17))).toEqual({ ok: true, hello: HELLO });
    expect(decodeHello(new Uint8Array(around.subarray(3, 17)))).toEqual({ ok: true, hello: HELLO });
  });

  it('of a later version is taken with its bits, whatever follows the fields', () => {
    const later = encodeHello({ version: 7, capabilities: 0x80000001, bootEpochMs: 5 });
    const longer = Buffer.concat([later, Buffer.alloc(HELLO_BYTES_MAX - later.length, 0xff)]);
    expect(decodeHello(longer)).toEqual({
      ok: true,
      hello: { version: 7, capabilities: 0x80000001, bootEpochMs: 5 },
    });
  });

  it('is none at any shorter length', () => {
    const bytes = encodeHello(HELLO);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeHello(bytes.subarray(0, length))).toEqual({ ok: false, problem: 'too-short' });
    }
  });

  it.each([
    ['one byte longer than any version needs', Buffer.alloc(HELLO_BYTES_MAX + 1, 1), 'too-long'],
    ['of version 0', Buffer.from(`0000${HEX.slice(4)}`, 'hex'), 'no-version'],
    ['of a boot epoch that no clock shows', Buffer.from(`000100000000${U64_MAX}`, 'hex'), 'boot-epoch'],
    ['of one just above what a number holds', Buffer.from('0001000000000020000000000000', 'hex'), 'boot-epoch'],
  ] as const)('is none %s', (_what, body, problem) => {
    expect(decodeHello(body)).toEqual({ ok: false, problem });
  });

  it('takes the last boot epoch that a number holds', () => {
    const hello = { ...HELLO, bootEpochMs: Number.MAX_SAFE_INTEGER };
    expect(encodeHello(hello).subarray(6).toString('hex')).toBe('001fffffffffffff');
    expect(decodeHello(encodeHello(hello))).toEqual({ ok: true, hello });
  });

  it.each([
    { version: 0 },
    { version: 65_536 },
    { version: 1.5 },
    { capabilities: -1 },
    { capabilities: 2 ** 32 },
    { capabilities: Number.NaN },
    { bootEpochMs: -1 },
    { bootEpochMs: 2 ** 53 },
    { bootEpochMs: 0.5 },
  ])('is never written with %j', (wrong) => {
    expect(() => encodeHello({ ...HELLO, ...wrong })).toThrow(RangeError);
  });

  it('is decoded from any bytes without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeHello(bytes);
        if (decoded.ok) expect(encodeHello(decoded.hello).equals(bytes.subarray(0, 14))).toBe(true);
        else expect(decoded.problem).toMatch(/^(too-short|no-version|boot-epoch)$/);
      }),
    );
  });
});
