/** The keys of a private topic that the relay speaks for (`[[private_topic]]` with keys). */
import type { RelayConfig } from '../config/index.js';
import { privateHexOf } from '../pki/amop-key.js';
import { loadAmopPrivateKey, loadAmopPublicKey } from '../pki/amop-key-file.js';
import { readPemFile } from '../pki/files.js';
import { MESSAGE_TOPIC_PREFIX } from '../wire/channel/topic.js';

export interface TopicKeys {
  readonly messageTopic: string;
  /** Undefined for a topic that the relay does not speak for. */
  readonly sessions: readonly string[] | undefined;
  /** X || Y each; undefined where sessions do not send. */
  readonly publicKeys: readonly Uint8Array[] | undefined;
  /** 32 bytes; undefined where sessions do not receive. */
  readonly privateKey: Uint8Array | undefined;
}

/** Message topics that had keys and have others after a reload. */
export interface KeyChanges {
  /** Those of the receivers that the relay certifies. */
  readonly receivers: ReadonlySet<string>;
  /** The one that the relay answers challenges with. */
  readonly own: ReadonlySet<string>;
}

/** The parts of what a configuration names that hold keys of private topics. */
export interface PreparedKeys {
  readonly receiverKeys: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly setup: { readonly agents: readonly Pick<TopicKeys, 'messageTopic' | 'privateKey'>[] };
}

export function keyChanges(before: PreparedKeys, now: PreparedKeys): KeyChanges {
  return {
    receivers: differing(setsOf(before.receiverKeys), setsOf(now.receiverKeys)),
    own: differing(ownOf(before), ownOf(now)),
  };
}

/** Neither the order of keys nor one that is named twice matters. */
function setsOf(keys: PreparedKeys['receiverKeys']): Map<string, string> {
  return new Map([...keys].map(([topic, points]) => [topic, [...new Set(points.map(hexOf))].sort().join()]));
}

function ownOf({ setup }: PreparedKeys): Map<string, string> {
  return new Map(
    setup.agents.flatMap(({ messageTopic, privateKey }) => (privateKey ? [[messageTopic, hexOf(privateKey)]] : [])),
  );
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Names that stand for something else in the second one. */
function differing(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): ReadonlySet<string> {
  return new Set([...before.keys()].filter((name) => now.has(name) && now.get(name) !== before.get(name)));
}

/** @throws RelayError `config-unreadable` or `key-invalid` */
export function loadTopicKeys(
  topic: RelayConfig['private_topic'][number],
  index: number,
  warn: (warning: string) => void,
): TopicKeys {
  const { name, sessions, public_keys: references, private_key: path, password_file: passwordFile } = topic;
  const at = `private_topic[${index}]`;
  const publicKeys = references?.map((reference, key) =>
    Buffer.from(loadAmopPublicKey(reference, `${at}.public_keys[${key}]`).publicHex, 'hex'),
  );
  const privateKey = path === undefined ? undefined : loadPrivate(path, passwordFile, at, warn);
  return { messageTopic: MESSAGE_TOPIC_PREFIX + name, sessions, publicKeys, privateKey };
}

function loadPrivate(
  path: string,
  passwordFile: string | undefined,
  at: string,
  warn: (warning: string) => void,
): Uint8Array {
  const setting = `${at}.private_key`;
  const password =
    passwordFile === undefined ? undefined : readPemFile(passwordFile, `${at}.password_file`).text.split(/\r?\n/, 1)[0];
  const { key, marked, warnings } = loadAmopPrivateKey(path, setting, password);
  for (const warning of warnings) warn(warning);
  if (!marked) {
    warn(
      `${setting} file ${path} was not made for private topics: never use the key of a chain account, senders choose what it signs`,
    );
  }
  return Buffer.from(privateHexOf(key), 'hex');
}
