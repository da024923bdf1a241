/**
 * The certification against an oracle that keeps plain lists: who may be asked now, which result counts, who is allowed. Which of
 * several pairs is asked first is the certification's freedom; that it is a legal one, and that everybody's turn comes, is not.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Certification, type PairFailure, type Sender, type Subscriber } from '../../../src/core/certification.js';
import { challengeOf, M, N } from './certification-world.js';

const TTL_MS = 100_000;
const ANSWER_MS = 6_000;
const WINDOW_MS = 30_000;
const ASK_MS = 1_000;
const LOSS_MS = 2_000;
const BACKOFF_MS_MIN = 2_000;
const BACKOFF_MS_MAX = 300_000;

const TOPICS = [N, M];
/** Two sessions of one application, and another one. */
const SENDERS: readonly Sender[] = [
  { id: 'a1', digest: 'alice' },
  { id: 'z', digest: 'zoe' },
  { id: 'a2', digest: 'alice' },
];
const ORIGINS = ['session 1', 'session 2', 'B', 'C'];
const PLACES = 3;

type Step =
  | { kind: 'sends'; who: number; topics: number }
  | { kind: 'listed'; origin: number; places: readonly { challenges: readonly number[]; digest: number }[] }
  | { kind: 'answer'; pick: number; verified: boolean }
  | { kind: 'says'; who: number; place: number; topic: number; verified: boolean }
  | { kind: 'challengeFailed'; who: number; topic: number; challenge: number }
  | { kind: 'pass'; ms: number };

const who = fc.nat(SENDERS.length - 1);
const place = fc.record({ challenges: fc.uniqueArray(fc.nat(3), { maxLength: 2 }), digest: fc.nat(2) });
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('sends' as const), who, topics: fc.nat(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('listed' as const),
      origin: fc.nat(ORIGINS.length - 1),
      places: fc.array(place, { maxLength: PLACES }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('answer' as const), pick: fc.nat(), verified: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('says' as const),
      who,
      place: fc.nat(ORIGINS.length * PLACES - 1),
      topic: fc.nat(1),
      verified: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('challengeFailed' as const),
      who,
      topic: fc.nat(1),
      challenge: fc.nat(3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 500, 1_000, 2_000, 6_000, 29_000, 80_000),
    }),
  },
);

/** A pair as long as both of it stay. */
interface Pair {
  readonly sender: Sender;
  subscriber: Subscriber;
  /** Asked and neither answered nor given up. */
  openMs: number | undefined;
  /** The challenge topic it was asked about last. */
  topic: string | undefined;
  askedMs: number;
  /** Asked, and no result has come. */
  resultMs: number | undefined;
  certifiedMs: number | undefined;
}

class Oracle {
  nowMs = 5_000;
  readonly certification: Certification;
  readonly senders = new Map<string, Set<string>>();
  readonly listed = new Map<string, Map<string, Subscriber>>();
  readonly pairs = new Map<string, Pair>();
  readonly allowed = new Set<string>();
  /** By certificates and topic. */
  readonly backoffs = new Map<string, { failures: number; failedMs: number }>();
  /** By challenge topic: certificates in their order, and who claims. */
  readonly claims = new Map<string, { digests: string[]; ids: Map<string, string> }>();
  readonly routes = new Map<string, readonly string[]>();
  #mayCertify: string | undefined;
  #mayDeny = new Set<string>();

