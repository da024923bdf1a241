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

describe.runIf(isBuilt)('completion in zsh and fish', () => {
  it('lets zsh run the functions of bash', async () => {
    const { stdout } = await amop(['completion', 'zsh']);
    expect(stdout).toMatch(/^#compdef amop\n/);
    expect(stdout).toContain('bashcompinit');
    const bash = (await amop(['completion', 'bash'])).stdout;
    expect(stdout).toContain(bash.slice(bash.indexOf('_amop() {')));
  });

  it('tells fish every command and option', async () => {
    const { stdout } = await amop(['completion', 'fish']);
    for (const node of allCommands(tree)) {
      for (const { path } of node.commands)
        expect(stdout).toMatch(new RegExp(`^complete -c amop.* -a '${path.at(-1)}' `, 'm'));
      for (const { flags } of node.options) {
        const long = flags[0].replace(/^--/, '');
        expect(stdout, `${node.path} ${long}`).toMatch(new RegExp(`^complete -c amop.* -l ${long} `, 'm'));
      }
    }
    // Every quote is closed: a shell reads the lines as words without an error.
    await run('sh', ['-c', `complete() { :; }\n${stdout.replaceAll("\\'", "'\\''")}`]);
  });

  it('refuses a shell that it does not know', async () => {
    const { code, stderr } = await amop(['completion', 'csh']);
    expect(code).toBe(2);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
