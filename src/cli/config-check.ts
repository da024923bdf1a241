import { RelayError } from '../base/errors.js';
import type { ConfigProblem } from '../config/index.js';
import type { Act } from './act.js';
import type { FilesReport } from './config-files.js';
import { ExitCode } from './exit-codes.js';
import { note, printable, write, writeJson } from './output.js';
import { addKeyPasswordOption, tlsKeyPassword, tlsKeysOf } from './tls-key-password.js';
import type { Verb } from './verb.js';

interface CheckOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly keyPasswordFile?: string;
}

export function addConfigCheckCommand(config: Verb, act: Act): void {
  const command = config
    .command('check')
    .summary('would a relay start with this configuration')
    .description('Checks a configuration and every certificate that it names, and prints all problems.')
    .argument('<file>', 'configuration, TOML')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'problems only');
  addKeyPasswordOption(command)
    .note(
      'Opens no port, so a running relay is not disturbed. Ends with 0 when the relay would start, with 2 when it would not.',
    )
    .example('amop config check relay.toml', 'ports, node ID and how long certificates are valid')
    .example('amop config check relay.toml --json', 'for a program: problems, warnings and ports')
    .action((file: string, options: CheckOptions) => act(() => check(file, options), options.json));
}

async function check(file: string, options: CheckOptions): Promise<number> {
  const [{ formatProblems, loadConfigFile }, { checkConfigFiles }] = await Promise.all([
    import('../config/index.js'),
    import('./config-files.js'),
  ]);
  const loaded = loadConfigFile(file);
  if (!loaded.ok) {
    if (!options.json) throw new RelayError('config-invalid', formatProblems(loaded.problems, file));
    await writeJson({ ok: false, problems: loaded.problems, warnings: [] });
    return ExitCode.usage;
  }
  const passphrase = await tlsKeyPassword(tlsKeysOf(loaded.config), options.keyPasswordFile);
  const report = checkConfigFiles(loaded.config, new Date(), passphrase);
  const found: ConfigProblem[] = report.problems.map(({ table, message }) => ({ path: table, message }));
  const warnings = [
    ...loaded.warnings,
    ...report.warnings.map(({ table, message }): ConfigProblem => ({ path: table, message })),
  ];
  const ok = found.length === 0;
  if (options.json) {
    await writeJson({ ok, problems: found, warnings, ports: report.ports });
  } else {
    if (!options.quiet && warnings.length > 0) note(formatProblems(warnings, `warning: ${file}`));
    if (!ok) throw new RelayError('config-invalid', formatProblems(found, file));
    if (!options.quiet) await write(`${printable(file)} is good\n${summaryOf(report)}`);
  }
  return ok ? ExitCode.ok : ExitCode.usage;
}

function summaryOf({ ports }: FilesReport): string {
  return ports
    .map(({ table, ip, port, nodeId, notAfter }) => {
      const p2p = table === 'network_security';
      const host = ip.includes(':') ? `[${ip}]` : ip;
      const until = notAfter === undefined ? '' : `, certificate until ${notAfter.toISOString()}`;
      const id = p2p && nodeId !== undefined ? `    node ID ${nodeId}\n` : '';
      return `  ${p2p ? 'P2P' : 'channel'} port ${host}:${port}${until}\n${id}`;
    })
    .join('');
}
