import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METRIC_TABLE, TLS_HANDSHAKE_FAILURES } from '../../../src/admin/metric-table.js';
import { createMetrics } from '../../../src/admin/metrics.js';
import type { PeerMetricsSource } from '../../../src/admin/peer-metrics.js';
import {
  createStatMemory,
  DURATION_BUCKETS_SECONDS,
  STAT_SLOTS,
  STAT_TABLE,
  type StatName,
  Stats,
} from '../../../src/base/stats.js';
import { parseMetrics } from '../../helpers/metrics.js';

const buildInfo = { version: '1.2.3', node: 'v20.0.0', native: 'typescript' };

function shards(count: number): Stats[] {
  return Array.from({ length: count }, () => new Stats(createStatMemory()));
}

const traffic = { messagesReceived: 1, messagesSent: 2, bytesReceived: 3, bytesSent: 4, queueBytes: 5 };
const peer = (state: string, organisation: string, topicLagSeconds: number) => ({
  state,
  organisation,
  topicLagSeconds,
});

/** Two peers of one organisation, one of which is no longer routed over. */
const peers = (): PeerMetricsSource => ({
  peers: [peer('active', 'bank-b', 0.5), peer('ending', 'bank-b', 9), peer('active', 'bank-b', 0.25)],
  endpoints: [{ phase: 'up' }, { phase: 'dialling' }],
  organisations: new Map([['bank-b', traffic]]),
});

function metricsOf(all: Stats[], certificates?: () => { role: string; notAfterSeconds: number }[]) {
  return createMetrics({
    shardStats: () => all.map((stats) => stats.slots),
    buildInfo,
    peers,
    ...(certificates ? { certificates } : {}),
  });
}

async function scrape(all: Stats[]) {
  return parseMetrics(await metricsOf(all).render());
}

const DURATION_SLOTS: readonly StatName[] = ['durationBuckets', 'durationSumSeconds', 'durationCount'];

