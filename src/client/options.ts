import { errorText } from '../base/errors.js';
import { formatRelayAddress, parseRelayAddress, type RelayAddress } from './address.js';
import {
  CONCURRENCY,
  CONNECT_TIMEOUT_MS,
  DEAD_LINK_MS,
  DEFAULT_PORT,
  HANDLER_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  INBOX_BYTES_MAX,
  INBOX_MESSAGES_MAX,
  OUTSTANDING_MAX,
  QUEUE_BYTES_MAX,
  RELAYS_MAX,
  REQUEST_TIMEOUT_MS,
  TIMER_MS_MAX,
} from './bounds.js';
import { type AbortHub, Deadline } from './deadline.js';

/** PEM text. */
export type Pem = string | Buffer;

export interface ConnectOptions {
  /**
   * The relays, 1 to 16: `host`, `host:port` or `[ipv6]:port`; port 20200 where none is given. A connection is kept to each.
   * Relays are known by their chain of certificates, not by name.
   */
  readonly relays?: readonly string[];
  /** One relay, instead of `relays`: name or address; default 127.0.0.1. */
  readonly host?: string;
  /** Its channel port for this kind of certificate; default 20200. */
  readonly port?: number;
  /** Private key of this application, PEM. */
  readonly key: Pem;
  /** Of an encrypted key. */
  readonly passphrase?: string;
  /** Its certificate followed by the agency's, PEM. */
  readonly cert: Pem;
  /** CA certificate(s) that the relay's chain must end in, PEM. */
  readonly ca: Pem;
  /** `connect` resolves without waiting for a relay; calls wait for one until their deadline. Default false. */
  readonly lazy?: boolean;
  /** Bound of TCP, TLS and protocol handshake together, in ms; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Default 10,000. */
  readonly heartbeatIntervalMs?: number;
  /** Silence in ms after which a connection is given up, looked at with every heartbeat; default 20,000. */
  readonly deadLinkMs?: number;
  /** Calls without an answer; one more fails at once with AMOP-99 `outstanding-max`. Default 4,096. */
  readonly outstandingMax?: number;
  /** Bytes waiting for one relay, or for any; a call beyond fails with AMOP-99 `queue-full`. Default 16 MiB. */
  readonly queueBytesMax?: number;
  /** Bytes of all messages that wait for a handler or loop, or are in one. Default 64 MiB. */
  readonly inboxBytesMax?: number;
  /** A handler that takes longer no longer counts, and its answer is not sent. Default 30,000. */
  readonly handlerTimeoutMs?: number;
  /** Called when a handler throws or rejects; the default is a process warning. Must not throw. */
  readonly onHandlerError?: (error: unknown, message: { readonly topic: string; readonly seq: string }) => void;
}

export interface CallOptions {
  /** The call settles within this many ms; default 5,000. */
  readonly timeoutMs?: number;
  /** Ends the call early; it then rejects with the signal's reason. A message that is on its way stays on its way. */
  readonly signal?: AbortSignal;
}

export type WhenFull = 'refuse' | 'pause';

export interface SubscribeOptions {
  /** Ends the subscription, at whatever time. */
  readonly signal?: AbortSignal;
  /** Longest wait for a relay to take the subscription, in ms; default 5,000. */
  readonly timeoutMs?: number;
  /** Messages that may wait. Default 1,024. */
  readonly inboxMax?: number;
  /**
   * What is done about more. `refuse`, the default: they are refused (event `drop`). `pause`: nothing more is read from any relay
   * until half of them are handled, answers to own calls neither.
   */
  readonly whenFull?: WhenFull;
  /** Calls of the handler that may be unsettled; 1 handles one message after the other. Default 256. */
  readonly concurrency?: number;
}

export interface ResolvedOptions extends Required<Omit<ConnectOptions, 'relays' | 'host' | 'port' | 'passphrase'>> {
  readonly addresses: readonly RelayAddress[];
  readonly passphrase: string | undefined;
}

/**
 * Fills in the defaults.
 * @throws TypeError or RangeError naming the option.
 */
