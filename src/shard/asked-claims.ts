/**
 * Which of several claims on a challenge topic a session was asked about.
 *
 * One application at several relays claims one challenge topic at all of them, and whoever copies its listing claims it too. Each
 * claim is certified through itself: a challenge that went to any of them would certify one by the signature of another.
 */

/** More questions are forgotten, the oldest first; a sender has one open for each of its topics and each relay. */
const TOPICS_MAX = 1_024;

export class AskedClaims {
  readonly #byTopic = new Map<string, ReadonlySet<number>>();

  /** The session is asked about the claim behind `endpoint`, a session or a link; undefined when that is gone already. */
  asked(challengeTopic: string, endpoint: number | undefined): void {
    this.#byTopic.delete(challengeTopic);
    this.#byTopic.set(challengeTopic, new Set(endpoint === undefined ? [] : [endpoint]));
    if (this.#byTopic.size <= TOPICS_MAX) return;
    const [oldest] = this.#byTopic.keys();
    this.#byTopic.delete(oldest);
  }

  /**
   * Who alone may get a challenge of the session; undefined for whoever holds the topic. That is for SDKs that are connected to
   * several relays and send a challenge to any of them, one that has not asked.
   */
  receivers(challengeTopic: string): ReadonlySet<number> | undefined {
    return this.#byTopic.get(challengeTopic);
  }
}
