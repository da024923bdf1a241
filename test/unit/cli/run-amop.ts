/** Runs the built command line as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until, withDeadline } from '../../helpers/deadline.js';
import { shellWords, Terminal } from '../../helpers/terminal.js';

/** `AMOP_MAIN` names another build than dist/. */
export const MAIN = process.env.AMOP_MAIN ?? fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
/** `npm test` builds first; a bare vitest run without a build has nothing to test here. */
export const isBuilt = existsSync(MAIN);

const DEADLINE_MS = 15_000;

const OWN_VARIABLES = [
  'AMOP_RELAY',
  'AMOP_CERTS',
  'AMOP_CONTEXT',
  'AMOP_KEY_PASSWORD',
  'AMOP_PASSWORD',
  'AMOP_NEW_PASSWORD',
  'XDG_CONFIG_HOME',
  'NO_COLOR',
  'npm_lifecycle_event',
];

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Amop {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}) {
    const env = environment(options.env);
    this.child = spawn(process.execPath, [MAIN, ...args], { env, cwd: options.cwd, stdio: 'pipe' });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.outcome = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  async end(): Promise<Outcome> {
    const all = () => `amop to end; it said ${this.stdout}${this.stderr}`;
    return withDeadline(this.outcome, DEADLINE_MS, all).finally(() => this.child.kill('SIGKILL'));
  }

  /** Waits for text on either stream. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return until(
      () => pattern.exec(this.stdout + this.stderr) ?? undefined,
      () => `${pattern} in ${this.stdout}${this.stderr}`,
      DEADLINE_MS,
    );
  }
}

/** Runs to the end; `stdin` is what standard input holds. */
export function amop(args: readonly string[], stdin = '', env?: NodeJS.ProcessEnv): Promise<Outcome> {
  const run = new Amop(args, { env });
  run.child.stdin?.on('error', () => {});
  run.child.stdin?.end(stdin);
  return run.end();
}

/** The environment of `amop` in tests, without what belongs to whoever runs them. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  // A home of its own: contexts of whoever runs the tests are none of their business.
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: '/nonexistent', ...more };
  for (const name of OWN_VARIABLES) {
    if (more[name] === undefined) delete env[name];
  }
  return env;
}

/** A command for the shell line of a terminal. */
export function amopLine(...args: readonly string[]): string {
  return shellWords(process.execPath, MAIN, ...args);
}

/** A terminal on which this line runs; the caller owns its end. */
export function terminal(line: string, env: NodeJS.ProcessEnv = {}): Terminal {
  return new Terminal(line, { env: environment({ TERM: 'dumb', ...env }) });
}

/** What it writes on a terminal of its own, to its end. */
export async function amopOnTerminal(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const run = terminal(`exec ${amopLine(...args)}`, env);
  try {
    await run.end();
  } finally {
    await run.close();
  }
  return run.output;
}
