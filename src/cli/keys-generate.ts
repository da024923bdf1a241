import type { Act } from './act.js';
import { ExitCode } from './exit-codes.js';
import { addNewPasswordOption, newPasswordFor, type PasswordOptions } from './keys-password.js';
import { note, write, writeJson } from './output.js';
import type { Verb } from './verb.js';

interface GenerateOptions extends PasswordOptions {
  readonly p12?: boolean;
  readonly encrypt?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addKeysGenerateCommand(keys: Verb, act: Act): void {
  const command = keys
    .command('generate')
    .summary('make a key pair')
    .description('Makes a key pair: NAME.pem (or NAME.p12) for the receiver, NAME.public.pem for senders.')
    .argument('<name>', 'path of the files without ending')
    .option('--p12', 'private key as PKCS#12 with alias "key", as the Java SDK reads it')
    .option('--encrypt', 'private key as encrypted PEM')
    .option('--overwrite', 'replace keys that are there')
    .option('--json', 'one JSON object')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  addNewPasswordOption(command)
    .example('amop keys generate keys/orders', 'keys/orders.pem and keys/orders.public.pem')
    .example(
      'amop keys generate keys/orders-java --p12 --new-password-file password.txt',
      'PKCS#12 for the Java SDK; without the file it asks',
    )
    .example(
      'amop keys generate keys/orders-locked --encrypt --new-password-file password.txt',
      'PEM with a password; the Java SDK cannot open it',
    )
    .action((name: string, options: GenerateOptions) => act(() => generate(name, options), options.json));
}

async function generate(name: string, options: GenerateOptions): Promise<number> {
  const [{ generateAmopKey, keyFingerprintOf, publicHexOf }, write12] = await Promise.all([
    import('../pki/amop-key.js'),
    import('../pki/amop-key-write.js'),
  ]);
  const { makeFolderOf, writeFiles } = await import('../pki/write-files.js');
  const privatePath = `${name}.${options.p12 ? 'p12' : 'pem'}`;
  const publicPath = `${name}.public.pem`;
  const password = options.p12 || options.encrypt ? await newPasswordFor(privatePath, options) : undefined;
  const key = generateAmopKey();
  const content =
    options.p12 && password !== undefined
      ? write12.formatPkcs12(key, password, { marked: true })
      : write12.formatPrivatePem(key, { marked: true, password });
  makeFolderOf(privatePath);
  writeFiles(
    [
      { path: privatePath, content, secret: true },
      { path: publicPath, content: write12.formatPublicPem(key, { marked: true }), secret: false },
    ],
    options.overwrite ?? false,
    'choose another name, or replace the key with --overwrite',
  );
  const publicKey = publicHexOf(key);
  const fingerprint = keyFingerprintOf(key);
  if (options.json) {
    await writeJson({ privateKeyFile: privatePath, publicKeyFile: publicPath, publicKey, fingerprint });
    return ExitCode.ok;
  }
  await write(`private key  ${privatePath}
public key   ${publicPath}
hex          ${publicKey}
fingerprint  ${fingerprint}
`);
  if (!options.quiet) note(`amop: keep ${privatePath} at the receiver; give ${publicPath} or the hex to senders`);
  return ExitCode.ok;
}
