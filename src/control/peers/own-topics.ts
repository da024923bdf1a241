/**
 * The topics that this relay announces, with their subscriber sessions, and the numbers that name a version of them.
 *
 * Invariant: a number changes exactly when what it names has changed, is never 0 (a fresh 2.x session starts at 0 and would
 * not pull), and the lists are those of the last `renumber`, not of this moment, so that one number never names two lists.
 * 2.x nodes hear of sets, relays of counts too, so there are two numbers out of one sequence.
 */
import { BLOCK_NOTIFY_PREFIX, PRIVATE_PREFIX, topicFault } from '../../wire/channel/topic.js';
import { formatRelayTopics, type PrivateSubscriber } from '../../wire/mesh/relay-topics.js';
import { formatTopics, PEER_TOPICS_MAX } from '../../wire/p2p/topics.js';

const U32_MAX = 0xffffffff;

/** Subscriber sessions of private topics that are announced, each with two elements in a list for 2.x nodes. */
export const PRIVATE_SUBSCRIBERS_MAX = 8_192;

/**
 * May this topic stand in lists between nodes by its name? Those of the private-topic exchange (`#!$…`) are announced by their
 * subscriber sessions instead. A real node lists the block notifications its SDKs subscribe to
 * (`_block_notify_*`); nobody may send to them through a relay and a Go client panics when somebody else's relay lets one
 * through, so they stay at home.
 */
export function isAnnounced(topic: string): boolean {
  return !topic.startsWith(PRIVATE_PREFIX) && !topic.startsWith(BLOCK_NOTIFY_PREFIX);
}

const NO_PRIVATE: ReadonlyMap<string, readonly PrivateSubscriber[]> = new Map();

export interface TopicNumbers {
  /** The set changed: 2.x nodes and relays must hear of it. */
  readonly set: boolean;
}

export class OwnTopics {
  readonly #topicsMax: number;
  /** Announced topics as they are now. */
  readonly #counts = new Map<string, number>();
  /** Topics beyond the maximum, in the order they came. */
  readonly #waiting = new Map<string, number>();
  /** Counts at the last number of what was touched since; 0 for a topic that was not there. */
  readonly #before = new Map<string, number>();
  #setSeq: number;
  #countSeq: number;
  /** Subscriber sessions of private topics, now and at the last number. */
  #private: ReadonlyMap<string, readonly PrivateSubscriber[]> = NO_PRIVATE;
  #privateNumbered: ReadonlyMap<string, readonly PrivateSubscriber[]> = NO_PRIVATE;
  #set: Buffer | undefined = undefined;
  #counted: Buffer | undefined = undefined;

  /** `firstSeq` and `topicsMax` are for tests. */
  constructor(firstSeq = 1, topicsMax = PEER_TOPICS_MAX - 2 * PRIVATE_SUBSCRIBERS_MAX) {
    this.#topicsMax = topicsMax;
    this.#setSeq = firstSeq;
    this.#countSeq = firstSeq;
  }

  /** Number of the set: what 2.x nodes are told. */
  get setSeq(): number {
    return this.#setSeq;
  }

  /** Number of the set with its counts: what relays are told. */
  get countSeq(): number {
    return this.#countSeq;
  }

  get size(): number {
    return this.#counts.size;
  }

  /**
   * Topics that are not announced because a peer would refuse the whole list. Who came first stays: a newcomer must not take
   * a working route from another, which it would if the list were cut by name.
   */
  get leftOut(): number {
    return this.#waiting.size;
  }

  /** Something was touched since the last number. */
  get touched(): boolean {
    return this.#before.size > 0 || this.#private !== this.#privateNumbered;
  }

