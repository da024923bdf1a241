/** The key that `keys show` and `keys convert` are given: a file, standard input, or a public key in hex. */
import { RelayError } from '../base/errors.js';
import type { AmopKeyFile, AmopKeyFormat, AmopPrivateKey } from '../pki/amop-key-file.js';
import { type PasswordOptions, passwordOf } from './keys-password.js';

/** No key file is larger than a few KiB. */
const STDIN_BYTES_MAX = 65_536;

export type OpenedKey =
  | ({
      readonly holds: 'private';
      readonly source: string;
      readonly format: AmopKeyFormat;
      readonly encrypted: boolean;
    } & AmopPrivateKey)
  | {
      readonly holds: 'public';
      readonly source: string;
      readonly format: AmopKeyFormat;
      readonly key: AmopPrivateKey['key'];
      readonly publicHex: string;
    };

/** @throws RelayError for what cannot be read, opened or understood */
export async function openKey(argument: string, options: PasswordOptions): Promise<OpenedKey> {
  const files = await import('../pki/amop-key-file.js');
  if (/^(?:0x)?[0-9a-f]{65,}$/i.test(argument)) {
    return { holds: 'public', source: 'hex', format: 'hex', ...files.loadAmopPublicKey(argument, 'public key') };
  }
  if (/^(?:0x)?[0-9a-f]{64}$/i.test(argument)) {
    throw new RelayError(
      'usage',
      'a private key does not belong on the command line, where others can see it; it counts as known now. ' +
        'Put keys into a file of mode 0600, or give - and pipe them in',
    );
  }
  const file =
    argument === '-' ? files.amopKeyFileFrom(await readStdin(), 'key') : files.readAmopKeyFile(argument, 'key');
  if (file.holds === 'public') {
    return { holds: 'public', source: file.path, format: file.format, ...files.openAmopPublicKey(file) };
  }
  const password = file.encrypted ? await passwordOf(file.path, options) : undefined;
  return { holds: 'private', source: file.path, ...describeForm(file), ...files.openAmopPrivateKey(file, password) };
}

function describeForm({ format, encrypted }: AmopKeyFile): { format: AmopKeyFormat; encrypted: boolean } {
  return { format, encrypted };
}

async function readStdin(): Promise<{ path: string; setting: string; text: string; mode: number }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > STDIN_BYTES_MAX) {
      throw new RelayError('usage', `standard input holds more than ${STDIN_BYTES_MAX} bytes, too many for a key`);
    }
  }
  return { path: 'standard input', setting: 'key', text: Buffer.concat(chunks, bytes).toString('latin1'), mode: 0 };
}
