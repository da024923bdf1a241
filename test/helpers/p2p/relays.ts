/**
 * Two or three relays as processes, joined over their P2P ports, and the configuration that joins them. Each relay has a
 * proxy in front of its P2P port, and the others dial the proxy: its port is known before the relay runs and stays the
 * same when the relay is started again, and a test can delay, cut and count there.
 */
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { until } from '../deadline.js';
import type { RawClient } from '../raw-client.js';
import { type ConnectOptions, type RelayOptions, RelayProcess } from '../relay-process.js';
import { type Agency, type NodeCredentials, P2PPki } from './p2p-pki.js';
import { TcpProxy } from './tcp-proxy.js';

const LINK_DEADLINE_MS = 10_000;

export interface P2PConfig {
  readonly credentials: NodeCredentials;
  /** Ports on 127.0.0.1. */
  readonly dials?: readonly number[];
  /** Further entries of `nodes`, as they stand. */
  readonly addresses?: readonly string[];
  /** `2.0.0-rc1` selects the RC1 header. */
  readonly supportedVersion?: string;
  readonly whitelist?: readonly string[];
  readonly blacklist?: readonly string[];
  readonly allowSdkCertificates?: boolean;
  readonly crl?: string;
  /** Lines of `[flow_control]`, and whatever comes behind it. */
  readonly flowControl?: string;
  readonly extraToml?: string;
}

export interface MeshOptions {
  readonly count?: number;
  /** `mutual`: each relay dials every other one; otherwise only the ones started before it. */
  readonly mutual?: boolean;
  readonly agencies?: readonly Agency[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly logLevel?: string;
  readonly supportedVersion?: string;
  /** Further nodes that every relay dials, such as a scripted one. */
  readonly dials?: readonly number[];
  /** Further sections of every relay. */
  readonly extraToml?: string;
  /** Per relay. */
  readonly flowControl?: readonly (string | undefined)[];
  /** Another build than the one under test, for every relay. */
  readonly distDir?: string;
}

/** What is not about the P2P port. */
export type ProcessOptions = Pick<RelayOptions, 'limits' | 'logLevel' | 'distDir'>;

export function p2pToml(config: P2PConfig): string {
  const list = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  const { key, cert, ca } = config.credentials.files;
  const lines = [
    '[p2p]',
    'listen_ip = "127.0.0.1"',
    'listen_port = 0',
    `nodes = ${list([...(config.dials ?? []).map((port) => `127.0.0.1:${port}`), ...(config.addresses ?? [])])}`,
  ];
  if (config.allowSdkCertificates !== undefined) lines.push(`allow_sdk_certificates = ${config.allowSdkCertificates}`);
  if (config.crl !== undefined) lines.push(`crl = ${JSON.stringify(config.crl)}`);
  lines.push(
    '[network_security]',
    `key = ${JSON.stringify(key)}`,
    `cert = ${JSON.stringify(cert)}`,
    `ca_cert = ${JSON.stringify(ca)}`,
  );
  if (config.supportedVersion !== undefined) {
    lines.push('[compatibility]', `supported_version = ${JSON.stringify(config.supportedVersion)}`);
  }
  if (config.whitelist !== undefined) lines.push('[certificate_whitelist]', `ids = ${list(config.whitelist)}`);
  if (config.blacklist !== undefined) lines.push('[certificate_blacklist]', `ids = ${list(config.blacklist)}`);
  if (config.flowControl !== undefined) lines.push('[flow_control]', config.flowControl);
  if (config.extraToml !== undefined) lines.push(config.extraToml);
  return lines.join('\n');
}

/** A relay with a P2P port. */
export class P2PRelay {
  readonly process: RelayProcess;
  readonly credentials: NodeCredentials;
  readonly nodeId: string;
  readonly p2pPort: number;

  private constructor(process: RelayProcess, credentials: NodeCredentials, p2pPort: number) {
    this.process = process;
    this.credentials = credentials;
    this.nodeId = credentials.nodeId;
    this.p2pPort = p2pPort;
  }

  static async start(config: P2PConfig, options: ProcessOptions = {}): Promise<P2PRelay> {
    const relay = await RelayProcess.start({ ...options, extraToml: p2pToml(config) });
    const ready = relay.logs.find(({ msg }) => msg === 'relay ready')?.p2p as
      | { port: number; nodeId: string }
      | undefined;
    if (ready === undefined || !(ready.port > 0) || ready.nodeId !== config.credentials.nodeId) {
      await relay.cleanUp().catch(() => {});
      throw new Error(`the line "relay ready" names no P2P port, or another node ID: ${JSON.stringify(ready)}`);
    }
    return new P2PRelay(relay, config.credentials, ready.port);
  }

  async activePeers(): Promise<number> {
    return (await this.process.metrics()).value('amop_peers', { state: 'active' });
  }