  /** One more or one less subscriber session for each topic named, as shards report them. */
  apply(added: readonly string[], removed: readonly string[]): void {
    for (const topic of added) {
      if (!isAnnounced(topic)) continue;
      const count = this.#counts.get(topic);
      if (count !== undefined) this.#put(topic, count + 1);
      else if (this.#waiting.has(topic) || this.#counts.size >= this.#topicsMax) this.#wait(topic, 1);
      // Shards hand over legal topics only; one that is not must not end the control thread when the list is written.
      else if (topicFault(Buffer.from(topic, 'utf8')) === undefined) this.#put(topic, 1);
    }
    for (const topic of removed) {
      const count = this.#counts.get(topic);
      if (count !== undefined) this.#put(topic, count - 1);
      else if (this.#waiting.has(topic)) this.#wait(topic, -1);
    }
  }

  /** Replaces the subscriber sessions of private topics, by message topic; a new map each time. */
  setPrivate(subscribers: ReadonlyMap<string, readonly PrivateSubscriber[]>): void {
    this.#private = subscribers;
  }

  /** Challenge topics in the lists of the last number. */
  get challengeTopics(): string[] {
    return [...this.#privateNumbered.values()].flatMap((sessions) => sessions.map((one) => one.challengeTopic));
  }

  /** Announces nothing any more. */
  clear(): void {
    this.#private = NO_PRIVATE;
    this.#waiting.clear();
    for (const topic of [...this.#counts.keys()]) this.#put(topic, 0);
  }

  /** Takes new numbers if something really changed; undefined when everything is as it was. */
  renumber(): TopicNumbers | undefined {
    const privateChanged = !sameSubscribers(this.#private, this.#privateNumbered);
    this.#privateNumbered = this.#private;
    let set = privateChanged;
    let counts = privateChanged;
    for (const [topic, before] of this.#before) {
      const now = this.#counts.get(topic) ?? 0;
      if (now === before) continue;
      counts = true;
      if ((now === 0) !== (before === 0)) set = true;
    }
    this.#before.clear();
    if (!counts) return undefined;
    this.#countSeq = this.#countSeq >= U32_MAX ? 1 : this.#countSeq + 1;
    this.#counted = undefined;
    if (set) {
      this.#setSeq = this.#countSeq;
      this.#set = undefined;
    }
    return { set };
  }

  /** Payload of SendTopics for 2.x nodes. Written once per number. */
  setList(): Buffer {
    this.#set ??= formatTopics(this.#setSeq, [
      ...this.#numbered().keys(),
      ...this.#privateNumbered.keys(),
      ...this.challengeTopics,
    ]);
    return this.#set;
  }

  /** Payload of the list for relays. Written once per number. */
  countList(): Buffer {
    if (!this.#counted) {
      const counts = new Map(this.#numbered());
      for (const [topic, sessions] of this.#privateNumbered) counts.set(topic, sessions.length);
      this.#counted = formatRelayTopics(this.#countSeq, counts, this.#privateNumbered);
    }
    return this.#counted;
  }

  /** The counts at the last number. */
  #numbered(): ReadonlyMap<string, number> {
    if (this.#before.size === 0) return this.#counts;
    const counts = new Map(this.#counts);
    for (const [topic, before] of this.#before) {
      if (before === 0) counts.delete(topic);
      else counts.set(topic, before);
    }
    return counts;
  }

  #put(topic: string, count: number): void {
    if (!this.#before.has(topic)) this.#before.set(topic, this.#counts.get(topic) ?? 0);
    if (count > 0) {
      this.#counts.set(topic, count);
      return;
    }
    this.#counts.delete(topic);
    const next = this.#waiting.entries().next();
    if (next.done) return;
    this.#waiting.delete(next.value[0]);
    this.#put(next.value[0], next.value[1]);
  }

  #wait(topic: string, change: number): void {
    const count = (this.#waiting.get(topic) ?? 0) + change;
    if (count <= 0) this.#waiting.delete(topic);
    else if (this.#waiting.has(topic) || topicFault(Buffer.from(topic, 'utf8')) === undefined) {
      this.#waiting.set(topic, count);
    }
  }
}

function sameSubscribers(
  a: ReadonlyMap<string, readonly PrivateSubscriber[]>,
  b: ReadonlyMap<string, readonly PrivateSubscriber[]>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [topic, sessions] of a) {
    const others = b.get(topic);
    if (others?.length !== sessions.length) return false;
    if (sessions.some((session, at) => !sameSubscriber(session, others[at]))) return false;
  }
  return true;
}

const sameSubscriber = (a: PrivateSubscriber, b: PrivateSubscriber): boolean =>
  a.handle === b.handle && a.digest === b.digest && a.challengeTopic === b.challengeTopic;
