/**
 * A shell line on a terminal of its own, as a person sees it: what the commands show and what the terminal echoes are one text.
 * The terminal is made by `script`, which belongs to every Debian.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { until, withDeadline } from './deadline.js';

const DEADLINE_MS = 15_000;

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';
/** The key of a terminal; a line of text ends with another character. */
export const ENTER = '\r';

/** Words of a shell line that stand for themselves. */
export function shellWords(...words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

export class Terminal {
  /** Everything so far. */
  output = '';
  private readonly script: ChildProcess;
  private readonly exit: Promise<number | null>;
  private seen = 0;
  private hasEnded = false;

  constructor(line: string, options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}) {
    const { cwd, env = process.env } = options;
    // The shell that runs the line tells its number, so that nothing outlives a test.
    const told = `echo "shell $$"; ${line}`;
    this.script = spawn('script', ['-qec', told, '/dev/null'], {
      cwd,
      env: { ...env, SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.script.stdin?.on('error', () => {}); // its end is told by 'close'
    this.script.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.exit = new Promise((resolve) => {
      this.script.once('close', (code) => {
        this.hasEnded = true;
        resolve(code);
      });
    });
  }

  /** The process of the line; an `exec` in it makes that of the command. */
  async pid(): Promise<number> {
    return Number((await until(() => /^shell (\d+)\r$/m.exec(this.output) ?? undefined, 'the shell'))[1]);
  }

  /** Waits for text behind what was waited for before. */
  async says(pattern: RegExp): Promise<void> {
    const found = await until(
      () => pattern.exec(this.output.slice(this.seen)) ?? (this.hasEnded && 'nothing'),
      () => `${pattern} in ${this.shown}`,
      DEADLINE_MS,
    );
    if (found === 'nothing') throw new Error(`ended without ${pattern}: ${this.shown}`);
    this.seen += (found as RegExpExecArray).index + found[0].length;
  }

  type(keys: string): void {
    this.script.stdin?.write(keys);
  }

  /** The exit code of the line, which has ended by itself. */
  end(): Promise<number | null> {
    return withDeadline(this.exit, DEADLINE_MS, () => `the end of ${this.shown}`);
  }

  /** Ends what still runs. */
  async close(): Promise<void> {
    if (this.hasEnded) return;
    process.kill(await this.pid(), 'SIGKILL');
    this.script.kill('SIGKILL');
    await this.exit;
  }

  private get shown(): string {
    return JSON.stringify(this.output);
  }
}
