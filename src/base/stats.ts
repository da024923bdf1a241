/**
 * Counters of a shard in shared memory: the shard adds, the control thread reads them when it is scraped.
 * One Float64Array, one slot per (metric, label value); counts stay exact up to 2^53.
 * The layout is derived from the lists below, so both sides agree by construction.
 */
import { CLOSE_REASONS, REFUSALS, TLS_FAILURES } from './close-reason.js';
import { FAILURE_REASONS } from './failure-reason.js';
import { P2P_CLOSE_REASONS, P2P_REFUSALS } from './p2p-close-reason.js';
import { PRIVATE_RESULTS } from './private-result.js';

/** Kinds of frames, by type byte; label `kind`. */
export const FRAME_KINDS = [
  'rpc',
  'heartbeat',
  'handshake',
  'event',
  'unicast',
  'response',
  'subscribe',
  'multicast',
  'certification',
  'other',
] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Final result of a request; label `code`. `subscriber` is any other value a subscriber chose. */
export const RESULT_CODES = ['0', '100', '101', '102', '103', '104', 'subscriber'] as const;

/** Why a multicast copy was not handed to a subscriber; label `reason`. */
export const DROP_REASONS = ['queue-full'] as const;

/** Bandwidth limits; label `scope`. */
export const FLOW_SCOPES = ['session', 'organisation', 'topic', 'node'] as const;

/** What became of a challenge on a private topic; label `result`. */
export const CHALLENGE_RESULTS = [
  'passed',
  'not-a-sender', // the session did not announce the push topic, or may not
  'not-listed', // the peer has pulled no list with this topic
  'no-subscriber', // nobody holds the topic
  'shape', // no known form of a challenge
  'rate', // too many from this source
  'repeated', // the random number of a challenge on another topic
] as const;
export type ChallengeResult = (typeof CHALLENGE_RESULTS)[number];

/** Upper bounds of the request duration histogram in seconds. */
export const DURATION_BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** Labelled counters and unlabelled counters or gauges (label list empty). */
export const STAT_TABLE = {
  framesReceived: FRAME_KINDS,
  framesSent: FRAME_KINDS,
  bytesReceived: FRAME_KINDS,
  bytesSent: FRAME_KINDS,
  requests: RESULT_CODES,
  requestFailures: FAILURE_REASONS,
  connectionsClosed: CLOSE_REASONS,
  tlsFailures: TLS_FAILURES,
  inputRefused: REFUSALS,
  p2pConnectionsClosed: P2P_CLOSE_REASONS,
  p2pTlsFailures: TLS_FAILURES,
  p2pInputRefused: P2P_REFUSALS,
  p2pDials: ['connected', 'failed'],
  bandwidthRefused: FLOW_SCOPES,
  challenges: CHALLENGE_RESULTS,
  privateResults: PRIVATE_RESULTS,
  bandwidthBalanceBytes: [],
  multicastDropped: DROP_REASONS,
  multicastCopies: [],
  multicastDuplicates: [],
  pushes: [],
  pushRetries: [],
  connectionsAccepted: [],
  connectionsSlowed: [],
  readsPaused: [],
  sessions: [],
  handshakes: [],
  slowedAddresses: [],
  subscriptions: [],
  pendingRequests: [],
  queueBytes: [],
  inboundBytes: [],
  durationBuckets: [...DURATION_BUCKETS_SECONDS.map(String), '+Inf'],
  durationSumSeconds: [],
  durationCount: [],
} as const satisfies Record<string, readonly string[]>;

export type StatName = keyof typeof STAT_TABLE;

/** First slot of each metric. */
export const STAT_OFFSET: Readonly<Record<StatName, number>> = (() => {
  const offsets = {} as Record<StatName, number>;
  let next = 0;
  for (const name of Object.keys(STAT_TABLE) as StatName[]) {
    offsets[name] = next;
    next += Math.max(1, STAT_TABLE[name].length);
  }
  return offsets;
})();

export const STAT_SLOTS = (Object.keys(STAT_TABLE) as StatName[]).reduce(
  (sum, name) => sum + Math.max(1, STAT_TABLE[name].length),
  0,
);

/** Makes the shared memory of one shard. */
export function createStatMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(STAT_SLOTS * Float64Array.BYTES_PER_ELEMENT);
}

/** The writing side; `index` is the position of the label value in its list. */
export class Stats {
  readonly slots: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.slots = new Float64Array(memory);
  }

  add(name: StatName, index = 0, amount = 1): void {
    this.slots[STAT_OFFSET[name] + index] += amount;
  }

  set(name: StatName, value: number, index = 0): void {
    this.slots[STAT_OFFSET[name] + index] = value;
  }

  observeDuration(seconds: number): void {
    let bucket = 0;
    while (bucket < DURATION_BUCKETS_SECONDS.length && seconds > DURATION_BUCKETS_SECONDS[bucket]) bucket++;
    this.slots[STAT_OFFSET.durationBuckets + bucket]++;
    this.slots[STAT_OFFSET.durationSumSeconds] += seconds;
    this.slots[STAT_OFFSET.durationCount]++;
  }
}

/** The reading side: value of one slot summed over shards. */
export function readStat(shards: readonly Float64Array[], name: StatName, index = 0): number {
  let sum = 0;
  for (const slots of shards) sum += slots[STAT_OFFSET[name] + index];
  return sum;
}
