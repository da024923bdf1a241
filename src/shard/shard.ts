/**
 * One shard: listeners, sessions and routing of a worker thread. Everything here runs on one event loop, so nothing is locked.
 * What needs the whole relay (JSON-RPC, the topic directory, logs) goes to the control thread as a message.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import { createFrameScanner } from '../addon/scanner.js';
import type { Clock } from '../base/clock.js';
import { CLOSE_REASONS, TLS_FAILURES } from '../base/close-reason.js';
import { FAILURE_REASONS, type FailureReason } from '../base/failure-reason.js';
import { CHANNEL_FRAME_BYTES_MAX, SEEN_MESSAGE_MS, SEEN_MESSAGES_MAX } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import { RESULT_CODES, Stats } from '../base/stats.js';
import type { Endpoint } from '../core/endpoint.js';
import { InboundBudget } from '../core/inbound-budget.js';
import { Router, type RouterObserver } from '../core/router.js';
import { SeenCache } from '../core/seen-cache.js';
import { type SubscriptionChange, TopicTable } from '../core/topic-table.js';
import { describePeer, type KnownPeers, type PeerDescription } from '../pki/peer.js';
import { splitPem } from '../pki/pem.js';
import { createRows } from '../transport/frame-reader.js';
import type { FrameWriter } from '../transport/frame-writer.js';
import { encodeFrame } from '../wire/channel/frame.js';
import { formatRpcError } from '../wire/channel/json-rpc.js';
import { MessageType } from '../wire/channel/message-type.js';
import { AcceptGate } from './accept-gate.js';
import type { Connection } from './connection.js';
import type { ShardContext } from './context.js';
import { Listener } from './listener.js';
import type { BoundListener, ControlToShard, ShardSetup, ShardToControl } from './messages.js';
import { Session } from './session.js';

/** Resolution of every time-out of the shard. */
const TICK_MS = 20;
/** Idle and slow sessions are looked for less often: there may be thousands. */
const SESSION_CHECK_MS = 100;
/** The control thread answers in microseconds; after this long it is gone. */
const RPC_TIMEOUT_MS = 5_000;
const RPC_INTERNAL_ERROR = -32603;

interface RpcCall {
  readonly session: Session;
  readonly seq: Buffer;
  readonly startedMs: number;
}

export class Shard implements ShardContext, RouterObserver {
  readonly scanner = createFrameScanner({ frameBytesMax: CHANNEL_FRAME_BYTES_MAX });
  readonly rows = createRows();
  readonly topics = new TopicTable(this.scanner);
  readonly router: Router;
  readonly budget: InboundBudget;
  readonly limits: ShardSetup['limits'];
  readonly stats: Stats;
  readonly logger: Logger;
  readonly clock: Clock;

  readonly #setup: ShardSetup;
  readonly #port: MessagePort;
  readonly #listeners: Listener[] = [];
  readonly #gate: AcceptGate;
  readonly #sessions = new Set<Session>();
  readonly #paused = new Set<Connection<string>>();
  readonly #dirty: FrameWriter[] = [];
  readonly #calls = new Map<number, RpcCall>();
  #nextCall = 1;
  #nextSession = 1;
  /** Sockets of sessions, those included that are closed and still write their last bytes. */
  #connections = 0;
  #flushPlanned = false;
  #checkedMs = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #drainUntilMs = Number.POSITIVE_INFINITY;
  #draining = false;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => {};

