/**
 * Everything the control thread does about peers: who may be one (peer-book.ts), what topics they have (gossip.ts), what is told
 * to the shard that holds their links, to the log, to metrics and to whoever asks.
 */
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { P2P_REFUSALS, type P2PCloseReason } from '../../base/p2p-close-reason.js';
import type { Stats } from '../../base/stats.js';
import { explainPeerRefusal, SILENT_PEER_HINT } from '../../pki/peer-explain.js';
import type { ControlToShard, LinkState, NewPeer, PeerReport, ShardToControl } from '../../shard/messages.js';
import { decodeHello, encodeHello, RELAY_VERSION } from '../../wire/mesh/hello.js';
import { RELAY_MODULE, RelayPacketType } from '../../wire/mesh/relay-module.js';
import type { PrivateSubscriber } from '../../wire/mesh/relay-topics.js';
import type { PrivateTopics } from '../private/private-topics.js';
import { Gossip, type GossipPeer } from './gossip.js';
import { type Peer, PeerBook, type PeerBookActions, type PeerView } from './peer-book.js';
import type { PeerLists } from './peer-lists.js';
import { type OrganisationTraffic, PeerTraffic } from './peer-traffic.js';

export interface PeerServiceOptions extends PeerLists {
  readonly ownNodeId: string;
  readonly endpoints: readonly { readonly host: string; readonly port: number }[];
  readonly peersMax: number;
  /** When this process started: tells two lives of one node apart. */
  readonly bootEpochMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: Stats;
  readonly privates: PrivateTopics;
  /** To the shard that holds the links. */
  readonly post: (message: ControlToShard) => void;
}

/** Messages of the shard about links. */
export type PeerNews = Extract<ShardToControl, { readonly type: `peer-${string}` | 'topics-missed' }>;

/** One link, as `/peers` and `amop peers` show it. */
export interface PeerStatus {
  readonly nodeId: string;
  readonly kind: Peer['kind'];
  readonly state: LinkState;
  readonly organisation: string;
  readonly agency: string;
  readonly name: string;
  readonly remote: string;
  readonly dialled: boolean;
  readonly upSeconds: number;
  readonly silentSeconds: number;
  readonly topics: number;
  readonly topicSeq: number;
  /** How long its list has been known to be old; 0 for a current one. */
  readonly topicLagSeconds: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly queueBytes: number;
}

/** A configured node. */
export interface EndpointStatus {
  readonly address: string;
  readonly phase: 'idle' | 'dialling' | 'up' | 'self' | 'connected';
  readonly nodeId: string | undefined;
  readonly failures: number;
  readonly nextDialSeconds: number;
  /** What came of the last dial, when that was nothing. */
  readonly problem: string | undefined;
}

/** A peer as JSON-RPC lists it. */
export interface ListedPeer {
  readonly nodeId: string;
  readonly agency: string;
  readonly name: string;
  readonly remote: string;
  readonly isRelay: boolean;
  /** Announced topics with their subscriber sessions; a 2.x node does not count them. */
  readonly topics: ReadonlyMap<string, number>;
}

interface LinkRecord {
  readonly peer: NewPeer;
  heard: boolean;
}

export class PeerService {
  readonly #options: PeerServiceOptions;
  /** Every address that was ever configured; an index means one for the life of the process. */
  readonly #endpoints: { readonly host: string; readonly port: number }[];
  readonly #book: PeerBook;
  readonly #gossip: Gossip;
  readonly #links = new Map<number, LinkRecord>();
  readonly #traffic = new PeerTraffic();
  /** By endpoint: what was last logged about it. */
  readonly #problems = new Map<number, string>();
  /** A link that lost its tie-break in this call; its routes go once the one that stays has them. */
  #superseded: Peer | undefined = undefined;

