/**
 * Rules between keys. They run also when other keys are wrong, so that all problems come at once: a rule looks only at
 * values that are right by themselves and is silent about the others.
 */
import type { LocatedProblem } from './explain.js';
import { canonicalHost, formatNodeAddress, parseNodeAddress } from './node-address.js';
import { formatPath } from './problem.js';
import type { LimitsConfig } from './schema.js';

/** Value of a key after defaults, or undefined where the key is wrong by itself. */
export type Lookup = (path: readonly PropertyKey[]) => unknown;

export interface CrossFindings {
  readonly problems: LocatedProblem[];
  readonly warnings: LocatedProblem[];
}

/** Whether the file itself holds something at a path, right or wrong. */
export type Given = (path: readonly PropertyKey[]) => boolean;

export function crossChecks(value: Lookup, given: Given): CrossFindings {
  const problems: LocatedProblem[] = [];
  const warnings: LocatedProblem[] = [];
  const hasP2pPort = given(['network_security']);
  if (!hasP2pPort) checkNoP2pSections(given, problems);
  checkAddresses(value, hasP2pPort, problems);
  checkLimits(value, problems, warnings);
  if (hasP2pPort || given(['limits', 'peer_timeout_ms'])) checkPeerTimeout(value, problems);
  checkTwice(value, ['p2p', 'nodes'], [], nodeKey, problems);
  checkTwice(value, ['flow_control', 'topic'], ['name'], (name) => name, problems);
  checkTwice(value, ['organisation'], ['name'], (name) => name, problems);
  checkTwice(value, ['private_topic'], ['name'], (name) => name, problems);
  checkPeersMax(value, warnings);
  const adminIp = value(['admin', 'listen_ip']);
  if (typeof adminIp === 'string' && !isLoopback(adminIp)) {
    warnings.push({
      path: ['admin', 'listen_ip'],
      message: `${adminIp} is reachable from other machines, and the admin port asks for no login; restrict it with a firewall`,
    });
  }
  return { problems, warnings };
}

/** Sections and keys that say something about the P2P port only. */
const P2P_ONLY: readonly (readonly PropertyKey[])[] = [
  ['p2p'],
  ['compatibility'],
  ['certificate_whitelist'],
  ['certificate_blacklist'],
  ['flow_control', 'outgoing_bandwidth_limit'],
];

function checkNoP2pSections(given: Given, problems: LocatedProblem[]): void {
  for (const path of P2P_ONLY.filter(given)) {
    problems.push({
      path,
      message: 'needs [network_security] with key, cert and ca_cert, without which the relay has no P2P port',
    });
  }
}

interface Endpoint {
  readonly name: string;
  readonly portPath: readonly PropertyKey[];
  readonly ip: string;
  readonly port: number;
}

function checkAddresses(value: Lookup, hasP2pPort: boolean, problems: LocatedProblem[]): void {
  const taken: Endpoint[] = [];
  const claim = (name: string, table: readonly PropertyKey[], ipKey: string, portKey: string): void => {
    const ip = value([...table, ipKey]);
    const port = value([...table, portKey]);
    if (typeof ip !== 'string' || typeof port !== 'number' || port === 0) return;
    const portPath = [...table, portKey];
    const other = taken.find((one) => one.port === port && overlaps(one.ip, ip));
    if (other === undefined) {
      taken.push({ name, portPath, ip, port });
    } else {
      problems.push({
        path: portPath,
        message: `${formatNodeAddress({ host: ip, port })} is taken by ${other.name} (${formatNodeAddress({ host: other.ip, port: other.port })}); choose another port`,
      });
    }
  };
  for (let index = 0; index < count(value, ['rpc', 'listener']); index++) {
    claim(`rpc.listener[${index}]`, ['rpc', 'listener', index], 'channel_listen_ip', 'channel_listen_port');
  }
  if (hasP2pPort) claim('[p2p]', ['p2p'], 'listen_ip', 'listen_port');
  claim('[admin]', ['admin'], 'listen_ip', 'listen_port');
}

