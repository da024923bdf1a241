import { assert } from '../base/errors.js';
import type { NativeAddon, NativeFrameScanner } from './loader.js';
import { checkIntern, checkScanArguments, checkScannerOptions } from './scan-arguments.js';
import type { FrameScanner, FrameScannerOptions } from './types.js';

/** The frame scanner of the addon behind the argument checks that C++ leaves to us. */
export class AddonFrameScanner implements FrameScanner {
  readonly implementation = 'native';
  readonly #native: NativeFrameScanner;

  constructor(addon: NativeAddon, options: FrameScannerOptions, seed: Uint8Array) {
    checkScannerOptions(options.frameBytesMax, seed);
    this.#native = new addon.FrameScanner(options.frameBytesMax, seed);
  }

  get size(): number {
    return this.#native.size;
  }

  intern(topic: Uint8Array, id: number): void {
    checkIntern(topic, id);
    const status = this.#native.intern(topic, id);
    assert(status === 0, `the native interner took the topic (status ${status})`);
  }

  release(topic: Uint8Array): boolean {
    return this.#native.release(topic);
  }

  lookup(topic: Uint8Array): number {
    return this.#native.lookup(topic);
  }

  scan(chunk: Uint8Array, start: number, rows: Int32Array): void {
    checkScanArguments(chunk, start, rows);
    assert(this.#native.scan(chunk, start, rows) === undefined, 'the native scanner was given a chunk and rows');
  }
}
