/** `--private` of the commands that receive and send: the key of the receiver here, the public keys of the receivers there. */
import type { KeyObject } from 'node:crypto';
import { errorText, RelayError } from '../base/errors.js';
import type { PublicTopicKey } from '../client/index.js';
import { checkPrivateName } from '../client/private-names.js';
import { addPasswordOption, type PasswordOptions, passwordOf } from './keys-password.js';
import { warn } from './output.js';
import type { Verb } from './verb.js';

export interface PrivateReceiveOptions extends PasswordOptions {
  readonly private?: boolean;
  readonly topicKey?: string;
  /** See `topicKeyOption`. */
  readonly keyAsTopicKey?: string | undefined;
}

export interface PrivateSendOptions {
  readonly private?: boolean;
  readonly to?: readonly string[];
}

export const PRIVATE_NOTE =
  'Messages of a private topic reach those alone that hold a private key whose public half the sender names. Make keys with ' +
  '"amop keys generate", and never use the key of a chain account.';

export function addPrivateReceiveOptions(command: Verb): Verb {
  command
    .option('--private', 'the topics are private ones; needs --topic-key')
    .option(
      '--topic-key <file>',
      'private key of the private topics: PEM, PKCS#12 or hex; without --cert, --key names it as well',
    );
  addPasswordOption(command);
  return command;
}

export function addPrivateSendOptions(command: Verb): Verb {
  return command
    .option('--private', 'the topic is a private one; needs --to')
    .option('--to <key>', 'public key of a receiver, 128 hex digits or a PEM file; repeat it for several', collect);
}

/**
 * The key to receive private topics with; undefined for ordinary ones.
 * @throws RelayError `usage`, `config-unreadable` or `key-invalid`
 */
export async function topicKeyOf(
  topics: readonly string[],
  options: PrivateReceiveOptions & { readonly quiet?: boolean },
): Promise<KeyObject | undefined> {
  const topicKey = options.topicKey ?? options.keyAsTopicKey;
  if (!options.private) {
    if (topicKey !== undefined) throw new RelayError('usage', '--topic-key is for private topics; add --private');
    return undefined;
  }
  if (topicKey === undefined)
    throw new RelayError('usage', '--private needs --topic-key (or --key) with the private key');
  checkNames(topics);
  const files = await import('../pki/amop-key-file.js');
  const file = files.readAmopKeyFile(topicKey, '--topic-key');
  const password = file.encrypted && file.holds === 'private' ? await passwordOf(file.path, options) : undefined;
  const { key, marked, warnings } = files.openAmopPrivateKey(file, password);
  if (!options.quiet) {
    for (const warning of warnings) warn(warning);
    if (!marked) warn(`${file.name} does not say that it was made for private topics; is it no chain account's?`);
  }
  return key;
}

/**
 * The keys of the receivers; undefined for an ordinary topic.
 * @throws RelayError `usage`, `config-unreadable` or `key-invalid`
 */
export async function receiverKeysOf(
  topic: string,
  options: PrivateSendOptions,
): Promise<PublicTopicKey[] | undefined> {
  const { to } = options;
  if (!options.private) {
    if (to !== undefined) throw new RelayError('usage', '--to is for private topics; add --private');
    return undefined;
  }
  if (to === undefined) throw new RelayError('usage', '--private needs --to with the public key of each receiver');
  checkNames([topic]);
  const { loadAmopPublicKey } = await import('../pki/amop-key-file.js');
  return to.map((reference) => loadAmopPublicKey(reference, '--to').key);
}

function checkNames(topics: readonly string[]): void {
  try {
    for (const topic of topics) checkPrivateName(topic);
  } catch (error) {
    throw new RelayError('usage', errorText(error), error);
  }
}

function collect(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text];
}
