/**
 * Who may send on private topics that the configuration names (`[[private_topic]] senders`). A session is named by the SHA-256 of
 * its certificate, or as "organisation/CN": a bare CN would be anybody's whose agency issues it.
 */
import type { PrivateSession } from '../../shard/messages.js';

/** Entries of a topic; undefined lets every session in. */
export interface PrivateTopicAccess {
  readonly name: string;
  readonly senders?: readonly string[] | undefined;
}

export class PrivateAccess {
  readonly #senders = new Map<string, ReadonlySet<string>>();

  constructor(topics: readonly PrivateTopicAccess[]) {
    for (const { name, senders } of topics) {
      if (senders) this.#senders.set(name, new Set(senders.map((one) => (isDigest(one) ? one.toLowerCase() : one))));
    }
  }

  maySend(name: string, session: PrivateSession): boolean {
    const senders = this.#senders.get(name);
    return senders === undefined || matches(senders, session);
  }
}

/** Is the session one of those named? The first slash of a name ends the organisation, so one that has a slash cannot be named. */
export function matches(
  named: ReadonlySet<string>,
  { certificateDigest, organisation, subject }: PrivateSession,
): boolean {
  return named.has(certificateDigest) || (!organisation.includes('/') && named.has(`${organisation}/${subject}`));
}

export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
}
