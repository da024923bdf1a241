import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { addPasswordOption, type PasswordOptions } from './keys-password.js';
import { keyWarnings } from './keys-remarks.js';
import { openKey } from './keys-source.js';
import { note, printable, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface ShowOptions extends PasswordOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addKeysShowCommand(keys: Verb, act: Act): void {
  const command = keys
    .command('show')
    .summary('public key and fingerprint of a key')
    .description('Shows what a key file holds, the public key as SDKs take it, and its fingerprint.')
    .argument('<key>', 'file, - for standard input, or a public key in hex')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  addPasswordOption(command)
    .note("Never shows a private key. Reads PEM (PKCS#8, SEC1), PKCS#12 and hex, also those of FISCO's account script.")
    .example('amop keys show keys/orders.public.pem', 'fingerprint, and the hex that SDKs take')
    .example('amop keys show keys/orders-java.p12 --password-file password.txt', 'a key with a password')
    .example('amop keys show "$(amop keys convert keys/orders.pem --to public-hex)"', 'a public key in hex')
    .action((key: string, options: ShowOptions) => act(() => show(key, options), options.json));
}

async function show(argument: string, options: ShowOptions): Promise<number> {
  const opened = await openKey(argument, options);
  const { keyFingerprintOf } = await import('../pki/amop-key.js');
  const fingerprint = keyFingerprintOf(opened.key);
  const warnings = await keyWarnings(opened);
  const madeForAmop = opened.holds === 'private' ? opened.marked : undefined;
  if (options.json) {
    const { holds, source, format, publicHex } = opened;
    const encrypted = opened.holds === 'private' ? opened.encrypted : undefined;
    await writeJson({ source, format, holds, encrypted, madeForAmop, publicKey: publicHex, fingerprint, warnings });
    return ExitCode.ok;
  }
  const form = { pem: 'PEM', p12: 'PKCS#12', hex: 'hex' }[opened.format];
  const locked = opened.holds === 'private' && opened.encrypted ? ', encrypted' : '';
  await write(`${opened.holds === 'private' ? 'private key' : 'public key '}  ${printable(opened.source)}, ${form}${locked}
hex          ${opened.publicHex}
fingerprint  ${fingerprint}
`);
  if (!options.quiet) for (const warning of warnings) note(`amop: warning: ${printable(warning)}`);
  return ExitCode.ok;
}
