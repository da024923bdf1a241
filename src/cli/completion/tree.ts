/** The command tree as completion and documentation see it. */
import type { Argument, Command, Option } from 'commander';

/** What can stand at a place of the command line. */
export type ValueKind = 'file' | 'folder' | 'context' | 'choice' | 'other';

export interface OptionNode {
  /** `--count`, and `-C` where there is one. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Undefined where the option takes no value. */
  readonly value: ValueKind | undefined;
  readonly choices: readonly string[];
}

export interface CommandNode {
  /** `amop`, `amop context`, `amop context add`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly aliases: readonly string[];
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
  /** Of its arguments. */
  readonly values: readonly { readonly kind: ValueKind; readonly choices: readonly string[] }[];
}

export function commandTree(command: Command, above: readonly string[] = []): CommandNode {
  const path = [...above, command.name()];
  const help = command.createHelp();
  return {
    path,
    summary: command.summary() || command.description(),
    aliases: command.aliases(),
    options: help.visibleOptions(command).map(optionNode),
    commands: help
      .visibleCommands(command)
      .filter((one) => one.name() !== 'help')
      .map((one) => commandTree(one, path)),
    values: command.registeredArguments.map((argument) => ({
      kind: kindOf(argument.name(), argument),
      choices: argument.argChoices ?? [],
    })),
  };
}

/** Every command of a tree, from the top. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}

function optionNode(option: Option): OptionNode {
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  return {
    flags: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
    description: option.description,
    value: placeholder === undefined ? undefined : kindOf(placeholder, option, option.long ?? ''),
    choices: option.argChoices ?? [],
  };
}

/** Of arguments that name a file, or may. */
const FILE_PLACEHOLDERS: ReadonlySet<string> = new Set(['file', 'path', 'certificate', 'config.ini', 'key']);

/** Placeholders say what they stand for: a `<file>` is a file everywhere. */
function kindOf(placeholder: string, { argChoices }: Option | Argument, flag = ''): ValueKind {
  if (argChoices !== undefined) return 'choice';
  if (placeholder === 'dir' || placeholder === 'folder') return 'folder';
  if (FILE_PLACEHOLDERS.has(placeholder)) return 'file';
  return flag === '--context' ? 'context' : 'other';
}
