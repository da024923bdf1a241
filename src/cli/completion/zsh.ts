import { bashCompletion } from './bash.js';
import type { CommandNode } from './tree.js';

/** zsh reads functions of bash itself once \`bashcompinit\` is loaded, so the two cannot differ. */
export function zshCompletion(root: CommandNode): string {
  return `#compdef amop
# Completion of amop for zsh. Made by "amop completion zsh"; load it with
#   source <(amop completion zsh)

autoload -U +X compinit && compinit -u
autoload -U +X bashcompinit && bashcompinit

${bashCompletion(root).replace(/^#.*\n#.*\n\n/, '')}`;
}
