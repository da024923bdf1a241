/** Hosts with a peer service and what its shard knows of links and routes. */
import { silentLogger } from '../../../../src/base/logger.js';
import { P2P_REFUSALS } from '../../../../src/base/p2p-close-reason.js';
import { createStatMemory, readStat, Stats } from '../../../../src/base/stats.js';
import { PeerService } from '../../../../src/control/peers/peer-service.js';
import type { ControlToShard, ShardToControl } from '../../../../src/shard/messages.js';
import { type Host, Process, World, type WorldSetup } from './host-world.js';
import { noPrivates } from './no-privates.js';

const TICK_MS = 20;
/** Lists are waited for 300 ms, and the end of that is seen at the next tick. */
const MISS_MS_MAX = 300 + TICK_MS;

type Frame = Omit<Extract<ShardToControl, { readonly type: 'peer-frame' }>, 'type' | 'link'>;

/** What the shard was told of a link. */
interface LinkAtShard {
  routes: Map<string, number>;
  state: string;
  bootEpochMs: number;
}

export type ServiceWorld = World<Frame>;

export function makeServiceWorld(setup: WorldSetup): ServiceWorld {
  return new World<Frame>(setup, (host) => new ServiceProcess(host));
}

/** What runs on the two hosts. */
export function servicesOf(world: ServiceWorld): [ServiceProcess, ServiceProcess] {
  const { process: lower } = world.lower;
  const { process: higher } = world.higher;
  if (lower instanceof ServiceProcess && higher instanceof ServiceProcess) return [lower, higher];
  throw new Error('a host is down');
}

export class ServiceProcess extends Process<Frame> {
  readonly links = new Map<number, LinkAtShard>();
  /** Subscriber sessions by topic. */
  readonly subscribers = new Map<string, number>();
  readonly bootEpochMs: number;
  readonly #service: PeerService;
  readonly #stats = createStatMemory();
  /** Since when requests wait for the lists of peers. */
  #missedMs: number | undefined = undefined;

  constructor(host: Host<Frame>) {
    super(host);
    const { world } = this;
    this.bootEpochMs = Math.floor(this.nowMs) + 1;
    this.#service = new PeerService({
      ownNodeId: host.nodeId,
      endpoints: Array.from({ length: host.endpoints }, () => ({ host: 'other', port: 1 })),
      peersMax: 8,
      whitelist: [],
      blacklist: [],
      allowSdkCertificates: false,
      bootEpochMs: this.bootEpochMs,
      logger: silentLogger,
      clock: { nowMs: () => world.time.nowMs },
      random: world.random,
      stats: new Stats(this.#stats),
      privates: noPrivates(host.nodeId),
      post: (message) => this.#act(message),
    });
    this.every(TICK_MS, () => this.#service.tick());
  }

  /** Gossip of the other side that was taken for bad input. */
  get refused(): number {
    const slots = [new Float64Array(this.#stats)];
    return P2P_REFUSALS.reduce((sum, _, at) => sum + readStat(slots, 'p2pInputRefused', at), 0);
  }

  /** One more or one less subscriber of a topic. */
  change(topic: string, by: 1 | -1): void {
    const count = (this.subscribers.get(topic) ?? 0) + by;
    if (count < 0) return;
    if (count === 0) this.subscribers.delete(topic);
    else this.subscribers.set(topic, count);
    this.#service.topicsChanged(by > 0 ? [topic] : [], by < 0 ? [topic] : []);
  }

  /** A request finds nobody. */
  miss(): void {
    if (this.#missedMs !== undefined) return;
    this.#missedMs = this.nowMs;
    this.#service.onMessage({ type: 'topics-missed' });
  }

  linkUp(link: number, endpoint: number | undefined): void {
    this.links.set(link, { routes: new Map(), state: 'held', bootEpochMs: 0 });
    this.#service.onMessage({
      type: 'peer-up',
      peer: {
        link,
        dialled: endpoint !== undefined,
        endpoint,
        nodeId: this.host.other.nodeId,
        keyKind: 'secp256k1',
        isSdkCertificate: false,
        agency: 'agency',
        name: 'node',
        organisation: 'agency',
        remote: 'other:1',
      },
    });
  }

  received(link: number, frame: Frame): void {
    this.#service.onMessage({ type: 'peer-frame', link, ...frame });
  }

  linkDown(link: number): void {
    this.links.delete(link);
    if (this.active === link) this.deactivate(link);
    this.#service.onMessage({ type: 'peer-down', link, reason: 'peer-closed' });
  }

  dialFailed(endpoint: number): void {
    this.#service.onMessage({ type: 'peer-dial-failed', endpoint, explanation: 'refused' });
  }

  check(): void {
    for (const [link, { routes, state }] of this.links) {
      if (state !== 'active' && routes.size > 0) throw new Error(`link ${link} is ${state} and has routes`);
    }
    const waitsMs = this.nowMs - (this.#missedMs ?? this.nowMs);
    if (waitsMs > MISS_MS_MAX) throw new Error(`a request has waited ${waitsMs} ms for lists`);
  }

  #act(message: ControlToShard): void {
    if (message.type === 'peer-dial') {
      this.world.dial(this, message.endpoint);
      return;
    }
    if (message.type === 'topics-pulled') this.#missedMs = undefined;
    const link = 'link' in message ? this.links.get(message.link) : undefined;
    // The shard ignores what comes for a link that has ended.
    if (!link || !('link' in message)) return;
    if (message.type === 'peer-send') {
      const { module, response, packetType, seq, payload } = message;
      this.send(message.link, { module, response, packetType, seq, payload });
    } else if (message.type === 'peer-close') {
      this.links.delete(message.link);
      this.close(message.link);
      this.#service.onMessage({ type: 'peer-down', link: message.link, reason: message.reason });
    } else if (message.type === 'peer-routes') {
      link.routes = new Map(message.topics.map((topic, at) => [topic, message.weights[at]]));
    } else if (message.type === 'peer-state') {
      if (message.state === 'active' && this.active !== message.link) this.activate(message.link);
      else if (message.state !== 'active' && this.active === message.link) this.deactivate(message.link);
      link.state = message.state;
      link.bootEpochMs = message.bootEpochMs;
    }
  }
}
