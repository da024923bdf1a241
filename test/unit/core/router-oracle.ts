/**
 * What a router must do with unicasts, kept in plain lists. Which of several takers is chosen is the router's freedom
 * (fair-round.test.ts looks at that), and with it what it counted of those it passed over on the way to a taker; everything
 * else is not.
 */
import { expect } from 'vitest';
import { PENDING_OVERHEAD_BYTES } from '../../../src/base/limits.js';
import { Counted } from '../../../src/core/pending-requests.js';
import { PeerAnswer } from '../../../src/core/router.js';
import { FakeEndpoint, makeWorld, responseTo } from './fakes.js';

export const LIMITS = {
  requestTimeoutMs: 13_000,
  subscriberTimeoutMs: 5_000,
  peerTimeoutMs: 7_000,
  sessionPendingMax: 4,
  pendingMax: 12,
};
/** A request that came from a peer is answered so much earlier than the peer gives up. */
const PEER_MARGIN_MS = 250;
export const SESSIONS = 5;
export const PEERS = 3;
const TOPICS = ['T', 'U'];
const NOBODYS = 'nobody';

export type Step =
  | { readonly kind: 'ask'; readonly who: number; readonly seq: number; readonly topic: number }
  | { readonly kind: 'askOver'; readonly peer: number; readonly seq: number; readonly topic: number }
  | { readonly kind: 'respond'; readonly pick: number; readonly result: number }
  | { readonly kind: 'respondStranger'; readonly who: number; readonly seq: number }
  | { readonly kind: 'peerRespond'; readonly pick: number; readonly answer: PeerAnswer; readonly result: number }
  | { readonly kind: 'subscribe'; readonly who: number; readonly topics: number }
  | { readonly kind: 'route'; readonly peer: number; readonly topics: number; readonly weight: number }
  | { readonly kind: 'leave'; readonly who: number }
  | { readonly kind: 'leavePeer'; readonly peer: number }
  | { readonly kind: 'migrate'; readonly peer: number }
  | { readonly kind: 'full' | 'slow'; readonly who: number; readonly on: boolean }
  | { readonly kind: 'limited'; readonly on: boolean }
  | { readonly kind: 'hasPeers'; readonly on: boolean }
  | { readonly kind: 'pulled' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'drain' };

interface Wanted {
  from: FakeEndpoint;
  readonly frame: Buffer;
  readonly seq: number;
  readonly topic: string;
  readonly replyTicket: number;
  readonly startedMs: number;
  readonly tried: Set<FakeEndpoint>;
  target: FakeEndpoint | undefined;
  ticket: number;
  pushedMs: number;
  /** Bits of `Counted` that are certain, and those that depend on the order in which choices were made. */
  counted: number;
  maybe: number;
  gone: boolean;
  pulled: boolean;
  waiting: boolean;
  ended: boolean;
}

/** What the router did, in its order. */
type Did =
  | { kind: 'deliver'; to: FakeEndpoint; frame: Buffer; ticket: number }
  | { kind: 'answer'; to: FakeEndpoint; frame: Buffer; code: number; reason: string | undefined; ticket: number };

class LoggedEndpoint extends FakeEndpoint {
  readonly log: Did[];

  constructor(id: number, isPeer: boolean, log: Did[]) {
    super(id);
    this.isPeer = isPeer;
    this.log = log;
  }

  override deliver(frame: Buffer, ticket: number): boolean {
    if (!super.deliver(frame, ticket)) return false;
    this.log.push({ kind: 'deliver', to: this, frame, ticket });
    return true;
  }

  override answer(frame: Buffer, ticket: number): void {
    this.log.push({ kind: 'answer', to: this, frame, code: frame.readInt32BE(38), reason: undefined, ticket });
  }

  override answerFailure(frame: Buffer, code: number, reason: never, ticket: number): void {
    this.log.push({ kind: 'answer', to: this, frame, code, reason, ticket });
  }
}

