/** Somebody who works through a guide in a folder and some terminals of his own. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './deadline.js';
import { excerptPattern, type GuideBlock } from './guide.js';
import { type Shell, Shells } from './shell.js';

const DEADLINE_MS = 30_000;

/** What a command says that runs until Ctrl-C, or until it has received enough. */
const STAYS = /^amop: subscribed to |\brelay ready\b/m;

interface Terminal {
  cwd: string;
  readonly cwdFile: string;
  shell: Shell | undefined;
  /** Up to where its output has been compared. */
  seen: number;
}

export interface ReaderOptions {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** From the ports of the pages to those of the test. */
  readonly ports: ReadonlyMap<number, number>;
}

export class Reader {
  private readonly options: ReaderOptions;
  private readonly shells: Shells;
  private readonly terminals = new Map<string, Terminal>();
  private stuck: string | undefined;

  constructor(options: ReaderOptions) {
    this.options = options;
    const env = { ...options.env, HOME: options.home };
    this.shells = new Shells({ cwd: options.home, env, shell: 'bash', deadlineMs: DEADLINE_MS });
  }

  /** Types a block, or compares it with what is to be seen. After a failure nothing further is tried. */
  async work(block: GuideBlock): Promise<void> {
    if (this.stuck !== undefined) throw new Error(`not tried, because this failed before: ${this.stuck}`);
    try {
      if (block.language === 'sh') await this.types(block);
      else await this.sees(block);
    } catch (error) {
      this.stuck = block.code;
      throw error;
    }
  }

  /** Saves a block in a folder of the reader's home, under the name that the page gives it. */
  save(folder: string, { code, prose }: GuideBlock): void {
    const name = /\bSave this as `([\w.-]+)`/.exec(prose)?.[1];
    if (name === undefined) throw new Error(`the page does not say under which name this is saved:\n${code}`);
    writeFileSync(join(this.options.home, folder, name), this.onTestPorts(code));
  }

  /** Ctrl-C in every terminal; what runs there ends well. Resolves with what each of them showed last. */
  async stopAll(): Promise<string[]> {
    const terminals = [...this.terminals.values()];
    for (const { shell } of terminals) shell?.interrupt();
    for (const terminal of terminals) await this.endsWell(terminal);
    return terminals.map(({ shell }) => shell?.output ?? '');
  }

  leave(): void {
    this.shells.killAll();
  }

  private async types({ code, prose, terminal: name }: GuideBlock): Promise<void> {
    const terminal = this.terminal(name);
    await this.prompt(terminal, prose);
    // One stream, as on a terminal; the end at the first command that fails, which a reader would see; and the folder in which
    // the next commands of this terminal begin.
    const prelude = `exec 2>&1; trap 'pwd >"$TERMINAL_CWD"' EXIT; set -e\n`;
    const variables = { TERMINAL_CWD: terminal.cwdFile };
    terminal.shell = this.shells.start(prelude + this.onTestPorts(code), variables, terminal.cwd);
    terminal.seen = 0;
    await terminal.shell.says(STAYS);
    if (terminal.shell.hasEnded) await this.endsWell(terminal);
  }

  private async sees({ code, terminal: name }: GuideBlock): Promise<void> {
    const terminal = this.terminal(name);
    const pattern = excerptPattern(code);
    const rest = () => this.onPagePorts(terminal.shell?.output ?? '').slice(terminal.seen);
    const found = await until(
      () => pattern.exec(rest()) ?? undefined,
      () => `terminal ${name} to show\n${code}it shows\n${rest()}`,
      DEADLINE_MS,
    );
    terminal.seen += found.index + found[0].length;
  }

  /** Ends what runs in a terminal: by Ctrl-C where the page says so. */
  private async prompt(terminal: Terminal, prose: string): Promise<void> {
    if (terminal.shell === undefined) return;
    if (/Ctrl-C/.test(prose)) terminal.shell.interrupt();
    await this.endsWell(terminal);
  }

  private async endsWell(terminal: Terminal): Promise<void> {
    const { shell } = terminal;
    if (shell === undefined) return;
    const code = await shell.end();
    if (code !== 0) throw new Error(`the commands ended with ${code}:\n${shell.output}`);
    terminal.cwd = readFileSync(terminal.cwdFile, 'utf8').trimEnd();
  }

  private terminal(name: string): Terminal {
    const found = this.terminals.get(name);
    if (found !== undefined) return found;
    const cwdFile = join(mkdtempSync(join(this.options.home, '.terminal-')), 'cwd');
    const terminal = { cwd: this.options.home, cwdFile, shell: undefined, seen: 0 };
    this.terminals.set(name, terminal);
    return terminal;
  }

  /** The ports of the test in place of those of the page. */
  private onTestPorts(code: string): string {
    return code.replace(/\b\d{4,5}\b/g, (digits) => String(this.options.ports.get(Number(digits)) ?? digits));
  }

  /** The other way round. */
  private onPagePorts(output: string): string {
    let text = output;
    for (const [page, test] of this.options.ports) text = text.replaceAll(String(test), String(page));
    return text;
  }
}
