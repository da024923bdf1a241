/**
 * Multicast messages that were already delivered.
 *
 * An SDK with several connections sends one multicast over each of them with the same sequence and body. A later copy goes
 * only to sessions that subscribed after the copy before it, and to none that sent one. Copies are the same when sequence,
 * result and body (which holds the topic) have the same SHA-256, for `ttlMs`.
 */
import { hash } from 'node:crypto';
import { SEQ_OFFSET } from '../wire/channel/frame.js';
import type { Topic } from './topic-table.js';

export interface SeenMessage {
  /** Sessions that sent a copy, by id. */
  readonly senders: number[];
  /** `TopicTable.changes` at the last copy: who subscribed later has had none. */
  changes: number;
  /** A copy went to the peers. */
  forwarded: boolean;
  /** Of a message on a private topic: whom it was handed to, since each sender of it may have receivers of its own. */
  receivers: Set<number> | undefined;
  /** Of a message on a private topic: by what a copy of it last went to the peers. */
  route: Topic | undefined;
  readonly untilMs: number;
}

export class SeenCache {
  readonly #seen = new Map<string, SeenMessage>();
  readonly #entriesMax: number;
  readonly #ttlMs: number;

  constructor(entriesMax: number, ttlMs: number) {
    this.#entriesMax = entriesMax;
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#seen.size;
  }

  /**
   * Looks the multicast `frame` up, and remembers it when it is the first copy.
   * @param forwarded this copy goes to the peers, too
   * @param receivers filled with whom the first copy is handed to, for a private topic
   * @param route by what it is forwarded, for a private topic
   * @returns what is known of earlier copies, or undefined for the first one
   */
  note(
    frame: Buffer,
    sender: number,
    forwarded: boolean,
    changes: number,
    nowMs: number,
    receivers?: Set<number>,
    route?: Topic,
  ): SeenMessage | undefined {
    const key = hash('sha256', frame.subarray(SEQ_OFFSET), 'base64');
    const seen = this.#seen.get(key);
    if (seen && seen.untilMs > nowMs) return seen;
    if (seen) this.#seen.delete(key);
    else if (this.#seen.size >= this.#entriesMax) this.#forgetOldest();
    this.#seen.set(key, { senders: [sender], forwarded, receivers, route, changes, untilMs: nowMs + this.#ttlMs });
    return undefined;
  }

  /** Forgets what is older than the time to live. Insertion order is time order. */
  expire(nowMs: number): void {
    for (const [key, seen] of this.#seen) {
      if (seen.untilMs > nowMs) return;
      this.#seen.delete(key);
    }
  }

  #forgetOldest(): void {
    for (const key of this.#seen.keys()) {
      this.#seen.delete(key);
      return;
    }
  }
}
