/**
 * Bandwidth limits (decisions §7, §8), measured where they count: in bytes of the wire, by the proxy between two relays.
 * Payloads are random, so no compression could help. AMOP_LONG=1 measures 30 s with the tolerance of the issue.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { type Mesh, startMesh } from '../../helpers/p2p/relays.js';
import type { Credentials } from '../../helpers/pki.js';
import type { RawClient, ReceivedFrame } from '../../helpers/raw-client.js';
import { amopBody, HEADER_BYTES, TYPE } from '../../helpers/wire.js';

const LONG = process.env.AMOP_LONG === '1';
const BYTES_PER_MBIT = 131_072;
const P2P_HEADER_BYTES = 16;
const MEASURE_MS = LONG ? 30_000 : 6_000;
/** Depth of a bucket. */
const DEPTH_MS = 250;

/** Sends requests at a rate, whatever becomes of them, and counts what does. */
class Load {
  accepted = 0;
  acceptedBytes = 0;
  refused = 0;
  /** Milliseconds until each 103. */
  readonly refusalsMs: number[] = [];
  readonly otherCodes: number[] = [];
  private readonly sentAtMs = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private debtBytes = 0;
  private lastMs = 0;
  private client!: RawClient;
  private readonly topic: string;
  private readonly payload: Buffer;
  /** Of one request as it crosses to the other relay. */
  readonly frameBytes: number;

  private constructor(topic: string, payloadBytes: number) {
    this.topic = topic;
    this.payload = randomBytes(payloadBytes);
    this.frameBytes = P2P_HEADER_BYTES + HEADER_BYTES + amopBody(topic).length + payloadBytes;
  }

  static async connect(mesh: Mesh, topic: string, payloadBytes: number, credentials?: Credentials): Promise<Load> {
    const load = new Load(topic, payloadBytes);
    load.client = await mesh.connect(0, { credentials, onFrame: (frame) => load.answered(frame) });
    return load;
  }

  start(bytesPerSecond: number): void {
    this.lastMs = performance.now();
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      this.debtBytes += ((nowMs - this.lastMs) / 1_000) * bytesPerSecond;
      this.lastMs = nowMs;
      while (this.debtBytes >= this.frameBytes) {
        this.debtBytes -= this.frameBytes;
        this.send();
      }
    }, 4);
  }

  send(): void {
    this.payload.writeUInt32BE(this.sentAtMs.size, 0);
    const seq = this.client.unicast(this.topic, this.payload);
    this.sentAtMs.set(seq, performance.now());
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await until(
      () => this.sentAtMs.size === 0,
      () => `${this.sentAtMs.size} answers`,
    );
  }

  reset(): void {
    this.accepted = 0;
    this.acceptedBytes = 0;
    this.refused = 0;
    this.refusalsMs.length = 0;
  }

  private answered(frame: ReceivedFrame): boolean {
    const sentAtMs = this.sentAtMs.get(frame.seq);
    if (frame.type !== TYPE.response || sentAtMs === undefined) return false;
    this.sentAtMs.delete(frame.seq);
    if (frame.result === 0) {
      this.accepted++;
      this.acceptedBytes += this.frameBytes;
    } else if (frame.result === 103 && frame.body.length === 0) {
      this.refused++;
      this.refusalsMs.push(frame.atMs - sentAtMs);
    } else {
      this.otherCodes.push(frame.result);
    }
    return true;
  }
}

/** Answers each request with its topic alone, so that answers cost next to nothing. */
async function acknowledger(mesh: Mesh, relay: number, ...topics: string[]): Promise<RawClient> {
  const client = await mesh.connect(relay, {
    onFrame: (frame) => {
      if (frame.type !== TYPE.unicast) return frame.type === TYPE.multicast;
      client.send(TYPE.response, frame.body.subarray(0, frame.body[0]), frame.seq);
      return true;
    },
  });
  await client.subscribe(...topics);
  await mesh.settled(relay);
  return client;
}

/** Bytes that relay 0 wrote towards relay 1: relay 1 dialled relay 0. */
const bytesOut = (mesh: Mesh) => mesh.proxies[0].bytesFromTarget;

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

