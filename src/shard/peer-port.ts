/**
 * The P2P side of a shard: the listener, dialled connections, and the links to peers. Which of them may be used, and for what,
 * is decided by the control thread; what it says arrives here as messages.
 */
import type { TLSSocket } from 'node:tls';
import { P2P_CLOSE_REASONS, type P2PCloseReason } from '../base/p2p-close-reason.js';
import { explainDialError } from '../pki/dial-explain.js';
import { dialTls } from '../pki/tls-options.js';
import { Trust } from '../pki/trust.js';
import type { P2PFrame } from '../wire/p2p/frame.js';
import { protocolParts } from '../wire/p2p/protocol-id.js';
import { AcceptGate } from './accept-gate.js';
import type { ShardContext } from './context.js';
import { Listener } from './listener.js';
import type { BoundP2p, ControlToShard, P2pSetup, ShardToControl } from './messages.js';
import type { Organisations } from './organisations.js';
import { type PeerEvents, PeerLink } from './peer-link.js';

export interface PeerPortOptions {
  readonly setup: P2pSetup;
  readonly tls: { readonly ciphers: string; readonly curves: string };
  readonly organisations: () => Organisations;
  readonly context: ShardContext;
  /** Numbers of connections, shared with sessions: the router knows both by them. */
  readonly nextId: () => number;
  readonly post: (message: ShardToControl) => void;
}

/** The messages that are for this side. */
export type PeerMessage = Extract<ControlToShard, { readonly type: `peer-${string}` | 'topics-pulled' }>;

/** Dials under way at once: the control thread has its own bound, this one catches what it lost track of. */
const DIALS_MAX = 128;

export class PeerPort implements PeerEvents {
  readonly #options: PeerPortOptions;
  /** What is shown and trusted; another after a reload. */
  #setup: P2pSetup;
  #tls: PeerPortOptions['tls'];
  #trust: Trust;
  readonly #listener: Listener;
  readonly #gate: AcceptGate;
  readonly #links = new Map<number, PeerLink>();
  /** The link that is routed over, by node ID. */
  readonly #active = new Map<string, PeerLink>();
  readonly #dials = new Set<TLSSocket>();
  #missing = false;
  #pulledMs = Number.NEGATIVE_INFINITY;

