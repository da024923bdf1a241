export { type ConfigRow, configTable } from './describe.js';
export { EXAMPLE_CONFIG, renderConfigDocs } from './documentation.js';
export { type Limits, limitsFromConfig } from './limits.js';
export { type ConfigResult, loadConfigFile, parseConfig } from './load.js';
export { type ConfigProblem, formatProblems } from './problem.js';
export type { LimitsConfig, ListenerConfig, RelayConfig } from './schema.js';
