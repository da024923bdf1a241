/**
 * Which sessions may receive what a peer forwards on a private topic. The sender's side has certified them, so whoever only
 * subscribes to the name is none of them.
 *
 * A relay names the sessions by handle, which nobody can guess and which is gone with its session. A 2.x node has certified this
 * relay as a whole: it means every session that can be asked for a signature.
 */
import { isChallengeTopicOf } from '../wire/channel/topic.js';

/** What it needs of a session. */
export interface Receiver {
  readonly id: number;
  readonly handle: string;
}

interface Subscribed {
  readonly handle: string;
  readonly names: ReadonlySet<string>;
}

export class PrivateReceivers {
  readonly #byId = new Map<number, Subscribed>();
  readonly #byHandle = new Map<string, number>();

  /** Replaces the private names a session subscribes to. */
  subscribed({ id, handle }: Receiver, names: readonly string[]): void {
    this.#byId.set(id, { handle, names: new Set(names) });
    this.#byHandle.set(handle, id);
  }

  ended({ id, handle }: Receiver): void {
    this.#byId.delete(id);
    this.#byHandle.delete(handle);
  }

  /** Ids of the sessions with these handles, as far as they are there and subscribe to the message topic. */
  named(handles: readonly string[], messageTopic: string): ReadonlySet<number> {
    const ids = new Set<number>();
    for (const handle of handles) {
      const id = this.#byHandle.get(handle);
      if (id !== undefined && this.#byId.get(id)?.names.has(messageTopic)) ids.add(id);
    }
    return ids;
  }

  /**
   * Those a message is for that names nobody: from a 2.x node, the sessions that subscribe to the message topic and can be
   * challenged for it. A relay always names its receivers, so from one it is for nobody: undefined.
   */
  unnamed(messageTopic: string, fromNode: boolean): ReadonlySet<number> | undefined {
    if (!fromNode) return undefined;
    const ids = new Set<number>();
    for (const [id, { names }] of this.#byId) {
      if (names.has(messageTopic) && [...names].some((name) => isChallengeTopicOf(name, messageTopic))) ids.add(id);
    }
    return ids;
  }
}
