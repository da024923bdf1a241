/**
 * Bandwidth limits of the relay: session, organisation, topic, node (decisions §7, §8).
 *
 * A request is asked for once, before it is routed (`offer`); session, organisation and topic are charged there for every copy.
 * The node is charged for what is written to peer links, when it is written, again for every retry and hop. Nothing queues:
 * a refused request gets 103 at once. Answers are charged and never refused. Gossip, hello and heartbeats do not come here.
 *
 * Pure state: no timers, time comes with each call. A call allocates nothing but the first entry of an organisation or topic.
 */
import { RecentEntries, type RecentEntry } from './flow-recency.js';
import { NodeShares, Share } from './flow-shares.js';
import { TokenBucket } from './token-bucket.js';

/** Organisations and topics remembered; each is some 300 bytes. Beyond, the one unused for longest starts afresh. */
export const ORGANISATIONS_MAX = 4_096;
export const TOPICS_MAX = 65_536;

/** What is undefined is not limited. A plain value, so that it can be posted to a thread. */
export interface FlowLimits {
  readonly nodeBytesPerSecond?: number | undefined;
  readonly sessionBytesPerSecond?: number | undefined;
  readonly organisationBytesPerSecond?: number | undefined;
  /** Of each topic that `topics` does not name. */
  readonly topicBytesPerSecond?: number | undefined;
  readonly topics?: readonly { readonly name: string; readonly bytesPerSecond: number }[] | undefined;
}

/** The limit that refused a request; all of them are answered with 103. */
export type FlowScope = 'session' | 'organisation' | 'topic' | 'node';

/** Bucket of a topic. Keep it beside what is known of the topic; it stays valid. */
export class TopicFlow implements RecentEntry<TopicFlow> {
  readonly name: string;
  readonly bucket: TokenBucket;
  next: TopicFlow | undefined = undefined;
  previous: TopicFlow | undefined = undefined;
  usedMs = 0;
  forgotten = false;
  /** From the configuration, hence never forgotten. */
  readonly named: boolean;

  constructor(name: string, bytesPerSecond: number, named: boolean) {
    this.name = name;
    this.bucket = new TokenBucket(bytesPerSecond);
    this.named = named;
  }

  isBlank(nowMs: number): boolean {
    return this.bucket.isFull(nowMs);
  }
}

class OrganisationFlow implements RecentEntry<OrganisationFlow> {
  readonly name: string;
  readonly bucket: TokenBucket | undefined;
  readonly share = new Share();
  next: OrganisationFlow | undefined = undefined;
  previous: OrganisationFlow | undefined = undefined;
  usedMs = 0;
  forgotten = false;

  constructor(name: string, bytesPerSecond: number | undefined) {
    this.name = name;
    this.bucket = bytesPerSecond === undefined ? undefined : new TokenBucket(bytesPerSecond);
  }

  isBlank(nowMs: number): boolean {
    return !this.share.active && (this.bucket === undefined || this.bucket.isFull(nowMs));
  }
}

/** Where traffic comes from: one for each session and each peer, held by it and gone with it. */
export class FlowSource {
  readonly organisationId: string;
  /** Undefined for peers, and where sessions have no limit. */
  readonly bucket: TokenBucket | undefined;
  /** For `FlowControl` only: saves looking the organisation up. */
  organisation: OrganisationFlow | undefined = undefined;

  constructor(organisationId: string, bucket: TokenBucket | undefined) {
    this.organisationId = organisationId;
    this.bucket = bucket;
  }
}

export class FlowControl {
  /** False when there is no limit at all: the caller need not ask anything. */
  readonly enabled: boolean;
  readonly #limits: FlowLimits;
  readonly #shares: NodeShares | undefined;
  readonly #hasOrganisations: boolean;
  readonly #hasTopics: boolean;
  readonly #namedTopics = new Map<string, TopicFlow>();
  readonly #topics: RecentEntries<TopicFlow>;
  readonly #organisations: RecentEntries<OrganisationFlow>;

  constructor(limits: FlowLimits) {
    this.#limits = limits;
    this.#shares = limits.nodeBytesPerSecond === undefined ? undefined : new NodeShares(limits.nodeBytesPerSecond);
    this.#hasOrganisations = limits.nodeBytesPerSecond !== undefined || limits.organisationBytesPerSecond !== undefined;
    for (const { name, bytesPerSecond } of limits.topics ?? []) {
      this.#namedTopics.set(name, new TopicFlow(name, bytesPerSecond, true));
    }
    this.#hasTopics = limits.topicBytesPerSecond !== undefined || this.#namedTopics.size > 0;
    this.enabled = this.#hasOrganisations || this.#hasTopics || limits.sessionBytesPerSecond !== undefined;
    this.#topics = new RecentEntries(TOPICS_MAX, () => {});
    this.#organisations = new RecentEntries(ORGANISATIONS_MAX, (entry) => this.#shares?.leave(entry.share));
  }

  /** Organisations and topics remembered, for metrics. */
  get organisations(): number {
    return this.#organisations.size;
  }

  get topics(): number {
    return this.#topics.size + this.#namedTopics.size;
  }

