/**
 * One TLS connection as frames in and frames out, with its end.
 *
 * Invariants: output that the socket has not taken yet stays in `#queue`, at most `queueBytesMax` bytes of it (one larger
 * frame into an empty queue), and can still be withdrawn; frames leave in the order in which they were given;
 * `onEnd` is called exactly once, and nothing else after it; no frame is handed out once `error` is set.
 */
import type { TLSSocket } from 'node:tls';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { AmopCode, AmopError } from './amop-error.js';
import { CLOSE_TIMEOUT_MS } from './bounds.js';
import { describeForeignBytes } from './foreign-bytes.js';
import { type FrameFault, FrameReader } from './frame-reader.js';

export interface LinkEvents {
  onFrame(frame: ChannelFrame): void;
  onEnd(error: AmopError): void;
}

/** A frame on its way out. */
export interface Outgoing {
  readonly bytes: Buffer;
  /** False while the frame waits in our own queue, where `Link.withdraw` can still take it back. */
  handedOver: boolean;
}

export class Link {
  readonly #socket: TLSSocket;
  readonly #queueBytesMax: number;
  readonly #reader = new FrameReader();
  readonly #queue = new Set<Outgoing>();
  #queueBytes = 0;
  #events: LinkEvents = { onFrame: () => {}, onEnd: () => {} };
  #blocked = false;
  #ending = false;
  #over = false;
  #error: AmopError | undefined;
  #anyFrame = false;
  #held = false;
  /** Calls that cannot wait until reading goes on. */
  #urgent = 0;
  /** Nothing is read: the socket is paused, and the reader may have a rest. */
  #stopped = false;
  #resuming = false;
  #lastReceivedMs = performance.now();

  constructor(socket: TLSSocket, queueBytesMax: number) {
    this.#socket = socket;
    this.#queueBytesMax = queueBytesMax;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
    socket.on('error', (error: Error) => this.fail('connection-lost', error.message, error));
    socket.on('end', () => this.fail('connection-lost', 'the relay closed the connection'));
    socket.on('close', () => this.fail('connection-lost', 'the connection was closed'));
  }

  /** Why nothing more can be sent, or undefined while the link works. */
  get error(): AmopError | undefined {
    return this.#error;
  }

  /** When the last byte came, by `performance.now()`; now, while nothing is read. */
  get lastReceivedMs(): number {
    return this.#stopped ? performance.now() : this.#lastReceivedMs;
  }

  get isReading(): boolean {
    return !this.#stopped;
  }

  /** Stops and resumes reading. */
  setReading(reads: boolean): void {
    this.#held = !reads;
    this.#updateReading();
  }

  /** Reads all the same until the work is over. */
  async readDuring<T>(work: () => Promise<T>): Promise<T> {
    this.#urgent++;
    this.#updateReading();
    try {
      return await work();
    } finally {
      this.#urgent--;
      this.#updateReading();
    }
  }

  /** Says who gets frames and the end from now on. */
  attach(events: LinkEvents): void {
    this.#events = events;
    if (this.#over && this.#error !== undefined) events.onEnd(this.#error);
  }

  /**
   * Takes a frame for writing, or returns undefined where the queue is full. The link must not be over.
   * `control` frames (topic lists, heartbeats) are always taken: they are few, and without them the relay's idea of us is wrong.
   */
  send(bytes: Buffer, control = false): Outgoing | undefined {
    const full = this.#queue.size > 0 && this.#queueBytes + bytes.length > this.#queueBytesMax;
    if (full && !control) return undefined;
    const outgoing: Outgoing = { bytes, handedOver: false };
    this.#queue.add(outgoing);
    this.#queueBytes += bytes.length;
    this.#flush();
    return outgoing;
  }

  /** Takes back a frame that has not been handed to the socket; returns whether it never will be. */
  withdraw(outgoing: Outgoing): boolean {
    if (outgoing.handedOver) return false;
    if (this.#queue.delete(outgoing)) this.#queueBytes -= outgoing.bytes.length;
    return true;
  }

  /** Takes nothing more, writes what is queued and ends the connection, by force after `CLOSE_TIMEOUT_MS`. */
  close(error: AmopError): Promise<void> {
    this.#error ??= error;
    return new Promise((resolve) => {
      if (this.#socket.closed) {
        resolve();
        return;
      }
      const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#ending = true;
      this.#flush();
    });
  }

  /** Ends the link at once, by our own decision or the socket's. */
  fail(reason: string, detail: string, cause?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error ??= new AmopError(AmopCode.notSent, { reason, detail, cause });
    this.#socket.destroy();
    this.#events.onEnd(this.#error);
    this.#queue.clear();
    this.#queueBytes = 0;
  }

  get #mayRead(): boolean {
    return !this.#held || this.#urgent > 0;
  }

  #updateReading(): void {
    if (!this.#mayRead) {
      this.#stopped = true;
      this.#socket.pause();
    } else if (this.#stopped && !this.#resuming) {
      this.#resuming = true;
      // Not from inside of whoever made room: it has yet to handle what it took.
      setImmediate(() => this.#resume());
    }
  }

  #resume(): void {
    this.#resuming = false;
    if (this.#over || !this.#mayRead) return;
    this.#stopped = false;
    this.#lastReceivedMs = performance.now();
    const unread = this.#reader.takeUnread();
    if (unread !== undefined) this.#read(unread);
    if (!this.#stopped) this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    this.#lastReceivedMs = performance.now();
    this.#read(chunk);
  }

  #read(chunk: Buffer): void {
    if (this.#error !== undefined) return;
    const fault = this.#reader.push(chunk, (frame) => {
      this.#anyFrame = true;
      this.#events.onFrame(frame);
      return this.#error === undefined && !this.#stopped;
    });
    if (fault !== undefined) this.fail('bad-frame', this.#describeFault(fault, chunk));
  }

  #describeFault(fault: FrameFault, chunk: Buffer): string {
    const foreign = this.#anyFrame ? undefined : describeForeignBytes(chunk);
    if (foreign !== undefined) return `it speaks ${foreign}; give the channel port, 20200 by default`;
    const what = fault === 'too-short' ? 'shorter than its header' : 'longer than a frame may be';
    return `the relay sent a frame that claims to be ${what}; is this port a channel port?`;
  }

  #flush(): void {
    if (this.#over) return;
    for (const outgoing of this.#queue) {
      if (this.#blocked) return;
      this.#queue.delete(outgoing);
      this.#queueBytes -= outgoing.bytes.length;
      outgoing.handedOver = true;
      this.#blocked = !this.#socket.write(outgoing.bytes);
    }
    if (this.#ending && !this.#socket.writableEnded) this.#socket.end();
  }
}
