/**
 * Frames to one socket, in order, bounded by bytes and by count.
 *
 * Two ways of writing (decisions §6):
 *  - strict: one frame per socket write, the next one from the callback of the previous one, so that no TLS record carries
 *    bytes of two frames. Python, Node.js and Go clients need it.
 *  - joined: everything that waits leaves in one write.
 * A frame above the slice size leaves in slices; TLS cuts them into records of 16 KiB, so its first four bytes stay together.
 *
 * node:tls merges writes that queue up inside the socket into one record. Therefore there is never more than one write in
 * the socket and the queue is ours, which also makes its size exact.
 *
 * While further frames wait, TCP may collect what is written: the records are the same, and a busy strict session costs a packet
 * for several frames instead of one for each. Invariant: it collects only while another write is certain to follow, and for
 * `COLLECTED_WRITES_MAX` at most; the write that ends it makes the kernel send everything, so that nothing ever waits for
 * an acknowledgement.
 */
import type { Socket } from 'node:net';
import { WRITE_SLICE_BYTES_MAX } from '../base/limits.js';

export interface FrameWriterOwner {
  /** Queued bytes changed by `delta`. */
  onQueueBytes(delta: number): void;
  /** A write finished: the peer takes bytes. */
  onProgress(): void;
  /** Nothing waits any more. */
  onEmpty(): void;
}

/** A frame is kept back for this many turns of the event loop at most; with four times as many nothing was gained. */
const COLLECTED_WRITES_MAX = 16;

/** Slots that must be free at the front before the queue array is compacted. */
const COMPACT_MIN = 256;

export class FrameWriter {
  /** May several frames share a TLS record? */
  joined = false;
  readonly #socket: Pick<Socket, 'write' | 'setNoDelay'>;
  readonly #owner: FrameWriterOwner;
  readonly #frames: Buffer[] = [];
  #head = 0;
  /** Bytes of the first frame that were handed to the socket already. */
  #headSent = 0;
  #queuedBytes = 0;
  #writtenBytes = 0;
  #writing = false;
  #stopped = false;
  /** Writes since TCP was told to collect; 0 while it sends at once. */
  #collected = 0;
  readonly #onWritten: (error?: Error | null) => void;

  /** @param socket sends at once (`setNoDelay`) */
  constructor(socket: Pick<Socket, 'write' | 'setNoDelay'>, owner: FrameWriterOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#onWritten = (error) => this.#written(error);
  }

  /** Bytes that were queued and not yet taken by the socket, the write under way included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get queuedFrames(): number {
    return this.#frames.length - this.#head;
  }

  get idle(): boolean {
    return this.#queuedBytes === 0;
  }

  /** Queues a frame. The caller keeps the bounds: an answer must always be taken. */
  enqueue(frame: Buffer): void {
    if (this.#stopped) return;
    this.#frames.push(frame);
    this.#queuedBytes += frame.length;
    this.#owner.onQueueBytes(frame.length);
    if (!this.#writing && !this.joined) this.#writeNext();
  }

  /** Writes what was queued in this turn; only joined writers wait for it. */
  flush(): void {
    if (!this.#writing && this.#queuedBytes > 0) this.#writeNext();
  }

  /** Drops everything that waits; called when the socket is closed. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#owner.onQueueBytes(-this.#queuedBytes);
    this.#queuedBytes = 0;
    this.#frames.length = 0;
    this.#head = 0;
  }

  #writeNext(): void {
    const first = this.#frames[this.#head];
    if (first === undefined) return;
    let chunk: Buffer;
    if (this.#headSent > 0 || first.length > WRITE_SLICE_BYTES_MAX) {
      chunk = first.subarray(this.#headSent, this.#headSent + WRITE_SLICE_BYTES_MAX);
      this.#headSent += chunk.length;
      if (this.#headSent === first.length) this.#shift();
    } else if (this.joined) {
      chunk = this.#joinSmall(first);
    } else {
      chunk = first;
      this.#shift();
    }
    this.#collectOrSend();
    this.#writtenBytes = chunk.length;
    this.#writing = true;
    this.#socket.write(chunk, this.#onWritten);
  }

  /** Before a write: may TCP keep it back for the next one? */
  #collectOrSend(): void {
    const collects = this.#frames.length > this.#head && this.#collected < COLLECTED_WRITES_MAX;
    if (collects !== this.#collected > 0) this.#socket.setNoDelay(!collects);
    this.#collected = collects ? this.#collected + 1 : 0;
  }

  #joinSmall(first: Buffer): Buffer {
    let bytes = 0;
    let count = 0;
    for (let at = this.#head; at < this.#frames.length; at++, count++) {
      if (bytes + this.#frames[at].length > WRITE_SLICE_BYTES_MAX) break;
      bytes += this.#frames[at].length;
    }
    if (count === 1) {
      this.#shift();
      return first;
    }
    const joined = Buffer.allocUnsafe(bytes);
    for (let filled = 0; count > 0; count--) {
      filled += this.#frames[this.#head].copy(joined, filled);
      // Moves #head, to the front of the array when it empties or compacts.
      this.#shift();
    }
    return joined;
  }

  #shift(): void {
    this.#frames[this.#head] = EMPTY;
    this.#head++;
    this.#headSent = 0;
    if (this.#head === this.#frames.length) {
      this.#frames.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_MIN && this.#head * 2 >= this.#frames.length) {
      this.#frames.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #written(error?: Error | null): void {
    this.#writing = false;
    if (this.#stopped) return;
    const bytes = this.#writtenBytes;
    this.#queuedBytes -= bytes;
    this.#owner.onQueueBytes(-bytes);
    // After an error the socket's own 'close' follows, which ends the session with a reason.
    if (error) return;
    this.#owner.onProgress();
    if (this.#frames.length > this.#head) this.#writeNext();
    else this.#owner.onEmpty();
  }
}

const EMPTY = Buffer.alloc(0);
