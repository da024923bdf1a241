/**
 * Private topics on the control thread: whose session is a sender or a subscriber of what, who stands behind the topics of peers,
 * and what the certification decides, told to the shard that carries the messages.
 *
 * A session of this relay is an origin of its own, a peer is one; a link may be replaced by another to the same peer without
 * anything being certified anew, for origins are node IDs.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { PRIVATE_RESULTS, type PrivateResult } from '../../base/private-result.js';
import type { Stats } from '../../base/stats.js';
import { Certification, type PairView, type Subscriber } from '../../core/certification.js';
import type { ControlToShard, PrivateSession, ShardToControl } from '../../shard/messages.js';
import { AGENT_ROUTE } from '../../shard/private-agents.js';
import { formatCertificationRequest, parseCertificationResult } from '../../wire/channel/certification.js';
import { challengesByTopic } from '../../wire/channel/challenge-topics.js';
import { parsePrivateTopic } from '../../wire/channel/topic.js';
import type { PrivateSubscriber } from '../../wire/mesh/relay-topics.js';
import type { GossipPeer, PeerPrivateTopics } from '../peers/gossip.js';
import { PRIVATE_SUBSCRIBERS_MAX } from '../peers/own-topics.js';
import type { KeyChanges } from '../topic-keys.js';
import { AgentChallenges } from './agent-challenges.js';
import type { ChallengeVerdict } from './challenge-verifier.js';

/** What a reload replaces. */
export interface PrivateRules {
  /** May this session send on the private topic of this plain name? */
  readonly maySend: (name: string, session: PrivateSession) => boolean;
  /** Message topics on which the relay certifies subscribers itself. */
  readonly agentTopics: readonly string[];
}

export interface PrivateTopicsOptions extends PrivateRules {
  /** How this relay is known: 128 hex digits. */
  readonly ownNodeId: string;
  /** Whether subscribers of this relay are certified, too; a 2.x node delivers to its own without. */
  readonly certifyLocal: boolean;
  /** How long a success counts. */
  readonly ttlMs: number;
  /** Is it the signature of the challenge by the holder of a key of the message topic? Never rejects. */
  readonly verify: (messageTopic: string, challenge: Uint8Array, signature: Uint8Array) => Promise<ChallengeVerdict>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly stats: Stats;
  readonly post: (message: ControlToShard) => void;
  /** The subscriber sessions of this relay changed, by message topic. */
  readonly announce: (subscribers: ReadonlyMap<string, readonly PrivateSubscriber[]>) => void;
}

/** Messages of the shard about private topics. */
export type PrivateNews = Extract<
  ShardToControl,
  { readonly type: 'private-topics' | 'certification-result' | 'challenge-failed' | 'challenge-answered' }
>;

/** One pair of sender and subscriber, for `/private`, the CLI and clients. */
export interface PrivateStatus {
  /** Plain name of the topic. */
  readonly topic: string;
  readonly state: PairView['state'];
  readonly forSeconds: number;
  readonly failure: string | undefined;
  readonly sender: string;
  readonly subscriber: string;
}

interface LocalSession {
  session: PrivateSession;
  /** All its private names. */
  topics: readonly string[];
  /** Challenge topics among them that the relay answers in its place. */
  answered: readonly string[];
  senderOf: readonly string[];
  subscribers: readonly Subscriber[];
}

/** Receivers of one sender and message topic, by origin: handles behind a relay, none for a session here or a 2.x node. */
type Targets = Map<string, Set<string>>;

export class PrivateTopics {
  readonly #options: PrivateTopicsOptions;
  #maySend: PrivateRules['maySend'];
  readonly #certification: Certification;
  readonly #sessions = new Map<number, LocalSession>();
  /** Active link of a peer, by node ID. */
  readonly #links = new Map<string, number>();
  /** Peers whose link went; their subscribers go at the next tick, unless another link has come. */
  readonly #lost = new Set<string>();
  readonly #targets = new Map<string, Targets>();
  /** Who takes challenges, by challenge topic. */
  readonly #holders = new Map<string, readonly Subscriber[]>();
  /** What peers are told of sessions here is not what it was. */
  #unannounced = false;
  readonly #agentChallenges = new AgentChallenges();
  /** Message topics that the relay answers by another key than before, and until when peers are not told who receives on them. */
  readonly #resting = new Map<string, number>();

