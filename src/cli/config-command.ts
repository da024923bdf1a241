import type { Act } from './act.js';
import { addConfigCheckCommand } from './config-check.js';
import { addConfigImportCommand } from './config-import.js';
import { addConfigShowCommand } from './config-show.js';
import type { Verb } from './verb.js';

export function addConfigCommand(program: Verb, act: Act): void {
  const config = program
    .command('config')
    .summary('check, show and import configurations')
    .description('Checks and shows the configuration of a relay, and makes one from that of a 2.x node.')
    .example('amop config check relay.toml', 'every problem at once, certificates included')
    .example('amop config show relay.toml', 'what the relay would run with, defaults filled in')
    .example('amop config import node0/config.ini', 'from a 2.x node, to standard output');
  addConfigCheckCommand(config, act);
  addConfigShowCommand(config, act);
  addConfigImportCommand(config, act);
}
