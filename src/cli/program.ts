/** The whole command line as one tree: help, docs/cli.md and shell completion are made from it. */
import type { Act } from './act.js';
import { addBenchCommand } from './bench-command.js';
import { addCompletionCommand } from './completion-command.js';
import { addConfigCommand } from './config-command.js';
import { addContextCommand } from './context-command.js';
import { addDemoCommand } from './demo-command.js';
import { EXIT_CODE_TABLE } from './exit-codes.js';
import { addExplainCommand } from './explain-command.js';
import { addFrameCommand } from './frame-command.js';
import { addKeysCommand } from './keys-command.js';
import { addMulticastCommand } from './multicast-command.js';
import { addOperateCommands } from './operate-command.js';
import { addPeersCommand } from './peers-command.js';
import { addPkiCommand } from './pki-command.js';
import { addPubCommand } from './pub-command.js';
import { addRelayCommand } from './relay-command.js';
import { addReplyCommand } from './reply-command.js';
import { addRequestCommand } from './request-command.js';
import { addSubCommand } from './sub-command.js';
import { addTopicsCommand } from './topics-command.js';
import { Verb } from './verb.js';

/** In the order in which the help and docs/cli.md show them. */
const GROUPS: readonly (readonly [heading: string, commands: readonly ((program: Verb, act: Act) => void)[]])[] = [
  ['Relay:', [addDemoCommand, addRelayCommand, addConfigCommand, addPeersCommand, addOperateCommands]],
  [
    'Messages:',
    [
      addSubCommand,
      addPubCommand,
      addRequestCommand,
      addReplyCommand,
      addMulticastCommand,
      addTopicsCommand,
      addBenchCommand,
    ],
  ],
  ['Certificates and keys:', [addPkiCommand, addKeysCommand, addContextCommand]],
  ['Tools:', [addFrameCommand, addExplainCommand, addCompletionCommand]],
];

export function createProgram(version: string, act: Act): Verb {
  const program = new Verb('amop')
    .description('A relay for AMOP, the messages on topics of FISCO BCOS 2.x, and a client for its topics.')
    .version(version)
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'amop: ')) })
    .exitOverride();
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading);
    for (const add of commands) add(program, act);
  }
  return program
    .helpCommand(true) // in the last group, instead of one of its own
    .note(`Exit codes:\n${EXIT_CODE_TABLE.map(([code, words]) => `  ${String(code).padEnd(3)} ${words}`).join('\n')}`)
    .example('amop demo', 'try it all on this machine')
    .example('amop pki --help', 'make the certificates of a chain')
    .example('amop relay --config relay.toml', 'run a relay')
    .example('amop peers', 'whom it is connected to')
    .example('amop reload --token-file admin.token', 'let it read its configuration anew')
    .example('amop context add bank-a --certs conf', 'name the certificates once')
    .example('amop reply orders accepted', 'answer the requests of a topic')
    .example('amop request orders "buy 100"', 'ask one subscriber')
    .example('amop multicast news "markets are open"', 'tell all subscribers');
}
