/** The options that every verb with a connection shares, and the connection they describe. */
import { join } from 'node:path';
import { Option } from 'commander';
import { RelayError } from '../base/errors.js';
import { formatRelayAddress, type RelayAddress } from '../client/address.js';
import { DEFAULT_PORT } from '../client/bounds.js';
import { type AmopClient, type ConnectOptions, connect } from '../client/index.js';
import type { TlsIdentity } from '../pki/identity.js';
import { loadClientIdentity } from '../pki/load.js';
import { collectRelays, parseDuration, parseHost, parsePort } from './arguments.js';
import { type Context, findContext, readContexts } from './context-store.js';
import { note, warn } from './output.js';
import { addKeyPasswordOption, givenKeyPassword, tlsKeyPassword } from './tls-key-password.js';
import type { Verb } from './verb.js';

export interface ConnectionOptions {
  readonly relay?: readonly RelayAddress[];
  readonly host?: string;
  readonly port?: number;
  readonly context?: string;
  readonly certs?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly keyPasswordFile?: string;
  readonly connectTimeout?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Where to connect and with what, after options, environment and context. */
export interface Target {
  /** `host:port`. */
  readonly relays: readonly string[];
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly keyPasswordFile?: string | undefined;
}

/** The options that name relays and certificates: those of a context. */
export function addTargetOptions(command: Verb): Verb {
  command
    .addOption(
      new Option('--relay <host:port>', 'channel port of a relay; several with commas or by repeating it')
        .env('AMOP_RELAY')
        .argParser(collectRelays),
    )
    .option('--host <host>', 'host alone, instead of --relay', parseHost)
    .option('--port <port>', `port alone, instead of --relay (default ${DEFAULT_PORT})`, parsePort)
    .addOption(new Option('--certs <dir>', 'folder with ca.crt, sdk.crt and sdk.key').env('AMOP_CERTS'))
    .option('--ca <file>', "CA certificate of the chain, instead of the folder's ca.crt")
    .option('--cert <file>', "own certificate and its agency's, instead of sdk.crt")
    .option('--key <file>', 'own private key, instead of sdk.key');
  return addKeyPasswordOption(command);
}

export function addConnectionOptions(command: Verb): Verb {
  const own = new Set(command.options.map(({ long }) => long));
  addTargetOptions(command)
    .addOption(new Option('--context <name>', 'context to use, see amop context --help').env('AMOP_CONTEXT'))
    .option('--connect-timeout <time>', 'longest wait for the first relay to answer (default 10s)', parseDuration)
    .option('--json', 'one JSON object a line, errors too')
    .option('-q, --quiet', 'no remarks on standard error, only errors');
  for (const { long } of command.options) if (long != null && !own.has(long)) command.shared.add(long);
  return command;
}

/** Where to connect and with what, its files read and the password of the key asked for. */
export interface OpenedTarget {
  readonly target: Target;
  readonly identity: TlsIdentity;
}

/** Connects as the options say, with messages about the connection unless `--quiet`. */
export async function connectWith(command: Verb, clients = 1): Promise<AmopClient[]> {
  return connectTo(await openTarget(command), command, clients);
}

/** The first half of `connectWith`: everything that needs no connection. @throws RelayError */
export async function openTarget(command: Verb): Promise<OpenedTarget> {
  const target = resolveTarget(command);
  return { target, identity: loadTarget(target, await tlsKeyPassword([target.key], target.keyPasswordFile)) };
}

/** The second half. */
export async function connectTo({ target, identity }: OpenedTarget, command: Verb, clients = 1): Promise<AmopClient[]> {
  const options = command.opts<ConnectionOptions>();
  if (!options.quiet) for (const warning of identity.warnings) warn(warning);
  const connecting = Array.from({ length: clients }, () =>
    open({
      relays: target.relays,
      key: identity.keyPem,
      cert: identity.certPem,
      ca: identity.caPem,
      connectTimeoutMs: options.connectTimeout,
    }),
  );
  const settled = await Promise.allSettled(connecting);
  const connected = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(connected.map((client) => client.close()));
    throw failed.reason;
  }
  if (!options.quiet) tellState(connected[0]);
  return connected;
}

