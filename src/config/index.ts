export { type ConfigRow, configTable } from './describe.js';
export { EXAMPLE_CONFIG, renderConfigDocs } from './documentation.js';
export { type Limits, limitsFromConfig } from './limits.js';
export { type ConfigResult, loadConfigFile, parseConfig } from './load.js';
export { formatNodeAddress, type NodeAddress, parseNodeAddress } from './node-address.js';
export { type ConfigProblem, formatProblems } from './problem.js';
export type {
  FlowControlConfig,
  LimitsConfig,
  ListenerConfig,
  NetworkSecurityConfig,
  OrganisationConfig,
  P2pConfig,
  RelayConfig,
} from './schema.js';
export { p2pFormatOf } from './supported-version.js';
