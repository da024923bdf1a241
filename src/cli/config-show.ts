import { RelayError } from '../base/errors.js';
import type { RelayConfig } from '../config/index.js';
import type { Act } from './act.js';
import { maskSecrets } from './config-mask.js';
import { ExitCode } from './exit-codes.js';
import { write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface ShowOptions {
  readonly json?: boolean;
}

export function addConfigShowCommand(config: Verb, act: Act): void {
  config
    .command('show')
    .summary('the configuration in effect')
    .description('Shows what a relay would run with: every key, defaults filled in, secrets masked.')
    .argument('<file>', 'configuration, TOML')
    .option('--json', 'one JSON object')
    .note('File names are shown as the relay resolves them. Secrets are masked, so the output may go into a ticket.')
    .example('amop config show relay.toml', 'as TOML, which a relay would read')
    .example('amop config show relay.toml --json', 'as one JSON object')
    .action((file: string, options: ShowOptions) => act(() => show(file, options), options.json));
}

async function show(file: string, options: ShowOptions): Promise<number> {
  const [{ formatProblems, loadConfigFile }, { stringify }] = await Promise.all([
    import('../config/index.js'),
    import('smol-toml'),
  ]);
  const loaded = loadConfigFile(file);
  if (!loaded.ok) throw new RelayError('config-invalid', formatProblems(loaded.problems, file));
  const shown = maskSecrets(effective(loaded.config));
  if (options.json) await writeJson(shown);
  else await write(`${stringify(shown).trimEnd()}\n`);
  return ExitCode.ok;
}

/** Sections about the P2P port say nothing where there is none, and would make the output a configuration that is refused. */
function effective(config: RelayConfig): object {
  if (config.network_security !== undefined) return config;
  const { p2p, compatibility, certificate_whitelist, certificate_blacklist, ...rest } = config;
  return rest;
}
