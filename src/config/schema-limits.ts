/** The keys of `[limits]`: bounds of what an operator may set; the defaults come from base/limits.ts. */
import * as z from 'zod';
import {
  CHANNEL_FRAME_BYTES_MAX,
  DEFAULT_LIMITS,
  PENDING_OVERHEAD_BYTES,
  TLS_RECORD_BYTES_MAX,
} from '../base/limits.js';

/** Below this, timers cost more than they guard; tests use the minimum. */
const TIMEOUT_MS_MIN = 10;
/** One day: anything longer is no time-out, and stays far below the 2^31 - 1 ms of a timer. */
const TIMEOUT_MS_MAX = 86_400_000;
/** 64 GiB: larger byte budgets exceed what one process can hold in buffers. */
const BYTES_MAX = 65_536 * 1_048_576;
/** A frame is held whole until it is answered, so a smaller inbound budget could never take a maximum frame. */
const INBOUND_BYTES_MIN = CHANNEL_FRAME_BYTES_MAX + PENDING_OVERHEAD_BYTES;
/** Every peer hears every topic change: beyond some thousand the gossip alone fills a core. */
const PEERS_MAX = 4_096;

/** Each one is a number kept for 10 s. */
const REDIALS_MAX = 10_000;

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
export const limitKeys = {
  sessions_max: limit('sessionsMax', 1, 1_000_000, 'Sessions at one time; a further connection is closed.'),
  handshakes_max: limit('handshakesMax', 1, 65_536, 'Connections inside the TLS handshake at one time.'),
  accepts_per_second: limit('acceptsPerSecond', 1, 100_000, 'New connections accepted per second.'),
  redials_max: limit(
    'redialsMax',
    1,
    REDIALS_MAX,
    'Connections that one certificate may make from one address in 10 s. When it makes more, new connections from that address wait before TLS and enter at 5 a second; sessions are not touched.',
  ),
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
  peer_timeout_ms: timeout(
    'peerTimeoutMs',
    'A relay or node that is silent for this long loses the request to the next choice; below `request_timeout_ms`.',
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
  peers_max: limit('peersMax', 1, PEERS_MAX, 'Relays and nodes connected at one time; a further one is closed.'),
  peer_queue_bytes_max: limit(
    'peerQueueBytesMax',
    TLS_RECORD_BYTES_MAX,
    BYTES_MAX,
    'Output of one peer that waits for its socket. An empty queue takes one larger frame.',
  ),
  slow_consumer_timeout_ms: timeout(
    'slowConsumerTimeoutMs',
    'A session that takes no byte for this long while output waits is closed.',
  ),
  drain_timeout_ms: timeout('drainTimeoutMs', 'Longest wait for open requests after SIGTERM.'),
} satisfies Record<SnakeCase<keyof typeof DEFAULT_LIMITS>, z.ZodType>;