  /** Bytes the node may still write, negative in debt; infinite without a limit. For metrics and logs. */
  nodeBalance(nowMs: number): number {
    return this.#shares?.balance(nowMs) ?? Number.POSITIVE_INFINITY;
  }

  /** For a session when it opens. */
  openSession(organisationId: string): FlowSource {
    const { sessionBytesPerSecond } = this.#limits;
    const bucket = sessionBytesPerSecond === undefined ? undefined : new TokenBucket(sessionBytesPerSecond);
    return new FlowSource(organisationId, bucket);
  }

  /** For a peer when it joins: its organisation competes for the node's bandwidth with what passes through this relay. */
  openPeer(organisationId: string): FlowSource {
    return new FlowSource(organisationId, undefined);
  }

  /** The bucket of a topic, undefined when the topic has no limit. */
  topic(name: string, nowMs: number): TopicFlow | undefined {
    if (!this.#hasTopics) return undefined;
    const known = this.#namedTopics.get(name) ?? this.#topics.get(name);
    if (known) return known;
    if (this.#limits.topicBytesPerSecond === undefined) return undefined;
    const topic = new TopicFlow(name, this.#limits.topicBytesPerSecond, false);
    this.#topics.add(topic, nowMs);
    return topic;
  }

  /**
   * Asks for a request of a session, before it is routed. Charges session, organisation and topic, or nothing.
   * @param bytes of the channel frame
   * @param copies 1 for a unicast, sessions and peers together for a multicast
   * @param needsPeer a peer link must be written: a multicast with peers, a unicast that no session here can take
   * @returns the scope that refuses, undefined when the request may pass
   */
  offer(
    source: FlowSource,
    topic: TopicFlow | undefined,
    bytes: number,
    copies: number,
    needsPeer: boolean,
    nowMs: number,
  ): FlowScope | undefined {
    const session = source.bucket;
    if (session && !session.allows(nowMs)) return 'session';
    const organisation = this.#organisation(source, nowMs);
    if (organisation?.bucket && !organisation.bucket.allows(nowMs)) return 'organisation';
    const topicBucket = this.#topicBucket(topic, nowMs);
    if (topicBucket && !topicBucket.allows(nowMs)) return 'topic';
    if (needsPeer && this.#shares && organisation && !this.#shares.allows(organisation.share, nowMs)) return 'node';
    const charge = bytes * copies;
    session?.charge(charge, nowMs);
    organisation?.bucket?.charge(charge, nowMs);
    topicBucket?.charge(charge, nowMs);
    return undefined;
  }

  /**
   * May a request of this source be written to a peer? For a unicast that sessions and peers can take (`offer` did not ask the
   * node then), and for transit. Ask once a choice, not once a candidate: it counts as an offer of the organisation.
   */
  allowsPeer(source: FlowSource, nowMs: number): boolean {
    if (!this.#shares) return true;
    const organisation = this.#organisation(source, nowMs);
    return !organisation || this.#shares.allows(organisation.share, nowMs);
  }

  /**
   * Charges the node for a request handed to a peer link, in the turn in which it was allowed.
   * @param bytes of the whole P2P frame with its header, TLS excluded
   */
  chargePeer(source: FlowSource, bytes: number, nowMs: number): void {
    if (!this.#shares) return;
    const organisation = this.#organisation(source, nowMs);
    if (organisation) this.#shares.charge(organisation.share, bytes, nowMs);
  }

  /**
   * Charges an answer, which is never refused.
   * @param source of the subscriber that answers, or of the peer whose answer passes through
   * @param topic of the request, where it is known
   * @param bytes of the channel frame; 0 for an answer that another relay charged already
   * @param peerBytes of the P2P frame that carries it away, 0 when the requester is a session here
   */
  chargeAnswer(
    source: FlowSource,
    topic: TopicFlow | undefined,
    bytes: number,
    peerBytes: number,
    nowMs: number,
  ): void {
    const organisation = this.#organisation(source, nowMs);
    if (bytes > 0) {
      source.bucket?.charge(bytes, nowMs);
      organisation?.bucket?.charge(bytes, nowMs);
      this.#topicBucket(topic, nowMs)?.charge(bytes, nowMs);
    }
    if (peerBytes > 0 && organisation) this.#shares?.chargeUnrefusable(organisation.share, peerBytes, nowMs);
  }

  #organisation(source: FlowSource, nowMs: number): OrganisationFlow | undefined {
    if (!this.#hasOrganisations) return undefined;
    let organisation = source.organisation;
    if (!organisation || organisation.forgotten) {
      organisation = this.#organisations.get(source.organisationId);
      if (!organisation) {
        organisation = new OrganisationFlow(source.organisationId, this.#limits.organisationBytesPerSecond);
        this.#organisations.add(organisation, nowMs);
      }
      source.organisation = organisation;
    }
    this.#organisations.use(organisation, nowMs);
    return organisation;
  }

  #topicBucket(topic: TopicFlow | undefined, nowMs: number): TokenBucket | undefined {
    if (!topic) return undefined;
    if (topic.named) return topic.bucket;
    const live = topic.forgotten ? this.topic(topic.name, nowMs) : topic;
    if (live) this.#topics.use(live, nowMs);
    return live?.bucket;
  }
}
