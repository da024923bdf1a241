/** The private topics of a control thread, with what they post, announce, count and log, and a clock that the test moves. */
import type { LogFields } from '../../../../src/base/logger.js';
import { PRIVATE_RESULTS, type PrivateResult } from '../../../../src/base/private-result.js';
import { createStatMemory, readStat, Stats } from '../../../../src/base/stats.js';
import type { GossipPeer } from '../../../../src/control/peers/gossip.js';
import { PrivateTopics, type PrivateTopicsOptions } from '../../../../src/control/private/private-topics.js';
import type { ControlToShard, PrivateSession } from '../../../../src/shard/messages.js';
import type { PrivateSubscriber } from '../../../../src/wire/mesh/relay-topics.js';

export const N = '#!$TopicNeedVerify_secret';
export const M = '#!$TopicNeedVerify_other';
export const pushOf = (messageTopic: string): string => `#!$PushChannel_${messageTopic}`;
export const challengeOf = (messageTopic: string, digit = '1'): string =>
  `#!$VerifyChannel_${messageTopic}_${digit.repeat(32)}`;

export const handleOf = (id: number): string => id.toString(16).padStart(16, '0');
export const digestOf = (id: number): string => id.toString(16).padStart(64, 'd');

export const session = (id: number, fields: Partial<PrivateSession> = {}): PrivateSession => ({
  id,
  handle: handleOf(id),
  certificateDigest: digestOf(id),
  organisation: `bank${id}`,
  subject: `sdk${id}`,
  ...fields,
});

export const nodeIdOf = (digit: string): string => digit.repeat(128);

/** A subscriber session behind a relay. */
export const remote = (id: number, messageTopic = N, fields: Partial<PrivateSubscriber> = {}): PrivateSubscriber => ({
  handle: handleOf(id),
  digest: digestOf(id),
  challengeTopic: challengeOf(messageTopic, (id % 16).toString(16)),
  ...fields,
});

export interface Question {
  readonly session: number;
  readonly nodeId: string;
  readonly topic: string;
  readonly topicForCert: string;
}

export class TopicsWorld {
  nowMs = 10_000;
  readonly posts: ControlToShard[] = [];
  readonly announced: ReadonlyMap<string, readonly PrivateSubscriber[]>[] = [];
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[] = [];
  readonly topics: PrivateTopics;
  readonly #stats = new Stats(createStatMemory());

  constructor(
    options: {
      readonly certifyLocal?: boolean;
      readonly maySend?: (name: string) => boolean;
      readonly ttlMs?: number;
      readonly agentTopics?: readonly string[];
      readonly verify?: PrivateTopicsOptions['verify'];
    } = {},
  ) {
    this.topics = new PrivateTopics({
      ownNodeId: nodeIdOf('f'),
      certifyLocal: options.certifyLocal ?? true,
      ttlMs: options.ttlMs ?? 600_000,
      maySend: (name) => options.maySend?.(name) ?? true,
      agentTopics: options.agentTopics ?? [],
      verify: options.verify ?? (async () => 'wrong'),
      logger: { enabled: () => true, log: (level, fields, message) => this.lines.push({ level, fields, message }) },
      clock: { nowMs: () => this.nowMs },
      stats: this.#stats,
      post: (message) => this.posts.push(message),
      announce: (subscribers) => this.announced.push(subscribers),
    });
  }

  /** All private names of a session. */
  has(who: PrivateSession, ...topics: string[]): void {
    this.topics.onMessage({ type: 'private-topics', session: who, topics, answered: [] });
  }

  /** The same of a session in whose place the relay answers challenges on these topics. */
  isServed(who: PrivateSession, ...messageTopics: string[]): void {
    const answered = messageTopics.map((topic) => challengeOf(topic, (who.id % 16).toString(16)));
    this.topics.onMessage({ type: 'private-topics', session: who, topics: [...messageTopics, ...answered], answered });
  }

  says(
    { id }: { readonly id: number },
    { nodeId, topic }: Pick<Question, 'nodeId' | 'topic'>,
    checkResult: number,
  ): void {
    const body = Buffer.from(JSON.stringify({ checkResult, nodeId, topic }));
    this.topics.onMessage({ type: 'certification-result', session: id, body });
  }

  /** A relay or a node is reached over this link. */
  peer(digit: string, link: number, isRelay = true): GossipPeer {
    this.topics.peerActive(nodeIdOf(digit), link);
    return { link, nodeId: nodeIdOf(digit), isRelay, bootEpochMs: 1 };
  }

  relayLists(peer: GossipPeer, ...subscribers: readonly (readonly [string, readonly PrivateSubscriber[]])[]): void {
    this.topics.peerTopics(peer, { kind: 'sessions', byTopic: new Map(subscribers) });
  }

  nodeLists(peer: GossipPeer, ...names: string[]): void {
    this.topics.peerTopics(peer, { kind: 'names', names });
  }

  pass(ms: number): void {
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      this.nowMs += 100;
      this.topics.tick();
    }
  }

  /** Questions since the last call, in the terms of the 0x37. */
  asked(): Question[] {
    return this.take('certify').map(({ session: id, body }) => ({
      session: id,
      ...JSON.parse(`${Buffer.from(body)}`),
    }));
  }

  /** The posts of a type since the last call that took them. */
  take<Type extends ControlToShard['type']>(type: Type): Extract<ControlToShard, { readonly type: Type }>[] {
    const taken = this.posts.filter((post) => post.type === type);
    for (const post of taken) this.posts.splice(this.posts.indexOf(post), 1);
    return taken as Extract<ControlToShard, { readonly type: Type }>[];
  }

  count(result: PrivateResult): number {
    return readStat([this.#stats.slots], 'privateResults', PRIVATE_RESULTS.indexOf(result));
  }
}
