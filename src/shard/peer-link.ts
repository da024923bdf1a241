/**
 * One TLS link to another relay or 2.x node on the P2P port.
 *
 * AMOP frames are routed here; gossip and hello go to the control thread, which decides what this link may be used for.
 * The link stands in the router as one subscriber with the weight of those behind it.
 */
import type { TLSSocket } from 'node:tls';
import { ROW_LENGTH, ROW_TOPIC, ROW_TYPE, SCAN_COUNT, SCAN_HEAD, TopicFault } from '../addon/types.js';
import type { FailureReason } from '../base/failure-reason.js';
import { CHANNEL_FRAME_BYTES_MAX, P2P_FRAME_BYTES_MAX, SEQ_BYTES } from '../base/limits.js';
import { P2P_CLOSE_REASONS, type P2PCloseReason } from '../base/p2p-close-reason.js';
import type { Endpoint } from '../core/endpoint.js';
import { requesterList, targetList } from '../core/pending-requests.js';
import { PeerAnswer } from '../core/router.js';
import { createRows } from '../transport/frame-reader.js';
import { P2PScanner } from '../transport/p2p-scanner.js';
import { encodeEmptyFrame, SEQ_OFFSET } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { decodeP2PFrame, encodeP2PHeader, P2P_HEADER_BYTES, type P2PFrame } from '../wire/p2p/frame.js';
import { AmopPacketType, type P2PFormat, P2PModule, protocolParts } from '../wire/p2p/protocol-id.js';
import { decompress } from '../wire/p2p/snappy.js';
import { Connection, type ConnectionEnd } from './connection.js';
import type { ShardContext } from './context.js';

/**
 * Packet type of a response that a relay made itself, because it could not deliver; a subscriber's own answer has 0, as in the
 * reference. Receivers of the reference look at the frame inside only.
 */
export const RELAY_RESPONSE = 1;

const TYPE_LOW_BYTE = 5;
const RESULT_END = 42;

export interface PeerIdentity {
  readonly remote: string;
  /** 128 lower-case hex digits. */
  readonly nodeId: string;
  readonly subject: string;
  readonly organisation: string;
  readonly organisationId: string;
}

/** What the shard tells its control thread about links. */
export interface PeerEvents {
  /** A frame that is not AMOP. */
  peerFrame(link: PeerLink, frame: P2PFrame): void;
  peerEnded(link: PeerLink, reason: P2PCloseReason): void;
}

export class PeerLink extends Connection<P2PCloseReason> implements Endpoint {
  readonly isPeer = true;
  readonly identity: PeerIdentity;
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();
  /** Decided by the control thread: until then nothing is routed to or from this link. */
  active = false;
  /** The other side has not said hello: it speaks plain 2.x. */
  legacy = true;
  readonly #format: P2PFormat;
  readonly #events: PeerEvents;
  /** Of the channel frame inside a P2P frame: the outer scan's rows are in use meanwhile. */
  readonly #rows = createRows();

  constructor(
    id: number,
    label: string,
    socket: TLSSocket,
    identity: PeerIdentity,
    context: ShardContext,
    format: P2PFormat,
    events: PeerEvents,
  ) {
    const bounds = { frameBytesMin: P2P_HEADER_BYTES[format], frameBytesMax: P2P_FRAME_BYTES_MAX };
    super(id, label, socket, context, {
      scanner: new P2PScanner(bounds),
      ...bounds,
      queueBytesMax: context.limits.peerQueueBytesMax,
      queueFramesMax: context.limits.sessionQueueFramesMax,
    });
    this.identity = identity;
    this.#format = format;
    this.#events = events;
    this.writer.joined = true;
  }

  // ---- what the router asks (Endpoint)

  deliver(frame: Buffer, ticket: number): boolean {
    if (this.closed || !this.active || !this.hasRoom(frame.length)) return false;
    const packetType = frame[TYPE_LOW_BYTE] === MessageType.unicast ? AmopPacketType.unicast : AmopPacketType.multicast;
    this.#sendAmop(P2PModule.amop, packetType, ticket, frame);
    return true;
  }

  answer(frame: Buffer, ticket: number): void {
    this.#sendAmop(-P2PModule.amop, AmopPacketType.unicast, ticket, frame);
  }

  answerFailure(request: Buffer, code: number, _reason: FailureReason, ticket: number): void {
    const seq = request.subarray(SEQ_OFFSET, SEQ_OFFSET + SEQ_BYTES);
    const packetType = this.legacy ? AmopPacketType.unicast : RELAY_RESPONSE;
    this.#sendAmop(-P2PModule.amop, packetType, ticket, encodeEmptyFrame(MessageType.response, seq, code));
  }

