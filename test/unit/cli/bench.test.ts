import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLoad } from '../../../src/cli/bench/load.js';
import { type AmopClient, AmopError } from '../../../src/client/index.js';
import { testPki, writeCerts } from '../../helpers/pki.js';
import { useRelay } from '../../helpers/relay-process.js';
import { Amop, amop, isBuilt } from './run-amop.js';

const relay = useRelay();
let directory: string;
let options: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'amop-bench-'));
  const certs = await writeCerts(join(directory, 'conf'), (await testPki()).sdkB.secp256k1);
  options = ['--certs', certs, '--port', String(relay().ports.secp256k1)];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe.runIf(isBuilt)('amop bench', () => {
  it('measures requests and answers', async () => {
    const { code, stdout } = await amop([
      'bench',
      '--msgs',
      '300',
      '--clients',
      '2',
      '--size',
      '1k',
      '--json',
      ...options,
    ]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      kind: 'request',
      succeeded: 300,
      failed: 0,
      delivered: 300,
      clients: 2,
      sizeBytes: 1024,
    });
    expect(report.msgsPerSecond).toBeGreaterThan(10);
    expect(report.mibPerSecond).toBeCloseTo(report.msgsPerSecond / 1024, 1);
    const { p50, p90, p99, p999, max, mean } = report.latencyMs;
    expect(p50).toBeGreaterThan(0);
    expect([p50, p90, p99, p999, max]).toEqual([p50, p90, p99, p999, max].sort((a, b) => a - b));
    expect(mean).toBeLessThanOrEqual(max);
  });

  it('counts the copies of multicasts', async () => {
    const { stdout } = await amop([
      'bench',
      '--multicast',
      '--subscribers',
      '3',
      '--msgs',
      '100',
      '--json',
      ...options,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'multicast', succeeded: 100, delivered: 300 });
  });

  it('keeps to the rate, which takes its time', async () => {
    const { stdout } = await amop(['bench', '--rate', '100', '--msgs', '51', '--json', ...options]);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ succeeded: 51, rate: 100 });
    expect(report.seconds).toBeGreaterThanOrEqual(0.5);
    expect(report.seconds).toBeLessThan(3);
  });

  it('prints for people and as comma-separated values', async () => {
    const words = (await amop(['bench', '--msgs', '50', ...options])).stdout;
    expect(words).toMatch(
      /^50 of 50 succeeded in [\d.]+ s\n[\d.,]+ msgs\/s, [\d.]+ MiB\/s of payload\nlatency in ms: mean .* p99\.9 .*\n$/,
    );
    const [names, values, end] = (await amop(['bench', '--msgs', '50', '--csv', ...options])).stdout.split('\n');
    expect(names.split(',')).toHaveLength(values.split(',').length);
    expect(names).toContain('p99_ms');
    expect(end).toBe('');
  });

  it('says how messages failed and ends with their exit code', async () => {
    const { code, stdout, stderr } = await amop(['bench', '--subscribers', '0', '--msgs', '20', ...options]);
    expect(code).toBe(10);
    expect(stdout).toContain('0 of 20 succeeded');
    expect(stdout).toContain('failed: 20 AMOP-100');
    expect(stderr).toContain('no-subscriber');
  });

  it('ends early on Ctrl-C with what it has', async () => {
    const before = (await relay().metrics()).value('amop_requests_total', { code: '0' });
    const run = new Amop(['bench', 'slow', '--rate', '50', '--msgs', '100000', '--json', ...options]);
    await relay().waitForMetric('amop_requests_total', { code: '0' }, before + 5);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.end();
    expect(code).toBe(0);
    expect(JSON.parse(stdout).succeeded).toBeLessThan(100_000);
  });

  it.each([
    [['--msgs', '0'], 'whole number'],
    [['--size', '200m'], 'at most'],
    [['--clients', '300'], 'at most 256'],
    [['--json', '--csv'], 'not both'],
    [['--outstanding', '5000'], 'at most 4096'],
  ])('ends with 2 for %j', async (args, words) => {
    const { code, stderr } = await amop(['bench', ...args, ...options]);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });
});

describe('runLoad', () => {
  const load = {
    topic: 't',
    msgs: 20,
    size: 1,
    multicast: false,
    outstanding: 1,
    timeoutMs: 1_000,
    signal: new AbortController().signal,
    onProgress: () => {},
  };

  it('counts latency of an open loop from the time at which a message was due', async () => {
    // A message is due every millisecond, but the first one holds the sender up until all are late.
    let calls = 0;
    const client = {
      request: async () => {
        const endMs = performance.now() + (calls++ === 0 ? 100 : 0);
        while (performance.now() < endMs);
      },
    } as unknown as AmopClient;
    const { latency } = await runLoad([client], { ...load, msgs: 50, rate: 1_000 });
    expect(latency.percentile(50) / 1000).toBeGreaterThan(50);
    const closed = await runLoad([client], { ...load, msgs: 50, rate: undefined });
    expect(closed.latency.percentile(50) / 1000).toBeLessThan(50);
  });

  it('lets no error but those of AMOP pass as a result', async () => {
    const client = { request: () => Promise.reject(new Error('a fault of ours')) } as unknown as AmopClient;
    await expect(runLoad([client], { ...load, rate: undefined })).rejects.toThrow('a fault of ours');
    const failing = { request: () => Promise.reject(new AmopError(102)) } as unknown as AmopClient;
    const { failed, succeeded } = await runLoad([failing], { ...load, rate: undefined });
    expect({ failed: [...failed], succeeded }).toEqual({ failed: [['AMOP-102', 20]], succeeded: 0 });
  });
});
