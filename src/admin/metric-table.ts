/** Every slot of the shards' shared memory under its public name. `satisfies` finds a slot that has none. */
import type { StatName } from '../base/stats.js';

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Name of the label whose values STAT_TABLE lists. */
  readonly label?: string;
}

type DurationSlot = 'durationBuckets' | 'durationSumSeconds' | 'durationCount';

/** One metric with a label for the port. */
type TlsSlot = 'tlsFailures' | 'p2pTlsFailures';

export const TLS_HANDSHAKE_FAILURES = {
  name: 'amop_tls_handshake_failures_total',
  help: 'TLS handshakes that failed or ended in a refused certificate.',
} as const;

export const REQUEST_DURATION = {
  name: 'amop_request_duration_seconds',
  help: 'Time from the arrival of a request to its answer.',
} as const;

export const METRIC_TABLE = {
  framesReceived: {
    name: 'amop_messages_received_total',
    type: 'counter',
    label: 'kind',
    help: 'Frames received from sessions.',
  },
  framesSent: {
    name: 'amop_messages_sent_total',
    type: 'counter',
    label: 'kind',
    help: 'Frames written to sessions.',
  },
  bytesReceived: {
    name: 'amop_bytes_received_total',
    type: 'counter',
    label: 'kind',
    help: 'Bytes of received frames, headers included, TLS excluded.',
  },
  bytesSent: {
    name: 'amop_bytes_sent_total',
    type: 'counter',
    label: 'kind',
    help: 'Bytes of written frames, headers included, TLS excluded.',
  },
  requests: {
    name: 'amop_requests_total',
    type: 'counter',
    label: 'code',
    help: 'Answered unicast requests by result; "subscriber" is a result the subscriber chose.',
  },
  requestFailures: {
    name: 'amop_request_failures_total',
    type: 'counter',
    label: 'reason',
    help: 'Requests that the relay itself answered with a code, by reason.',
  },
  connectionsClosed: {
    name: 'amop_connections_closed_total',
    type: 'counter',
    label: 'reason',
    help: 'Connections that ended after their TLS handshake.',
  },
  inputRefused: {
    name: 'amop_input_refused_total',
    type: 'counter',
    label: 'reason',
    help: 'Input that was refused while its connection was kept.',
  },
  p2pConnectionsClosed: {
    name: 'amop_p2p_connections_closed_total',
    type: 'counter',
    label: 'reason',
    help: 'Connections to peers that ended after their TLS handshake.',
  },
  p2pInputRefused: {
    name: 'amop_p2p_input_refused_total',
    type: 'counter',
    label: 'reason',
    help: 'Input of peers that was refused while the connection was kept.',
  },
  p2pDials: {
    name: 'amop_p2p_dials_total',
    type: 'counter',
    label: 'result',
    help: 'Dialled peers; connected means that the TLS handshake was finished.',
  },
  bandwidthRefused: {
    name: 'amop_rejects_total',
    type: 'counter',
    label: 'scope',
    help: 'Times that a bandwidth limit refused a request, by the scope of the limit.',
  },
  privateResults: {
    name: 'amop_private_certifications_total',
    type: 'counter',
    label: 'result',
    help: 'What came of certifying subscribers of private topics for senders.',
  },
  challenges: {
    name: 'amop_private_challenges_total',
    type: 'counter',
    label: 'result',
    help: 'Challenges on private topics, passed on or refused.',
  },
  bandwidthBalanceBytes: {
    name: 'amop_bandwidth_balance_bytes',
    type: 'gauge',
    help: 'Bytes that may go to peers at once by outgoing_bandwidth_limit, negative in debt; 0 without a limit.',
  },
  multicastDropped: {
    name: 'amop_multicast_dropped_total',
    type: 'counter',
    label: 'reason',
    help: 'Multicast copies that a subscriber did not get.',
  },
  multicastCopies: {
    name: 'amop_multicast_copies_total',
    type: 'counter',
    help: 'Multicast copies handed to subscribers.',
  },
  multicastDuplicates: {
    name: 'amop_multicast_duplicates_total',
    type: 'counter',
    help: 'Multicast messages recognised as copies and not delivered again.',
  },
  pushes: { name: 'amop_pushes_total', type: 'counter', help: 'Requests handed to a subscriber.' },
  pushRetries: {
    name: 'amop_push_retries_total',
    type: 'counter',
    help: 'Requests handed to a further subscriber after one failed.',
  },
  connectionsAccepted: {
    name: 'amop_connections_accepted_total',
    type: 'counter',
    help: 'TCP connections accepted, before their TLS handshake.',
  },
  connectionsSlowed: {
    name: 'amop_connections_slowed_total',
    type: 'counter',
    help: 'Connections that waited before TLS, or were refused, because a client of their address dials again and again.',
  },
  readsPaused: {
    name: 'amop_reads_paused_total',
    type: 'counter',
    help: 'Times that reading from a session paused because a byte budget was full.',
  },
  sessions: { name: 'amop_sessions', type: 'gauge', help: 'Sessions.' },
  handshakes: { name: 'amop_handshakes', type: 'gauge', help: 'Connections inside their TLS handshake.' },
  slowedAddresses: {
    name: 'amop_slowed_addresses',
    type: 'gauge',
    help: 'Addresses whose new connections are slowed down because a client there dials again and again.',
  },
  subscriptions: { name: 'amop_subscriptions', type: 'gauge', help: 'Subscriptions, one for each session and topic.' },
  pendingRequests: { name: 'amop_pending_requests', type: 'gauge', help: 'Requests without an answer.' },
  queueBytes: {
    name: 'amop_queue_bytes',
    type: 'gauge',
    help: 'Output that waits for the sockets of sessions and peers.',
  },
  inboundBytes: { name: 'amop_inbound_bytes', type: 'gauge', help: 'Received frames held until they are answered.' },
} as const satisfies Record<Exclude<StatName, DurationSlot | TlsSlot>, MetricDefinition>;
