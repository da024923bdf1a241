/**
 * What an application is subscribed to, and telling it to the relays.
 *
 * Invariant: a topic has one receiver. It is in `topics()` from the call of `begin` until its end or the failure of
 * `begin`; every connected relay is told each change, and a relay that connects later is told the whole list.
 */
import { TOPICS_PER_SESSION_MAX } from '../base/limits.js';
import { AmopCode, AmopError } from './amop-error.js';
import type { AbortHub, Deadline } from './deadline.js';
import type { Receiver } from './handler-receiver.js';
import type { Roster } from './roster.js';

/** How a topic of the wire is called here. */
export interface TopicNaming {
  readonly kind: 'topic' | 'private' | 'push';
  /** What callers call it. */
  readonly name: string;
  /** Announced with it from the first list on, and taken back with it: the challenge topic of a private one. */
  readonly companion?: { readonly topic: string; readonly receiver: Receiver };
}

interface Subscription {
  readonly naming: TopicNaming;
  readonly receiver: Receiver;
  /** The relays are being told of its end; messages that come until they know are still delivered. */
  ending: boolean;
  forgetSignal: () => void;
}

export class Subscriptions {
  readonly #roster: Roster;
  readonly #hub: AbortHub;
  readonly #byTopic = new Map<string, Subscription>();
  readonly #companions = new Map<string, Receiver>();
  /** Receivers of ended subscriptions with messages that still wait. */
  readonly #draining = new Set<Receiver>();

  constructor(roster: Roster, hub: AbortHub) {
    this.#roster = roster;
    this.#hub = hub;
  }

  /** Topics subscribed now, as relays know them. */
  topics(): string[] {
    return [...this.#byTopic]
      .filter(([, { ending }]) => !ending)
      .flatMap(([topic, { naming }]) => (naming.companion === undefined ? [topic] : [topic, naming.companion.topic]));
  }

  /** Topics of one kind subscribed now, as callers know them. */
  names(kind: TopicNaming['kind']): string[] {
    const now = [...this.#byTopic.values()].filter(({ ending, naming }) => !ending && naming.kind === kind);
    return now.map(({ naming }) => naming.name);
  }

  targetOf(topic: string): { readonly receiver: Receiver; readonly shownTopic: string } | undefined {
    const subscription = this.#byTopic.get(topic);
    if (subscription !== undefined) return { receiver: subscription.receiver, shownTopic: subscription.naming.name };
    const companion = this.#companions.get(topic);
    return companion === undefined ? undefined : { receiver: companion, shownTopic: topic };
  }

  /**
   * Resolves when the relays deliver: every relay that is connected then has worked on the list, or is given up; at least
   * one has. `signal` ends the subscription, then or later.
   * @throws RangeError; AmopError 99 or 102, or the signal's reason: the topic is then not subscribed
   */
  async begin(
    topic: string,
    receiver: Receiver,
    deadline: Deadline,
    naming: TopicNaming = { kind: 'topic', name: topic },
  ): Promise<void> {
    const { signal } = deadline;
    if (signal?.aborted) {
      receiver.end();
      throw signal.reason;
    }
    if (this.#byTopic.get(topic)?.ending === false) {
      throw new RangeError(`${describe(naming)} already; ${naming.kind === 'push' ? 'close' : 'unsubscribe'} it first`);
    }
    const more = naming.companion === undefined ? 1 : 2;
    if (this.topics().length + more > TOPICS_PER_SESSION_MAX) {
      throw new RangeError(`${TOPICS_PER_SESSION_MAX} topics are subscribed already, a session cannot have more`);
    }
    const ending = this.#byTopic.get(topic);
    if (ending !== undefined) {
      this.#remove(topic, ending);
      this.#drain(ending.receiver);
    }
    const subscription: Subscription = { naming, receiver, ending: false, forgetSignal: () => {} };
    this.#byTopic.set(topic, subscription);
    const { companion } = naming;
    if (companion !== undefined) this.#companions.set(companion.topic, companion.receiver);
    subscription.forgetSignal = this.#hub.listen(signal, () => this.#drop(topic, subscription));
    try {
      await this.#untilDelivering(deadline);
    } catch (error) {
      this.#drop(topic, subscription, error);
      throw error;
    }
  }

  /**
   * Resolves when every connected relay knows; messages that wait then are still handled. A topic that is not subscribed, or
   * by another receiver than the one given, is left alone.
   * @throws AmopError 102 or the signal's reason: a relay may go on sending; what it sends is left unanswered
   */
  async end(topic: string, deadline: Deadline, receiver?: Receiver): Promise<void> {
    const subscription = this.#byTopic.get(topic);
    if (subscription === undefined || subscription.ending) return;
    if (receiver !== undefined && subscription.receiver !== receiver) return;
    subscription.ending = true;
    try {
      const told = this.#roster.sessions().map((session) => session.announce());
      // A relay whose connection ends meanwhile has nothing left to be told.
      await deadline.race(Promise.allSettled(told), () => timeoutError(deadline));
    } finally {
      this.#remove(topic, subscription);
      this.#drain(subscription.receiver);
    }
  }

  /** Ends everything here, without a word to the relays. */
  clear(): void {
    for (const [topic, subscription] of [...this.#byTopic]) this.#forget(topic, subscription);
    for (const receiver of [...this.#draining]) receiver.end();
  }

  async #untilDelivering(deadline: Deadline): Promise<void> {
    for (;;) {
      await this.#roster.connected(deadline);
      const told = this.#roster.sessions().map((session) => session.announce());
      let any = false;
      for (const one of told) {
        one.then(
          () => {
            any = true;
          },
          () => {},
        );
      }
      await deadline
        .race(Promise.allSettled(told), () => timeoutError(deadline))
        .catch((error: unknown) => {
          // One relay that hangs does not undo what another has confirmed.
          if (!any || deadline.signal?.aborted) throw error;
        });
      if (any) return;
    }
  }

  /** Ends a subscription at once; the relays are told behind the scenes. */
  #drop(topic: string, subscription: Subscription, error?: unknown): void {
    if (this.#byTopic.get(topic) !== subscription) return;
    this.#forget(topic, subscription, error);
    for (const session of this.#roster.sessions()) session.announce().catch(() => {});
  }

  #forget(topic: string, subscription: Subscription, error?: unknown): void {
    this.#remove(topic, subscription);
    subscription.receiver.end(error);
  }

  #remove(topic: string, subscription: Subscription): void {
    if (this.#byTopic.get(topic) === subscription) this.#byTopic.delete(topic);
    const { companion } = subscription.naming;
    if (companion !== undefined) this.#companions.delete(companion.topic);
    subscription.forgetSignal();
  }

  #drain(receiver: Receiver): void {
    this.#draining.add(receiver);
    receiver.finish(() => this.#draining.delete(receiver));
  }
}

function describe({ kind, name }: TopicNaming): string {
  const topic = JSON.stringify(name);
  if (kind === 'push') return `private topic ${topic} has a sender`;
  return `${kind === 'private' ? 'private topic' : 'topic'} ${topic} is subscribed`;
}

function timeoutError(deadline: Deadline): AmopError {
  const detail = `the relay did not react to the topic list within ${Math.round(deadline.timeoutMs)} ms`;
  return new AmopError(AmopCode.timeout, { reason: 'timeout', detail });
}
