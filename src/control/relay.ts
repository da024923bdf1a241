/**
 * The control thread: reads what the configuration names, starts shards and admin plane, decides about peers and their topics,
 * answers JSON-RPC, drains.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createHealth } from '../admin/health.js';
import { type AdminAddress, createAdminServer } from '../admin/http.js';
import type { RelayLogger } from '../admin/log.js';
import { createMetrics } from '../admin/metrics.js';
import { loadToken } from '../admin/token.js';
import { systemClock } from '../base/clock.js';
import { assert, errorText } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { createStatMemory, Stats } from '../base/stats.js';
import { type ConfigResult, type NodeAddress, parseNodeAddress, type RelayConfig } from '../config/index.js';
import { namesOf } from '../pki/peer.js';
import type { BoundListener, BoundP2p, ShardToControl } from '../shard/messages.js';
import { PeerService } from './peers/peer-service.js';
import { type Prepared, prepare } from './prepare.js';
import { ChallengeVerifier } from './private/challenge-verifier.js';
import { PrivateAccess } from './private/private-access.js';
import { type PrivateRules, PrivateTopics } from './private/private-topics.js';
import { noteReload, prepareReload, type Reloadable, type ReloadOutcome } from './reload.js';
import { answerRpc, type RpcSource } from './rpc.js';
import { ShardPool } from './shard-pool.js';
import { TopicDirectory } from './topic-directory.js';
import { keyChanges } from './topic-keys.js';

/** One shard is enough for a relay on its own; more need the ring between shards. */
const SHARDS = 1;
/** A shard says every second that it lives; after this long its event loop is stuck. */
const SHARD_SILENT_MS = 10_000;
/** Resolution of what is due about peers. */
const PEER_TICK_MS = 20;
/** The same about private topics, where everything that is urgent happens at once. */
const PRIVATE_TICK_MS = 100;
/** A shard takes over what was read anew in milliseconds, ten thousand sessions included. */
const RELOAD_TIMEOUT_MS = 5_000;
/** The shard that holds the links to peers. */
const PEER_SHARD = 0;

export interface RelayOptions {
  readonly config: RelayConfig;
  readonly logger: RelayLogger;
  /** Reads the configuration anew, for a reload. */
  readonly load: () => ConfigResult;
  /** Of encrypted TLS keys. */
  readonly passphrase?: string | undefined;
}

