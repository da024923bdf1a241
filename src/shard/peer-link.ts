/**
 * One TLS link to another relay or 2.x node on the P2P port.
 *
 * AMOP frames are routed here; gossip and hello go to the control thread, which decides what this link is used for. The link
 * stands in the router as one subscriber with the weight of those behind it. Invariant: nothing is read before the control
 * thread has accepted the certificate, and only links that the control thread has given routes are chosen for a message.
 */
import type { TLSSocket } from 'node:tls';
import { ROW_LENGTH, ROW_TOPIC, ROW_TYPE, SCAN_COUNT, SCAN_HEAD, TopicFault } from '../addon/types.js';
import type { FailureReason } from '../base/failure-reason.js';
import { CHANNEL_FRAME_BYTES_MAX, P2P_FRAME_BYTES_MAX, SEQ_BYTES } from '../base/limits.js';
import { P2P_REFUSALS, type P2PCloseReason, type P2PRefusal } from '../base/p2p-close-reason.js';
import type { Endpoint } from '../core/endpoint.js';
import type { FlowSource } from '../core/flow-control.js';
import { requesterList, targetList } from '../core/pending-requests.js';
import { PeerAnswer } from '../core/router.js';
import { DetachedTopic, type RelayForm, type Topic } from '../core/topic-table.js';
import type { PeerDescription } from '../pki/peer.js';
import { createRows } from '../transport/frame-reader.js';
import { P2PScanner } from '../transport/p2p-scanner.js';
import { encodeEmptyFrame, SEQ_OFFSET } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { hasPrivateTopic } from '../wire/channel/topic.js';
import { RELAY_MODULE, RELAY_RESPONSE, RelayPacketType } from '../wire/mesh/relay-module.js';
import { decodeP2PFrame, encodeP2PHeader, P2P_HEADER_BYTES, type P2PFrame } from '../wire/p2p/frame.js';
import { AmopPacketType, type P2PFormat, P2PModule, protocolIdOf, protocolParts } from '../wire/p2p/protocol-id.js';
import { declaredSize, decompress } from '../wire/p2p/snappy.js';
import { Connection, type ConnectionEnd } from './connection.js';
import type { ShardContext } from './context.js';
import type { LinkState } from './messages.js';
import { owned } from './owned.js';

const TYPE_LOW_BYTE = 5;

/** Frames of a link that the control thread has not worked off; more, and the link is not read. */
const CONTROL_FRAMES_MAX = 64;
/** The same in bytes: two of the longest topic lists. */
const CONTROL_BYTES_MAX = 40 * 1024 * 1024;

/** Frames of the relays' own module that are routed here and not by the control thread. */
const CARRIES_MESSAGE: ReadonlySet<number> = new Set([RelayPacketType.privateMessage, RelayPacketType.challenge]);

export interface PeerIdentity {
  readonly remote: string;
  /** 128 lower-case hex digits; empty for a certificate that gives none, which is never accepted. */
  readonly nodeId: string;
  readonly certificate: PeerDescription;
}

/** What the shard does with what a link brings. */
export interface PeerEvents {
  /** A frame that is not AMOP, decompressed. */
  peerFrame(link: PeerLink, frame: P2PFrame): void;
  peerEnded(link: PeerLink, reason: P2PCloseReason): void;
}

export class PeerLink extends Connection<P2PCloseReason> implements Endpoint {
  readonly isPeer = true;
  readonly identity: PeerIdentity;
  flow: FlowSource;
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();
  state: LinkState = 'held';
  /** The other side has not said hello: it speaks plain 2.x. */
  legacy = true;
  bootEpochMs = 0;
  /** Since the last report, for `PeerReport`. */
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  readonly #format: P2PFormat;
  readonly #headerBytes: number;
  readonly #events: PeerEvents;
  /** Of the channel frame inside a P2P frame: the outer scan's rows are in use meanwhile. */
  readonly #rows = createRows();
  #controlFrames = 0;
  #controlBytes = 0;
  #accepted = false;

  constructor(
    id: number,
    label: string,
    socket: TLSSocket,
    identity: PeerIdentity,
    context: ShardContext,
    flow: FlowSource,
    format: P2PFormat,
    events: PeerEvents,
  ) {
    const bounds = { frameBytesMin: P2P_HEADER_BYTES[format], frameBytesMax: P2P_FRAME_BYTES_MAX };
    super(id, label, socket, context, {
      scanner: new P2PScanner(bounds),
      ...bounds,
      queueLimit: 'peerQueueBytesMax',
    });
    this.identity = identity;
    this.flow = flow;
    this.#format = format;
    this.#headerBytes = P2P_HEADER_BYTES[format];
    this.#events = events;
    this.writer.joined = true;
    this.holdsReading = true;
    this.updateReading();
  }