  constructor(options: PeerPortOptions) {
    const { setup, tls, context } = options;
    this.#options = options;
    this.#setup = setup;
    this.#tls = tls;
    this.#trust = new Trust(setup);
    // A gate of its own: a flood of applications must not keep peers out, nor the other way round.
    this.#gate = new AcceptGate(context.limits, context.clock);
    this.#listener = new Listener({
      name: 'P2P',
      setup,
      tls,
      handshakeTimeoutMs: context.limits.handshakeTimeoutMs,
      gate: this.#gate,
      stats: context.stats,
      logger: context.logger,
      onSession: (socket) => this.#opened(socket, undefined),
    });
  }

  /** Binds the port; rejects when it cannot be bound. */
  async start(): Promise<BoundP2p> {
    const { ip, port } = await this.#listener.start();
    return { ip, port };
  }

  /** Accepts and dials nothing any more; links live on. */
  stop(): void {
    this.#listener.stop();
    for (const socket of this.#dials) socket.destroy();
  }

  /**
   * Takes over certificates, CAs and lists.
   * @returns links that were closed because they would not be let in any more
   */
  reload(setup: P2pSetup, tls: PeerPortOptions['tls'], now: Date, newFlow: boolean): number {
    const { context, organisations } = this.#options;
    const before = this.#trust;
    this.#setup = { ...setup, format: this.#setup.format };
    this.#tls = tls;
    this.#trust = new Trust(setup);
    this.#gate.setLimits(context.limits);
    this.#listener.reload(setup, tls);
    let closed = 0;
    for (const link of [...this.#links.values()]) {
      const { certificate } = link.identity;
      const refusal = this.#trust.refusal(certificate, before, now);
      if (refusal) closed++;
      if (refusal) link.close(refusal);
      else if (newFlow) link.flow = context.flow.openPeer(organisations().of(certificate).id);
    }
    return closed;
  }

  link(id: number): PeerLink | undefined {
    return this.#links.get(id);
  }

  get handshakes(): number {
    return this.#gate.size + this.#dials.size;
  }

  /** Closes links: all of them, or those with nothing under way. */
  drain(all: boolean): void {
    for (const link of [...this.#links.values()]) {
      if (all || !link.busy) link.close('draining');
    }
  }

  tick(nowMs: number): void {
    this.#gate.tick();
    for (const link of this.#links.values()) link.expire(nowMs);
  }

  /** Tells the control thread what passed each link since the last time. */
  report(): void {
    const reports = [];
    for (const link of this.#links.values()) {
      const { messagesReceived, messagesSent, bytesReceived, bytesSent } = link;
      reports.push({
        link: link.id,
        messagesReceived,
        messagesSent,
        bytesReceived,
        bytesSent,
        queueBytes: link.writer.queuedBytes,
      });
      link.messagesReceived = 0;
      link.messagesSent = 0;
      link.bytesReceived = 0;
      link.bytesSent = 0;
    }
    if (reports.length > 0) this.#options.post({ type: 'peer-reports', reports });
  }

  /**
   * A request found nobody: asks 2.x nodes for their lists, unless there is none or the lists are fresh.
   * @returns whether `Router.pulled` will be called
   */
  missed(nowMs: number): boolean {
    if (this.#missing) return true;
    if (nowMs - this.#pulledMs < FRESH_LIST_MS) return false;
    for (const link of this.#active.values()) {
      if (!link.legacy) continue;
      this.#missing = true;
      this.#options.post({ type: 'topics-missed' });
      return true;
    }
    return false;
  }

  onMessage(message: PeerMessage): void {
    const { context } = this.#options;
    switch (message.type) {
      case 'peer-dial':
        this.#dial(message.endpoint, message.host, message.port);
        return;
      case 'topics-pulled':
        this.#missing = false;
        this.#pulledMs = context.clock.nowMs();
        context.router.pulled(this.#pulledMs);
        return;
    }
    const link = this.#links.get(message.link);
    // It ended meanwhile; the control thread will hear of it.
    if (!link) return;
    switch (message.type) {
      case 'peer-accept':
        link.accept();
        return;
      case 'peer-state':
        this.#changeState(link, message);
        return;
      case 'peer-close':
        link.close(message.reason);
        return;
      case 'peer-send':
        link.sendControl(
          message.module,
          message.response,
          message.packetType,
          message.seq,
          Buffer.from(message.payload.buffer, message.payload.byteOffset, message.payload.byteLength),
        );
        return;
      case 'peer-routes': {
        const weights = new Map(message.topics.map((topic, index) => [topic, message.weights[index]]));
        if (context.topics.replaceRoutes(link, weights)) context.router.routesChanged(context.clock.nowMs());
        return;
      }
      case 'peer-handled':
        link.controlHandled(message.frames);
        return;
    }
  }

  // ---- PeerEvents

  peerFrame(link: PeerLink, { protocolId, packetType, seq, payload }: P2PFrame): void {
    const { module, response } = protocolParts(this.#options.setup.format, protocolId);
    this.#options.post({ type: 'peer-frame', link: link.id, module, response, packetType, seq, payload });
  }

  peerEnded(link: PeerLink, reason: P2PCloseReason): void {
    const { context, post } = this.#options;
    if (this.#active.get(link.identity.nodeId) === link) this.#active.delete(link.identity.nodeId);
    context.topics.remove(link);
    context.privates.linkEnded(link);
    this.#links.delete(link.id);
    this.#handOver(link);
    context.router.sessionGone(link, context.clock.nowMs());
    context.stats.add('p2pConnectionsClosed', P2P_CLOSE_REASONS.indexOf(reason));
    post({ type: 'peer-down', link: link.id, reason });
  }

  // ---- inside

  #changeState(link: PeerLink, message: Extract<PeerMessage, { readonly type: 'peer-state' }>): void {
    const { nodeId } = link.identity;
    link.state = message.state;
    link.legacy = message.legacy;
    link.bootEpochMs = message.bootEpochMs;
    if (message.state === 'active') this.#active.set(nodeId, link);
    else if (this.#active.get(nodeId) === link) this.#active.delete(nodeId);
  }

  /** The loser of a tie-break leaves what is under way on it to the link that stays. */
  #handOver(link: PeerLink): void {
    const successor = this.#active.get(link.identity.nodeId);
    if (!successor || link.legacy || successor.bootEpochMs !== link.bootEpochMs) return;
    this.#options.context.router.migrate(link, successor);
  }

  #dial(endpoint: number, host: string, port: number): void {
    const { context, post } = this.#options;
    const failed = (explanation: string): void => {
      context.stats.add('p2pDials', DIAL_FAILED);
      post({ type: 'peer-dial-failed', endpoint, explanation });
    };
    if (this.#dials.size >= DIALS_MAX) {
      failed('too many dials are under way');
      return;
    }
    const socket = dialTls({ host, port, identity: this.#setup, tuning: this.#tls });
    const { handshakeTimeoutMs } = context.limits;
    let problem: unknown;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      socket.destroy();
    }, handshakeTimeoutMs);
    const onError = (error: Error): void => {
      problem = error;
    };
    const onClose = (): void => {
      clearTimeout(timer);
      this.#dials.delete(socket);
      failed(
        late
          ? `${host}:${port} did not finish the handshake within ${handshakeTimeoutMs} ms`
          : explainDialError(problem ?? { code: 'ECONNRESET' }, { host, port, kind: this.#setup.kind }),
      );
    };
    this.#dials.add(socket);
    socket.on('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      socket.off('close', onClose);
      this.#dials.delete(socket);
      context.stats.add('p2pDials', DIAL_CONNECTED);
      this.#opened(socket, endpoint);
    });
  }

  #opened(socket: TLSSocket, endpoint: number | undefined): void {
    const { organisations, context, nextId, post } = this.#options;
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    const peer = this.#trust.describe(socket);
    if (!peer) {
      socket.on('error', () => {});
      socket.destroy();
      if (endpoint !== undefined) post({ type: 'peer-dial-failed', endpoint, explanation: `${remote} left at once` });
      return;
    }
    const organisation = organisations().of(peer);
    const id = nextId();
    const link = new PeerLink(
      id,
      `p${id}`,
      socket,
      { remote, nodeId: peer.nodeId ?? '', certificate: peer },
      context,
      context.flow.openPeer(organisation.id),
      this.#setup.format,
      this,
    );
    this.#links.set(id, link);
    post({
      type: 'peer-up',
      peer: {
        link: id,
        dialled: endpoint !== undefined,
        endpoint,
        nodeId: peer.nodeId,
        keyKind: peer.keyKind,
        isSdkCertificate: peer.isSdk,
        agency: peer.issuerCn,
        name: peer.subjectCn,
        organisation: organisation.name,
        remote,
      },
    });
  }
}

/** A list younger than this is believed (decisions §1). */
const FRESH_LIST_MS = 100;
const DIAL_CONNECTED = 0;
const DIAL_FAILED = 1;
