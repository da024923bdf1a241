/**
 * Unicast and multicast over the sessions of one shard and the peers it is linked to: which subscriber, what when it fails,
 * which code at the end.
 *
 * Pure state: no sockets, no timers; time comes with each call. Every request handed to `unicast` is answered through its
 * sender exactly once, unless the sender's own connection ends first. What came from a peer goes to sessions only.
 */
import type { FailureReason } from '../base/failure-reason.js';
import { CHANNEL_HEADER_BYTES, PENDING_OVERHEAD_BYTES } from '../base/limits.js';
import { RESULT_OFFSET } from '../wire/channel/frame.js';
import type { Endpoint } from './endpoint.js';
import type { Filter } from './fair-round.js';
import { Counted, type PendingRequest, PendingRequests, type RequestList } from './pending-requests.js';
import type { SeenCache, SeenMessage } from './seen-cache.js';
import { DetachedTopic, type Topic, type TopicTable } from './topic-table.js';

export interface RouterLimits {
  readonly requestTimeoutMs: number;
  readonly subscriberTimeoutMs: number;
  /** A peer tries two of its own sessions in this time; a request that came from a peer is answered a little earlier. */
  readonly peerTimeoutMs: number;
  readonly sessionPendingMax: number;
  readonly pendingMax: number;
}

/** What the router tells about its work; counters and logs hang here. */
export interface RouterObserver {
  pushed(): void;
  retried(): void;
  /** A request ended after `durationMs`; `result` is a subscriber's own or one of our codes. */
  answered(requester: Endpoint, frame: Buffer, result: number, durationMs: number): void;
  failed(requester: Endpoint, frame: Buffer, code: number, reason: FailureReason, durationMs: number): void;
  /**
   * Nobody is known for a topic. Returns true when peers are asked for their lists; `Router.pulled` must then be called, soon
   * and whatever comes of it.
   */
  missed(): boolean;
  /** May a request of this sender leave over a peer link, by the bandwidth limits? Asked once a choice. */
  mayForward(requester: Endpoint, nowMs: number): boolean;
  /** A frame of `sender` was handed to a peer link. */
  forwarded(sender: Endpoint, frameBytes: number, nowMs: number): void;
  /** `from` answered a request of `requester`; `topic` where it is still known. */
  answering(from: Endpoint, requester: Endpoint, topic: Topic | undefined, frameBytes: number, nowMs: number): void;
}

/** What an answer that came from a peer is worth. */
export const PeerAnswer = {
  /** Of a subscriber: final. */
  final: 0,
  /** Of a relay that could not deliver, by its code: the next choice is tried. */
  relay: 1,
  /** Of a 2.x node; its 104 means that no subscriber of it answered. */
  legacy: 2,
} as const;
export type PeerAnswer = (typeof PeerAnswer)[keyof typeof PeerAnswer];

/** Our own answer must be on its way before the peer that asked gives up. */
const PEER_MARGIN_MS = 250;
const LEGACY_NO_SUBSCRIBER = 104;

/** Multicasts that wait for the lists of peers; their bytes are held by their senders' budgets. */
const MULTICASTS_WAITING_MAX = 1_024;

interface WaitingMulticast {
  readonly sender: Endpoint;
  readonly frame: Buffer;
  /** As `PendingRequest.waitingOrder`. */
  readonly order: number;
  heldBytes: number;
  readonly onDropped: () => void;
}

export class Router implements Filter {
  readonly #topics: TopicTable;
  readonly #pending: PendingRequests;
  readonly #seen: SeenCache;
  readonly #limits: RouterLimits;
  readonly #observer: RouterObserver;
  #draining = false;
  /** The choice being made: the filter's arguments, kept here so that no closure is made per message. */
  #choosing: PendingRequest | undefined = undefined;
  #choosingMs = 0;
  #allowStalled = false;
  /** Number of the current search; marks the endpoints that were passed over in it without a list of them. */
  #search = 0;
  /** A limit keeps the sender from every peer in this search. */
  #peersRefused = false;
  #waitingMulticasts: WaitingMulticast[] = [];
  /** Of the message that came to wait last. */
  #waitingOrder = 0;

  constructor(
    topics: TopicTable,
    seen: SeenCache,
    limits: RouterLimits,
    observer: RouterObserver,
    /** 32 random bits for the hash of the pending table. */
    seed: number,
  ) {
    this.#topics = topics;
    this.#seen = seen;
    this.#limits = limits;
    this.#observer = observer;
    this.#pending = new PendingRequests(seed);
  }

