/** Who may send on private topics that the configuration names (`[[private_topic]] senders`). */
import { type NamedSession, SessionNames } from '../../core/session-names.js';

/** Entries of a topic; undefined lets every session in. */
export interface PrivateTopicAccess {
  readonly name: string;
  readonly senders?: readonly string[] | undefined;
}

export class PrivateAccess {
  readonly #senders = new Map<string, SessionNames>();

  constructor(topics: readonly PrivateTopicAccess[]) {
    for (const { name, senders } of topics) {
      if (senders) this.#senders.set(name, new SessionNames(senders));
    }
  }

  maySend(name: string, session: NamedSession): boolean {
    return this.#senders.get(name)?.has(session) ?? true;
  }
}
