/**
 * Rules between keys. They run also when other keys are wrong, so that all problems come at once: a rule looks only at
 * values that are right by themselves and is silent about the others.
 */
import { SocketAddress } from 'node:net';
import type { LocatedProblem } from './explain.js';
import type { LimitsConfig } from './schema.js';

/** Value of a key after defaults, or undefined where the key is wrong by itself. */
export type Lookup = (path: readonly PropertyKey[]) => unknown;

export interface CrossFindings {
  readonly problems: LocatedProblem[];
  readonly warnings: LocatedProblem[];
}

export function crossChecks(value: Lookup, listenerCount: number): CrossFindings {
  const problems: LocatedProblem[] = [];
  const warnings: LocatedProblem[] = [];
  checkAddresses(value, listenerCount, problems);
  checkLimits(value, problems, warnings);
  const adminIp = value(['admin', 'listen_ip']);
  if (typeof adminIp === 'string' && !isLoopback(adminIp)) {
    warnings.push({
      path: ['admin', 'listen_ip'],
      message: `${adminIp} is reachable from other machines, and the admin port asks for no login; restrict it with a firewall`,
    });
  }
  return { problems, warnings };
}

interface Endpoint {
  readonly name: string;
  readonly portPath: readonly PropertyKey[];
  readonly ip: string;
  readonly port: number;
}

function checkAddresses(value: Lookup, listenerCount: number, problems: LocatedProblem[]): void {
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
        message: `${address(ip, port)} is taken by ${other.name} (${address(other.ip, other.port)}); choose another port`,
      });
    }
  };
  for (let index = 0; index < listenerCount; index++) {
    claim(`rpc.listener[${index}]`, ['rpc', 'listener', index], 'channel_listen_ip', 'channel_listen_port');
  }
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

/** Equal, or one of them listens on every address of the other's family; `::` takes IPv4 as well. */
function overlaps(a: string, b: string): boolean {
  const one = canonical(a);
  const two = canonical(b);
  if (one === two || one === '::' || two === '::') return true;
  return (one === '0.0.0.0' && !two.includes(':')) || (two === '0.0.0.0' && !one.includes(':'));
}

function canonical(ip: string): string {
  return ip.includes(':') ? new SocketAddress({ address: ip, family: 'ipv6' }).address : ip;
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || canonical(ip) === '::1';
}

function address(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
