/**
 * Certification of private topics: which sender may send to which subscriber (product part 6, decisions §10).
 *
 * A *sender* wants to send on message topics; a *subscriber* is one session behind a message topic, here or at another relay, or
 * a 2.x node as a whole. Each pair of the two is pending until the sender was asked to certify it, has challenged it and has said
 * that the signature was right. Then it is certified for a while, and certified anew in silence before that ends.
 *
 * Invariants:
 *  - `allow` and `deny` alternate for a pair, and a pair is allowed exactly while it is certified;
 *  - a sender has at most one question open for each message topic and origin, and for each challenge topic;
 *  - a result counts once, only for a pair that was asked in the last 30 s, and for no other: each has a node ID of its own,
 *    which the sender's SDK echoes unread;
 *  - of several certificates that claim one challenge topic the first counts, the others wait until it is gone.
 *
 * Pure state: time comes with each call, what is to be done goes to `CertificationActions`.
 */
import { type Backoff, BackoffTable } from './certification-backoff.js';
import { type Claim, ClaimTable } from './challenge-claims.js';
import { PairCounts } from './pair-counts.js';

/** A sender that was asked is silent when a challenge failed: Java gives up on one after 5 s. */
export const ANSWER_TIMEOUT_MS = 6_000;
/** A result is believed this long after the question. */
export const RESULT_WINDOW_MS = 30_000;
/** A pair is asked no more often than this, even if its subscriber renames its challenge topic all the time. */
const ASK_INTERVAL_MS = 1_000;
/** A subscriber that leaves this soon after it was challenged has failed (some SDKs drop their link on a foreign challenge). */
const CHALLENGE_LOSS_MS = 2_000;
/** A certified pair is asked again when this part of its time is over. */
const RENEW_AT = 0.8;

/** Of one sender about one certificate on one topic, at a time: a crowd of sessions must not ask it for hours. */
const QUESTIONS_PER_CERTIFICATE_MAX = 4;

/** What a pair is, as people see it. */
export type PairState = 'pending' | 'certified' | 'failed';

export type PairFailure = 'refused' | 'unanswered' | 'challenge-failed' | 'subscriber-left';

export interface Sender {
  readonly id: string;
  /** For the back-off, which outlives sessions. */
  readonly digest: string;
}

export interface Subscriber extends Claim {
  /** Unique among subscribers, stable for the life of its session. */
  readonly id: string;
  readonly messageTopic: string;
  /** Whose list it stands in: this relay, or a peer. */
  readonly origin: string;
  /** What the sender is told as the node ID: 128 hex digits, unlike that of any other subscriber of the topic. */
  readonly nodeId: string;
  /** The sender that is the same session: nobody certifies itself. */
  readonly owner?: string;
  /** Delivered to without certification. */
  readonly trusted?: boolean;
}

export interface CertificationActions {
  /** Ask the sender to certify (0x37), or do it in its place. */
  ask(sender: string, subscriber: Subscriber, challengeTopic: string): void;
  allow(sender: string, subscriber: Subscriber): void;
  deny(sender: string, subscriber: Subscriber): void;
  /** Who takes challenges on a challenge topic changed; none when it is nobody any more. */
  challengeRoute(challengeTopic: string, subscribers: readonly Subscriber[]): void;
  /** A claim on a challenge topic that another certificate holds. */
  claimRefused(subscriber: Subscriber, challengeTopic: string): void;
  /** For counters and logs; `pairs-max` stands for all pairs that a change would have made above a bound. */
  outcome(sender: string, subscriber: Subscriber, outcome: 'certified' | PairFailure | 'expired' | 'pairs-max'): void;
}