  constructor(options: PrivateTopicsOptions) {
    this.#options = options;
    this.#maySend = options.maySend;
    this.#certification = new Certification(options.ttlMs, {
      ask: (sender, subscriber, challengeTopic) => this.#ask(sender, subscriber, challengeTopic),
      allow: (sender, subscriber) => this.#allow(sender, subscriber),
      deny: (sender, subscriber) => this.#deny(sender, subscriber),
      challengeRoute: (topic, holders) => this.#challengeRoute(topic, holders),
      claimRefused: (subscriber) => this.#note('claim-refused', subscriber, undefined),
      outcome: (sender, subscriber, outcome) => this.#note(outcome, subscriber, sender),
    });
    this.#certification.setSender(AGENT, options.agentTopics, this.#nowMs);
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  onMessage(message: PrivateNews): void {
    switch (message.type) {
      case 'private-topics':
        this.#sessionTopics(message);
        return;
      case 'certification-result':
        this.#result(message.session, message.body);
        this.#options.post({ type: 'private-settled', session: message.session });
        return;
      case 'challenge-failed':
        this.#certification.challengeFailed(senderId(message.session), message.topic, this.#nowMs);
        return;
      case 'challenge-answered':
        void this.#agentResult(message.seq, message.signature);
        return;
    }
  }

  /** The private topics in the list of a peer. */
  peerTopics({ nodeId }: GossipPeer, topics: PeerPrivateTopics): void {
    const subscribers =
      topics.kind === 'sessions' ? relaySubscribers(nodeId, topics.byTopic) : nodeSubscribers(nodeId, topics.names);
    this.#certification.setSubscribers(nodeId, subscribers, this.#nowMs);
    this.#announce();
  }

  /** The link over which a peer is reached from now on. */
  peerActive(nodeId: string, link: number): void {
    this.#lost.delete(nodeId);
    if (this.#links.get(nodeId) === link) return;
    this.#links.set(nodeId, link);
    for (const [key, targets] of this.#targets) {
      const handles = targets.get(nodeId);
      if (handles) this.#postTarget(key, nodeId, handles);
    }
    for (const [topic, holders] of this.#holders) {
      if (!holders.some(({ origin }) => origin === nodeId)) continue;
      this.#options.post({ type: 'challenge-route', topic, endpoints: this.#endpointsOf(holders) });
    }
  }

  /** The peer is not routed to over this link any more. */
  peerGone(nodeId: string): void {
    this.#lost.add(nodeId);
  }

  /** Call it every 100 ms or so. */
  tick(): void {
    for (const nodeId of this.#lost) {
      this.#links.delete(nodeId);
      this.#certification.setSubscribers(nodeId, [], this.#nowMs);
    }
    this.#lost.clear();
    for (const [messageTopic, untilMs] of this.#resting) {
      if (this.#nowMs < untilMs) continue;
      this.#resting.delete(messageTopic);
      this.#unannounced = true;
    }
    this.#certification.tick(this.#nowMs);
    this.#announce();
  }

  /**
   * Takes over what a reload has changed. Sessions that may not send any more lose their receivers at once; where keys have changed,
   * pairs are certified anew.
   */
  setRules({ maySend, agentTopics }: PrivateRules, changes: KeyChanges): void {
    const nowMs = this.#nowMs;
    this.#maySend = maySend;
    for (const local of this.#sessions.values()) this.#setSender(local, local.topics);
    this.#certification.setSender(AGENT, agentTopics, nowMs);
    for (const messageTopic of changes.own) this.#resting.set(messageTopic, nowMs + REST_MS);
    this.#unannounced ||= changes.own.size > 0;
    const pairs = this.#certification.startAnew((sender, subscriber) => {
      const { messageTopic } = subscriber;
      if (sender === AGENT_ROUTE && changes.receivers.has(messageTopic)) return true;
      return changes.own.has(messageTopic) && this.#isAnsweredHere(subscriber);
    }, nowMs);
    this.#announce();
    if (pairs === 0) return;
    this.#options.logger.log(
      'info',
      { component: 'private', pairs },
      'keys of private topics have changed, what was certified by them is certified anew',
    );
  }

  /**
   * Every pair; with a session, the pairs of that session alone, and those of the relay on the topics on which it stands in its
   * place.
   */
  status(session?: number, agentTopics: readonly string[] = []): PrivateStatus[] {
    const nowMs = this.#nowMs;
    const asAgent = new Set(agentTopics);
    return this.#certification
      .pairs()
      .filter(({ sender, subscriber: { origin, messageTopic } }) => {
        if (session === undefined || sender === senderId(session) || origin === originOf(session)) return true;
        return sender === AGENT_ROUTE && asAgent.has(messageTopic);
      })
      .map(({ sender, subscriber, state, sinceMs, failure }) => ({
        topic: nameOf(subscriber.messageTopic),
        state,
        forSeconds: Math.round(nowMs - sinceMs) / 1_000,
        failure,
        sender: this.#describeSender(sender),
        subscriber: this.#describeSubscriber(subscriber),
      }));
  }

  /** Pairs by state, for metrics. */
  counts(): Readonly<Record<PairView['state'], number>> {
    const counts = { pending: 0, certified: 0, failed: 0 };
    for (const { state } of this.#certification.pairs()) counts[state]++;
    return counts;
  }

  // ---- sessions of this relay

  #sessionTopics({ session, topics, answered }: Extract<PrivateNews, { readonly type: 'private-topics' }>): void {
    const known = this.#sessions.get(session.id) ?? { session, topics, answered, senderOf: [], subscribers: [] };
    known.session = session;
    known.topics = topics;
    known.answered = answered;
    if (topics.length === 0) this.#sessions.delete(session.id);
    else this.#sessions.set(session.id, known);
    this.#setSender(known, topics);
    this.#setSubscribers(known, topics);
  }

  #setSender(local: LocalSession, topics: readonly string[]): void {
    const { session } = local;
    const { post } = this.#options;
    const wanted: string[] = [];
    for (const topic of topics) {
      const parsed = parsePrivateTopic(topic);
      if (parsed?.kind !== 'push') continue;
      if (this.#maySend(parsed.name, session)) wanted.push(parsed.messageTopic);
      else this.#refuseSender(session, parsed.messageTopic);
    }
    const id = senderId(session.id);
    for (const topic of local.senderOf) {
      if (!wanted.includes(topic)) post({ type: 'private-sender', session: session.id, topic, route: undefined });
    }
    for (const topic of wanted) {
      if (!local.senderOf.includes(topic)) post({ type: 'private-sender', session: session.id, topic, route: id });
    }
    local.senderOf = wanted;
    this.#certification.setSender({ id, digest: session.certificateDigest }, wanted, this.#nowMs);
  }

  #setSubscribers(local: LocalSession, topics: readonly string[]): void {
    const { session } = local;
    const challenges = challengesByTopic(topics);
    const subscribers: Subscriber[] = [];
    for (const messageTopic of topics) {
      if (parsePrivateTopic(messageTopic)?.kind !== 'message') continue;
      // The first is the one that an SDK uses; none at all is somebody who only knows the name.
      const challengeTopics = challenges.get(messageTopic)?.slice(0, 1) ?? [];
      if (challengeTopics.length === 0 && this.#options.certifyLocal) continue;
      subscribers.push({
        id: `${session.handle} ${messageTopic}`,
        messageTopic,
        origin: originOf(session.id),
        owner: senderId(session.id),
        nodeId: opaqueNodeId(this.#options.ownNodeId, session.handle),
        digest: session.certificateDigest,
        challengeTopics,
        trusted: !this.#options.certifyLocal,
      });
    }
    if (subscribers.length === 0 && local.subscribers.length === 0) return;
    local.subscribers = subscribers;
    this.#certification.setSubscribers(originOf(session.id), subscribers, this.#nowMs);
    this.#unannounced = true;
    this.#announce();
  }

  #announce(): void {
    if (!this.#unannounced) return;
    this.#unannounced = false;
    this.#options.announce(this.#announced());
  }

  /**
   * Sessions whose claim on their challenge topic counts here. With another one in the list, a relay that does not know which was
   * the first would take the signature of the holder for one of the thief.
   */
  #announced(): Map<string, PrivateSubscriber[]> {
    const announced = new Map<string, PrivateSubscriber[]>();
    let count = 0;
    for (const { session, subscribers, answered } of this.#sessions.values()) {
      for (const { id, messageTopic, challengeTopics } of subscribers) {
        const [challengeTopic] = challengeTopics;
        if (this.#resting.has(messageTopic) && answered.includes(challengeTopic)) continue;
        const holds = this.#holders.get(challengeTopic)?.some((holder) => holder.id === id);
        if (!holds || ++count > PRIVATE_SUBSCRIBERS_MAX) continue;
        const sessions = announced.get(messageTopic) ?? [];
        announced.set(messageTopic, sessions);
        sessions.push({ handle: session.handle, digest: session.certificateDigest, challengeTopic });
      }
    }
    return announced;
  }

  #result(session: number, body: Uint8Array): void {
    const parsed = parseCertificationResult(body);
    const verdict = parsed.ok
      ? this.#certification.result(
          senderId(session),
          parsed.nodeId,
          parsed.messageTopic,
          parsed.checkResult === 0,
          this.#nowMs,
        )
      : 'not-asked';
    if (verdict !== 'not-asked') return;
    this.#count('not-asked');
    const local = this.#sessions.get(session)?.session;
    this.#options.logger.log(
      'warn',
      {
        component: 'private',
        subject: local?.subject,
        organisation: local?.organisation,
        problem: parsed.ok ? 'nothing was asked, or it was answered already' : parsed.problem,
      },
      'certification result (0x38) ignored',
    );
  }

  // ---- what the certification wants

  #challengeRoute(topic: string, holders: readonly Subscriber[]): void {
    // Only what changes here: relays that answered every list of another with one of their own would never end.
    if (!sameSubscribers(localOf(this.#holders.get(topic) ?? []), localOf(holders))) this.#unannounced = true;
    if (holders.length === 0) this.#holders.delete(topic);
    else this.#holders.set(topic, holders);
    this.#options.post({ type: 'challenge-route', topic, endpoints: this.#endpointsOf(holders) });
  }

  #ask(sender: string, subscriber: Subscriber, challengeTopic: string): void {
    if (sender === AGENT_ROUTE) {
      this.#askAsAgent(subscriber, challengeTopic);
      return;
    }
    const { nodeId, messageTopic, origin } = subscriber;
    const body = formatCertificationRequest({ nodeId, messageTopic, challengeTopic });
    const endpoint = this.#endpointOf(origin);
    this.#options.post({ type: 'certify', session: sessionOf(sender), body, challengeTopic, endpoint });
  }

  #askAsAgent({ nodeId, messageTopic, origin }: Subscriber, topic: string): void {
    const { seq, payload } = this.#agentChallenges.open({ nodeId, messageTopic, challengeTopic: topic });
    this.#options.post({ type: 'challenge-send', topic, endpoint: this.#endpointOf(origin), seq, payload });
  }

  async #agentResult(seq: Uint8Array, signature: Uint8Array | undefined): Promise<void> {
    const challenge = this.#agentChallenges.answered(seq);
    if (!challenge) return;
    const { messageTopic, challengeTopic, nodeId, payload } = challenge;
    const verdict = signature && (await this.#options.verify(messageTopic, payload, signature));
    if (!this.#agentChallenges.settle(challenge)) return;
    const nowMs = this.#nowMs;
    if (verdict === 'right' || verdict === 'wrong')
      this.#certification.result(AGENT_ROUTE, nodeId, messageTopic, verdict === 'right', nowMs);
    else this.#certification.challengeFailed(AGENT_ROUTE, challengeTopic, nowMs, nodeId);
  }

  /** Is it a session of this relay in whose place the relay answers challenges? */
  #isAnsweredHere({ origin, challengeTopics }: Subscriber): boolean {
    const answered = origin.startsWith(LOCAL) ? this.#sessions.get(localId(origin))?.answered : undefined;
    return answered?.includes(challengeTopics[0]) ?? false;
  }

  #allow(sender: string, subscriber: Subscriber): void {
    const key = targetKey(sender, subscriber.messageTopic);
    const targets = this.#targets.get(key) ?? new Map<string, Set<string>>();
    this.#targets.set(key, targets);
    const handles = targets.get(subscriber.origin) ?? new Set<string>();
    targets.set(subscriber.origin, handles);
    handles.add(handleOf(subscriber));
    this.#postTarget(key, subscriber.origin, handles);
  }

  #deny(sender: string, subscriber: Subscriber): void {
    const key = targetKey(sender, subscriber.messageTopic);
    const targets = this.#targets.get(key);
    const handles = targets?.get(subscriber.origin);
    if (!targets || !handles) return;
    handles.delete(handleOf(subscriber));
    if (handles.size > 0) {
      this.#postTarget(key, subscriber.origin, handles);
      return;
    }
    targets.delete(subscriber.origin);
    if (targets.size === 0) this.#targets.delete(key);
    const endpoint = this.#endpointOf(subscriber.origin);
    if (endpoint === undefined) return;
    this.#options.post({ type: 'private-untarget', route: sender, topic: subscriber.messageTopic, endpoint });
  }

  #postTarget(key: string, origin: string, handles: ReadonlySet<string>): void {
    const endpoint = this.#endpointOf(origin);
    if (endpoint === undefined) return;
    const [route, topic] = targetOf(key);
    // A 2.x node and a session of this relay have none.
    const named = [...handles].filter((handle) => handle !== '');
    this.#options.post({ type: 'private-target', route, topic, endpoint, handles: named });
  }

  #endpointsOf(holders: readonly Subscriber[]): number[] {
    const endpoints = holders.map(({ origin }) => this.#endpointOf(origin));
    return [...new Set(endpoints.filter((endpoint) => endpoint !== undefined))];
  }

  #endpointOf(origin: string): number | undefined {
    return origin.startsWith(LOCAL) ? localId(origin) : this.#links.get(origin);
  }

  // ---- what is told

  #refuseSender(session: PrivateSession, messageTopic: string): void {
    this.#count('sender-refused');
    const { subject, organisation, certificateDigest } = session;
    this.#options.logger.log(
      'warn',
      {
        component: 'private',
        subject,
        organisation,
        certificate: certificateDigest,
        topicHash: topicHash(messageTopic),
      },
      'a session may not send on this private topic: it is none of [[private_topic]] senders',
    );
  }

  #note(result: PrivateResult, subscriber: Subscriber, sender: string | undefined): void {
    this.#count(result);
    const good = result === 'certified';
    if (!this.#options.logger.enabled(good ? 'info' : 'warn')) return;
    this.#options.logger.log(
      good ? 'info' : 'warn',
      {
        component: 'private',
        result,
        topicHash: topicHash(subscriber.messageTopic),
        sender: sender === undefined ? undefined : this.#describeSender(sender),
        subscriber: this.#describeSubscriber(subscriber),
        certificate: subscriber.digest,
      },
      good ? 'private topic certified' : 'private topic not certified',
    );
  }

  #count(result: PrivateResult): void {
    this.#options.stats.add('privateResults', PRIVATE_RESULTS.indexOf(result));
  }

  #describeSender(sender: string): string {
    if (sender === AGENT_ROUTE) return 'this relay';
    const session = this.#sessions.get(sessionOf(sender))?.session;
    return session ? `${session.organisation}/${session.subject}` : sender;
  }

  #describeSubscriber({ origin, digest }: Subscriber): string {
    if (!origin.startsWith(LOCAL)) return `certificate ${digest.slice(0, 16)} behind ${origin.slice(0, 16)}`;
    const session = this.#sessions.get(localId(origin))?.session;
    return session ? `${session.organisation}/${session.subject}` : `certificate ${digest.slice(0, 16)}`;
  }
}