export function resolveOptions(options: ConnectOptions): ResolvedOptions {
  for (const name of ['key', 'cert', 'ca'] as const) {
    const value = options[name];
    if (!(typeof value === 'string' || Buffer.isBuffer(value)) || value.length === 0) {
      throw new TypeError(`option ${name} must be PEM text`);
    }
  }
  const number = (name: keyof ConnectOptions, fallback: number, max: number) =>
    integer(name, options[name] as number | undefined, fallback, max);
  return {
    addresses: addressesOf(options),
    key: options.key,
    cert: options.cert,
    ca: options.ca,
    passphrase: options.passphrase,
    lazy: options.lazy ?? false,
    connectTimeoutMs: number('connectTimeoutMs', CONNECT_TIMEOUT_MS, TIMER_MS_MAX),
    heartbeatIntervalMs: number('heartbeatIntervalMs', HEARTBEAT_INTERVAL_MS, TIMER_MS_MAX),
    deadLinkMs: number('deadLinkMs', DEAD_LINK_MS, TIMER_MS_MAX),
    outstandingMax: number('outstandingMax', OUTSTANDING_MAX, Number.MAX_SAFE_INTEGER),
    queueBytesMax: number('queueBytesMax', QUEUE_BYTES_MAX, Number.MAX_SAFE_INTEGER),
    inboxBytesMax: number('inboxBytesMax', INBOX_BYTES_MAX, Number.MAX_SAFE_INTEGER),
    handlerTimeoutMs: number('handlerTimeoutMs', HANDLER_TIMEOUT_MS, TIMER_MS_MAX),
    onHandlerError: options.onHandlerError ?? warn,
  };
}

/** @throws TypeError or RangeError */
export function resolveSubscribeOptions(
  options: SubscribeOptions,
): Required<Pick<SubscribeOptions, 'inboxMax' | 'concurrency' | 'whenFull'>> {
  const { whenFull = 'refuse' } = options;
  if (whenFull !== 'refuse' && whenFull !== 'pause') {
    throw new TypeError(`option whenFull must be "refuse" or "pause", got ${JSON.stringify(whenFull)}`);
  }
  return {
    whenFull,
    inboxMax: integer('inboxMax', options.inboxMax, INBOX_MESSAGES_MAX, Number.MAX_SAFE_INTEGER),
    concurrency: integer('concurrency', options.concurrency, CONCURRENCY, Number.MAX_SAFE_INTEGER),
  };
}

/** @throws TypeError or RangeError */
export function deadlineOf(options: CallOptions, hub: AbortHub): Deadline {
  return new Deadline(
    integer('timeoutMs', options.timeoutMs, REQUEST_TIMEOUT_MS, TIMER_MS_MAX),
    checkSignal(options.signal),
    hub,
  );
}

/** A whole number of 1..max, or the default where nothing was given. */
export function integer(name: string, value: number | undefined, fallback: number, max: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw new TypeError(`option ${name} must be a number`);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new RangeError(`option ${name} must be a whole number from 1 to ${max}, got ${value}`);
  }
  return value;
}

function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  // Not `instanceof`: a signal may come from another realm.
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted !== 'function') {
    throw new TypeError('option signal must be an AbortSignal');
  }
  return signal;
}

function addressesOf({ relays, host, port }: ConnectOptions): RelayAddress[] {
  if (relays === undefined) {
    const address = parse(
      'host',
      host ?? '127.0.0.1',
      typeof host === 'string' && host.includes(':') ? `[${host}]` : host,
    );
    return [{ host: address.host, port: integer('port', port, DEFAULT_PORT, 65_535) }];
  }
  if (host !== undefined || port !== undefined) throw new TypeError('give relays, or host and port, not both');
  if (!Array.isArray(relays)) throw new TypeError('option relays must be an array of "host:port"');
  if (relays.length < 1 || relays.length > RELAYS_MAX) {
    throw new RangeError(`option relays must name 1 to ${RELAYS_MAX} relays, got ${relays.length}`);
  }
  const addresses = relays.map((relay) => parse('relays', relay, relay));
  const names = addresses.map(formatRelayAddress);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new RangeError(`option relays names ${twice} twice`);
  return addresses;
}

function parse(option: string, text: unknown, form: string | undefined): RelayAddress {
  if (typeof text !== 'string') throw new TypeError(`option ${option} must be text`);
  try {
    return parseRelayAddress(form ?? text, DEFAULT_PORT);
  } catch (error) {
    throw new RangeError(`option ${option}: ${errorText(error)}`);
  }
}

function warn(error: unknown, message: { readonly topic: string }): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`the handler of topic ${JSON.stringify(message.topic)} failed: ${text}`, 'AmopHandlerWarning');
}
