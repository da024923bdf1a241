/** The channel listener of a node: address, and which of its certificates SDKs see. */
import { resolve } from 'node:path';
import type { CertificateFiles, ImportOptions } from './import.js';
import { type ImportRun, isTrue, takePort } from './import-run.js';
import type { TomlTable } from './import-toml.js';

/** The node's default. */
const CHANNEL_PORT = 20_200;

export interface ImportedChannel {
  readonly table: TomlTable;
  /** The node's own key and certificates, which are also those of its P2P port. */
  readonly nodeFiles: CertificateFiles;
  /** The P2P port of the chain speaks SM TLS, which nobody here does. */
  readonly smPeers: boolean;
}

export function importChannel(run: ImportRun, version: string, options: ImportOptions): ImportedChannel {
  if (isTrue(run, 'storage_security.enable')) {
    run.refuse(
      'storage_security.enable',
      "the node's key is encrypted by a key manager, which the relay cannot ask; make certificates with amop pki relay",
    );
  }
  const kind = certificateKind(run, version);
  const nodeFiles = takeNodeFiles(run, kind, options);
  const files = kind === 'own' ? nodeFiles : filesIn(run, nodeFiles.folder, kind);
  const listenIp = takeListenIp(run);
  const port = takePort(run, 'rpc.channel_listen_port', 'rpc.listener[0].channel_listen_port', CHANNEL_PORT);
  leaveIssuerCheck(run);
  if (!options.replaceNode && (options.channelPort ?? port) === port) {
    run.remarks.push(
      `the channel port ${port} is the node's own: while the node runs on the same machine, give another with --channel-port`,
    );
  }
  return {
    nodeFiles,
    smPeers: kind === 'sm',
    table: {
      header: '[[rpc.listener]]',
      values: {
        channel_listen_ip: listenIp,
        channel_listen_port: options.channelPort ?? port,
        key: files.key,
        cert: files.cert,
        ca_cert: files.caCert,
      },
    },
  };
}

type CertificateKind = 'own' | 'rsa' | 'sm';

/** fisco 2.x node specification, 2.2: which certificates the channel port shows. */
function certificateKind(run: ImportRun, version: string): CertificateKind {
  const sm = isTrue(run, 'chain.sm_crypto');
  const smChannel = isTrue(run, 'chain.sm_crypto_channel');
  const rsa = isTrue(run, 'chain.rsa_crypto_channel');
  if (sm && smChannel) {
    run.refuse('chain.sm_crypto_channel', 'the SDKs of this node use SM TLS, which the relay does not speak');
  }
  const minor = Number(version.split('.')[1]);
  if (sm) {
    run.take('chain.sm_crypto', 'rpc.listener[0].cert');
    run.leave('chain.rsa_crypto_channel', 'has no effect in a node with sm_crypto');
  } else if (rsa && minor >= 9) {
    run.take('chain.rsa_crypto_channel', 'rpc.listener[0].cert');
  }
  run.leave('chain.sm_crypto', 'needs nothing: the relay never uses SM TLS');
  run.leave('chain.sm_crypto_channel', 'needs nothing: the relay never uses SM TLS');
  run.leave(
    'chain.rsa_crypto_channel',
    rsa
      ? `has no effect before supported_version 2.9.0, and this is ${version}`
      : 'needs nothing: the channel port shows the certificate of [network_security]',
  );
  return sm ? 'sm' : rsa && minor >= 9 ? 'rsa' : 'own';
}

interface NodeFiles extends CertificateFiles {
  readonly folder: string;
}

function takeNodeFiles(run: ImportRun, kind: CertificateKind, options: ImportOptions): NodeFiles {
  const folder = resolve(
    options.directory,
    run.take('network_security.data_path', 'rpc.listener[0], the folder of its files') ?? './conf/',
  );
  const table = kind === 'own' ? 'rpc.listener[0]' : options.replaceNode ? 'network_security' : undefined;
  const file = (key: string, fallback: string): string => {
    const name = `network_security.${key}`;
    const value = run.peek(name) ?? fallback;
    if (table === undefined) run.leave(name, 'is for the P2P port of the node, whose key the relay does not use');
    else run.take(name, `${table}.${key}`);
    return resolve(folder, value);
  };
  return {
    folder,
    key: file('key', 'node.key'),
    cert: file('cert', 'node.crt'),
    caCert: file('ca_cert', 'ca.crt'),
  };
}

/** Fixed names below the node's folder. */
function filesIn(run: ImportRun, folder: string, kind: 'rsa' | 'sm'): CertificateFiles {
  const at = resolve(folder, kind === 'rsa' ? 'channel_cert' : 'origin_cert');
  run.remarks.push(`SDKs of this node see the certificate in ${at}, so the channel port of the relay shows it too`);
  return { key: resolve(at, 'node.key'), cert: resolve(at, 'node.crt'), caCert: resolve(at, 'ca.crt') };
}

function takeListenIp(run: ImportRun): string {
  const to = 'rpc.listener[0].channel_listen_ip';
  const ip = run.take('rpc.channel_listen_ip', to);
  if (ip !== undefined) {
    run.leave('rpc.listen_ip', 'is overruled by channel_listen_ip');
    return ip;
  }
  return run.take('rpc.listen_ip', to) ?? '0.0.0.0';
}

/** On unless switched off: then a node lets in SDKs of its own agency only. */
function leaveIssuerCheck(run: ImportRun): void {
  const name = 'network_security.check_cert_issuer';
  const off = run.peek(name) !== undefined && !isTrue(run, name);
  const reason = 'has no counterpart: the relay lets in clients of every agency that ca_cert leads to';
  run.leave(name, reason);
  if (!off) {
    run.remarks.push(
      'the node lets in SDKs of its own agency only (check_cert_issuer), the relay those of every agency that ca_cert leads to',
    );
  }
}
