/**
 * Topics of the whole relay with their number of subscriber sessions, kept up to date by the changes that shards report.
 * The control thread is its only writer.
 */
export class TopicDirectory {
  readonly #sessions = new Map<string, number>();

  apply(added: readonly string[], removed: readonly string[]): void {
    for (const topic of added) this.#sessions.set(topic, (this.#sessions.get(topic) ?? 0) + 1);
    for (const topic of removed) {
      const left = (this.#sessions.get(topic) ?? 0) - 1;
      if (left > 0) this.#sessions.set(topic, left);
      else this.#sessions.delete(topic);
    }
  }

  /**
   * Topics that may be shown, sorted. Names of the private-topic exchange (`#!$…`) never are: the suffix of a challenge topic
   * is all that keeps strangers from a subscriber's signer. Nor are the block notifications that SDKs subscribe to by themselves.
   */
  visible(): { readonly topic: string; readonly subscribers: number }[] {
    return [...this.#sessions]
      .filter(([topic]) => !topic.startsWith('#!$') && !topic.startsWith('_block_notify_'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([topic, subscribers]) => ({ topic, subscribers }));
  }
}