export class Oracle {
  readonly world = makeWorld(LIMITS);
  readonly all: Wanted[] = [];
  readonly #log: Did[] = [];
  /** Requests without an answer and pushes outstanding, oldest first. */
  #open: Wanted[] = [];
  #pushes: Wanted[] = [];
  /** In the order in which they began to wait. */
  #waiting: Wanted[] = [];
  readonly #delivered: { readonly to: FakeEndpoint; readonly request: Wanted; readonly ticket: number }[] = [];
  readonly #sessions: LoggedEndpoint[] = [];
  readonly #peers: LoggedEndpoint[] = [];
  readonly #ever: LoggedEndpoint[] = [];
  readonly #topics = new Map<FakeEndpoint, ReadonlySet<string>>();
  #draining = false;
  #nextId = 1;
  #nextTicket = 1;

  constructor() {
    for (let at = 0; at < SESSIONS; at++) this.#sessions.push(this.#newcomer(false));
    for (let at = 0; at < PEERS; at++) this.#peers.push(this.#newcomer(true));
  }

  run(step: Step): void {
    const { world } = this;
    const { observer } = world;
    switch (step.kind) {
      case 'ask': {
        const topic = [...TOPICS, NOBODYS][step.topic];
        const from = this.#sessions[step.who];
        this.#asked(from, world.ask(from, `s${step.seq}`, topic), step.seq, topic, 0);
        break;
      }
      case 'askOver': {
        const topic = [...TOPICS, NOBODYS][step.topic];
        const from = this.#peers[step.peer];
        const ticket = this.#nextTicket++;
        this.#asked(from, world.askOver(from, ticket, `s${step.seq}`, topic), step.seq, topic, ticket);
        break;
      }
      case 'respond': {
        const record = pickOf(this.#delivered, ({ to }) => !to.isPeer, step.pick);
        if (record) this.#responded(record.to, record.request.frame, record.request.seq, step.result);
        break;
      }
      case 'respondStranger': {
        const request = this.#open.find((one) => one.seq === step.seq);
        if (request) this.#responded(this.#sessions[step.who], request.frame, step.seq, 0);
        break;
      }
      case 'peerRespond': {
        const record = pickOf(this.#delivered, ({ to }) => to.isPeer, step.pick);
        if (record) this.#peerResponded(record.request, record.to, record.ticket, step.answer, step.result);
        break;
      }
      case 'subscribe': {
        const session = this.#sessions[step.who];
        const names = namesOf(step.topics);
        const { added } = world.topics.replace(session, names);
        this.#topics.set(session, new Set(names));
        if (added.length > 0) world.router.routesChanged(world.nowMs());
        this.#resumed(added.length > 0 ? 'known' : 'none');
        break;
      }
      case 'route':
        this.#route(this.#peers[step.peer], step.topics, step.weight);
        break;
      case 'leave': {
        const endpoint = this.#sessions[step.who];
        this.#sessions[step.who] = this.#newcomer(false);
        this.#left(endpoint);
        break;
      }
      case 'leavePeer': {
        const endpoint = this.#peers[step.peer];
        this.#peers[step.peer] = this.#newcomer(true);
        this.#left(endpoint);
        break;
      }
      case 'migrate':
        this.#migrated(step.peer);
        break;
      case 'full':
        [...this.#sessions, ...this.#peers][step.who].full = step.on;
        break;
      case 'slow':
        [...this.#sessions, ...this.#peers][step.who].slow = step.on;
        break;
      case 'limited':
        observer.forwards = !step.on;
        break;
      case 'hasPeers':
        observer.hasPeers = step.on;
        break;
      case 'pulled':
        world.pulled();
        this.#resumed('all');
        break;
      case 'pass':
        world.pass(step.ms);
        this.#passed();
        break;
      case 'drain':
        world.router.drain();
        this.#draining = true;
        break;
    }
    this.#check();
  }

  /** Everything ends: time passes, everybody leaves. */
  end(): void {
    for (let at = 0; at < 3; at++) this.run({ kind: 'pass', ms: 5_000 });
    for (let who = 0; who < SESSIONS; who++) this.run({ kind: 'leave', who });
    for (let peer = 0; peer < PEERS; peer++) this.run({ kind: 'leavePeer', peer });
    expect(this.world.router.pending).toBe(0);
    expect(this.all.every(({ ended }) => ended)).toBe(true);
    expect(this.world.topics.size).toBe(0);
  }

  #newcomer(isPeer: boolean): LoggedEndpoint {
    const endpoint = new LoggedEndpoint(this.#nextId++, isPeer, this.#log);
    this.#ever.push(endpoint);
    this.#topics.set(endpoint, new Set());
    return endpoint;
  }

  #check(): void {
    expect(this.#log, 'nothing happened that was not expected').toEqual([]);
    expect(this.world.router.pending).toBe(this.#open.length);
    for (const endpoint of this.#ever) {
      const own = this.#open.filter(({ from }) => from === endpoint);
      expect(endpoint.routerRequests.size).toBe(own.length);
      expect(endpoint.routerPushes.size).toBe(this.#pushes.filter(({ target }) => target === endpoint).length);
      expect(endpoint.heldBytes).toBe(own.reduce((sum, { frame }) => sum + frame.length + PENDING_OVERHEAD_BYTES, 0));
    }
  }

  #asked(from: FakeEndpoint, frame: Buffer, seq: number, topic: string, replyTicket: number): void {
    const request: Wanted = {
      from,
      frame,
      seq,
      topic,
      replyTicket,
      startedMs: this.world.nowMs(),
      tried: new Set(),
      target: undefined,
      ticket: 0,
      pushedMs: 0,
      counted: 0,
      maybe: 0,
      gone: false,
      pulled: false,
      waiting: false,
      ended: false,
    };
    this.all.push(request);
    const own = this.#open.filter((one) => one.from === from).length;
    if (this.#draining) this.#failed(request, 'draining');
    else if (own >= LIMITS.sessionPendingMax || this.#open.length >= LIMITS.pendingMax) {
      this.#failed(request, 'pending-max');
    } else {
      this.#open.push(request);
      this.#searches(request);
    }
  }

  #responded(from: FakeEndpoint, frame: Buffer, seq: number, result: number): void {
    const request = this.#pushes.find((one) => one.target === from && one.seq === seq);
    expect(this.world.respond(from, frame, result)).toBe(request !== undefined);
    if (request) this.#answered(request, result);
  }

  #peerResponded(request: Wanted, to: FakeEndpoint, ticket: number, answer: PeerAnswer, result: number): void {
    // A push that was handed over is answered over the link that took the place of the one it went over.
    const from = request.ticket === ticket && request.target?.isPeer ? request.target : to;
    const { router, nowMs } = this.world;
    const outstanding = request.target === from && request.ticket === ticket;
    const known = router.peerResponse(from, ticket, responseTo(request.frame, result), answer, nowMs());
    expect(known).toBe(outstanding);
    if (!outstanding) return;
    const counts = countsAs(answer, result);
    if (counts === 0) {
      this.#answered(request, result);
      return;
    }
    request.counted |= counts;
    this.#unpushed(request);
    this.#searches(request);
  }

  #route(peer: FakeEndpoint, topics: number, weight: number): void {
    const { world } = this;
    const names = namesOf(topics);
    const changed = world.topics.replaceRoutes(peer, new Map(names.map((name) => [name, weight])));
    this.#topics.set(peer, new Set(names));
    if (changed) world.router.routesChanged(world.nowMs());
    this.#resumed(changed ? 'known' : 'none');
  }

  #left(endpoint: FakeEndpoint): void {
    this.#topics.delete(endpoint);
    this.world.leave(endpoint);
    this.#forgot(endpoint);
  }

  #forgot(endpoint: FakeEndpoint): void {
    for (const request of this.#open.filter(({ from }) => from === endpoint)) this.#close(request);
    for (const request of this.#pushes.filter(({ target }) => target === endpoint)) {
      request.gone = true;
      this.#wasSilent(request);
    }
  }

  /** As when two links between two relays become one: the new one has the routes, then the old one ends. */
  #migrated(slot: number): void {
    const { topics, router, nowMs } = this.world;
    const old = this.#peers[slot];
    const next = this.#newcomer(true);
    const bits = TOPICS.reduce((sum, name, bit) => sum + (this.#topics.get(old)?.has(name) ? 1 << bit : 0), 0);
    this.#peers[slot] = next;
    this.#route(next, bits, 2);
    topics.remove(old);
    this.#topics.delete(old);
    router.migrate(old, next);
    for (const request of this.#open) {
      if (request.from === old) request.from = next;
      if (request.target !== old) continue;
      request.target = next;
      request.tried.add(next);
    }
    router.sessionGone(old, nowMs());
    this.#forgot(old);
  }

  /** Waiting requests are looked at again: none, those for which somebody is known, or all. */
  #resumed(which: 'none' | 'known' | 'all'): void {
    if (which === 'none') return;
    for (const request of [...this.#waiting]) {
      const others = [...this.#topics].some(([one, names]) => one !== request.from && names.has(request.topic));
      if (which === 'known' && !others) continue;
      this.#waiting = this.#waiting.filter((one) => one !== request);
      request.waiting = false;
      this.#searches(request);
    }
  }

  #passed(): void {
    const nowMs = this.world.nowMs();
    const late = (ofPeers: boolean, timeoutMs: number) =>
      this.#open.filter(({ from, startedMs }) => from.isPeer === ofPeers && nowMs - startedMs >= timeoutMs);
    const { requestTimeoutMs, peerTimeoutMs, subscriberTimeoutMs } = LIMITS;
    for (const request of [...late(false, requestTimeoutMs), ...late(true, peerTimeoutMs - PEER_MARGIN_MS)]) {
      if (request.target) request.counted |= Counted.silent;
      this.#failed(request, 'deadline');
    }
    const silent = (peers: boolean, timeoutMs: number) =>
      this.#pushes.filter(({ target, pushedMs }) => target?.isPeer === peers && nowMs - pushedMs >= timeoutMs);
    for (const request of silent(false, subscriberTimeoutMs)) {
      request.gone = false;
      this.#wasSilent(request);
    }
    for (const request of silent(true, peerTimeoutMs)) {
      request.gone = false;
      this.#wasSilent(request);
    }
  }

  #wasSilent(request: Wanted): void {
    request.counted |= Counted.silent;
    this.#unpushed(request);
    this.#searches(request);
  }

  /** What keeps an endpoint from taking a request, 0 when nothing does. */
  #obstacle(endpoint: FakeEndpoint, request: Wanted): number {
    if (endpoint.isPeer) {
      if (!this.world.observer.forwards) return Counted.limited;
      return endpoint.full ? Counted.unavailable : 0;
    }
    const clash = this.#pushes.some((one) => one.target === endpoint && one.seq === request.seq);
    return endpoint.full || clash ? Counted.unreachable : 0;
  }

  /** The next choice: a taker if there is one, else the answer, or waiting. */
  #searches(request: Wanted): void {
    const choices = [...this.#topics]
      .filter(([endpoint, names]) => {
        const allowed = !(endpoint.isPeer && request.from.isPeer) && endpoint !== request.from;
        return allowed && names.has(request.topic) && !request.tried.has(endpoint);
      })
      .map(([endpoint]) => endpoint);
    const takers = choices.filter((endpoint) => this.#obstacle(endpoint, request) === 0);
    const obstacles = choices.reduce((sum, endpoint) => sum | this.#obstacle(endpoint, request), 0);
    if (takers.length > 0) {
      request.maybe |= obstacles;
      this.#pushed(request, takers);
      return;
    }
    request.counted |= obstacles;
    if (request.counted === 0 && !request.pulled && !request.from.isPeer) {
      request.pulled = true;
      if (this.world.observer.hasPeers) {
        request.waiting = true;
        this.#waiting.push(request);
        return;
      }
    }
    this.#failed(request, undefined);
  }

  #pushed(request: Wanted, takers: readonly FakeEndpoint[]): void {
    const did = this.#log.shift();
    expect(did?.kind).toBe('deliver');
    if (did?.kind !== 'deliver') return;
    expect(did.frame, 'the frame goes on as it came').toBe(request.frame);
    const quick = takers.filter(({ slow }) => !slow);
    expect(quick.length > 0 ? quick : takers, 'a taker, if possible one that is not stalled').toContain(did.to);
    expect(did.ticket > 0, 'peers get a number').toBe(did.to.isPeer);
    request.target = did.to;
    request.ticket = did.ticket;
    request.pushedMs = this.world.nowMs();
    request.tried.add(did.to);
    this.#pushes.push(request);
    this.#delivered.push({ to: did.to, request, ticket: did.ticket });
  }

  #unpushed(request: Wanted): void {
    request.target = undefined;
    request.ticket = 0;
    this.#pushes = this.#pushes.filter((one) => one !== request);
  }

  #answered(request: Wanted, result: number): void {
    this.#toldSender(request, [{ code: result, reason: undefined }]);
  }