  get process(): string | undefined {
    return this.legacy ? undefined : `${this.identity.nodeId} ${this.bootEpochMs}`;
  }

  get busy(): boolean {
    return this.routerRequests.size > 0 || this.routerPushes.size > 0 || !this.writer.idle;
  }

  // ---- what the router asks (Endpoint)

  deliver(frame: Buffer, ticket: number, topic: Topic, sender: Endpoint): boolean {
    if (this.closed || !this.hasRoom(frame.length)) return false;
    const unicast = frame[TYPE_LOW_BYTE] === MessageType.unicast;
    // A request can go to somebody quicker, a multicast copy cannot: half a queue makes a slow peer for unicast.
    if (unicast && this.writer.queuedBytes > this.queueBytesMax / 2) return false;
    if (topic instanceof DetachedTopic) {
      if (!this.legacy) return this.#sendInForm(topic.form, ticket, frame, sender);
      if (!topic.form.mayBePlain(this.id)) return false;
    }
    this.#sendAmop(P2PModule.amop, unicast ? AmopPacketType.unicast : AmopPacketType.multicast, ticket, frame);
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

  /**
   * The topic id of a whole 0x30 or 0x35 whose topic may be sent to, negative when nobody subscribes to it; undefined for anything
   * else. For a channel frame inside a frame of ours.
   */
  routableTopic(frame: Buffer): number | undefined {
    if (!this.#isOneFrame(frame)) return undefined;
    const rows = this.#rows;
    const type = rows[SCAN_HEAD + ROW_TYPE];
    if (type !== MessageType.unicast && type !== MessageType.multicast) return undefined;
    const topic = rows[SCAN_HEAD + ROW_TOPIC];
    return topic >= TopicFault.unknown ? topic : undefined;
  }

  // ---- what the control thread asks

  /** The certificate may be a peer: what it sends is read from now on. */
  accept(): void {
    this.#accepted = true;
    this.#holdIfFlooded();
  }

  /** Queues gossip or hello, which is the first to go when the queue is full: it is repeated. */
  sendControl(module: number, response: boolean, packetType: number, seq: number, payload: Buffer): void {
    if (this.closed) return;
    if (!this.hasRoom(payload.length)) {
      this.refuse('gossip-dropped');
      return;
    }
    this.#send(protocolIdOf(this.#format, { group: 0, module, response }), packetType, seq, payload);
  }

  /** The control thread has worked off so many frames of this link. */
  controlHandled(frames: number): void {
    this.#controlFrames -= frames;
    if (this.#controlFrames <= 0) this.#controlBytes = 0;
    this.#holdIfFlooded();
  }

  /** Ends the link for a reason of ours. */
  close(reason: P2PCloseReason): void {
    this.end(reason);
  }

  // ---- input

  onFrame(bytes: Buffer): boolean {
    const decoded = decodeP2PFrame(this.#format, bytes);
    if (decoded.status !== 'ok') return false;
    const { frame } = decoded;
    this.bytesReceived += bytes.length;
    const { group, module, response } = protocolParts(this.#format, frame.protocolId);
    // Groups other than 0 and modules that nobody here speaks are of chains, and none of our business.
    if (group !== 0) return false;
    const payload = frame.compressed ? this.#decompress(frame.payload) : frame.payload;
    if (!payload) return false;
    if (module === P2PModule.amop) {
      this.messagesReceived++;
      this.#amop(payload, frame, response);
      return false;
    }
    if (module === RELAY_MODULE && !response && CARRIES_MESSAGE.has(frame.packetType)) {
      this.messagesReceived++;
      this.context.privates.fromRelay(this, frame.packetType, payload, frame.seq);
      return false;
    }
    this.#controlFrames++;
    this.#controlBytes += payload.length;
    this.#holdIfFlooded();
    this.#events.peerFrame(this, { ...frame, payload });
    return false;
  }

  /** Counts input that was refused while the link is kept. */
  refuse(refusal: P2PRefusal): void {
    this.context.stats.add('p2pInputRefused', P2P_REFUSALS.indexOf(refusal));
  }

  protected onEnded(reason: P2PCloseReason | ConnectionEnd): void {
    this.#events.peerEnded(this, peerReasonOf(reason));
  }

  /** Scans a channel frame inside a frame of ours; what it is then stands in the rows. */
  #isOneFrame(bytes: Buffer): boolean {
    const rows = this.#rows;
    this.context.scanner.scan(bytes, 0, rows);
    return rows[SCAN_COUNT] === 1 && rows[SCAN_HEAD + ROW_LENGTH] === bytes.length;
  }

  #amop(payload: Buffer, outer: P2PFrame, response: boolean): void {
    const { context } = this;
    const rows = this.#rows;
    if (!this.#isOneFrame(payload)) {
      // Nothing can be answered: the sequence of the request is not known.
      this.refuse('malformed-frame');
      return;
    }
    const type = rows[SCAN_HEAD + ROW_TYPE];
    const nowMs = context.clock.nowMs();
    if (response) this.#response(payload, type, outer, nowMs);
    else if (type === MessageType.unicast) this.#unicast(payload, rows[SCAN_HEAD + ROW_TOPIC], outer.seq, nowMs);
    else if (type === MessageType.multicast) this.#multicast(payload, rows[SCAN_HEAD + ROW_TOPIC], nowMs);
    else this.refuse('unknown-type');
  }

  #response(payload: Buffer, type: number, outer: P2PFrame, nowMs: number): void {
    const own = outer.packetType === RELAY_RESPONSE ? PeerAnswer.relay : PeerAnswer.final;
    const kind = this.legacy ? PeerAnswer.legacy : own;
    const known =
      type === MessageType.response && this.context.router.peerResponse(this, outer.seq, payload, kind, nowMs);
    if (!known) this.refuse('unmatched-response');
  }

  #unicast(payload: Buffer, topic: number, ticket: number, nowMs: number): void {
    const { router, privates } = this.context;
    if (topic >= TopicFault.unknown) {
      if (hasPrivateTopic(payload)) privates.fromNode(this, payload, topic, ticket);
      else router.unicast(this, owned(payload), topic, nowMs, ticket);
      return;
    }
    this.refuse('malformed-body');
    router.refuse(this, payload, 100, 'malformed-body', ticket);
  }

  #multicast(payload: Buffer, topic: number, nowMs: number): void {
    const { router, stats, privates } = this.context;
    if (topic < TopicFault.unknown) {
      this.refuse('malformed-body');
      return;
    }
    if (hasPrivateTopic(payload)) {
      privates.fromNode(this, payload, topic, 0);
      return;
    }
    const copies = router.multicast(this, owned(payload), topic, nowMs, () => stats.add('multicastDropped'));
    if (copies < 0) stats.add('multicastDuplicates');
    else stats.add('multicastCopies', 0, copies);
  }

