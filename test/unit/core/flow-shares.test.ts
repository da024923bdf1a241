/** The node limit and its shares in virtual time. A seed in a message makes its run again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowControl, type FlowSource, ORGANISATIONS_MAX } from '../../../src/core/flow-control.js';
import { DEPTH_MS, mbitToBytesPerSecond } from '../../../src/core/token-bucket.js';
import { seededRandom } from '../../helpers/random.js';
import { P2P_HEADER_BYTES, type Sender, simulate } from './flow-simulation.js';

const RATE = mbitToBytesPerSecond(5);
const NODE = { nodeBytesPerSecond: RATE };
const MIB = 1024 * 1024;
const SIZES = [100, 1_000, 10_000, 100_000, MIB];
const SEEDS = [1, 2, 3];

/** What a full bucket and all savings hold. */
const BURST_BYTES = RATE * 0.75;

const flood = (organisation: string, frameBytes: number, bytesPerSecond: number): Sender => ({
  organisation,
  frameBytes,
  bytesPerSecond,
  pattern: 'poisson',
});

const paced = (organisation: string, frameBytes: number, bytesPerSecond: number): Sender => ({
  ...flood(organisation, frameBytes, bytesPerSecond),
  pattern: 'paced',
});

/** Asks for one message to a peer and charges it. Returns the bytes that passed. */
function send(flow: FlowControl, source: FlowSource, bytes: number, nowMs: number): number {
  if (flow.offer(source, undefined, bytes, 1, true, nowMs) !== undefined) return 0;
  flow.chargePeer(source, bytes, nowMs);
  return bytes;
}

/** Sends until it is refused. Returns the bytes that passed. */
function sendAll(flow: FlowControl, source: FlowSource, bytes: number, nowMs: number): number {
  let passed = 0;
  while (passed < 10 * RATE && send(flow, source, bytes, nowMs) > 0) passed += bytes;
  return passed;
}

