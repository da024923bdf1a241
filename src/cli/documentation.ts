/** docs/cli.md from the command tree. A test fails while the file is not what this makes. */
import type { Command, Help, Option } from 'commander';
import { addConnectionOptions } from './connection-options.js';
import { EXIT_CODE_TABLE } from './exit-codes.js';
import { createProgram } from './program.js';
import { requiredMark, Verb } from './verb.js';

const HEAD = `# Command line

Made from the command tree by \`scripts/cli-docs.mjs\`; change the commands, not this page. \`amop <command> --help\` says the same.

In a clone \`amop\` is \`node dist/cli/main.js\`; an installed package brings \`amop\` itself.

* Results go to standard output, one line each, remarks and errors to standard error. \`--json\` makes every line a JSON object, errors too; \`--quiet\` leaves only errors.
* On a terminal, control characters of messages are made visible and remarks have colours, unless \`NO_COLOR\` is set. Into a pipe or file payloads go as they are.
* A time is \`5\` (seconds), \`2.5s\`, \`500ms\` or \`1m\`; a size is \`128\` (bytes), \`4k\` or \`1m\`.
* Behind \`--\` nothing is an option: \`amop request orders -- -5\`.
* A command with several relays keeps a connection to each and goes on with those that are there. What is lost is dialled again, and \`sub\` and \`reply\` are then subscribed again.
* \`AMOP_DEBUG=1\` adds the stack of an unexpected error.
`;

const CONTEXTS = `## Which relay, which certificate

The first of these that says something, for relays and for certificates each:

1. options of the command: \`--relay\`, \`--host\` and \`--port\`; \`--certs\`, or \`--ca\`, \`--cert\` and \`--key\`;
2. the context of \`--context\`, which switches off the variables in 3;
3. \`AMOP_RELAY\`, \`AMOP_CERTS\`;
4. the context of \`AMOP_CONTEXT\`;
5. the context that is selected, unless certificates were given already;
6. the relay 127.0.0.1:20200.
`;

export function renderCliDocs(): string {
  const program = createProgram('0.0.0', async () => {});
  const commands = program.commands.filter((command) => command.name() !== 'help');
  return [
    HEAD,
    index(commands),
    CONTEXTS,
    `## Exit codes\n\n${table(
      ['Code', 'Meaning'],
      EXIT_CODE_TABLE.map(([code, words]) => [String(code), words]),
    )}`,
    `## Options of every command with a connection\n\n${optionTable(addConnectionOptions(new Verb('any')).options)}`,
    ...commands.flatMap((command) => section(command as Verb, 'amop', 2)),
  ].join('\n');
}

/** The groups of `amop --help`. */
function index(commands: readonly Command[]): string {
  const headings = [...new Set(commands.map((command) => command.helpGroup()))];
  const rows = headings.map((heading) => {
    const links = commands
      .filter((command) => command.helpGroup() === heading)
      .map((command) => `[${command.name()}](#amop-${command.name()})`);
    return [heading.replace(/:$/, ''), links.join(', ')];
  });
  return `## Commands\n\n${table(['About', 'Commands'], rows)}`;
}

function section(command: Verb, above: string, level: number): string[] {
  const name = `${above} ${command.name()}`;
  const help = command.createHelp();
  const own = help.visibleOptions(command).filter(({ long }) => long !== '--help' && !command.shared.has(long ?? ''));
  const lines = [`${'#'.repeat(level)} ${name}\n`, `${plain(command.description())}\n`, usage(command, name, help)];
  const argumentRows = command.registeredArguments.map((one) => [
    `\`${one.name()}\``,
    plain(help.argumentDescription(one)),
  ]);
  if (argumentRows.length > 0) lines.push(table(['Argument', ''], argumentRows));
  if (own.length > 0) lines.push(optionTable(own));
  if (command.shared.size > 0)
    lines.push('And the [options of every command with a connection](#options-of-every-command-with-a-connection).\n');
  for (const note of command.notes) lines.push(`${plain(note)}\n`);
  if (command.examples.length > 0) lines.push(examples(command));
  const children = command.commands.filter((child) => child.name() !== 'help');
  return [...lines, ...children.flatMap((child) => section(child as Verb, name, level + 1))];
}

function usage(command: Command, name: string, help: Help): string {
  const words = help.commandUsage(command).split(' ').slice(name.split(' ').length).join(' ');
  const aliases = command.aliases().length === 0 ? '' : `, also \`${command.aliases().join('`, `')}\``;
  return `\`${name} ${words}\`${aliases}\n`;
}

function examples(command: Verb): string {
  const width = Math.max(...command.examples.map((one) => one.command.length));
  const lines = command.examples.map((one) => `${one.command.padEnd(width)}   # ${one.text}`);
  return `\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`;
}

function optionTable(options: readonly Option[]): string {
  return table(
    ['Option', ''],
    options.map((option) => {
      const fallback = option.defaultValueDescription ?? option.defaultValue;
      const isNone = fallback === undefined || fallback === true || (Array.isArray(fallback) && fallback.length === 0);
      const shown = isNone ? '' : ` (default ${fallback})`;
      const choices = option.argChoices === undefined ? '' : ` (one of ${option.argChoices.join(', ')})`;
      const variable = option.envVar === undefined ? '' : ` (variable \`${option.envVar}\`)`;
      const words = plain(option.description) + choices + shown + variable + requiredMark(option);
      return [`\`${option.flags}\``, words];
    }),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}

/** What Markdown would take for something else. */
function plain(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replace(/\\(?=[nt0\\])/g, '\\\\');
}
