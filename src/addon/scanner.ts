import { randomBytes } from 'node:crypto';
import { assert } from '../base/errors.js';
import { tryNative } from './loader.js';
import { SEED_BYTES } from './scan-arguments.js';
import { AddonFrameScanner } from './scanner-native.js';
import { TwinFrameScanner } from './scanner-twin.js';
import type { FrameScanner, FrameScannerOptions } from './types.js';

/**
 * Chunks of at most this many frames stay in JavaScript. Measured with bench/micro/scanner.bench.mjs (0x30 with a 22-byte topic,
 * Node 20): one frame costs 118 ns in the twin and 126 ns in the addon, two cost 247 and 154.
 */
export const TWIN_FRAMES_MAX = 1;

export type ScannerPreference = 'native' | 'typescript' | 'auto';

/**
 * Makes a frame scanner with an interner of its own.
 *
 * @param prefer 'auto' takes the addon where it loads, with the twin for small chunks, else the twin alone
 * @param seed 16 unpredictable bytes for the topic hash; only tests pass their own
 * @throws Error when 'native' was asked for and the addon does not load
 */
export function createFrameScanner(
  options: FrameScannerOptions,
  prefer: ScannerPreference = 'auto',
  seed: Uint8Array = randomBytes(SEED_BYTES),
): FrameScanner {
  if (prefer === 'typescript') return new TwinFrameScanner(options, seed);
  const { addon, reason } = tryNative();
  if (addon !== undefined) {
    const native = new AddonFrameScanner(addon, options, seed);
    return prefer === 'native' ? native : new AutoFrameScanner(native, new TwinFrameScanner(options, seed));
  }
  if (prefer === 'native') throw new Error(`the native frame scanner is not available: ${reason}`);
  return new TwinFrameScanner(options, seed);
}

/** Both scanners over the same topics; each chunk goes to the one that is faster for it. The rows are the same. */
class AutoFrameScanner implements FrameScanner {
  readonly implementation = 'native';
  readonly #native: AddonFrameScanner;
  readonly #twin: TwinFrameScanner;

  constructor(native: AddonFrameScanner, twin: TwinFrameScanner) {
    this.#native = native;
    this.#twin = twin;
  }

  get size(): number {
    return this.#twin.size;
  }

  intern(topic: Uint8Array, id: number): void {
    // Native first: only it can fail without changing anything, and then the twin has not changed either.
    this.#native.intern(topic, id);
    this.#twin.intern(topic, id);
  }

  release(topic: Uint8Array): boolean {
    const released = this.#twin.release(topic);
    assert(this.#native.release(topic) === released, 'both interners hold the same topics');
    return released;
  }

  lookup(topic: Uint8Array): number {
    return this.#twin.lookup(topic);
  }

  scan(chunk: Uint8Array, start: number, rows: Int32Array): void {
    const scanner = isSmall(chunk, start) ? this.#twin : this.#native;
    scanner.scan(chunk, start, rows);
  }
}

/** Whether the chunk holds few frames, judged by the first one: payload costs neither scanner anything, rows do. */
function isSmall(chunk: Uint8Array, start: number): boolean {
  const left = chunk.length - start;
  if (left < 4) return true;
  const first = (chunk[start]! << 24) | (chunk[start + 1]! << 16) | (chunk[start + 2]! << 8) | chunk[start + 3]!;
  return left <= first * TWIN_FRAMES_MAX;
}