describe('outgoing_bandwidth_limit', () => {
  it(
    `holds 5 Mbit/s on the wire for ${MEASURE_MS / 1_000} s under twice the load, and says 103 within 5 ms`,
    async () => {
      const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 5.0'] });
      await acknowledger(mesh, 1, 't');
      const load = await Load.connect(mesh, 't', 8_192);
      load.start(10 * BYTES_PER_MBIT);
      await passTime(1_000); // the bucket’s depth is spent
      load.reset();
      const [startBytes, startMs] = [bytesOut(mesh), performance.now()];
      await passTime(MEASURE_MS);
      const mbitPerSecond = (bytesOut(mesh) - startBytes) / BYTES_PER_MBIT / ((performance.now() - startMs) / 1_000);
      await load.stop();
      const p50 = percentile(load.refusalsMs, 0.5);
      const p99 = percentile(load.refusalsMs, 0.99);
      console.info(
        `on the wire ${mbitPerSecond.toFixed(2)} Mbit/s; ${load.accepted} answered, ${load.refused} refused, ` +
          `103 after ${p50.toFixed(2)} ms (p50), ${p99.toFixed(2)} ms (p99)`,
      );
      expect(load.otherCodes).toEqual([]);
      expect(mbitPerSecond).toBeGreaterThan(LONG ? 4.75 : 4.4);
      expect(mbitPerSecond).toBeLessThan(LONG ? 5.25 : 5.6);
      expect(load.refused).toBeGreaterThan(load.accepted / 2);
      expect(percentile(load.refusalsMs, 0.9), 'ms until a 103').toBeLessThan(5);
    },
    MEASURE_MS + 30_000,
  );

  it('lets a load below the limit pass whole', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 5.0'] });
    await acknowledger(mesh, 1, 't');
    const load = await Load.connect(mesh, 't', 4_096);
    load.start(4 * BYTES_PER_MBIT);
    await passTime(3_000);
    await load.stop();
    expect([load.refused, load.otherCodes]).toEqual([0, []]);
    expect(load.accepted).toBeGreaterThan(250);
  });

  it('completes a message of 20 MiB, refuses what comes while its debt lasts, and then goes on', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 50.0'] });
    await acknowledger(mesh, 1, 't');
    const sender = await mesh.connect(0);
    const startMs = performance.now();
    expect((await sender.request('t', randomBytes(20 * 1_048_576), 20_000)).result).toBe(0);
    const refused = await sender.request('t', 'small');
    expect([refused.result, refused.body.length]).toEqual([103, 0]);
    const multicast = await sender.response(sender.multicast('t', 'small'));
    expect([multicast.result, multicast.body.length], 'a multicast is refused like a request').toEqual([103, 0]);
    const debtMs = (20 * 1_048_576 * 1_000) / (50 * BYTES_PER_MBIT);
    await until(async () => (await sender.request('t', 'small')).result === 0, 'the debt to be paid', debtMs + 5_000);
    expect(performance.now() - startMs).toBeGreaterThan(debtMs - 2 * DEPTH_MS);
  }, 40_000);

  it('does not delay gossip, answers and local delivery while the bucket is in debt', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 0.5'] });
    await acknowledger(mesh, 1, 't');
    await acknowledger(mesh, 0, 'here');
    const sender = await mesh.connect(0);
    expect((await sender.request('t', randomBytes(1_048_576))).result).toBe(0);
    expect((await sender.request('t')).result).toBe(103);
    // Local delivery is charged to no node scope.
    for (let n = 0; n < 20; n++) expect((await sender.request('here', randomBytes(10_000))).result).toBe(0);
    // A subscription on this relay is announced, and requests from there are answered.
    const startMs = performance.now();
    await mesh
      .relay(0)
      .subscriber(['new-here'])
      .then((client) => client.answerWithEcho());
    const remote = await mesh.connect(1);
    await until(async () => (await remote.request('new-here', randomBytes(50_000))).result === 0, 'the route');
    expect(performance.now() - startMs).toBeLessThan(1_000);
    for (let n = 0; n < 10; n++) expect((await remote.request('here', randomBytes(50_000))).result).toBe(0);
    expect((await sender.request('t')).result, 'still in debt').toBe(103);
  }, 30_000);

  it('charges a multicast for each relay that gets a copy', async () => {
    const mesh = await startMesh({ count: 3, logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 2.0'] });
    for (const relay of [1, 2]) await acknowledger(mesh, relay, 'both');
    const sender = await mesh.connect(0);
    const payload = randomBytes(8_192);
    const acceptedIn = async (ms: number) => {
      let accepted = 0;
      const endMs = performance.now() + ms;
      while (performance.now() < endMs) {
        if ((await sender.response(sender.multicast('both', payload))).result === 0) accepted++;
        sender.received.length = 0;
        await passTime(4);
      }
      return accepted;
    };
    await acceptedIn(1_000);
    const accepted = await acceptedIn(3_000);
    const bytes = (accepted * 2 * (8_192 + P2P_HEADER_BYTES + HEADER_BYTES + 5)) / 3;
    expect(bytes / BYTES_PER_MBIT).toBeGreaterThan(2 * 0.85);
    expect(bytes / BYTES_PER_MBIT).toBeLessThan(2 * 1.15);
  }, 30_000);
});

