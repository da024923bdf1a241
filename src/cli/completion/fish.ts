/** The completion script for fish: one line for each command and option, each with the condition under which it holds. */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from './tree.js';

const VALUES: Readonly<Record<ValueKind, string>> = {
  file: ' -r -F',
  folder: " -x -a '(__fish_complete_directories)'",
  context: " -x -a '(amop context list --names 2>/dev/null)'",
  choice: ' -x',
  other: ' -x',
};

export function fishCompletion(root: CommandNode): string {
  const lines = allCommands(root).flatMap((node) => [
    ...node.commands.map((child) => commandLine(node, child)),
    ...node.values.flatMap(({ choices }) => choices.map((choice) => valueLine(node, choice))),
    ...node.options.map((option) => optionLine(node, option)),
  ]);
  return `# Completion of amop for fish. Made by "amop completion fish"; keep it with
#   amop completion fish > ~/.config/fish/completions/amop.fish

complete -c amop -f
${lines.join('\n')}
`;
}

/** True where exactly this command has been typed and none below it. */
function conditionOf(node: CommandNode): string {
  const typed = node.words.map((names) => `__fish_seen_subcommand_from ${names.join(' ')}`);
  const below = node.commands.flatMap(({ path, aliases }) => [path.at(-1) as string, ...aliases]);
  const conditions = below.length === 0 ? typed : [...typed, `not __fish_seen_subcommand_from ${below.join(' ')}`];
  return conditions.length === 0 ? '' : ` -n ${quote(conditions.join('; and '))}`;
}

function commandLine(node: CommandNode, child: CommandNode): string {
  return `complete -c amop${conditionOf(node)} -a ${quote(child.path.at(-1) as string)} -d ${quote(child.summary)}`;
}

function valueLine(node: CommandNode, choice: string): string {
  return `complete -c amop${conditionOf(node)} -a ${quote(choice)}`;
}

function optionLine(node: CommandNode, { flags, description, value, choices }: OptionNode): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const values =
    value === undefined ? '' : VALUES[value] + (choices.length > 0 ? ` -a ${quote(choices.join(' '))}` : '');
  return `complete -c amop${conditionOf(node)} ${names.join(' ')}${values} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
