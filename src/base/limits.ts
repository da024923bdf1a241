/**
 * Every bound of the relay that is not configuration, with the reason for its value.
 * Bounds an operator may change live in the configuration schema (`[limits]`) and take their defaults from here.
 * Units stand last in each name.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Header of a 2.x channel frame: length u32, type u16, seq 32 bytes, result i32. */
export const CHANNEL_HEADER_BYTES = 42;

/** Sequence of a channel frame, raw bytes. */
export const SEQ_BYTES = 32;

/** Maximum P2P frame of the reference implementation. */
export const P2P_FRAME_BYTES_MAX = 100 * MIB;

/** A channel frame must fit a P2P frame behind its 16-byte header: 104,857,600 - 16. */
export const CHANNEL_FRAME_BYTES_MAX = P2P_FRAME_BYTES_MAX - 16;

/** The topic length byte counts itself, so 255 - 1. */
export const TOPIC_BYTES_MAX = 254;

/** Topics in one subscription list; a larger list is refused whole. */
export const TOPICS_PER_SESSION_MAX = 4096;

/** Malformed bodies a session may send in a minute before it is closed. */
export const MALFORMED_PER_MINUTE_MAX = 100;

/** Largest TLS record: a strict session gets a frame up to this size as one record. */
export const TLS_RECORD_BYTES_MAX = 16 * KIB;

/** One write to a socket: four records keep a large frame from monopolising the event loop. */
export const WRITE_SLICE_BYTES_MAX = 64 * KIB;

/** Rows of one scanner call: 256 rows of 6 integers stay in the L1 cache. */
export const SCAN_ROWS_MAX = 256;

/** Multicast messages remembered for "exactly once", and for how long. */
export const SEEN_MESSAGES_MAX = 65_536;
export const SEEN_MESSAGE_MS = 30_000;

/** First allocation for a frame that spans chunks; grows by doubling, so a false length costs at most this. */
export const FRAME_BUFFER_BYTES_MIN = 64 * KIB;

/** JSON-RPC and subscription bodies are parsed as JSON: larger ones are refused before parsing. */
export const JSON_BODY_BYTES_MAX = 2 * MIB;

/** Organisations that metrics tell apart by a label; a chain joins tens of institutions. */
export const ORGANISATION_LABELS_MAX = 64;

/** Bookkeeping of one pending request in bytes, charged to the budgets on top of its frame. */
export const PENDING_OVERHEAD_BYTES = 256;

/** Signatures checked in one batch: 64 take about 2 ms of a thread, so that a time-out need not wait long for its thread. */
export const SIGNATURE_BATCH_ROWS_MAX = 64;

/** A batch is not split over threads below this: the way to a thread and back costs about as much as one check. */
export const SIGNATURE_BATCH_ROWS_MIN = 4;

/** Batches under way: two of the four threads of libuv's pool, which also reads files and looks up names. */
export const SIGNATURE_BATCHES_IN_FLIGHT_MAX = 2;

/** Batches that wait: 4,096 checks, about 70 ms of two threads; further ones are refused at once. */
export const SIGNATURE_BATCHES_QUEUED_MAX = 64;

/** Defaults of `[limits]`. */
export const DEFAULT_LIMITS = {
  /** A bank's applications are tens; ten thousand leaves room and bounds memory at about 300 MiB of TLS state. */
  sessionsMax: 10_000,
  /** Connections inside the TLS handshake; each costs about 50 KiB. */
  handshakesMax: 1_024,
  /** New connections a second; a full ECDSA handshake costs 0.2-2.6 ms of CPU. */
  acceptsPerSecond: 400,
  /** Connections of one certificate from one address in 10 s; an SDK in trouble dials at most every 5 s. */
  redialsMax: 20,
  handshakeTimeoutMs: 10_000,
  /** The reference closes after 60 s without traffic. */
  idleTimeoutMs: 60_000,
  /** A request is answered before this, whatever happens. */
  requestTimeoutMs: 30_000,
  /** One subscriber session may take this long, as in the reference. */
  subscriberTimeoutMs: 5_000,
  /** A peer tries its own sessions for 5 s each: two of them, and half a second for the way. */
  peerTimeoutMs: 10_500,
  /** Requests of one session without an answer; the next one is refused. */
  sessionPendingMax: 16_384,
  /** Requests of the relay without an answer. */
  pendingMax: 262_144,
  /** Inbound bytes held for one session: one maximum frame and what is pending beside it. */
  sessionInboundBytesMax: 128 * MIB,
  inboundBytesMax: 512 * MIB,
  /** Output of one session that waits for its socket; one larger frame is always accepted into an empty queue. */
  sessionQueueBytesMax: 16 * MIB,
  sessionQueueFramesMax: 16_384,
  /** Relays and nodes at one time; the reference has no limit, and its chains have tens of nodes. */
  peersMax: 128,
  /** Output of one peer that waits for its socket: four sessions' worth, for a peer stands for many subscribers. */
  peerQueueBytesMax: 64 * MIB,
  /** A session that takes no byte for this long with output waiting is closed. */
  slowConsumerTimeoutMs: 15_000,
  drainTimeoutMs: 10_000,
} as const;
