/**
 * Requests without an answer.
 *
 * A request is held whole until it is answered or expires, so that it can be pushed to another subscriber. It has at most one
 * push outstanding. Invariants:
 *  - a request with a target is in the table under (target, seq), in `target.routerPushes` and in the push list;
 *  - every held request with a requester is in `requester.routerRequests`, and every held request is in the deadline list;
 *  - push lists and deadline lists are ordered by time, because each has one constant time-out: expiry looks at heads only;
 *  - a push to a peer is known by its ticket, one to a session by the sequence in its frame.
 *
 * Objects are pooled and the table compares sequence bytes in place: a frame costs no allocation, string or closure.
 */
import { SEQ_BYTES } from '../base/limits.js';
import { SEQ_OFFSET } from '../wire/channel/frame.js';
import type { Endpoint } from './endpoint.js';
import type { Topic } from './topic-table.js';

/** Which kind of list a link belongs to. */
const List = { requester: 0, target: 1, deadline: 2, push: 3, waiting: 4 } as const;
type List = (typeof List)[keyof typeof List];

const EMPTY = Buffer.alloc(0);

/** Bits of `PendingRequest.counted`, in the order in which they decide the answer (decisions §2). */
export const Counted = { silent: 1, legacy: 2, unreachable: 4, limited: 8, unavailable: 16 } as const;

export class PendingRequest {
  frame: Buffer = EMPTY;
  requester: Endpoint | undefined = undefined;
  topic: Topic | undefined = undefined;
  /** The sessions, by id, that alone may receive it. */
  only: ReadonlySet<number> | undefined = undefined;
  target: Endpoint | undefined = undefined;
  startedMs = 0;
  pushedMs = 0;
  counted = 0;
  gone = false;
  /** Number of the push to a peer, 0 for a session. */
  ticket = 0;
  /** What the requester calls this request, handed back with the answer. */
  replyTicket = 0;
  /** Peers were asked for their lists because nobody was found; it happens once. */
  pulled = false;
  waiting = false;
  /** Place among all messages that wait, multicasts included. */
  waitingOrder = 0;
  heldBytes = 0;
  /** The 104 of a 2.x node, as it came. */
  legacyAnswer: Buffer | undefined = undefined;
  readonly tried: Endpoint[] = [];
  readonly next: (PendingRequest | undefined)[] = [undefined, undefined, undefined, undefined, undefined];
  readonly previous: (PendingRequest | undefined)[] = [undefined, undefined, undefined, undefined, undefined];
  chain: PendingRequest | undefined = undefined;
  hash = 0;
}

/** Intrusive doubly linked list; a request is in at most one list of each kind. */
export class RequestList {
  head: PendingRequest | undefined = undefined;
  size = 0;
  #tail: PendingRequest | undefined = undefined;
  readonly #kind: List;

  constructor(kind: List) {
    this.#kind = kind;
  }

  append(request: PendingRequest): void {
    const kind = this.#kind;
    request.previous[kind] = this.#tail;
    request.next[kind] = undefined;
    if (this.#tail) this.#tail.next[kind] = request;
    else this.head = request;
    this.#tail = request;
    this.size++;
  }

  remove(request: PendingRequest): void {
    const kind = this.#kind;
    const { next, previous } = request;
    const after = next[kind];
    const before = previous[kind];
    if (before) before.next[kind] = after;
    else this.head = after;
    if (after) after.previous[kind] = before;
    else this.#tail = before;
    next[kind] = undefined;
    previous[kind] = undefined;
    this.size--;
  }
}

/** The list an endpoint keeps of its own requests. */
export const requesterList = (): RequestList => new RequestList(List.requester);
/** The list an endpoint keeps of pushes it has not answered. */
export const targetList = (): RequestList => new RequestList(List.target);

const POOL_MAX = 4096;
const BUCKETS_MIN = 1024;

export class PendingRequests {
  /** Requests of sessions, then of peers, by age. */
  readonly byDeadline = new RequestList(List.deadline);
  readonly byPeerDeadline = new RequestList(List.deadline);
  /** Pushes to sessions, then to peers, by age. */
  readonly byPush = new RequestList(List.push);
  readonly byPeerPush = new RequestList(List.push);
  /** Requests that wait for the topic lists of peers. */
  readonly waiting = new RequestList(List.waiting);
  readonly #byTicket = new Map<number, PendingRequest>();
  #ticket: number;
  #buckets: (PendingRequest | undefined)[] = new Array(BUCKETS_MIN).fill(undefined);
  #pushes = 0;
  readonly #pool: PendingRequest[] = [];
  readonly #seed: number;

  /**
   * @param seed 32 random bits: peers choose sequences, they must not be able to choose a bucket
   * @param lastTicket for tests
   */
  constructor(seed: number, lastTicket = 0) {
    this.#seed = seed | 0;
    this.#ticket = lastTicket;
  }

  get size(): number {
    return this.byDeadline.size + this.byPeerDeadline.size;
  }

  /** Takes a request into the lists. `heldBytes` is given back through `Endpoint.released`. */
  hold(
    requester: Endpoint,
    frame: Buffer,
    topic: Topic | undefined,
    heldBytes: number,
    replyTicket: number,
    nowMs: number,
  ): PendingRequest {
    const request = this.#pool.pop() ?? new PendingRequest();
    request.frame = frame;
    request.requester = requester;
    request.topic = topic;
    request.heldBytes = heldBytes;
    request.replyTicket = replyTicket;
    request.startedMs = nowMs;
    requester.routerRequests.append(request);
    this.#deadlineList(requester).append(request);
    requester.held(heldBytes);
    return request;
  }

