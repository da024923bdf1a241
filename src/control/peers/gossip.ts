/**
 * Topic lists between this relay and its peers (decisions §1, 2.x node specification §3.7).
 *
 * Everybody announces a number that names a version of its list, every 5 s and, here, at once on a change; who sees another
 * number than that of the list it holds pulls the list. Relays pull lists with counts on a module of their own.
 * Pure state: links are numbers, time comes with each call.
 *
 * Invariants: a link has at most one pull in flight, beside one that was given up when the peer proved to be a relay; a list is
 * taken only as the answer to it; nothing is sent over a link that is not active but answers to its requests; what a peer can
 * make us do is bounded per second.
 */
import type { P2PRefusal } from '../../base/p2p-close-reason.js';
import { RateLimit } from '../../core/rate-limit.js';
import { PRIVATE_PREFIX } from '../../wire/channel/topic.js';
import { RELAY_MODULE, RelayPacketType } from '../../wire/mesh/relay-module.js';
import { type ParsedRelayTopics, type PrivateSubscriber, parseRelayTopics } from '../../wire/mesh/relay-topics.js';
import { P2PModule, TopicPacketType } from '../../wire/p2p/protocol-id.js';
import { formatTopicSeq, type ParsedTopics, parseTopicSeq, parseTopics } from '../../wire/p2p/topics.js';
import { isAnnounced, OwnTopics } from './own-topics.js';

/** As in the reference. */
const ANNOUNCE_INTERVAL_MS = 5_000;
/** The first change is announced at once, later ones are collected for this long. */
const CHANGE_INTERVAL_MS = 20;
/** A pull that was not answered is forgotten; the next announcement asks again. */
const PULL_TIMEOUT_MS = 5_000;
/** A list younger than this is believed without a pull. */
const FRESH_LIST_MS = 100;
/** A request that found nobody waits this long for lists; a node answers a pull in less than a millisecond. */
const MISS_WAIT_MS = 300;
/** Pulls on a miss, for each peer. */
const MISS_PULLS_PER_SECOND = 5;
/** Pulls that announcements of one peer bring about. Large lists cost more of them, so that none keeps a core busy. */
const PULLS_PER_SECOND = 20;
const TOPICS_PER_PULL = 2_000;
/** Lists sent to one peer. A node pulls once for a change, a miss at a relay pulls five times a second. */
const ANSWERS_PER_SECOND = 100;
const ANSWERS_BURST = 200;

const NOTHING = Buffer.alloc(0);
const NO_TOPICS: ReadonlyMap<string, number> = new Map();

export interface GossipActions {
  send(link: number, module: number, response: boolean, packetType: number, seq: number, payload: Buffer): void;
  /** All topics behind the link, with their subscribers. */
  routes(link: number, topics: ReadonlyMap<string, number>): void;
  /** The private topics in the list of a peer; replaces what was there. */
  privateTopics(peer: GossipPeer, topics: PeerPrivateTopics): void;
  /** The peer has pulled the list of this moment's number. */
  listPulled(link: number): void;
  /** The answer to `missed`. */
  pulled(): void;
  refused(link: number, refusal: P2PRefusal, count: number): void;
}

/** Private topics of a peer: a relay names the sessions that subscribe, a 2.x node only topics. */
export type PeerPrivateTopics =
  | { readonly kind: 'sessions'; readonly byTopic: ReadonlyMap<string, readonly PrivateSubscriber[]> }
  | { readonly kind: 'names'; readonly names: readonly string[] };

/** What a link is, from its certificate and its hello. */
export interface GossipPeer {
  readonly link: number;
  readonly nodeId: string;
  readonly isRelay: boolean;
  /** Of the hello, 0 without one. */
  readonly bootEpochMs: number;
}

interface Pull {
  readonly seq: number;
  readonly module: number;
  readonly sentMs: number;
}

interface LinkState {
  peer: GossipPeer;
  active: boolean;
  /** The last number heard and the number of the list held; 0 for none. */
  heardSeq: number;
  knownSeq: number;
  topics: ReadonlyMap<string, number>;
  listMs: number;
  pull: Pull | undefined;
  /** Seq of a pull whose answer is of no use any more. */
  abandonedSeq: number | undefined;
  /** Another number was heard while a pull was in flight or not allowed. */
  pullAgain: boolean;
  announcedMs: number;
  /** Since when the list held is known to be old; for metrics. */
  staleSinceMs: number | undefined;
  readonly pulls: RateLimit;
  readonly missPulls: RateLimit;
  readonly answers: RateLimit;
}