/** The relay as a sender, in whose place it stands. */
const AGENT = { id: AGENT_ROUTE, digest: AGENT_ROUTE };

/**
 * A peer certifies anew what has left the list and comes back. It hears of a change at once, and pulls the list in a round trip; one
 * that takes longer finds out when it renews.
 */
const REST_MS = 1_000;

/** No node ID begins so. */
const LOCAL = 'session ';
const originOf = (session: number): string => `${LOCAL}${session}`;
const localId = (origin: string): number => Number(origin.slice(LOCAL.length));
const localOf = (subscribers: readonly Subscriber[]): Subscriber[] =>
  subscribers.filter(({ origin }) => origin.startsWith(LOCAL));
const sameSubscribers = (a: readonly Subscriber[], b: readonly Subscriber[]): boolean =>
  a.length === b.length && a.every(({ id }) => b.some((other) => other.id === id));
const senderId = (session: number): string => `s${session}`;
const sessionOf = (sender: string): number => Number(sender.slice(1));

/** A blank cannot stand in a sender's id. */
const targetKey = (sender: string, messageTopic: string): string => `${sender} ${messageTopic}`;
function targetOf(key: string): [string, string] {
  const blank = key.indexOf(' ');
  return [key.slice(0, blank), key.slice(blank + 1)];
}

