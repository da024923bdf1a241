/**
 * One shard: listeners, sessions, links to peers and routing of a worker thread. Everything here runs on one event loop, so nothing is locked.
 * What needs the whole relay (JSON-RPC, the topic directory, logs) goes to the control thread as a message.
 */
import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import { createFrameScanner } from '../addon/scanner.js';
import type { Clock } from '../base/clock.js';
import { CLOSE_REASONS, TLS_FAILURES } from '../base/close-reason.js';
import { FAILURE_REASONS, type FailureReason } from '../base/failure-reason.js';
import { CHANNEL_FRAME_BYTES_MAX, SEEN_MESSAGE_MS, SEEN_MESSAGES_MAX } from '../base/limits.js';
import type { Logger, LogLevel } from '../base/logger.js';
import { FLOW_SCOPES, RESULT_CODES, Stats } from '../base/stats.js';
import type { Endpoint } from '../core/endpoint.js';
import { FlowControl, type FlowSource } from '../core/flow-control.js';
import { InboundBudget } from '../core/inbound-budget.js';
import { Router, type RouterObserver } from '../core/router.js';
import { SeenCache } from '../core/seen-cache.js';
import { type SubscriptionChange, type Topic, TopicTable } from '../core/topic-table.js';
import type { PeerDescription } from '../pki/peer.js';
import { Trust } from '../pki/trust.js';
import { createRows } from '../transport/frame-reader.js';
import type { FrameWriter } from '../transport/frame-writer.js';
import { encodeFrame } from '../wire/channel/frame.js';
import { formatRpcError } from '../wire/channel/json-rpc.js';
import { MessageType } from '../wire/channel/message-type.js';
import { hasPrivateTopic } from '../wire/channel/topic.js';
import { P2P_HEADER_BYTES } from '../wire/p2p/frame.js';
import { AcceptGate } from './accept-gate.js';
import type { Connection } from './connection.js';
import type { ShardContext } from './context.js';
import { Listener } from './listener.js';
import type { BoundListener, BoundP2p, ControlToShard, ReloadSetup, ShardSetup, ShardToControl } from './messages.js';
import { Organisations } from './organisations.js';
import type { PeerLink } from './peer-link.js';
import { PeerPort } from './peer-port.js';
import { PrivateAgents, type SignChallenge } from './private-agents.js';
import { PrivateRoutes } from './private-routes.js';
import { Session } from './session.js';