interface Pair {
  readonly sender: Sender;
  subscriber: Subscriber;
  readonly backoff: Backoff;
  /** When the open question was asked. */
  askedMs: number | undefined;
  /** What the last question was about. */
  askedTopic: string | undefined;
  lastAskedMs: number;
  /** Until when a result counts; 0 when none does. */
  openUntilMs: number;
  certifiedUntilMs: number | undefined;
  renewMs: number;
  sinceMs: number;
  failure: PairFailure | undefined;
  /** Of the last renewal, while what is left of the time lasts. */
  renewalFailure: PairFailure | undefined;
  /** Which of the challenge topics is asked next. */
  turn: number;
}

export interface PairView {
  readonly sender: string;
  readonly subscriber: Subscriber;
  readonly state: PairState;
  /** Since when the pair is in this state. */
  readonly sinceMs: number;
  readonly failure: PairFailure | undefined;
}

export type ResultVerdict = 'certified' | 'refused' | 'not-asked';

export class Certification {
  readonly #ttlMs: number;
  readonly #actions: CertificationActions;
  readonly #senders = new Map<string, { readonly sender: Sender; readonly topics: Set<string> }>();
  /** By message topic, then by subscriber. */
  readonly #subscribers = new Map<string, Map<string, Subscriber>>();
  readonly #byOrigin = new Map<string, Map<string, Subscriber>>();
  /** By sender and message topic, then by subscriber. */
  readonly #pairs = new Map<string, Map<string, Pair>>();
  readonly #claims: ClaimTable<Subscriber>;
  readonly #backoffs = new BackoffTable();
  readonly #counts = new PairCounts();
  /** Of the change under way: it was told that a bound was reached. */
  #full = false;

