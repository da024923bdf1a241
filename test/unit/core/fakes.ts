/** Endpoints, frames and an interner without sockets, for the tests of core. */
import { createFrameScanner } from '../../../src/addon/scanner.js';
import type { FailureReason } from '../../../src/base/failure-reason.js';
import type { Endpoint } from '../../../src/core/endpoint.js';
import { requesterList, targetList } from '../../../src/core/pending-requests.js';
import { type PeerAnswer, Router, type RouterLimits, type RouterObserver } from '../../../src/core/router.js';
import { SeenCache } from '../../../src/core/seen-cache.js';
import { type Topic, TopicTable } from '../../../src/core/topic-table.js';
import { encodeFrame } from '../../../src/wire/channel/frame.js';

export const UNICAST = 0x30;
export const RESPONSE = 0x31;
export const MULTICAST = 0x35;

export interface Answer {
  readonly frame: Buffer;
  /** The subscriber's result, or our code. */
  readonly code: number;
  readonly reason: FailureReason | undefined;
}

export class FakeEndpoint implements Endpoint {
  readonly id: number;
  isPeer = false;
  process: string | undefined = undefined;
  /** Takes no bytes at the moment. */
  slow = false;
  /** Of the frames in `delivered`, at the same places. */
  readonly tickets: number[] = [];
  readonly routerRequests = requesterList();
  readonly routerPushes = targetList();
  routerPassedOver = 0;
  /** A full queue or a closing session: `deliver` refuses. */
  full = false;
  readonly delivered: Buffer[] = [];
  readonly answers: Answer[] = [];
  /** What the answers in `answers` were handed back with, at the same places. */
  readonly answerTickets: number[] = [];
  heldBytes = 0;
  /** Frames offered by `deliver`, taken or not. */
  offered = 0;

  constructor(id: number) {
    this.id = id;
  }

  stalled(): boolean {
    return this.slow;
  }

  deliver(frame: Buffer, ticket: number): boolean {
    this.offered++;
    if (this.full) return false;
    this.tickets.push(ticket);
    this.delivered.push(frame);
    return true;
  }

  /** The number under which `frame` was delivered. */
  ticketOf(frame: Buffer): number {
    return this.tickets[this.delivered.indexOf(frame)];
  }

  answer(frame: Buffer, ticket: number): void {
    this.answers.push({ frame, code: frame.readInt32BE(38), reason: undefined });
    this.answerTickets.push(ticket);
  }

  answerFailure(frame: Buffer, code: number, reason: FailureReason, ticket: number): void {
    this.answers.push({ frame, code, reason });
    this.answerTickets.push(ticket);
  }

  held(bytes: number): void {
    this.heldBytes += bytes;
  }

  released(bytes: number): void {
    this.heldBytes -= bytes;
  }
}

/** 32 bytes that hold `text`. */
export function seqBytes(text: string): Buffer {
  return Buffer.from(text.padEnd(32, '.'), 'latin1');
}

export function makeMessage(type: number, seq: string, topic: string, payload = '', result = 0): Buffer {
  const name = Buffer.from(topic);
  const body = Buffer.concat([Buffer.of(name.length + 1), name, Buffer.from(payload)]);
  return encodeFrame(type, seqBytes(seq), result, body);
}

/** What a subscriber sends back for `request`. */
export function responseTo(request: Buffer, result = 0): Buffer {
  const frame = Buffer.from(request);
  frame[5] = RESPONSE;
  frame.writeInt32BE(result, 38);
  return frame;
}

export function makeScanner(prefer: 'native' | 'typescript' | 'auto' = 'typescript', frameBytesMax = 1 << 20) {
  return createFrameScanner({ frameBytesMax }, prefer, new Uint8Array(16).fill(7));
}

export const ROUTER_LIMITS: RouterLimits = {
  requestTimeoutMs: 30_000,
  subscriberTimeoutMs: 5_000,
  peerTimeoutMs: 10_500,
  sessionPendingMax: 1_000,
  pendingMax: 10_000,
};

/** Observer that counts, so that tests see what counters and logs would. */
export class CountingObserver implements RouterObserver {
  pushes = 0;
  retries = 0;
  misses = 0;
  /** Are there peers whose lists could be asked for? */
  hasPeers = false;
  forwards = true;
  /** Who was asked about by `mayForward`. */
  readonly askedToForward: Endpoint[] = [];
  /** What left over peer links, and what was answered: what a bandwidth limit would charge. */
  readonly forwardedFrames: { sender: Endpoint; frameBytes: number }[] = [];
  readonly answers: { from: Endpoint; requester: Endpoint; topic: string | undefined; frameBytes: number }[] = [];
  readonly results: number[] = [];
  readonly failures: { code: number; reason: FailureReason; durationMs: number }[] = [];

