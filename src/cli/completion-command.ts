import { Argument } from 'commander';
import type { Act } from './act.js';
import { bashCompletion } from './completion/bash.js';
import { fishCompletion } from './completion/fish.js';
import { type CommandNode, commandTree } from './completion/tree.js';
import { zshCompletion } from './completion/zsh.js';
import { ExitCode } from './exit-codes.js';
import { write } from './output.js';
import type { Verb } from './verb.js';

const SHELLS: Readonly<Record<string, (root: CommandNode) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function addCompletionCommand(program: Verb, act: Act): void {
  const command = program
    .command('completion')
    .summary('print a completion script for a shell')
    .description(
      'Prints a script that teaches a shell the commands and options of amop. Its first lines say how to load it.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)));
  command
    .example('source <(amop completion bash)', 'for this session of bash')
    .example('amop completion fish > amop.fish', 'as a file')
    .action((shell: string) =>
      act(async () => {
        await write(SHELLS[shell](commandTree(program)));
        return ExitCode.ok;
      }),
    );
}
