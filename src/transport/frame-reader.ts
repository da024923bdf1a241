/**
 * TLS chunks to frames.
 *
 * Frames that lie whole in one chunk are handed out as views of it; a frame that spans chunks is collected in one buffer
 * that grows by doubling up to its declared length, so that a false length costs only what was really sent.
 * "Need more bytes" is a plain return; a false length is a value, after which the reader must not be used again.
 */
import {
  type FrameScanner,
  ROW_INTS,
  ROW_LENGTH,
  ROW_OFFSET,
  ROW_RESULT,
  ROW_TOPIC,
  ROW_TYPE,
  SCAN_CONSUMED,
  SCAN_COUNT,
  SCAN_HEAD,
  SCAN_NEXT_LENGTH,
  SCAN_STATUS,
  ScanStatus,
} from '../addon/types.js';
import { FRAME_BUFFER_BYTES_MIN, SCAN_ROWS_MAX } from '../base/limits.js';

export interface FrameHandler {
  /**
   * One complete frame; `topic` is what the scanner found for 0x30 and 0x35.
   * @param frame never written again; it may be a view of a larger chunk
   * @returns true when topic ids may have changed, so that the rest of the chunk must be scanned again
   */
  onFrame(frame: Buffer, type: number, result: number, topic: number): boolean;
  /** Asked after each frame: the connection was closed, the rest of the chunk is of no interest. */
  readonly closed: boolean;
}

export type FrameFault = 'frame-too-short' | 'frame-too-long';

/** Rows of one scan. Scans do not nest, so all connections of a thread share them. */
export function createRows(): Int32Array {
  return new Int32Array(SCAN_HEAD + SCAN_ROWS_MAX * ROW_INTS);
}

const LENGTH_BYTES = 4;

export class FrameReader {
  readonly #scanner: Pick<FrameScanner, 'scan'>;
  readonly #rows: Int32Array;
  readonly #handler: FrameHandler;
  readonly #frameBytesMax: number;
  readonly #frameBytesMin: number;
  /** The beginning of an incomplete frame: `#filled` bytes of `#partial`, which will have `#length` (0: not known yet). */
  #partial: Buffer | undefined = undefined;
  #filled = 0;
  #length = 0;

  constructor(
    scanner: Pick<FrameScanner, 'scan'>,
    rows: Int32Array,
    handler: FrameHandler,
    bounds: { readonly frameBytesMin: number; readonly frameBytesMax: number },
  ) {
    this.#scanner = scanner;
    this.#rows = rows;
    this.#handler = handler;
    this.#frameBytesMin = bounds.frameBytesMin;
    this.#frameBytesMax = bounds.frameBytesMax;
  }

  /** Memory held for an incomplete frame, in bytes. */
  get partialBytes(): number {
    return this.#partial?.length ?? 0;
  }

  /** Declared length of the incomplete frame, 0 when there is none or its length is not known yet. */
  get partialLength(): number {
    return this.#length;
  }

  /** Feeds one chunk; the reader keeps views of it, so the caller must not reuse its memory. */
  push(chunk: Buffer): FrameFault | undefined {
    let start = 0;
    if (this.#partial) {
      start = this.#collect(chunk);
      if (this.#filled < LENGTH_BYTES) return undefined;
      // A declared length of 0 is a length, not an unknown one: skipped, its four bytes would shift every frame behind them.
      if (this.#length < this.#frameBytesMin) return 'frame-too-short';
      if (this.#length > this.#frameBytesMax) return 'frame-too-long';
      if (this.#filled === this.#length) {
        const frame = this.#partial;
        this.#forget();
        const fault = this.#scan(frame, 0);
        if (fault) return fault;
      }
    }
    return start < chunk.length && !this.#handler.closed ? this.#scan(chunk, start) : undefined;
  }

  /** Frees an incomplete frame, when the connection ends. */
  clear(): void {
    this.#forget();
  }

  #scan(chunk: Buffer, from: number): FrameFault | undefined {
    const rows = this.#rows;
    const handler = this.#handler;
    let start = from;
    for (;;) {
      this.#scanner.scan(chunk, start, rows);
      const status = rows[SCAN_STATUS];
      const count = rows[SCAN_COUNT];
      const nextLength = rows[SCAN_NEXT_LENGTH];
      const consumed = rows[SCAN_CONSUMED];
      let again = false;
      for (let row = SCAN_HEAD; row < SCAN_HEAD + count * ROW_INTS; row += ROW_INTS) {
        const offset = rows[row + ROW_OFFSET];
        const end = offset + rows[row + ROW_LENGTH];
        const frame = offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end);
        again = handler.onFrame(frame, rows[row + ROW_TYPE], rows[row + ROW_RESULT], rows[row + ROW_TOPIC]);
        if (handler.closed) return undefined;
        if (again) {
          start = end;
          break;
        }
      }
      if (again) {
        if (start >= chunk.length) return undefined;
        continue;
      }
      start += consumed;
      if (status === ScanStatus.rowsFull) continue;
      if (status === ScanStatus.tooShort) return 'frame-too-short';
      if (status === ScanStatus.tooLong) return 'frame-too-long';
      if (start < chunk.length) this.#begin(chunk, start, nextLength);
      return undefined;
    }
  }

  #begin(chunk: Buffer, start: number, declaredLength: number): void {
    const rest = chunk.length - start;
    this.#length = declaredLength;
    const wanted =
      declaredLength === 0 ? LENGTH_BYTES : Math.min(declaredLength, Math.max(rest, FRAME_BUFFER_BYTES_MIN));
    this.#partial = Buffer.allocUnsafe(wanted);
    chunk.copy(this.#partial, 0, start);
    this.#filled = rest;
  }

  /** Copies into the incomplete frame; returns the bytes of the chunk it took. */
  #collect(chunk: Buffer): number {
    let taken = 0;
    if (this.#length === 0 && this.#partial) {
      taken = chunk.copy(this.#partial, this.#filled, 0, LENGTH_BYTES - this.#filled);
      this.#filled += taken;
      if (this.#filled < LENGTH_BYTES) return taken;
      this.#length = this.#partial.readUInt32BE(0);
      if (this.#length < this.#frameBytesMin || this.#length > this.#frameBytesMax) return taken;
    }
    const take = Math.min(chunk.length - taken, this.#length - this.#filled);
    this.#reserve(this.#filled + take);
    if (this.#partial) chunk.copy(this.#partial, this.#filled, taken, taken + take);
    this.#filled += take;
    return taken + take;
  }

  #reserve(bytes: number): void {
    const old = this.#partial;
    if (!old || old.length >= bytes) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(bytes, old.length * 2)));
    old.copy(grown, 0, 0, this.#filled);
    this.#partial = grown;
  }

  #forget(): void {
    this.#partial = undefined;
    this.#filled = 0;
    this.#length = 0;
  }
}