describe('node limit', () => {
  it('passes the rate within 1 % when twice as much is offered for 60 s', () => {
    for (const frameBytes of [100, 1_000, 10_000, 50_000]) {
      const { wireBytes } = simulate(NODE, [paced('a', frameBytes, 2 * RATE)], 60_000, seededRandom(1));
      expect(Math.abs(wireBytes / (60 * RATE) - 1)).toBeLessThan(0.01);
    }
  });

  for (const frameBytes of SIZES) {
    // Nothing is queued and an idle bucket saves 250 ms, so only a load whose gaps are short against that can use all of it.
    const load = Math.max(RATE, 20 * frameBytes);
    it(`keeps the total within 5 % of the limit over 30 s, 1 to 5 organisations, ${frameBytes} bytes`, () => {
      for (const count of [1, 2, 3, 5]) {
        for (const seed of SEEDS) {
          const senders = Array.from({ length: count }, (_, at) =>
            flood(`org${at}`, frameBytes, ((2 + at) * load) / count),
          );
          const { wireBytes } = simulate(NODE, senders, 30_000, seededRandom(seed));
          const messagesBytes = BURST_BYTES + count * (frameBytes + P2P_HEADER_BYTES);
          const run = `${count} organisations, seed ${seed}`;
          expect(wireBytes, run).toBeGreaterThan(0.95 * 30 * RATE);
          expect(wireBytes, run).toBeLessThan(30 * RATE + Math.max(0.05 * 30 * RATE, messagesBytes));
        }
      }
    });
  }

  it('never puts more on the wire than rate, bucket, savings and one message of each, whatever the traffic', () => {
    const sender = fc.record({
      organisation: fc.integer({ min: 0, max: 40 }).map((at) => `org${at}`),
      frameBytes: fc.constantFrom(...SIZES),
      bytesPerSecond: fc.integer({ min: 1_000, max: 5 * RATE }),
      pattern: fc.constantFrom('paced' as const, 'poisson' as const, 'bursts' as const),
      pausesMs: fc.constantFrom([], [[3_000, 9_000] as const], [[0, 5_000] as const, [7_000, 7_500] as const]),
    });
    const few = fc.array(sender, { minLength: 1, maxLength: 6 });
    const many = fc.array(
      sender.map((one) => ({ ...one, frameBytes: 1_000, bytesPerSecond: one.bytesPerSecond / 20 })),
      { minLength: 20, maxLength: 40 },
    );
    fc.assert(
      fc.property(fc.oneof(few, many), fc.integer(), (senders, seed) => {
        const { wireBytes } = simulate(NODE, senders, 12_000, seededRandom(seed));
        const largest = new Map<string, number>();
        for (const { organisation, frameBytes } of senders) {
          largest.set(organisation, Math.max(frameBytes + P2P_HEADER_BYTES, largest.get(organisation) ?? 0));
        }
        const messagesBytes = [...largest.values()].reduce((sum, bytes) => sum + bytes, 0);
        expect(wireBytes).toBeLessThanOrEqual(12 * RATE + BURST_BYTES + messagesBytes);
      }),
      { numRuns: 40 },
    );
  });

  it('holds that bound when many organisations send all they can at one instant, and lets each send something', () => {
    for (const count of [2, 5, 30, 60]) {
      for (const newcomers of [true, false]) {
        const flow = new FlowControl(NODE);
        const sources = Array.from({ length: count }, (_, at) => flow.openSession(`org${at}`));
        // Unless they are new, each saves what it may before the next one comes.
        for (const [at, source] of sources.entries()) if (!newcomers) send(flow, source, 1, at * 10);
        let passed = 0;
        for (const source of sources) {
          const bytes = sendAll(flow, source, 1_000, 900);
          expect(bytes).toBeGreaterThan(0);
          passed += bytes;
        }
        const run = `${count} organisations, ${newcomers ? 'new' : 'known'}`;
        expect(passed, run).toBeLessThanOrEqual(BURST_BYTES + count * 1_000);
      }
    }
  });

  it('lets one organisation spend the whole bucket of an idle node, however many compete', () => {
    const flow = new FlowControl(NODE);
    const sources = Array.from({ length: 20 }, (_, at) => flow.openSession(`org${at}`));
    for (const source of sources) send(flow, source, 1, 0);
    expect(sendAll(flow, sources[0], 1_000, 500)).toBeGreaterThanOrEqual((RATE * DEPTH_MS) / 1000);
  });

  it('refuses nothing while less than the limit is offered', () => {
    for (const seed of SEEDS) {
      const senders = ['a', 'b', 'c'].map((name) => flood(name, 1_000, 0.25 * RATE));
      const { offered, passed } = simulate(NODE, senders, 30_000, seededRandom(seed));
      for (const [name, bytes] of offered) expect(passed.get(name), `seed ${seed}`).toBe(bytes);
    }
  });

  it('delays the next message of a lone sender by the time that 20 MiB take', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    expect(send(flow, source, 20 * MIB, 0)).toBe(20 * MIB);
    const freeMs = (20 * MIB * 1000) / RATE - DEPTH_MS;
    expect(send(flow, source, 1, freeMs - 1)).toBe(0);
    expect(send(flow, source, 1, freeMs + 1)).toBe(1);
  });
});

/** Equal parts of the limit, but to nobody more than it offers: what shares should come to, from whoever offers least. */
function equalParts(offered: ReadonlyMap<string, number>, limitBytes: number): Map<string, number> {
  const parts = new Map<string, number>();
  let leftBytes = limitBytes;
  let left = offered.size;
  for (const [name, bytes] of [...offered].sort(([, a], [, b]) => a - b)) {
    parts.set(name, Math.min(bytes, leftBytes / left--));
    leftBytes -= parts.get(name) ?? 0;
  }
  return parts;
}

