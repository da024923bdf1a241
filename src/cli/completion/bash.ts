/**
 * The completion script for bash, which zsh runs as well (bashcompinit). It holds the whole tree, so that completing costs no
 * start of Node; only the names of contexts are asked for. Its variables must not be special to zsh: a local `path` is PATH there.
 */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from './tree.js';

const ACTIONS: Readonly<Record<Exclude<ValueKind, 'choice' | 'other'>, string>> = {
  file: 'compgen -f -- "$cur"',
  folder: 'compgen -d -- "$cur"',
  context: 'compgen -W "$(amop context list --names 2>/dev/null)" -- "$cur"',
};

export function bashCompletion(root: CommandNode): string {
  const commands = allCommands(root);
  return `# Completion of amop for bash. Made by "amop completion bash"; load it with
#   source <(amop completion bash)

_amop() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev='' at=amop word i
  COMPREPLY=()
  [ "$COMP_CWORD" -gt 0 ] && prev=\${COMP_WORDS[COMP_CWORD-1]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at $word" in
${commands.flatMap(subcommandCases).join('\n')}
    esac
  done
  case "$at $prev" in
${commands.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${commands.map(wordCase).join('\n')}
  esac
}

complete -o default -F _amop amop
`;
}

/** The word that leads from a command to one below it. */
function subcommandCases(node: CommandNode): string[] {
  return node.commands.map((child) => {
    const words = [child.path.at(-1) as string, ...child.aliases];
    const patterns = words.map((word) => quote([...node.path, word].join(' ')));
    return `      ${patterns.join(' | ')}) at=${quote(child.path.join(' '))} ;;`;
  });
}

/** What follows an option that takes a value. */
function valueCases(node: CommandNode): string[] {
  return node.options.flatMap((option) => {
    const action = actionOf(option);
    if (action === undefined) return [];
    const patterns = option.flags.map((flag) => quote([...node.path, flag].join(' ')));
    return [`    ${patterns.join(' | ')}) ${action}; return ;;`];
  });
}

function actionOf({ value, choices }: OptionNode): string | undefined {
  if (value === undefined) return undefined;
  if (value === 'choice') return replies(`compgen -W ${quote(choices.join(' '))} -- "$cur"`);
  if (value === 'other') return 'COMPREPLY=()';
  return replies(ACTIONS[value]);
}

/** Commands and options of a command, or its arguments where they are names. */
function wordCase(node: CommandNode): string {
  const words = [
    ...node.commands.map(({ path }) => path.at(-1) as string),
    ...node.values.flatMap(({ choices }) => choices),
    ...node.options.flatMap(({ flags }) => flags),
  ];
  return `    ${quote(node.path.join(' '))}) ${replies(`compgen -W ${quote(words.join(' '))} -- "$cur"`)} ;;`;
}

/** One word a line, so that a name with a blank stays one word. */
function replies(command: string): string {
  return `local IFS=$'\\n'; COMPREPLY=($(IFS=$' \\t\\n'; ${command}))`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
