/** A status that shows what sessions have subscribed to as it stands, as the lists of the reference do. */
import {
  PrivateTopics as Ours,
  type PrivateNews,
  type PrivateStatus,
} from '../../../../../src/control/private/private-topics.js';

export class PrivateTopics extends Ours {
  readonly #topics = new Map<number, readonly string[]>();

  override onMessage(message: PrivateNews): void {
    if (message.type === 'private-topics') this.#topics.set(message.session.id, message.topics);
    super.onMessage(message);
  }

  override status(session?: number): PrivateStatus[] {
    const names = [...this.#topics.values()].flat();
    return super.status(session).map((pair) => ({
      ...pair,
      subscriber: [pair.subscriber, ...names.filter((name) => name.includes(pair.topic))].join(' '),
    }));
  }
}