describe('shares of organisations', () => {
  it('cost the one within its share less than 10 % when the other floods with ten times its own', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 5.0'] });
    await acknowledger(mesh, 1, 'polite', 'flood');
    const { sdkA, sdkB } = mesh.relay(0).pki;
    const share = (5 * BYTES_PER_MBIT) / 2;
    const periodMs = LONG ? 15_000 : 5_000;
    const polite = await Load.connect(mesh, 'polite', 2_048, sdkA.secp256k1);
    const flood = await Load.connect(mesh, 'flood', 2_048, sdkB.secp256k1);

    polite.start(0.9 * share);
    await passTime(500);
    polite.reset();
    await passTime(periodMs);
    const alone = polite.acceptedBytes;
    flood.start(10 * share);
    await passTime(500);
    polite.reset();
    flood.reset();
    await passTime(periodMs);
    const beside = polite.acceptedBytes;
    const flooded = flood.acceptedBytes;
    await Promise.all([polite.stop(), flood.stop()]);
    const rate = (bytes: number) => `${(bytes / BYTES_PER_MBIT / (periodMs / 1_000)).toFixed(2)} Mbit/s`;
    console.info(`polite alone ${rate(alone)}, beside the flood ${rate(beside)}; the flood ${rate(flooded)}`);
    expect(beside / alone).toBeGreaterThan(0.9);
    expect(flooded, 'the flood has what is left').toBeGreaterThan(share * (periodMs / 1_000) * 0.8);
    expect(polite.otherCodes.length + flood.otherCodes.length).toBe(0);
  }, 60_000);

  it('leave the whole limit to one that is alone', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['outgoing_bandwidth_limit = 5.0'] });
    await acknowledger(mesh, 1, 't');
    const load = await Load.connect(mesh, 't', 4_096);
    load.start(20 * BYTES_PER_MBIT);
    await passTime(1_000);
    load.reset();
    const startMs = performance.now();
    await passTime(4_000);
    const mbit = load.acceptedBytes / BYTES_PER_MBIT / ((performance.now() - startMs) / 1_000);
    await load.stop();
    expect(mbit).toBeGreaterThan(4.3);
    expect(mbit).toBeLessThan(5.6);
  }, 30_000);
});

describe('other scopes', () => {
  const topicLimits = 'topic_bandwidth_limit = 4.0\n[[flow_control.topic]]\nname = "narrow"\nbandwidth_limit = 1.0';

  /** What a load far above every limit gets, in Mbit/s of channel frames. */
  async function goodput(loads: readonly Load[]): Promise<number[]> {
    for (const load of loads) load.start(12 * BYTES_PER_MBIT);
    await passTime(1_000);
    for (const load of loads) load.reset();
    const startMs = performance.now();
    await passTime(3_000);
    const seconds = (performance.now() - startMs) / 1_000;
    const rates = loads.map(({ acceptedBytes }) => acceptedBytes / BYTES_PER_MBIT / seconds);
    await Promise.all(loads.map((load) => load.stop()));
    for (const load of loads) expect(load.otherCodes).toEqual([]);
    return rates;
  }

  const expectRate = (rate: number, limit: number) => {
    expect(rate).toBeGreaterThan(limit * 0.85);
    expect(rate).toBeLessThan(limit * 1.15);
  };

  it.each(['local', 'remote'] as const)(
    'session_bandwidth_limit holds for each session alone (%s)',
    async (where) => {
      const mesh = await startMesh({ logLevel: 'info', flowControl: ['session_bandwidth_limit = 1.0'] });
      await acknowledger(mesh, where === 'local' ? 0 : 1, 't');
      const loads = [await Load.connect(mesh, 't', 4_096), await Load.connect(mesh, 't', 4_096)];
      for (const rate of await goodput(loads)) expectRate(rate, 1);
    },
    30_000,
  );

  it('organisation_bandwidth_limit holds for all sessions of an organisation together', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: ['organisation_bandwidth_limit = 2.0'] });
    await acknowledger(mesh, 1, 't');
    const { sdkA, sdkB } = mesh.relay(0).pki;
    const loads = [
      await Load.connect(mesh, 't', 4_096, sdkA.secp256k1),
      await Load.connect(mesh, 't', 4_096, sdkA.secp256k1),
      await Load.connect(mesh, 't', 4_096, sdkB.secp256k1),
    ];
    const [a1, a2, b] = await goodput(loads);
    expectRate(a1 + a2, 2);
    expectRate(b, 2);
  }, 30_000);

  it('topic_bandwidth_limit holds for each topic alone, and a topic’s own limit instead of it', async () => {
    const mesh = await startMesh({ logLevel: 'info', flowControl: [topicLimits] });
    await acknowledger(mesh, 1, 'wide', 'narrow');
    const loads = [await Load.connect(mesh, 'wide', 4_096), await Load.connect(mesh, 'narrow', 4_096)];
    const [wide, narrow] = await goodput(loads);
    expectRate(wide, 4);
    expectRate(narrow, 1);
  }, 30_000);

  it('counts the 103 and names the limit', async () => {
    const mesh = await startMesh({ flowControl: ['session_bandwidth_limit = 0.1'] });
    await acknowledger(mesh, 1, 't');
    const sender = await mesh.connect(0);
    await sender.request('t', randomBytes(100_000));
    expect((await sender.request('t')).result).toBe(103);
    await mesh.relay(0).waitForMetric('amop_requests_total', { code: '103' }, 1);
    await mesh.relay(0).waitForMetric('amop_request_failures_total', { reason: 'bandwidth-limit' }, 1);
  });
});
