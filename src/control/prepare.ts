/** What the configuration names, read and checked, in the form in which a shard takes it. */

import { RelayError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { limitsFromConfig, p2pFormatOf, type RelayConfig } from '../config/index.js';
import type { FlowLimits } from '../core/flow-control.js';
import { mbitToBytesPerSecond } from '../core/token-bucket.js';
import { parseCertificates, readPemFile } from '../pki/files.js';
import type { TlsIdentity } from '../pki/identity.js';
import { loadListenerIdentity } from '../pki/load.js';
import { namesOf, organisationIdOf } from '../pki/peer.js';
import type { ListenerSetup, Organisation, ShardSetup } from '../shard/messages.js';
import { loadTopicKeys } from './topic-keys.js';

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
 * @param passphrase of encrypted TLS keys
 * @throws RelayError `certificate-invalid`, `key-invalid`, `config-unreadable` or `config-invalid`, the first problem found
 */
export function prepare(config: RelayConfig, logger: Logger, passphrase?: string): Prepared {
  const load = (files: IdentityFiles) => loadIdentity(files, logger, passphrase);
  const listeners = config.rpc.listener.map(load);
  const p2p = config.network_security && loadP2pIdentity({ ...config.network_security, crl: config.p2p.crl }, load);
  const warn = (warning: string) => logger.log('warn', { component: 'private', warning }, 'key warning');
  const topicKeys = config.private_topic.map((topic, index) => loadTopicKeys(topic, index, warn));
  return {
    listeners,
    p2p,
    receiverKeys: new Map(
      topicKeys.flatMap(({ messageTopic, publicKeys }) => (publicKeys ? [[messageTopic, publicKeys]] : [])),
    ),
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
      agents: topicKeys.flatMap(({ messageTopic, sessions, publicKeys, privateKey }) =>
        sessions ? [{ messageTopic, sessions, sends: publicKeys !== undefined, privateKey }] : [],
      ),
      logLevel: config.log.level,
    },
  };
}

interface IdentityFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca_cert: string;
  readonly crl?: string | undefined;
}

function loadIdentity(files: IdentityFiles, logger: Logger, passphrase: string | undefined): TlsIdentity {
  const { key, cert, ca_cert: caCert, crl } = files;
  const identity = loadListenerIdentity(
    { key, cert, caCert, ...(crl !== undefined && { crl }), ...(passphrase !== undefined && { passphrase }) },
    new Date(),
  );
  for (const warning of identity.warnings) logger.log('warn', { component: 'tls', warning }, 'certificate warning');
  return identity;
}

/** A peer is known by the public key of its certificate, and 2.x nodes refuse a leaf without basicConstraints. */
function loadP2pIdentity(
  files: IdentityFiles,
  load: (files: IdentityFiles) => TlsIdentity,
): TlsIdentity & { readonly nodeId: string } {
  const identity = load(files);
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
