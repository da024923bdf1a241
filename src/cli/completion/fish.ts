/**
 * The completion script for fish: one line for each command and option, each for exactly one command. Which command has been typed
 * is found out word by word, because words alone do not tell: `relay` is a command of its own and one of `amop pki`.
 */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from './tree.js';

const VALUES: Readonly<Record<ValueKind, string>> = {
  file: ' -r -F',
  folder: " -x -a '(__fish_complete_directories)'",
  context: " -x -a '(amop context list --names 2>/dev/null)'",
  choice: ' -x',
  other: ' -x',
};

/** Of arguments; what has no form of its own is not completed. */
const ARGUMENTS: Readonly<Partial<Record<ValueKind, string>>> = {
  file: ' -F',
  folder: " -a '(__fish_complete_directories)'",
};

export function fishCompletion(root: CommandNode): string {
  const commands = allCommands(root);
  return `# Completion of amop for fish. Made by "amop completion fish"; keep it with
#   amop completion fish > ~/.config/fish/completions/amop.fish

function __amop_at --description 'Is this the command that has been typed so far?'
  set -l words (commandline -opc)
  set -l at amop
  for word in $words[2..-1]
    switch "$at $word"
${commands.flatMap(subcommandCases).join('\n')}
    end
  end
  test "$at" = "$argv"
end

complete -c amop -f
${commands.flatMap(linesOf).join('\n')}
`;
}

/** The word that leads from a command to one below it. */
function subcommandCases(node: CommandNode): string[] {
  return node.commands.map((child) => {
    const words = [child.path.at(-1) as string, ...child.aliases];
    const patterns = words.map((word) => quote([...node.path, word].join(' '))).join(' ');
    return `      case ${patterns}\n        set at ${quote(child.path.join(' '))}`;
  });
}

function linesOf(node: CommandNode): string[] {
  const line = `complete -c amop -n ${quote(`__amop_at ${node.path.join(' ')}`)}`;
  const kinds = [...new Set(node.values.map(({ kind }) => kind))];
  return [
    ...node.commands.map(({ path, summary }) => `${line} -a ${quote(path.at(-1) as string)} -d ${quote(summary)}`),
    ...node.values.flatMap(({ choices }) => choices.map((choice) => `${line} -a ${quote(choice)}`)),
    ...kinds.flatMap((kind) => (ARGUMENTS[kind] === undefined ? [] : [`${line}${ARGUMENTS[kind]}`])),
    ...node.options.map((option) => `${line} ${optionWords(option)}`),
  ];
}

function optionWords({ flags, description, value, choices }: OptionNode): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const values =
    value === undefined ? '' : VALUES[value] + (choices.length > 0 ? ` -a ${quote(choices.join(' '))}` : '');
  return `${names.join(' ')}${values} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
