/**
 * Why a connection ended. Each value is a label of `amop_connections_closed_total{reason}` and stands in the log;
 * values are API and are only ever added.
 */
export const CLOSE_REASONS = [
  'client-closed', // the client ended the connection
  'connection-lost', // reset or another socket error
  'idle', // nothing received or written for idle_timeout_ms
  'frame-too-short', // declared length below the header
  'frame-too-long', // declared length above the maximum
  'frame-stalled', // a frame stopped arriving while the relay's inbound budget was exhausted
  'malformed-bodies', // more than 100 malformed bodies in a minute
  'protocol-version', // 0x14 with a range that has no version in common
  'slow-consumer', // took no byte for slow_consumer_timeout_ms with output waiting
  'sessions-max', // the relay holds sessions_max sessions
  'draining', // the relay is shutting down
  'internal-error', // our own fault, logged at level error
  'untrusted-certificate', // after a reload: it does not lead to a CA of the listener any more
  'expired-certificate', // found at a reload
  'revoked-certificate', // after a reload: it stands in a list
] as const;

export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Why a TLS handshake was not completed or its certificate refused: label of `amop_tls_handshake_failures_total`. */
export const TLS_FAILURES = [
  'no-certificate',
  'untrusted-certificate',
  'expired-certificate',
  'revoked-certificate',
  'no-common-curve-or-cipher',
  'protocol-version',
  'not-tls',
  'client-refused-our-certificate',
  'timeout',
  'connection-lost',
  'too-many-handshakes',
  'other',
] as const;

export type TlsFailure = (typeof TLS_FAILURES)[number];

/** Input that was refused while its connection was kept: label of `amop_input_refused_total`. */
export const REFUSALS = [
  'malformed-body', // empty body, topic byte 0 or beyond the body, control character, reserved topic
  'private-topic', // message on a `#!$` topic of no known form
  'topic-list', // 0x32 that is not an array of scalars or is over the limit
  'topic', // one bad topic in a list
  'handshake', // 0x14 that is no JSON object
  'rpc', // 0x12 over 2 MiB, or more than 256 of them without an answer
  'unknown-type',
  'unmatched-response', // 0x31 without a pending request
  'certification-result', // 0x38 that is too long, cannot be read, or that nobody waits for
] as const;

export type Refusal = (typeof REFUSALS)[number];
