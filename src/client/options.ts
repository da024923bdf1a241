import {
  CONNECT_TIMEOUT_MS,
  DEAD_LINK_MS,
  DEFAULT_PORT,
  HANDLER_BYTES_MAX,
  HANDLER_TIMEOUT_MS,
  HANDLERS_MAX,
  HEARTBEAT_INTERVAL_MS,
  OUTSTANDING_MAX,
  QUEUE_BYTES_MAX,
  TIMER_MS_MAX,
} from './bounds.js';

/** PEM text. */
export type Pem = string | Buffer;

export interface ConnectOptions {
  /** Name or address of the relay; default 127.0.0.1. Relays are known by their chain of certificates, not by name. */
  readonly host?: string;
  /** Channel port of the relay for this kind of certificate; default 20200. */
  readonly port?: number;
  /** Private key of this application, PEM. */
  readonly key: Pem;
  /** Its certificate followed by the agency's, PEM. */
  readonly cert: Pem;
  /** CA certificate(s) that the relay's chain must end in, PEM. */
  readonly ca: Pem;
  /** Bound of TCP, TLS and protocol handshake together, in ms; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Default 10,000. */
  readonly heartbeatIntervalMs?: number;
  /** Silence in ms after which the link is given up, looked at with every heartbeat; default 20,000. */
  readonly deadLinkMs?: number;
  /** Calls without an answer; one more fails at once with AMOP-99 `outstanding-max`. Default 4,096. */
  readonly outstandingMax?: number;
  /** Bytes waiting for the socket; a call beyond fails at once with AMOP-99 `queue-full`. Default 16 MiB. */
  readonly queueBytesMax?: number;
  /** Handlers running at once; at the bound the client stops reading. Default 1,024. */
  readonly handlersMax?: number;
  /** Payload bytes held by running handlers, same consequence. Default 64 MiB. */
  readonly handlerBytesMax?: number;
  /** A handler that takes longer no longer counts, and its answer is not sent. Default 30,000. */
  readonly handlerTimeoutMs?: number;
  /** Called when a handler throws or rejects; the default is a process warning. Must not throw. */
  readonly onHandlerError?: (error: unknown, message: { readonly topic: string; readonly seq: string }) => void;
}

export type ResolvedOptions = Required<ConnectOptions>;

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
  return {
    key: options.key,
    cert: options.cert,
    ca: options.ca,
    host: options.host ?? '127.0.0.1',
    port: integer('port', options.port, DEFAULT_PORT, 65_535),
    connectTimeoutMs: integer('connectTimeoutMs', options.connectTimeoutMs, CONNECT_TIMEOUT_MS, TIMER_MS_MAX),
    heartbeatIntervalMs: integer(
      'heartbeatIntervalMs',
      options.heartbeatIntervalMs,
      HEARTBEAT_INTERVAL_MS,
      TIMER_MS_MAX,
    ),
    deadLinkMs: integer('deadLinkMs', options.deadLinkMs, DEAD_LINK_MS, TIMER_MS_MAX),
    outstandingMax: integer('outstandingMax', options.outstandingMax, OUTSTANDING_MAX, Number.MAX_SAFE_INTEGER),
    queueBytesMax: integer('queueBytesMax', options.queueBytesMax, QUEUE_BYTES_MAX, Number.MAX_SAFE_INTEGER),
    handlersMax: integer('handlersMax', options.handlersMax, HANDLERS_MAX, Number.MAX_SAFE_INTEGER),
    handlerBytesMax: integer('handlerBytesMax', options.handlerBytesMax, HANDLER_BYTES_MAX, Number.MAX_SAFE_INTEGER),
    handlerTimeoutMs: integer('handlerTimeoutMs', options.handlerTimeoutMs, HANDLER_TIMEOUT_MS, TIMER_MS_MAX),
    onHandlerError: options.onHandlerError ?? warn,
  };
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

function warn(error: unknown, message: { readonly topic: string }): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`the handler of topic ${JSON.stringify(message.topic)} failed: ${text}`, 'AmopHandlerWarning');
}