/** Resolution of every time-out of the shard. */
const TICK_MS = 20;
/** Idle and slow sessions are looked for less often: there may be thousands. */
const SESSION_CHECK_MS = 100;
/** What passed the links is told to the control thread this often: metrics are that old at most. */
const PEER_REPORT_MS = 500;
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
  flow: FlowControl;
  readonly privates: PrivateRoutes;
  /** One object for everybody, so that a reload is seen everywhere. */
  readonly limits: ShardSetup['limits'];
  readonly stats: Stats;
  readonly logger: ShardLogger;
  readonly clock: Clock;

  #setup: ShardSetup;
  readonly #port: MessagePort;
  readonly #listeners: Listener[] = [];
  readonly #gate: AcceptGate;
  #organisations: Organisations;
  /** Of each listener. */
  #trust: Trust[] = [];
  readonly #peers: PeerPort | undefined;
  readonly #sessions = new Set<Session>();
  readonly #sessionsById = new Map<number, Session>();
  readonly #paused = new Set<Connection<string>>();
  readonly #dirty: FrameWriter[] = [];
  readonly #calls = new Map<number, RpcCall>();
  #nextCall = 1;
  /** Of sessions and links, for the router. */
  #nextConnection = 1;
  /** Sockets of sessions, those included that are closed and still write their last bytes. */
  #connections = 0;
  #flushPlanned = false;
  #checkedMs = 0;
  #reportedMs = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #drainUntilMs = Number.POSITIVE_INFINITY;
  #draining = false;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => {};

  constructor(setup: ShardSetup, logger: ShardLogger, clock: Clock, signChallenge?: SignChallenge) {
    this.#setup = setup;
    this.#port = setup.port;
    this.limits = { ...setup.limits };
    this.logger = logger;
    this.clock = clock;
    this.stats = new Stats(setup.stats);
    this.#gate = new AcceptGate(this.limits, clock);
    this.budget = new InboundBudget(budgetLimits(this.limits));
    this.router = new Router(
      this.topics,
      new SeenCache(SEEN_MESSAGES_MAX, SEEN_MESSAGE_MS),
      this.limits,
      this,
      randomBytes(4).readInt32LE(0),
    );
    this.flow = new FlowControl(setup.flowLimits);
    this.privates = new PrivateRoutes(
      this,
      (message) => this.#post(message),
      (id) => this.#sessionsById.get(id) ?? this.#peers?.link(id),
      new PrivateAgents(setup.agents, signChallenge),
    );
    this.#organisations = new Organisations(setup.organisations);
    this.#peers = setup.p2p === undefined ? undefined : this.#peerPort(setup.p2p);
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Binds every port; rejects when one cannot be bound. Resolves with what is bound. */
  async start(): Promise<{ listeners: BoundListener[]; p2p: BoundP2p | undefined }> {
    const listeners: BoundListener[] = [];
    this.#trust = this.#setup.listeners.map((setup) => new Trust(setup));
    for (const [index, setup] of this.#setup.listeners.entries()) {
      const listener = new Listener({
        name: 'channel',
        setup,
        tls: this.#setup.tls,
        handshakeTimeoutMs: this.limits.handshakeTimeoutMs,
        gate: this.#gate,
        stats: this.stats,
        logger: this.logger,
        onSession: (socket) => this.#open(this.#trust[index].describe(socket), socket, index),
      });
      this.#listeners.push(listener);
      listeners.push(await listener.start());
    }
    const p2p = await this.#peers?.start();
    this.#port.on('message', (message: ControlToShard) => this.#onControl(message));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    return { listeners, p2p };
  }

  /** Resolves when the shard has drained. */
  stopped(): Promise<void> {
    return this.#stopped;
  }

  /** Gives up what was started, after `start` rejected. */
  abort(): void {
    for (const listener of this.#listeners) listener.stop();
    this.#peers?.stop();
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
    const ownClient = session.wantsReason;
    const agentTopics = ownClient ? this.privates.agentTopicsOf(session) : [];
    this.#post({ type: 'rpc', call, session: session.id, body, ownClient, agentTopics });
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
    this.#sessionsById.delete(session.id);
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
    if (hasPrivateTopic(frame)) this.privates.observed(requester, frame, code);
    if (this.logger.enabled('info')) this.#logRequest('info', requester, frame, code, reason, durationMs);
  }

  missed(): boolean {
    return !this.#draining && (this.#peers?.missed(this.clock.nowMs()) ?? false);
  }

  mayForward(requester: Endpoint, nowMs: number): boolean {
    if (!this.flow.enabled || this.flow.allowsPeer(flowOf(requester), nowMs)) return true;
    this.stats.add('bandwidthRefused', NODE_SCOPE);
    return false;
  }

  forwarded(sender: Endpoint, frameBytes: number, nowMs: number): void {
    if (this.flow.enabled) this.flow.chargePeer(flowOf(sender), frameBytes + this.#p2pHeaderBytes, nowMs);
  }

  answering(from: Endpoint, requester: Endpoint, topic: Topic | undefined, frameBytes: number, nowMs: number): void {
    if (!this.flow.enabled) return;
    // The relay of a subscriber has charged its scopes already.
    const ownBytes = from.isPeer ? 0 : frameBytes;
    const peerBytes = requester.isPeer ? frameBytes + this.#p2pHeaderBytes : 0;
    const topicFlow = topic && this.flow.topic(topic.name, nowMs);
    this.flow.chargeAnswer(flowOf(from), topicFlow, ownBytes, peerBytes, nowMs);
  }

  // ---- inside

  #peerPort(setup: NonNullable<ShardSetup['p2p']>): PeerPort {
    return new PeerPort({
      setup,
      tls: this.#setup.tls,
      organisations: () => this.#organisations,
      context: this,
      nextId: () => this.#nextConnection++,
      post: (message) => this.#post(message),
    });
  }

  get #p2pHeaderBytes(): number {
    return P2P_HEADER_BYTES[this.#setup.p2p?.format ?? 'rc2'];
  }

  #open(peer: PeerDescription | undefined, socket: TLSSocket, listener: number): void {
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    if (!peer) {
      // The connection ended within the turn that verified it.
      this.stats.add('tlsFailures', TLS_FAILURES.indexOf('connection-lost'));
      socket.destroy();
      return;
    }
    // Before anything refuses the session: whoever is refused dials again too.
    const address = socket.remoteAddress ?? '';
    if (this.#gate.redials.connected(address, peer.certificateDigest)) this.#reportRedials(remote, peer);
    const isRedialling = this.#gate.redials.isSlowed(address);
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
    const organisation = this.#organisations.of(peer);
    const id = this.#nextConnection++;
    const session = new Session(
      id,
      `${this.#setup.index}-${id}`,
      socket,
      {
        remote,
        subject: peer.subjectCn,
        organisation: organisation.name,
        certificateDigest: peer.certificateDigest,
        certificate: peer,
        listener,
        isRedialling,
      },
      this.flow.openSession(organisation.id),
      this,
    );
    this.#sessions.add(session);
    this.#sessionsById.set(id, session);
    this.stats.set('sessions', this.#sessions.size);
    this.logger.log(
      isRedialling ? 'debug' : 'info',
      {
        component: 'channel',
        session: session.label,
        remote,
        subject: peer.subjectCn,
        organisation: organisation.name,
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
      case 'reload':
        this.#reload(message.setup);
        return;
      case 'peer-dial':
      case 'peer-accept':
      case 'peer-state':
      case 'peer-close':
      case 'peer-send':
      case 'peer-routes':
      case 'peer-handled':
      case 'topics-pulled':
        this.#peers?.onMessage(message);
        return;
      default:
        this.privates.onMessage(message);
    }
  }

  #rpcReply(id: number, body: Buffer): void {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    call.session.rpcCalls--;
    call.session.send(encodeFrame(MessageType.rpc, call.seq, 0, body));
  }

  /** Takes over what was read anew; closes sessions and links that would not be let in any more. */
  #reload(setup: ReloadSetup): void {
    const now = new Date();
    const sameFlow = JSON.stringify(setup.flowLimits) === JSON.stringify(this.#setup.flowLimits);
    this.#setup = { ...this.#setup, ...setup };
    Object.assign(this.limits, setup.limits);
    this.logger.setLevel(setup.logLevel);
    this.#gate.setLimits(this.limits);
    this.budget.setLimits(budgetLimits(this.limits));
    this.#organisations = new Organisations(setup.organisations);
    // Debts of limits that did not change stay.
    if (!sameFlow) {
      this.flow = new FlowControl(setup.flowLimits);
      this.privates.flowReplaced();
    }
    const before = this.#trust;
    this.#trust = setup.listeners.map((one) => new Trust(one));
    for (const [index, listener] of this.#listeners.entries()) listener.reload(setup.listeners[index], setup.tls);
    let closed = 0;
    for (const session of [...this.#sessions]) {
      const { certificate, listener } = session.identity;
      const refusal = this.#trust[listener].refusal(certificate, before[listener], now);
      if (refusal) {
        closed++;
        session.close(refusal);
        continue;
      }
      const { id, name } = this.#organisations.of(certificate);
      if (!sameFlow) session.flow = this.flow.openSession(id);
      if (name !== session.identity.organisation) session.identity = { ...session.identity, organisation: name };
    }
    if (setup.p2p) closed += this.#peers?.reload(setup.p2p, setup.tls, now, !sameFlow) ?? 0;
    this.privates.setAgents(setup.agents);
    this.#post({ type: 'reloaded', closed });
  }

  #startDrain(timeoutMs: number): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#drainUntilMs = this.clock.nowMs() + timeoutMs;
    for (const listener of this.#listeners) listener.stop();
    this.#peers?.stop();
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
    this.#peers?.tick(nowMs);
    if (nowMs - this.#reportedMs >= PEER_REPORT_MS) {
      this.#reportedMs = nowMs;
      this.#peers?.report();
    }
    this.stats.set('handshakes', this.#gate.size + (this.#peers?.handshakes ?? 0));
    this.stats.set('slowedAddresses', this.#gate.redials.size);
    this.stats.set('pendingRequests', this.router.pending);
    this.stats.set('inboundBytes', this.budget.usedBytes);
    if (this.#setup.flowLimits.nodeBytesPerSecond !== undefined)
      this.stats.set('bandwidthBalanceBytes', this.flow.nodeBalance(nowMs));
    if (this.#draining) this.#drainStep(nowMs);
  }

  #drainStep(nowMs: number): void {
    const late = nowMs >= this.#drainUntilMs;
    for (const session of this.#sessions) {
      if (late || !session.busy) session.close('draining');
    }
    // Answers for sessions here may still come over the links.
    if (this.#sessions.size === 0 || late) this.#peers?.drain(late);
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
    const { label } = requester as Session | PeerLink;
    this.logger.log(
      level,
      {
        component: 'router',
        seq: seqText(frame),
        ...(requester.isPeer ? { peer: label } : { session: label }),
        code,
        reason,
        durMs: Math.round(durationMs * 1000) / 1000,
      },
      code === 0 ? 'request answered' : 'request failed',
    );
  }

  #post(message: ShardToControl): void {
    this.#port.postMessage(message);
  }
}

const NODE_SCOPE = FLOW_SCOPES.indexOf('node');

/** Every endpoint of a shard is one of the two. */
const flowOf = (endpoint: Endpoint): FlowSource => (endpoint as Session | PeerLink).flow;

const budgetLimits = ({ inboundBytesMax, sessionInboundBytesMax }: ShardSetup['limits']) => ({
  bytesMax: inboundBytesMax,
  accountBytesMax: sessionInboundBytesMax,
});

/** The log of a shard; its level may change. */
export interface ShardLogger extends Logger {
  setLevel(level: LogLevel): void;
}

const SUBSCRIBER_RESULT = RESULT_CODES.indexOf('subscriber');

/** A sequence as people search for it: text where it is printable, hex where it is not. */
function seqText(frame: Buffer): string {
  const text = frame.toString('latin1', 6, 38);
  return /^[\x21-\x7e]+$/.test(text) ? text : frame.toString('hex', 6, 38);
}
