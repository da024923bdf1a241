import type { Act } from './act.js';
import { addKeysConvertCommand } from './keys-convert.js';
import { addKeysGenerateCommand } from './keys-generate.js';
import { addKeysShowCommand } from './keys-show.js';
import type { Verb } from './verb.js';

export function addKeysCommand(program: Verb, act: Act): void {
  const keys = program
    .command('keys')
    .summary('make and convert keys of private topics')
    .description('Makes, shows and converts the keys of private topics (secp256k1).')
    .note(
      'The receiver of a private topic holds the private key; senders list its public key. Never use the key of a chain ' +
        'account: whoever sends on the topic chooses what it signs.',
    )
    .example('amop keys generate keys/orders', 'keys/orders.pem and keys/orders.public.pem')
    .example('amop keys show keys/orders.public.pem', 'fingerprint, and the hex that SDKs take')
    .example('amop keys convert keys/orders.pem --to public-hex', 'from one form into another');
  addKeysGenerateCommand(keys, act);
  addKeysShowCommand(keys, act);
  addKeysConvertCommand(keys, act);
}
