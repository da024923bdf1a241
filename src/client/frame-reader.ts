/**
 * Cuts the byte stream of one connection into frames, wherever the chunks end.
 *
 * Invariant: what is held is the start of exactly one incomplete frame, and it is joined only once, when its last byte is
 * there, so a frame of n bytes costs O(n) however many chunks it comes in.
 */
import { type ChannelFrame, decodeFrame } from '../wire/channel/frame.js';

const LENGTH_FIELD_BYTES = 4;

/** Why the stream cannot be read any further. */
export type FrameFault = 'too-short' | 'too-long';

export class FrameReader {
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;

  /**
   * Hands every frame that is complete with `chunk` to `onFrame`, in order; stops early when that returns false.
   * Bodies are views of the chunk. After a fault the reader must not be used again.
   */
  push(chunk: Buffer, onFrame: (frame: ChannelFrame) => boolean): FrameFault | undefined {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#chunks.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#neededBytes) return undefined;
      bytes = Buffer.concat(this.#chunks, this.#heldBytes);
      this.#chunks = [];
      this.#heldBytes = 0;
    }
    let offset = 0;
    while (offset < bytes.length) {
      const rest = bytes.subarray(offset);
      const decoded = decodeFrame(rest);
      if (decoded.status === 'incomplete') {
        this.#hold(rest, decoded.needed);
        return undefined;
      }
      if (decoded.status !== 'ok') return decoded.status;
      offset += decoded.consumed;
      if (!onFrame(decoded.frame)) return undefined;
    }
    return undefined;
  }

  #hold(rest: Buffer, frameBytes: number): void {
    this.#chunks = [rest];
    this.#heldBytes = rest.length;
    // Asked again as soon as the length is known, so that a bad one never waits for more bytes.
    this.#neededBytes = rest.length < LENGTH_FIELD_BYTES ? LENGTH_FIELD_BYTES : frameBytes;
  }
}
