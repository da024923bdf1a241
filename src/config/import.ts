/**
 * The config.ini of an existing 2.x node -> text of relay.toml. Pure: which files exist is the caller's business.
 *
 * Invariant: every key of the file is carried over or left out with a reason; none is dropped silently.
 * The node's own key serves the channel port only, because peers refuse two nodes with one ID; the P2P port needs a key of
 * its own, unless the relay replaces the node.
 */
import { LOG_LEVELS } from '../base/logger.js';
import { importChannel } from './import-channel.js';
import { parseIni } from './import-ini.js';
import { importP2p } from './import-p2p.js';
import { type CarriedKey, type ImportProblem, ImportRun, type LeftOutKey } from './import-run.js';
import { formatTables, type TomlTable } from './import-toml.js';
import { supportedVersionProblems } from './supported-version.js';

export { INI_BYTES_MAX } from './import-ini.js';
export type { CarriedKey, ImportProblem, LeftOutKey } from './import-run.js';

/** What a node takes a missing supported_version for. */
const VERSION_WHEN_MISSING = '2.0.0-rc1';

/** `warning` and `fatal` are the node's. */
const LEVEL_NAMES: Readonly<Record<string, string>> = { warning: 'warn', fatal: 'error' };

export interface CertificateFiles {
  readonly key: string;
  readonly cert: string;
  readonly caCert: string;
}

export interface ImportOptions {
  /** Folder of the config.ini, absolute: paths in it are relative to it. */
  readonly directory: string;
  /** The relay takes the node's place, its node ID included. */
  readonly replaceNode: boolean;
  /** Certificate of the P2P port. */
  readonly p2p?: CertificateFiles | undefined;
  readonly channelPort?: number | undefined;
  readonly p2pPort?: number | undefined;
  /** Numbers of the group files beside the config.ini; empty when there are none. */
  readonly groups: readonly number[];
}

export type ImportResult =
  | {
      readonly ok: true;
      readonly toml: string;
      readonly carried: readonly CarriedKey[];
      readonly leftOut: readonly LeftOutKey[];
      readonly remarks: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly ImportProblem[] };

export function importConfig(text: string, options: ImportOptions): ImportResult {
  const parsed = parseIni(text);
  if (!parsed.ok) return parsed;
  const run = new ImportRun(parsed.entries);
  const version = run.peek('compatibility.supported_version') ?? VERSION_WHEN_MISSING;
  for (const problem of supportedVersionProblems(version)) run.refuse('compatibility.supported_version', problem);

  const channel = importChannel(run, version, options);
  const p2pFiles = channel.smPeers ? undefined : options.replaceNode ? channel.nodeFiles : options.p2p;
  const missing = channel.smPeers
    ? 'which speaks SM TLS in this chain; the relay does not'
    : 'which needs a certificate of its own; give --org or --p2p-certs, or --replace-node';
  const p2p = importP2p(run, version, p2pFiles, missing, options);
  const tables: TomlTable[] = [channel.table, ...p2p.tables];
  tables.push({
    header: '[chain]',
    values: { id: run.take('chain.id', 'chain.id') ?? '1', groups: takeGroups(run, options.groups) },
  });
  if (p2p.outgoingBandwidth !== undefined) {
    tables.push({ header: '[flow_control]', values: { outgoing_bandwidth_limit: p2p.outgoingBandwidth } });
  }
  const level = takeLevel(run);
  if (level !== undefined) tables.push({ header: '[log]', values: { level } });
  run.leaveRest();
  if (run.problems.length > 0) return { ok: false, problems: run.problems };
  const { carried, leftOut, remarks } = run;
  return { ok: true, toml: formatTables(tables, leftOut), carried, leftOut, remarks };
}

function takeGroups(run: ImportRun, groups: readonly number[]): readonly number[] {
  if (groups.length > 0) {
    run.take('group.group_config_path', 'chain.groups');
    return groups;
  }
  run.leave('group.group_config_path', 'names a folder without group files; chain.groups is [1]');
  return [1];
}

function takeLevel(run: ImportRun): string | undefined {
  const value = run.peek('log.level');
  if (value === undefined) return undefined;
  const name = value.toLowerCase();
  const level = LEVEL_NAMES[name] ?? name;
  if (!LOG_LEVELS.some((one) => one === level)) {
    run.leave('log.level', 'is no level of a node');
    return undefined;
  }
  run.take('log.level', 'log.level');
  return level;
}
