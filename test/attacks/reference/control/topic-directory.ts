/** The reference lists every topic. */
import { TopicDirectory as Ours } from '../../../../src/control/topic-directory.js';

export class TopicDirectory extends Ours {
  readonly #sessions = new Map<string, number>();

  override apply(added: readonly string[], removed: readonly string[]): void {
    super.apply(added, removed);
    for (const topic of added) this.#sessions.set(topic, (this.#sessions.get(topic) ?? 0) + 1);
    for (const topic of removed) this.#sessions.set(topic, (this.#sessions.get(topic) ?? 0) - 1);
  }

  override visible(): { readonly topic: string; readonly subscribers: number }[] {
    return [...this.#sessions].filter(([, count]) => count > 0).map(([topic, subscribers]) => ({ topic, subscribers }));
  }
}
