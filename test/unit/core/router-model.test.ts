/**
 * The router against an oracle that keeps every request in plain lists. Which of several takers is chosen is the router's
 * freedom (fair-round.test.ts looks at that); that it is a legal one, that everything ends in exactly one answer, with
 * which code and reason, is not.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PENDING_OVERHEAD_BYTES } from '../../../src/base/limits.js';
import { FakeEndpoint, makeWorld } from './fakes.js';

const LIMITS = { requestTimeoutMs: 13_000, subscriberTimeoutMs: 5_000, sessionPendingMax: 4, pendingMax: 9 };
const TOPICS = ['T', 'U'];

type Step =
  | { kind: 'ask'; from: number; seq: number; topic: number }
  | { kind: 'respond'; pick: number; result: number }
  | { kind: 'respondStranger'; from: number; seq: number }
  | { kind: 'subscribe'; who: number; topics: number }
  | { kind: 'leave'; who: number }
  | { kind: 'full'; who: number; full: boolean }
  | { kind: 'pass'; ms: number }
  | { kind: 'drain' };

const who = fc.integer({ min: 0, max: 4 });
const seq = fc.integer({ min: 0, max: 3 });
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ask' as const), from: who, seq, topic: fc.nat(2) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('respond' as const), pick: fc.nat(), result: fc.nat(105) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('respondStranger' as const), from: who, seq }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), who, topics: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('full' as const), who, full: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 1_000, 2_500, 5_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'drain' as const }) },
);

interface Wanted {
  readonly id: number;
  readonly from: FakeEndpoint;
  readonly frame: Buffer;
  readonly seq: number;
  readonly topic: string;
  readonly startedMs: number;
  readonly tried: Set<FakeEndpoint>;
  target: FakeEndpoint | undefined;
  pushedMs: number;
  busy: boolean;
  silent: boolean;
  gone: boolean;
  ended: boolean;
}

/** What the router did, in its order. */
type Did =
  | { kind: 'deliver'; to: FakeEndpoint; frame: Buffer }
  | { kind: 'answer'; to: FakeEndpoint; frame: Buffer; code: number; reason: string | undefined };

class LoggedEndpoint extends FakeEndpoint {
  log: Did[] = [];

  override deliver(frame: Buffer, ticket: number): boolean {
    if (!super.deliver(frame, ticket)) return false;
    this.log.push({ kind: 'deliver', to: this, frame });
    return true;
  }

  override answer(frame: Buffer): void {
    this.log.push({ kind: 'answer', to: this, frame, code: frame.readInt32BE(38), reason: undefined });
  }

  override answerFailure(frame: Buffer, code: number, reason: never): void {
    this.log.push({ kind: 'answer', to: this, frame, code, reason });
  }
}

class Oracle {
  readonly world = makeWorld(LIMITS);
  readonly log: Did[] = [];
  /** Requests without an answer, oldest first; pushes outstanding, oldest first. */
  open: Wanted[] = [];
  pushes: Wanted[] = [];
  readonly all: Wanted[] = [];
  readonly delivered: { to: FakeEndpoint; frame: Buffer; seq: number }[] = [];
  slots: LoggedEndpoint[] = [];
  readonly ever: LoggedEndpoint[] = [];
  readonly topics = new Map<FakeEndpoint, Set<string>>();
  draining = false;
  #nextId = 1;

  constructor() {
    for (let at = 0; at < 5; at++) this.slots.push(this.newcomer());
  }

  newcomer(): LoggedEndpoint {
    const endpoint = new LoggedEndpoint(this.#nextId++);
    endpoint.log = this.log;
    this.ever.push(endpoint);
    this.topics.set(endpoint, new Set());
    return endpoint;
  }

  run(step: Step): void {
    const { world } = this;
    switch (step.kind) {
      case 'ask': {
        const from = this.slots[step.from];
        const topic = ['T', 'U', 'nobody'][step.topic];
        const frame = world.ask(from, `s${step.seq}`, topic);
        this.#asked(from, frame, step.seq, topic);
        break;
      }
      case 'respond': {
        if (this.delivered.length === 0) return;
        const { to, frame, seq: used } = this.delivered[step.pick % this.delivered.length];
        this.#responded(to, frame, used, step.result);
        break;
      }
      case 'respondStranger': {
        const request = this.open.find((one) => one.seq === step.seq);
        if (request) this.#responded(this.slots[step.from], request.frame, step.seq, 0);
        break;
      }
      case 'subscribe': {
        const names = TOPICS.filter((_, bit) => step.topics & (1 << bit));
        const endpoint = this.slots[step.who];
        world.topics.replace(endpoint, names);
        this.topics.set(endpoint, new Set(names));
        break;
      }
      case 'leave': {
        const endpoint = this.slots[step.who];
        this.slots[step.who] = this.newcomer();
        this.#left(endpoint);
        break;
      }
      case 'full':
        this.slots[step.who].full = step.full;
        break;
      case 'pass':
        world.pass(step.ms);
        this.#passed();
        break;
      case 'drain':
        world.router.drain();
        this.draining = true;
        break;
    }
    this.check();
  }

  check(): void {
    expect(this.log, 'nothing happened that the oracle did not expect').toEqual([]);
    expect(this.world.router.pending).toBe(this.open.length);
    for (const endpoint of this.ever) {
      const own = this.open.filter(({ from }) => from === endpoint);
      expect(endpoint.routerRequests.size).toBe(own.length);
      expect(endpoint.routerPushes.size).toBe(this.pushes.filter(({ target }) => target === endpoint).length);
      expect(endpoint.heldBytes).toBe(own.reduce((sum, { frame }) => sum + frame.length + PENDING_OVERHEAD_BYTES, 0));
    }
  }

  #asked(from: FakeEndpoint, frame: Buffer, used: number, topic: string): void {
    const request: Wanted = {
      id: this.all.length,
      from,
      frame,
      seq: used,
      topic,
      startedMs: this.world.nowMs(),
      tried: new Set(),
      target: undefined,
      pushedMs: 0,
      busy: false,
      silent: false,
      gone: false,
      ended: false,
    };
    this.all.push(request);
    const own = this.open.filter((one) => one.from === from).length;
    if (this.draining) this.#ends(request, 100, 'draining');
    else if (own >= LIMITS.sessionPendingMax || this.open.length >= LIMITS.pendingMax) {
      this.#ends(request, 100, 'pending-max');
    } else {
      this.open.push(request);
      this.#searches(request);
    }
  }

