/**
 * One authenticated client on the channel port: its connection, its queues, its limits.
 * What its frames mean is channel-protocol.ts; who gets its messages is core/router.ts.
 */
import type { TLSSocket } from 'node:tls';
import { CLOSE_REASONS, type CloseReason, REFUSALS, type Refusal } from '../base/close-reason.js';
import type { FailureReason } from '../base/failure-reason.js';
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, MALFORMED_PER_MINUTE_MAX, SEQ_BYTES } from '../base/limits.js';
import type { Endpoint } from '../core/endpoint.js';
import type { InboundAccount } from '../core/inbound-budget.js';
import { requesterList, targetList } from '../core/pending-requests.js';
import { type FrameHandler, FrameReader } from '../transport/frame-reader.js';
import { FrameWriter, type FrameWriterOwner } from '../transport/frame-writer.js';
import { encodeEmptyFrame, encodeFrame, SEQ_OFFSET } from '../wire/channel/frame.js';
import { frameKindIndex, MessageType } from '../wire/channel/message-type.js';
import { encodeReasonBody } from '../wire/channel/reason-body.js';
import { handleFrame } from './channel-protocol.js';
import type { ShardContext } from './context.js';

const TYPE_LOW_BYTE = 5;
const MINUTE_MS = 60_000;
/** How long a closing connection may take to accept its last bytes. */
const LINGER_MS = 1_000;
const READ_BOUNDS = { frameBytesMin: CHANNEL_HEADER_BYTES, frameBytesMax: CHANNEL_FRAME_BYTES_MAX };

/**
 * Clients on OpenSSL that verify late, Node.js among them, complete the handshake and leave without an alert when they do not
 * accept our certificate.
 */
const SILENT_HINT =
  'the connection ended before its first frame: the client may not trust the CA of this listener, or it only checked the port';

/** Who is at the other end, from its certificate. */
export interface SessionIdentity {
  readonly remote: string;
  readonly subject: string;
  readonly organisation: string;
  readonly organisationId: string;
  readonly certificateDigest: string;
}

export class Session implements Endpoint, FrameHandler, FrameWriterOwner {
  readonly id: number;
  readonly label: string;
  readonly identity: SessionIdentity;
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();
  routerPassedOver = 0;

  /** Channel protocol version; 1 until 0x14 says otherwise. */
  protocol = 1;
  clientType = '';
  /** Our own client: errors carry a reason, `amop_…` methods exist. */
  wantsReason = false;
  closed = false;
  rpcCalls = 0;

  readonly writer: FrameWriter;
  readonly #context: ShardContext;
  readonly #socket: TLSSocket;
  readonly #reader: FrameReader;
  readonly #account: InboundAccount;
  #silent = true;
  #activeMs: number;
  #progressMs: number;
  #paused = false;
  #malformed = 0;
  #malformedSinceMs = 0;

  constructor(id: number, label: string, socket: TLSSocket, identity: SessionIdentity, context: ShardContext) {
    this.id = id;
    this.label = label;
    this.identity = identity;
    this.#context = context;
    this.#socket = socket;
    this.#account = context.budget.open();
    this.#reader = new FrameReader(context.scanner, context.rows, this, READ_BOUNDS);
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

  /** Requests, pushes and writes under way; a draining shard waits for zero. */
  get busy(): boolean {
    return this.routerRequests.size > 0 || this.routerPushes.size > 0 || this.rpcCalls > 0 || !this.writer.idle;
  }

  // ---- what the router asks (Endpoint)

  deliver(frame: Buffer): boolean {
    const { limits } = this.#context;
    if (this.closed) return false;
    const queued = this.writer.queuedBytes;
    if (queued > 0 && queued + frame.length > limits.sessionQueueBytesMax) return false;
    // A request can go to somebody quicker, a multicast copy cannot: half a queue makes a slow consumer for unicast.
    if (frame[TYPE_LOW_BYTE] === MessageType.unicast && queued > limits.sessionQueueBytesMax / 2) return false;
    if (this.writer.queuedFrames >= limits.sessionQueueFramesMax) return false;
    this.send(frame);
    return true;
  }

  answer(frame: Buffer): void {
    this.send(frame);
  }

  answerFailure(request: Buffer, code: number, reason: FailureReason): void {
    const seq = request.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES);
    if (!this.wantsReason) {
      this.send(encodeEmptyFrame(MessageType.response, seq, code));
      return;
    }
    const topicEnd = CHANNEL_HEADER_BYTES + (request[CHANNEL_HEADER_BYTES] ?? 0);
    const topic = request.subarray(CHANNEL_HEADER_BYTES + 1, Math.max(CHANNEL_HEADER_BYTES + 1, topicEnd));
    this.send(encodeFrame(MessageType.response, seq, code, encodeReasonBody(topic, reason)));
  }

  held(bytes: number): void {
    this.#account.addPending(bytes);
  }