  /** @param ttlMs how long a success counts */
  constructor(ttlMs: number, actions: CertificationActions) {
    this.#ttlMs = ttlMs;
    this.#actions = actions;
    this.#claims = new ClaimTable({
      changed: (topic, holders) => actions.challengeRoute(topic, holders),
      refused: (subscriber, topic) => actions.claimRefused(subscriber, topic),
    });
  }

  /** Replaces the message topics a sender wants to send on; none when it leaves. */
  setSender(sender: Sender, messageTopics: readonly string[], nowMs: number): void {
    this.#full = false;
    const known = this.#senders.get(sender.id)?.topics ?? new Set<string>();
    const wanted = new Set(messageTopics);
    for (const topic of known) {
      if (!wanted.has(topic)) this.#dropSender(sender.id, topic);
    }
    if (wanted.size === 0) this.#senders.delete(sender.id);
    else this.#senders.set(sender.id, { sender, topics: wanted });
    for (const topic of wanted) {
      if (known.has(topic)) continue;
      for (const subscriber of this.#subscribers.get(topic)?.values() ?? []) {
        if (subscriber.owner !== sender.id) this.#pair(sender, subscriber, nowMs);
      }
      this.#askNext(sender, topic, nowMs);
    }
  }

  /** Replaces all subscribers of an origin; none when it is gone. */
  setSubscribers(origin: string, subscribers: readonly Subscriber[], nowMs: number): void {
    this.#full = false;
    const known = this.#byOrigin.get(origin) ?? new Map<string, Subscriber>();
    const wanted = new Map(subscribers.map((subscriber) => [subscriber.id, subscriber]));
    for (const [id, subscriber] of known) {
      if (!isSame(subscriber, wanted.get(id))) this.#dropSubscriber(subscriber, nowMs);
    }
    if (wanted.size === 0) this.#byOrigin.delete(origin);
    else this.#byOrigin.set(origin, wanted);
    const changed = new Set<string>();
    for (const { messageTopic } of [...known.values(), ...subscribers]) changed.add(messageTopic);
    for (const subscriber of wanted.values()) this.#putSubscriber(subscriber, nowMs);
    for (const { sender, topics } of this.#senders.values()) {
      for (const topic of changed) {
        if (topics.has(topic)) this.#askNext(sender, topic, nowMs);
      }
    }
  }

  /** A 0x38 of a sender. */
  result(sender: string, nodeId: string, messageTopic: string, verified: boolean, nowMs: number): ResultVerdict {
    for (const pair of this.#pairs.get(keyOf(sender, messageTopic))?.values() ?? []) {
      if (pair.subscriber.nodeId !== nodeId || nowMs >= pair.openUntilMs) continue;
      pair.openUntilMs = 0;
      pair.askedMs = undefined;
      if (verified) this.#certify(pair, nowMs);
      else this.#fail(pair, 'refused', nowMs);
      this.#askNext(pair.sender, messageTopic, nowMs);
      return verified ? 'certified' : 'refused';
    }
    return 'not-asked';
  }

  /**
   * A challenge of the sender on this topic was not answered by a signature.
   * @param nodeId of the subscriber, where it is known: another one may be asked about on the same topic by now
   */
  challengeFailed(sender: string, challengeTopic: string, nowMs: number, nodeId?: string): void {
    const topics = this.#senders.get(sender)?.topics ?? [];
    for (const topic of topics) {
      for (const pair of this.#pairs.get(keyOf(sender, topic))?.values() ?? []) {
        if (pair.askedMs === undefined || pair.askedTopic !== challengeTopic) continue;
        if (nodeId !== undefined && pair.subscriber.nodeId !== nodeId) continue;
        this.#fail(pair, 'challenge-failed', nowMs);
        this.#askNext(pair.sender, topic, nowMs);
        return;
      }
    }
  }

  /**
   * The keys behind some pairs are others now: nothing that was found by the old ones counts, nor does the wait after a failure.
   * @returns how many pairs
   */
  startAnew(concerns: (sender: string, subscriber: Subscriber) => boolean, nowMs: number): number {
    let count = 0;
    for (const [key, pairs] of this.#pairs) {
      for (const pair of pairs.values()) {
        if (pair.subscriber.trusted || !concerns(pair.sender.id, pair.subscriber)) continue;
        count++;
        this.#revoke(pair, nowMs);
        pair.askedMs = undefined;
        pair.openUntilMs = 0;
        pair.lastAskedMs = Number.NEGATIVE_INFINITY;
        pair.sinceMs = nowMs;
        pair.failure = undefined;
        pair.renewalFailure = undefined;
        pair.backoff.succeeded();
      }
      const [first] = pairs.values();
      if (first) this.#askNext(first.sender, topicOf(key), nowMs);
    }
    return count;
  }

  /** Ends what took too long and asks what is due. Call it every few tens of milliseconds. */
  tick(nowMs: number): void {
    for (const [key, pairs] of this.#pairs) {
      for (const pair of pairs.values()) {
        if (pair.askedMs !== undefined && nowMs - pair.askedMs >= ANSWER_TIMEOUT_MS)
          this.#fail(pair, 'unanswered', nowMs);
        if (pair.certifiedUntilMs !== undefined && nowMs >= pair.certifiedUntilMs) {
          this.#revoke(pair, nowMs);
          pair.failure = pair.renewalFailure;
          this.#actions.outcome(pair.sender.id, pair.subscriber, 'expired');
        }
      }
      const [first] = pairs.values();
      if (first) this.#askNext(first.sender, topicOf(key), nowMs);
    }
    this.#backoffs.expire(nowMs);
  }

  /** Every pair, for display and metrics. */
  pairs(): PairView[] {
    const views: PairView[] = [];
    for (const pairs of this.#pairs.values()) {
      for (const { sender, subscriber, certifiedUntilMs, failure, sinceMs } of pairs.values()) {
        const state = certifiedUntilMs !== undefined ? 'certified' : failure === undefined ? 'pending' : 'failed';
        views.push({ sender: sender.id, subscriber, state, sinceMs, failure });
      }
    }
    return views;
  }

  #putSubscriber(subscriber: Subscriber, nowMs: number): void {
    const { messageTopic, id } = subscriber;
    const known = this.#subscribers.get(messageTopic) ?? new Map<string, Subscriber>();
    this.#subscribers.set(messageTopic, known);
    const before = known.get(id);
    known.set(id, subscriber);
    this.#claims.put(subscriber);
    for (const { sender, topics } of this.#senders.values()) {
      if (!topics.has(messageTopic) || subscriber.owner === sender.id) continue;
      const pair = this.#pair(sender, subscriber, nowMs);
      if (pair && before && !sameTopics(before, subscriber) && pair.askedMs !== undefined) {
        // What was asked about is gone; a new question, and no failure.
        pair.askedMs = undefined;
      }
    }
  }

  #dropSubscriber(subscriber: Subscriber, nowMs: number): void {
    const { messageTopic, id } = subscriber;
    const known = this.#subscribers.get(messageTopic);
    known?.delete(id);
    if (known?.size === 0) this.#subscribers.delete(messageTopic);
    this.#claims.drop(subscriber);
    for (const { sender, topics } of this.#senders.values()) {
      if (!topics.has(messageTopic)) continue;
      const pairs = this.#pairs.get(keyOf(sender.id, messageTopic));
      const pair = pairs?.get(id);
      if (!pair) continue;
      if (pair.askedMs !== undefined && nowMs - pair.askedMs < CHALLENGE_LOSS_MS)
        this.#fail(pair, 'subscriber-left', nowMs);
      this.#revoke(pair, nowMs);
      pairs?.delete(id);
      this.#counts.drop(sender.id, subscriber.origin);
    }
  }

  #dropSender(sender: string, messageTopic: string): void {
    const key = keyOf(sender, messageTopic);
    for (const pair of this.#pairs.get(key)?.values() ?? []) {
      this.#revoke(pair, 0);
      this.#counts.drop(sender, pair.subscriber.origin);
    }
    this.#pairs.delete(key);
  }

  /** The pair of the two, or undefined where a bound does not let it be made. */
  #pair(sender: Sender, subscriber: Subscriber, nowMs: number): Pair | undefined {
    const key = keyOf(sender.id, subscriber.messageTopic);
    const pairs = this.#pairs.get(key) ?? new Map<string, Pair>();
    const known = pairs.get(subscriber.id);
    if (known) {
      known.subscriber = subscriber;
      return known;
    }
    if (!this.#counts.add(sender.id, subscriber.origin)) {
      if (!this.#full) this.#actions.outcome(sender.id, subscriber, 'pairs-max');
      this.#full = true;
      return undefined;
    }
    this.#pairs.set(key, pairs);
    const pair: Pair = {
      sender,
      subscriber,
      backoff: this.#backoffs.get(`${sender.digest} ${subscriber.digest} ${subscriber.messageTopic}`, nowMs),
      askedMs: undefined,
      askedTopic: undefined,
      lastAskedMs: Number.NEGATIVE_INFINITY,
      openUntilMs: 0,
      certifiedUntilMs: undefined,
      renewMs: 0,
      sinceMs: nowMs,
      failure: undefined,
      renewalFailure: undefined,
      turn: 0,
    };
    pairs.set(subscriber.id, pair);
    if (subscriber.trusted) {
      pair.certifiedUntilMs = Number.POSITIVE_INFINITY;
      pair.renewMs = Number.POSITIVE_INFINITY;
      this.#actions.allow(sender.id, subscriber);
    }
    return pair;
  }

  /** Asks the pair that has waited longest, for every origin about which no question is open. */
  #askNext(sender: Sender, messageTopic: string, nowMs: number): void {
    const pairs = this.#pairs.get(keyOf(sender.id, messageTopic));
    if (!pairs) return;
    // A challenge names only its topic: with two questions about one, nobody could tell which of them it is for.
    const busy = new Set<string | undefined>();
    const open: string[] = [];
    for (const { askedMs, askedTopic, subscriber } of pairs.values()) {
      if (askedMs === undefined) continue;
      busy.add(subscriber.origin).add(askedTopic);
      open.push(subscriber.digest);
    }
    const due = [...pairs.values()].filter((pair) => this.#isDue(pair, nowMs));
    due.sort((a, b) => a.lastAskedMs - b.lastAskedMs);
    for (const pair of due) {
      const { subscriber } = pair;
      if (busy.has(subscriber.origin)) continue;
      const topics = subscriber.challengeTopics.filter((topic) => this.#claims.holds(topic, subscriber));
      if (topics.length === 0) continue;
      const topic = topics[pair.turn % topics.length];
      if (busy.has(topic)) continue;
      if (open.filter((digest) => digest === subscriber.digest).length >= QUESTIONS_PER_CERTIFICATE_MAX) continue;
      busy.add(subscriber.origin).add(topic);
      open.push(subscriber.digest);
      for (const other of pairs.values()) {
        // Its challenge may still come, and would bring the signature of this one.
        if (other.askedTopic === topic) other.openUntilMs = 0;
      }
      pair.askedMs = nowMs;
      pair.askedTopic = topic;
      pair.lastAskedMs = nowMs;
      pair.openUntilMs = nowMs + RESULT_WINDOW_MS;
      this.#actions.ask(sender.id, subscriber, topic);
    }
  }

  #isDue(pair: Pair, nowMs: number): boolean {
    if (pair.askedMs !== undefined || nowMs - pair.lastAskedMs < ASK_INTERVAL_MS) return false;
    if (pair.certifiedUntilMs !== undefined && nowMs < pair.renewMs) return false;
    return nowMs >= pair.backoff.retryMs;
  }

  #certify(pair: Pair, nowMs: number): void {
    const isNew = pair.certifiedUntilMs === undefined;
    pair.certifiedUntilMs = nowMs + this.#ttlMs;
    pair.renewMs = nowMs + this.#ttlMs * RENEW_AT;
    pair.failure = undefined;
    pair.renewalFailure = undefined;
    pair.backoff.succeeded();
    this.#actions.outcome(pair.sender.id, pair.subscriber, 'certified');
    if (!isNew) return;
    pair.sinceMs = nowMs;
    this.#actions.allow(pair.sender.id, pair.subscriber);
  }

  /** A renewal that fails for want of an answer leaves what is left of the time; a signature that is wrong does not. */
  #fail(pair: Pair, failure: PairFailure, nowMs: number): void {
    pair.askedMs = undefined;
    pair.turn++;
    pair.backoff.failed(nowMs);
    if (failure === 'refused') this.#revoke(pair, nowMs);
    if (pair.certifiedUntilMs === undefined) {
      if (pair.failure === undefined) pair.sinceMs = nowMs;
      pair.failure = failure;
    } else {
      pair.renewalFailure = failure;
    }
    this.#actions.outcome(pair.sender.id, pair.subscriber, failure);
  }

  #revoke(pair: Pair, nowMs: number): void {
    if (pair.certifiedUntilMs === undefined) return;
    pair.certifiedUntilMs = undefined;
    pair.sinceMs = nowMs;
    this.#actions.deny(pair.sender.id, pair.subscriber);
  }
}

/** A blank cannot stand in an id. */
const keyOf = (sender: string, messageTopic: string): string => `${sender} ${messageTopic}`;
const topicOf = (key: string): string => key.slice(key.indexOf(' ') + 1);

/** A subscriber may rename its challenge topics; what it was certified for and by which certificate are what it is. */
function isSame(before: Subscriber, now: Subscriber | undefined): boolean {
  return before.messageTopic === now?.messageTopic && before.digest === now.digest && before.nodeId === now.nodeId;
}

function sameTopics(a: Claim, b: Claim): boolean {
  return (
    a.challengeTopics.length === b.challengeTopics.length &&
    a.challengeTopics.every((topic, index) => topic === b.challengeTopics[index])
  );
}