/** The handle behind a relay, empty for a session of this relay and for a 2.x node. */
function handleOf({ origin, id }: Subscriber): string {
  return origin.startsWith(LOCAL) || id.startsWith(NODE) ? '' : id.slice(0, id.indexOf(' '));
}

const NODE = 'node ';

/** What a sender's SDK is told as the node ID and echoes unread: of one subscriber, so that its result can mean no other. */
function opaqueNodeId(nodeId: string, handle: string): string {
  return createHash('sha512').update(`${nodeId} ${handle}`).digest('hex');
}

/** Names of topics stand in no log. */
function topicHash(topic: string): string {
  return createHash('sha256').update(topic).digest('hex').slice(0, 16);
}

const nameOf = (messageTopic: string): string => parsePrivateTopic(messageTopic)?.name ?? messageTopic;

function relaySubscribers(nodeId: string, byTopic: ReadonlyMap<string, readonly PrivateSubscriber[]>): Subscriber[] {
  const subscribers: Subscriber[] = [];
  for (const [messageTopic, sessions] of byTopic) {
    if (parsePrivateTopic(messageTopic)?.kind !== 'message') continue;
    for (const { handle, digest, challengeTopic } of sessions) {
      // No relay announces more.
      if (subscribers.length >= PRIVATE_SUBSCRIBERS_MAX) return subscribers;
      subscribers.push({
        // Of this peer: it may list the handles of other relays, which they tell everybody.
        id: `${handle} ${nodeId} ${messageTopic}`,
        messageTopic,
        origin: nodeId,
        nodeId: opaqueNodeId(nodeId, handle),
        digest,
        challengeTopics: [challengeTopic],
      });
    }
  }
  return subscribers;
}

/** A 2.x node is one subscriber: it delivers to whichever of its sessions it likes. */
function nodeSubscribers(nodeId: string, names: readonly string[]): Subscriber[] {
  const challenges = challengesByTopic(names);
  const subscribers: Subscriber[] = [];
  for (const messageTopic of names) {
    const challengeTopics = challenges.get(messageTopic);
    if (parsePrivateTopic(messageTopic)?.kind !== 'message' || challengeTopics === undefined) continue;
    if (subscribers.length >= PRIVATE_SUBSCRIBERS_MAX) break;
    const digest = `${NODE}${nodeId}`;
    subscribers.push({
      id: `${digest} ${messageTopic}`,
      messageTopic,
      origin: nodeId,
      nodeId,
      digest,
      challengeTopics,
    });
  }
  return subscribers;
}
