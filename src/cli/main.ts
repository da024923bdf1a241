#!/usr/bin/env node
import { endQuietlyOnClosedPipe } from './output.js';
import { runCli } from './run.js';

/** Enough for standard output to be read; nothing of ours is left to do. */
const EXIT_TIMEOUT_MS = 5_000;

endQuietlyOnClosedPipe();
process.exitCode = await runCli(process.argv);
// A handle that somebody forgot must not keep a finished command alive.
setTimeout(() => process.exit(), EXIT_TIMEOUT_MS).unref();
