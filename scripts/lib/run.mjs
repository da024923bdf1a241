// Child processes of the scripts: what ends the script ends them too.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a command in the project's folder with our own standard streams and resolves with its exit code.
 * A signal to the script goes on to the command; the script then ends as if the signal had ended it.
 * `onStderr` takes the text that the command writes to its standard error instead of the terminal.
 */
export function run(command, args, { shell = false, onStderr } = {}) {
  return new Promise((resolve, reject) => {
    const stderr = onStderr === undefined ? 'inherit' : 'pipe';
    const child = spawn(command, args, { cwd: root, shell, stdio: ['inherit', 'inherit', stderr] });
    child.stderr?.setEncoding('utf8').on('data', onStderr);
    let received;
    const forward = (signal) => {
      received = signal;
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const release = () => {
      for (const signal of FORWARDED) process.off(signal, forward);
    };
    child.on('error', (error) => {
      release();
      reject(error);
    });
    child.on('close', (code, signal) => {
      release();
      if (received !== undefined) process.exit(128 + constants.signals[received]);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Runs one of the project's own scripts or tools with this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}
