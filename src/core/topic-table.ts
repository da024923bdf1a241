/**
 * Topics with at least one subscription on this shard, and who holds them.
 *
 * A topic lives from its first subscription to its last. Its id is what the frame scanner reports, so ids are dense and are
 * reused; whoever holds rows of a scan must scan again after `replace` or `remove` (the shard does).
 */
import type { TopicInterner } from '../addon/types.js';
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
}

/** What a session's new list changed, for the directory of the control thread. */
export interface SubscriptionChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

const NO_CHANGE: SubscriptionChange = { added: [], removed: [] };

export class TopicTable {
  readonly #byId: (Topic | undefined)[] = [];
  readonly #byName = new Map<string, Topic>();
  readonly #freeIds: number[] = [];
  readonly #bySession = new Map<number, Set<Topic>>();
  readonly #interner: TopicInterner;
  #subscriptions = 0;

  constructor(interner: TopicInterner) {
    this.#interner = interner;
  }

  /** Subscriptions (session, topic) held. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  get size(): number {
    return this.#byName.size;
  }

  topic(id: number): Topic | undefined {
    return this.#byId[id];
  }

  /** Replaces the whole set of a session, as 0x32 does. `names` are legal topics without duplicates. */
  replace(session: Endpoint, names: readonly string[]): SubscriptionChange {
    const held = this.#bySession.get(session.id);
    if (!held && names.length === 0) return NO_CHANGE;
    const wanted = new Set(names);
    const removed: string[] = [];
    for (const topic of held ?? []) {
      if (wanted.delete(topic.name)) continue;
      held?.delete(topic);
      this.#drop(session, topic);
      removed.push(topic.name);
    }
    const own = held ?? new Set<Topic>();
    const added: string[] = [];
    for (const name of wanted) {
      const topic = this.#byName.get(name) ?? this.#create(name);
      topic.subscribers.add(session);
      own.add(topic);
      this.#subscriptions++;
      added.push(name);
    }
    if (own.size === 0) this.#bySession.delete(session.id);
    else this.#bySession.set(session.id, own);
    return { added, removed };
  }

  /** Drops every subscription of a session that ended. */
  remove(session: Endpoint): SubscriptionChange {
    return this.replace(session, []);
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
    this.#subscriptions--;
    if (topic.subscribers.size > 0) return;
    this.#byId[topic.id] = undefined;
    this.#byName.delete(topic.name);
    this.#interner.release(topic.bytes);
    this.#freeIds.push(topic.id);
  }
}
