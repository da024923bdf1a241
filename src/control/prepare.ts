/** What the configuration names, read and checked, in the form in which a shard takes it. */

import { RelayError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { limitsFromConfig, p2pFormatOf, type RelayConfig } from '../config/index.js';
import type { FlowLimits } from '../core/flow-control.js';
import { mbitToBytesPerSecond } from '../core/token-bucket.js';
import { privateHexOf } from '../pki/amop-key.js';
import { loadAmopPrivateKey, loadAmopPublicKey } from '../pki/amop-key-file.js';
import { parseCertificates, readPemFile } from '../pki/files.js';
import type { TlsIdentity } from '../pki/identity.js';
import { loadListenerIdentity } from '../pki/load.js';
import { namesOf, organisationIdOf } from '../pki/peer.js';
import type { ListenerSetup, Organisation, ShardSetup } from '../shard/messages.js';
import type { AgentSetup } from '../shard/private-agents.js';
import { MESSAGE_TOPIC_PREFIX } from '../wire/channel/topic.js';

export interface Prepared {
  /** In the order of `[[rpc.listener]]`. */
  readonly listeners: readonly TlsIdentity[];
  /** Of the P2P port, where there is one; it has a node ID. */
  readonly p2p: (TlsIdentity & { readonly nodeId: string }) | undefined;
  /** Public keys (X || Y) of receivers that the relay certifies itself, by message topic. */
  readonly receiverKeys: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly setup: Omit<ShardSetup, 'index' | 'port' | 'stats'>;
}

/**
 * Reads everything.
 * @throws RelayError `certificate-invalid`, `key-invalid`, `config-unreadable` or `config-invalid`, the first problem found
 */
export function prepare(config: RelayConfig, logger: Logger): Prepared {
  const listeners = config.rpc.listener.map((listener) => loadIdentity(listener, logger));
  const p2p = config.network_security && loadP2pIdentity(config.network_security, config.p2p.crl, logger);
  return {
    listeners,
    p2p,
    receiverKeys: loadReceiverKeys(config),
    setup: {
      listeners: config.rpc.listener.map((listener, index) =>
        listenerSetup(listener.channel_listen_ip, listener.channel_listen_port, listeners[index]),
      ),
      p2p: p2p && {
        ...listenerSetup(config.p2p.listen_ip, config.p2p.listen_port, p2p),
        format: p2pFormatOf(config.compatibility.supported_version),
      },
      tls: config.tls,
      limits: limitsFromConfig(config.limits),
      organisations: loadOrganisations(config),
      flowLimits: flowLimits(config),
      agents: loadAgents(config, logger),
      logLevel: config.log.level,
    },
  };
}

function loadIdentity(
  files: { readonly key: string; readonly cert: string; readonly ca_cert: string; readonly crl?: string | undefined },
  logger: Logger,
): TlsIdentity {
  const { key, cert, ca_cert: caCert, crl } = files;
  const identity = loadListenerIdentity({ key, cert, caCert, ...(crl === undefined ? {} : { crl }) }, new Date());
  for (const warning of identity.warnings) logger.log('warn', { component: 'tls', warning }, 'certificate warning');
  return identity;
}

/** A peer is known by the public key of its certificate, and 2.x nodes refuse a leaf without basicConstraints. */
function loadP2pIdentity(
  files: NonNullable<RelayConfig['network_security']>,
  crl: string | undefined,
  logger: Logger,
): TlsIdentity & { readonly nodeId: string } {
  const identity = loadIdentity({ ...files, crl }, logger);
  const { nodeId } = identity;
  const fail = (what: string) =>
    new RelayError('certificate-invalid', `network_security.cert file ${files.cert}: the certificate ${what}`);
  if (identity.kind !== 'secp256k1' || nodeId === undefined) {
    throw fail('is an RSA one; the P2P port needs a secp256k1 certificate, whose public key is the node ID');
  }
  if (!namesOf(identity.leaf).basicConstraints) {
    throw fail('has no basicConstraints extension, and 2.x nodes refuse such a peer; issue it with CA:FALSE');
  }
  return { ...identity, nodeId };
}

function listenerSetup(ip: string, port: number, identity: TlsIdentity): ListenerSetup {
  const { kind, certPem, keyPem, caPem, crlPem } = identity;
  return { ip, port, kind, certPem, keyPem, caPem, crlPem };
}

function loadOrganisations(config: RelayConfig): Organisation[] {
  const owners = new Map<string, string>();
  return config.organisation.map(({ name, issuers }, index) => {
    const issuerIds = issuers.flatMap((path, at) =>
      parseCertificates(readPemFile(path, `organisation[${index}].issuers[${at}]`)).map(organisationIdOf),
    );
    for (const id of issuerIds) {
      const owner = owners.get(id) ?? name;
      if (owner !== name) {
        throw new RelayError(
          'config-invalid',
          `organisation[${index}].issuers: a CA of ${JSON.stringify(name)} belongs to ${JSON.stringify(owner)} already`,
        );
      }
      owners.set(id, name);
    }
    return { name, issuerIds };
  });
}

function flowLimits({ flow_control: limits }: RelayConfig): FlowLimits {
  const bytes = (mbit: number | undefined) => (mbit === undefined ? undefined : mbitToBytesPerSecond(mbit));
  return {
    nodeBytesPerSecond: bytes(limits.outgoing_bandwidth_limit),
    sessionBytesPerSecond: bytes(limits.session_bandwidth_limit),
    organisationBytesPerSecond: bytes(limits.organisation_bandwidth_limit),
    topicBytesPerSecond: bytes(limits.topic_bandwidth_limit),
    topics: limits.topic.map(({ name, bandwidth_limit: mbit }) => ({
      name,
      bytesPerSecond: mbitToBytesPerSecond(mbit),
    })),
  };
}

function loadReceiverKeys({ private_topic: topics }: RelayConfig): Map<string, Uint8Array[]> {
  const keys = new Map<string, Uint8Array[]>();
  for (const [index, { name, public_keys: references }] of topics.entries()) {
    if (!references) continue;
    keys.set(
      MESSAGE_TOPIC_PREFIX + name,
      references.map((reference, at) => {
        const { publicHex } = loadAmopPublicKey(reference, `private_topic[${index}].public_keys[${at}]`);
        return Buffer.from(publicHex, 'hex');
      }),
    );
  }
  return keys;
}

function loadAgents({ private_topic: topics }: RelayConfig, logger: Logger): AgentSetup[] {
  return topics.flatMap(
    ({ name, public_keys: publicKeys, private_key: path, password_file: passwordFile, sessions }, index) => {
      if (!sessions) return [];
      const privateKey = path === undefined ? undefined : loadAgentKey(path, passwordFile, index, logger);
      return [{ messageTopic: MESSAGE_TOPIC_PREFIX + name, sessions, sends: publicKeys !== undefined, privateKey }];
    },
  );
}

function loadAgentKey(path: string, passwordFile: string | undefined, index: number, logger: Logger): Uint8Array {
  const setting = `private_topic[${index}].private_key`;
  const password =
    passwordFile === undefined
      ? undefined
      : readPemFile(passwordFile, `private_topic[${index}].password_file`).text.replace(/\r?\n$/, '');
  const { key, marked, warnings } = loadAmopPrivateKey(path, setting, password);
  for (const warning of warnings) logger.log('warn', { component: 'private', warning }, 'key warning');
  if (!marked) {
    const warning = `${setting} file ${path} was not made for private topics: never use the key of a chain account, senders choose what it signs`;
    logger.log('warn', { component: 'private', warning }, 'key warning');
  }
  return Buffer.from(privateHexOf(key), 'hex');
}
