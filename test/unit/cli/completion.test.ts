/** The completion scripts: in a real bash what Tab would offer, for the others what the script says. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCommands, commandTree } from '../../../src/cli/completion/tree.js';
import { createProgram } from '../../../src/cli/program.js';
import { testPki, writeCerts } from '../../helpers/pki.js';
import { amop, isBuilt, MAIN } from './run-amop.js';

const run = promisify(execFile);
const tree = commandTree(createProgram('0', async () => {}));
let directory: string;
let script: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'amop-completion-'));
  script = join(directory, 'amop.bash');
  await writeFile(script, (await amop(['completion', 'bash'])).stdout);
  const certs = await writeCerts(join(directory, 'conf'), (await testPki()).sdkB.secp256k1);
  // The script asks `amop` for the names of contexts, as it is in the PATH.
  await writeFile(join(directory, 'amop'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  await chmod(join(directory, 'amop'), 0o755);
  await writeFile(join(directory, 'relay.toml'), '');
  env = { ...process.env, XDG_CONFIG_HOME: join(directory, 'config'), PATH: `${directory}:${process.env.PATH}` };
  for (const name of ['bank-a', 'bank-b', 'other']) await amop(['context', 'add', name, '--certs', certs], '', env);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What bash would offer behind this line; the last word is the one that is being typed. */