  pushed(): void {
    this.pushes++;
  }

  retried(): void {
    this.retries++;
  }

  missed(): boolean {
    this.misses++;
    return this.hasPeers;
  }

  mayForward(requester: Endpoint): boolean {
    this.askedToForward.push(requester);
    return this.forwards;
  }

  forwarded(sender: Endpoint, frameBytes: number): void {
    this.forwardedFrames.push({ sender, frameBytes });
  }

  answering(from: Endpoint, requester: Endpoint, topic: Topic | undefined, frameBytes: number): void {
    this.answers.push({ from, requester, topic: topic?.name, frameBytes });
  }

  answered(_requester: Endpoint, _frame: Buffer, result: number): void {
    this.results.push(result);
  }

  failed(_requester: Endpoint, _frame: Buffer, code: number, reason: FailureReason, durationMs: number): void {
    this.failures.push({ code, reason, durationMs });
  }
}

/** A router over one topic table, with a clock that the test moves. */
export function makeWorld(limits: Partial<RouterLimits> = {}) {
  const scanner = makeScanner();
  const topics = new TopicTable(scanner);
  /** As the scanner of the shard finds it. */
  const idOf = (name: string): number => scanner.lookup(Buffer.from(name));
  const observer = new CountingObserver();
  const seen = new SeenCache(64, 30_000);
  const router = new Router(topics, seen, { ...ROUTER_LIMITS, ...limits }, observer, 12_345);
  let nextId = 1;
  let nowMs = 1_000;
  const world = {
    topics,
    observer,
    router,
    nowMs: () => nowMs,
    join: (...names: string[]): FakeEndpoint => {
      const endpoint = new FakeEndpoint(nextId++);
      topics.replace(endpoint, names);
      return endpoint;
    },
    /** A link to a peer with so many subscribers for each topic. */
    joinPeer: (weights: Readonly<Record<string, number>> = {}): FakeEndpoint => {
      const peer = new FakeEndpoint(nextId++);
      peer.isPeer = true;
      topics.replaceRoutes(peer, new Map(Object.entries(weights)));
      return peer;
    },
    /** The list of a peer comes, as in the shard. */
    route: (peer: FakeEndpoint, weights: Readonly<Record<string, number>>): void => {
      if (topics.replaceRoutes(peer, new Map(Object.entries(weights)))) router.routesChanged(nowMs);
    },
    /** A session replaces its topics, as in the shard. */
    subscribe: (session: FakeEndpoint, ...names: string[]): void => {
      if (topics.replace(session, names).added.length > 0) router.routesChanged(nowMs);
    },
    /** The lists of peers are as fresh as they will get. */
    pulled: (): void => router.pulled(nowMs),
    /** The order of a session's end in the shard: subscriptions first, so that nothing is pushed to it again. */
    leave: (endpoint: FakeEndpoint): void => {
      topics.remove(endpoint);
      router.sessionGone(endpoint, nowMs);
    },
    topicId: idOf,
    ask: (from: FakeEndpoint, seq: string, topic = 'T', payload = ''): Buffer => {
      const frame = makeMessage(UNICAST, seq, topic, payload);
      router.unicast(from, frame, idOf(topic), nowMs);
      return frame;
    },
    /** A request that comes over the link `from` under `ticket`. */
    askOver: (from: FakeEndpoint, ticket: number, seq: string, topic = 'T'): Buffer => {
      const frame = makeMessage(UNICAST, seq, topic);
      router.unicast(from, frame, idOf(topic), nowMs, ticket);
      return frame;
    },
    multicast: (from: FakeEndpoint, frame: Buffer, topic = 'T', onDropped: () => void = () => {}): number =>
      router.multicast(from, frame, idOf(topic), nowMs, onDropped),
    /** What a peer sends back for a request that was pushed to it. */
    peerResponds: (peer: FakeEndpoint, request: Buffer, kind: PeerAnswer, result = 0): boolean =>
      router.peerResponse(peer, peer.ticketOf(request), responseTo(request, result), kind, nowMs),
    respond: (from: FakeEndpoint, request: Buffer, result = 0): boolean =>
      router.response(from, responseTo(request, result), nowMs),
    /** Moves the clock and lets the router look at it. */
    pass: (ms: number): void => {
      nowMs += ms;
      router.expire(nowMs);
    },
  };
  return world;
}