export interface RunningRelay {
  readonly listeners: readonly BoundListener[];
  /** The P2P port and who we are there. */
  readonly p2p: (BoundP2p & { readonly nodeId: string }) | undefined;
  readonly admin: AdminAddress;
  /** Resolves with a problem when the relay can no longer serve; never while it is healthy. */
  readonly failed: Promise<string>;
  /** Somebody asked over the admin port to drain. */
  readonly drainAsked: Promise<void>;
  /** Takes over a changed configuration; never rejects. */
  reload(): Promise<ReloadOutcome>;
  /** Drains and stops; resolves when everything has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a relay.
 * @throws RelayError `certificate-invalid`, `key-invalid`, `config-unreadable`, `listen-failed`, `admin-unavailable`,
 *   `shard-failed` or `start-timeout`; nothing is left running then
 */
export async function startRelay({ config, logger, load, passphrase }: RelayOptions): Promise<RunningRelay> {
  const prepared = prepare(config, logger, passphrase);
  const token = config.admin.token_file === undefined ? undefined : loadToken(config.admin.token_file);
  let current: Reloadable = { config, prepared, startedWith: config };
  const topics = new TopicDirectory();
  const version = packageVersion();
  let draining = false;
  let fail: (problem: string) => void = () => {};
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let lost: string | undefined;
  const stats = createStatMemory();
  const post = (message: Parameters<ShardPool['post']>[1]) => pool.post(PEER_SHARD, message);
  const verifier = new ChallengeVerifier(prepared.receiverKeys);
  const privates = new PrivateTopics({
    ownNodeId: identityOfNode(prepared).nodeId,
    certifyLocal: config.private_topics.certify_local,
    ttlMs: config.private_topics.certification_seconds * 1_000,
    ...privateRules(config, prepared),
    verify: (messageTopic, challenge, signature) => verifier.verify(messageTopic, challenge, signature),
    logger,
    clock: systemClock,
    stats: new Stats(stats),
    post,
    announce: (subscribers) => peers?.privateTopicsChanged(subscribers),
  });
  const peers = createPeerService(config, prepared, privates, logger, new Stats(stats), post);

  const rpcSource: RpcSource = {
    chainId: config.chain.id,
    groups: config.chain.groups,
    ...identityOfNode(prepared),
    version,
    endpoint: () => endpointOf(pool.listeners),
    topics,
    peers: () => peers?.listed() ?? [],
    privateStatus: (session, agentTopics) => privates.status(session, agentTopics),
  };
  const onMessage = (shard: number, message: ShardToControl): void => {
    switch (message.type) {
      case 'log':
        logger.log(message.level, message.fields, message.message);
        return;
      case 'rpc':
        pool.post(shard, {
          type: 'rpc-reply',
          call: message.call,
          body: answerRpc(rpcSource, message, message.body),
        });
        return;
      case 'subscriptions':
        topics.apply(message.added, message.removed);
        peers?.topicsChanged(message.added, message.removed);
        return;
      case 'listening':
      case 'alive':
        // Of the pool.
        return;
      case 'reloaded':
        reloaded(message.closed);
        return;
      case 'private-topics':
      case 'certification-result':
      case 'challenge-failed':
      case 'challenge-answered':
        privates.onMessage(message);
        return;
      default:
        peers?.onMessage(message);
    }
  };
  const pool = new ShardPool({
    shards: SHARDS,
    setup: prepared.setup,
    onMessage,
    onLost: (shard, problem) => {
      lost = `shard ${shard} is gone: ${problem}`;
      logger.log('error', { component: 'relay', shard, problem }, 'a shard is gone, the relay cannot go on');
      fail(lost);
    },
  });
  await pool.start(() => systemClock.nowMs());
  const timers = [setInterval(() => privates.tick(), PRIVATE_TICK_MS)];
  if (peers) timers.push(setInterval(() => peers.tick(), PEER_TICK_MS));
  const stopTimers = () => {
    for (const timer of timers) clearInterval(timer);
  };

  const reloads = { succeeded: 0, failed: 0, succeededSeconds: Date.now() / 1000 };
  let reloaded: (closed: number) => void = () => {};
  const applied = () =>
    new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the shard did not answer')), RELOAD_TIMEOUT_MS);
      reloaded = (closed) => {
        clearTimeout(timer);
        resolve(closed);
      };
    });
  const apply = async (): Promise<ReloadOutcome> => {
    const next = prepareReload(current, load, logger, passphrase);
    if (!next.ok) return next;
    const { config, prepared, kept } = next;
    const changes = keyChanges(current.prepared, prepared);
    current = next;
    logger.setLevel(config.log.level);
    const done = applied();
    post({ type: 'reload', setup: prepared.setup });
    peers?.reload({ ...peerRules(config), endpoints: endpointsOf(config) });
    verifier.setKeys(prepared.receiverKeys);
    privates.setRules(privateRules(config, prepared), changes);
    return { ok: true, kept, closed: await done };
  };
  let reloading: Promise<unknown> = Promise.resolve();
  const reload = (): Promise<ReloadOutcome> => {
    const outcome = reloading
      .then(apply)
      .catch((error: unknown) => ({ ok: false as const, problem: errorText(error) }));
    reloading = outcome.then((result) => noteReload(result, reloads, logger));
    return outcome;
  };
  let drainAsked: () => void = () => {};
  const drainPromise = new Promise<void>((resolve) => {
    drainAsked = resolve;
  });

  const certificates = () =>
    [
      ...current.prepared.listeners.map((identity, index) => ({ role: `rpc.listener[${index}]`, identity })),
      ...(current.prepared.p2p ? [{ role: 'network_security', identity: current.prepared.p2p }] : []),
    ].map(({ role, identity }) => ({ role, notAfterSeconds: identity.notAfter.getTime() / 1000 }));
  const nodeStatus = () => ({
    node: identityOfNode(prepared),
    ...(peers?.status() ?? { peers: [], endpoints: [] }),
  });
  const metrics = createMetrics({
    shardStats: () => [...pool.stats, new Float64Array(stats)],
    peers: () => ({ ...nodeStatus(), organisations: peers?.traffic ?? new Map() }),
    privatePairs: () => privates.counts(),
    buildInfo: { version, node: process.version, native: pool.scanner },
    certificates,
    reloads: () => reloads,
  });
  const health = createHealth({
    dead: () => lost ?? (pool.silentMs(systemClock.nowMs()) > SHARD_SILENT_MS ? 'a shard does not respond' : undefined),
    draining: () => draining,
    listeners: () => pool.listeners.length,
    certificates,
    now: () => Date.now(),
  });
  const admin = createAdminServer(
    {
      ...config.admin,
      metrics,
      health,
      peers: nodeStatus,
      privates: () => privates.status(),
      reload,
      drain: drainAsked,
      token,
    },
    logger,
  );
  const address = await admin.start().catch(async (error: unknown) => {
    stopTimers();
    await pool.stop(0);
    throw error;
  });

  return {
    listeners: pool.listeners,
    p2p: pool.p2p && prepared.p2p && { ...pool.p2p, nodeId: prepared.p2p.nodeId },
    admin: address,
    failed,
    drainAsked: drainPromise,
    reload,
    stop: async () => {
      draining = true;
      peers?.drain();
      await pool.stop(current.config.limits.drain_timeout_ms);
      stopTimers();
      await admin.stop();
    },
  };
}