  /** Requests without an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** From now on new requests are refused; those under way still end in their answer. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Routes a well-formed 0x30.
   * @param frame kept until the answer: the caller must not reuse its memory
   * @param topicId as the scanner reported it, negative when nobody subscribes
   * @param ticket handed back with the answer; what a peer calls its request
   */
  unicast(requester: Endpoint, frame: Buffer, topicId: number, nowMs: number, ticket = 0): void {
    const topic = topicId < 0 ? undefined : this.#topics.topic(topicId);
    this.#route(requester, frame, topic, undefined, nowMs, ticket);
  }

  /**
   * Routes a 0x30 to receivers that stand in no table, or to some of a topic.
   * @param only sessions, by id, that alone may receive it; undefined for every receiver of the topic
   */
  unicastTo(
    requester: Endpoint,
    frame: Buffer,
    topic: Topic,
    only: ReadonlySet<number> | undefined,
    nowMs: number,
    ticket = 0,
  ): void {
    this.#route(requester, frame, topic, only, nowMs, ticket);
  }

  #route(
    requester: Endpoint,
    frame: Buffer,
    topic: Topic | undefined,
    only: ReadonlySet<number> | undefined,
    nowMs: number,
    ticket: number,
  ): void {
    if (this.#draining) {
      this.refuse(requester, frame, 100, 'draining', ticket);
      return;
    }
    if (requester.routerRequests.size >= this.#limits.sessionPendingMax || this.pending >= this.#limits.pendingMax) {
      this.refuse(requester, frame, 100, 'pending-max', ticket);
      return;
    }
    const heldBytes = frame.length + PENDING_OVERHEAD_BYTES;
    const request = this.#pending.hold(requester, frame, topic, heldBytes, ticket, nowMs);
    request.only = only;
    this.#pushNext(request, nowMs);
  }

  /**
   * Delivers a well-formed 0x35 to every subscriber but its sender, once per session, and once to every peer with subscribers.
   * When nobody at all is known it may wait for the lists of peers.
   * @param frame kept while it waits: the caller must not reuse its memory
   * @returns copies delivered, or -1 for a later copy of the message that nobody needed
   */
  multicast(sender: Endpoint, frame: Buffer, topicId: number, nowMs: number, onDropped: () => void): number {
    const topic = topicId < 0 ? undefined : this.#topics.topic(topicId);
    if (topic) return this.#copy(sender, frame, topic, undefined, nowMs, onDropped);
    const waits = !sender.isPeer && this.#waitingMulticasts.length < MULTICASTS_WAITING_MAX && this.#observer.missed();
    if (waits) {
      const heldBytes = frame.length + PENDING_OVERHEAD_BYTES;
      sender.held(heldBytes);
      this.#waitingMulticasts.push({ sender, frame, order: ++this.#waitingOrder, heldBytes, onDropped });
    }
    return 0;
  }

  /** As `unicastTo`, for a 0x35; it never waits for anybody. */
  multicastTo(
    sender: Endpoint,
    frame: Buffer,
    topic: Topic,
    only: ReadonlySet<number> | undefined,
    nowMs: number,
    onDropped: () => void,
  ): number {
    return this.#copy(sender, frame, topic, only, nowMs, onDropped);
  }

  /** A session's 0x31. Returns false when no push to it waits for this sequence. */
  response(from: Endpoint, frame: Buffer, nowMs: number): boolean {
    const request = this.#pending.find(from, frame);
    if (!request) return false;
    this.#answer(request, from, frame, nowMs);
    return true;
  }

  /** The 0x31 that a peer sent under `ticket`. Returns false when no push to it has this number. */
  peerResponse(from: Endpoint, ticket: number, frame: Buffer, kind: PeerAnswer, nowMs: number): boolean {
    const request = this.#pending.findTicket(from, ticket);
    if (!request) return false;
    const counted = countedOf(kind, frame.readInt32BE(RESULT_OFFSET));
    if (counted === 0) {
      this.#answer(request, from, frame, nowMs);
      return true;
    }
    this.#pending.unpushed(request);
    request.counted |= counted;
    // A node's 104 is passed on as it came, with the body that it echoes.
    if (counted === Counted.legacy) request.legacyAnswer = frame;
    this.#pushNext(request, nowMs);
    return true;
  }

  /** A connection ended: what it was asked goes to another subscriber, what it asked is forgotten. */
  sessionGone(endpoint: Endpoint, nowMs: number): void {
    for (const waiting of this.#waitingMulticasts) {
      // It was acknowledged, so it goes out all the same; only the budget of its sender is gone.
      if (waiting.sender === endpoint) this.#unhold(waiting);
    }
    for (let request = endpoint.routerRequests.head; request; request = endpoint.routerRequests.head) {
      this.#pending.release(request);
    }
    for (let request = endpoint.routerPushes.head; request; request = endpoint.routerPushes.head) {
      this.#pending.unpushed(request);
      request.counted |= Counted.silent;
      request.gone = true;
      this.#pushNext(request, nowMs);
    }
  }

  /** Topics came to have subscribers: routes what waited for them, in the order in which it came. */
  routesChanged(nowMs: number): void {
    this.#resume(false, nowMs);
  }

  /** The lists of peers are as fresh as they will get: routes or answers everything that waited for them. */
  pulled(nowMs: number): void {
    this.#resume(true, nowMs);
  }

  /**
   * The link `to` takes the place of `from`, between the same two processes: what is under way on the one ends on the other,
   * since tickets are unique in a process.
   */
  migrate(from: Endpoint, to: Endpoint): void {
    this.#pending.migrate(from, to);
  }

  /** Ends what took too long. Call it every few tens of milliseconds. */
  expire(nowMs: number): void {
    const { requestTimeoutMs, subscriberTimeoutMs, peerTimeoutMs } = this.#limits;
    this.#expireRequests(this.#pending.byDeadline, requestTimeoutMs, nowMs);
    this.#expireRequests(this.#pending.byPeerDeadline, Math.max(1, peerTimeoutMs - PEER_MARGIN_MS), nowMs);
    this.#expirePushes(this.#pending.byPush, subscriberTimeoutMs, nowMs);
    this.#expirePushes(this.#pending.byPeerPush, peerTimeoutMs, nowMs);
    this.#seen.expire(nowMs);
  }

  /** Answers a request that is not routed. */
  refuse(requester: Endpoint, frame: Buffer, code: number, reason: FailureReason, ticket = 0): void {
    requester.answerFailure(frame, code, reason, ticket);
    this.#observer.failed(requester, frame, code, reason, 0);
  }

  /** For `FairRound.choose` only. */
  eligible(endpoint: Endpoint): boolean {
    const request = this.#choosing;
    return (
      request !== undefined &&
      endpoint !== request.requester &&
      endpoint.routerPassedOver !== this.#search &&
      (request.only === undefined || request.only.has(endpoint.id)) &&
      !(endpoint.isPeer && (this.#peersRefused || request.requester?.isPeer)) &&
      (this.#allowStalled || !endpoint.stalled(this.#choosingMs)) &&
      !request.tried.includes(endpoint)
    );
  }

  /** Pushes to the next choice, or answers when there is none. */
  #pushNext(request: PendingRequest, nowMs: number): void {
    this.#search++;
    this.#peersRefused = false;
    for (;;) {
      const target = this.#choose(request, nowMs);
      if (!target) {
        if (!this.#waits(request)) this.#fail(request, reasonOf(request.counted, request.gone), nowMs);
        return;
      }
      const counted = this.#push(request, target, request.topic as Topic, nowMs);
      if (counted === 0) return;
      target.routerPassedOver = this.#search;
      request.counted |= counted;
    }
  }

  #choose(request: PendingRequest, nowMs: number): Endpoint | undefined {
    // While a request waited, its topic may have lost everybody and come back.
    const subscribers = request.topic && this.#topics.current(request.topic)?.subscribers;
    if (!subscribers) return undefined;
    this.#choosing = request;
    this.#choosingMs = nowMs;
    this.#allowStalled = false;
    let target = subscribers.choose(this);
    if (!target) {
      this.#allowStalled = true;
      target = subscribers.choose(this);
    }
    this.#choosing = undefined;
    return target;
  }

  /** Returns 0 when the push is under way, else what its failure counts as. */
  #push(request: PendingRequest, target: Endpoint, topic: Topic, nowMs: number): number {
    const { frame, requester } = request;
    let ticket = 0;
    if (target.isPeer) {
      if (requester && !this.#observer.mayForward(requester, nowMs)) {
        this.#peersRefused = true;
        return Counted.limited;
      }
      ticket = this.#pending.nextTicket();
      if (!target.deliver(frame, ticket, topic, requester ?? target)) return Counted.unavailable;
      if (requester) this.#observer.forwarded(requester, frame.length, nowMs);
    } else if (this.#pending.find(target, frame) || !target.deliver(frame, 0, topic, requester ?? target)) {
      // A second request under a sequence that this session still has to answer could not be told from the first.
      return Counted.unreachable;
    }
    if (request.tried.length > 0) this.#observer.retried();
    request.tried.push(target);
    this.#pending.pushed(request, target, ticket, nowMs);
    this.#observer.pushed();
    return 0;
  }

  /** Asks peers for their lists once, when nobody at all was found for a session's request. */
  #waits(request: PendingRequest): boolean {
    if (request.pulled || request.counted !== 0 || request.requester?.isPeer) return false;
    // Pulls bring routes of names; who may receive a private message is not decided by a name.
    if (request.only || request.topic instanceof DetachedTopic) return false;
    request.pulled = true;
    if (!this.#observer.missed()) return false;
    this.#pending.wait(request, ++this.#waitingOrder);
    return true;
  }

  /** Works off what waits, in its order: all of it, or only what somebody but its sender subscribes to now. */
  #resume(all: boolean, nowMs: number): void {
    const multicasts = this.#waitingMulticasts;
    this.#waitingMulticasts = [];
    let at = 0;
    for (let request = this.#pending.waiting.head; request; ) {
      const next: PendingRequest | undefined = this.#pending.nextWaiting(request);
      for (; at < multicasts.length && multicasts[at].order < request.waitingOrder; at++) {
        this.#resumeMulticast(multicasts[at], all, nowMs);
      }
      const topic = this.#topics.lookup(topicBytesOf(request.frame));
      if (all || hasOthers(topic, request.requester)) {
        this.#pending.unwait(request);
        request.topic = topic;
        // It does not wait a second time, so nothing is added behind `next`.
        this.#pushNext(request, nowMs);
      }
      request = next;
    }
    for (; at < multicasts.length; at++) this.#resumeMulticast(multicasts[at], all, nowMs);
  }

  #resumeMulticast(waiting: WaitingMulticast, all: boolean, nowMs: number): void {
    const { sender, frame, onDropped } = waiting;
    const topic = this.#topics.lookup(topicBytesOf(frame));
    if (!all && !hasOthers(topic, sender)) {
      this.#waitingMulticasts.push(waiting);
      return;
    }
    this.#unhold(waiting);
    if (topic) this.#copy(sender, frame, topic, undefined, nowMs, onDropped);
  }

  #unhold(waiting: WaitingMulticast): void {
    waiting.sender.released(waiting.heldBytes);
    waiting.heldBytes = 0;
  }

  #copy(
    sender: Endpoint,
    frame: Buffer,
    topic: Topic,
    only: ReadonlySet<number> | undefined,
    nowMs: number,
    onDropped: () => void,
  ): number {
    const isPrivate = only !== undefined || topic instanceof DetachedTopic;
    const first = isPrivate ? new Set<number>() : undefined;
    const route = isPrivate ? topic : undefined;
    const { changes } = this.#topics;
    const seen = this.#seen.note(frame, sender.id, !sender.isPeer, changes, nowMs, first, route);
    // Copies that came from peers have gone to sessions only: peers get the first one that a session sends.
    const toPeers = !sender.isPeer && !seen?.forwarded;
    // Nobody subscribed anywhere since the last copy: the usual case, decided without looking at the subscribers.
    if (seen && !toPeers && !isPrivate && seen.changes === changes) {
      addSender(seen, sender);
      return -1;
    }
    const receivers = seen ? seen.receivers : first;
    const toOthers = seen !== undefined && !sender.isPeer && seen.route !== route;
    const ticket = this.#pending.nextTicket();
    let copies = 0;
    topic.subscribers.forEach((endpoint, since) => {
      if (endpoint === sender || (endpoint.isPeer && sender.isPeer)) return;
      if ((only && !only.has(endpoint.id)) || seen?.senders.includes(endpoint.id)) return;
      const had = receivers ? receivers.has(endpoint.id) : seen !== undefined && since <= seen.changes;
      if (had && !(endpoint.isPeer && (toPeers || (toOthers && namesReceivers(topic, endpoint))))) return;
      if (!endpoint.deliver(frame, ticket, topic, sender)) {
        onDropped();
        return;
      }
      copies++;
      receivers?.add(endpoint.id);
      if (endpoint.isPeer) this.#observer.forwarded(sender, frame.length, nowMs);
    });
    if (!seen) return copies;
    if (toPeers) seen.forwarded = true;
    if (!sender.isPeer) seen.route = route;
    seen.changes = changes;
    addSender(seen, sender);
    return copies === 0 ? -1 : copies;
  }

  #answer(request: PendingRequest, from: Endpoint, frame: Buffer, nowMs: number): void {
    const { requester, topic } = request;
    if (requester) {
      this.#observer.answering(from, requester, topic && this.#topics.current(topic), frame.length, nowMs);
      requester.answer(frame, request.replyTicket);
      this.#observer.answered(requester, frame, frame.readInt32BE(RESULT_OFFSET), nowMs - request.startedMs);
    }
    this.#pending.release(request);
  }

  #fail(request: PendingRequest, reason: FailureReason, nowMs: number): void {
    const { requester, frame, legacyAnswer } = request;
    if (requester) {
      // To a peer, a route that leads to nobody here means that this relay was reached and could push to nobody.
      const code = request.counted === 0 && requester.isPeer ? 101 : codeOf(request.counted);
      if (code === LEGACY_NO_SUBSCRIBER && legacyAnswer) requester.answer(legacyAnswer, request.replyTicket);
      else requester.answerFailure(frame, code, reason, request.replyTicket);
      this.#observer.failed(requester, frame, code, reason, nowMs - request.startedMs);
    }
    this.#pending.release(request);
  }

  #expireRequests(list: RequestList, timeoutMs: number, nowMs: number): void {
    for (let request = list.head; request; request = list.head) {
      if (nowMs - request.startedMs < timeoutMs) return;
      if (request.target) request.counted |= Counted.silent;
      this.#fail(request, 'deadline', nowMs);
    }
  }

  #expirePushes(list: RequestList, timeoutMs: number, nowMs: number): void {
    for (let request = list.head; request; request = list.head) {
      if (nowMs - request.pushedMs < timeoutMs) return;
      this.#pending.unpushed(request);
      request.counted |= Counted.silent;
      request.gone = false;
      this.#pushNext(request, nowMs);
    }
  }
}

