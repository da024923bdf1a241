import { resolve } from 'node:path';
import { Option } from 'commander';
import { errorText, RelayError } from '../base/errors.js';
import type { Act } from './act.js';
import { addTargetOptions, type ConnectionOptions, loadTarget, resolveTarget } from './connection-options.js';
import { type Context, contextPath, findContext, isContextName, readContexts, writeContexts } from './context-store.js';
import { ExitCode } from './exit-codes.js';
import { note, write, writeJson } from './output.js';
import { paint } from './style.js';
import { tlsKeyPassword } from './tls-key-password.js';
import type { Verb } from './verb.js';

interface AddOptions extends ConnectionOptions {
  readonly force?: boolean;
  readonly select?: boolean;
}

interface ListOptions {
  readonly json?: boolean;
  readonly names?: boolean;
}

export function addContextCommand(program: Verb, act: Act): void {
  const context = program
    .command('context')
    .alias('ctx')
    .summary('name relays and certificates once')
    .description(
      'Keeps relays and the files of certificates under a name, for --context and AMOP_CONTEXT. They are stored in ' +
        '$XDG_CONFIG_HOME/amop/contexts.json with mode 0600, as paths: no key and no password is stored.',
    )
    .note('A context that is selected is used wherever nothing else names certificates.')
    .example('amop context add bank-a --certs conf --relay 127.0.0.1:20200', 'a folder with the files')
    .example('amop context add bank-b --certs conf --relay a.example:20200,b.example:20200', 'two relays')
    .example('amop context list', 'names and relays');
  addAdd(context, act);
  addList(context, act);
  addShow(context, act);
  context
    .command('select')
    .description('Makes a context the one that is used when none is named.')
    .argument('<name>', 'name')
    .example('amop context select bank-a', 'use it from now on')
    .action((name: string) => act(() => select(name)));
  context
    .command('remove')
    .description('Forgets a context; its files stay.')
    .alias('rm')
    .argument('<name>', 'name')
    .example('amop context remove bank-a', 'forget it')
    .action((name: string) => act(() => remove(name)));
}

function addAdd(context: Verb, act: Act): void {
  const add = context
    .command('add')
    .description('Checks relays and certificates and keeps them under a name. The first one is selected.')
    .argument('<name>', 'letters, digits, ".", "_" and "-"');
  addTargetOptions(add)
    .option('--select', 'use it when none is named')
    .addOption(new Option('--force', 'replace the one that has the name'));
  add
    .example('amop context add bank-a --certs conf --relay 127.0.0.1:20200', 'a folder with the files')
    .example('amop context add bank-b --certs conf --relay a.example:20200,b.example:20200', 'two relays')
    .action((name: string, options: AddOptions) => act(() => addContext(add, name, options)));
}

function addList(context: Verb, act: Act): void {
  const list = context
    .command('list')
    .alias('ls')
    .description('Lists the contexts; the selected one has an asterisk.')
    .option('--names', 'names only')
    .option('--json', 'one JSON object a line');
  list
    .example('amop context list', 'names and relays')
    .action((options: ListOptions) => act(() => listContexts(options), options.json));
}

function addShow(context: Verb, act: Act): void {
  const show = context
    .command('show')
    .description('Shows a context and whether its certificate can work.')
    .argument('[name]', 'name (default: the selected one)')
    .option('--json', 'as a JSON object');
  show
    .example('amop context show bank-a', 'relays, files and certificate')
    .action((name: string | undefined, options: ListOptions) => act(() => showContext(name, options), options.json));
}

async function addContext(command: Verb, name: string, options: AddOptions): Promise<number> {
  if (!isContextName(name)) {
    throw new RelayError('usage', `${JSON.stringify(name)} is no name; use up to 64 letters, digits, ".", "_" and "-"`);
  }
  const file = readContexts();
  if (Object.hasOwn(file.contexts, name) && !options.force) {
    throw new RelayError('usage', `context ${name} is there already; replace it with --force`);
  }
  const target = resolveTarget(command, 'without');
  const { warnings } = loadTarget(target, await tlsKeyPassword([target.key], target.keyPasswordFile));
  for (const warning of warnings) note(`amop: ${paint(process.stderr, 'yellow', 'warning:')} ${warning}`);
  const { relays, ca, cert, key, keyPasswordFile } = target;
  const context: Context = {
    relays,
    ca: resolve(ca),
    cert: resolve(cert),
    key: resolve(key),
    ...(keyPasswordFile === undefined ? {} : { keyPasswordFile: resolve(keyPasswordFile) }),
  };
  const selected = options.select ? name : (file.selected ?? name);
  writeContexts({ selected, contexts: { ...file.contexts, [name]: context } });
  note(`amop: context ${name} is kept in ${contextPath()}${selected === name ? ' and selected' : ''}`);
  return ExitCode.ok;
}

async function listContexts(options: ListOptions): Promise<number> {
  const { contexts, selected } = readContexts();
  const names = Object.keys(contexts).sort();
  for (const name of names) {
    if (options.names) await write(`${name}\n`);
    else if (options.json) await writeJson({ name, selected: name === selected, ...contexts[name] });
    else {
      const mark = name === selected ? paint(process.stdout, 'green', '*') : ' ';
      await write(
        `${mark} ${name.padEnd(Math.max(...names.map(({ length }) => length)))}  ${contexts[name].relays.join(', ')}\n`,
      );
    }
  }
  if (names.length === 0 && !options.names) note('amop: no context yet; amop context add --help');
  return ExitCode.ok;
}

async function showContext(named: string | undefined, options: ListOptions): Promise<number> {
  const file = readContexts();
  const name = named ?? file.selected;
  if (name === undefined) throw new RelayError('usage', 'no context is selected; name one');
  const context = findContext(file, name);
  const certificate = describe(context);
  if (options.json) {
    await writeJson({ name, selected: name === file.selected, ...context, ...certificate });
    return ExitCode.ok;
  }
  const rows: [string, string][] = [
    ['relays', context.relays.join(', ')],
    ['ca', context.ca],
    ['cert', context.cert],
    ['key', context.key],
  ];
  if (context.keyPasswordFile !== undefined) rows.push(['key password in', context.keyPasswordFile]);
  if ('problem' in certificate) rows.push(['problem', certificate.problem]);
  else rows.push(['certificate', `${certificate.subject}, ${certificate.kind}, until ${certificate.notAfter}`]);
  await write(`${paint(process.stdout, 'bold', name)}${name === file.selected ? ' (selected)' : ''}\n`);
  for (const [label, value] of rows) await write(`  ${label.padEnd(15)} ${value}\n`);
  return ExitCode.ok;
}

async function select(name: string): Promise<number> {
  const file = readContexts();
  findContext(file, name);
  writeContexts({ ...file, selected: name });
  return ExitCode.ok;
}

async function remove(name: string): Promise<number> {
  const file = readContexts();
  findContext(file, name);
  const { [name]: _removed, ...contexts } = file.contexts;
  writeContexts(file.selected === name ? { contexts } : { ...file, contexts });
  return ExitCode.ok;
}

function describe(context: Context): { problem: string } | { subject: string; kind: string; notAfter: string } {
  try {
    const { leaf, kind, notAfter } = loadTarget(context);
    return { subject: leaf.subject.replaceAll('\n', ', '), kind, notAfter: notAfter.toISOString() };
  } catch (error) {
    return { problem: errorText(error) };
  }
}
