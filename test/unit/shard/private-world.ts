/**
 * The private routes of a shard with the real router, table of topics and counters, and without sockets: sessions and links are
 * endpoints that keep what they are given. What the routes post to the control thread stands in `posts`.
 */
import { ROW_LENGTH, ROW_TOPIC, SCAN_COUNT, SCAN_HEAD, TopicFault } from '../../../src/addon/types.js';
import { silentLogger } from '../../../src/base/logger.js';
import { CHALLENGE_RESULTS, type ChallengeResult, createStatMemory, readStat, Stats } from '../../../src/base/stats.js';
import type { Endpoint } from '../../../src/core/endpoint.js';
import { Router } from '../../../src/core/router.js';
import { SeenCache } from '../../../src/core/seen-cache.js';
import { DetachedTopic, type Topic, TopicTable } from '../../../src/core/topic-table.js';
import type { ShardContext } from '../../../src/shard/context.js';
import type { ShardToControl } from '../../../src/shard/messages.js';
import type { PeerLink } from '../../../src/shard/peer-link.js';
import { type AgentSetup, PrivateAgents, type SignChallenge } from '../../../src/shard/private-agents.js';
import { type PrivateMessage, PrivateRoutes } from '../../../src/shard/private-routes.js';
import type { Session } from '../../../src/shard/session.js';
import { createRows } from '../../../src/transport/frame-reader.js';
import {
  CountingObserver,
  FakeEndpoint,
  MULTICAST,
  makeMessage,
  makeScanner,
  ROUTER_LIMITS,
  responseTo,
  UNICAST,
} from '../core/fakes.js';

export const N = '#!$TopicNeedVerify_n';
export const M = '#!$TopicNeedVerify_m';
export const pushOf = (messageTopic: string): string => `#!$PushChannel_${messageTopic}`;
export const challengeOf = (messageTopic: string, digit = '0'): string =>
  `#!$VerifyChannel_${messageTopic}_${digit.repeat(32)}`;
/** As the Java SDK makes it. */
export const RANDOM = '5e14c53197adbcb719d915fb93342c25';

export class FakeSession extends FakeEndpoint {
  readonly handle: string;
  identity;
  closed = false;
  readonly refusals: string[] = [];
  readonly acknowledged: Buffer[] = [];
  readonly sent: Buffer[] = [];

  constructor(id: number) {
    super(id);
    this.handle = id.toString(16).padStart(16, '0');
    this.identity = {
      remote: '127.0.0.1:1',
      subject: `sdk${id}`,
      organisation: 'bank',
      certificateDigest: id.toString(16).padStart(64, 'd'),
    };
  }

  refuse(refusal: string): void {
    this.refusals.push(refusal);
  }

  acknowledge(frame: Buffer): void {
    this.acknowledged.push(frame);
  }

  send(frame: Buffer): void {
    this.sent.push(frame);
  }
}

/** What a relay is given in a form of its own. */
export interface Relayed {
  readonly packetType: number;
  readonly prefix: Buffer;
  readonly frame: Buffer;
  readonly ticket: number;
}

/** As the scanner tells it; undefined for what is not one whole frame. */
type TopicIdOf = (frame: Buffer) => number | undefined;

export class FakeLink extends FakeEndpoint {
  override isPeer = true;
  closed = false;
  legacy: boolean;
  readonly identity: { readonly nodeId: string };
  readonly refusals: string[] = [];
  readonly relayed: Relayed[] = [];
  readonly #topicIdOf: TopicIdOf;

  constructor(id: number, legacy: boolean, topicIdOf: TopicIdOf, nodeId = id.toString(16).padStart(128, '0')) {
    super(id);
    this.legacy = legacy;
    this.#topicIdOf = topicIdOf;
    this.identity = { nodeId };
  }

  override deliver(frame: Buffer, ticket: number, topic?: Topic, sender?: Endpoint): boolean {
    if (!(topic instanceof DetachedTopic) || this.legacy || !sender) return super.deliver(frame, ticket);
    const prefix = topic.form.prefix(this.id, frame, sender);
    if (!prefix || this.full) return false;
    this.relayed.push({ packetType: topic.form.packetType, prefix, frame, ticket });
    return true;
  }

  refuse(refusal: string): void {
    this.refusals.push(refusal);
  }

  routableTopic(frame: Buffer): number | undefined {
    const id = this.#topicIdOf(frame);
    return id !== undefined && id >= TopicFault.unknown ? id : undefined;
  }
}

const asSession = (session: FakeSession): Session => session as unknown as Session;
const asLink = (link: FakeLink): PeerLink => link as unknown as PeerLink;

