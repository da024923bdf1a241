/** The reference delivers what a peer forwards to any session that subscribes to the name. */
import type { PrivateReceivers as Ours, Receiver } from '../../../../src/shard/private-receivers.js';

export class PrivateReceivers implements Pick<Ours, keyof Ours> {
  readonly #names = new Map<number, ReadonlySet<string>>();

  subscribed({ id }: Receiver, names: readonly string[]): void {
    this.#names.set(id, new Set(names));
  }

  ended({ id }: Receiver): void {
    this.#names.delete(id);
  }

  named(_handles: Uint8Array, messageTopic: string): ReadonlySet<number> {
    return this.unnamed(messageTopic);
  }

  unnamed(messageTopic: string): ReadonlySet<number> {
    return new Set([...this.#names].filter(([, names]) => names.has(messageTopic)).map(([id]) => id));
  }
}