  constructor() {
    this.certification = new Certification(TTL_MS, {
      ask: (sender, subscriber, challengeTopic) => this.#asked(sender, subscriber, challengeTopic),
      allow: (sender, { id }) => {
        const key = `${sender}>${id}`;
        expect([key, this.allowed.has(key)], 'allowed twice').toEqual([this.#mayCertify, false]);
        this.allowed.add(key);
      },
      deny: (sender, { id }) => {
        const key = `${sender}>${id}`;
        expect([this.allowed.delete(key), this.#mayDeny.has(key)], `deny of ${key}`).toEqual([true, true]);
      },
      challengeRoute: (topic, holders) => this.routes.set(topic, holders.map(({ id }) => id).sort()),
      claimRefused: () => {},
      outcome: (sender, { id }, outcome: PairFailure | 'certified' | 'expired') => {
        if (outcome !== 'challenge-failed') return;
        const pair = this.pairs.get(`${sender}>${id}`);
        expect(pair?.openMs, 'a challenge of a pair that was asked about').toBeDefined();
        if (pair) this.#failed(pair);
      },
    });
  }

  run(step: Step): void {
    this.#mayCertify = undefined;
    this.#mayDeny = new Set();
    switch (step.kind) {
      case 'sends':
        this.#sends(
          SENDERS[step.who],
          TOPICS.filter((_, bit) => step.topics & (1 << bit)),
        );
        break;
      case 'listed':
        this.#list(step.origin, step.places);
        break;
      case 'answer': {
        const open = [...this.pairs.values()].filter(({ resultMs }) => resultMs !== undefined);
        if (open.length === 0) return;
        const { sender, subscriber } = open[step.pick % open.length];
        this.#result(sender, subscriber.nodeId, subscriber.messageTopic, step.verified);
        break;
      }
      case 'says':
        this.#result(SENDERS[step.who], `node-${step.place}`, TOPICS[step.topic], step.verified);
        break;
      case 'challengeFailed':
        this.certification.challengeFailed(
          SENDERS[step.who].id,
          challengeOf(TOPICS[step.topic], `${step.challenge}`),
          this.nowMs,
        );
        break;
      case 'pass':
        this.nowMs += step.ms;
        this.tick();
        break;
    }
    this.check();
  }

  tick(): void {
    this.#mayDeny = new Set();
    const { nowMs } = this;
    for (const [key, pair] of this.pairs) {
      if (pair.openMs !== undefined && nowMs - pair.openMs >= ANSWER_MS) this.#failed(pair);
      if (pair.certifiedMs !== undefined && nowMs >= pair.certifiedMs + TTL_MS) {
        pair.certifiedMs = undefined;
        this.#mayDeny.add(key);
      }
    }
    this.certification.tick(nowMs);
  }

  /** What must hold after every step. */
  check(): void {
    const certified = [...this.pairs].filter(([, { certifiedMs }]) => certifiedMs !== undefined).map(([key]) => key);
    expect([...this.allowed].sort(), 'allowed is who is certified').toEqual(certified.sort());
    const views = this.certification.pairs();
    expect(views.map(({ sender, subscriber }) => `${sender}>${subscriber.id}`).sort()).toEqual(
      [...this.pairs.keys()].sort(),
    );
    const shown = views.filter(({ state }) => state === 'certified');
    expect(shown.map(({ sender, subscriber }) => `${sender}>${subscriber.id}`).sort()).toEqual(certified);
    for (const [topic, { digests, ids }] of this.claims) {
      const holders = [...ids].filter(([, digest]) => digest === digests[0]).map(([id]) => id);
      expect(this.routes.get(topic) ?? [], `holders of ${topic}`).toEqual(holders.sort());
    }
  }

  /** Everybody answers from now on, and says yes: in the end each pair that can be asked about is certified. */
  settle(): void {
    const endMs = this.nowMs + BACKOFF_MS_MAX + TTL_MS;
    for (; this.nowMs < endMs; this.nowMs += 500) {
      for (const { sender, subscriber, openMs } of [...this.pairs.values()]) {
        if (openMs === undefined) continue;
        this.#mayDeny = new Set();
        this.#result(sender, subscriber.nodeId, subscriber.messageTopic, true);
      }
      this.tick();
    }
    this.check();
    for (const [key, { subscriber, certifiedMs }] of this.pairs) {
      const can = subscriber.challengeTopics.some((topic) => this.#holds(topic, subscriber));
      expect([key, certifiedMs !== undefined]).toEqual([key, can]);
    }
  }

  #asked(sender: string, subscriber: Subscriber, challengeTopic: string): void {
    const key = `${sender}>${subscriber.id}`;
    const pair = this.pairs.get(key);
    if (!pair) throw new Error(`${key} is asked about and there is no such pair`);
    expect(subscriber, key).toBe(pair.subscriber);
    const busy = [...this.pairs.values()].filter(
      (one) =>
        one.openMs !== undefined &&
        one.sender.id === sender &&
        one.subscriber.messageTopic === subscriber.messageTopic &&
        (one.subscriber.origin === subscriber.origin || one.topic === challengeTopic),
    );
    expect(busy, `open when ${key} is asked`).toEqual([]);
    expect(this.nowMs - pair.askedMs, `${key} asked so soon`).toBeGreaterThanOrEqual(ASK_MS);
    expect(subscriber.challengeTopics).toContain(challengeTopic);
    expect(this.#holds(challengeTopic, subscriber), `${key} does not hold ${challengeTopic}`).toBe(true);
    const backoff = this.backoffs.get(backoffKey(pair));
    // A failure of this very moment may come after the question.
    if (backoff && backoff.failedMs < this.nowMs) {
      const waitMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (backoff.failures - 1));
      expect(this.nowMs - backoff.failedMs, `${key} asked within its back-off`).toBeGreaterThanOrEqual(waitMs);
    }
    if (pair.certifiedMs !== undefined) {
      expect(this.nowMs - pair.certifiedMs, `${key} renewed so soon`).toBeGreaterThanOrEqual(TTL_MS * 0.8);
    }
    // A challenge names only its topic, so what was asked about it before counts no more.
    for (const other of this.pairs.values()) {
      if (other.sender.id === sender && other.topic === challengeTopic) other.resultMs = undefined;
    }
    pair.openMs = this.nowMs;
    pair.topic = challengeTopic;
    pair.askedMs = this.nowMs;
    pair.resultMs = this.nowMs;
  }

  #sends(sender: Sender, topics: readonly string[]): void {
    const known = this.senders.get(sender.id) ?? new Set();
    this.senders.set(sender.id, new Set(topics));
    for (const [key, pair] of this.pairs) {
      if (pair.sender === sender && !topics.includes(pair.subscriber.messageTopic)) this.#end(key, pair);
    }
    for (const topic of topics) {
      if (known.has(topic)) continue;
      for (const subscribers of this.listed.values()) {
        for (const subscriber of subscribers.values())
          if (subscriber.messageTopic === topic) this.#begin(sender, subscriber);
      }
    }
    this.certification.setSender(sender, topics, this.nowMs);
  }

  #list(originIndex: number, places: Extract<Step, { kind: 'listed' }>['places']): void {
    const origin = ORIGINS[originIndex];
    const before = this.listed.get(origin) ?? new Map<string, Subscriber>();
    const now = new Map<string, Subscriber>();
    for (const [at, { challenges, digest }] of places.entries()) {
      const messageTopic = TOPICS[at % 2];
      const id = `${origin}/${at}`;
      const challengeTopics = challenges.map((end) => challengeOf(messageTopic, `${end}`));
      const nodeId = `node-${originIndex * PLACES + at}`;
      // The sender `a1` is session 1: it never certifies itself.
      const owner = originIndex === 0 ? 'a1' : undefined;
      now.set(id, { id, messageTopic, origin, nodeId, digest: `cert-${digest}`, challengeTopics, owner });
    }
    for (const [id, subscriber] of before) {
      if (now.get(id)?.digest === subscriber.digest) continue;
      for (const [key, pair] of this.pairs) {
        if (pair.subscriber.id !== id) continue;
        if (pair.openMs !== undefined && this.nowMs - pair.openMs < LOSS_MS) this.#failed(pair);
        this.#end(key, pair);
      }
      this.#claim(id, subscriber.digest, subscriber.challengeTopics, []);
    }
    this.listed.set(origin, now);
    for (const [id, subscriber] of now) {
      const known = before.get(id);
      const same = known?.digest === subscriber.digest;
      this.#claim(id, subscriber.digest, same && known ? known.challengeTopics : [], subscriber.challengeTopics);
      for (const sender of SENDERS) {
        if (!this.senders.get(sender.id)?.has(subscriber.messageTopic)) continue;
        const pair = this.pairs.get(`${sender.id}>${id}`);
        if (!pair) {
          this.#begin(sender, subscriber);
          continue;
        }
        if (`${pair.subscriber.challengeTopics}` !== `${subscriber.challengeTopics}`) pair.openMs = undefined;
        pair.subscriber = subscriber;
      }
    }
    this.certification.setSubscribers(origin, [...now.values()], this.nowMs);
  }

  #result(sender: Sender, nodeId: string, messageTopic: string, verified: boolean): void {
    const found = [...this.pairs].find(
      ([, { sender: own, subscriber }]) =>
        own === sender && subscriber.nodeId === nodeId && subscriber.messageTopic === messageTopic,
    );
    const pair = found?.[1];
    const counts = pair?.resultMs !== undefined && this.nowMs - pair.resultMs < WINDOW_MS;
    if (counts && found && pair) {
      pair.openMs = undefined;
      pair.resultMs = undefined;
      if (verified) {
        this.#mayCertify = found[0];
        pair.certifiedMs = this.nowMs;
        this.backoffs.delete(backoffKey(pair));
      } else {
        this.#failed(pair);
        if (pair.certifiedMs !== undefined) this.#mayDeny.add(found[0]);
        pair.certifiedMs = undefined;
      }
    }
    const verdict = this.certification.result(sender.id, nodeId, messageTopic, verified, this.nowMs);
    expect(verdict).toBe(!counts ? 'not-asked' : verified ? 'certified' : 'refused');
  }