  #responded(from: FakeEndpoint, frame: Buffer, used: number, result: number): void {
    const request = this.pushes.find((one) => one.target === from && one.seq === used);
    expect(this.world.respond(from, frame, result)).toBe(request !== undefined);
    if (request) this.#ends(request, result, undefined);
  }

  #left(endpoint: FakeEndpoint): void {
    this.topics.delete(endpoint);
    this.world.leave(endpoint);
    for (const request of this.open.filter(({ from }) => from === endpoint)) this.#close(request);
    for (const request of this.pushes.filter(({ target }) => target === endpoint)) {
      request.gone = true;
      this.#wasSilent(request);
    }
  }

  #passed(): void {
    const nowMs = this.world.nowMs();
    for (const request of this.open.filter(({ startedMs }) => nowMs - startedMs >= LIMITS.requestTimeoutMs)) {
      this.#ends(request, 102, 'deadline');
    }
    for (const request of this.pushes.filter(({ pushedMs }) => nowMs - pushedMs >= LIMITS.subscriberTimeoutMs)) {
      request.gone = false;
      this.#wasSilent(request);
    }
  }

  #wasSilent(request: Wanted): void {
    request.silent = true;
    request.target = undefined;
    this.pushes = this.pushes.filter((one) => one !== request);
    this.#searches(request);
  }

  /** The next choice: a taker if there is one, else the answer. */
  #searches(request: Wanted): void {
    const choices = [...this.topics].filter(
      ([endpoint, names]) => names.has(request.topic) && endpoint !== request.from && !request.tried.has(endpoint),
    );
    const takers = choices
      .map(([endpoint]) => endpoint)
      .filter(
        (endpoint) => !endpoint.full && !this.pushes.some((one) => one.target === endpoint && one.seq === request.seq),
      );
    if (takers.length === 0) {
      if (choices.length > 0) request.busy = true;
      if (request.silent) this.#ends(request, 102, request.gone ? 'subscriber-gone' : 'subscriber-silent');
      else if (request.busy) this.#ends(request, 101, 'subscriber-busy');
      else this.#ends(request, 100, 'no-subscriber');
      return;
    }
    const did = this.log.shift();
    expect(did?.kind).toBe('deliver');
    if (did?.kind !== 'deliver') return;
    expect(did.frame, 'the frame goes on as it came').toBe(request.frame);
    expect(did.to, 'never to its sender').not.toBe(request.from);
    expect(takers).toContain(did.to);
    request.target = did.to;
    request.pushedMs = this.world.nowMs();
    request.tried.add(did.to);
    this.pushes.push(request);
    this.delivered.push({ to: did.to, frame: request.frame, seq: request.seq });
  }

  #ends(request: Wanted, code: number, reason: string | undefined): void {
    const did = this.log.shift();
    expect(did).toMatchObject({ kind: 'answer', code, reason });
    expect(did?.to).toBe(request.from);
    expect(did?.frame.subarray(6, 38).equals(request.frame.subarray(6, 38)), 'the sequence of the request').toBe(true);
    this.#close(request);
  }

  #close(request: Wanted): void {
    expect(request.ended, 'a request ends once').toBe(false);
    request.ended = true;
    this.open = this.open.filter((one) => one !== request);
    this.pushes = this.pushes.filter((one) => one !== request);
  }
}

describe('router', () => {
  it('answers every request exactly once, with the code and the reason of the oracle, and leaks nothing', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { minLength: 1, maxLength: 80, size: 'max' }), (steps) => {
        const oracle = new Oracle();
        for (const step of [...steps]) oracle.run(step);
        for (let at = 0; at < 3; at++) oracle.run({ kind: 'pass', ms: 5_000 });
        for (let at = 0; at < 5; at++) oracle.run({ kind: 'leave', who: at });
        expect(oracle.world.router.pending).toBe(0);
        expect(oracle.all.every(({ ended }) => ended)).toBe(true);
        expect(oracle.world.topics.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