async function open(options: ConnectOptions): Promise<AmopClient> {
  try {
    return await connect(options);
  } catch (error) {
    if (error instanceof RangeError) throw new RelayError('usage', error.message, error);
    throw error;
  }
}

/**
 * A context is used when it is named, or when one is selected and nothing else says which certificates to use; options win
 * over what it holds. Naming it on the command line switches off AMOP_RELAY and AMOP_CERTS, so that nothing is mixed.
 */
export function resolveTarget(command: Verb, contexts: 'with-contexts' | 'without' = 'with-contexts'): Target {
  const given = command.opts<ConnectionOptions>();
  const byName = command.getOptionValueSource('context') === 'cli';
  const use = <Name extends keyof ConnectionOptions>(name: Name): ConnectionOptions[Name] | undefined =>
    byName && command.getOptionValueSource(name) === 'env' ? undefined : given[name];
  const { ca, cert } = given;
  const key = topicKeyOption(command) === undefined ? given.key : undefined;
  const certs = use('certs');
  const complete = certs !== undefined || (ca !== undefined && cert !== undefined && key !== undefined);
  const context = contexts === 'without' ? undefined : chosenContext(given.context, complete);
  const file = (path: string | undefined, name: string, member: 'ca' | 'cert' | 'key'): string => {
    if (path !== undefined) return path;
    if (certs !== undefined) return join(certs, name);
    if (context !== undefined) return context[member];
    throw new RelayError(
      'usage',
      'which certificate? give --certs with a folder that holds ca.crt, sdk.crt and sdk.key, or all of --ca, --cert, ' +
        '--key, or a context (amop context add)',
    );
  };
  return {
    ca: file(ca, 'ca.crt', 'ca'),
    cert: file(cert, 'sdk.crt', 'cert'),
    key: file(key, 'sdk.key', 'key'),
    // The password belongs to the key it was given with.
    keyPasswordFile:
      given.keyPasswordFile ?? (key === undefined && certs === undefined ? context?.keyPasswordFile : undefined),
    relays: relaysOf(given, use('relay')?.map(formatRelayAddress) ?? context?.relays),
  };
}

/**
 * What `--key` names with `--private` where messages are received and no `--cert` says that it is the other key: the key of the
 * private topics.
 */
export function topicKeyOption(command: Verb): string | undefined {
  const options = command.opts<{ private?: boolean; topicKey?: string; key?: string; cert?: string }>();
  const receives = command.options.some(({ long }) => long === '--topic-key');
  return receives && options.private && options.topicKey === undefined && options.cert === undefined
    ? options.key
    : undefined;
}

/** @throws RelayError with what is wrong and what to do */
export function loadTarget(target: Target, passphrase = givenKeyPassword(target.keyPasswordFile)): TlsIdentity {
  const { ca, cert, key } = target;
  return loadClientIdentity({ key, cert, caCert: ca, passphrase }, new Date());
}

function chosenContext(named: string | undefined, complete: boolean): Context | undefined {
  if (named === undefined && complete) return undefined;
  const file = readContexts();
  const name = named ?? file.selected;
  return name === undefined ? undefined : findContext(file, name);
}

function relaysOf({ host, port }: ConnectionOptions, others: readonly string[] | undefined): readonly string[] {
  if (host === undefined && port === undefined) return others ?? [`127.0.0.1:${DEFAULT_PORT}`];
  return [formatRelayAddress({ host: host ?? '127.0.0.1', port: port ?? DEFAULT_PORT })];
}

/** Says when a relay is lost, cannot be reached or is back. */
function tellState(client: AmopClient): void {
  const away = new Set<string>();
  const others = () => {
    const connected = client.relays.filter(({ state }) => state === 'connected').length;
    return connected > 0 ? `, ${connected} of ${client.relays.length} relays left` : '';
  };
  client.on('disconnect', ({ relay, error }) => {
    away.add(relay);
    warn(`the connection to ${relay} was lost (${error.detail ?? error.reason}); dialling again${others()}`);
  });
  client.on('retry', ({ relay, error }) => {
    if (away.has(relay)) return;
    away.add(relay);
    warn(`${error.detail ?? error.reason}; dialling again${others()}`);
  });
  client.on('connect', ({ relay }) => {
    if (away.delete(relay)) note(`amop: connected to ${relay}`);
  });
}
