/**
 * Bounds of P2P frames in a chunk, in the rows of the channel scanner, so that one reader serves both ports.
 * Links carry few, large or rare frames next to sessions; the header is decoded by its codec once per frame.
 */
import {
  type FrameScanner,
  ROW_INTS,
  ROW_LENGTH,
  ROW_OFFSET,
  SCAN_CONSUMED,
  SCAN_COUNT,
  SCAN_HEAD,
  SCAN_NEXT_LENGTH,
  SCAN_STATUS,
  ScanStatus,
} from '../addon/types.js';
import { readU32 } from '../wire/bytes.js';

const LENGTH_BYTES = 4;

export class P2PScanner implements Pick<FrameScanner, 'scan'> {
  readonly #frameBytesMin: number;
  readonly #frameBytesMax: number;

  constructor(bounds: { readonly frameBytesMin: number; readonly frameBytesMax: number }) {
    this.#frameBytesMin = bounds.frameBytesMin;
    this.#frameBytesMax = bounds.frameBytesMax;
  }

  scan(chunk: Uint8Array, start: number, rows: Int32Array): void {
    const rowsEnd = rows.length - ROW_INTS;
    let at = start;
    let row = SCAN_HEAD;
    let status: ScanStatus = ScanStatus.ok;
    let nextLength = 0;
    while (chunk.length - at >= LENGTH_BYTES) {
      const length = readU32(chunk, at);
      if (length < this.#frameBytesMin || length > this.#frameBytesMax) {
        status = length < this.#frameBytesMin ? ScanStatus.tooShort : ScanStatus.tooLong;
        break;
      }
      if (length > chunk.length - at) {
        nextLength = length;
        break;
      }
      if (row > rowsEnd) {
        status = ScanStatus.rowsFull;
        break;
      }
      rows.fill(0, row, row + ROW_INTS);
      rows[row + ROW_OFFSET] = at;
      rows[row + ROW_LENGTH] = length;
      row += ROW_INTS;
      at += length;
    }
    rows[SCAN_STATUS] = status;
    rows[SCAN_COUNT] = (row - SCAN_HEAD) / ROW_INTS;
    rows[SCAN_CONSUMED] = at - start;
    rows[SCAN_NEXT_LENGTH] = nextLength;
  }
}
