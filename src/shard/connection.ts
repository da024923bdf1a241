/**
 * A TLS connection of either port: bytes to frames, a bounded output queue, memory budgets, time-outs, one end with a reason.
 * What its frames mean and who it is stands in the subclass (session.ts, peer-link.ts).
 */
import type { TLSSocket } from 'node:tls';
import type { FrameScanner } from '../addon/types.js';
import type { InboundAccount } from '../core/inbound-budget.js';
import { type FrameFault, type FrameHandler, FrameReader } from '../transport/frame-reader.js';
import { FrameWriter, type FrameWriterOwner } from '../transport/frame-writer.js';
import type { ShardContext } from './context.js';

/** How long a closing connection may take to accept its last bytes. */
const LINGER_MS = 1_000;

/** Reasons that both ports have. */
export type ConnectionEnd =
  | FrameFault
  | 'client-closed'
  | 'connection-lost'
  | 'idle'
  | 'slow-consumer'
  | 'frame-stalled';

export interface ConnectionBounds {
  readonly scanner: Pick<FrameScanner, 'scan'>;
  readonly frameBytesMin: number;
  readonly frameBytesMax: number;
  /** Which limit bounds the output; read each time, since a reload may change it. */
  readonly queueLimit: 'sessionQueueBytesMax' | 'peerQueueBytesMax';
}

export abstract class Connection<Reason extends string> implements FrameHandler, FrameWriterOwner {
  readonly id: number;
  readonly label: string;
  readonly writer: FrameWriter;
  /** For the router alone, see core/endpoint.ts. */
  routerPassedOver = 0;
  closed = false;
  /** Keeps reading paused for a reason of the subclass; call `updateReading` after a change. */
  protected holdsReading = false;
  protected readonly context: ShardContext;
  protected readonly account: InboundAccount;
  readonly #queueLimit: ConnectionBounds['queueLimit'];
  readonly #socket: TLSSocket;
  readonly #reader: FrameReader;
  #activeMs: number;
  #progressMs: number;
  #paused = false;

  constructor(id: number, label: string, socket: TLSSocket, context: ShardContext, bounds: ConnectionBounds) {
    this.id = id;
    this.label = label;
    this.context = context;
    this.#queueLimit = bounds.queueLimit;
    this.#socket = socket;
    this.account = context.budget.open();
    this.#reader = new FrameReader(bounds.scanner, context.rows, this, bounds);
    this.writer = new FrameWriter(socket, this);
    this.#activeMs = context.clock.nowMs();
    this.#progressMs = this.#activeMs;
    let lost = false;
    context.connectionOpened();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', () => {
      lost = true;
    });
    socket.on('close', () => {
      this.#ended(lost ? 'connection-lost' : 'client-closed');
      this.writer.stop();
      context.connectionEnded();
    });
  }

  abstract onFrame(frame: Buffer, type: number, result: number, topic: number): boolean;

  /** The connection is over; called once, before the memory budget is given back. */
  protected abstract onEnded(reason: Reason | ConnectionEnd): void;

  // ---- output

  protected get queueBytesMax(): number {
    return this.context.limits[this.#queueLimit];
  }

  /** May a frame of this size be refused? True while the queue has room; an empty queue takes any frame. */
  protected hasRoom(frameBytes: number): boolean {
    const queued = this.writer.queuedBytes;
    if (queued > 0 && queued + frameBytes > this.queueBytesMax) return false;
    return this.writer.queuedFrames < this.context.limits.sessionQueueFramesMax;
  }

  /** Takes no bytes at the moment although some wait: others are quicker. */
  stalled(nowMs: number): boolean {
    return !this.writer.idle && nowMs - this.#progressMs >= STALLED_MS;
  }

  /** Queues bytes; `rest` is the end of a frame that comes in two parts. */
  protected queue(bytes: Buffer, rest?: Buffer): void {
    if (this.writer.idle) this.#progressMs = this.context.clock.nowMs();
    this.writer.enqueue(bytes);
    if (rest !== undefined && rest.length > 0) this.writer.enqueue(rest);
    if (this.writer.joined) this.context.flushLater(this.writer);
  }

  onQueueBytes(delta: number): void {
    this.context.stats.add('queueBytes', 0, delta);
  }

  onProgress(): void {
    this.#progressMs = this.context.clock.nowMs();
    this.#activeMs = this.#progressMs;
    if (this.#paused) this.updateReading();
  }

  onEmpty(): void {
    if (this.closed) this.#socket.destroySoon();
    else if (this.#paused) this.updateReading();
  }

  // ---- input

  held(bytes: number): void {
    this.account.addPending(bytes);
  }

  released(bytes: number): void {
    this.account.addPending(-bytes);
    if (this.#paused) this.updateReading();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Pauses or resumes reading by the byte budgets and the output queue (decisions §8, §9). */
  updateReading(): void {
    if (this.closed) return;
    const { budget, clock, stats } = this.context;
    const allowed =
      !this.holdsReading &&
      this.writer.queuedBytes < this.queueBytesMax &&
      this.writer.queuedFrames < this.context.limits.sessionQueueFramesMax &&
      budget.allows(this.account, clock.nowMs());
    if (allowed === !this.#paused) return;
    this.#paused = !allowed;
    if (allowed) {
      this.#socket.resume();
    } else {
      if (!this.holdsReading) stats.add('readsPaused');
      this.#socket.pause();
      this.context.readingPaused(this);
    }
  }

  // ---- time and end

  /** Closes the connection if it is idle, slow, or stalls the inbound budget. */
  expire(nowMs: number): void {
    const { limits, budget } = this.context;
    if (this.closed) return;
    if (!this.writer.idle && nowMs - this.#progressMs >= limits.slowConsumerTimeoutMs) this.end('slow-consumer');
    else if (nowMs - this.#activeMs >= limits.idleTimeoutMs) this.end('idle');
    else if (budget.stalled(nowMs, limits.slowConsumerTimeoutMs) === this.account) this.end('frame-stalled');
  }

  /** Ends the connection for a reason of ours. What is queued is still written, unless the other side does not take it. */
  protected end(reason: Reason | ConnectionEnd): void {
    if (this.closed) return;
    this.#ended(reason);
    if (reason === 'slow-consumer' || reason === 'idle') {
      this.#socket.destroy();
      return;
    }
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
    if (this.writer.idle) this.#socket.destroySoon();
    else this.writer.flush();
  }

  #received(chunk: Buffer): void {
    if (this.closed) return;
    const nowMs = this.context.clock.nowMs();
    this.#activeMs = nowMs;
    const fault = this.#reader.push(chunk);
    if (this.closed) return;
    if (fault) {
      this.end(fault);
      return;
    }
    const partialBytes = this.#reader.partialBytes;
    if (partialBytes > 0 || this.account.partialBytes > 0) this.account.setPartial(partialBytes, nowMs);
    this.updateReading();
  }

  #ended(reason: Reason | ConnectionEnd): void {
    if (this.closed) return;
    this.closed = true;
    this.onEnded(reason);
    this.account.close();
    this.#reader.clear();
  }
}

/** A pause of a healthy client is shorter; a request waits at most this long for one before others are preferred. */
const STALLED_MS = 500;
