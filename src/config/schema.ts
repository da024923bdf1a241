/**
 * The one table of the configuration: types, defaults, bounds, the documentation and the error texts come from it.
 *
 * Keys keep the spelling of the file (snake_case), so that config, code, log and documentation use one name.
 * A key stands here only when the relay acts on it.
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import {
  CHANNEL_FRAME_BYTES_MAX,
  DEFAULT_LIMITS,
  PENDING_OVERHEAD_BYTES,
  TLS_RECORD_BYTES_MAX,
} from '../base/limits.js';
import { LOG_LEVELS } from '../base/logger.js';
import { cipherProblems, curveProblems, DEFAULT_CIPHERS, DEFAULT_CURVES } from '../base/tls-policy.js';

/** A listener needs a certificate of its own; more than a handful means that something generated the file wrongly. */
const LISTENERS_MAX = 16;
/** Group numbers are positive int16 in fisco 2.x. */
const GROUP_MAX = 32_767;
/** Below this, timers cost more than they guard; tests use the minimum. */
const TIMEOUT_MS_MIN = 10;
/** One day: anything longer is no time-out, and stays far below the 2^31 - 1 ms of a timer. */
const TIMEOUT_MS_MAX = 86_400_000;
/** 64 GiB: larger byte budgets exceed what one process can hold in buffers. */
const BYTES_MAX = 65_536 * 1_048_576;
/** A frame is held whole until it is answered, so a smaller inbound budget could never take a maximum frame. */
const INBOUND_BYTES_MIN = CHANNEL_FRAME_BYTES_MAX + PENDING_OVERHEAD_BYTES;

const port = () => z.int().min(0).max(65_535);

const filePath = () =>
  z
    .string()
    .min(1)
    .refine((value) => !value.includes('\0'), { error: 'contains a NUL character' });

/** A string judged by a function that returns every problem in words. */
const judged = (problemsOf: (value: string) => string[]) =>
  z.string().superRefine((value, context) => {
    for (const message of problemsOf(value)) context.addIssue({ code: 'custom', message });
  });

const ip = () =>
  judged((value) =>
    isIP(value) === 0 ? [`${JSON.stringify(value)} is no IP address; host names are not accepted here`] : [],
  );

const limit = (name: keyof typeof DEFAULT_LIMITS, min: number, max: number, description: string) =>
  z.int().min(min).max(max).default(DEFAULT_LIMITS[name]).meta({ description });

const timeout = (name: keyof typeof DEFAULT_LIMITS, description: string) =>
  limit(name, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, description);

