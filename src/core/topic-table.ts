/**
 * Topics with at least one subscription on this shard or behind a peer, and who holds them.
 *
 * A topic lives from its first subscription to its last. Its id is what the frame scanner reports, so ids are dense and are
 * reused; whoever holds rows of a scan must scan again after `replace` or `remove` (the shard does).
 */
import type { TopicInterner } from '../addon/types.js';
import { TOPICS_PER_SESSION_MAX } from '../base/limits.js';
import type { Endpoint } from './endpoint.js';
import { FairRound } from './fair-round.js';

export class Topic {
  readonly id: number;
  readonly name: string;
  readonly bytes: Buffer;
  readonly subscribers = new FairRound();

  constructor(id: number, name: string, bytes: Buffer) {
    this.id = id;
    this.name = name;
    this.bytes = bytes;
  }

  /** Subscribers but `sender`: what a multicast of it is copied to. */
  countOthers(sender: Endpoint): { sessions: number; peers: number } {
    let sessions = 0;
    let peers = 0;
    this.subscribers.forEach((endpoint) => {
      if (endpoint === sender) return;
      if (endpoint.isPeer) peers++;
      else sessions++;
    });
    return { sessions, peers };
  }
}

/** How a message on a private topic, or a challenge, is sent to another relay: not as a plain channel frame. */
export interface RelayForm {
  /** `RelayPacketType` */
  readonly packetType: number;
  /** What stands in front of the channel frame for this link; undefined when it must not go there. */
  prefix(link: number, frame: Buffer, sender: Endpoint): Buffer | undefined;
  /**
   * May this link get it as the plain frame? A 2.x node knows no other. A relay that has not said hello looks like one, and would
   * deliver to whom it likes.
   */
  mayBePlain(link: number): boolean;
}

/**
 * A topic that stands in no table: the receivers of one sender on a private topic, or the holders of a challenge topic. Whoever
 * subscribes to the name is not one of them by that.
 */
export class DetachedTopic extends Topic {
  readonly form: RelayForm;

  constructor(name: string, form: RelayForm) {
    super(-1, name, Buffer.from(name, 'utf8'));
    this.form = form;
  }
}

/** What a session's new list changed, for the directory of the control thread. */
export interface SubscriptionChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** A stamp before that of any message. */
const OLDEST = 0;

const ONE = (): number => 1;

const NO_CHANGE: SubscriptionChange = { added: [], removed: [] };

export class TopicTable {
  readonly #byId: (Topic | undefined)[] = [];
  readonly #byName = new Map<string, Topic>();
  readonly #freeIds: number[] = [];
  readonly #bySession = new Map<number, Set<Topic>>();
  /** Topics that sessions have left. */
  readonly #left = new Map<number, Set<string>>();
  readonly #interner: TopicInterner;
  #subscriptions = 0;
  #changes = 0;

  constructor(interner: TopicInterner) {
    this.#interner = interner;
  }

  /** Subscriptions (session, topic) held. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Grows with every new subscription, which is stamped with it: tells who subscribed after a message was delivered. */
  get changes(): number {
    return this.#changes;
  }

  get size(): number {
    return this.#byName.size;
  }

  topic(id: number): Topic | undefined {
    return this.#byId[id];
  }

  /** The topic of a 0x30 or 0x35 whose id is not known any more. */
  lookup(bytes: Uint8Array): Topic | undefined {
    return this.#byId[this.#interner.lookup(bytes)];
  }

  /** Replaces what a peer has subscribers for; `weights` counts them by topic. Returns true when ids may have changed. */
  replaceRoutes(peer: Endpoint, weights: ReadonlyMap<string, number>): boolean {
    const change = this.#replace(peer, weights.keys(), (name) => weights.get(name) ?? 1);
    return change.added.length > 0 || change.removed.length > 0;
  }

  /** The topic that bears the name of `topic` now: another object once its last subscriber left and somebody came. */
  current(topic: Topic): Topic | undefined {
    if (topic instanceof DetachedTopic) return topic;
    return topic.subscribers.size > 0 ? topic : this.#byName.get(topic.name);
  }

  /** Replaces the whole set of a session, as 0x32 does. `names` are legal topics without duplicates. */
  replace(session: Endpoint, names: readonly string[]): SubscriptionChange {
    return this.#replace(session, names, ONE);
  }

  #replace(session: Endpoint, names: Iterable<string>, weightOf: (name: string) => number): SubscriptionChange {
    const held = this.#bySession.get(session.id);
    const wanted = new Set(names);
    if (!held && wanted.size === 0) return NO_CHANGE;
    const removed: string[] = [];
    for (const topic of held ?? []) {
      if (wanted.delete(topic.name)) {
        topic.subscribers.add(session, weightOf(topic.name));
        continue;
      }
      held?.delete(topic);
      this.#drop(session, topic);
      removed.push(topic.name);
      this.#remember(session, topic.name);
    }
    const own = held ?? new Set<Topic>();
    const added: string[] = [];
    for (const name of wanted) {
      const topic = this.#byName.get(name) ?? this.#create(name);
      topic.subscribers.add(session, weightOf(name), this.#stamp(session, name));
      own.add(topic);
      if (!session.isPeer) this.#subscriptions++;
      added.push(name);
    }
    if (own.size === 0) this.#bySession.delete(session.id);
    else this.#bySession.set(session.id, own);
    return { added, removed };
  }

  /** Drops every subscription of a session that ended. */
  remove(session: Endpoint): SubscriptionChange {
    const change = this.replace(session, []);
    this.#left.delete(session.id);
    return change;
  }

  /**
   * A session that comes back to a topic gets an old stamp: it may have had the messages of that time, and must not get
   * a later copy of one of them.
   */
  #stamp(session: Endpoint, name: string): number {
    return this.#left.get(session.id)?.delete(name) ? OLDEST : ++this.#changes;
  }

  #remember(session: Endpoint, name: string): void {
    const left = this.#left.get(session.id) ?? new Set<string>();
    this.#left.set(session.id, left);
    if (left.size >= TOPICS_PER_SESSION_MAX) left.clear();
    left.add(name);
  }

  #create(name: string): Topic {
    const id = this.#freeIds.pop() ?? this.#byId.length;
    const topic = new Topic(id, name, Buffer.from(name, 'utf8'));
    this.#byId[id] = topic;
    this.#byName.set(name, topic);
    this.#interner.intern(topic.bytes, id);
    return topic;
  }

  #drop(session: Endpoint, topic: Topic): void {
    topic.subscribers.remove(session);
    if (!session.isPeer) this.#subscriptions--;
    if (topic.subscribers.size > 0) return;
    this.#byId[topic.id] = undefined;
    this.#byName.delete(topic.name);
    this.#interner.release(topic.bytes);
    this.#freeIds.push(topic.id);
  }
}