  released(bytes: number): void {
    this.#account.addPending(-bytes);
    if (this.#paused) this.updateReading();
  }

  // ---- output

  /**
   * Queues a frame without asking the bounds: answers and replies, each owed to something the client sent.
   * @param rest the end of a large frame, when `frame` is only its first record's worth
   */
  send(frame: Buffer, rest?: Buffer): void {
    if (this.closed) return;
    const { stats } = this.#context;
    const kind = frameKindIndex((frame[4] << 8) | frame[5]);
    stats.add('framesSent', kind);
    stats.add('bytesSent', kind, frame.length + (rest?.length ?? 0));
    if (this.writer.idle) this.#progressMs = this.#context.clock.nowMs();
    this.writer.enqueue(frame);
    if (rest !== undefined && rest.length > 0) this.writer.enqueue(rest);
    if (this.writer.joined) this.#context.flushLater(this.writer);
  }

  onQueueBytes(delta: number): void {
    this.#context.stats.add('queueBytes', 0, delta);
  }

  onProgress(): void {
    this.#progressMs = this.#context.clock.nowMs();
    this.#activeMs = this.#progressMs;
    if (this.#paused) this.updateReading();
  }

  onEmpty(): void {
    if (this.closed) this.#socket.destroySoon();
    else if (this.#paused) this.updateReading();
  }

  // ---- input

  onFrame(frame: Buffer, type: number, result: number, topic: number, topicBytes: number): boolean {
    this.#silent = false;
    const { stats } = this.#context;
    const kind = frameKindIndex(type);
    stats.add('framesReceived', kind);
    stats.add('bytesReceived', kind, frame.length);
    return handleFrame(this.#context, this, frame, type, result, topic, topicBytes);
  }

  /** Counts input that was refused while the connection is kept. */
  refuse(refusal: Refusal): void {
    this.#context.stats.add('inputRefused', REFUSALS.indexOf(refusal));
  }

  /** Counts a malformed body; too many of them in a minute end the connection. */
  malformed(): void {
    const nowMs = this.#context.clock.nowMs();
    if (nowMs - this.#malformedSinceMs >= MINUTE_MS) {
      this.#malformedSinceMs = nowMs;
      this.#malformed = 0;
    }
    this.refuse('malformed-body');
    if (++this.#malformed > MALFORMED_PER_MINUTE_MAX) this.close('malformed-bodies');
  }

  /** Pauses or resumes reading by the byte budgets and the output queue (decisions §8, §9). */
  updateReading(): void {
    if (this.closed) return;
    const { limits, budget, stats } = this.#context;
    const allowed =
      this.writer.queuedBytes < limits.sessionQueueBytesMax &&
      this.writer.queuedFrames < limits.sessionQueueFramesMax &&
      budget.allows(this.#account);
    if (allowed === !this.#paused) return;
    this.#paused = !allowed;
    if (allowed) {
      this.#socket.resume();
    } else {
      stats.add('readsPaused');
      this.#socket.pause();
      this.#context.readingPaused(this);
    }
  }

  get paused(): boolean {
    return this.#paused;
  }

  // ---- time and end

  /** Closes the connection if it is idle, slow, or stalls the inbound budget. */
  expire(nowMs: number): void {
    const { limits, budget } = this.#context;
    if (this.closed) return;
    if (!this.writer.idle && nowMs - this.#progressMs >= limits.slowConsumerTimeoutMs) this.close('slow-consumer');
    else if (nowMs - this.#activeMs >= limits.idleTimeoutMs) this.close('idle');
    else if (budget.stalled(nowMs, limits.slowConsumerTimeoutMs) === this.#account) this.close('frame-stalled');
  }

  /** Ends the connection for a reason of ours. What is queued is still written, unless the client does not take it. */
  close(reason: CloseReason): void {
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
    const nowMs = this.#context.clock.nowMs();
    this.#activeMs = nowMs;
    const fault = this.#reader.push(chunk);
    if (this.closed) return;
    if (fault) {
      this.close(fault);
      return;
    }
    const partialBytes = this.#reader.partialBytes;
    if (partialBytes > 0 || this.#account.partialBytes > 0) this.#account.setPartial(partialBytes, nowMs);
    this.updateReading();
  }

  #ended(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    const context = this.#context;
    const change = context.topics.remove(this);
    context.subscriptionsChanged(change);
    context.router.sessionGone(this, context.clock.nowMs());
    this.#account.close();
    this.#reader.clear();
    context.stats.add('connectionsClosed', CLOSE_REASONS.indexOf(reason));
    context.logger.log(
      reason === 'client-closed' ? 'info' : 'warn',
      {
        component: 'channel',
        session: this.label,
        remote: this.identity.remote,
        reason,
        hint: this.#silent && reason !== 'draining' ? SILENT_HINT : undefined,
      },
      'session closed',
    );
    context.sessionEnded(this);
  }
}