  /** A Snappy block, if what it makes fits a frame and the memory budget; judged before anything is allocated. */
  #decompress(data: Buffer): Buffer | undefined {
    const size = declaredSize(data) ?? 0;
    if (size <= CHANNEL_FRAME_BYTES_MAX && this.context.budget.usedBytes + size > this.context.limits.inboundBytesMax) {
      // Only while other input fills the budget of the whole relay; who sent it gets its answer by time-out.
      this.refuse('inbound-budget');
      return undefined;
    }
    const result = decompress(data, CHANNEL_FRAME_BYTES_MAX);
    if (result.ok) return result.bytes;
    this.close('protocol-compression');
    return undefined;
  }

  #holdIfFlooded(): void {
    const flooded = this.#controlFrames >= CONTROL_FRAMES_MAX || this.#controlBytes >= CONTROL_BYTES_MAX;
    this.holdsReading = flooded || !this.#accepted;
    this.updateReading();
  }

  #sendAmop(protocolId: number, packetType: number, seq: number, frame: Buffer): void {
    if (this.closed) return;
    this.messagesSent++;
    this.#send(protocolId, packetType, seq, frame);
  }

  #sendInForm(form: RelayForm, ticket: number, frame: Buffer, sender: Endpoint): boolean {
    const prefix = form.prefix(this.id, frame, sender);
    const bytes = (prefix?.length ?? 0) + frame.length;
    if (!prefix || this.#headerBytes + bytes > P2P_FRAME_BYTES_MAX) return false;
    this.messagesSent++;
    this.bytesSent += this.#headerBytes + bytes;
    const header = { version: 0, protocolId: RELAY_MODULE, packetType: form.packetType, seq: ticket };
    this.queue(encodeP2PHeader(this.#format, header, bytes, prefix), frame);
    return true;
  }

  #send(protocolId: number, packetType: number, seq: number, payload: Buffer): void {
    this.bytesSent += payload.length + this.#headerBytes;
    this.queue(encodeP2PHeader(this.#format, { version: 0, protocolId, packetType, seq }, payload.length), payload);
  }
}

function peerReasonOf(reason: P2PCloseReason | ConnectionEnd): P2PCloseReason {
  if (reason === 'client-closed') return 'peer-closed';
  if (reason === 'slow-consumer') return 'queue-full';
  return reason;
}