function checkLimits(value: Lookup, problems: LocatedProblem[], warnings: LocatedProblem[]): void {
  const limit = (key: keyof LimitsConfig): number => {
    const number = value(['limits', key]);
    return typeof number === 'number' ? number : Number.NaN; // every comparison with NaN is false
  };
  const say = (list: LocatedProblem[], key: keyof LimitsConfig, message: string) =>
    list.push({ path: ['limits', key], message: `${limit(key)} ${message}` });

  const request = limit('request_timeout_ms');
  if (limit('subscriber_timeout_ms') >= request) {
    say(
      problems,
      'subscriber_timeout_ms',
      `must be below request_timeout_ms (${request}), or no request could ever be given to a second subscriber`,
    );
  }
  if (limit('session_inbound_bytes_max') > limit('inbound_bytes_max')) {
    say(
      problems,
      'session_inbound_bytes_max',
      `must not be above inbound_bytes_max (${limit('inbound_bytes_max')}), the budget of all sessions together`,
    );
  }
  if (limit('session_pending_max') > limit('pending_max')) {
    say(warnings, 'session_pending_max', `has no effect above pending_max (${limit('pending_max')})`);
  }
  if (limit('idle_timeout_ms') < request) {
    say(
      warnings,
      'idle_timeout_ms',
      `is below request_timeout_ms (${request}): a session that waits silently for an answer is closed before it comes`,
    );
  }
}

/** Only a relay with a P2P port needs it: another may well have short requests and the default of peers. */
function checkPeerTimeout(value: Lookup, problems: LocatedProblem[]): void {
  const peer = value(['limits', 'peer_timeout_ms']);
  const request = value(['limits', 'request_timeout_ms']);
  if (typeof peer !== 'number' || typeof request !== 'number' || peer < request) return;
  problems.push({
    path: ['limits', 'peer_timeout_ms'],
    message: `${peer} must be below request_timeout_ms (${request}), or no request could ever go on after a silent peer`,
  });
}

/** Each entry that has the same key as one before it; `rest` leads from the entry to what is named twice. */
function checkTwice(
  value: Lookup,
  list: readonly PropertyKey[],
  rest: readonly PropertyKey[],
  keyOf: (text: string) => string,
  problems: LocatedProblem[],
): void {
  const first = new Map<string, number>();
  for (let index = 0; index < count(value, list); index++) {
    const path = [...list, index, ...rest];
    const text = value(path);
    if (typeof text !== 'string') continue;
    const key = keyOf(text);
    const before = first.get(key);
    if (before === undefined) first.set(key, index);
    else
      problems.push({
        path,
        message: `${JSON.stringify(text)} is named twice; ${formatPath([...list, before])} has it`,
      });
  }
}

function nodeKey(node: string): string {
  const parsed = parseNodeAddress(node);
  return 'problem' in parsed ? node : formatNodeAddress({ ...parsed, host: canonicalHost(parsed.host) });
}

function checkPeersMax(value: Lookup, warnings: LocatedProblem[]): void {
  const nodes = count(value, ['p2p', 'nodes']);
  const peersMax = value(['limits', 'peers_max']);
  if (typeof peersMax !== 'number' || nodes <= peersMax) return;
  warnings.push({
    path: ['limits', 'peers_max'],
    message: `${peersMax} is below the ${nodes} nodes of [p2p]: some of them can never be connected`,
  });
}

function count(value: Lookup, list: readonly PropertyKey[]): number {
  const entries = value(list);
  return Array.isArray(entries) ? entries.length : 0;
}

/** Equal, or one of them listens on every address of the other's family; `::` takes IPv4 as well. */
function overlaps(a: string, b: string): boolean {
  const one = canonicalHost(a);
  const two = canonicalHost(b);
  if (one === two || one === '::' || two === '::') return true;
  return (one === '0.0.0.0' && !two.includes(':')) || (two === '0.0.0.0' && !one.includes(':'));
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || canonicalHost(ip) === '::1';
}