describe('/metrics', () => {
  it('exports every slot of the shared memory under its name and label, summed over shards', async () => {
    const all = shards(2);
    let next = 1;
    const expected: [string, Record<string, string>, number][] = [];
    for (const [stat, { name, label }] of Object.entries(METRIC_TABLE) as [
      Exclude<StatName, 'durationBuckets' | 'durationSumSeconds' | 'durationCount' | 'tlsFailures' | 'p2pTlsFailures'>,
      { name: string; label?: string },
    ][]) {
      const values: readonly string[] = label === undefined ? [''] : STAT_TABLE[stat];
      values.forEach((value, index) => {
        all[0].add(stat, index, next);
        all[1].add(stat, index, 1000 * next);
        expected.push([name, label === undefined ? {} : { [label]: value }, 1001 * next++]);
      });
    }
    for (const [stat, port] of [
      ['tlsFailures', 'channel'],
      ['p2pTlsFailures', 'p2p'],
    ] as const) {
      STAT_TABLE[stat].forEach((reason, index) => {
        all[0].add(stat, index, next);
        all[1].add(stat, index, 1000 * next);
        expected.push([TLS_HANDSHAKE_FAILURES.name, { port, reason }, 1001 * next++]);
      });
    }
    const text = await metricsOf(all).render();
    for (const [name, labels, value] of expected) {
      const inner = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      const line = `${name}${inner.length > 0 ? `{${inner}}` : ''} ${value}`;
      expect(text.split('\n'), line).toContain(line);
    }
    const durationSlots = DURATION_SLOTS.reduce((sum, name) => sum + Math.max(1, STAT_TABLE[name].length), 0);
    expect(expected.length + durationSlots).toBe(STAT_SLOTS);
  });

  it('has every label value with 0 before anything happened', async () => {
    const text = await metricsOf(shards(1)).render();
    for (const [stat, definition] of Object.entries(METRIC_TABLE) as [StatName, { name: string; label?: string }][]) {
      const samples = text.split('\n').filter((line) => new RegExp(`^${definition.name}[ {]`).test(line));
      expect(samples, definition.name).toHaveLength(Math.max(1, STAT_TABLE[stat].length));
      for (const sample of samples) expect(sample).toMatch(/ 0$/);
      expect(STAT_TABLE[stat].length > 0, `${definition.name} has a label if its slot has values`).toBe(
        definition.label !== undefined,
      );
    }
  });

  it('reads the memory again at each scrape', async () => {
    const all = shards(1);
    const metrics = metricsOf(all);
    all[0].set('sessions', 3);
    expect(parseMetrics(await metrics.render()).value('amop_sessions')).toBe(3);
    all[0].set('sessions', 2);
    all[0].add('pushes');
    const [first, second] = await Promise.all([metrics.render(), metrics.render()]);
    expect(parseMetrics(first).value('amop_sessions')).toBe(2);
    expect(parseMetrics(second).value('amop_pushes_total')).toBe(1);
  });

  it('exports durations as a histogram with cumulative buckets', async () => {
    const all = shards(2);
    all[0].observeDuration(0.0001);
    all[0].observeDuration(0.0009);
    all[1].observeDuration(0.02);
    all[1].observeDuration(31);
    const metrics = await scrape(all);
    const bucket = (le: string) => metrics.value('amop_request_duration_seconds_bucket', { le });
    expect(bucket('0.0001')).toBe(1);
    expect(bucket('0.0005')).toBe(1);
    expect(bucket('0.001')).toBe(2);
    expect(bucket('0.025')).toBe(3);
    expect(bucket('30')).toBe(3);
    expect(bucket('+Inf')).toBe(4);
    expect(metrics.value('amop_request_duration_seconds_count')).toBe(4);
    expect(metrics.value('amop_request_duration_seconds_sum')).toBeCloseTo(31.021);
    const text = await metricsOf(all).render();
    expect(text.match(/^amop_request_duration_seconds_bucket/gm)).toHaveLength(DURATION_BUCKETS_SECONDS.length + 1);
  });

  it('keeps the count equal to the last bucket when it reads between two writes of a shard', async () => {
    const all = shards(1);
    all[0].add('durationBuckets', 3);
    const metrics = await scrape(all);
    expect(metrics.value('amop_request_duration_seconds_count')).toBe(1);
    expect(metrics.value('amop_request_duration_seconds_bucket', { le: '+Inf' })).toBe(1);
  });

  it('tells build and expiry of certificates, and forgets a certificate that is gone', async () => {
    let certificates = [
      { role: 'rpc.listener[0]', notAfterSeconds: 1_800_000_000 },
      { role: 'rpc.listener[1]', notAfterSeconds: 1_900_000_000 },
    ];
    const metrics = metricsOf(shards(1), () => certificates);
    const text = await metrics.render();
    expect(text).toContain('amop_build_info{version="1.2.3",node="v20.0.0",native="typescript"} 1\n');
    expect(text).toContain('amop_tls_cert_expiry_timestamp_seconds{role="rpc.listener[1]"} 1900000000\n');
    certificates = certificates.slice(0, 1);
    expect((await metrics.render()).match(/^amop_tls_cert_expiry_timestamp_seconds\{/gm)).toHaveLength(1);
  });

  it('lives beside a second registry in one process', async () => {
    const one = shards(1);
    const two = shards(1);
    one[0].set('sessions', 1);
    two[0].set('sessions', 2);
    const [a, b] = await Promise.all([scrape(one), scrape(two)]);
    expect([a.value('amop_sessions'), b.value('amop_sessions')]).toEqual([1, 2]);
  });

  it('counts peers by state, configured nodes by phase, and sums traffic by organisation', async () => {
    const metrics = await scrape(shards(1));
    const value = (name: string, labels: Record<string, string>) => metrics.value(name, labels);
    expect(['active', 'held', 'ending'].map((state) => value('amop_peers', { state }))).toEqual([2, 0, 1]);
    const phases = ['idle', 'dialling', 'up', 'connected', 'self'];
    expect(phases.map((phase) => value('amop_peer_endpoints', { phase }))).toEqual([0, 1, 1, 0, 0]);
    const peer_org = 'bank-b';
    const directions = ['received', 'sent'];
    expect(directions.map((direction) => value('amop_peer_messages_total', { peer_org, direction }))).toEqual([1, 2]);
    expect(directions.map((direction) => value('amop_peer_bytes_total', { peer_org, direction }))).toEqual([3, 4]);
    expect(value('amop_peer_queue_bytes', { peer_org })).toBe(5);
    // The largest of those that are routed over.
    expect(value('amop_topic_sync_lag_seconds', { peer_org })).toBe(0.5);
  });

  it('keeps to the naming rules of Prometheus and to our prefix', async () => {
    const text = await metricsOf(shards(1)).render();
    for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      expect(name).toMatch(/^(amop|process|nodejs)_[a-z0-9_]+$/);
      if (name.startsWith('amop_')) expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  it('is described in docs/metrics.md, metric by metric, with type and label', async () => {
    const doc = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
    const documented = [...doc.matchAll(/^\| `([a-z0-9_]+)(?:\{([a-z_,]+)\})?` \| (counter|gauge|histogram) \|/gm)];
    const text = await metricsOf(shards(1), () => [{ role: 'x', notAfterSeconds: 1 }]).render();
    const exported = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => {
      const sample = new RegExp(`^${name}\\{([^}]*)\\}`, 'm').exec(text)?.[1] ?? '';
      const labels = [...sample.matchAll(/([a-z_]+)="/g)].map(([, label]) => label);
      return `${name}{${labels}} ${type}`;
    });
    const rows = documented.map(([, name, labels, type]) => `${name}{${labels ?? ''}} ${type}`);
    const ours = (row: string) => row.startsWith('amop_');
    expect(rows.filter(ours).sort()).toEqual(exported.filter(ours).sort());
    // Some of the process's own metrics have samples only after an event, and some exist on Linux alone.
    const nameOf = (row: string) => row.replace(/\{.*/, '');
    if (process.platform === 'linux') expect(rows.map(nameOf).sort()).toEqual(exported.map(nameOf).sort());
    for (const values of Object.values(STAT_TABLE).filter((list) => list !== STAT_TABLE.durationBuckets)) {
      for (const value of values) expect(doc, value).toContain(`\`${value}\``);
    }
  });
});
