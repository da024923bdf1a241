import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildCommand, loadNative, tryNative } from '../../../src/addon/loader.js';
import { createFrameScanner } from '../../../src/addon/scanner.js';
import { createSecp256k1 } from '../../../src/addon/secp256k1.js';
import { VERIFY_ROW_BYTES } from '../../../src/addon/secp256k1-types.js';
import { withDeadline } from '../../helpers/deadline.js';
import { makeFrame, makeRows, SEED } from './helpers.js';

const folder = mkdtempSync(join(tmpdir(), 'amop-loader-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('loader of the native addon', () => {
  it('loads what the build left beside the sources', () => {
    expect(tryNative({})).toMatchObject({ addon: { contract: 2 } });
    expect(loadNative({})?.FrameScanner).toBeTypeOf('function');
    expect(loadNative({})?.Secp256k1).toBeTypeOf('function');
    expect(createFrameScanner({ frameBytesMax: 100 }).implementation).toBe('native');
  });

  it('gives secp256k1 to whoever does not choose', async () => {
    expect((await createSecp256k1()).implementation).toBe('native');
  });

  it('is switched off by AMOP_NATIVE=off and says so', () => {
    expect(loadNative({ AMOP_NATIVE: 'off' })).toBeUndefined();
    expect(tryNative({ AMOP_NATIVE: 'off' }).reason).toContain('AMOP_NATIVE=off');
  });

  it('falls back to the twins, and refuses explicit native ones, when it is switched off', async () => {
    const before = process.env.AMOP_NATIVE;
    process.env.AMOP_NATIVE = 'off';
    try {
      expect(createFrameScanner({ frameBytesMax: 100 }).implementation).toBe('typescript');
      expect(() => createFrameScanner({ frameBytesMax: 100 }, 'native')).toThrow('AMOP_NATIVE=off');
      expect((await createSecp256k1()).implementation).toBe('typescript');
      await expect(createSecp256k1('native')).rejects.toThrow('AMOP_NATIVE=off');
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

  it('names the command that works where the package is installed', () => {
    const file = '/srv/app/node_modules/amop-relay/build/Release/amop_native.node';
    expect(buildCommand(file)).toBe('node /srv/app/node_modules/amop-relay/scripts/build-native.mjs --fetch-tools');
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

describe('native secp256k1 called without our argument checks', () => {
  const { Secp256k1, keccak256 } = loadNative({})!;
  // biome-ignore lint/suspicious/noExplicitAny: wrong types are the point
  const wrong = (value: unknown): any => value;
  const seed = new Uint8Array(32);
  const row = new Uint8Array(VERIFY_ROW_BYTES);
  const done = () => {};
  const detached = (length: number) => {
    const view = new Uint8Array(length);
    structuredClone(0, { transfer: [view.buffer] });
    return view;
  };

  it('answers wrong arguments of batches with a status and never calls back', async () => {
    const native = new Secp256k1(seed);
    let calls = 0;
    const count = () => calls++;
    const rows = [undefined, 'rows', new Uint16Array(VERIFY_ROW_BYTES), row.buffer, new Uint8Array(), detached(163)];
    for (const value of [...rows, row.subarray(1), new Uint8Array(65 * VERIFY_ROW_BYTES)]) {
      expect(native.verifyBatch(wrong(value), count)).toBe(-1);
      expect(native.recoverBatch(wrong(value), count)).toBe(-1);
    }
    for (const callback of [undefined, null, 1, {}, 'done']) {
      expect(native.verifyBatch(row, wrong(callback))).toBe(-1);
    }
    expect(wrong(native).verifyBatch()).toBe(-1);
    await withDeadline(new Promise((resolve) => native.verifyBatch(row, resolve)), 8_000, 'a batch behind them');
    expect(calls).toBe(0);
  });

  it('takes no more batches than it has places for, and gives every one it took its results', async () => {
    const native = new Secp256k1(seed);
    const full = new Uint8Array(64 * VERIFY_ROW_BYTES);
    const finished: Promise<unknown>[] = [];
    const statuses = Array.from({ length: 40 }, () => {
      let status = 0;
      const end = new Promise((resolve) => {
        status = native.verifyBatch(full, resolve);
      });
      if (status === 0) finished.push(end);
      return status;
    });
    expect(statuses).toEqual(Array.from({ length: 40 }, (_, i) => (i < 16 ? 0 : -2)));
    const results = await withDeadline(Promise.all(finished), 8_000, 'all batches');
    expect(results).toEqual(Array.from({ length: 16 }, () => new Uint8Array(64)));
    expect(native.verifyBatch(row, done)).toBe(0);
  });

  it('answers wrong arguments of the rest with a status and writes nothing', () => {
    const native = new Secp256k1(seed);
    const [digest, key, signature, publicKey] = [32, 32, 65, 64].map((length) => new Uint8Array(length).fill(1));
    for (const bad of [undefined, null, 'text', {}, new Uint8Array(31), new Uint8Array(66), detached(32)]) {
      expect(native.sign(wrong(bad), key!, signature!)).toBe(-1);
      expect(native.sign(digest!, wrong(bad), signature!)).toBe(-1);
      expect(native.sign(digest!, key!, wrong(bad))).toBe(-1);
      expect(native.publicFromPrivate(wrong(bad), publicKey!)).toBe(-1);
      expect(native.publicFromPrivate(key!, wrong(bad))).toBe(-1);
      expect(keccak256(digest!, wrong(bad))).toBe(-1);
    }
    for (const bad of [undefined, 'text', {}, new Uint16Array(4)]) expect(keccak256(wrong(bad), digest!)).toBe(-1);
    expect(wrong(keccak256)()).toBe(-1);
    for (const view of [digest!, signature!, publicKey!]) expect(view.every((byte) => byte === 1)).toBe(true);
  });

  it('leaves zeros where the key was no private key', () => {
    const native = new Secp256k1(seed);
    const [signature, publicKey] = [new Uint8Array(65).fill(1), new Uint8Array(64).fill(1)];
    expect(native.sign(new Uint8Array(32), new Uint8Array(32), signature)).toBe(1);
    expect(native.publicFromPrivate(new Uint8Array(32).fill(0xff), publicKey)).toBe(1);
    expect(signature.every((byte) => byte === 0) && publicKey.every((byte) => byte === 0)).toBe(true);
  });

  it('does nothing when it was made wrongly, and methods on foreign objects throw', () => {
    for (const args of [[], [new Uint8Array(31)], ['x'], [detached(32)]]) {
      const native = new (wrong(Secp256k1))(...args);
      expect(native.verifyBatch(row, done)).toBe(-1);
      expect(native.sign(seed, seed, new Uint8Array(65))).toBe(-1);
      expect(native.publicFromPrivate(seed, new Uint8Array(64))).toBe(-1);
    }
    const { verifyBatch, sign } = Secp256k1.prototype;
    expect(() => wrong(verifyBatch).call({}, row, done)).toThrow(TypeError);
    expect(() => wrong(sign).call(Object.create(Secp256k1.prototype))).toThrow(TypeError);
    expect(() => wrong(Secp256k1)(seed)).toThrow(TypeError);
  });
});
