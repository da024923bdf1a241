/**
 * Certification by the rules of the 2.x reference (its node specification, §4), behind the interface of src/core/certification.ts.
 *
 *   status per (peer node, message topic): one success serves every subscriber of the node and every sender of this one
 *   a 0x37 for a topic that is verifying goes to one random sender, at once and every 5 s, about the first challenge topic
 *   a 0x38 of anybody counts while the topic is verifying, and at no other time; success and failure stay until the topic leaves
 *   the list of the node
 *   a challenge topic may be claimed by as many as like to
 */
import type {
  CertificationActions,
  Certification as Ours,
  PairView,
  ResultVerdict,
  Sender,
  Subscriber,
} from '../../../../src/core/certification.js';

const ASK_INTERVAL_MS = 5_000;

interface NodeTopic {
  readonly origin: string;
  readonly messageTopic: string;
  status: 'pending' | 'certified' | 'failed';
  sinceMs: number;
  askedMs: number;
  subscribers: Map<string, Subscriber>;
}

export class Certification implements Pick<Ours, keyof Ours> {
  readonly #actions: CertificationActions;
  readonly #senders = new Map<string, { readonly sender: Sender; readonly topics: ReadonlySet<string> }>();
  /** By origin, then by message topic. */
  readonly #nodes = new Map<string, Map<string, NodeTopic>>();

  constructor(_ttlMs: number, actions: CertificationActions) {
    this.#actions = actions;
  }

  setSender(sender: Sender, messageTopics: readonly string[], nowMs: number): void {
    const known = this.#senders.get(sender.id)?.topics ?? new Set<string>();
    const wanted = new Set(messageTopics);
    if (wanted.size === 0) this.#senders.delete(sender.id);
    else this.#senders.set(sender.id, { sender, topics: wanted });
    for (const node of this.#all()) {
      const { messageTopic, status } = node;
      if (known.has(messageTopic) === wanted.has(messageTopic)) continue;
      if (status === 'pending' && wanted.has(messageTopic)) this.#ask(node, nowMs);
      if (status !== 'certified') continue;
      for (const subscriber of node.subscribers.values()) this.#route(wanted.has(messageTopic), sender.id, subscriber);
    }
  }

  setSubscribers(origin: string, subscribers: readonly Subscriber[], nowMs: number): void {
    const topics = this.#nodes.get(origin) ?? new Map<string, NodeTopic>();
    const before = [...topics.values()].flatMap((node) => [...node.subscribers.values()]);
    const byTopic = new Map<string, Map<string, Subscriber>>();
    for (const subscriber of subscribers) {
      const group = byTopic.get(subscriber.messageTopic) ?? new Map<string, Subscriber>();
      byTopic.set(subscriber.messageTopic, group.set(subscriber.id, subscriber));
    }
    for (const [messageTopic, node] of topics) {
      const now = byTopic.get(messageTopic);
      for (const subscriber of node.subscribers.values()) {
        if (!now?.has(subscriber.id)) this.#routeForAll(node, subscriber, false);
      }
      if (!now) topics.delete(messageTopic);
    }
    for (const [messageTopic, group] of byTopic) {
      const status = [...group.values()].every(({ trusted }) => trusted) ? 'certified' : 'pending';
      const node: NodeTopic = topics.get(messageTopic) ?? {
        origin,
        messageTopic,
        status,
        sinceMs: nowMs,
        askedMs: Number.NEGATIVE_INFINITY,
        subscribers: new Map(),
      };
      topics.set(messageTopic, node);
      const known = node.subscribers;
      node.subscribers = group;
      for (const [id, subscriber] of group) if (!known.has(id)) this.#routeForAll(node, subscriber, true);
    }
    if (topics.size === 0) this.#nodes.delete(origin);
    else this.#nodes.set(origin, topics);
    this.#routeChallenges([...before, ...subscribers]);
    for (const node of topics.values()) if (node.status === 'pending') this.#ask(node, nowMs);
  }

  result(_sender: string, nodeId: string, messageTopic: string, verified: boolean, nowMs: number): ResultVerdict {
    const node = this.#nodes.get(nodeId)?.get(messageTopic);
    if (node?.status !== 'pending') return 'not-asked';
    node.status = verified ? 'certified' : 'failed';
    node.sinceMs = nowMs;
    if (verified) for (const subscriber of node.subscribers.values()) this.#routeForAll(node, subscriber, true);
    return verified ? 'certified' : 'refused';
  }

  challengeFailed(): void {}

  /** A node knows no keys. */
  startAnew(): number {
    return 0;
  }

  tick(nowMs: number): void {
    for (const node of this.#all()) {
      if (node.status === 'pending' && nowMs - node.askedMs >= ASK_INTERVAL_MS) this.#ask(node, nowMs);
    }
  }

  pairs(): PairView[] {
    const views: PairView[] = [];
    for (const { status, sinceMs, messageTopic, subscribers } of this.#all()) {
      const failure = status === 'failed' ? 'refused' : undefined;
      for (const sender of this.#sendersOf(messageTopic)) {
        for (const subscriber of subscribers.values())
          views.push({ sender, subscriber, state: status, sinceMs, failure });
      }
    }
    return views;
  }

  #ask(node: NodeTopic, nowMs: number): void {
    const [first] = [...node.subscribers.values()].flatMap(({ challengeTopics }) => challengeTopics).sort();
    const senders = this.#sendersOf(node.messageTopic);
    const [subscriber] = node.subscribers.values();
    if (first === undefined || senders.length === 0) return;
    node.askedMs = nowMs;
    const sender = senders[Math.floor(Math.random() * senders.length)];
    this.#actions.ask(sender, { ...subscriber, nodeId: node.origin }, first);
  }

  #routeForAll({ status, messageTopic }: NodeTopic, subscriber: Subscriber, open: boolean): void {
    if (status !== 'certified') return;
    for (const sender of this.#sendersOf(messageTopic)) this.#route(open, sender, subscriber);
  }

  #route(open: boolean, sender: string, subscriber: Subscriber): void {
    if (subscriber.owner === sender) return;
    if (open) this.#actions.allow(sender, subscriber);
    else this.#actions.deny(sender, subscriber);
  }

  #routeChallenges(changed: readonly Subscriber[]): void {
    for (const topic of new Set(changed.flatMap(({ challengeTopics }) => challengeTopics))) {
      const holders = [...this.#all()].flatMap(({ subscribers }) =>
        [...subscribers.values()].filter(({ challengeTopics }) => challengeTopics.includes(topic)),
      );
      this.#actions.challengeRoute(topic, holders);
    }
  }

  #sendersOf(messageTopic: string): string[] {
    return [...this.#senders].filter(([, { topics }]) => topics.has(messageTopic)).map(([id]) => id);
  }

  *#all(): Generator<NodeTopic> {
    for (const topics of this.#nodes.values()) yield* topics.values();
  }
}
