/**
 * One authenticated client on the channel port. What its frames mean is channel-protocol.ts; who gets its messages is
 * core/router.ts.
 */
import type { TLSSocket } from 'node:tls';
import { CLOSE_REASONS, type CloseReason, REFUSALS, type Refusal } from '../base/close-reason.js';
import type { FailureReason } from '../base/failure-reason.js';
import {
  CHANNEL_FRAME_BYTES_MAX,
  CHANNEL_HEADER_BYTES,
  MALFORMED_PER_MINUTE_MAX,
  SEQ_BYTES,
  TLS_RECORD_BYTES_MAX,
} from '../base/limits.js';
import type { Endpoint } from '../core/endpoint.js';
import type { FlowSource } from '../core/flow-control.js';
import { requesterList, targetList } from '../core/pending-requests.js';
import type { PeerDescription } from '../pki/peer.js';
import { encodeEmptyFrame, encodeFrame, RESULT_OFFSET, SEQ_OFFSET } from '../wire/channel/frame.js';
import { frameKindIndex, MessageType } from '../wire/channel/message-type.js';
import { encodeReasonBody } from '../wire/channel/reason-body.js';
import { handleFrame } from './channel-protocol.js';
import { Connection } from './connection.js';
import type { ShardContext } from './context.js';
import { newHandle } from './private-routes.js';

const TYPE_LOW_BYTE = 5;
const MINUTE_MS = 60_000;

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
  readonly certificateDigest: string;
  readonly certificate: PeerDescription;
  /** Of the configuration. */
  readonly listener: number;
  /** Its address dials again and again: it comes and goes without a line at `info`. */
  readonly isRedialling: boolean;
}

export class Session extends Connection<CloseReason> implements Endpoint {
  readonly isPeer = false;
  /** Another one after a reload that calls its organisation something else. */
  identity: SessionIdentity;
  /** What other relays call this session, 16 hex digits. */
  readonly handle = newHandle();
  flow: FlowSource;
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();

  /** Channel protocol version; 1 until 0x14 says otherwise. */
  protocol = 1;
  clientType = '';
  /** Our own client: errors carry a reason, `amop_…` methods exist. */
  wantsReason = false;
  rpcCalls = 0;
  #silent = true;
  #malformed = 0;
  #malformedSinceMs = 0;

  constructor(
    id: number,
    label: string,
    socket: TLSSocket,
    identity: SessionIdentity,
    flow: FlowSource,
    context: ShardContext,
  ) {
    super(id, label, socket, context, {
      scanner: context.scanner,
      frameBytesMin: CHANNEL_HEADER_BYTES,
      frameBytesMax: CHANNEL_FRAME_BYTES_MAX,
      queueLimit: 'sessionQueueBytesMax',
    });
    this.identity = identity;
    this.flow = flow;
  }

  /** Requests, pushes and writes under way; a draining shard waits for zero. */
  get busy(): boolean {
    return this.routerRequests.size > 0 || this.routerPushes.size > 0 || this.rpcCalls > 0 || !this.writer.idle;
  }

  // ---- what the router asks (Endpoint)

  deliver(frame: Buffer): boolean {
    if (this.closed || !this.hasRoom(frame.length)) return false;
    // A request can go to somebody quicker, a multicast copy cannot: half a queue makes a slow consumer for unicast.
    if (frame[TYPE_LOW_BYTE] === MessageType.unicast && this.writer.queuedBytes > this.queueBytesMax / 2) {
      return false;
    }
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

  /**
   * Queues a frame without asking the bounds: answers and replies, each owed to something the client sent.
   * @param rest the end of a large frame, when `frame` is only its first record's worth
   */
  send(frame: Buffer, rest?: Buffer): void {
    if (this.closed) return;
    const { stats } = this.context;
    const kind = frameKindIndex((frame[4] << 8) | frame[5]);
    stats.add('framesSent', kind);
    stats.add('bytesSent', kind, frame.length + (rest?.length ?? 0));
    this.queue(frame, rest);
  }

  /** 0x31 with result 0 and the request's body: it says that the message was accepted, not that anybody got it. */
  acknowledge(frame: Buffer): void {
    // The first record's worth is copied, the rest of a large frame is not.
    const head = Buffer.from(frame.subarray(0, TLS_RECORD_BYTES_MAX));
    head[TYPE_LOW_BYTE] = MessageType.response;
    head.writeInt32BE(0, RESULT_OFFSET);
    this.send(head, frame.subarray(head.length));
  }

  // ---- input

  onFrame(frame: Buffer, type: number, result: number, topic: number): boolean {
    this.#silent = false;
    const { stats } = this.context;
    const kind = frameKindIndex(type);
    stats.add('framesReceived', kind);
    stats.add('bytesReceived', kind, frame.length);
    return handleFrame(this.context, this, frame, type, result, topic);
  }

  /** Counts input that was refused while the connection is kept. */
  refuse(refusal: Refusal): void {
    this.context.stats.add('inputRefused', REFUSALS.indexOf(refusal));
  }

  /** Counts a malformed body; too many of them in a minute end the connection. */
  malformed(): void {
    const nowMs = this.context.clock.nowMs();
    if (nowMs - this.#malformedSinceMs >= MINUTE_MS) {
      this.#malformedSinceMs = nowMs;
      this.#malformed = 0;
    }
    this.refuse('malformed-body');
    if (++this.#malformed > MALFORMED_PER_MINUTE_MAX) this.close('malformed-bodies');
  }

  // ---- end

  /** Ends the connection for a reason of ours. */
  close(reason: CloseReason): void {
    this.end(reason);
  }

  protected onEnded(reason: CloseReason): void {
    const { context } = this;
    context.subscriptionsChanged(context.topics.remove(this));
    context.privates.sessionEnded(this);
    context.router.sessionGone(this, context.clock.nowMs());
    context.stats.add('connectionsClosed', CLOSE_REASONS.indexOf(reason));
    context.logger.log(
      reason !== 'client-closed' ? 'warn' : this.identity.isRedialling ? 'debug' : 'info',
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
