/** The P2P port: its peers, lists, format and bandwidth. Without a certificate for it, all of that is left out in words. */

import type { CertificateFiles, ImportOptions } from './import.js';
import { type ImportRun, takePort } from './import-run.js';
import type { TomlTable, TomlValue } from './import-toml.js';
import { canonicalHost, formatNodeAddress, nodeAddressProblems, parseNodeAddress } from './node-address.js';

/** The node's default. */
const P2P_PORT = 30_300;
const NODE_ID = /^(?:0x)?[0-9a-f]{128}$/i;
const VERSION_KEY = 'compatibility.supported_version';

export interface ImportedP2p {
  readonly tables: readonly TomlTable[];
  /** Mbit/s, for `[flow_control]`. */
  readonly outgoingBandwidth: number | undefined;
}

export function importP2p(
  run: ImportRun,
  version: string,
  files: CertificateFiles | undefined,
  missing: string,
  options: ImportOptions,
): ImportedP2p {
  if (files === undefined) {
    leaveP2p(run, missing);
    return { tables: [], outgoingBandwidth: undefined };
  }
  const listenIp = run.take('p2p.listen_ip', 'p2p.listen_ip') ?? '0.0.0.0';
  const port = takePort(run, 'p2p.listen_port', 'p2p.listen_port', P2P_PORT);
  if (!options.replaceNode && (options.p2pPort ?? port) === port) {
    run.remarks.push(
      `the P2P port ${port} is the node's own: while the node runs on the same machine, give another with --p2p-port`,
    );
  }
  if (run.take(VERSION_KEY, VERSION_KEY) === undefined) {
    run.remarks.push(
      `config.ini has no supported_version, so its network speaks the format of ${version}: written out`,
    );
  }
  const tables: TomlTable[] = [
    table('[network_security]', { key: files.key, cert: files.cert, ca_cert: files.caCert }),
    table('[p2p]', { listen_ip: listenIp, listen_port: options.p2pPort ?? port, nodes: takeNodes(run) }),
    table('[compatibility]', { supported_version: version }),
  ];
  const whitelist = takeIds(run, 'certificate_whitelist', 'cal');
  if (whitelist.length > 0) tables.push(table('[certificate_whitelist]', { ids: whitelist }));
  const blacklist = takeIds(run, 'certificate_blacklist', 'crl');
  if (blacklist.length > 0) tables.push(table('[certificate_blacklist]', { ids: blacklist }));
  return { tables, outgoingBandwidth: takeBandwidth(run) };
}

function table(header: string, values: Readonly<Record<string, TomlValue>>): TomlTable {
  return { header, values };
}

function leaveP2p(run: ImportRun, missing: string): void {
  const names = [
    'p2p.listen_ip',
    'p2p.listen_port',
    ...run.namesOf('p2p', 'node'),
    ...run.namesOf('certificate_whitelist', 'cal'),
    ...run.namesOf('certificate_blacklist', 'crl'),
    VERSION_KEY,
    'flow_control.outgoing_bandwidth_limit',
  ];
  for (const name of names) run.leave(name, `is for the P2P port, ${missing}`);
}

function takeNodes(run: ImportRun): string[] {
  const nodes: string[] = [];
  const seen = new Set<string>();
  for (const name of run.namesOf('p2p', 'node')) {
    const text = run.peek(name);
    if (text === undefined) continue;
    const parsed = parseNodeAddress(text);
    if ('problem' in parsed) {
      run.refuse(name, nodeAddressProblems(text)[0]);
      continue;
    }
    const key = formatNodeAddress({ ...parsed, host: canonicalHost(parsed.host) });
    if (seen.has(key)) {
      run.leave(name, 'names a node that another key names already');
      continue;
    }
    seen.add(key);
    run.take(name, `p2p.nodes[${nodes.length}]`);
    nodes.push(text);
  }
  if (nodes.length === 0) run.remarks.push('the node dials nobody, so p2p.nodes is empty: add the addresses of peers');
  return nodes;
}

/** Node IDs. The keys are called crl in one of the lists, but hold no revocation lists. */
function takeIds(run: ImportRun, section: string, prefix: string): string[] {
  const ids: string[] = [];
  for (const name of run.namesOf(section, prefix)) {
    const value = run.peek(name);
    if (value === undefined) continue;
    if (!NODE_ID.test(value)) {
      run.leave(name, 'is no node ID of 128 hex digits; nodes ignore it as well');
      continue;
    }
    run.take(name, `${section}.ids[${ids.length}]`);
    ids.push(value.replace(/^0x/i, '').toLowerCase());
  }
  return ids;
}

function takeBandwidth(run: ImportRun): number | undefined {
  const name = 'flow_control.outgoing_bandwidth_limit';
  const value = run.peek(name);
  if (value === undefined) return undefined;
  const limit = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : 0;
  if (limit <= 0) {
    run.refuse(name, `${JSON.stringify(value)} is no number of Mbit/s above 0`);
    return undefined;
  }
  run.take(name, name);
  run.remarks.push(
    `outgoing_bandwidth_limit stays ${value} Mbit/s, but a node charges a message at a quarter of its bytes and the relay at all of them`,
  );
  return limit;
}
