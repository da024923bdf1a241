/**
 * Cuts the byte stream of one connection into frames, wherever the chunks end.
 *
 * Invariant: what is held is the start of exactly one incomplete frame, in one buffer that grows by doubling up to the
 * declared length. So a false length costs only what was really sent, and a frame of n bytes costs O(n) however many
 * chunks it comes in.
 */
import { FRAME_BUFFER_BYTES_MIN } from '../base/limits.js';
import { type ChannelFrame, decodeFrame } from '../wire/channel/frame.js';

const LENGTH_FIELD_BYTES = 4;

/** Why the stream cannot be read any further. */
export type FrameFault = 'too-short' | 'too-long';

export class FrameReader {
  #held: Buffer | undefined;
  #heldBytes = 0;
  #neededBytes = 0;
  #unread: Buffer | undefined;

  /** Memory held for an incomplete frame. */
  get heldCapacityBytes(): number {
    return this.#held?.length ?? 0;
  }

  /**
   * Hands every frame that is complete with `chunk` to `onFrame`, in order; stops early when that returns false, and keeps the rest
   * for `takeUnread`. Bodies are views. After a fault the reader must not be used again.
   */
  push(chunk: Buffer, onFrame: (frame: ChannelFrame) => boolean): FrameFault | undefined {
    let start = 0;
    while (this.#held !== undefined) {
      start += this.#collect(chunk, start);
      if (this.#heldBytes < this.#neededBytes) return undefined;
      const decoded = decodeFrame(this.#held.subarray(0, this.#heldBytes));
      if (decoded.status === 'incomplete') {
        // The length is known only now.
        this.#neededBytes = decoded.needed;
        continue;
      }
      this.#held = undefined;
      this.#heldBytes = 0;
      if (decoded.status !== 'ok') return decoded.status;
      if (!onFrame(decoded.frame)) return this.#stop(chunk, start);
    }
    while (start < chunk.length) {
      const decoded = decodeFrame(chunk.subarray(start));
      if (decoded.status === 'incomplete') {
        this.#hold(chunk.subarray(start), decoded.needed);
        return undefined;
      }
      if (decoded.status !== 'ok') return decoded.status;
      start += decoded.consumed;
      if (!onFrame(decoded.frame)) return this.#stop(chunk, start);
    }
    return undefined;
  }

  /** What `push` did not come to; it is to be pushed before anything else. */
  takeUnread(): Buffer | undefined {
    const unread = this.#unread;
    this.#unread = undefined;
    return unread;
  }

  #stop(chunk: Buffer, start: number): undefined {
    if (start < chunk.length) this.#unread = chunk.subarray(start);
  }

  #hold(rest: Buffer, frameBytes: number): void {
    // Asked again as soon as the length is known, so that a bad one never waits for more bytes.
    this.#neededBytes = rest.length < LENGTH_FIELD_BYTES ? LENGTH_FIELD_BYTES : frameBytes;
    this.#held = Buffer.allocUnsafe(Math.max(rest.length, Math.min(this.#neededBytes, FRAME_BUFFER_BYTES_MIN)));
    this.#heldBytes = rest.copy(this.#held);
  }

  /** Takes what the incomplete frame still needs; returns how much that was. */
  #collect(chunk: Buffer, start: number): number {
    const take = Math.min(chunk.length - start, this.#neededBytes - this.#heldBytes);
    const bytes = this.#heldBytes + take;
    let held = this.#held as Buffer;
    if (held.length < bytes) {
      held = Buffer.allocUnsafe(Math.min(this.#neededBytes, Math.max(bytes, held.length * 2)));
      (this.#held as Buffer).copy(held, 0, 0, this.#heldBytes);
      this.#held = held;
    }
    chunk.copy(held, this.#heldBytes, start, start + take);
    this.#heldBytes = bytes;
    return take;
  }
}
