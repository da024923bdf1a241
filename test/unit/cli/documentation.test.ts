import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { allCommands, commandTree } from '../../../src/cli/completion/tree.js';
import { renderCliDocs } from '../../../src/cli/documentation.js';
import { createProgram } from '../../../src/cli/program.js';
import { Verb } from '../../../src/cli/verb.js';

const program = createProgram('0', async () => {});
const page = renderCliDocs();

describe('docs/cli.md', () => {
  it('is what the command tree says (else build and run scripts/cli-docs.mjs)', () => {
    expect(readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')).toBe(page);
  });

  it('has every command and every option', () => {
    for (const { path, options, commands } of allCommands(commandTree(program))) {
      if (path.length > 1) expect(page).toContain(`# ${path.join(' ')}\n`);
      for (const { flags } of options) {
        if (flags[0] !== '--help' && flags[0] !== '--version')
          expect(page, path.join(' ')).toMatch(new RegExp(`\\| \`.*${flags[0]}\\b`));
      }
      expect(path.length > 1 || commands.length > 0).toBe(true);
    }
  });
});

describe('amop --help', () => {
  it('has every command under one of the headings, as the page has', () => {
    const headings = ['Relay', 'Messages', 'Certificates and keys', 'Tools'];
    const help = program.helpInformation();
    expect([...help.matchAll(/^(\S.*):$/gm)].map(([, heading]) => heading)).toEqual(['Options', ...headings]);
    expect([...page.matchAll(/^\| (.+) \| \[/gm)].map(([, heading]) => heading)).toEqual(headings);
    for (const { path } of commandTree(program).commands) {
      expect(help).toMatch(new RegExp(`^  ${path[1]}\\b`, 'm'));
      expect(page).toContain(`[${path[1]}](#amop-${path[1]})`);
    }
  });
});

describe('an option that a command cannot do without', () => {
  const commands = (command: Verb): Verb[] => [command, ...command.commands.flatMap((one) => commands(one as Verb))];
  const section = (command: Verb): string => {
    const names: string[] = [];
    for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
    return (
      page.split(/^(?=##+ )/m).find((text) => text.startsWith(`${'#'.repeat(names.length)} ${names.join(' ')}\n`)) ?? ''
    );
  };
  const isMarked = (text: string, flags: string) =>
    text.split('\n').some((line) => line.includes(flags) && line.endsWith('(required)'));

  it('is marked in the help and on the page, and no other is', () => {
    const marked: string[] = [];
    for (const command of commands(createProgram('0', async () => {}))) {
      // As wide as it takes for an option to stand on one line.
      command.configureHelp({ helpWidth: 1_000 });
      const help = command.helpInformation();
      const table = section(command).replaceAll(/ \|$/gm, '');
      for (const { flags, mandatory } of command.options) {
        expect([isMarked(help, flags), isMarked(table, flags)], `${command.name()} ${flags}`).toEqual([
          mandatory,
          mandatory,
        ]);
        if (mandatory) marked.push(`${command.name()} ${flags}`);
      }
    }
    expect(marked).toEqual(expect.arrayContaining(['relay -c, --config <file>', 'convert --to <form>']));
  });
});

describe('the command tree', () => {
  const leaves = (command: Verb): Verb[] => {
    const below = command.commands.filter((one) => one.name() !== 'help') as Verb[];
    return below.length === 0 ? [command] : below.flatMap(leaves);
  };

  it('has examples for every group of commands too', () => {
    const groups = (command: Verb): Verb[] =>
      (command.commands as Verb[]).flatMap((one) => (one.commands.length > 0 ? [one, ...groups(one)] : []));
    expect(groups(program).map((one) => [one.name(), one.examples.length > 0])).toEqual(
      ['config', 'private', 'pki', 'keys', 'context', 'frame'].map((name) => [name, true]),
    );
  });

  it('has a description for every command, option and argument, and an example for every command that does something', () => {
    for (const leaf of leaves(program)) {
      expect(leaf).toBeInstanceOf(Verb);
      expect(leaf.description(), leaf.name()).toMatch(/^[A-Z].*\.$/);
      for (const option of leaf.options) expect(option.description, `${leaf.name()} ${option.flags}`).not.toBe('');
      for (const argument of leaf.registeredArguments) expect(argument.description, leaf.name()).not.toBe('');
      expect(leaf.examples.length, leaf.name()).toBeGreaterThan(0);
      for (const { command } of leaf.examples)
        expect(command).toContain(`amop ${leaf.parent === program ? '' : `${leaf.parent?.name()} `}${leaf.name()}`);
    }
  });
});
