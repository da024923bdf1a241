import type { Command } from 'commander';
import type { Act } from './act.js';
import { addKeysConvertCommand } from './keys-convert.js';
import { addKeysGenerateCommand } from './keys-generate.js';
import { addKeysShowCommand } from './keys-show.js';

const EXAMPLES = `
The receiver of a private topic holds the private key; senders list its public key. Never use the key of a chain account:
whoever sends on the topic chooses what it signs.

Examples:
  amop keys generate keys/orders                     keys/orders.pem and keys/orders.public.pem
  amop keys generate keys/orders --p12               PKCS#12 for the Java SDK, asks for a password
  amop keys show keys/orders.public.pem              fingerprint, and the hex that SDKs take
  amop keys convert account.p12 --to pem -o key.pem  from one form into another`;

export function addKeysCommand(program: Command, act: Act): void {
  const keys = program
    .command('keys')
    .summary('make and convert keys of private topics')
    .description('Makes, shows and converts the keys of private topics (secp256k1).')
    .addHelpText('after', EXAMPLES);
  addKeysGenerateCommand(keys, act);
  addKeysShowCommand(keys, act);
  addKeysConvertCommand(keys, act);
}