describe('shares of organisations', () => {
  for (const floodBytes of SIZES) {
    it(`keep the loss of a regular sender below 10 % beside ten times its share in ${floodBytes}-byte messages`, () => {
      for (const frameBytes of SIZES) {
        for (const pattern of ['paced', 'bursts'] as const) {
          for (const seed of floodBytes < 1_000 ? [1] : SEEDS) {
            const polite: Sender = { organisation: 'b', frameBytes, bytesPerSecond: 0.45 * RATE, pattern };
            const alone = simulate(NODE, [polite], 30_000, seededRandom(seed)).passed.get('b') ?? 0;
            const both = [polite, flood('a', floodBytes, 5 * RATE)];
            const beside = simulate(NODE, both, 30_000, seededRandom(seed)).passed.get('b') ?? 0;
            expect(beside / alone, `${frameBytes} bytes ${pattern}, seed ${seed}`).toBeGreaterThan(0.9);
          }
        }
      }
    });
  }

  it('keep the loss of an irregular sender below 10 % while a message is small against half a second of its share', () => {
    for (const frameBytes of [100, 1_000, 10_000]) {
      let alone = 0;
      let beside = 0;
      for (const seed of SEEDS) {
        const polite = flood('b', frameBytes, 0.45 * RATE);
        alone += simulate(NODE, [polite], 30_000, seededRandom(seed)).passed.get('b') ?? 0;
        const both = [polite, flood('a', 10_000, 5 * RATE)];
        beside += simulate(NODE, both, 30_000, seededRandom(seed)).passed.get('b') ?? 0;
      }
      expect(beside / alone, `${frameBytes} bytes`).toBeGreaterThan(0.9);
    }
  });

  it('are equal for floods of different strength and size', () => {
    for (const seed of SEEDS) {
      const senders = [
        flood('a', 10_000, 10 * RATE),
        flood('b', 1_000, RATE),
        flood('c', 100, 2 * RATE),
        // Two sessions do not make two shares.
        flood('c', 2_000, 2 * RATE),
      ];
      const { passed } = simulate(NODE, senders, 30_000, seededRandom(seed));
      for (const name of ['a', 'b', 'c']) {
        expect(Math.abs((passed.get(name) ?? 0) / (10 * RATE) - 1), `${name}, seed ${seed}`).toBeLessThan(0.05);
      }
    }
  });

  it('come to equal parts of the limit, and what some do not want goes to the others in equal parts', () => {
    const sender = fc.record({
      bytesPerSecond: fc.integer({ min: 0, max: 100 }).map((at) => RATE * 0.02 * 200 ** (at / 100)),
      pattern: fc.constantFrom('paced' as const, 'poisson' as const),
    });
    fc.assert(
      fc.property(fc.array(sender, { minLength: 2, maxLength: 6 }), fc.integer(), (loads, seed) => {
        const senders = loads.map((load, at) => ({ ...load, organisation: `org${at}`, frameBytes: 1_000 }));
        const { passed, offered } = simulate(NODE, senders, 15_000, seededRandom(seed));
        for (const [name, bytes] of equalParts(offered, 15 * RATE)) {
          expect((passed.get(name) ?? 0) / bytes, name).toBeGreaterThan(0.93);
          expect(passed.get(name) ?? 0, name).toBeLessThan(bytes + BURST_BYTES + 1_016);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('of one that stops go to the others, and back when it returns', () => {
    for (const seed of SEEDS) {
      const pauser = { ...flood('b', 1_000, 5 * RATE), pausesMs: [[10_000, 20_000] as const] };
      const random = seededRandom(seed);
      const { passed, perSecond } = simulate(NODE, [flood('a', 1_000, 5 * RATE), pauser], 30_000, random);
      expect(passed.get('a'), `seed ${seed}`).toBeGreaterThan(0.95 * 20 * RATE);
      expect(passed.get('b'), `seed ${seed}`).toBeGreaterThan(0.95 * 10 * RATE);
      // Neither the pause nor its end shows in the sum, but for what the pauser saved meanwhile.
      for (const bytes of perSecond.slice(1)) expect(Math.abs(bytes / RATE - 1), `seed ${seed}`).toBeLessThan(0.3);
    }
  });

  it('let a message of 20 MiB pass, make its sender pay for it and the other spend its share meanwhile', () => {
    const flow = new FlowControl(NODE);
    const large = flow.openSession('a');
    const other = flow.openSession('b');
    expect(send(flow, large, 20 * MIB, 0)).toBe(20 * MIB);
    let passed = 0;
    let allowedMs = 0;
    for (let nowMs = 1; allowedMs === 0 && nowMs < 120_000; nowMs++) {
      passed += send(flow, other, 500, nowMs);
      if (send(flow, large, 1, nowMs) > 0) allowedMs = nowMs;
    }
    // Half the rate repays the debt, half of it is the other's.
    expect(allowedMs / ((40 * MIB) / (RATE / 1000))).toBeCloseTo(1, 1);
    expect(passed / ((allowedMs / 1000) * (RATE / 2))).toBeCloseTo(1, 1);
  });

  it('let everybody send while the debt of one is large, first thing and regularly', () => {
    const flow = new FlowControl(NODE);
    expect(send(flow, flow.openSession('a'), 20 * MIB, 0)).toBe(20 * MIB);
    const polite = flow.openSession('b');
    for (let nowMs = 1; nowMs <= 20_000; nowMs++) {
      expect(send(flow, polite, (0.3 * RATE) / 1000, nowMs)).toBeGreaterThan(0);
      if (nowMs % 1_000 === 0) expect(send(flow, flow.openSession(`org${nowMs}`), 1_000, nowMs)).toBe(1_000);
    }
  });

  it('keep a sender that left in debt paying', () => {
    const flow = new FlowControl(NODE);
    expect(send(flow, flow.openSession('a'), 10 * RATE, 0)).toBe(10 * RATE);
    const other = flow.openSession('b');
    let passed = 0;
    for (let nowMs = 1; nowMs <= 10_000; nowMs++) passed += send(flow, other, 1_000, nowMs);
    // Half the rate, and at first what its account may hold.
    expect(passed).toBeGreaterThan(5 * RATE - 1_000);
    expect(passed).toBeLessThanOrEqual(5 * RATE + (RATE * DEPTH_MS) / 1000 + 1_000);
  });

  it('keep it paying although it is idle for longer than anybody else is remembered', () => {
    const flow = new FlowControl(NODE);
    expect(send(flow, flow.openSession('a'), 60 * RATE, 0)).toBe(60 * RATE);
    const other = flow.openSession('b');
    let passed = 0;
    for (let nowMs = 10; nowMs <= 110_000; nowMs += 10) {
      const bytes = send(flow, other, 10_000, nowMs);
      if (nowMs > 70_000) passed += bytes;
    }
    expect(passed / (20 * RATE)).toBeCloseTo(1, 1);
  });

  it('are not diminished by organisations that are forgotten because there are too many', () => {
    const flow = new FlowControl(NODE);
    expect(send(flow, flow.openSession('a'), 20 * MIB, 0)).toBe(20 * MIB);
    for (let at = 0; at < ORGANISATIONS_MAX; at++) send(flow, flow.openSession(`org${at}`), 1, 1);
    const other = flow.openSession('b');
    let passed = 0;
    for (let nowMs = 2_000; nowMs <= 6_000; nowMs++) passed += send(flow, other, 1_000, nowMs);
    expect(passed / (4 * RATE)).toBeGreaterThan(0.95);
  });

  it('do not hold against an organisation what it spent while there was enough', () => {
    const flow = new FlowControl(NODE);
    const heavy = flow.openSession('a');
    const light = flow.openSession('b');
    // Nine tenths of the rate for 20 s, nobody short of anything.
    for (let nowMs = 0; nowMs < 20_000; nowMs++) expect(send(flow, heavy, 580, nowMs)).toBe(580);
    expect(send(flow, light, RATE, 20_000)).toBe(RATE);
    expect(send(flow, heavy, 580, 20_001)).toBe(580);
    expect(send(flow, light, 580, 20_001)).toBe(0);
  });

  it('do not hold against an organisation what it spent of the share of another', () => {
    const flow = new FlowControl(NODE);
    const [heavy, light] = [flow.openSession('a'), flow.openSession('b')];
    let passed = 0;
    for (let nowMs = 1; nowMs <= 20_000; nowMs++) {
      for (let at = 0; at < 3; at++) passed += send(flow, heavy, 500, nowMs);
      expect(send(flow, light, (0.1 * RATE) / 1000, nowMs)).toBeGreaterThan(0);
    }
    expect(passed).toBeGreaterThan(0.89 * 20 * RATE);
    // The other wants its whole share from now on, and gets no more than that.
    passed = 0;
    for (let nowMs = 20_001; nowMs <= 25_000; nowMs++) {
      for (let at = 0; at < 3; at++) {
        passed += send(flow, heavy, 500, nowMs);
        send(flow, light, 500, nowMs);
      }
    }
    expect(passed / (2.5 * RATE)).toBeGreaterThan(0.95);
  });
});

describe('answers', () => {
  /** One organisation answers, another sends all it can, for 30 s. Returns what the other got, as a part of the limit. */
  function beside(answersPart: number): number {
    const flow = new FlowControl(NODE);
    const [answering, asking] = [flow.openSession('a'), flow.openSession('b')];
    let passed = 0;
    for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
      flow.chargeAnswer(answering, undefined, 0, (answersPart * RATE) / 1000, nowMs);
      for (let at = 0; at < 5; at++) passed += send(flow, asking, 500, nowMs);
    }
    return passed / (30 * RATE);
  }

  it.each([0.05, 0.3, 0.5, 0.8])('of %f of the limit leave the rest of it to the requests of others', (answersPart) => {
    expect(Math.abs(beside(answersPart) - (1 - answersPart))).toBeLessThan(0.04);
  });

  it('come out of the share of who answers, so that its requests are refused and not those of others', () => {
    const flow = new FlowControl(NODE);
    const [answering, asking] = [flow.openSession('a'), flow.openSession('b')];
    let requests = 0;
    for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
      flow.chargeAnswer(answering, undefined, 0, (0.4 * RATE) / 1000, nowMs);
      requests += send(flow, answering, 5_000, nowMs);
      expect(send(flow, asking, (0.45 * RATE) / 1000, nowMs)).toBeGreaterThan(0);
    }
    expect(Math.abs(requests / (30 * RATE) - 0.15)).toBeLessThan(0.03);
  });

  it('cost others nothing while who answers repays a large message of its own', () => {
    const flow = new FlowControl(NODE);
    const [answering, asking] = [flow.openSession('a'), flow.openSession('b')];
    expect(send(flow, answering, 20 * MIB, 0)).toBe(20 * MIB);
    for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
      flow.chargeAnswer(answering, undefined, 0, (0.3 * RATE) / 1000, nowMs);
      expect(send(flow, asking, (0.45 * RATE) / 1000, nowMs)).toBeGreaterThan(0);
    }
  });

  it('are paid from savings before anybody else pays for them', () => {
    const flow = new FlowControl(NODE);
    const [answering, asking] = [flow.openSession('a'), flow.openSession('b')];
    send(flow, answering, 1, 0);
    let passed = 0;
    for (let nowMs = 1; nowMs <= 800; nowMs++) {
      for (let at = 0; at < 2; at++) passed += send(flow, asking, 500, nowMs);
      if (nowMs !== 500) continue;
      // As much as its account holds, and nine tenths of that as debt.
      flow.chargeAnswer(answering, undefined, 0, (1.9 * RATE * DEPTH_MS) / 1000, nowMs);
      passed = 0;
    }
    expect(passed / (0.15 * RATE)).toBeGreaterThan(0.9);
  });

  it('leave nothing behind once they stopped: shares are equal again', () => {
    const flow = new FlowControl(NODE);
    const [answering, polite, flooding] = [flow.openSession('a'), flow.openSession('b'), flow.openSession('c')];
    for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
      flow.chargeAnswer(answering, undefined, 0, (0.8 * RATE) / 1000, nowMs);
      for (let at = 0; at < 5; at++) send(flow, flooding, 500, nowMs);
    }
    const passed = { answering: 0, polite: 0 };
    for (let nowMs = 30_001; nowMs <= 50_000; nowMs++) {
      for (let at = 0; at < 2; at++) {
        passed.answering += send(flow, answering, 500, nowMs);
        send(flow, flooding, 500, nowMs);
      }
      passed.polite += send(flow, polite, (0.3 * RATE) / 1000, nowMs);
    }
    expect(passed.polite / (0.3 * 20 * RATE)).toBeGreaterThan(0.99);
    expect(passed.answering / (0.35 * 20 * RATE)).toBeGreaterThan(0.93);
  });
});
