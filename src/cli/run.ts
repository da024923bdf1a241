import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { Act } from './act.js';
import { addConfigCommand } from './config-command.js';
import { addDemoCommand } from './demo-command.js';
import { ExitCode } from './exit-codes.js';
import { addFrameCommand } from './frame-command.js';
import { addKeysCommand } from './keys-command.js';
import { addOperateCommands } from './operate-command.js';
import { addPeersCommand } from './peers-command.js';
import { addPkiCommand } from './pki-command.js';
import { addPubCommand } from './pub-command.js';
import { addRelayCommand } from './relay-command.js';
import { reportFailure } from './report.js';
import { addRequestCommand } from './request-command.js';
import { addSubCommand } from './sub-command.js';

const OVERVIEW = `
Examples:
  amop relay --config relay.toml                     run a relay
  amop sub --certs conf orders --reply accepted      answer the requests of a topic
  amop request --certs conf orders "buy 100"         ask one subscriber
  amop pub --certs conf news "markets are open"      tell all subscribers
  amop peers                                         who a relay is connected to
  amop demo                                          try it all on this machine

Exit codes: 0 ok, 1 failure, 2 usage, 9-14 for AMOP-99 to AMOP-104, 27 a wait expired.`;

/** Runs one command line (`argv` as in `process.argv`) and resolves with the exit code. Never throws. */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const act: Act = async (work, json) => {
    try {
      exitCode = await work();
    } catch (error) {
      exitCode = reportFailure(error, json);
    }
  };
  const program = new Command('amop')
    .description('A relay for AMOP, the messages on topics of FISCO BCOS 2.x, and a client for its topics.')
    .version(readVersion())
    .addHelpText('after', OVERVIEW)
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'amop: ')) })
    .exitOverride();
  addRelayCommand(program, act);
  addSubCommand(program, act);
  addPubCommand(program, act);
  addRequestCommand(program, act);
  addPeersCommand(program, act);
  addOperateCommands(program, act);
  addConfigCommand(program, act);
  addPkiCommand(program, act);
  addKeysCommand(program, act);
  addFrameCommand(program, act);
  addDemoCommand(program, act);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // commander has written its line; help and version end with 0, everything else is wrong usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    return reportFailure(error);
  }
  return exitCode;
}

/** From the package beside the build. */
function readVersion(): string {
  try {
    return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
  } catch {
    return 'unknown';
  }
}
