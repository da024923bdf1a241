import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { createProgram } from './program.js';
import { reportFailure } from './report.js';

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
  try {
    await createProgram(readVersion(), act).parseAsync([...argv]);
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