  /** Queues a frame of the control thread: gossip or hello. */
  sendControl(protocolId: number, packetType: number, seq: number, payload: Buffer): void {
    if (!this.closed) this.#send(protocolId, packetType, seq, payload);
  }

  // ---- input

  onFrame(bytes: Buffer): boolean {
    const decoded = decodeP2PFrame(this.#format, bytes);
    if (decoded.status !== 'ok') return false;
    const { frame } = decoded;
    const { group, module, response } = protocolParts(this.#format, frame.protocolId);
    this.context.stats.add('p2pFramesReceived');
    this.context.stats.add('p2pBytesReceived', 0, bytes.length);
    if (group !== 0) return false;
    if (module !== P2PModule.amop) {
      this.#events.peerFrame(this, frame);
      return false;
    }
    const payload = frame.compressed ? this.#decompress(frame.payload) : frame.payload;
    if (payload && this.active) this.#amop(payload, frame, response);
    return false;
  }

  /** Ends the link for a reason of ours. */
  close(reason: P2PCloseReason): void {
    this.end(reason);
  }

  protected onEnded(reason: P2PCloseReason | ConnectionEnd): void {
    const { context } = this;
    const own = peerReasonOf(reason);
    context.topics.remove(this);
    context.router.sessionGone(this, context.clock.nowMs());
    context.stats.add('p2pConnectionsClosed', P2P_CLOSE_REASONS.indexOf(own));
    this.#events.peerEnded(this, own);
  }

  #amop(payload: Buffer, outer: P2PFrame, response: boolean): void {
    const { context } = this;
    const rows = this.#rows;
    context.scanner.scan(payload, 0, rows);
    const whole = rows[SCAN_COUNT] === 1 && rows[SCAN_HEAD + ROW_LENGTH] === payload.length;
    if (!whole) {
      // Nothing can be answered: the sequence of the request is not known.
      context.stats.add('p2pFramesRefused');
      return;
    }
    const type = rows[SCAN_HEAD + ROW_TYPE];
    const topic = rows[SCAN_HEAD + ROW_TOPIC];
    const nowMs = context.clock.nowMs();
    if (response) {
      const kind = this.legacy
        ? PeerAnswer.legacy
        : outer.packetType === RELAY_RESPONSE
          ? PeerAnswer.relay
          : PeerAnswer.final;
      if (type !== MessageType.response || !context.router.peerResponse(this, outer.seq, payload, kind, nowMs)) {
        context.stats.add('p2pFramesRefused');
      }
    } else if (type === MessageType.unicast) {
      if (topic < TopicFault.unknown || isPrivate(payload)) {
        context.router.refuse(this, payload, 100, 'malformed-body', outer.seq);
      } else {
        context.router.unicast(this, payload, topic, nowMs, outer.seq);
      }
    } else if (type === MessageType.multicast && topic >= 0 && !isPrivate(payload)) {
      const copies = context.router.multicast(this, payload, topic, nowMs, () => context.stats.add('multicastDropped'));
      if (copies < 0) context.stats.add('multicastDuplicates');
      else context.stats.add('multicastCopies', 0, copies);
    }
  }

  #decompress(data: Buffer): Buffer | undefined {
    const result = decompress(data, CHANNEL_FRAME_BYTES_MAX);
    if (result.ok) return result.bytes;
    this.close('protocol-compression');
    return undefined;
  }

  #sendAmop(protocolId: number, packetType: number, seq: number, frame: Buffer): void {
    if (this.closed) return;
    this.#send(protocolId, packetType, seq, frame);
  }

  #send(protocolId: number, packetType: number, seq: number, payload: Buffer): void {
    const { stats } = this.context;
    stats.add('p2pFramesSent');
    stats.add('p2pBytesSent', 0, payload.length + P2P_HEADER_BYTES[this.#format]);
    this.queue(encodeP2PHeader(this.#format, { version: 0, protocolId, packetType, seq }, payload.length), payload);
  }
}

/** `#!$…`: not routed before private topics exist (decisions §5). */
function isPrivate(frame: Buffer): boolean {
  return (
    frame[RESULT_END] > 3 &&
    frame[RESULT_END + 1] === 0x23 &&
    frame[RESULT_END + 2] === 0x21 &&
    frame[RESULT_END + 3] === 0x24
  );
}

function peerReasonOf(reason: P2PCloseReason | ConnectionEnd): P2PCloseReason {
  if (reason === 'client-closed') return 'peer-closed';
  if (reason === 'slow-consumer') return 'queue-full';
  return reason;
}
