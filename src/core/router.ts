/**
 * Unicast and multicast over the sessions of one shard: which subscriber, what when it fails, which code at the end.
 *
 * Pure state: no sockets, no timers; time comes with each call. Every request handed to `unicast` is answered through its
 * sender exactly once, unless the sender's own session ends first.
 */
import type { FailureReason } from '../base/failure-reason.js';
import { PENDING_OVERHEAD_BYTES } from '../base/limits.js';
import { RESULT_OFFSET } from '../wire/channel/frame.js';
import type { Endpoint } from './endpoint.js';
import type { Filter } from './fair-round.js';
import { Counted, type PendingRequest, PendingRequests } from './pending-requests.js';
import type { SeenCache, SeenMessage } from './seen-cache.js';
import type { TopicTable } from './topic-table.js';

export interface RouterLimits {
  readonly requestTimeoutMs: number;
  readonly subscriberTimeoutMs: number;
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
}

export class Router implements Filter {
  readonly #topics: TopicTable;
  readonly #pending: PendingRequests;
  readonly #seen: SeenCache;
  readonly #limits: RouterLimits;
  readonly #observer: RouterObserver;
  #draining = false;
  /** The request whose choice is being made: the filter's argument, kept here so that no closure is made per message. */
  #choosing: PendingRequest | undefined = undefined;
  /** Number of the current search; marks the sessions that were passed over in it without a list of them. */
  #search = 0;

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
   */
  unicast(requester: Endpoint, frame: Buffer, topicId: number, nowMs: number): void {
    const topic = topicId < 0 ? undefined : this.#topics.topic(topicId);
    if (!topic) {
      this.refuse(requester, frame, 'no-subscriber');
      return;
    }
    if (this.#draining) {
      this.refuse(requester, frame, 'draining');
      return;
    }
    if (requester.routerRequests.size >= this.#limits.sessionPendingMax || this.pending >= this.#limits.pendingMax) {
      this.refuse(requester, frame, 'pending-max');
      return;
    }
    const heldBytes = frame.length + PENDING_OVERHEAD_BYTES;
    this.#pushNext(this.#pending.hold(requester, frame, topic, heldBytes, nowMs), nowMs);
  }

  /**
   * Delivers a well-formed 0x35 to every subscriber but its sender, once per session.
   * @returns copies delivered, or -1 for a later copy of the message that nobody needed
   */
  multicast(sender: Endpoint, frame: Buffer, topicId: number, nowMs: number, onDropped: () => void): number {
    const topic = topicId < 0 ? undefined : this.#topics.topic(topicId);
    if (!topic) return 0;
    const seen = this.#seen.note(frame, sender.id, this.#topics.changes, nowMs);
    // Nobody subscribed anywhere since the last copy: the usual case, decided without looking at the subscribers.
    if (seen && seen.changes === this.#topics.changes) {
      addSender(seen, sender);
      return -1;
    }
    let copies = 0;
    topic.subscribers.forEach((endpoint, since) => {
      if (endpoint === sender) return;
      if (seen && (since <= seen.changes || seen.senders.includes(endpoint.id))) return;
      if (endpoint.deliver(frame)) copies++;
      else onDropped();
    });
    if (!seen) return copies;
    seen.changes = this.#topics.changes;
    addSender(seen, sender);
    return copies === 0 ? -1 : copies;
  }

  /** A session's 0x31. Returns false when no push to it waits for this sequence. */
  response(from: Endpoint, frame: Buffer, nowMs: number): boolean {
    const request = this.#pending.find(from, frame);
    if (!request) return false;
    const { requester } = request;
    if (requester) {
      requester.answer(frame);
      this.#observer.answered(requester, frame, frame.readInt32BE(RESULT_OFFSET), nowMs - request.startedMs);
    }
    this.#pending.release(request);
    return true;
  }

  /** A session ended: what it was asked goes to another subscriber, what it asked is forgotten. */
  sessionGone(endpoint: Endpoint, nowMs: number): void {
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

  /** Ends what took too long. Call it every few tens of milliseconds. */
  expire(nowMs: number): void {
    const { requestTimeoutMs, subscriberTimeoutMs } = this.#limits;
    for (let request = this.#pending.byDeadline.head; request; request = this.#pending.byDeadline.head) {
      if (nowMs - request.startedMs < requestTimeoutMs) break;
      if (request.target) request.counted |= Counted.silent;
      this.#fail(request, 'deadline', nowMs);
    }
    for (let request = this.#pending.byPush.head; request; request = this.#pending.byPush.head) {
      if (nowMs - request.pushedMs < subscriberTimeoutMs) break;
      this.#pending.unpushed(request);
      request.counted |= Counted.silent;
      this.#pushNext(request, nowMs);
    }
    this.#seen.expire(nowMs);
  }

  /** For `FairRound.choose` only. */
  eligible(endpoint: Endpoint): boolean {
    const request = this.#choosing;
    return (
      request !== undefined &&
      endpoint !== request.requester &&
      endpoint.routerPassedOver !== this.#search &&
      !request.tried.includes(endpoint)
    );
  }

  /** Pushes to the next choice, or answers when there is none. */
  #pushNext(request: PendingRequest, nowMs: number): void {
    if (request.tried.length > 0) this.#observer.retried();
    this.#search++;
    // While a request waited, its topic may have lost everybody and come back.
    const topic = request.topic && this.#topics.current(request.topic);
    for (;;) {
      this.#choosing = request;
      const target = topic?.subscribers.choose(this);
      this.#choosing = undefined;
      if (!target) {
        this.#fail(request, reasonOf(request), nowMs);
        return;
      }
      // A second request under a sequence that this session still has to answer could not be told from the first.
      if (!this.#pending.find(target, request.frame) && target.deliver(request.frame)) {
        request.tried.push(target);
        this.#pending.pushed(request, target, nowMs);
        this.#observer.pushed();
        return;
      }
      target.routerPassedOver = this.#search;
      request.counted |= Counted.unreachable;
    }
  }

  #fail(request: PendingRequest, reason: FailureReason, nowMs: number): void {
    const { requester, frame } = request;
    if (requester) {
      const code = codeOf(request.counted);
      requester.answerFailure(frame, code, reason);
      this.#observer.failed(requester, frame, code, reason, nowMs - request.startedMs);
    }
    this.#pending.release(request);
  }

  /** Answers 100 to a request that is not routed. */
  refuse(requester: Endpoint, frame: Buffer, reason: FailureReason): void {
    requester.answerFailure(frame, 100, reason);
    this.#observer.failed(requester, frame, 100, reason, 0);
  }
}

/** More connections than this of one application are not excluded from each other's copies. */
const SENDERS_MAX = 64;

function addSender(seen: SeenMessage, sender: Endpoint): void {
  if (seen.senders.length < SENDERS_MAX && !seen.senders.includes(sender.id)) seen.senders.push(sender.id);
}

/** The first of 102, 104, 101, 103, 100 that was counted (decisions §2). */
function codeOf(counted: number): number {
  if (counted & Counted.silent) return 102;
  if (counted & Counted.legacy) return 104;
  if (counted & Counted.unreachable) return 101;
  if (counted & Counted.limited) return 103;
  return 100;
}

function reasonOf(request: PendingRequest): FailureReason {
  if (request.counted & Counted.silent) return request.gone ? 'subscriber-gone' : 'subscriber-silent';
  return request.counted & Counted.unreachable ? 'subscriber-busy' : 'no-subscriber';
}