export interface GossipView {
  readonly topics: ReadonlyMap<string, number>;
  /** Number of the list held, 0 for none. */
  readonly topicSeq: number;
  /** How long the list has been known to be old, 0 for a current one. */
  readonly lagMs: number;
}

/** The list of a link that was closed in favour of another one of the same process. */
interface Inheritance {
  readonly bootEpochMs: number;
  readonly knownSeq: number;
  readonly topics: ReadonlyMap<string, number>;
}

export class Gossip {
  readonly own = new OwnTopics();
  readonly #actions: GossipActions;
  readonly #links = new Map<number, LinkState>();
  /** Lists of relays whose link went in this turn, by node ID: the link that takes over starts with them. */
  readonly #inheritance = new Map<string, Inheritance>();
  readonly #missing = new Set<LinkState>();
  #missUntilMs = 0;
  #changedMs = Number.NEGATIVE_INFINITY;
  #seq = 1;
  #withdrawn = false;

  constructor(actions: GossipActions) {
    this.#actions = actions;
  }

  /** A link that was accepted; it is served, and routed over once it is activated. */
  add(peer: GossipPeer, nowMs: number): void {
    this.#links.set(peer.link, {
      peer,
      active: false,
      heardSeq: 0,
      knownSeq: 0,
      topics: NO_TOPICS,
      listMs: Number.NEGATIVE_INFINITY,
      pull: undefined,
      abandonedSeq: undefined,
      pullAgain: false,
      announcedMs: Number.NEGATIVE_INFINITY,
      staleSinceMs: undefined,
      pulls: new RateLimit(PULLS_PER_SECOND, PULLS_PER_SECOND, nowMs),
      missPulls: new RateLimit(MISS_PULLS_PER_SECOND, MISS_PULLS_PER_SECOND, nowMs),
      answers: new RateLimit(ANSWERS_PER_SECOND, ANSWERS_BURST, nowMs),
    });
  }

  /** The link is the one to route over from now on. */
  activate(peer: GossipPeer, nowMs: number): void {
    const state = this.#links.get(peer.link);
    if (!state) return;
    state.peer = peer;
    state.active = true;
    const inherited = this.#inheritance.get(peer.nodeId);
    if (inherited && peer.isRelay && inherited.bootEpochMs === peer.bootEpochMs) {
      state.knownSeq = inherited.knownSeq;
      state.topics = inherited.topics;
      this.#actions.routes(peer.link, state.topics);
    }
    this.#announce(state, nowMs);
    // A number that was heard while the link was held counts; a relay is asked without waiting for one.
    const heardOther = state.heardSeq !== 0 && state.heardSeq !== state.knownSeq;
    if (heardOther || (peer.isRelay && state.knownSeq === 0)) this.#wantPull(state, nowMs);
  }

  /** The peer turned out to be a relay: its list has counts, and it is told of ours. */
  becameRelay(peer: GossipPeer, nowMs: number): void {
    const state = this.#links.get(peer.link);
    if (!state) return;
    state.peer = peer;
    state.knownSeq = 0;
    // A list without counts that is on its way.
    state.abandonedSeq = state.pull?.seq;
    state.pull = undefined;
    if (!state.active) return;
    this.#announce(state, nowMs);
    this.#wantPull(state, nowMs);
  }

  /** The link is no longer routed over. */
  deactivate(link: number): void {
    const state = this.#links.get(link);
    if (!state?.active) return;
    state.active = false;
    const { peer, knownSeq, topics } = state;
    if (peer.isRelay) this.#inheritance.set(peer.nodeId, { bootEpochMs: peer.bootEpochMs, knownSeq, topics });
    this.#missed(state);
  }

  /** Takes the routes of a link away that is closing in favour of an active one. */
  withdrawRoutes(link: number): void {
    this.#actions.routes(link, NO_TOPICS);
  }

  /** The link ended. */
  forget(link: number): void {
    this.deactivate(link);
    this.#links.delete(link);
  }

  view(link: number, nowMs: number): GossipView {
    const state = this.#links.get(link);
    if (!state) return { topics: NO_TOPICS, topicSeq: 0, lagMs: 0 };
    const lagMs = state.staleSinceMs === undefined ? 0 : nowMs - state.staleSinceMs;
    return { topics: state.topics, topicSeq: state.knownSeq, lagMs };
  }

  /** Subscriber sessions of private topics changed, by message topic; a new map for every change. */
  privateTopicsChanged(subscribers: ReadonlyMap<string, readonly PrivateSubscriber[]>, nowMs: number): void {
    if (this.#withdrawn) return;
    this.own.setPrivate(subscribers);
    this.#announceChange(nowMs);
  }

  /** Subscriptions of sessions changed, by one for each topic named. */
  topicsChanged(added: readonly string[], removed: readonly string[], nowMs: number): void {
    if (this.#withdrawn) return;
    this.own.apply(added, removed);
    this.#announceChange(nowMs);
  }

  /** The relay is going: nobody is to be sent here any more. */
  withdraw(nowMs: number): void {
    this.#withdrawn = true;
    this.own.clear();
    this.#changedMs = Number.NEGATIVE_INFINITY;
    this.#announceChange(nowMs);
  }

  /** A request found nobody: pulls from 2.x nodes; `pulled` follows, soon. */
  missed(nowMs: number): void {
    for (const state of this.#links.values()) {
      if (!state.active || state.peer.isRelay || nowMs - state.listMs < FRESH_LIST_MS) continue;
      // Who has not answered for that long is not waited for by every request.
      if (state.pull && nowMs - state.pull.sentMs >= MISS_WAIT_MS) continue;
      if (!state.pull) {
        if (!state.missPulls.take(nowMs)) continue;
        this.#sendPull(state, nowMs);
      }
      this.#missing.add(state);
    }
    if (this.#missing.size === 0) this.#actions.pulled();
    else this.#missUntilMs = nowMs + MISS_WAIT_MS;
  }

  /** A frame of the topic module or of relays, but the hello. */
  frame(
    link: number,
    module: number,
    response: boolean,
    packetType: number,
    seq: number,
    payload: Uint8Array,
    nowMs: number,
  ): void {
    const state = this.#links.get(link);
    if (!state) return;
    const relayForm = module === RELAY_MODULE;
    if (!relayForm && module !== P2PModule.topics) return;
    const types = relayForm ? RelayPacketType : TopicPacketType;
    if (!response && packetType === types.requestTopics) this.#answer(state, relayForm, seq, nowMs);
    else if (response && packetType === types.sendTopics) this.#listed(state, module, seq, payload, nowMs);
    else if (!response && !relayForm && packetType === TopicPacketType.sendTopicSeq) {
      this.#announced(state, payload, nowMs);
    }
  }

  /** Call it every few tens of milliseconds. */
  tick(nowMs: number): void {
    this.#inheritance.clear();
    if (this.own.touched) this.#announceChange(nowMs);
    for (const state of this.#links.values()) {
      if (state.pull && nowMs - state.pull.sentMs >= PULL_TIMEOUT_MS) state.pull = undefined;
      if (!state.active) continue;
      if (nowMs - state.announcedMs >= ANNOUNCE_INTERVAL_MS) this.#announce(state, nowMs);
      if (state.pullAgain && !state.pull) this.#wantPull(state, nowMs);
    }
    if (this.#missing.size > 0 && nowMs >= this.#missUntilMs) {
      this.#missing.clear();
      this.#actions.pulled();
    }
  }

  #announceChange(nowMs: number): void {
    if (!this.own.touched || nowMs - this.#changedMs < CHANGE_INTERVAL_MS) return;
    const numbers = this.own.renumber();
    if (!numbers) return;
    this.#changedMs = nowMs;
    for (const state of this.#links.values()) {
      if (state.active && (numbers.set || state.peer.isRelay)) this.#announce(state, nowMs);
    }
  }

  #announce(state: LinkState, nowMs: number): void {
    const { link, isRelay } = state.peer;
    state.announcedMs = nowMs;
    const number = formatTopicSeq(isRelay ? this.own.countSeq : this.own.setSeq);
    this.#actions.send(link, P2PModule.topics, false, TopicPacketType.sendTopicSeq, 0, number);
  }

  #announced(state: LinkState, payload: Uint8Array, nowMs: number): void {
    const number = parseTopicSeq(payload);
    if (number === undefined) {
      this.#actions.refused(state.peer.link, 'topic-list', 1);
      return;
    }
    state.heardSeq = number;
    if (number === state.knownSeq) return;
    state.staleSinceMs ??= nowMs;
    if (state.active) this.#wantPull(state, nowMs);
  }

  #wantPull(state: LinkState, nowMs: number): void {
    state.pullAgain = state.pull !== undefined || !state.pulls.take(nowMs);
    if (!state.pullAgain) this.#sendPull(state, nowMs);
  }

  #sendPull(state: LinkState, nowMs: number): void {
    const { link, isRelay } = state.peer;
    const module = isRelay ? RELAY_MODULE : P2PModule.topics;
    const packetType = isRelay ? RelayPacketType.requestTopics : TopicPacketType.requestTopics;
    const seq = this.#nextSeq();
    state.pull = { seq, module, sentMs: nowMs };
    this.#actions.send(link, module, false, packetType, seq, NOTHING);
  }

  #answer(state: LinkState, relayForm: boolean, seq: number, nowMs: number): void {
    const { link } = state.peer;
    if (!state.answers.take(nowMs)) {
      this.#actions.refused(link, 'gossip-rate', 1);
      return;
    }
    const module = relayForm ? RELAY_MODULE : P2PModule.topics;
    const packetType = relayForm ? RelayPacketType.sendTopics : TopicPacketType.sendTopics;
    const list = relayForm ? this.own.countList() : this.own.setList();
    // A node that asks with 0 gets a number of ours, as from the reference.
    // First: as soon as the peer has the list it may challenge.
    this.#actions.listPulled(link);
    this.#actions.send(link, module, true, packetType, seq === 0 ? this.#nextSeq() : seq, list);
  }

  #listed(state: LinkState, module: number, seq: number, payload: Uint8Array, nowMs: number): void {
    const { pull, peer } = state;
    if (seq === state.abandonedSeq) {
      state.abandonedSeq = undefined;
      return;
    }
    if (pull?.seq !== seq || pull.module !== module) {
      this.#actions.refused(peer.link, 'topic-list', 1);
      return;
    }
    state.pull = undefined;
    const list = module === RELAY_MODULE ? parseRelayTopics(payload) : parseTopics(payload);
    if (list.ok) {
      const topics = new Map<string, number>();
      for (const entry of list.topics) {
        const [topic, count] = typeof entry === 'string' ? [entry, 1] : entry;
        if (isAnnounced(topic)) topics.set(topic, count);
      }
      if (list.refused > 0) this.#actions.refused(peer.link, 'topic', list.refused);
      state.pulls.pay(nowMs, elementsOf(list) / TOPICS_PER_PULL);
      state.knownSeq = list.topicSeq;
      state.listMs = nowMs;
      state.staleSinceMs = undefined;
      if (!sameTopics(topics, state.topics)) {
        state.topics = topics;
        if (state.active) this.#actions.routes(peer.link, topics);
      }
      if (state.active) {
        this.#actions.privateTopics(
          peer,
          'subscribers' in list
            ? { kind: 'sessions', byTopic: list.subscribers }
            : { kind: 'names', names: list.topics.filter((topic) => topic.startsWith(PRIVATE_PREFIX)) },
        );
      }
    } else {
      this.#actions.refused(peer.link, 'topic-list', 1);
      // Whatever was wrong with it, it has cost the transport of a list.
      state.pulls.pay(nowMs, PULLS_PER_SECOND);
    }
    this.#missed(state);
    if (state.pullAgain && state.heardSeq !== state.knownSeq && state.active) this.#wantPull(state, nowMs);
    else state.pullAgain = false;
  }

  /** Nothing more is to be expected of this link for the requests that found nobody. */
  #missed(state: LinkState): void {
    if (this.#missing.delete(state) && this.#missing.size === 0) this.#actions.pulled();
  }

  #nextSeq(): number {
    this.#seq = this.#seq >= 0xffffffff ? 1 : this.#seq + 1;
    return this.#seq;
  }
}

/** What there was to read: topics, private ones too, their sessions, and what was refused. */
function elementsOf(list: Extract<ParsedRelayTopics | ParsedTopics, { readonly ok: true }>): number {
  let elements = list.refused + ('size' in list.topics ? list.topics.size : list.topics.length);
  if ('subscribers' in list) for (const sessions of list.subscribers.values()) elements += sessions.length;
  return elements;
}

function sameTopics(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a.size !== b.size) return false;
  for (const [topic, count] of a) {
    if (b.get(topic) !== count) return false;
  }
  return true;
}