async function complete(line: string): Promise<string[]> {
  const words = line.split(' ');
  const program = `
    source "${script}"
    complete -p amop >/dev/null || exit 1
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
    _amop
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['--noprofile', '--norc', '-c', program], { cwd: directory, env });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe.runIf(isBuilt)('completion in bash', () => {
  it.each([
    ['amop re', ['relay', 'reload', 'request', 'reply']],
    ['amop context ', ['add', 'list', 'show', 'select', 'remove', '--help', '-h']],
    ['amop ctx se', ['select']],
    ['amop completion ', ['bash', 'zsh', 'fish', '--help', '-h']],
    ['amop sub --fo', ['--format']],
    ['amop req --re', ['--relay']],
    ['amop relay --config re', ['relay.toml']],
    ['amop sub -t x --certs c', ['conf', 'config']],
    ['amop pki relay relay-1 --org c', ['conf', 'config']],
    ['amop pki relay --o', ['--org', '--overwrite']],
    ['amop relay --o', []],
    ['amop sub relay --stop', []],
    ['amop request --context bank', ['bank-a', 'bank-b']],
    ['amop request --timeout ', []],
    ['amop --v', ['--version']],
  ])('offers for %j', async (line, expected) => {
    expect((await complete(line)).sort()).toEqual([...expected].sort());
  });

  it('knows every command and option of the tree', async () => {
    for (const node of allCommands(tree)) {
      const offered = await complete(`${node.path.join(' ')} `);
      const wanted = [...node.commands.map(({ path }) => path.at(-1)), ...node.options.flatMap(({ flags }) => flags)];
      expect(offered, node.path.join(' ')).toEqual(expect.arrayContaining(wanted));
    }
  });

  it('is loaded as its first lines say', async () => {
    const load = /^# +(source .*)$/m.exec((await amop(['completion', 'bash'])).stdout)?.[1] ?? '';
    const { stdout } = await run('bash', ['-c', `${load}; complete -p amop`], { env });
    expect(stdout).toContain('_amop amop');
  });
});

/** What the script for fish says, read as fish does; the shell itself is not on every machine. */
class FishScript {
  /** What is typed, to the command that it names. */
  private readonly commands = new Map<string, string>();
  private readonly lines: readonly { readonly at: string; readonly words: readonly string[] }[];

  constructor(text: string) {
    const words = (line: string) =>
      [...line.matchAll(/'((?:\\.|[^'\\])*)'|\S+/g)].map(([all, quoted]) => quoted ?? all);
    for (const [, patterns, at] of text.matchAll(/^ +case (.+)\n +set at '(.+)'$/gm))
      for (const pattern of words(patterns)) this.commands.set(pattern, at);
    this.lines = [...text.matchAll(/^complete -c amop -n '__amop_at ([^']+)' (.+)$/gm)].map(([, at, rest]) => ({
      at,
      words: words(rest),
    }));
    // Nothing holds for every command but that files are not offered everywhere.
    const others = text.split('\n').filter((line) => line.startsWith('complete ') && !line.includes("-n '__amop_at "));
    expect(others).toEqual(['complete -c amop -f']);
  }

  /** Words, options and, as `files` and `folders`, what else is offered behind these words. */
  offers(typed: string): string[] {
    const [program, ...rest] = typed.split(' ');
    let at = program;
    for (const word of rest) at = this.commands.get(`${at} ${word}`) ?? at;
    return this.lines.filter((line) => line.at === at).flatMap((line) => this.offersOf(line.words));
  }

  private offersOf(words: readonly string[]): string[] {
    const value = (flag: string) => (words.includes(flag) ? [words[words.indexOf(flag) + 1]] : []);
    const options = [...value('-l').map((name) => `--${name}`), ...value('-s').map((name) => `-${name}`)];
    if (options.length > 0) return options;
    if (words.includes('-F')) return ['files'];
    return value('-a').map((text) => (text.startsWith('(') ? 'folders' : text));
  }
}

describe.runIf(isBuilt)('completion in zsh and fish', () => {
  it('lets zsh run the functions of bash, whose variables mean nothing else there', async () => {
    const { stdout } = await amop(['completion', 'zsh']);
    expect(stdout).toMatch(/^#compdef amop\n/);
    expect(stdout).toContain('bashcompinit');
    const bash = (await amop(['completion', 'bash'])).stdout;
    expect(stdout).toContain(bash.slice(bash.indexOf('_amop() {')));
    const variables = [...bash.matchAll(/^ +local (.+)$/gm)].flatMap(
      ([, names]) => names.match(/\b[a-z]\w*(?==| |$)/g) ?? [],
    );
    expect(variables).toContain('cur');
    // Tied to PATH and its like, or read-only: a local one changes what the function can run.
    const special = [
      'path',
      'cdpath',
      'fpath',
      'manpath',
      'module_path',
      'status',
      'argv',
      'options',
      'commands',
      'words',
    ];
    expect(variables.filter((name) => special.includes(name))).toEqual([]);
  });

  it('offers in fish exactly what belongs to the command', async () => {
    const fish = new FishScript((await amop(['completion', 'fish'])).stdout);
    for (const node of allCommands(tree)) {
      const extra = new Set(
        node.values.flatMap(({ kind }) => ({ file: ['files'], folder: ['folders'] })[kind as 'file'] ?? []),
      );
      const wanted = [
        ...node.commands.map(({ path }) => path.at(-1)),
        ...node.values.flatMap(({ choices }) => choices),
        ...node.options.flatMap(({ flags }) => flags),
        ...extra,
      ];
      const spellings = [
        node.path.join(' '),
        ...node.aliases.map((alias) => [...node.path.slice(0, -1), alias].join(' ')),
      ];
      for (const typed of spellings) expect(fish.offers(typed).sort(), typed).toEqual([...wanted].sort());
    }
    expect(fish.offers('amop pki relay')).not.toContain('--config');
    expect(fish.offers('amop sub relay')).toEqual(fish.offers('amop sub'));
    expect(fish.offers('amop config check relay.toml')).toContain('files');
  });

  it('writes every quote of the script for fish so that a shell reads it', async () => {
    const lines = (await amop(['completion', 'fish'])).stdout
      .split('\n')
      .filter((line) => line.startsWith('complete '));
    await run('sh', ['-c', `complete() { :; }\n${lines.join('\n').replaceAll("\\'", "'\\''")}`]);
  });

  it('refuses a shell that it does not know', async () => {
    const { code, stderr } = await amop(['completion', 'csh']);
    expect(code).toBe(2);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
