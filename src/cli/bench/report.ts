/** A result of `amop bench` for people, for programs and for a table. */
import type { LoadOptions, LoadResult } from './load.js';

export interface BenchReport {
  readonly kind: 'request' | 'multicast';
  readonly topic: string;
  readonly clients: number;
  readonly subscribers: number;
  readonly msgs: number;
  readonly sizeBytes: number;
  readonly rate: number | null;
  readonly seconds: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Copies that our own subscribers got. */
  readonly delivered: number;
  readonly msgsPerSecond: number;
  readonly mibPerSecond: number;
  readonly latencyMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
}

export function reportOf(
  options: LoadOptions,
  result: LoadResult,
  parties: { readonly clients: number; readonly subscribers: number; readonly delivered: number },
): BenchReport {
  const { latency, seconds, succeeded } = result;
  const empty = succeeded === 0;
  const ms = (microseconds: number) => (empty ? 0 : round(microseconds / 1000, 3));
  const perSecond = seconds > 0 ? succeeded / seconds : 0;
  return {
    kind: options.multicast ? 'multicast' : 'request',
    topic: options.topic,
    ...parties,
    msgs: options.msgs,
    sizeBytes: options.size,
    rate: options.rate ?? null,
    seconds: round(seconds, 3),
    succeeded,
    failed: [...result.failed.values()].reduce((sum, count) => sum + count, 0),
    msgsPerSecond: round(perSecond, 1),
    mibPerSecond: round((perSecond * options.size) / 1024 / 1024, 3),
    latencyMs: {
      mean: ms(latency.mean),
      p50: ms(latency.percentile(50)),
      p90: ms(latency.percentile(90)),
      p99: ms(latency.percentile(99)),
      p999: ms(latency.percentile(99.9)),
      max: ms(latency.max),
    },
  };
}

const CSV_COLUMNS: readonly (readonly [string, (report: BenchReport) => string | number])[] = [
  ['kind', (report) => report.kind],
  ['clients', (report) => report.clients],
  ['subscribers', (report) => report.subscribers],
  ['msgs', (report) => report.msgs],
  ['size_bytes', (report) => report.sizeBytes],
  ['rate', (report) => report.rate ?? ''],
  ['seconds', (report) => report.seconds],
  ['succeeded', (report) => report.succeeded],
  ['failed', (report) => report.failed],
  ['delivered', (report) => report.delivered],
  ['msgs_per_second', (report) => report.msgsPerSecond],
  ['mib_per_second', (report) => report.mibPerSecond],
  ['mean_ms', (report) => report.latencyMs.mean],
  ['p50_ms', (report) => report.latencyMs.p50],
  ['p90_ms', (report) => report.latencyMs.p90],
  ['p99_ms', (report) => report.latencyMs.p99],
  ['p999_ms', (report) => report.latencyMs.p999],
  ['max_ms', (report) => report.latencyMs.max],
];

/** A heading and a row. */
export function formatCsv(report: BenchReport): string {
  const names = CSV_COLUMNS.map(([name]) => name).join(',');
  return `${names}\n${CSV_COLUMNS.map(([, value]) => value(report)).join(',')}\n`;
}

export function formatReport(report: BenchReport, failed: ReadonlyMap<string, number>): string {
  const { latencyMs: ms } = report;
  const failures = [...failed].map(([id, count]) => `${number(count)} ${id}`).join(', ');
  const lines = [
    `${number(report.succeeded)} of ${number(report.msgs)} succeeded in ${report.seconds} s${failures === '' ? '' : `; failed: ${failures}`}`,
  ];
  if (report.kind === 'multicast' && report.subscribers > 0) {
    lines.push(`${number(report.delivered)} copies reached ${number(report.subscribers)} subscribers`);
  }
  lines.push(
    `${number(report.msgsPerSecond)} msgs/s, ${report.mibPerSecond} MiB/s of payload`,
    `latency in ms: mean ${ms.mean}, p50 ${ms.p50}, p90 ${ms.p90}, p99 ${ms.p99}, p99.9 ${ms.p999}, max ${ms.max}`,
  );
  return `${lines.join('\n')}\n`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