  /** @param reason known beforehand, or as what was counted tells */
  #failed(request: Wanted, reason: string | undefined): void {
    const outcomes = subsetsOf(request.maybe).map((bits) => {
      const counted = request.counted | bits;
      if (reason === 'draining' || reason === 'pending-max') return { code: 100, reason };
      const code = counted === 0 && request.from.isPeer ? 101 : codeOf(counted);
      // The answer of the node itself is passed on.
      return { code, reason: code === 104 ? undefined : (reason ?? reasonOf(counted, request.gone)) };
    });
    this.#toldSender(request, outcomes);
  }

  #toldSender(request: Wanted, outcomes: readonly { code: number; reason: string | undefined }[]): void {
    const did = this.#log.shift();
    expect(did?.kind).toBe('answer');
    if (did?.kind !== 'answer') return;
    expect(outcomes).toContainEqual({ code: did.code, reason: did.reason });
    expect(did.to).toBe(request.from);
    expect(did.ticket).toBe(request.replyTicket);
    expect(did.frame.subarray(6, 38).equals(request.frame.subarray(6, 38)), 'the sequence of the request').toBe(true);
    this.#close(request);
  }

  #close(request: Wanted): void {
    expect(request.ended, 'a request ends once').toBe(false);
    request.ended = true;
    this.#unpushed(request);
    this.#open = this.#open.filter((one) => one !== request);
    this.#waiting = this.#waiting.filter((one) => one !== request);
  }
}

