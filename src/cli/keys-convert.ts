import { Option } from 'commander';
import { RelayError } from '../base/errors.js';
import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { addNewPasswordOption, addPasswordOption, newPasswordFor, type PasswordOptions } from './keys-password.js';
import { keyWarnings } from './keys-remarks.js';
import { type OpenedKey, openKey } from './keys-source.js';
import { note, printable, write } from './output.js';
import type { Verb } from './verb.js';

const FORMS = ['pem', 'encrypted-pem', 'p12', 'hex', 'public-pem', 'public-hex'] as const;
type Form = (typeof FORMS)[number];

interface ConvertOptions extends PasswordOptions {
  readonly to: Form;
  readonly output?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addKeysConvertCommand(keys: Verb, act: Act): void {
  const command = keys
    .command('convert')
    .summary('write a key in another form')
    .description('Writes a key in another form, and the public key of a private one.')
    .argument('<key>', 'file, - for standard input, or a public key in hex')
    .addOption(new Option('--to <form>', 'the form wanted').choices(FORMS).makeOptionMandatory())
    .option('-o, --output <file>', 'where it goes')
    .option('--overwrite', 'replace a file that is there')
    .option('--json', 'errors as JSON')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  addNewPasswordOption(addPasswordOption(command))
    .note('Private keys go to a file of mode 0600 (-o), public ones to a file or to standard output.')
    .example('amop keys convert keys/orders.pem --to public-hex', 'the public key as SDKs take it')
    .example(
      'amop keys convert keys/orders.pem --to p12 -o orders.p12 --new-password-file password.txt',
      'for the Java SDK',
    )
    .example(
      'amop keys convert account.p12 --to pem -o account.pem --password-file password.txt',
      "from FISCO's account script",
    )
    .example('amop keys convert keys/orders.pem --to hex -o key.hex', 'the number alone')
    .example('amop keys convert - --to pem -o key.pem < key.hex', 'from standard input')
    .action((key: string, options: ConvertOptions) => act(() => convert(key, options), options.json));
}

async function convert(argument: string, options: ConvertOptions): Promise<number> {
  const { writeFiles } = await import('../pki/write-files.js');
  const { to, output } = options;
  const secret = !to.startsWith('public-');
  if (secret && output === undefined) {
    throw new RelayError('usage', 'a private key is not written to standard output; name a file with -o');
  }
  const opened = await openKey(argument, options);
  if (secret && opened.holds === 'public') {
    throw new RelayError('usage', `${opened.source} holds a public key; a private key cannot be made of it`);
  }
  const encrypts = to === 'p12' || to === 'encrypted-pem';
  const content = await format(opened, to, encrypts ? await newPasswordFor(output ?? '', options) : undefined);
  if (output === undefined) {
    await write(content);
  } else {
    writeFiles(
      [{ path: output, content, secret }],
      options.overwrite ?? false,
      'choose another file, or give --overwrite',
    );
    if (!options.quiet) note(`amop: wrote ${output}`);
  }
  if (!options.quiet) for (const warning of await keyWarnings(opened)) note(`amop: warning: ${printable(warning)}`);
  return ExitCode.ok;
}

async function format(opened: OpenedKey, to: Form, password: string | undefined): Promise<string | Buffer> {
  const [{ privateHexOf }, { formatPkcs12, formatPrivatePem, formatPublicPem }] = await Promise.all([
    import('../pki/amop-key.js'),
    import('../pki/amop-key-write.js'),
  ]);
  const { key, publicHex } = opened;
  const marked = opened.holds === 'private' && opened.marked;
  switch (to) {
    case 'pem':
    case 'encrypted-pem':
      return formatPrivatePem(key, { marked, password });
    case 'p12':
      return formatPkcs12(key, password ?? '', { marked });
    case 'hex':
      return `${privateHexOf(key)}\n`;
    case 'public-pem':
      return formatPublicPem(key, { marked });
    case 'public-hex':
      return `${publicHex}\n`;
  }
}
