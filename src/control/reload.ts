/**
 * Reading the configuration anew while the relay runs (SIGHUP, `amop reload`). All or nothing: a configuration with a problem
 * changes nothing. What cannot change without a restart keeps its old value and is named.
 */
import { errorText } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { type ConfigResult, formatProblems, type RelayConfig } from '../config/index.js';
import { type Prepared, prepare } from './prepare.js';

export type ReloadOutcome =
  /** `kept`: keys whose change needs a restart; `closed`: connections that are not allowed any more. */
  | { readonly ok: true; readonly kept: readonly string[]; readonly closed: number }
  | { readonly ok: false; readonly problem: string };

/** The values that a restart is needed for, by key path. */
const FIXED: readonly (readonly [path: string, read: (config: RelayConfig) => unknown])[] = [
  ['rpc.listener', (c) => c.rpc.listener.map((one) => [one.channel_listen_ip, one.channel_listen_port])],
  ['network_security', (c) => c.network_security !== undefined],
  ['p2p.listen_ip', (c) => c.p2p.listen_ip],
  ['p2p.listen_port', (c) => c.p2p.listen_port],
  ['compatibility.supported_version', (c) => c.compatibility.supported_version],
  ['chain', (c) => c.chain],
  ['private_topics', (c) => c.private_topics],
  ['admin', (c) => c.admin],
  ['log.format', (c) => c.log.format],
];

export interface Reloadable {
  readonly config: RelayConfig;
  readonly prepared: Prepared;
  /** With which the relay started: what needs a restart still has its values. */
  readonly startedWith: RelayConfig;
}

/**
 * Reads and checks everything that a reload would take over.
 * @param load reads the configuration file
 */
export function prepareReload(
  current: Reloadable,
  load: () => ConfigResult,
  logger: Logger,
  passphrase?: string,
):
  | ({ readonly ok: true; readonly kept: readonly string[] } & Reloadable)
  | { readonly ok: false; readonly problem: string } {
  try {
    const loaded = load();
    if (!loaded.ok) return { ok: false, problem: formatProblems(loaded.problems, 'configuration') };
    const { config } = loaded;
    const kept = FIXED.filter(([, read]) => !same(read(config), read(current.startedWith))).map(([path]) => path);
    // Listeners are known by their place: with others of them nothing can be told apart.
    if (config.rpc.listener.length !== current.startedWith.rpc.listener.length) {
      return { ok: false, problem: 'rpc.listener: another number of listeners needs a restart' };
    }
    const prepared = prepare(config, logger, passphrase);
    const before = current.prepared.p2p?.nodeId;
    if (prepared.p2p && before !== undefined && prepared.p2p.nodeId !== before) {
      return {
        ok: false,
        problem:
          'network_security: the certificate has another key, so the relay would be another node; that needs a restart ' +
          '(renew the certificate with the old key to keep the node ID)',
      };
    }
    return { ok: true, kept, config, prepared, startedWith: current.startedWith };
  } catch (error) {
    return { ok: false, problem: errorText(error) };
  }
}

/** What came of reloads, for metrics. */
export interface ReloadCounts {
  succeeded: number;
  failed: number;
  /** When the configuration in force was taken over, Unix time. */
  succeededSeconds: number;
}

/** Counts and logs a reload. */
export function noteReload(outcome: ReloadOutcome, counts: ReloadCounts, logger: Logger): void {
  if (!outcome.ok) {
    counts.failed++;
    logger.log(
      'error',
      { component: 'config', problem: outcome.problem },
      'the new configuration cannot be used, the old one stays in force',
    );
    return;
  }
  counts.succeeded++;
  counts.succeededSeconds = Date.now() / 1000;
  const { kept, closed } = outcome;
  logger.log('info', { component: 'config', closed }, 'configuration reloaded');
  if (kept.length === 0) return;
  logger.log(
    'warn',
    { component: 'config', kept },
    'these keys have changed and need a restart; their old values stay',
  );
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