export class PrivateWorld {
  nowMs = 1_000;
  /** Refuses messages, as a bandwidth limit does. */
  flowRefuses = false;
  readonly posts: ShardToControl[] = [];
  readonly observer = new CountingObserver();
  readonly router: Router;
  readonly routes: PrivateRoutes;
  readonly #topics: TopicTable;
  readonly #stats = new Stats(createStatMemory());
  readonly #endpoints = new Map<number, FakeSession | FakeLink>();
  readonly #scanner = makeScanner();
  readonly #rows = createRows();
  readonly #topicIdOf: TopicIdOf = (frame) => {
    this.#scanner.scan(frame, 0, this.#rows);
    const isWhole = this.#rows[SCAN_COUNT] === 1 && this.#rows[SCAN_HEAD + ROW_LENGTH] === frame.length;
    return isWhole ? this.#rows[SCAN_HEAD + ROW_TOPIC] : undefined;
  };
  #nextId = 1;

  /** @param sign what the relay signs with, where it answers challenges */
  constructor(agents: readonly AgentSetup[] = [], sign?: SignChallenge) {
    this.#topics = new TopicTable(this.#scanner);
    const { observer } = this;
    // As the shard does: the end of a private request is told to the routes.
    const count = observer.failed.bind(observer);
    observer.failed = (requester, frame, code, reason, durationMs) => {
      count(requester, frame, code, reason, durationMs);
      this.routes.observed(requester, frame, code);
    };
    this.router = new Router(this.#topics, new SeenCache(64, 30_000), ROUTER_LIMITS, observer, 1);
    const world = this;
    const context = {
      scanner: this.#scanner,
      router: this.router,
      topics: this.#topics,
      stats: this.#stats,
      logger: silentLogger,
      clock: { nowMs: () => this.nowMs },
      flow: {
        get enabled() {
          return world.flowRefuses;
        },
        topic: () => undefined,
        offer: () => 'session',
        openSession: () => ({}),
      },
    } as unknown as ShardContext;
    this.routes = new PrivateRoutes(
      context,
      (message) => this.posts.push(message),
      (id) => this.#endpoints.get(id) as unknown as Session | PeerLink | undefined,
      new PrivateAgents(agents, sign),
    );
  }

  session(...topics: string[]): FakeSession {
    const session = new FakeSession(this.#nextId++);
    this.#endpoints.set(session.id, session);
    if (topics.length > 0) this.subscribe(session, ...topics);
    return session;
  }

  /**
   * To a relay, or to a 2.x node.
   * @param nodeId another one than that of every other link, unless a test says whose second link it is
   */
  link(kind: 'relay' | 'node' = 'relay', nodeId?: string): FakeLink {
    const link = new FakeLink(this.#nextId++, kind === 'node', this.#topicIdOf, nodeId);
    this.#endpoints.set(link.id, link);
    return link;
  }

  subscribe(session: FakeSession, ...topics: string[]): void {
    this.#topics.replace(session, topics);
    this.routes.subscribed(asSession(session), topics);
  }

  /** In the order in which a session and a link end in the shard. */
  end(endpoint: FakeSession | FakeLink): void {
    endpoint.closed = true;
    this.#topics.remove(endpoint);
    if (endpoint instanceof FakeSession) this.routes.sessionEnded(asSession(endpoint));
    else this.routes.linkEnded(asLink(endpoint));
    this.router.sessionGone(endpoint, this.nowMs);
    this.#endpoints.delete(endpoint.id);
  }

  control(message: PrivateMessage): void {
    this.routes.onMessage(message);
  }

  /** The control thread takes the session for a sender on the topic, by a route with these receivers. */
  route(sender: FakeSession, topic: string, ...receivers: (FakeSession | FakeLink)[]): string {
    const route = `s${sender.id}`;
    this.control({ type: 'private-sender', session: sender.id, topic, route });
    for (const receiver of receivers) this.target(route, topic, receiver);
    return route;
  }

  target(route: string, topic: string, { id }: { readonly id: number }, handles: readonly string[] = []): void {
    this.control({ type: 'private-target', route, topic, endpoint: id, handles });
  }

  /** A frame of a session, on a private topic. */
  send(session: FakeSession, frame: Buffer): Buffer {
    this.routes.fromSession(asSession(session), frame, this.#topicIdOf(frame) ?? TopicFault.unknown);
    return frame;
  }

  result(session: FakeSession, frame: Buffer): void {
    this.routes.result(asSession(session), frame);
  }

  acknowledges(session: FakeSession, frame: Buffer): boolean {
    return this.routes.acknowledges(asSession(session), frame);
  }

  /** A plain frame of a peer on a private topic. */
  fromNode(link: FakeLink, frame: Buffer, ticket = 7): void {
    this.routes.fromNode(asLink(link), frame, this.#topicIdOf(frame) ?? TopicFault.unknown, ticket);
  }

  fromRelay(link: FakeLink, packetType: number, payload: Buffer, ticket = 7): void {
    this.routes.fromRelay(asLink(link), packetType, payload, ticket);
  }

  answer(from: FakeEndpoint, request: Buffer, result = 0): boolean {
    return this.router.response(from, responseTo(request, result), this.nowMs);
  }

  challenges(result: ChallengeResult): number {
    return readStat([this.#stats.slots], 'challenges', CHALLENGE_RESULTS.indexOf(result));
  }

  stat(name: 'multicastCopies' | 'multicastDropped' | 'multicastDuplicates' | 'bandwidthRefused'): number {
    return readStat([this.#stats.slots], name);
  }

  postsOf<Type extends ShardToControl['type']>(type: Type): Extract<ShardToControl, { readonly type: Type }>[] {
    return this.posts.filter((post) => post.type === type) as Extract<ShardToControl, { readonly type: Type }>[];
  }
}

export const failuresOf = (endpoint: FakeEndpoint): (string | number | undefined)[][] =>
  endpoint.answers.map(({ code, reason }) => [code, reason]);

/** Frames with a sequence of their own each. */
let sequence = 0;
export const V = challengeOf(N);
export const unicast = (topic = N, payload = 'secret'): Buffer =>
  makeMessage(UNICAST, `u${sequence++}`, topic, payload);
export const multicast = (topic = N, payload = 'secret'): Buffer =>
  makeMessage(MULTICAST, `m${sequence++}`, topic, payload);
export const challenge = (topic = V, payload = RANDOM): Buffer =>
  makeMessage(UNICAST, `c${sequence++}`, topic, payload);

/** A sender of N with a push topic and a receiver that is allowed, both here. */
export function pair(): { world: PrivateWorld; alice: FakeSession; bob: FakeSession; route: string } {
  const world = new PrivateWorld();
  const alice = world.session(pushOf(N));
  const bob = world.session(N, V);
  const route = world.route(alice, N, bob);
  return { world, alice, bob, route };
}
