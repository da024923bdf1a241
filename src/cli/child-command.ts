/**
 * A program that answers one message: payload on its standard input, answer from its standard output.
 *
 * Invariant: a run ends within its time-out, with everything the program started; its output is bounded; the payload
 * reaches it as bytes only, never as part of a command line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Message } from '../client/index.js';
import { printable } from './output.js';

export interface ChildOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
}

export type ChildOutcome =
  | { readonly ok: true; readonly output: Buffer }
  /** `reason` goes to the sender, `why` to the person at the terminal. */
  | { readonly ok: false; readonly reason: string; readonly why: string };

export class ChildCommand {
  readonly #options: ChildOptions;
  readonly #running = new Set<ChildProcess>();

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  /** Runs the program for a message. Never rejects. */
  run(message: Message): Promise<ChildOutcome> {
    const { file, args, timeoutMs, outputBytesMax } = this.#options;
    return new Promise((resolve) => {
      const child = spawn(file, args, {
        // A group of its own, so that what it started ends with it and Ctrl-C is for us alone.
        detached: true,
        stdio: ['pipe', 'pipe', 'inherit'],
        // A sender chooses the bytes of a seq; a NUL among them could not be passed on.
        env: { ...process.env, AMOP_TOPIC: message.topic, AMOP_SEQ: printable(message.seq) },
      });
      this.#running.add(child);
      const output: Buffer[] = [];
      let bytes = 0;
      let failure: ChildOutcome | undefined;
      const fail = (reason: string, why: string) => {
        failure ??= { ok: false, reason, why };
        killGroup(child);
        // Whatever has left the group may hold the pipe open.
        child.stdout.destroy();
      };
      const timer = setTimeout(() => fail('command-timeout', `took longer than ${timeoutMs / 1000} s`), timeoutMs);
      const finish = (outcome: ChildOutcome) => {
        clearTimeout(timer);
        this.#running.delete(child);
        resolve(outcome);
      };
      child.stdout.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > outputBytesMax) fail('command-output-too-large', `wrote more than ${outputBytesMax} bytes`);
        else output.push(chunk);
      });
      child.once('error', (error) => finish({ ok: false, reason: 'command-failed', why: error.message }));
      child.once('close', (code, signal) => {
        if (failure !== undefined) finish(failure);
        else if (code === 0) finish({ ok: true, output: Buffer.concat(output, bytes) });
        else finish({ ok: false, reason: 'command-failed', why: `ended with ${signal ?? `exit code ${code}`}` });
      });
      // A program may end without reading its input.
      child.stdin.on('error', () => {});
      child.stdin.end(message.payload);
    });
  }

  /** Ends every program that runs. */
  killAll(): void {
    for (const child of this.#running) killGroup(child);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
