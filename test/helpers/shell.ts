/** Commands of the documents, run in a shell as somebody would type them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { until, withDeadline } from './deadline.js';
import { DIST_DIR } from './pki.js';

const DEADLINE_MS = 30_000;

export interface ShellOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly shell: 'sh' | 'bash';
  readonly deadlineMs: number;
}

/** One script: a command, or several lines. */
export class Shell {
  stdout = '';
  stderr = '';
  /** Both, as they came. */
  output = '';
  hasEnded = false;
  private readonly child: ChildProcess;
  private readonly exit: Promise<number | null>;
  private readonly deadlineMs: number;

  constructor(script: string, { cwd, env, shell, deadlineMs }: ShellOptions) {
    this.deadlineMs = deadlineMs;
    // A process group of its own: a signal reaches the command, as Ctrl-C does, and nothing is left behind.
    this.child = spawn(shell, ['-c', script], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      this.stdout += part;
      this.output += part;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      this.stderr += part;
      this.output += part;
    });
    this.exit = new Promise((done) => {
      this.child.once('close', (code) => {
        this.hasEnded = true;
        done(code);
      });
    });
  }

  /** Resolves when it has written this, or has ended. */
  says(pattern: RegExp): Promise<unknown> {
    return until(
      () => this.hasEnded || pattern.test(this.output),
      () => `${pattern}; it wrote:\n${this.output}`,
      this.deadlineMs,
    );
  }

  /** Resolves with the exit code. */
  end(): Promise<number | null> {
    return withDeadline(this.exit, this.deadlineMs, () => `the command to end; it wrote:\n${this.output}`);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.signal('SIGINT');
  }

  terminate(): void {
    this.signal('SIGTERM');
  }

  kill(): void {
    this.signal('SIGKILL');
  }

  private signal(name: NodeJS.Signals): void {
    if (this.child.pid !== undefined && !this.hasEnded) process.kill(-this.child.pid, name);
  }
}

/** The shells of a test file: all of them in one folder, and none left when it ends. */
export class Shells {
  private readonly options: ShellOptions;
  private readonly started = new Set<Shell>();

  constructor(options: Partial<ShellOptions> & Pick<ShellOptions, 'cwd'>) {
    this.options = { env: process.env, shell: 'sh', deadlineMs: DEADLINE_MS, ...options };
  }

  start(script: string, variables: NodeJS.ProcessEnv = {}, cwd: string = this.options.cwd): Shell {
    const shell = new Shell(script, { ...this.options, cwd, env: { ...this.options.env, ...variables } });
    this.started.add(shell);
    return shell;
  }

  /** Runs a script to its end, which must be a good one, and returns what it wrote. */
  async run(script: string): Promise<string> {
    const shell = this.start(script);
    const code = await shell.end();
    if (code !== 0) throw new Error(`"${script}" ended with ${code}:\n${shell.output}`);
    return shell.output;
  }

  killAll(): void {
    for (const shell of this.started) shell.kill();
    this.started.clear();
  }
}

/**
 * Puts the command `amop` of the build under test into a folder.
 * @returns PATH with this folder in front
 */
export function amopOnPath(folder: string): string {
  const main = join(DIST_DIR, 'cli', 'main.js');
  writeFileSync(join(folder, 'amop'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  return `${folder}${delimiter}${process.env.PATH}`;
}
