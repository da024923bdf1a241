import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROW_INTS, SCAN_HEAD, ScanStatus, TopicFault } from '../../../src/addon/types.js';
import { CHANNEL_FRAME_BYTES_MAX } from '../../../src/base/limits.js';
import {
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  IMPLEMENTATIONS,
  MULTICAST,
  makeFrame,
  makeRows,
  makeScanner,
  scan,
  topicBody,
  UNICAST,
} from './helpers.js';

interface Captured {
  file: string;
  length: number;
  type: string;
  result: number;
  hex: string;
}
const captured: Captured[] = JSON.parse(
  readFileSync(new URL('../../fixtures/captures-2.x/channel.json', import.meta.url), 'utf8'),
);

describe.each(IMPLEMENTATIONS)('frame scanner (%s)', (prefer) => {
  it('describes every complete frame of a chunk', () => {
    const scanner = makeScanner(prefer);
    scanner.intern(Buffer.from('topicA'), 7);
    const first = makeFrame(UNICAST, topicBody('topicA', 'hello'));
    const second = makeFrame(0x31, Buffer.from('anything'), -1);
    const third = makeFrame(0xffff, new Uint8Array(), 0x7fffffff);
    expect(scan(scanner, Buffer.concat([first, second, third]))).toEqual({
      status: ScanStatus.ok,
      consumed: first.length + second.length + third.length,
      nextLength: 0,
      frames: [
        { offset: 0, length: 54, type: UNICAST, result: 0, topic: 7, topicBytes: 6 },
        { offset: 54, length: 50, type: 0x31, result: -1, topic: 0, topicBytes: 0 },
        { offset: 104, length: 42, type: 0xffff, result: 0x7fffffff, topic: 0, topicBytes: 0 },
      ],
    });
  });

  it('reads the captured frames of the real node, joined to one stream', () => {
    const scanner = makeScanner(prefer, CHANNEL_FRAME_BYTES_MAX);
    const frames = captured.map(({ hex }) => Buffer.from(hex, 'hex'));
    const topicOf = (frame: Buffer) => frame.subarray(HEADER_BYTES + 1, HEADER_BYTES + frame[HEADER_BYTES]!);
    const ids = new Map<string, number>();
    for (const frame of frames) {
      const type = frame.readUInt16BE(4);
      const key = type === UNICAST || type === MULTICAST ? topicOf(frame).toString('latin1') : undefined;
      if (key === undefined || ids.has(key)) continue;
      ids.set(key, ids.size);
      scanner.intern(topicOf(frame), ids.get(key)!);
    }
    expect(ids.size).toBeGreaterThan(3);
    const seen = scan(scanner, Buffer.concat(frames), 0, makeRows(frames.length));
    expect(seen.status).toBe(ScanStatus.ok);
    expect(seen.frames).toHaveLength(captured.length);
    let offset = 0;
    seen.frames.forEach((row, i) => {
      const { file, length, type, result } = captured[i]!;
      expect({ file, ...row }).toMatchObject({ file, offset, length, type: Number(type), result });
      if (row.type === UNICAST || row.type === MULTICAST) {
        const key = topicOf(frames[i]!).toString('latin1');
        const reserved = /^(_block_notify_|#!\$PushChannel_)/.test(key);
        expect({ file, topic: row.topic }).toEqual({ file, topic: reserved ? TopicFault.reserved : ids.get(key) });
        expect(row.topicBytes).toBe(key.length);
      }
      offset += length;
    });
  });

  it('finds the same frames wherever the stream is cut', () => {
    const scanner = makeScanner(prefer);
    scanner.intern(Buffer.from('a'), 0);
    const frames = [
      makeFrame(UNICAST, topicBody('a', 'x')),
      makeFrame(0x13, Buffer.from('0')),
      makeFrame(MULTICAST, topicBody('unknown', Buffer.alloc(300, 0x2a))),
      makeFrame(0x32, Buffer.from('[]')),
    ];
    const stream = Buffer.concat(frames);
    const whole = scan(scanner, stream);
    for (let cut = 0; cut <= stream.length; cut++) {
      const complete = whole.frames.filter(({ offset, length }) => offset + length <= cut);
      const consumed = complete.reduce((sum, { length }) => sum + length, 0);
      const known = cut - consumed >= 4;
      expect({ cut, ...scan(scanner, stream.subarray(0, cut)) }).toEqual({
        cut,
        status: ScanStatus.ok,
        consumed,
        nextLength: known ? frames[complete.length]!.length : 0,
        frames: complete,
      });
      // What is left, with the bytes that arrive next, begins at a frame boundary again.
      expect(scan(scanner, stream, consumed).frames).toEqual(whole.frames.slice(complete.length));
    }
  });

  it('never looks at bytes behind the end of the chunk', () => {
    const scanner = makeScanner(prefer);
    const memory = Buffer.concat([makeFrame(0x13), makeFrame(0x13)]);
    expect(scan(scanner, memory.subarray(0, HEADER_BYTES + 3))).toMatchObject({
      nextLength: 0,
      consumed: HEADER_BYTES,
    });
    expect(scan(scanner, memory.subarray(0, 2 * HEADER_BYTES - 1)).frames).toHaveLength(1);
  });

  it('counts offsets from the chunk and consumed bytes from the start it was given', () => {
    const scanner = makeScanner(prefer);
    const chunk = Buffer.concat([Buffer.alloc(13, 0xff), makeFrame(0x13), makeFrame(0x14)]);
    const seen = scan(scanner, chunk, 13);
    expect(seen.consumed).toBe(84);
    expect(seen.frames.map(({ offset }) => offset)).toEqual([13, 55]);
    expect(scan(scanner, chunk, chunk.length)).toEqual({ status: 0, consumed: 0, nextLength: 0, frames: [] });
    expect(scan(scanner, new Uint8Array(0))).toEqual({ status: 0, consumed: 0, nextLength: 0, frames: [] });
  });

  it('reads a view that does not begin at its buffer', () => {
    const scanner = makeScanner(prefer);
    scanner.intern(Buffer.from('xtopicx').subarray(1, 6), 3);
    const memory = Buffer.concat([
      Buffer.alloc(5, 0xee),
      makeFrame(UNICAST, topicBody('topic')),
      Buffer.alloc(5, 0xee),
    ]);
    expect(scan(scanner, memory.subarray(5, memory.length - 5)).frames[0]).toMatchObject({ offset: 0, topic: 3 });
  });

  it.each([0, 1, 41])('stops at a length of %i, the frames before it stay valid', (length) => {
    const scanner = makeScanner(prefer);
    const bad = makeFrame(0x13);
    bad.writeUInt32BE(length, 0);
    const good = makeFrame(0x13);
    expect(scan(scanner, Buffer.concat([good, good, bad, good]))).toMatchObject({
      status: ScanStatus.tooShort,
      consumed: 84,
      nextLength: 0,
      frames: [{ offset: 0 }, { offset: 42 }],
    });
    // Four bytes are enough to know.
    expect(scan(scanner, bad.subarray(0, 4))).toMatchObject({ status: ScanStatus.tooShort, consumed: 0 });
    expect(scan(scanner, bad.subarray(0, 3))).toMatchObject({ status: ScanStatus.ok, consumed: 0 });
  });

  it.each([FRAME_BYTES_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff])('stops at a length of %i', (length) => {
    const scanner = makeScanner(prefer);
    const bad = Buffer.alloc(FRAME_BYTES_MAX + 8);
    bad.writeUInt32BE(length, 0);
    const seen = scan(scanner, Buffer.concat([makeFrame(0x13), bad]));
    expect(seen).toMatchObject({ status: ScanStatus.tooLong, consumed: 42, nextLength: 0, frames: [{ offset: 0 }] });
    expect(scan(scanner, bad.subarray(0, 4))).toMatchObject({ status: ScanStatus.tooLong, consumed: 0 });
  });

  it('takes frames from the bare header to the maximum', () => {
    const scanner = makeScanner(prefer);
    const smallest = makeFrame(0x13);
    const largest = makeFrame(0x12, Buffer.alloc(FRAME_BYTES_MAX - HEADER_BYTES));
    const seen = scan(scanner, Buffer.concat([smallest, largest, largest.subarray(0, 100)]));
    expect(seen.frames.map(({ length }) => length)).toEqual([42, FRAME_BYTES_MAX]);
    expect(seen).toMatchObject({ status: ScanStatus.ok, nextLength: FRAME_BYTES_MAX });
  });

  it.each([1, 2, 3, 5, 9, 10, 11])('resumes where %i rows were full until the chunk is through', (rowsMax) => {
    const scanner = makeScanner(prefer);
    const frames = Array.from({ length: 10 }, (_, i) => makeFrame(0x100 + i, Buffer.alloc(i)));
    const chunk = Buffer.concat([...frames, frames[9]!.subarray(0, 20)]);
    const rows = makeRows(rowsMax);
    const types: number[] = [];
    let start = 0;
    let calls = 0;
    for (let seen = scan(scanner, chunk, 0, rows); ; seen = scan(scanner, chunk, start, rows)) {
      calls++;
      types.push(...seen.frames.map(({ type }) => type));
      start += seen.consumed;
      if (seen.status === ScanStatus.ok) {
        expect(seen.nextLength).toBe(51);
        break;
      }
      expect(seen).toMatchObject({ status: ScanStatus.rowsFull, nextLength: 0 });
      expect(seen.frames).toHaveLength(rowsMax);
    }
    expect(types).toEqual(frames.map((_, i) => 0x100 + i));
    // Rows that just suffice are not called full: there is nothing to come back for.
    expect(calls).toBe(Math.ceil(10 / rowsMax));
    expect(start).toBe(chunk.length - 20);
  });

  it('reports a bad length behind exactly full rows at once', () => {
    const seen = scan(makeScanner(prefer), Buffer.concat([makeFrame(0x13), Buffer.alloc(4)]), 0, makeRows(1));
    expect(seen).toMatchObject({ status: ScanStatus.tooShort, consumed: 42, frames: [{ offset: 0 }] });
  });

  it('writes nothing behind the rows it fills', () => {
    const rows = makeRows(3).fill(0x5a5a5a5a);
    scan(makeScanner(prefer), makeFrame(0x13), 0, rows);
    expect(rows.subarray(SCAN_HEAD + ROW_INTS).every((value) => value === 0x5a5a5a5a)).toBe(true);
    const odd = new Int32Array(SCAN_HEAD + 2 * ROW_INTS - 1).fill(0x5a5a5a5a);
    expect(scan(makeScanner(prefer), Buffer.concat([makeFrame(1), makeFrame(2)]), 0, odd).frames).toHaveLength(1);
    expect(odd.subarray(SCAN_HEAD + ROW_INTS).every((value) => value === 0x5a5a5a5a)).toBe(true);
  });

  const topicCases: [string, number, Uint8Array, number, number][] = [
    ['known topic', UNICAST, topicBody('known', 'p'), 5, 5],
    ['known topic of a multicast', MULTICAST, topicBody('known', 'p'), 5, 5],
    ['empty topic', UNICAST, topicBody('', 'p'), 6, 0],
    ['longest topic', UNICAST, topicBody('n'.repeat(254)), 8, 254],
    ['topic that is a prefix of a known one', UNICAST, topicBody('know', 'n'), TopicFault.unknown, 4],
    ['topic that extends a known one', UNICAST, topicBody('known1'), TopicFault.unknown, 6],
    ['bytes above 0x7f', UNICAST, topicBody('\u4e3b\u9898'), TopicFault.unknown, 6],
    ['byte 0x80', UNICAST, topicBody(Buffer.of(0x80, 0x9f, 0xff)), TopicFault.unknown, 3],
    ['empty body', UNICAST, new Uint8Array(), TopicFault.emptyBody, 0],
    ['empty body of a multicast', MULTICAST, new Uint8Array(), TopicFault.emptyBody, 0],
    ['length byte 0', UNICAST, Buffer.of(0), TopicFault.lengthZero, 0],
    ['length byte 0 before bytes', MULTICAST, Buffer.from('\0topic'), TopicFault.lengthZero, 0],
    ['length byte one beyond the body', UNICAST, Buffer.of(3, 0x61), TopicFault.lengthBeyondBody, 0],
    ['length byte far beyond the body', MULTICAST, Buffer.of(255, 0x41), TopicFault.lengthBeyondBody, 0],
    ['length byte 2 of a body of 1', UNICAST, Buffer.of(2), TopicFault.lengthBeyondBody, 0],
    ['reserved _block_notify_', UNICAST, topicBody('_block_notify_1'), TopicFault.reserved, 15],
    ['reserved _block_notify_, multicast', MULTICAST, topicBody('_block_notify_1'), TopicFault.reserved, 15],
    ['bare _block_notify_', UNICAST, topicBody('_block_notify_'), TopicFault.reserved, 14],
    ['one byte short of _block_notify_', UNICAST, topicBody('_block_notify', '_'), TopicFault.unknown, 13],
    ['reserved PushChannel', UNICAST, topicBody('#!$PushChannel_#!$TopicNeedVerify_x'), TopicFault.reserved, 35],
    ['reserved PushChannel, multicast', MULTICAST, topicBody('#!$PushChannel_x'), TopicFault.reserved, 16],
    ['VerifyChannel is open to unicast', UNICAST, topicBody('#!$VerifyChannel_x'), 7, 18],
    ['VerifyChannel is reserved for multicast', MULTICAST, topicBody('#!$VerifyChannel_x'), TopicFault.reserved, 18],
    ['other private names', MULTICAST, topicBody('#!$TopicNeedVerify_x'), TopicFault.unknown, 20],
    [
      'a control character before a reserved name',
      UNICAST,
      topicBody('_block_notify_\n'),
      TopicFault.controlCharacter,
      15,
    ],
    ['a control character in the payload only', UNICAST, topicBody('known', '\0\n\x7f'), 5, 5],
  ];
  it.each(topicCases)('topic: %s', (_, type, body, topic, topicBytes) => {
    const scanner = makeScanner(prefer);
    // Subscribing to reserved topics is allowed, so they may well be interned.
    const known: [string, number][] = [
      ['known', 5],
      ['', 6],
      ['#!$VerifyChannel_x', 7],
      ['n'.repeat(254), 8],
      ['_block_notify_1', 9],
      ['#!$PushChannel_x', 10],
    ];
    for (const [name, id] of known) scanner.intern(Buffer.from(name), id);
    // Bytes follow, so that a length byte beyond the body has something to run into.
    const chunk = Buffer.concat([makeFrame(type, body), makeFrame(0x31, Buffer.alloc(300, 0x61))]);
    expect(scan(scanner, chunk).frames[0]).toMatchObject({ type, topic, topicBytes });
  });

  it('refuses each control character at each place of a topic, and nothing else', () => {
    const scanner = makeScanner(prefer);
    for (const length of [1, 7, 8, 9, 16, 17, 254]) {
      for (const at of new Set([0, Math.floor(length / 2), length - 1])) {
        for (let byte = 0; byte < 256; byte++) {
          const topic = Buffer.alloc(length, 0x61);
          topic[at] = byte;
          const fault = byte < 0x20 || byte === 0x7f ? TopicFault.controlCharacter : TopicFault.unknown;
          const { topic: seen, topicBytes } = scan(scanner, makeFrame(UNICAST, topicBody(topic))).frames[0]!;
          if (seen !== fault || topicBytes !== length)
            expect({ length, at, byte, seen }).toEqual({ length, at, byte, seen: fault });
        }
      }
    }
  });

  it('looks for topics in 0x30 and 0x35 only', () => {
    const scanner = makeScanner(prefer);
    for (const type of [0x12, 0x15, 0x16, 0x31, 0x32, 0x37, 0x1001, 0x0130, 0x3000]) {
      for (const body of [new Uint8Array(), Buffer.of(0), topicBody('x\n')]) {
        expect(scan(scanner, makeFrame(type, body)).frames[0]).toMatchObject({ type, topic: 0, topicBytes: 0 });
      }
    }
  });

  it('forgets a released topic and follows a changed id', () => {
    const scanner = makeScanner(prefer);
    const chunk = Buffer.concat(Array.from({ length: 4 }, () => makeFrame(UNICAST, topicBody('t'))));
    const ids = () => scan(scanner, chunk).frames.map(({ topic }) => topic);
    scanner.intern(Buffer.from('t'), 1);
    expect(ids()).toEqual([1, 1, 1, 1]);
    scanner.intern(Buffer.from('t'), 2);
    expect(ids()).toEqual([2, 2, 2, 2]);
    scanner.release(Buffer.from('t'));
    expect(ids()).toEqual([-1, -1, -1, -1]);
  });

  it('never grows by what frames carry', () => {
    const scanner = makeScanner(prefer);
    for (let i = 0; i < 1000; i++) scan(scanner, makeFrame(UNICAST, topicBody(`stranger-${i}`)));
    expect(scanner.size).toBe(0);
  });

  it('asserts what only a caller can get wrong', () => {
    const scanner = makeScanner(prefer);
    const chunk = makeFrame(0x13);
    const short = new Int32Array(SCAN_HEAD + ROW_INTS - 1);
    for (const start of [-1, 43, 0.5, Number.NaN]) expect(() => scan(scanner, chunk, start)).toThrow('starts inside');
    expect(() => scanner.scan(chunk, 0, short)).toThrow('at least one row');
    expect(() => scanner.intern(Buffer.alloc(255), 1)).toThrow('254');
    for (const id of [-1, 2 ** 31, 1.5]) expect(() => scanner.intern(Buffer.from('t'), id)).toThrow('topic id');
    for (const max of [41, 2 ** 31, 50.5]) expect(() => makeScanner(prefer, max)).toThrow('frameBytesMax');
    expect(() => makeScanner(prefer, FRAME_BYTES_MAX, new Uint8Array(15))).toThrow('16 bytes');
    expect(scanner.size).toBe(0);
  });
});
