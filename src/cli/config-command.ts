import type { Command } from 'commander';
import type { Act } from './act.js';
import { addConfigCheckCommand } from './config-check.js';
import { addConfigImportCommand } from './config-import.js';
import { addConfigShowCommand } from './config-show.js';

const EXAMPLES = `
Examples:
  amop config check relay.toml                       every problem at once, certificates included
  amop config show relay.toml                        what the relay would run with, defaults filled in
  amop config import node0/config.ini --org bank-a -o relay/relay.toml`;

export function addConfigCommand(program: Command, act: Act): void {
  const config = program
    .command('config')
    .summary('check, show and import configurations')
    .description('Checks and shows the configuration of a relay, and makes one from that of a 2.x node.')
    .addHelpText('after', EXAMPLES);
  addConfigCheckCommand(config, act);
  addConfigShowCommand(config, act);
  addConfigImportCommand(config, act);
}