  /** A number for a frame to a peer: never 0, and free. */
  nextTicket(): number {
    do {
      this.#ticket = this.#ticket >= 0xffffffff ? 1 : this.#ticket + 1;
    } while (this.#byTicket.has(this.#ticket));
    return this.#ticket;
  }

  /** The push to the peer `target`, or to the process behind it, under this ticket, if one is outstanding. */
  findTicket(target: Endpoint, ticket: number): PendingRequest | undefined {
    const request = this.#byTicket.get(ticket);
    if (request?.target === target) return request;
    // The peer has closed another link to us already and we have not seen the end of it yet.
    return target.process !== undefined && request?.target?.process === target.process ? request : undefined;
  }

  /** The push to the session `target` under the sequence that stands in `frame`, if one is outstanding. */
  find(target: Endpoint, frame: Buffer): PendingRequest | undefined {
    const hash = this.#hash(target.id, frame);
    let request = this.#buckets[hash & (this.#buckets.length - 1)];
    while (request) {
      if (request.hash === hash && request.target === target && sameSeq(request.frame, frame)) return request;
      request = request.chain;
    }
    return undefined;
  }

  /**
   * Notes the push of `request` to `target`. The caller has checked with `find` that the sequence is free at a session, or
   * took `ticket` from `nextTicket` for a peer.
   */
  pushed(request: PendingRequest, target: Endpoint, ticket: number, nowMs: number): void {
    request.target = target;
    request.pushedMs = nowMs;
    target.routerPushes.append(request);
    if (target.isPeer) {
      request.ticket = ticket;
      this.#byTicket.set(ticket, request);
      this.byPeerPush.append(request);
      return;
    }
    if (this.#pushes >= this.#buckets.length) this.#grow();
    request.hash = this.#hash(target.id, request.frame);
    const bucket = request.hash & (this.#buckets.length - 1);
    request.chain = this.#buckets[bucket];
    this.#buckets[bucket] = request;
    this.#pushes++;
    this.byPush.append(request);
  }

  /** Ends the outstanding push; the request itself stays held. */
  unpushed(request: PendingRequest): void {
    const { target } = request;
    if (!target) return;
    request.target = undefined;
    target.routerPushes.remove(request);
    if (target.isPeer) {
      this.#byTicket.delete(request.ticket);
      request.ticket = 0;
      this.byPeerPush.remove(request);
      return;
    }
    const bucket = request.hash & (this.#buckets.length - 1);
    let at = this.#buckets[bucket];
    if (at === request) this.#buckets[bucket] = request.chain;
    else {
      while (at && at.chain !== request) at = at.chain;
      if (at) at.chain = request.chain;
    }
    request.chain = undefined;
    this.#pushes--;
    this.byPush.remove(request);
  }

  /** Parks a request that has no push until `waiting` is worked off. `order` grows from call to call. */
  wait(request: PendingRequest, order: number): void {
    request.waiting = true;
    request.waitingOrder = order;
    this.waiting.append(request);
  }

  unwait(request: PendingRequest): void {
    if (!request.waiting) return;
    request.waiting = false;
    this.waiting.remove(request);
  }

  /** The waiting request behind `request`. */
  nextWaiting(request: PendingRequest): PendingRequest | undefined {
    return request.next[List.waiting];
  }

  /** Hands pushes to the peer `from`, and requests of it, over to the peer `to`. Their order by age does not change. */
  migrate(from: Endpoint, to: Endpoint): void {
    for (let request = from.routerPushes.head; request; request = from.routerPushes.head) {
      from.routerPushes.remove(request);
      request.target = to;
      request.tried.push(to);
      to.routerPushes.append(request);
    }
    for (let request = from.routerRequests.head; request; request = from.routerRequests.head) {
      from.routerRequests.remove(request);
      from.released(request.heldBytes);
      request.requester = to;
      to.routerRequests.append(request);
      to.held(request.heldBytes);
    }
  }

  /** Forgets the request: it was answered, or nobody waits for the answer any more. */
  release(request: PendingRequest): void {
    this.unpushed(request);
    this.unwait(request);
    if (request.requester) {
      this.#deadlineList(request.requester).remove(request);
      request.requester.routerRequests.remove(request);
      request.requester.released(request.heldBytes);
    }
    request.frame = EMPTY;
    request.requester = undefined;
    request.topic = undefined;
    request.only = undefined;
    request.counted = 0;
    request.gone = false;
    request.replyTicket = 0;
    request.pulled = false;
    request.legacyAnswer = undefined;
    request.heldBytes = 0;
    request.tried.length = 0;
    if (this.#pool.length < POOL_MAX) this.#pool.push(request);
  }

  #deadlineList(requester: Endpoint): RequestList {
    return requester.isPeer ? this.byPeerDeadline : this.byDeadline;
  }

  #hash(id: number, frame: Buffer): number {
    let hash = this.#seed ^ id;
    for (let at = SEQ_OFFSET; at < SEQ_OFFSET + SEQ_BYTES; at += 4) {
      hash = Math.imul(hash ^ frame.readInt32LE(at), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #grow(): void {
    const old = this.#buckets;
    const size = old.length * 2;
    this.#buckets = new Array(size).fill(undefined);
    for (const head of old) {
      let request = head;
      while (request) {
        const following: PendingRequest | undefined = request.chain;
        const bucket = request.hash & (size - 1);
        request.chain = this.#buckets[bucket];
        this.#buckets[bucket] = request;
        request = following;
      }
    }
  }
}

function sameSeq(a: Buffer, b: Buffer): boolean {
  for (let at = SEQ_OFFSET; at < SEQ_OFFSET + SEQ_BYTES; at += 4) {
    if (a.readInt32LE(at) !== b.readInt32LE(at)) return false;
  }
  return true;
}
