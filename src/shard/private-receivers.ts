/**
 * Which sessions may receive what a peer forwards on a private topic. The sender's side has certified them, so whoever only
 * subscribes to the name is none of them: only a session that can be challenged for it is.
 *
 * A relay names the sessions by handle, which nobody can guess and which is gone with its session. A 2.x node has certified this
 * relay as a whole: it means every session that can be asked for a signature. Both hold from the moment in which a session loses
 * its challenge topic, whatever the peer has heard of it.
 */
import { readI32 } from '../wire/bytes.js';
import { challengesByTopic } from '../wire/channel/challenge-topics.js';
import { encodeHandle, HANDLE_BYTES } from '../wire/mesh/private-frame.js';

/** What it needs of a session. */
export interface Receiver {
  readonly id: number;
  readonly handle: string;
}

interface Known {
  readonly id: number;
  /** The second half of its handle. */
  readonly low: number;
  /** Message topics on which it may receive. */
  topics: ReadonlySet<string>;
}

const NOBODY: readonly Known[] = [];

export class PrivateReceivers {
  readonly #byId = new Map<number, Known>();
  /** By the first half of the handle; that two are alike happens once in millions of sessions. */
  readonly #byHandle = new Map<number, Known[]>();

  /** Replaces the private names a session subscribes to, with challenge topics that the relay answers in its place. */
  subscribed({ id, handle }: Receiver, names: readonly string[]): void {
    const challenges = challengesByTopic(names);
    const topics = new Set(names.filter((name) => challenges.has(name)));
    const known = this.#byId.get(id);
    if (known) {
      known.topics = topics;
      return;
    }
    const bytes = encodeHandle(handle);
    const added = { id, low: readI32(bytes, HANDLE_BYTES / 2), topics };
    this.#byId.set(id, added);
    const high = readI32(bytes, 0);
    this.#byHandle.set(high, [...(this.#byHandle.get(high) ?? []), added]);
  }

  ended({ id, handle }: Receiver): void {
    this.#byId.delete(id);
    const high = readI32(encodeHandle(handle), 0);
    const others = this.#byHandle.get(high)?.filter((one) => one.id !== id) ?? [];
    if (others.length > 0) this.#byHandle.set(high, others);
    else this.#byHandle.delete(high);
  }

  /**
   * Ids of the sessions with these handles, as far as they are there and may receive on the message topic.
   * @param handles 8 bytes each
   */
  named(handles: Uint8Array, messageTopic: string): ReadonlySet<number> {
    const ids = new Set<number>();
    for (let at = 0; at < handles.length; at += HANDLE_BYTES) {
      const low = readI32(handles, at + HANDLE_BYTES / 2);
      for (const known of this.#byHandle.get(readI32(handles, at)) ?? NOBODY) {
        if (known.low === low && known.topics.has(messageTopic)) ids.add(known.id);
      }
    }
    return ids;
  }

  /**
   * Those a message is for that names nobody: from a 2.x node, every session that may receive on the message topic. A relay always
   * names its receivers, so from one it is for nobody: undefined.
   */
  unnamed(messageTopic: string, fromNode: boolean): ReadonlySet<number> | undefined {
    if (!fromNode) return undefined;
    const ids = new Set<number>();
    for (const { id, topics } of this.#byId.values()) if (topics.has(messageTopic)) ids.add(id);
    return ids;
  }
}