  constructor(setup: ShardSetup, logger: Logger, clock: Clock) {
    this.#setup = setup;
    this.#port = setup.port;
    this.limits = setup.limits;
    this.logger = logger;
    this.clock = clock;
    this.stats = new Stats(setup.stats);
    this.#gate = new AcceptGate(setup.limits, clock);
    this.budget = new InboundBudget({
      bytesMax: setup.limits.inboundBytesMax,
      accountBytesMax: setup.limits.sessionInboundBytesMax,
    });
    this.router = new Router(
      this.topics,
      new SeenCache(SEEN_MESSAGES_MAX, SEEN_MESSAGE_MS),
      setup.limits,
      this,
      randomBytes(4).readInt32LE(0),
    );
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Binds every listener; rejects when one cannot be bound. Resolves with what is bound. */
  async start(): Promise<BoundListener[]> {
    const bound: BoundListener[] = [];
    for (const setup of this.#setup.listeners) {
      const authorities = splitPem(setup.caPem).map((block) => new X509Certificate(block.pem));
      const known: KnownPeers = new Map();
      const listener = new Listener({
        setup,
        tls: this.#setup.tls,
        handshakeTimeoutMs: this.limits.handshakeTimeoutMs,
        gate: this.#gate,
        stats: this.stats,
        logger: this.logger,
        onSession: (socket) => this.#open(describePeer(socket, authorities, known), socket),
      });
      this.#listeners.push(listener);
      bound.push(await listener.start());
    }
    this.#port.on('message', (message: ControlToShard) => this.#onControl(message));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    return bound;
  }

  /** Resolves when the shard has drained. */
  stopped(): Promise<void> {
    return this.#stopped;
  }

  /** Gives up what was started, after `start` rejected. */
  abort(): void {
    for (const listener of this.#listeners) listener.stop();
  }

  // ---- ShardContext

  flushLater(writer: FrameWriter): void {
    this.#dirty.push(writer);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    // The check phase: every frame that the poll phase read has been routed, so that one write carries all of them.
    setImmediate(() => this.#flush());
  }

  callControl(session: Session, seq: Buffer, body: Uint8Array): void {
    const call = this.#nextCall++;
    session.rpcCalls++;
    this.#calls.set(call, { session, seq, startedMs: this.clock.nowMs() });
    this.#post({ type: 'rpc', call, body, ownClient: session.wantsReason });
  }

  subscriptionsChanged(change: SubscriptionChange): void {
    this.stats.set('subscriptions', this.topics.subscriptions);
    if (change.added.length === 0 && change.removed.length === 0) return;
    this.#post({ type: 'subscriptions', added: change.added, removed: change.removed });
  }

  connectionOpened(): void {
    this.#connections++;
  }

  connectionEnded(): void {
    this.#connections--;
  }

  sessionEnded(session: Session): void {
    this.#sessions.delete(session);
    this.stats.set('sessions', this.#sessions.size);
  }

  readingPaused(connection: Connection<string>): void {
    this.#paused.add(connection);
  }

  // ---- RouterObserver

  pushed(): void {
    this.stats.add('pushes');
  }

  retried(): void {
    this.stats.add('pushRetries');
  }

  answered(requester: Endpoint, frame: Buffer, result: number, durationMs: number): void {
    this.stats.add('requests', result === 0 ? 0 : SUBSCRIBER_RESULT);
    this.stats.observeDuration(durationMs / 1000);
    if (this.logger.enabled('debug')) this.#logRequest('debug', requester, frame, result, undefined, durationMs);
  }

  failed(requester: Endpoint, frame: Buffer, code: number, reason: FailureReason, durationMs: number): void {
    this.stats.add('requests', RESULT_CODES.indexOf(String(code) as (typeof RESULT_CODES)[number]));
    this.stats.add('requestFailures', FAILURE_REASONS.indexOf(reason));
    this.stats.observeDuration(durationMs / 1000);
    if (this.logger.enabled('info')) this.#logRequest('info', requester, frame, code, reason, durationMs);
  }

  missed(): boolean {
    return false;
  }

  mayForward(): boolean {
    return true;
  }

  // ---- inside

  #open(peer: PeerDescription | undefined, socket: TLSSocket): void {
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    if (!peer) {
      // The connection ended within the turn that verified it.
      this.stats.add('tlsFailures', TLS_FAILURES.indexOf('connection-lost'));
      socket.destroy();
      return;
    }
    if (peer.organisationId === undefined) {
      this.logger.log(
        'warn',
        { component: 'tls', remote, subject: peer.subjectCn, issuer: peer.issuerCn },
        'the agency of a client is not known here; put its certificate into ca_cert',
      );
    }
    if (this.#draining || this.#sessions.size >= this.limits.sessionsMax) {
      const reason = this.#draining ? 'draining' : 'sessions-max';
      this.stats.add('connectionsClosed', CLOSE_REASONS.indexOf(reason));
      this.logger.log('warn', { component: 'channel', remote, reason }, 'connection refused');
      socket.destroy();
      return;
    }
    const address = socket.remoteAddress ?? '';
    if (this.#gate.redials.connected(address, peer.certificateDigest)) this.#reportRedials(remote, peer);
    const isRedialling = this.#gate.redials.isSlowed(address);
    const id = this.#nextSession++;
    const session = new Session(
      id,
      `${this.#setup.index}-${id}`,
      socket,
      {
        remote,
        subject: peer.subjectCn,
        organisation: peer.issuerCn,
        organisationId: peer.organisationId ?? UNKNOWN_ORGANISATION,
        certificateDigest: peer.certificateDigest,
        isRedialling,
      },
      this,
    );
    this.#sessions.add(session);
    this.stats.set('sessions', this.#sessions.size);
    this.logger.log(
      isRedialling ? 'debug' : 'info',
      {
        component: 'channel',
        session: session.label,
        remote,
        subject: peer.subjectCn,
        organisation: peer.issuerCn,
        certificate: peer.certificateDigest,
      },
      'session opened',
    );
  }

  #reportRedials(remote: string, peer: PeerDescription): void {
    this.logger.log(
      'warn',
      {
        component: 'channel',
        remote,
        subject: peer.subjectCn,
        organisation: peer.issuerCn,
        certificate: peer.certificateDigest,
        explanation:
          `this certificate made more than ${this.limits.redialsMax} connections in 10 s from this address, whose new ` +
          'connections now enter at 5 a second; sessions are not touched',
        hint:
          'a Go SDK v1.1.1 does this for ever once it has lost its connection: restart that client. Of any other, look up ' +
          'why its sessions end. If many clients share address and certificate, raise limits.redials_max',
      },
      'a client dials again and again: connections from its address are slowed down',
    );
  }

  #onControl(message: ControlToShard): void {
    switch (message.type) {
      case 'rpc-reply':
        this.#rpcReply(message.call, Buffer.from(message.body));
        return;
      case 'drain':
        this.#startDrain(message.timeoutMs);
        return;
    }
  }

  #rpcReply(id: number, body: Buffer): void {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    call.session.rpcCalls--;
    call.session.send(encodeFrame(MessageType.rpc, call.seq, 0, body));
  }

  #startDrain(timeoutMs: number): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#drainUntilMs = this.clock.nowMs() + timeoutMs;
    for (const listener of this.#listeners) listener.stop();
    this.router.drain();
  }

  #tick(): void {
    const nowMs = this.clock.nowMs();
    this.#gate.tick();
    this.router.expire(nowMs);
    for (const connection of this.#paused) {
      connection.updateReading();
      if (connection.closed || !connection.paused) this.#paused.delete(connection);
    }
    for (const [id, call] of this.#calls) {
      if (nowMs - call.startedMs < RPC_TIMEOUT_MS) break;
      this.#rpcReply(id, formatRpcError(null, RPC_INTERNAL_ERROR, 'the relay did not answer in time'));
    }
    if (nowMs - this.#checkedMs >= SESSION_CHECK_MS) {
      this.#checkedMs = nowMs;
      for (const session of this.#sessions) session.expire(nowMs);
    }
    this.stats.set('handshakes', this.#gate.size);
    this.stats.set('slowedAddresses', this.#gate.redials.size);
    this.stats.set('pendingRequests', this.router.pending);
    this.stats.set('inboundBytes', this.budget.usedBytes);
    if (this.#draining) this.#drainStep(nowMs);
  }

  #drainStep(nowMs: number): void {
    const late = nowMs >= this.#drainUntilMs;
    for (const session of this.#sessions) {
      if (late || !session.busy) session.close('draining');
    }
    if (this.#connections > 0 || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#resolveStopped();
  }

  #flush(): void {
    this.#flushPlanned = false;
    for (const writer of this.#dirty) writer.flush();
    this.#dirty.length = 0;
  }

  #logRequest(
    level: 'debug' | 'info',
    requester: Endpoint,
    frame: Buffer,
    code: number,
    reason: FailureReason | undefined,
    durationMs: number,
  ): void {
    const session = requester instanceof Session ? requester.label : String(requester.id);
    this.logger.log(
      level,
      { component: 'router', seq: seqText(frame), session, code, reason, durMs: Math.round(durationMs * 1000) / 1000 },
      code === 0 ? 'request answered' : 'request failed',
    );
  }

  #post(message: ShardToControl): void {
    this.#port.postMessage(message);
  }
}

/** All clients whose agency could not be found together; Node 24 does not show a listener the chain that a client sent. */
const UNKNOWN_ORGANISATION = 'unknown';

const SUBSCRIBER_RESULT = RESULT_CODES.indexOf('subscriber');

/** A sequence as people search for it: text where it is printable, hex where it is not. */
function seqText(frame: Buffer): string {
  const text = frame.toString('latin1', 6, 38);
  return /^[\x21-\x7e]+$/.test(text) ? text : frame.toString('hex', 6, 38);
}