const namesOf = (bits: number): string[] => TOPICS.filter((_, bit) => bits & (1 << bit));

function pickOf<T>(all: readonly T[], which: (one: T) => boolean, pick: number): T | undefined {
  const some = all.filter(which);
  return some[pick % Math.max(1, some.length)];
}

function subsetsOf(bits: number): number[] {
  const subsets: number[] = [];
  for (let subset = 0; subset <= bits; subset++) if ((subset & bits) === subset) subsets.push(subset);
  return subsets;
}

/** The table of decisions §2, 0 for what is final. */
function countsAs(answer: PeerAnswer, result: number): number {
  if (answer === PeerAnswer.final) return 0;
  if (answer === PeerAnswer.legacy) return result === 104 ? Counted.legacy : 0;
  const known: Record<number, number> = { 102: Counted.silent, 101: Counted.unreachable, 103: Counted.limited };
  return known[result] ?? Counted.unavailable;
}

const ORDER = [
  [Counted.silent, 102, 'subscriber-silent'],
  [Counted.legacy, 104, 'node-without-subscriber'],
  [Counted.unreachable, 101, 'subscriber-busy'],
  [Counted.limited, 103, 'bandwidth-limit'],
  [Counted.unavailable, 100, 'peer-unavailable'],
] as const;

const firstOf = (counted: number) => ORDER.find(([bit]) => counted & bit);
const codeOf = (counted: number): number => firstOf(counted)?.[1] ?? 100;

function reasonOf(counted: number, gone: boolean): string {
  if (gone && counted & Counted.silent) return 'subscriber-gone';
  return firstOf(counted)?.[2] ?? 'no-subscriber';
}