function createPeerService(
  config: RelayConfig,
  prepared: Prepared,
  privates: PrivateTopics,
  logger: Logger,
  stats: Stats,
  post: (message: Parameters<ShardPool['post']>[1]) => void,
): PeerService | undefined {
  if (!prepared.p2p) return undefined;
  return new PeerService({
    ownNodeId: prepared.p2p.nodeId,
    endpoints: endpointsOf(config),
    ...peerRules(config),
    bootEpochMs: Date.now(),
    logger,
    clock: systemClock,
    random: Math.random,
    stats,
    privates,
    post,
  });
}

function endpointsOf(config: RelayConfig): NodeAddress[] {
  return config.p2p.nodes.map((node) => {
    const address = parseNodeAddress(node);
    assert('host' in address, 'the schema has checked p2p.nodes');
    return address;
  });
}

function peerRules(config: RelayConfig) {
  return {
    whitelist: config.certificate_whitelist.ids,
    blacklist: config.certificate_blacklist.ids,
    allowSdkCertificates: config.p2p.allow_sdk_certificates,
    peersMax: config.limits.peers_max,
  };
}

function privateRules(config: RelayConfig, { receiverKeys }: Prepared): PrivateRules {
  const access = new PrivateAccess(config.private_topic);
  return { maySend: (name, session) => access.maySend(name, session), agentTopics: [...receiverKeys.keys()] };
}

/**
 * How the relay names itself: as peers know it, else by the certificate of its first secp256k1 listener. A relay with RSA
 * certificates alone has no node ID; it shows the SHA-512 of its public key, which has the same form.
 */
function identityOfNode({ p2p, listeners }: Prepared): { nodeId: string; agency: string; name: string } {
  const identity = p2p ?? listeners.find((one) => one.nodeId !== undefined) ?? listeners[0];
  const spki = identity.leaf.publicKey.export({ type: 'spki', format: 'der' });
  const { subjectCn, issuerCn } = namesOf(identity.leaf);
  return {
    nodeId: identity.nodeId ?? createHash('sha512').update(spki).digest('hex'),
    agency: issuerCn,
    name: subjectCn,
  };
}

function endpointOf(listeners: readonly BoundListener[]): string {
  const first = listeners[0];
  if (!first) return '';
  return first.ip.includes(':') ? `[${first.ip}]:${first.port}` : `${first.ip}:${first.port}`;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