  waitForPeers(count: number, deadlineMs: number = LINK_DEADLINE_MS): Promise<true> {
    let active = -1;
    return until(
      async () => {
        active = await this.activePeers();
        return (active === count) as true;
      },
      () => `${count} active peers, there are ${active}`,
      deadlineMs,
    );
  }
}

/** A relay for one test. */
export async function startP2PRelay(config: P2PConfig, options: ProcessOptions = {}): Promise<P2PRelay> {
  const relay = await P2PRelay.start(config, options);
  onTestFinished(() => relay.process.cleanUp());
  return relay;
}

export class Mesh {
  readonly pki: P2PPki;
  readonly credentials: readonly NodeCredentials[];
  /** In front of each relay. */
  readonly proxies: readonly TcpProxy[];
  readonly relays: P2PRelay[] = [];
  private readonly options: MeshOptions;
  private readonly markers = new Map<number, RawClient>();
  private markerNumber = 0;

  private constructor(pki: P2PPki, options: MeshOptions, proxies: readonly TcpProxy[]) {
    this.pki = pki;
    this.options = options;
    this.proxies = proxies;
    this.credentials = proxies.map((_, index) => pki.node(`relay${index}`, options.agencies?.[index] ?? 'A'));
  }

  /** The caller owns its end. Tests use `startMesh` or `useMesh`. */
  static async start(options: MeshOptions = {}, pki?: P2PPki): Promise<Mesh> {
    const count = options.count ?? 2;
    const proxies = await Promise.all(Array.from({ length: count }, () => TcpProxy.start()));
    const mesh = new Mesh(pki ?? (await P2PPki.create()), options, proxies);
    try {
      for (let index = 0; index < count; index++) await mesh.startRelay(index);
      await mesh.linked();
      return mesh;
    } catch (error) {
      await mesh.stop().catch(() => {});
      throw error;
    }
  }

  /** A relay by its number; fails while it is down. */
  relay(index: number): RelayProcess {
    return this.relays[index].process;
  }

  connect(index: number, options?: ConnectOptions): Promise<RawClient> {
    return this.relay(index).connect(options);
  }

  /** A client whose topics are routable from every relay. */
  async subscriber(index: number, topics: readonly string[], options?: ConnectOptions): Promise<RawClient> {
    const client = await this.relay(index).subscriber(topics, options);
    await this.settled(index);
    return client;
  }

  async startRelay(index: number): Promise<void> {
    const { limits, logLevel, distDir } = this.options;
    const dials = this.proxies.filter((_, other) => other < index || (this.options.mutual === true && other !== index));
    const relay = await P2PRelay.start(
      {
        credentials: this.credentials[index],
        dials: [...dials.map(({ port }) => port), ...(this.options.dials ?? [])],
        supportedVersion: this.options.supportedVersion,
        flowControl: this.options.flowControl?.[index],
        extraToml: this.options.extraToml,
      },
      { limits, logLevel, distDir },
    );
    this.relays[index] = relay;
    this.proxies[index].target = relay.p2pPort;
    this.markers.delete(index);
  }

  /** Waits until every relay has a link to every other one, and to the further nodes. */
  async linked(deadlineMs?: number): Promise<void> {
    const count = this.proxies.length - 1 + (this.options.dials?.length ?? 0);
    await Promise.all(this.relays.map((relay) => relay.waitForPeers(count, deadlineMs)));
  }

  /**
   * Returns when every other relay knows all topics that relay `from` had at the call. Topic lists are whole, so a
   * topic subscribed now cannot be known before the older ones are.
   */
  async settled(from: number): Promise<void> {
    let marker = this.markers.get(from);
    if (marker === undefined || marker.isClosed) {
      marker = await this.relay(from).connect({ name: `marker ${from}`, onFrame: ({ type }) => type === 0x30 });
      marker.answerWithEcho();
      this.markers.set(from, marker);
    }
    const topic = `settled-${from}-${this.markerNumber++}`;
    await marker.subscribe(topic);
    await Promise.all(
      this.relays.map(async ({ process }, index) => {
        if (index === from) return;
        const prober = await process.connect();
        await until(async () => (await prober.request(topic)).result === 0, `${topic} to be routable from ${index}`);
        await prober.close();
      }),
    );
  }

  /** SIGKILL: no farewell on any connection. */
  async kill(index: number): Promise<void> {
    const { process } = this.relays[index];
    process.signal('SIGKILL');
    await process.waitForExit();
    await process.cleanUp();
  }

  async terminate(index: number): Promise<void> {
    const { process } = this.relays[index];
    await process.terminate();
    await process.cleanUp();
  }

  async stop(): Promise<void> {
    const results = await Promise.allSettled(this.relays.map(({ process }) => process.cleanUp()));
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.pki.remove();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** Relays for one test. */
export async function startMesh(options: MeshOptions = {}, pki?: P2PPki): Promise<Mesh> {
  const mesh = await Mesh.start(options, pki);
  onTestFinished(() => mesh.stop());
  return mesh;
}

/** Relays for all tests of a file. */
export function useMesh(options: MeshOptions = {}): () => Mesh {
  let mesh: Mesh | undefined;
  beforeAll(async () => {
    mesh = await Mesh.start(options);
  });
  afterAll(() => mesh?.stop());
  return () => {
    if (mesh === undefined) throw new Error('the relays are not running yet');
    return mesh;
  };
}