  #begin(sender: Sender, subscriber: Subscriber): void {
    if (subscriber.owner === sender.id) return;
    this.pairs.set(`${sender.id}>${subscriber.id}`, {
      sender,
      subscriber,
      openMs: undefined,
      topic: undefined,
      askedMs: Number.NEGATIVE_INFINITY,
      resultMs: undefined,
      certifiedMs: undefined,
    });
  }

  #end(key: string, pair: Pair): void {
    if (pair.certifiedMs !== undefined) this.#mayDeny.add(key);
    this.pairs.delete(key);
  }

  #failed(pair: Pair): void {
    pair.openMs = undefined;
    const key = backoffKey(pair);
    this.backoffs.set(key, { failures: (this.backoffs.get(key)?.failures ?? 0) + 1, failedMs: this.nowMs });
  }

  #claim(id: string, digest: string, before: readonly string[], now: readonly string[]): void {
    for (const topic of before) {
      const claims = this.claims.get(topic);
      if (now.includes(topic) || !claims) continue;
      claims.ids.delete(id);
      if (![...claims.ids.values()].includes(digest)) claims.digests = claims.digests.filter((one) => one !== digest);
    }
    for (const topic of now) {
      const claims = this.claims.get(topic) ?? { digests: [], ids: new Map<string, string>() };
      this.claims.set(topic, claims);
      claims.ids.set(id, digest);
      if (!claims.digests.includes(digest)) claims.digests.push(digest);
    }
  }

  #holds(topic: string, { id, digest }: Subscriber): boolean {
    const claims = this.claims.get(topic);
    return claims?.digests[0] === digest && claims.ids.has(id);
  }
}

const backoffKey = ({ sender, subscriber }: Pair): string =>
  `${sender.digest} ${subscriber.digest} ${subscriber.messageTopic}`;

describe('certification against its oracle', () => {
  it('allows and denies in turn, asks one question at a time, counts a result once, and forgets nobody', () => {
    let certified = 0;
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 80, size: 'max' }), (steps) => {
        const oracle = new Oracle();
        for (const step of steps) oracle.run(step);
        certified += oracle.allowed.size;
        oracle.settle();
      }),
      { numRuns: 150 },
    );
    expect(certified, 'runs that certified somebody').toBeGreaterThan(20);
  }, 60_000);
});
