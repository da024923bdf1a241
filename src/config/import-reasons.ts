/** Why keys of a node's config.ini have no place in the configuration of a relay. */

const LEDGER = 'is about the ledger, which a relay does not have';
const HTTP = 'is about JSON-RPC over HTTP, which a relay does not serve';
const LOG_FILES = 'is about log files: the relay logs to standard output';
const STATISTICS = 'is about the statistics file: the relay has /metrics';
const PEER_EDITING = 'is about changing peers by JSON-RPC, which the relay does not offer';

const BY_KEY: Readonly<Record<string, string>> = {
  'rpc.jsonrpc_listen_ip': HTTP,
  'rpc.jsonrpc_listen_port': HTTP,
  'rpc.jsonrpc_thread_count': HTTP,
  'rpc.channel_thread_count': 'has no counterpart: the relay does not work with a pool of threads',
  'rpc.disable_dynamic_group': LEDGER,
  'rpc.act_as_group_member': LEDGER,
  'p2p.enable_compress': 'has no counterpart: the relay always understands compressed frames and sends none',
  'p2p.connection_warning': 'has no counterpart: refused connections are counted, and logged at a bounded rate',
  'p2p.peers_param_limit': PEER_EDITING,
  'p2p.max_nodes_limit': PEER_EDITING,
  'network_security.ca_path':
    'has no counterpart: put the certificates of that folder into the file that ca_cert names',
  'flow_control.limit_req': 'limits JSON-RPC calls for the ledger; the relay bounds its own',
  'log.enable': LOG_FILES,
  'log.log_path': LOG_FILES,
  'log.format': LOG_FILES,
  'log.flush': LOG_FILES,
  'log.log_flush_threshold': LOG_FILES,
  'log.max_log_file_size': LOG_FILES,
  'log.enable_console_output': LOG_FILES,
  'log.enable_rotate_by_hour': LOG_FILES,
  'log.enable_statistic': STATISTICS,
  'log.stat_flush_interval': STATISTICS,
  'group.group_data_path': LEDGER,
};

/** Sections that hold nothing for a relay, whatever their keys are. */
const BY_SECTION: Readonly<Record<string, string>> = {
  storage: LEDGER,
  storage_security: LEDGER,
  tx_pool: LEDGER,
  tx_execute: LEDGER,
  sync: LEDGER,
  consensus: LEDGER,
  genesis: LEDGER,
  evm: LEDGER,
  statistic: STATISTICS,
};

/** Always an answer: what is not known is said to be so. */
export function reasonFor(section: string, key: string): string {
  return BY_KEY[`${section}.${key}`] ?? BY_SECTION[section] ?? 'is not known here';
}
