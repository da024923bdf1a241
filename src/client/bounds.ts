/** Defaults and bounds of the client; those a caller may change are options of `connect`. */

/** The relay's own default port for secp256k1 certificates. */
export const DEFAULT_PORT = 20200;

/** TCP, TLS and the 0x14 exchange together; the reference SDKs wait 10 s for TCP and as long for TLS. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** As in the Java SDK; the relay tries one subscriber for as long. */
export const REQUEST_TIMEOUT_MS = 5_000;

/** Relay and node close after 60 s without traffic, so five heartbeats may be lost before that. */
export const HEARTBEAT_INTERVAL_MS = 10_000;

/** Silence after which the link counts as dead: the heartbeat at 10 s had 10 s for its answer. */
export const DEAD_LINK_MS = 20_000;

/** Calls without an answer; a quarter of what the relay allows a session (16,384), so that the relay never refuses first. */
export const OUTSTANDING_MAX = 4_096;

/** Output waiting for the socket. One larger frame is taken into an empty queue. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/** Handlers that have not settled; at the bound the client stops reading, and the relay sees a slow consumer. */
export const HANDLERS_MAX = 1_024;

/** Payload bytes of messages whose handler has not settled; the same consequence. */
export const HANDLER_BYTES_MAX = 64 * 1024 * 1024;

/** A handler gives its place free after this: the relay's own deadline for a request is 30 s, so nobody waits any more. */
export const HANDLER_TIMEOUT_MS = 30_000;

/** A closing connection gets this long to write what is queued and to end in order. */
export const CLOSE_TIMEOUT_MS = 1_000;

/** Longest delay a Node timer can hold; a larger one would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