/** `handshakeTimeoutMs` -> `handshake_timeout_ms` */
type SnakeCase<Name extends string> = Name extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${SnakeCase<Tail>}`
    : `_${Lowercase<Head>}${SnakeCase<Tail>}`
  : Name;

/** `satisfies` makes the compiler find a limit that was added to base/limits.ts and not here. */
const limits = {
  sessions_max: limit('sessionsMax', 1, 1_000_000, 'Sessions at one time; a further connection is closed.'),
  handshakes_max: limit('handshakesMax', 1, 65_536, 'Connections inside the TLS handshake at one time.'),
  accepts_per_second: limit('acceptsPerSecond', 1, 100_000, 'New connections accepted per second.'),
  handshake_timeout_ms: timeout('handshakeTimeoutMs', 'A TLS handshake that takes longer is ended.'),
  idle_timeout_ms: timeout(
    'idleTimeoutMs',
    'A session without traffic for this long is closed; must be longer than the heartbeat interval of the SDKs.',
  ),
  request_timeout_ms: timeout('requestTimeoutMs', 'Every request is answered before this, with 102 at the latest.'),
  subscriber_timeout_ms: timeout(
    'subscriberTimeoutMs',
    'A subscriber that is silent for this long loses the request to the next one; below `request_timeout_ms`.',
  ),
  session_pending_max: limit('sessionPendingMax', 1, 1_048_576, 'Requests of one session without an answer.'),
  pending_max: limit('pendingMax', 1, 16_777_216, 'Requests of the relay without an answer.'),
  session_inbound_bytes_max: limit(
    'sessionInboundBytesMax',
    INBOUND_BYTES_MIN,
    BYTES_MAX,
    'Bytes of received frames held for one session; when they are used up, reading from it pauses. The minimum holds one frame of the largest size.',
  ),
  inbound_bytes_max: limit(
    'inboundBytesMax',
    INBOUND_BYTES_MIN,
    BYTES_MAX,
    'The same for all sessions together; not below `session_inbound_bytes_max`.',
  ),
  session_queue_bytes_max: limit(
    'sessionQueueBytesMax',
    TLS_RECORD_BYTES_MAX,
    BYTES_MAX,
    'Output of one session that waits for its socket. An empty queue takes one larger frame.',
  ),
  session_queue_frames_max: limit('sessionQueueFramesMax', 1, 1_048_576, 'The same, counted in frames.'),
  slow_consumer_timeout_ms: timeout(
    'slowConsumerTimeoutMs',
    'A session that takes no byte for this long while output waits is closed.',
  ),
  drain_timeout_ms: timeout('drainTimeoutMs', 'Longest wait for open requests after SIGTERM.'),
} satisfies Record<SnakeCase<keyof typeof DEFAULT_LIMITS>, z.ZodType>;

const listener = z.strictObject({
  channel_listen_ip: ip()
    .default('0.0.0.0')
    .meta({ description: 'Address the channel port listens on.', kind: 'IP address' }),
  channel_listen_port: port().default(20_200).meta({ description: 'Channel port of the SDKs; 0 takes a free one.' }),
  key: filePath().meta({ description: 'Private key of the listener, PEM.', kind: 'file' }),
  cert: filePath().meta({
    description: 'Its certificate, followed by the agency certificates up to the chain CA, PEM.',
    kind: 'file',
  }),
  ca_cert: filePath().meta({ description: 'Certificates of the CAs whose clients are let in, PEM.', kind: 'file' }),
  crl: filePath().optional().meta({
    description: 'Revocation lists, PEM: one for every CA of the chain. Without it nothing is revoked.',
    kind: 'file',
  }),
});

export const configSchema = z.strictObject({
  rpc: z
    .strictObject({
      listener: z
        .array(listener)
        .min(1)
        .max(LISTENERS_MAX)
        .prefault([])
        .meta({
          description:
            'One channel port. A listener has certificates of one kind, secp256k1 or RSA; ' +
            'clients of both kinds need two listeners, which share one topic space.',
        }),
    })
    .meta({ description: 'Ports of the SDKs.' }),
  tls: z
    .strictObject({
      ciphers: judged(cipherProblems)
        .default(DEFAULT_CIPHERS)
        .meta({ description: 'Cipher suites of TLS 1.2 in order of preference, separated by `:`.' }),
      curves: judged(curveProblems)
        .default(DEFAULT_CURVES)
        .meta({
          description:
            'Curves of the key exchange in order of preference, separated by `:`. secp256k1 and one of P-256 and ' +
            'P-384 are required; X25519 and X448 are refused, because the TLS library inside older Java SDKs ' +
            '(TaSSL) picks them first and then fails with "invalid encoding".',
        }),
    })
    .meta({ description: 'TLS of every port; always version 1.2 with certificates on both sides.' }),
  chain: z
    .strictObject({
      id: z
        .string()
        .min(1)
        .max(64)
        .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without blanks' })
        .default('1')
        .meta({ description: 'Chain ID told to SDKs that ask for it.' }),
      groups: z
        .array(z.int().min(1).max(GROUP_MAX))
        .min(1)
        .max(1024)
        .refine((groups) => new Set(groups).size === groups.length, { error: 'names a group twice' })
        .default([1])
        .meta({ description: 'Group IDs told to SDKs that ask for them.' }),
    })
    .meta({ description: 'What SDKs learn about the chain; the relay itself has none.' }),
  admin: z
    .strictObject({
      listen_ip: ip().default('127.0.0.1').meta({
        description: 'Address of `/metrics`, `/healthz` and `/readyz`. They need no login: keep it off open networks.',
        kind: 'IP address',
      }),
      listen_port: port().default(9_090).meta({ description: 'Its port; 0 takes a free one.' }),
    })
    .meta({ description: 'Metrics and health, plain HTTP.' }),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).default('info').meta({ description: 'Least severe level that is written.' }),
      format: z
        .enum(['json', 'text'])
        .default('json')
        .meta({ description: 'One JSON object a line for machines, or text for people.' }),
    })
    .meta({ description: 'Log on standard output.' }),
  limits: z.strictObject(limits).meta({ description: 'Bounds; the defaults suit most installations.' }),
});

/** A checked configuration with every default filled in. File names are absolute. */
export type RelayConfig = z.output<typeof configSchema>;
export type ListenerConfig = RelayConfig['rpc']['listener'][number];
export type LimitsConfig = RelayConfig['limits'];
