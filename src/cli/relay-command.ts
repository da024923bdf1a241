import { errorText, RelayError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { RunningRelay } from '../control/relay.js';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { addKeyPasswordOption, tlsKeyPassword, tlsKeysOf } from './tls-key-password.js';
import type { Verb } from './verb.js';

interface RelayOptions {
  readonly config: string;
  readonly stopOnStdinEnd?: boolean;
  readonly keyPasswordFile?: string;
}

export function addRelayCommand(program: Verb, act: Act): void {
  const command = program
    .command('relay')
    .summary('run a relay')
    .description('Runs a relay as its configuration file says.')
    .requiredOption('-c, --config <file>', 'configuration, TOML')
    .option('--stop-on-stdin-end', 'end as with SIGTERM when standard input ends, for a supervising process');
  addKeyPasswordOption(command)
    .note(
      'Logs JSON lines to standard output; "relay ready" says where it listens. SIGTERM and SIGINT let it finish what it has and ' +
        'end with 0, a second one ends it at once with 1. SIGHUP reads the configuration anew.',
    )
    .example('amop relay --config relay.toml', 'until SIGTERM or Ctrl-C')
    .action((options: RelayOptions) => act(() => relay(options)));
}

async function relay(options: RelayOptions): Promise<number> {
  // Only here, so that the client commands start without the relay's libraries.
  const [{ createLogger }, { formatProblems, loadConfigFile }, { startRelay }] = await Promise.all([
    import('../admin/log.js'),
    import('../config/index.js'),
    import('../control/relay.js'),
  ]);
  const loaded = loadConfigFile(options.config);
  if (!loaded.ok) throw new RelayError('config-invalid', formatProblems(loaded.problems, options.config));
  const { config } = loaded;
  const logger = createLogger({ level: config.log.level, format: config.log.format });
  exitOnUncaught(logger);
  // At the question signals and standard input end the process as they always do.
  const passphrase = await tlsKeyPassword(tlsKeysOf(config), options.keyPasswordFile);
  // From the first line that is logged they do what they do to a relay: a signal during its start is not lost, nor does it end it.
  const stop = stopRequest(options, logger);
  const reloads = reloadRequests();
  for (const warning of loaded.warnings) {
    logger.log('warn', { component: 'config', ...warning }, 'configuration warning');
  }

  const running = await startRelay({ config, logger, load: () => loadConfigFile(options.config), passphrase });
  logReady(logger, running);
  reloads.serve(() => void running.reload());
  const failed = running.failed.then((problem) => ({ why: problem, exitCode: ExitCode.failure }));
  const asked = Promise.race([stop, running.drainAsked.then(() => 'drain')]);
  const { why, exitCode } = await Promise.race([asked.then((why) => ({ why, exitCode: ExitCode.ok })), failed]);
  logger.log('info', { component: 'relay', why }, 'relay stopping');
  await running.stop();
  logger.log('info', { component: 'relay' }, 'relay stopped');
  logger.flush();
  return exitCode;
}

function logReady(logger: Logger, running: RunningRelay): void {
  const { listeners, p2p, admin } = running;
  logger.log('info', { component: 'relay', listeners, p2p, admin }, 'relay ready');
}

/** Resolves with what asks for the end, once. A second signal ends the process at once. */
function stopRequest(options: RelayOptions, logger: Logger): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals++;
      if (signals > 1) {
        logger.log('warn', { component: 'relay', why: signal }, 'second signal, ending without waiting');
        process.exit(ExitCode.failure);
      }
      resolve(signal);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
    if (options.stopOnStdinEnd) {
      const onEnd = () => resolve('stdin');
      process.stdin.on('end', onEnd).on('error', onEnd).resume();
      // Listening to it must not keep a stopped relay alive.
      (process.stdin as { unref?: () => void }).unref?.();
    }
  });
}

/** SIGHUP, from now on. What it asks for before it can be done is done then, once. */
function reloadRequests(): { serve(reload: () => void): void } {
  let isAsked = false;
  let serve = () => {
    isAsked = true;
  };
  process.on('SIGHUP', () => serve());
  return {
    serve(reload) {
      serve = reload;
      if (isAsked) reload();
    },
  };
}

/** Anything that nobody caught may have left the state half changed: log it and end, the supervisor starts afresh. */
function exitOnUncaught(logger: Logger): void {
  const onError = (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined;
    logger.log('error', { component: 'relay', error: errorText(error), stack }, 'uncaught error, ending');
    process.exit(ExitCode.failure);
  };
  process.on('uncaughtException', onError).on('unhandledRejection', onError);
}
