/**
 * Requests without an answer.
 *
 * A request is held whole until it is answered or expires, so that it can be pushed to another subscriber. It has at most one
 * push outstanding. Invariants:
 *  - a request with a target is in the table under (target, seq), in `target.routerPushes` and in the push list;
 *  - every held request with a requester is in `requester.routerRequests`, and every held request is in the deadline list;
 *  - push list and deadline list are ordered by time, because each has one constant time-out: expiry looks at heads only.
 *
 * Objects are pooled and the table compares sequence bytes in place: a frame costs no allocation, string or closure.
 */
import { SEQ_BYTES } from '../base/limits.js';
import { SEQ_OFFSET } from '../wire/channel/frame.js';
import type { Endpoint } from './endpoint.js';
import type { Topic } from './topic-table.js';

/** Which of the four lists a link belongs to. */
const List = { requester: 0, target: 1, deadline: 2, push: 3 } as const;
type List = (typeof List)[keyof typeof List];

const EMPTY = Buffer.alloc(0);

/** Bits of `PendingRequest.counted`, in the order in which they decide the answer (decisions §2). */
export const Counted = { silent: 1, legacy: 2, unreachable: 4, limited: 8, unavailable: 16 } as const;

export class PendingRequest {
  frame: Buffer = EMPTY;
  requester: Endpoint | undefined = undefined;
  topic: Topic | undefined = undefined;
  target: Endpoint | undefined = undefined;
  startedMs = 0;
  pushedMs = 0;
  counted = 0;
  gone = false;
  heldBytes = 0;
  readonly tried: Endpoint[] = [];
  readonly next: (PendingRequest | undefined)[] = [undefined, undefined, undefined, undefined];
  readonly previous: (PendingRequest | undefined)[] = [undefined, undefined, undefined, undefined];
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
  readonly byDeadline = new RequestList(List.deadline);
  readonly byPush = new RequestList(List.push);
  #buckets: (PendingRequest | undefined)[] = new Array(BUCKETS_MIN).fill(undefined);
  #pushes = 0;
  readonly #pool: PendingRequest[] = [];
  readonly #seed: number;

  /** @param seed 32 random bits: peers choose sequences, they must not be able to choose a bucket. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.byDeadline.size;
  }

  /** Takes a request into the lists. `heldBytes` is given back through `Endpoint.released`. */
  hold(requester: Endpoint, frame: Buffer, topic: Topic, heldBytes: number, nowMs: number): PendingRequest {
    const request = this.#pool.pop() ?? new PendingRequest();
    request.frame = frame;
    request.requester = requester;
    request.topic = topic;
    request.heldBytes = heldBytes;
    request.startedMs = nowMs;
    requester.routerRequests.append(request);
    this.byDeadline.append(request);
    requester.held(heldBytes);
    return request;
  }

  /** The push to `target` under the sequence that stands in `frame`, if one is outstanding. */
  find(target: Endpoint, frame: Buffer): PendingRequest | undefined {
    const hash = this.#hash(target.id, frame);
    let request = this.#buckets[hash & (this.#buckets.length - 1)];
    while (request) {
      if (request.hash === hash && request.target === target && sameSeq(request.frame, frame)) return request;
      request = request.chain;
    }
    return undefined;
  }

  /** Notes the push of `request` to `target`; the caller has checked with `find` that the sequence is free there. */
  pushed(request: PendingRequest, target: Endpoint, nowMs: number): void {
    if (this.#pushes >= this.#buckets.length) this.#grow();
    request.target = target;
    request.pushedMs = nowMs;
    request.hash = this.#hash(target.id, request.frame);
    const bucket = request.hash & (this.#buckets.length - 1);
    request.chain = this.#buckets[bucket];
    this.#buckets[bucket] = request;
    this.#pushes++;
    target.routerPushes.append(request);
    this.byPush.append(request);
  }

  /** Ends the outstanding push; the request itself stays held. */
  unpushed(request: PendingRequest): void {
    const { target } = request;
    if (!target) return;
    const bucket = request.hash & (this.#buckets.length - 1);
    let at = this.#buckets[bucket];
    if (at === request) this.#buckets[bucket] = request.chain;
    else {
      while (at && at.chain !== request) at = at.chain;
      if (at) at.chain = request.chain;
    }
    request.chain = undefined;
    request.target = undefined;
    this.#pushes--;
    target.routerPushes.remove(request);
    this.byPush.remove(request);
  }

  /** Forgets the request: it was answered, or nobody waits for the answer any more. */
  release(request: PendingRequest): void {
    this.unpushed(request);
    this.byDeadline.remove(request);
    if (request.requester) {
      request.requester.routerRequests.remove(request);
      request.requester.released(request.heldBytes);
    }
    request.frame = EMPTY;
    request.requester = undefined;
    request.topic = undefined;
    request.counted = 0;
    request.gone = false;
    request.heldBytes = 0;
    request.tried.length = 0;
    if (this.#pool.length < POOL_MAX) this.#pool.push(request);
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
