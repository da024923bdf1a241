import { describe, expect, it } from 'vitest';
import { P2P_FRAME_BYTES_MAX } from '../../../../src/base/limits.js';
import { decodeP2PFrame, encodeP2PFrame, encodeP2PHeader } from '../../../../src/wire/p2p/frame.js';
import { isResponse, protocolIdOf, protocolParts } from '../../../../src/wire/p2p/protocol-id.js';

const HEADER = { version: 0, protocolId: 1, packetType: 0, seq: 7 };

describe('P2P frame', () => {
  it.each([
    ['rc2', 16],
    ['rc1', 12],
  ] as const)('%s takes lengths from %i to the maximum', (format, headerBytes) => {
    const length = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return decodeP2PFrame(format, bytes);
    };
    expect(decodeP2PFrame(format, Buffer.alloc(3))).toEqual({ status: 'incomplete', needed: headerBytes });
    expect(length(headerBytes - 1)).toEqual({ status: 'too-short', length: headerBytes - 1 });
    expect(length(headerBytes)).toEqual({ status: 'incomplete', needed: headerBytes });
    expect(length(P2P_FRAME_BYTES_MAX)).toEqual({ status: 'incomplete', needed: P2P_FRAME_BYTES_MAX });
    expect(length(P2P_FRAME_BYTES_MAX + 1)).toEqual({ status: 'too-long', length: P2P_FRAME_BYTES_MAX + 1 });
    expect(decodeP2PFrame(format, encodeP2PFrame(format, HEADER, Buffer.alloc(9)), headerBytes + 8).status).toBe(
      'too-long',
    );
  });

  it('keeps version bits it does not know', () => {
    const decoded = decodeP2PFrame('rc2', encodeP2PFrame('rc2', { ...HEADER, version: 0xc001 }, Buffer.from('x')));
    expect(decoded.status === 'ok' && decoded.frame).toMatchObject({ version: 0xc001, compressed: true });
  });

  it('hands out a view of the payload', () => {
    const bytes = encodeP2PFrame('rc1', HEADER, Buffer.from('body'));
    const decoded = decodeP2PFrame('rc1', bytes);
    bytes[12] = 0x42;
    expect(decoded.status === 'ok' && decoded.frame.payload.toString()).toBe('Body');
  });

  it('refuses to encode what does not fit', () => {
    expect(() => encodeP2PHeader('rc2', HEADER, P2P_FRAME_BYTES_MAX - 15)).toThrow(RangeError);
    expect(() => encodeP2PHeader('rc2', HEADER, P2P_FRAME_BYTES_MAX - 16)).not.toThrow();
    expect(() => encodeP2PHeader('rc1', { ...HEADER, version: 0x8000 }, 0)).toThrow(RangeError);
    expect(() => encodeP2PHeader('rc1', { ...HEADER, protocolId: 0x8000 }, 0)).toThrow(RangeError);
    expect(() => encodeP2PHeader('rc2', { ...HEADER, seq: 2 ** 32 }, 0)).toThrow(RangeError);
  });
});

describe('protocol ID', () => {
  it('is a response by its sign', () => {
    expect([1, 2, -1, -2].map((id) => isResponse('rc2', id))).toEqual([false, false, true, true]);
    expect([1, 2, -1, -2].map((id) => isResponse('rc1', id))).toEqual([false, false, true, true]);
    // The two formats disagree on 0.
    expect([isResponse('rc2', 0), isResponse('rc1', 0)]).toEqual([true, false]);
  });

  it('holds group and module', () => {
    expect(protocolIdOf('rc2', { group: 1, module: 9, response: false })).toBe(0x10009);
    expect(protocolIdOf('rc2', { group: 1, module: 9, response: true })).toBe(-0x10009);
    expect(protocolIdOf('rc1', { group: 1, module: 9, response: true })).toBe(-0x109);
    expect(protocolParts('rc2', -0x10009)).toEqual({ group: 1, module: 9, response: true });
    expect(protocolParts('rc1', 0x109)).toEqual({ group: 1, module: 9, response: false });
    expect(protocolParts('rc2', -0x80000000)).toEqual({ group: 0x8000, module: 0, response: true });
    expect(protocolIdOf('rc1', { group: 0, module: 0, response: true })).toBe(0);
  });

  it('refuses groups and modules that do not fit the format', () => {
    const make = (format: 'rc2' | 'rc1', group: number, module: number) =>
      protocolIdOf(format, { group, module, response: false });
    expect(make('rc2', 0x7fff, 0xffff)).toBe(0x7fffffff);
    expect(make('rc1', 0x7f, 0xff)).toBe(0x7fff);
    for (const [group, module] of [
      [0x80, 1],
      [0, 0x100],
      [-1, 1],
      [0, 1.5],
    ]) {
      expect(() => make('rc1', group, module)).toThrow(RangeError);
    }
    expect(() => make('rc2', 0x8000, 1)).toThrow(RangeError);
    expect(() => make('rc2', 0, 0x10000)).toThrow(RangeError);
  });
});