function topicBytesOf(frame: Buffer): Buffer {
  return frame.subarray(CHANNEL_HEADER_BYTES + 1, CHANNEL_HEADER_BYTES + frame[CHANNEL_HEADER_BYTES]);
}

function hasOthers(topic: Topic | undefined, sender: Endpoint | undefined): boolean {
  if (!topic) return false;
  const { subscribers } = topic;
  return subscribers.size > (sender && subscribers.has(sender) ? 1 : 0);
}

/**
 * Does the link lead to a relay, which is told for whom a private message is? It takes the copies of several senders with receivers of
 * their own and gives each of them one. A 2.x node would deliver every copy to the same.
 */
function namesReceivers(topic: Topic, link: Endpoint): boolean {
  return topic instanceof DetachedTopic && !topic.form.mayBePlain(link.id);
}

/** More connections than this of one application are not excluded from each other's copies. */
const SENDERS_MAX = 64;

function addSender(seen: SeenMessage, sender: Endpoint): void {
  if (seen.senders.length < SENDERS_MAX && !seen.senders.includes(sender.id)) seen.senders.push(sender.id);
}

/** What the answer of a peer counts as (decisions §2), 0 when it is final. */
function countedOf(kind: PeerAnswer, result: number): number {
  if (kind === PeerAnswer.legacy) return result === LEGACY_NO_SUBSCRIBER ? Counted.legacy : 0;
  if (kind === PeerAnswer.final) return 0;
  switch (result) {
    case 102:
      return Counted.silent;
    case 101:
      return Counted.unreachable;
    case 103:
      return Counted.limited;
    default:
      return Counted.unavailable;
  }
}

/** The first of 102, 104, 101, 103, 100 that was counted (decisions §2). */
function codeOf(counted: number): number {
  if (counted & Counted.silent) return 102;
  if (counted & Counted.legacy) return 104;
  if (counted & Counted.unreachable) return 101;
  if (counted & Counted.limited) return 103;
  return 100;
}

function reasonOf(counted: number, gone: boolean): FailureReason {
  if (counted & Counted.silent) return gone ? 'subscriber-gone' : 'subscriber-silent';
  if (counted & Counted.legacy) return 'node-without-subscriber';
  if (counted & Counted.unreachable) return 'subscriber-busy';
  if (counted & Counted.limited) return 'bandwidth-limit';
  return counted & Counted.unavailable ? 'peer-unavailable' : 'no-subscriber';
}