  constructor(options: PeerServiceOptions) {
    this.#options = options;
    this.#endpoints = [...options.endpoints];
    this.#gossip = new Gossip({
      send: (link, module, response, packetType, seq, payload) =>
        options.post({ type: 'peer-send', link, module, response, packetType, seq, payload }),
      routes: (link, topics) =>
        options.post({ type: 'peer-routes', link, topics: [...topics.keys()], weights: [...topics.values()] }),
      pulled: () => options.post({ type: 'topics-pulled' }),
      privateTopics: (peer, topics) => options.privates.peerTopics(peer, topics),
      listPulled: (link) => this.#listPulled(link),
      refused: (_link, refusal, count) => options.stats.add('p2pInputRefused', P2P_REFUSALS.indexOf(refusal), count),
    });
    this.#book = new PeerBook(options, this.#bookActions(), options.random);
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  // ---- what happens

  onMessage(message: PeerNews): void {
    const nowMs = this.#nowMs;
    switch (message.type) {
      case 'peer-up':
        this.#links.set(message.peer.link, { peer: message.peer, heard: false });
        this.#up(message.peer, nowMs);
        return;
      case 'peer-dial-failed':
        this.#dialFailed(message.endpoint, message.explanation);
        this.#book.dialFailed(message.endpoint, nowMs);
        return;
      case 'peer-down':
        this.#down(message.link, message.reason, nowMs);
        return;
      case 'peer-frame':
        this.#frame(message, nowMs);
        this.#options.post({ type: 'peer-handled', link: message.link, frames: 1 });
        return;
      case 'peer-reports':
        for (const report of message.reports) this.#report(report, nowMs);
        return;
      case 'topics-missed':
        this.#gossip.missed(nowMs);
        return;
    }
  }

  /** Subscriptions of sessions changed, by one for each topic named. */
  topicsChanged(added: readonly string[], removed: readonly string[]): void {
    this.#gossip.topicsChanged(added, removed, this.#nowMs);
  }

  /** Subscriber sessions of private topics changed, by message topic. */
  privateTopicsChanged(subscribers: ReadonlyMap<string, readonly PrivateSubscriber[]>): void {
    this.#gossip.privateTopicsChanged(subscribers, this.#nowMs);
  }

  /** Call it every few tens of milliseconds. */
  tick(): void {
    const nowMs = this.#nowMs;
    this.#book.tick(nowMs);
    this.#superseded = undefined;
    this.#gossip.tick(nowMs);
  }

  /** Dials nothing any more, lets nobody in, and tells peers that nothing is to be had here. */
  drain(): void {
    this.#book.drain();
    this.#gossip.withdraw(this.#nowMs);
  }

  /** New lists, addresses and bounds; links that the lists refuse are closed. */
  reload(changes: PeerLists & Pick<PeerServiceOptions, 'endpoints' | 'peersMax'>): void {
    const wanted = new Set(changes.endpoints.map(addressOf));
    for (const endpoint of changes.endpoints) {
      if (!this.#endpoints.some((one) => addressOf(one) === addressOf(endpoint))) this.#endpoints.push(endpoint);
    }
    const removed = new Set<number>();
    for (const [index, endpoint] of this.#endpoints.entries()) {
      if (!wanted.has(addressOf(endpoint))) removed.add(index);
    }
    this.#book.setEndpoints(this.#endpoints.length, removed);
    this.#book.setPeersMax(changes.peersMax);
    this.#book.replaceLists(changes, this.#nowMs);
    this.#superseded = undefined;
  }

  // ---- what is shown

  status(): { readonly peers: PeerStatus[]; readonly endpoints: EndpointStatus[] } {
    const nowMs = this.#nowMs;
    const peers = this.#book.peers().map((peer) => this.#peerStatus(peer, nowMs));
    const endpoints = this.#book.endpoints().flatMap(({ removed, phase, nodeId, failures, nextDialMs }, index) => {
      if (removed) return [];
      const connected = phase === 'idle' && nodeId !== undefined && this.#book.isConnected(nodeId);
      const waits = phase === 'idle' && !connected;
      const status: EndpointStatus = {
        address: addressOf(this.#endpoints[index]),
        phase: connected ? ('connected' as const) : phase,
        nodeId,
        failures,
        nextDialSeconds: waits ? seconds(Math.max(0, nextDialMs - nowMs)) : 0,
        problem: this.#problems.get(index),
      };
      return [status];
    });
    return { peers, endpoints };
  }

  /** Active peers and their topics, for JSON-RPC. */
  listed(): ListedPeer[] {
    const nowMs = this.#nowMs;
    return this.#book
      .peers()
      .filter(({ state }) => state === 'active')
      .map(({ link, nodeId, agency, name, remote, kind }) => ({
        nodeId,
        agency,
        name,
        remote,
        isRelay: kind === 'relay',
        topics: this.#gossip.view(link, nowMs).topics,
      }));
  }

  /** For metrics. */
  get traffic(): ReadonlyMap<string, OrganisationTraffic> {
    return this.#traffic.organisations;
  }

  // ---- inside

  #bookActions(): PeerBookActions {
    const { post, bootEpochMs } = this.#options;
    return {
      dial: (endpoint) => post({ type: 'peer-dial', endpoint, ...this.#endpoints[endpoint] }),
      close: (link, reason) => {
        this.#gossip.forget(link);
        post({ type: 'peer-close', link, reason });
      },
      sendHello: (link) => {
        post({ type: 'peer-accept', link });
        const payload = encodeHello({ version: RELAY_VERSION, capabilities: 0, bootEpochMs });
        post({
          type: 'peer-send',
          link,
          module: RELAY_MODULE,
          response: false,
          packetType: RelayPacketType.hello,
          seq: HELLO_SEQ,
          payload,
        });
      },
      peerActive: (link, peer) => {
        this.#postState(peer, 'active');
        this.#options.privates.peerActive(peer.nodeId, link);
        this.#gossip.activate(gossipPeer(peer), this.#nowMs);
        const superseded = this.#superseded;
        this.#superseded = undefined;
        if (superseded?.nodeId === peer.nodeId) this.#gossip.withdrawRoutes(superseded.link);
        this.#logPeer('info', link, { kind: peer.kind }, 'peer connected');
      },
      peerChanged: (link, peer, state) => {
        this.#postState(peer, state);
        if (state !== 'active') return;
        if (peer.kind === 'relay') this.#gossip.becameRelay(gossipPeer(peer), this.#nowMs);
        const words = peer.kind === 'relay' ? 'peer is a relay' : 'peer is a 2.x node, it said no hello';
        this.#logPeer('info', link, { kind: peer.kind }, words);
      },
      peerGone: (link, peer) => {
        this.#postState(peer, 'ending');
        this.#gossip.deactivate(link);
        this.#options.privates.peerGone(peer.nodeId);
        this.#superseded = peer;
      },
      peerHeld: (link, peer) => {
        this.#postState(peer, 'held');
        this.#logPeer('info', link, {}, 'a second link to a connected peer; one of them will stay');
      },
    };
  }

  #up(peer: NewPeer, nowMs: number): void {
    // Known to the gossip before it may become active; a link that is refused is forgotten with its close.
    this.#gossip.add({ link: peer.link, nodeId: peer.nodeId ?? '', isRelay: false, bootEpochMs: 0 }, nowMs);
    this.#book.linkUp(peer, nowMs);
    this.#superseded = undefined;
    if (peer.endpoint !== undefined) this.#problems.delete(peer.endpoint);
  }

  #listPulled(link: number): void {
    const nodeId = this.#links.get(link)?.peer.nodeId;
    if (nodeId === undefined) return;
    this.#options.post({ type: 'challenge-listed', nodeId, topics: this.#gossip.own.challengeTopics });
  }

  #down(link: number, end: P2PCloseReason, nowMs: number): void {
    const record = this.#links.get(link);
    this.#links.delete(link);
    this.#book.linkDown(link, nowMs);
    this.#superseded = undefined;
    this.#gossip.forget(link);
    this.#traffic.ended(link);
    if (!record) return;
    const { peer, heard } = record;
    // Both ends close a link to themselves; whoever was slower has seen only that it is gone.
    const reason = peer.nodeId === this.#options.ownNodeId ? 'self' : end;
    // Who closes with our hello unread resets the connection.
    const silent = (reason === 'peer-closed' || reason === 'connection-lost') && !heard;
    const explanation = silent ? SILENT_PEER_HINT : explainPeerRefusal(reason, peer.keyKind);
    const expected = QUIET_REASONS.has(reason) && !silent;
    if (peer.endpoint !== undefined && explanation !== undefined && !expected) {
      this.#problems.set(peer.endpoint, `${reason}: ${explanation}`);
    }
    this.#options.logger.log(
      expected ? 'info' : 'warn',
      {
        component: 'p2p',
        peer: peer.nodeId,
        name: peer.name,
        agency: peer.agency,
        remote: peer.remote,
        reason,
        explanation,
      },
      'peer disconnected',
    );
  }

  #dialFailed(endpoint: number, explanation: string): void {
    const repeated = this.#problems.get(endpoint) === explanation;
    this.#problems.set(endpoint, explanation);
    this.#options.logger.log(
      repeated ? 'debug' : 'warn',
      { component: 'p2p', address: addressOf(this.#endpoints[endpoint]), explanation },
      'dialling a peer failed',
    );
  }

  #frame(message: Extract<PeerNews, { readonly type: 'peer-frame' }>, nowMs: number): void {
    const { link, module, response, packetType, seq, payload } = message;
    const record = this.#links.get(link);
    if (record) record.heard = true;
    if (module !== RELAY_MODULE || response || packetType !== RelayPacketType.hello) {
      this.#book.activity(link, nowMs);
      this.#gossip.frame(link, module, response, packetType, seq, payload, nowMs);
      return;
    }
    const decoded = decodeHello(payload);
    if (decoded.ok) this.#book.helloReceived(link, decoded.hello, nowMs);
    else this.#book.close(link, 'protocol-hello', nowMs);
    this.#superseded = undefined;
  }

  #report(report: PeerReport, nowMs: number): void {
    const record = this.#links.get(report.link);
    if (!record) return;
    this.#traffic.add(record.peer.organisation, report);
    if (report.bytesReceived === 0) return;
    record.heard = true;
    this.#book.activity(report.link, nowMs);
  }

  #postState(peer: Peer, state: LinkState): void {
    const { link, kind, hello } = peer;
    this.#options.post({
      type: 'peer-state',
      link,
      state,
      legacy: kind !== 'relay',
      bootEpochMs: hello?.bootEpochMs ?? 0,
    });
  }

  #peerStatus(peer: PeerView, nowMs: number): PeerStatus {
    const { topics, topicSeq, lagMs } = this.#gossip.view(peer.link, nowMs);
    const traffic = this.#traffic.of(peer.link);
    return {
      nodeId: peer.nodeId,
      kind: peer.kind,
      state: peer.state,
      organisation: this.#links.get(peer.link)?.peer.organisation ?? '',
      agency: peer.agency,
      name: peer.name,
      remote: peer.remote,
      dialled: peer.dialled,
      upSeconds: seconds(nowMs - peer.upMs),
      silentSeconds: seconds(nowMs - peer.heardMs),
      topics: topics.size,
      topicSeq,
      topicLagSeconds: seconds(lagMs),
      ...traffic,
    };
  }

  #logPeer(level: 'info' | 'warn', link: number, fields: Record<string, string>, words: string): void {
    const peer = this.#links.get(link)?.peer;
    this.#options.logger.log(
      level,
      {
        component: 'p2p',
        peer: peer?.nodeId,
        name: peer?.name,
        agency: peer?.agency,
        organisation: peer?.organisation,
        remote: peer?.remote,
        dialled: peer?.dialled,
        ...fields,
      },
      words,
    );
  }
}

/** Any number but 0, which no request may carry. */
const HELLO_SEQ = 1;

/** Ends that are part of normal life. */
const QUIET_REASONS: ReadonlySet<P2PCloseReason> = new Set(['peer-closed', 'duplicate-peer', 'replaced', 'draining']);

function gossipPeer({ link, nodeId, kind, hello }: Peer): GossipPeer {
  return { link, nodeId, isRelay: kind === 'relay', bootEpochMs: hello?.bootEpochMs ?? 0 };
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
