/**
 * The control thread: reads what the configuration names, starts shards and admin plane, answers JSON-RPC, drains.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createHealth } from '../admin/health.js';
import { type AdminAddress, createAdminServer } from '../admin/http.js';
import { createMetrics } from '../admin/metrics.js';
import { systemClock } from '../base/clock.js';
import { RelayError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { limitsFromConfig, type RelayConfig } from '../config/index.js';
import type { TlsIdentity } from '../pki/identity.js';
import { loadListenerIdentity } from '../pki/load.js';
import { namesOf } from '../pki/peer.js';
import type { BoundListener, ShardToControl } from '../shard/messages.js';
import { answerRpc, type RpcSource } from './rpc.js';
import { ShardPool } from './shard-pool.js';
import { TopicDirectory } from './topic-directory.js';

/** One shard is enough for a relay on its own; more need the ring between shards. */
const SHARDS = 1;
/** A shard says every second that it lives; after this long its event loop is stuck. */
const SHARD_SILENT_MS = 10_000;

export interface RelayOptions {
  readonly config: RelayConfig;
  readonly logger: Logger;
}

export interface RunningRelay {
  readonly listeners: readonly BoundListener[];
  readonly admin: AdminAddress;
  /** Resolves with a problem when the relay can no longer serve; never while it is healthy. */
  readonly failed: Promise<string>;
  /** Drains and stops; resolves when everything has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a relay.
 * @throws RelayError `certificate-invalid`, `key-invalid`, `config-unreadable`, `listen-failed`, `admin-unavailable`,
 *   `shard-failed` or `start-timeout`; nothing is left running then
 */
export async function startRelay({ config, logger }: RelayOptions): Promise<RunningRelay> {
  const identities = config.rpc.listener.map((listener) => {
    const identity = loadListenerIdentity(
      {
        key: listener.key,
        cert: listener.cert,
        caCert: listener.ca_cert,
        ...(listener.crl ? { crl: listener.crl } : {}),
      },
      new Date(),
    );
    for (const warning of identity.warnings) logger.log('warn', { component: 'tls', warning }, 'certificate warning');
    return identity;
  });
  refuseUnbuilt(config);
  const topics = new TopicDirectory();
  const version = packageVersion();
  let draining = false;
  let fail: (problem: string) => void = () => {};
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let lost: string | undefined;

  const rpcSource: RpcSource = {
    chainId: config.chain.id,
    groups: config.chain.groups,
    ...identityOfNode(identities),
    version,
    endpoint: () => endpointOf(pool.listeners),
    topics,
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
          body: answerRpc(rpcSource, message.body, message.ownClient),
        });
        return;
      case 'subscriptions':
        topics.apply(message.added, message.removed);
        return;
      default:
        return;
    }
  };
  const pool = new ShardPool({
    shards: SHARDS,
    setup: {
      listeners: config.rpc.listener.map((listener, index) => ({
        ip: listener.channel_listen_ip,
        port: listener.channel_listen_port,
        kind: identities[index].kind,
        certPem: identities[index].certPem,
        keyPem: identities[index].keyPem,
        caPem: identities[index].caPem,
        crlPem: identities[index].crlPem,
      })),
      tls: config.tls,
      limits: limitsFromConfig(config.limits),
      logLevel: config.log.level,
    },
    onMessage,
    onLost: (shard, problem) => {
      lost = `shard ${shard} is gone: ${problem}`;
      logger.log('error', { component: 'relay', shard, problem }, 'a shard is gone, the relay cannot go on');
      fail(lost);
    },
  });
  await pool.start(() => systemClock.nowMs());

  const certificates = identities.map((identity, index) => ({
    role: `rpc.listener[${index}]`,
    notAfterSeconds: identity.notAfter.getTime() / 1000,
  }));
  const metrics = createMetrics({
    shardStats: () => pool.stats,
    buildInfo: { version, node: process.version, native: pool.scanner },
    certificates: () => certificates,
  });
  const health = createHealth({
    dead: () => lost ?? (pool.silentMs(systemClock.nowMs()) > SHARD_SILENT_MS ? 'a shard does not respond' : undefined),
    draining: () => draining,
    listeners: () => pool.listeners.length,
    certificates: () => certificates,
    now: () => Date.now(),
  });
  const admin = createAdminServer({ ...config.admin, metrics, health }, logger);
  const address = await admin.start().catch(async (error: unknown) => {
    await pool.stop(0);
    throw error;
  });

  return {
    listeners: pool.listeners,
    admin: address,
    failed,
    stop: async () => {
      draining = true;
      await pool.stop(config.limits.drain_timeout_ms);
      await admin.stop();
    },
  };
}

/**
 * How the relay names itself in JSON-RPC: by the certificate of its first secp256k1 listener. A relay with RSA certificates
 * alone has no node ID; it shows the SHA-512 of its public key, which has the same form.
 */
function identityOfNode(identities: readonly TlsIdentity[]): { nodeId: string; agency: string; name: string } {
  const identity = identities.find((one) => one.nodeId !== undefined) ?? identities[0];
  const spki = identity.leaf.publicKey.export({ type: 'spki', format: 'der' });
  const { subjectCn, issuerCn } = namesOf(identity.leaf);
  return {
    nodeId: identity.nodeId ?? createHash('sha512').update(spki).digest('hex'),
    agency: issuerCn,
    name: subjectCn,
  };
}

/**
 * Sections whose part of the relay does not exist yet: better no start than a setting that silently does nothing.
 * @throws RelayError `config-invalid`
 */
function refuseUnbuilt(config: RelayConfig): void {
  const unbuilt = [
    config.network_security === undefined ? '' : '[network_security]',
    Object.values(config.flow_control).some((limit) => (Array.isArray(limit) ? limit.length > 0 : limit !== undefined))
      ? '[flow_control]'
      : '',
    config.organisation.length === 0 ? '' : '[[organisation]]',
  ].filter((name) => name !== '');
  if (unbuilt.length === 0) return;
  throw new RelayError(
    'config-invalid',
    `${unbuilt.join(', ')}: this version has no P2P port and no bandwidth limits yet; remove the section`,
  );
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
