/** Defaults and bounds of the client; those a caller may change are options of `connect` or `subscribe`. */

/** The relay's own default port for secp256k1 certificates. */
export const DEFAULT_PORT = 20200;

/** A connection to each is kept open: an application has the two or three relays of its institution. */
export const RELAYS_MAX = 16;

/** TCP, TLS and the 0x14 exchange together; the reference SDKs wait 10 s for TCP and as long for TLS. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** So much longer `connect` waits than an attempt takes, so that the attempt can say why it failed. */
export const CONNECT_GRACE_MS = 200;

/** As in the Java SDK; the relay tries one subscriber for as long. */
export const REQUEST_TIMEOUT_MS = 5_000;

/** Relay and node close after 60 s without traffic, so five heartbeats may be lost before that. */
export const HEARTBEAT_INTERVAL_MS = 10_000;

/** Silence after which the link counts as dead: the heartbeat at 10 s had 10 s for its answer. */
export const DEAD_LINK_MS = 20_000;

/** A relay that let a call run out while it said nothing at all has this long to answer a heartbeat. */
export const PROBE_TIMEOUT_MS = 5_000;

/** For the heartbeat behind a topic list; it may stand behind a queue that is full. */
export const ANNOUNCE_TIMEOUT_MS = 10_000;

/** A connection that lasted this long was good: the next loss starts the back-off anew. */
export const STABLE_CONNECTION_MS = 5_000;

/** Calls without an answer; a quarter of what the relay allows a session (16,384), so that the relay never refuses first. */
export const OUTSTANDING_MAX = 4_096;

/** Output waiting for the socket of one relay, and payloads waiting for any relay. One larger is taken when it is alone. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/** Messages of one topic that wait for their handler. */
export const INBOX_MESSAGES_MAX = 1_024;

/** Bytes of all messages that wait or are being handled. */
export const INBOX_BYTES_MAX = 64 * 1024 * 1024;

/** Handlers of one topic that have not settled. */
export const CONCURRENCY = 256;

/** A handler gives its place free after this: the relay's own deadline for a request is 30 s, so nobody waits any more. */
export const HANDLER_TIMEOUT_MS = 30_000;

/** Multicasts remembered, as in the relay: a copy that comes over another connection is not delivered again. */
export const SEEN_MESSAGES_MAX = 65_536;
export const SEEN_MESSAGE_MS = 30_000;

/** A closing connection gets this long to write what is queued and to end in order. */
export const CLOSE_TIMEOUT_MS = 1_000;

/** Longest delay a Node timer can hold; a larger one would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Public keys of one private topic: every signature that is none of theirs is checked against each. */
export const PUBLIC_KEYS_MAX = 64;

/** For the answer of a receiver to a challenge, as the Java SDK waits; the relay asks again after 6 s. */
export const CHALLENGE_TIMEOUT_MS = 5_000;

/** For checking a signature, which takes about 0.1 ms: longer means that the process is swamped. */
export const VERIFY_TIMEOUT_MS = 2_000;

/** Certifications under way at once; the relay asks again for one that was left out. */
export const CERTIFICATIONS_MAX = 256;

/** Receivers of one sender whose state is kept, a relay of ours has at most as many sessions that matter. */
export const RECEIVERS_MAX = 4_096;

/** Challenges signed within a second; signing is work that anybody who reaches the challenge topic can ask for. */
export const SIGNATURES_PER_SECOND_MAX = 200;
