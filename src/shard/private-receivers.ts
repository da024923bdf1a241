/**
 * Which sessions may receive what a peer forwards on a private topic. The sender's side has certified them, so whoever only
 * subscribes to the name is none of them: only a session that can be challenged for it is.
 *
 * A relay names the sessions by handle, which nobody can guess and which is gone with its session. A 2.x node has certified this
 * relay as a whole: it means every session that can be asked for a signature. Both hold from the moment in which a session loses
 * its challenge topic, whatever the peer has heard of it.
 */
import { challengesByTopic } from '../wire/channel/challenge-topics.js';

/** What it needs of a session. */
export interface Receiver {
  readonly id: number;
  readonly handle: string;
}

export class PrivateReceivers {
  /** Message topics on which a session may receive. */
  readonly #byId = new Map<number, ReadonlySet<string>>();
  readonly #byHandle = new Map<string, number>();

  /** Replaces the private names a session subscribes to, with challenge topics that the relay answers in its place. */
  subscribed({ id, handle }: Receiver, names: readonly string[]): void {
    const challenges = challengesByTopic(names);
    this.#byId.set(id, new Set(names.filter((name) => challenges.has(name))));
    this.#byHandle.set(handle, id);
  }

  ended({ id, handle }: Receiver): void {
    this.#byId.delete(id);
    this.#byHandle.delete(handle);
  }

  /** Ids of the sessions with these handles, as far as they are there and may receive on the message topic. */
  named(handles: readonly string[], messageTopic: string): ReadonlySet<number> {
    const ids = new Set<number>();
    for (const handle of handles) {
      const id = this.#byHandle.get(handle);
      if (id !== undefined && this.#byId.get(id)?.has(messageTopic)) ids.add(id);
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
    for (const [id, topics] of this.#byId) if (topics.has(messageTopic)) ids.add(id);
    return ids;
  }
}
