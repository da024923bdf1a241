/** The files that a configuration names, judged as the relay judges them at its start, but all of them and not the first. */
import { RelayError } from '../base/errors.js';
import type { RelayConfig } from '../config/index.js';
import { loadTopicKeys } from '../control/topic-keys.js';
import { parseCertificates, readPemFile } from '../pki/files.js';
import type { IdentityPaths } from '../pki/identity.js';
import { type Use, type Verdict, verifyIdentity } from '../pki/verify.js';

export interface FileFinding {
  /** Table of the configuration, `rpc.listener[0]`. */
  readonly table: string;
  readonly message: string;
}

export interface PortSummary {
  readonly table: string;
  readonly ip: string;
  readonly port: number;
  readonly nodeId: string | undefined;
  readonly notAfter: Date | undefined;
}

export interface FilesReport {
  readonly problems: readonly FileFinding[];
  readonly warnings: readonly FileFinding[];
  readonly ports: readonly PortSummary[];
}

/** @param passphrase of encrypted TLS keys */
export function checkConfigFiles(config: RelayConfig, now: Date, passphrase?: string): FilesReport {
  const problems: FileFinding[] = [];
  const warnings: FileFinding[] = [];
  const ports: PortSummary[] = [];
  const judge = (table: string, use: Use, paths: IdentityPaths, ip: string, port: number): void => {
    const { crl, ...files } = passphrase === undefined ? paths : { ...paths, passphrase };
    const verdict: Verdict = verifyIdentity(use, files, { now, crl, askPassword: neverAsked });
    if (verdict.problem !== undefined) problems.push({ table, message: verdict.problem });
    for (const message of verdict.warnings) warnings.push({ table, message });
    ports.push({ table, ip, port, nodeId: verdict.nodeId, notAfter: verdict.notAfter });
  };
  config.rpc.listener.forEach((one, index) => {
    const paths = pathsOf(one, one.crl);
    judge(`rpc.listener[${index}]`, 'listener', paths, one.channel_listen_ip, one.channel_listen_port);
  });
  const own = config.network_security;
  if (own !== undefined) {
    judge('network_security', 'p2p', pathsOf(own, config.p2p.crl), config.p2p.listen_ip, config.p2p.listen_port);
  }
  for (const { name, issuers } of config.organisation) {
    for (const path of issuers) {
      try {
        parseCertificates(readPemFile(path, 'issuers'));
      } catch (error) {
        if (!(error instanceof RelayError)) throw error;
        problems.push({ table: `organisation ${JSON.stringify(name)}`, message: error.message });
      }
    }
  }
  config.private_topic.forEach((topic, index) => {
    try {
      loadTopicKeys(topic, index, (message) => warnings.push({ table: `private_topic[${index}]`, message }));
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      problems.push({ table: `private_topic[${index}]`, message: error.message });
    }
  });
  return { problems, warnings, ports };
}

function pathsOf(table: { key: string; cert: string; ca_cert: string }, crl: string | undefined): IdentityPaths {
  const paths = { key: table.key, cert: table.cert, caCert: table.ca_cert };
  return crl === undefined ? paths : { ...paths, crl };
}

/** Only folders of CAs are asked for passwords. */
function neverAsked(): Promise<string> {
  return Promise.reject(new Error('a relay has no password for its keys'));
}
