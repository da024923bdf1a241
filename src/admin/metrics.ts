/**
 * The Prometheus registry. The counts live in the shards' shared memory; each scrape reads them, nothing is copied between.
 * Every label value exists from the start with 0, so that `rate()` sees the first event.
 */
import { collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import { TLS_FAILURES } from '../base/close-reason.js';
import { DURATION_BUCKETS_SECONDS, readStat, STAT_TABLE } from '../base/stats.js';
import type { CertificateExpiry } from './health.js';
import { METRIC_TABLE, type MetricDefinition, REQUEST_DURATION, TLS_HANDSHAKE_FAILURES } from './metric-table.js';
import { PEER_METRICS, type PeerMetricsSource } from './peer-metrics.js';

export interface MetricsSources {
  /** Memory of every shard, as stats.ts lays it out. */
  readonly shardStats: () => readonly Float64Array[];
  /** Labels of `amop_build_info`; `native` names the frame scanner in use. */
  readonly buildInfo: { readonly version: string; readonly node: string; readonly native: string };
  readonly certificates?: () => readonly CertificateExpiry[];
  readonly peers?: () => PeerMetricsSource;
  /** Pairs of sender and subscriber of private topics, by state. */
  readonly reloads?: () => { readonly succeeded: number; readonly failed: number; readonly succeededSeconds: number };
  readonly privatePairs?: () => Readonly<Record<(typeof PAIR_STATES)[number], number>>;
}

const PAIR_STATES = ['pending', 'certified', 'failed'] as const;

export const RELOADS = {
  name: 'amop_config_reloads_total',
  help: 'Times that the configuration was read anew while the relay ran.',
} as const;
export const RELOADED_AT = {
  name: 'amop_config_reload_success_timestamp_seconds',
  help: 'Unix time at which the configuration in force was taken over.',
} as const;

export const PRIVATE_PAIRS = {
  name: 'amop_private_pairs',
  help: 'Pairs of sender and subscriber of private topics, by the state of their certification.',
} as const;

export interface Metrics {
  readonly contentType: string;
  /** Prometheus text format. */
  render(): Promise<string>;
}

/** One line of the exposition; `metricName` where it is not the name of the metric. */
interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly metricName?: string;
}

/**
 * What a registry asks of a metric, reading elsewhere instead of keeping values: prom-client's own Counter can only be
 * reset and incremented, and its Histogram takes single observations alone.
 */
class ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator = 'sum';
  readonly #read: () => Sample[];

  constructor(definition: Pick<ReadMetric, 'name' | 'help' | 'type'>, read: () => Sample[]) {
    this.name = definition.name;
    this.help = definition.help;
    this.type = definition.type;
    this.#read = read;
  }

  async get(): Promise<object> {
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values: this.#read() };
  }

  /** The shards own the values. */
  reset(): void {}
}

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const register = (metric: ReadMetric) => registry.registerMetric(metric as unknown as Metric<string>);

  for (const [stat, definition] of Object.entries(METRIC_TABLE) as [keyof typeof METRIC_TABLE, MetricDefinition][]) {
    register(new ReadMetric(definition, () => statSamples(sources.shardStats(), stat, definition.label)));
  }
  register(new ReadMetric({ ...TLS_HANDSHAKE_FAILURES, type: 'counter' }, () => tlsSamples(sources.shardStats())));
  for (const { name, help, type, read } of PEER_METRICS) {
    register(new ReadMetric({ name, help, type }, () => read(sources.peers?.() ?? NO_PEERS)));
  }
  register(
    new ReadMetric({ ...RELOADS, type: 'counter' }, () => {
      const { succeeded = 0, failed = 0 } = sources.reloads?.() ?? {};
      return [
        { labels: { result: 'succeeded' }, value: succeeded },
        { labels: { result: 'failed' }, value: failed },
      ];
    }),
  );
  register(
    new ReadMetric({ ...RELOADED_AT, type: 'gauge' }, () => [
      { labels: {}, value: sources.reloads?.().succeededSeconds ?? 0 },
    ]),
  );
  register(
    new ReadMetric({ ...PRIVATE_PAIRS, type: 'gauge' }, () => {
      const pairs = sources.privatePairs?.();
      return PAIR_STATES.map((state) => ({ labels: { state }, value: pairs?.[state] ?? 0 }));
    }),
  );
  register(new ReadMetric({ ...REQUEST_DURATION, type: 'histogram' }, () => durationSamples(sources.shardStats())));

  new Gauge({
    name: 'amop_tls_cert_expiry_timestamp_seconds',
    help: 'Unix time at which the certificate of a listener expires.',
    labelNames: ['role'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { role, notAfterSeconds } of sources.certificates?.() ?? []) this.set({ role }, notAfterSeconds);
    },
  });
  new Gauge({
    name: 'amop_build_info',
    help: 'Always 1; the labels name the build.',
    labelNames: ['version', 'node', 'native'],
    registers: [registry],
  }).set(sources.buildInfo, 1);
  collectDefaultMetrics({ register: registry });

  return { contentType: registry.contentType, render: () => registry.metrics() };
}

const NO_PEERS: PeerMetricsSource = { peers: [], endpoints: [], organisations: new Map() };

function tlsSamples(shards: readonly Float64Array[]): Sample[] {
  return (['tlsFailures', 'p2pTlsFailures'] as const).flatMap((stat) =>
    TLS_FAILURES.map((reason, index) => ({
      labels: { port: stat === 'tlsFailures' ? 'channel' : 'p2p', reason },
      value: readStat(shards, stat, index),
    })),
  );
}

function statSamples(
  shards: readonly Float64Array[],
  stat: keyof typeof METRIC_TABLE,
  label: string | undefined,
): Sample[] {
  if (label === undefined) return [{ labels: {}, value: readStat(shards, stat) }];
  return STAT_TABLE[stat].map((value, index) => ({ labels: { [label]: value }, value: readStat(shards, stat, index) }));
}

/**
 * The count is the sum of the buckets, not its own slot: a shard may be between the two while they are read, and
 * Prometheus takes it for granted that the bucket +Inf and the count are equal.
 */
function durationSamples(shards: readonly Float64Array[]): Sample[] {
  const { name } = REQUEST_DURATION;
  const sumSeconds = readStat(shards, 'durationSumSeconds');
  let count = 0;
  const samples: Sample[] = [...DURATION_BUCKETS_SECONDS.map(String), '+Inf'].map((le, index) => {
    count += readStat(shards, 'durationBuckets', index);
    return { metricName: `${name}_bucket`, labels: { le }, value: count };
  });
  samples.push({ metricName: `${name}_sum`, labels: {}, value: sumSeconds });
  samples.push({ metricName: `${name}_count`, labels: {}, value: count });
  return samples;
}
