import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowControl, ORGANISATIONS_MAX, TOPICS_MAX } from '../../../src/core/flow-control.js';
import { mbitToBytesPerSecond } from '../../../src/core/token-bucket.js';
import { seededRandom } from '../../helpers/random.js';
import { P2P_HEADER_BYTES, type Sender, simulate } from './flow-simulation.js';

const RATE = mbitToBytesPerSecond(5);
const NODE = { nodeBytesPerSecond: RATE };
const MIB = 1024 * 1024;
const SIZES = [100, 1_000, 10_000, 100_000, MIB];
const SEEDS = [1, 2, 3];

/** Larger by this and the node was not at its limit: what a full bucket and all credits hold. */
const BURST_BYTES = RATE * 0.75;

const flood = (organisation: string, frameBytes: number, bytesPerSecond: number): Sender => ({
  organisation,
  frameBytes,
  bytesPerSecond,
  pattern: 'poisson',
});

describe('scopes', () => {
  it('is disabled without a limit and lets everything pass', () => {
    const flow = new FlowControl({ topics: [] });
    expect(flow.enabled).toBe(false);
    const source = flow.openSession('a');
    expect(flow.topic('t', 0)).toBeUndefined();
    for (let at = 0; at < 100; at++) {
      expect(flow.offer(source, undefined, MIB, 10, true, 0)).toBeUndefined();
      flow.chargePeer(source, MIB, 0);
      flow.chargeAnswer(source, undefined, MIB, MIB, 0);
      expect(flow.allowsPeer(source, 0)).toBe(true);
    }
    expect(flow.organisations).toBe(0);
    expect(flow.nodeBalance(0)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [{ nodeBytesPerSecond: 1 }],
    [{ sessionBytesPerSecond: 1 }],
    [{ organisationBytesPerSecond: 1 }],
    [{ topicBytesPerSecond: 1 }],
    [{ topics: [{ name: 't', bytesPerSecond: 1 }] }],
  ])('is enabled by %o alone', (limits) => {
    expect(new FlowControl(limits).enabled).toBe(true);
  });

  it('refuses by session, and leaves the other session of the organisation alone', () => {
    const flow = new FlowControl({ sessionBytesPerSecond: 1_000 });
    const first = flow.openSession('a');
    const second = flow.openSession('a');
    expect(flow.offer(first, undefined, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(first, undefined, 1, 1, false, 0)).toBe('session');
    expect(flow.offer(second, undefined, 1, 1, false, 0)).toBeUndefined();
    expect(flow.offer(first, undefined, 1, 1, false, 1)).toBeUndefined();
  });

  it('refuses by organisation over all its sessions', () => {
    const flow = new FlowControl({ organisationBytesPerSecond: 1_000 });
    expect(flow.offer(flow.openSession('a'), undefined, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(flow.openSession('a'), undefined, 1, 1, false, 0)).toBe('organisation');
    expect(flow.offer(flow.openSession('b'), undefined, 1, 1, false, 0)).toBeUndefined();
  });

  it('refuses by topic: a named one by its own limit, every other by the default, each for itself', () => {
    const flow = new FlowControl({ topicBytesPerSecond: 1_000, topics: [{ name: 'named', bytesPerSecond: 10_000 }] });
    const source = flow.openSession('a');
    const offer = (name: string, bytes: number) => flow.offer(source, flow.topic(name, 0), bytes, 1, false, 0);
    expect(offer('x', 250)).toBeUndefined();
    expect(offer('x', 1)).toBe('topic');
    expect(offer('y', 1)).toBeUndefined();
    expect(offer('named', 2_499)).toBeUndefined();
    expect(offer('named', 1)).toBeUndefined();
    expect(offer('named', 1)).toBe('topic');
    const named = new FlowControl({ topics: [{ name: 'named', bytesPerSecond: 10_000 }] });
    expect(named.topic('x', 0)).toBeUndefined();
  });

  it('charges a multicast per copy', () => {
    const limits = { sessionBytesPerSecond: 4_000, organisationBytesPerSecond: 8_000, topicBytesPerSecond: 16_000 };
    for (const [scope, max] of [
      ['session', 1_000],
      ['organisation', 2_000],
      ['topic', 4_000],
    ] as const) {
      const flow = new FlowControl({ ...limits, ...(scope === 'session' ? {} : { sessionBytesPerSecond: undefined }) });
      const shared = scope === 'topic';
      const offer = (copies: number, organisation: string) =>
        flow.offer(flow.openSession(organisation), flow.topic('t', 0), 100, copies, false, 0);
      if (scope === 'session') {
        const source = flow.openSession('a');
        expect(flow.offer(source, undefined, 100, max / 100 - 1, false, 0)).toBeUndefined();
        expect(flow.offer(source, undefined, 100, 1, false, 0)).toBeUndefined();
        expect(flow.offer(source, undefined, 100, 1, false, 0)).toBe('session');
      } else {
        expect(offer(max / 100 - 1, 'a')).toBeUndefined();
        expect(offer(1, shared ? 'b' : 'a')).toBeUndefined();
        expect(offer(1, shared ? 'c' : 'a')).toBe(scope);
      }
    }
  });

  it('charges nothing when one scope refuses', () => {
    const flow = new FlowControl({ ...NODE, sessionBytesPerSecond: 1_000, organisationBytesPerSecond: 1_000 });
    const limited = flow.openSession('a');
    const busy = flow.openPeer('a');
    flow.chargePeer(busy, RATE, 0);
    for (let at = 0; at < 10; at++) expect(flow.offer(limited, undefined, 100_000, 1, true, 0)).toBe('node');
    expect(flow.offer(limited, undefined, 249, 1, false, 0)).toBeUndefined();
    expect(flow.offer(limited, undefined, 1, 1, false, 0)).toBeUndefined();
    expect(flow.offer(limited, undefined, 1, 1, false, 0)).toBe('session');
  });

  it('never asks or charges the node for what stays on this relay', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    flow.chargePeer(source, RATE, 0);
    const balance = flow.nodeBalance(0);
    expect(flow.offer(source, undefined, MIB, 5, false, 0)).toBeUndefined();
    flow.chargeAnswer(source, undefined, MIB, 0, 0);
    expect(flow.nodeBalance(0)).toBe(balance);
    expect(flow.allowsPeer(source, 0)).toBe(false);
  });

  it('charges answers to session, organisation, topic and node without refusing them', () => {
    const flow = new FlowControl({
      ...NODE,
      sessionBytesPerSecond: 1_000,
      organisationBytesPerSecond: 2_000,
      topicBytesPerSecond: 4_000,
    });
    const source = flow.openSession('a');
    flow.chargeAnswer(source, flow.topic('t', 0), 8_000, 8_016, 0);
    expect(flow.nodeBalance(0)).toBe(RATE / 4 - 8_016);
    expect(flow.offer(source, undefined, 1, 1, false, 7_749)).toBe('session');
    expect(flow.offer(flow.openSession('a'), undefined, 1, 1, false, 3_749)).toBe('organisation');
    expect(flow.offer(flow.openSession('b'), flow.topic('t', 0), 1, 1, false, 1_749)).toBe('topic');
    expect(flow.offer(source, flow.topic('t', 0), 1, 1, false, 7_751)).toBeUndefined();
  });

  it('charges header, retry and second hop as often as they are written', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    expect(flow.offer(source, undefined, 1_000, 1, true, 0)).toBeUndefined();
    flow.chargePeer(source, 1_016, 0);
    flow.chargePeer(source, 1_016, 0);
    flow.chargePeer(flow.openPeer('b'), 1_016, 0);
    expect(flow.nodeBalance(0)).toBe(RATE / 4 - 3 * 1_016);
  });
});

describe('bounds', () => {
  it('remembers no more organisations than its bound, and those in use keep their state', () => {
    const flow = new FlowControl({ ...NODE, organisationBytesPerSecond: 1_000 });
    const kept = flow.openSession('kept');
    expect(flow.offer(kept, undefined, 10_000, 1, true, 0)).toBeUndefined();
    for (let at = 0; at < ORGANISATIONS_MAX + 100; at++) {
      flow.offer(flow.openSession(`org${at}`), undefined, 1, 1, true, 0);
      if (at % 1_000 === 0) expect(flow.offer(kept, undefined, 1, 1, true, 0)).toBe('organisation');
    }
    expect(flow.organisations).toBe(ORGANISATIONS_MAX);
    expect(flow.offer(kept, undefined, 1, 1, true, 0)).toBe('organisation');
  });

  it('forgets idle organisations, but not one in debt', () => {
    const flow = new FlowControl({ ...NODE, organisationBytesPerSecond: 1_000 });
    for (let at = 0; at < 50; at++) flow.offer(flow.openSession(`org${at}`), undefined, 1, 1, true, 0);
    const debtor = flow.openSession('debtor');
    flow.offer(debtor, undefined, 1_000_000, 1, true, 0);
    const other = flow.openSession('other');
    for (let at = 0; at < 100; at++) flow.offer(other, undefined, 1, 1, true, 100_000 + at);
    expect(flow.organisations).toBe(2);
    expect(flow.offer(debtor, undefined, 1, 1, true, 200_000)).toBe('organisation');
  });

  it('remembers no more topics than its bound; a forgotten one that is kept outside is found again', () => {
    const flow = new FlowControl({ topicBytesPerSecond: 1_000, topics: [{ name: 'named', bytesPerSecond: 1_000 }] });
    const source = flow.openSession('a');
    flow.offer(source, flow.topic('named', 0), 10_000, 1, false, 0);
    const old = flow.topic('old', 0);
    for (let at = 0; at < TOPICS_MAX; at++) flow.offer(source, flow.topic(`t${at}`, 0), 1_000, 1, false, 0);
    expect(flow.topics).toBe(TOPICS_MAX + 1);
    expect(old?.forgotten).toBe(true);
    expect(flow.offer(source, flow.topic('named', 0), 1, 1, false, 0)).toBe('topic');
    // Both ways to the topic lead to one bucket.
    expect(flow.offer(source, old, 250, 1, false, 0)).toBeUndefined();
    expect(flow.offer(source, flow.topic('old', 0), 1, 1, false, 0)).toBe('topic');
    expect(flow.offer(source, old, 1, 1, false, 0)).toBe('topic');
    expect(flow.topics).toBe(TOPICS_MAX + 1);
  });
});

describe('node limit over virtual time', () => {
  it('passes the rate within 1 % when twice as much is offered for 60 s', () => {
    for (const frameBytes of [100, 1_000, 10_000, 50_000]) {
      const sender: Sender = { organisation: 'a', frameBytes, bytesPerSecond: 2 * RATE, pattern: 'paced' };
      const { wireBytes } = simulate(NODE, [sender], 60_000, seededRandom(1));
      expect(Math.abs(wireBytes / (60 * RATE) - 1)).toBeLessThan(0.01);
    }
  });

  it.each(SIZES)('keeps the total at the limit ± 5 %% over 30 s, 1 to 5 organisations, %i bytes', (frameBytes) => {
    for (const count of [1, 2, 3, 5]) {
      for (const seed of SEEDS) {
        const senders = Array.from({ length: count }, (_, at) => flood(`org${at}`, frameBytes, (1 + at) * RATE));
        const { wireBytes } = simulate(NODE, senders, 30_000, seededRandom(seed));
        const tolerance = Math.max(0.05 * 30 * RATE, BURST_BYTES + count * (frameBytes + P2P_HEADER_BYTES));
        expect(Math.abs(wireBytes - 30 * RATE), `${count} organisations, seed ${seed}`).toBeLessThan(tolerance);
      }
    }
  });

  it('never puts more on the wire than rate, bucket, credits and one message of each, whatever the traffic', () => {
    const sender = fc.record({
      organisation: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      frameBytes: fc.constantFrom(...SIZES),
      bytesPerSecond: fc.integer({ min: 1_000, max: 5 * RATE }),
      pattern: fc.constantFrom('paced' as const, 'poisson' as const, 'bursts' as const),
      pausesMs: fc.constantFrom([], [[3_000, 9_000] as const], [[0, 5_000] as const, [7_000, 7_500] as const]),
    });
    fc.assert(
      fc.property(fc.array(sender, { minLength: 1, maxLength: 6 }), fc.integer(), (senders, seed) => {
        const { wireBytes } = simulate(NODE, senders, 15_000, seededRandom(seed));
        const largest = new Map<string, number>();
        for (const { organisation, frameBytes } of senders) {
          largest.set(organisation, Math.max(frameBytes + P2P_HEADER_BYTES, largest.get(organisation) ?? 0));
        }
        const messages = [...largest.values()].reduce((sum, bytes) => sum + bytes, 0);
        expect(wireBytes).toBeLessThan(15 * RATE + BURST_BYTES + messages);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses nothing while less than the limit is offered', () => {
    for (const seed of SEEDS) {
      const senders = ['a', 'b', 'c'].map((name) => flood(name, 1_000, 0.25 * RATE));
      const { offered, passed } = simulate(NODE, senders, 30_000, seededRandom(seed));
      for (const [name, bytes] of offered) expect(passed.get(name)).toBe(bytes);
    }
  });

  it('leaves nothing unused: what one organisation does not want the other gets', () => {
    for (const seed of SEEDS) {
      const modest: Sender = { organisation: 'b', frameBytes: 1_000, bytesPerSecond: 0.1 * RATE, pattern: 'paced' };
      const { passed, offered } = simulate(NODE, [modest, flood('a', 1_000, 5 * RATE)], 30_000, seededRandom(seed));
      expect(passed.get('b')).toBe(offered.get('b'));
      expect(passed.get('a')).toBeGreaterThan(0.88 * 30 * RATE);
    }
  });
});

describe('equal shares of organisations', () => {
  it.each(SIZES)('a flood of %i-byte messages costs a regular sender less than 10 %%', (floodBytes) => {
    for (const frameBytes of SIZES) {
      for (const pattern of ['paced', 'bursts'] as const) {
        for (const seed of SEEDS) {
          const polite: Sender = { organisation: 'b', frameBytes, bytesPerSecond: 0.45 * RATE, pattern };
          const alone = simulate(NODE, [polite], 30_000, seededRandom(seed)).passed.get('b') ?? 0;
          const both = [polite, flood('a', floodBytes, 5 * RATE)];
          const beside = simulate(NODE, both, 30_000, seededRandom(seed)).passed.get('b') ?? 0;
          expect(beside / alone, `${frameBytes} bytes ${pattern}, seed ${seed}`).toBeGreaterThan(0.9);
        }
      }
    }
  });

  it('costs an irregular sender less than 10 % while a message is small against half a second of its share', () => {
    for (const frameBytes of [100, 1_000, 10_000]) {
      let alone = 0;
      let beside = 0;
      for (const seed of SEEDS) {
        const polite = flood('b', frameBytes, 0.45 * RATE);
        alone += simulate(NODE, [polite], 30_000, seededRandom(seed)).passed.get('b') ?? 0;
        const both = [polite, flood('a', 10_000, 5 * RATE)];
        beside += simulate(NODE, both, 30_000, seededRandom(seed)).passed.get('b') ?? 0;
      }
      expect(beside / alone).toBeGreaterThan(0.9);
    }
  });

  it('gives floods of different strength and size equal shares', () => {
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
        expect(Math.abs((passed.get(name) ?? 0) / (10 * RATE) - 1), `${name}, seed ${seed}`).toBeLessThan(0.1);
      }
    }
  });

  it('hands the share of one that stops to the others, and back when it returns', () => {
    for (const seed of SEEDS) {
      const pauser = { ...flood('b', 1_000, 5 * RATE), pausesMs: [[10_000, 20_000] as const] };
      const random = seededRandom(seed);
      const { passed, perSecond } = simulate(NODE, [flood('a', 1_000, 5 * RATE), pauser], 30_000, random);
      expect(passed.get('a')).toBeGreaterThan(0.93 * 20 * RATE);
      expect(passed.get('b')).toBeGreaterThan(0.93 * 10 * RATE);
      // The pause costs no second of the node's rate.
      for (const bytes of perSecond.slice(1)) expect(Math.abs(bytes / RATE - 1)).toBeLessThan(0.6);
      expect(perSecond.slice(12, 19).reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(0.95 * 7 * RATE);
    }
  });

  it('passes a message of 20 MiB, makes its sender pay for it and lets the other spend its share meanwhile', () => {
    const flow = new FlowControl(NODE);
    const large = flow.openSession('a');
    const other = flow.openSession('b');
    expect(flow.offer(large, undefined, 20 * MIB, 1, true, 0)).toBeUndefined();
    flow.chargePeer(large, 20 * MIB + P2P_HEADER_BYTES, 0);
    let passed = 0;
    let allowedMs = 0;
    for (let nowMs = 1; allowedMs === 0 && nowMs < 120_000; nowMs++) {
      if (flow.offer(other, undefined, 500, 1, true, nowMs) === undefined) {
        flow.chargePeer(other, 500, nowMs);
        passed += 500;
      }
      if (flow.offer(large, undefined, 1, 1, true, nowMs) === undefined) allowedMs = nowMs;
    }
    // Half the rate repays the debt, half of it is the other's.
    expect(allowedMs / ((40 * MIB) / (RATE / 1000))).toBeCloseTo(1, 1);
    expect(passed / ((allowedMs / 1000) * (RATE / 2))).toBeCloseTo(1, 1);
  });

  it('delays the next message of a lone sender by the time that 20 MiB take', () => {
    const flow = new FlowControl(NODE);
    const source = flow.openSession('a');
    flow.chargePeer(source, 20 * MIB, 0);
    const freeMs = (20 * MIB * 1000) / RATE - 250;
    expect(flow.offer(source, undefined, 1, 1, true, freeMs - 10)).toBe('node');
    expect(flow.offer(source, undefined, 1, 1, true, freeMs + 10)).toBeUndefined();
  });

  it('keeps a sender that left in debt paying', () => {
    const flow = new FlowControl(NODE);
    flow.chargePeer(flow.openSession('a'), 10 * RATE, 0);
    const other = flow.openSession('b');
    let passed = 0;
    for (let nowMs = 1; nowMs <= 10_000; nowMs++) {
      if (flow.offer(other, undefined, 1_000, 1, true, nowMs) !== undefined) continue;
      flow.chargePeer(other, 1_000, nowMs);
      passed += 1_000;
    }
    expect(passed / (5 * RATE)).toBeCloseTo(1, 1);
  });

  it('takes answers from the share of who answers first, from all shares when they exceed it, and keeps the total', () => {
    for (const [answerPart, requestPart] of [
      [0.3, 0.7],
      [0.8, 0.2],
    ]) {
      const flow = new FlowControl(NODE);
      const answering = flow.openSession('a');
      const asking = flow.openSession('b');
      let passed = 0;
      for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
        flow.chargeAnswer(answering, undefined, 0, (answerPart * RATE) / 1000, nowMs);
        for (let at = 0; at < 5; at++) {
          if (flow.offer(asking, undefined, 500, 1, true, nowMs) !== undefined) continue;
          flow.chargePeer(asking, 500, nowMs);
          passed += 500;
        }
      }
      expect(Math.abs(passed / (30 * RATE) - requestPart)).toBeLessThan(0.05);
    }
  });

  it('protects a sender from answers of another organisation up to that organisation’s share', () => {
    const flow = new FlowControl(NODE);
    const answering = flow.openSession('a');
    const asking = flow.openSession('b');
    let refused = 0;
    for (let nowMs = 1; nowMs <= 30_000; nowMs++) {
      // The answering organisation floods with requests as well; what it answers comes out of its own share.
      flow.chargeAnswer(answering, undefined, 0, (0.4 * RATE) / 1000, nowMs);
      if (flow.offer(answering, undefined, 5_000, 1, true, nowMs) === undefined)
        flow.chargePeer(answering, 5_000, nowMs);
      if (flow.offer(asking, undefined, 290, 1, true, nowMs) === undefined) flow.chargePeer(asking, 290, nowMs);
      else refused++;
    }
    expect(refused).toBeLessThan(300);
  });

  it('does not hold against an organisation what it spent while there was enough', () => {
    const flow = new FlowControl(NODE);
    const heavy = flow.openSession('a');
    const light = flow.openSession('b');
    // Nine tenths of the rate for 20 s, nobody short of anything.
    for (let nowMs = 0; nowMs < 20_000; nowMs++) {
      expect(flow.offer(heavy, undefined, 580, 1, true, nowMs)).toBeUndefined();
      flow.chargePeer(heavy, 580, nowMs);
    }
    flow.offer(light, undefined, RATE, 1, true, 20_000);
    flow.chargePeer(light, RATE, 20_000);
    expect(flow.offer(heavy, undefined, 580, 1, true, 20_001)).toBeUndefined();
    expect(flow.offer(light, undefined, 580, 1, true, 20_001)).toBe('node');
  });
});
