import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadNative, tryNative } from '../../../src/addon/loader.js';
import { createFrameScanner } from '../../../src/addon/scanner.js';
import { makeFrame, makeRows, SEED } from './helpers.js';

const folder = mkdtempSync(join(tmpdir(), 'amop-loader-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('loader of the native addon', () => {
  it('loads what the build left beside the sources', () => {
    expect(tryNative({})).toMatchObject({ addon: { contract: 1 } });
    expect(loadNative({})?.FrameScanner).toBeTypeOf('function');
    expect(createFrameScanner({ frameBytesMax: 100 }).implementation).toBe('native');
  });

  it('is switched off by AMOP_NATIVE=off and says so', () => {
    expect(loadNative({ AMOP_NATIVE: 'off' })).toBeUndefined();
    expect(tryNative({ AMOP_NATIVE: 'off' }).reason).toContain('AMOP_NATIVE=off');
  });

  it('falls back to the twin, and refuses an explicit native scanner, when it is switched off', () => {
    const before = process.env.AMOP_NATIVE;
    process.env.AMOP_NATIVE = 'off';
    try {
      expect(createFrameScanner({ frameBytesMax: 100 }).implementation).toBe('typescript');
      expect(() => createFrameScanner({ frameBytesMax: 100 }, 'native')).toThrow('AMOP_NATIVE=off');
    } finally {
      if (before === undefined) delete process.env.AMOP_NATIVE;
      else process.env.AMOP_NATIVE = before;
    }
  });

  it('says what to do when the file is missing, broken or of another contract', () => {
    expect(tryNative({}, join(folder, 'missing.node')).reason).toContain('npm run build:native');
    const broken = join(folder, 'broken.node');
    writeFileSync(broken, 'not a library');
    expect(tryNative({}, broken).reason).toContain('does not load');
    const older = join(folder, 'older.cjs');
    writeFileSync(older, 'module.exports = { contract: 0 };');
    expect(tryNative({}, older).reason).toContain('other sources');
  });
});

describe('native scanner called without our argument checks', () => {
  const { FrameScanner } = loadNative({})!;
  // biome-ignore lint/suspicious/noExplicitAny: wrong types are the point
  const wrong = (value: unknown): any => value;

  it('answers wrong arguments of scan with a status and leaves the rows alone', () => {
    const scanner = new FrameScanner(1000, SEED);
    const chunk = makeFrame(0x13);
    const rows = makeRows(2);
    const calls = [
      [],
      [chunk],
      [chunk, 0],
      [undefined, 0, rows],
      [chunk, 43, rows],
      [chunk, -1, rows],
      [chunk, 2 ** 40, rows],
      [chunk, 'x', rows],
      [chunk, 0, new Int32Array(9)],
      [chunk, 0, new Float64Array(100)],
      [chunk, 0, rows.buffer],
      [new Uint16Array(100), 0, rows],
      [new DataView(new ArrayBuffer(100)), 0, rows],
      ['text', 0, rows],
    ];
    for (const call of calls) expect(wrong(scanner.scan).apply(scanner, call)).toBe(-1);
    expect(rows.every((value) => value === 0)).toBe(true);
    expect(scanner.scan(chunk, 0, rows)).toBeUndefined();
    expect(rows[1]).toBe(1);
  });

  it('survives detached buffers', () => {
    const scanner = new FrameScanner(1000, SEED);
    const chunk = Uint8Array.from(makeFrame(0x13));
    const rows = makeRows(2);
    const detach = (view: ArrayBufferView) => structuredClone(0, { transfer: [view.buffer as ArrayBuffer] });
    const topic = Uint8Array.of(0x61);
    detach(chunk);
    detach(topic);
    expect(scanner.scan(chunk, 0, rows)).toBeUndefined();
    expect(rows[1]).toBe(0);
    expect(scanner.scan(chunk, 1, rows)).toBe(-1);
    expect(scanner.lookup(topic)).toBe(-1);
    detach(rows);
    expect(scanner.scan(new Uint8Array(makeFrame(0x13)), 0, rows)).toBe(-1);
  });

  it('answers wrong arguments of the interner with a status', () => {
    const scanner = new FrameScanner(1000, SEED);
    expect(wrong(scanner).intern()).toBe(-1);
    expect(wrong(scanner).intern('topic', 1)).toBe(-1);
    expect(scanner.intern(new Uint8Array(255), 1)).toBe(-1);
    for (const id of [-1, 2 ** 31, 2 ** 53]) expect(scanner.intern(Uint8Array.of(1), id)).toBe(-1);
    expect(wrong(scanner).release()).toBe(false);
    expect(wrong(scanner).lookup({})).toBe(-1);
    expect(scanner.size).toBe(0);
  });

  it('refuses to scan when it was made wrongly, and methods on foreign objects', () => {
    const rows = makeRows(1);
    for (const args of [[], [41, SEED], [2 ** 31, SEED], ['x', SEED]]) {
      expect(new (wrong(FrameScanner))(...args).scan(makeFrame(0x13), 0, rows)).toBe(-1);
    }
    const { scan } = FrameScanner.prototype;
    expect(() => wrong(scan).call({})).toThrow(TypeError);
    expect(() => wrong(scan).call(Object.create(FrameScanner.prototype))).toThrow(TypeError);
    expect(() => wrong(FrameScanner)()).toThrow(TypeError);
  });
});
