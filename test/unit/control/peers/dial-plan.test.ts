import { describe, expect, it } from 'vitest';
import { DialPlan } from '../../../../src/control/peers/dial-plan.js';

const NOBODY = () => false;
const EVERYBODY = () => true;
const NODE = 'a'.repeat(128);
const STABLE = { livedMs: 5_000, heard: true };
const SHORT = { livedMs: 4_999, heard: true };
const REFUSED = { livedMs: 20, heard: false };

/** A plan whose jitter is always `jitter`. */
const planOf = (count: number, jitter = 0) => new DialPlan(count, () => jitter);

/** How long after `nowMs` endpoint 0 is due. */
function waitMs(plan: DialPlan, nowMs: number): number {
  return plan.view()[0].nextDialMs - nowMs;
}

/** Lets every dial of endpoint 0 fail as soon as it is due, until `untilMs`; returns the waits. */
function failUntil(plan: DialPlan, startMs: number, untilMs: number): number[] {
  const waits: number[] = [];
  for (let nowMs = startMs; nowMs < untilMs; nowMs += waits.at(-1) ?? 0) {
    expect(plan.due(nowMs, NOBODY)).toEqual([0]);
    plan.dialFailed(0, nowMs);
    waits.push(waitMs(plan, nowMs));
  }
  return waits;
}

describe('dialling', () => {
  it('dials every endpoint at the first look, and none again while its dial is under way', () => {
    const plan = planOf(3);
    expect(plan.due(0, NOBODY)).toEqual([0, 1, 2]);
    expect(plan.due(59_999, NOBODY)).toEqual([]);
    expect(plan.view().map(({ phase }) => phase)).toEqual(['dialling', 'dialling', 'dialling']);
  });

  it('has at most 64 dials under way and starves no endpoint', () => {
    const plan = planOf(100);
    const dialled = new Set<number>();
    for (let nowMs = 0; nowMs < 40_000; nowMs += 10_000) {
      const due = plan.due(nowMs, NOBODY);
      expect(due.length).toBeLessThanOrEqual(64);
      for (const index of due) dialled.add(index);
      for (const index of due) plan.dialFailed(index, nowMs);
    }
    expect(dialled.size).toBe(100);
  });

  it('counts dials of earlier looks against the bound', () => {
    const plan = planOf(70);
    expect(plan.due(0, NOBODY)).toHaveLength(64);
    expect(plan.due(20, NOBODY)).toEqual([]);
    plan.dialFailed(3, 30);
    expect(plan.due(30, NOBODY)).toEqual([64]);
  });

  it('takes a dial without news for lost after a minute', () => {
    const plan = planOf(1);
    plan.due(0, NOBODY);
    expect(plan.due(60_000, NOBODY)).toEqual([]);
    expect(plan.view()[0]).toMatchObject({ phase: 'idle', failures: 1 });
    expect(plan.due(60_050, NOBODY)).toEqual([0]);
  });
});

describe('back-off', () => {
  it('doubles, up to half a second within the first minute and to five seconds after it', () => {
    const waits = failUntil(planOf(1, 0.999_999_999), 0, 90_000).map(Math.round);
    expect(waits.slice(0, 6)).toEqual([50, 100, 200, 400, 500, 500]);
    expect(new Set(waits.slice(4))).toEqual(new Set([500, 5_000]));
    const inFirstMinute = waits.slice(0, waits.indexOf(5_000)).reduce((sum, ms) => sum + ms, 0);
    expect(inFirstMinute).toBeGreaterThanOrEqual(60_000);
    expect(inFirstMinute).toBeLessThanOrEqual(60_500);
  });

  it('is jittered down to its half, so that two that dial in step fall out of it', () => {
    expect(failUntil(planOf(1, 0), 0, 400).slice(0, 4)).toEqual([25, 50, 100, 200]);
  });

  it('starts anew, with jitter, after a link that worked', () => {
    const plan = planOf(1, 0.5);
    failUntil(plan, 0, 3_000);
    plan.due(10_000, NOBODY);
    plan.reached(0, 7, NODE, false);
    plan.linkEnded(0, 7, STABLE, 100_000);
    expect(waitMs(plan, 100_000)).toBe(25);
    expect(plan.view()[0]).toMatchObject({ phase: 'idle', failures: 0, nodeId: NODE });
    // And the first minute counts from the loss.
    expect(Math.max(...failUntil(plan, 100_025, 158_000))).toBeLessThanOrEqual(500);
  });

  it('goes on growing while links end soon after they began', () => {
    const plan = planOf(1, 0);
    const waits = [];
    for (let link = 1; link <= 6; link++) {
      const nowMs = link * 10_000;
      plan.due(nowMs, NOBODY);
      plan.reached(0, link, NODE, false);
      plan.linkEnded(0, link, SHORT, nowMs);
      waits.push(waitMs(plan, nowMs));
    }
    expect(waits).toEqual([25, 50, 100, 200, 250, 250]);
  });

  it('takes links that the peer ended without a frame for failed dials: five seconds after the first minute', () => {
    const plan = planOf(1, 0);
    let nowMs = 0;
    for (let link = 1; nowMs < 90_000; link++) {
      expect(plan.due(nowMs, NOBODY)).toEqual([0]);
      plan.reached(0, link, NODE, false);
      // Before the peer has said no it counts as connected.
      expect(plan.due(nowMs, EVERYBODY)).toEqual([]);
      plan.linkEnded(0, link, REFUSED, nowMs);
      expect(plan.due(nowMs, NOBODY)).toEqual([]);
      nowMs += waitMs(plan, nowMs);
    }
    expect(waitMs(plan, nowMs)).toBe(0);
    plan.due(nowMs, NOBODY);
    plan.dialFailed(0, nowMs);
    expect(waitMs(plan, nowMs)).toBe(2_500);
  });

  it('takes a link that stood for long without a frame for a failed dial', () => {
    const plan = planOf(1, 0);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    plan.linkEnded(0, 1, { livedMs: 60_000, heard: false }, 60_000);
    expect(plan.view()[0].failures).toBe(1);
  });

  it('caps at half a second again in the minute after a link went silent, however long it had stood', () => {
    const plan = planOf(1, 0);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    for (let nowMs = 20; nowMs < 600_000; nowMs += 1_000) expect(plan.due(nowMs, EVERYBODY)).toEqual([]);
    const waits = failUntil(plan, 600_000, 659_000);
    expect(waits.slice(0, 5)).toEqual([25, 50, 100, 200, 250]);
    expect(Math.max(...waits)).toBe(250);
  });

  it('does the same for a node that had dialled us and went silent', () => {
    const plan = planOf(1, 0);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    plan.linkEnded(0, 1, REFUSED, 10);
    for (let nowMs = 20; nowMs < 600_000; nowMs += 1_000) expect(plan.due(nowMs, EVERYBODY)).toEqual([]);
    const waits = failUntil(plan, 600_000, 659_000);
    expect([waits[0], Math.max(...waits)]).toEqual([25, 250]);
  });
});

describe('an endpoint', () => {
  it('is not due while its node is connected, by whatever link, unless that link is silent', () => {
    const plan = planOf(2);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    plan.dialFailed(1, 0);
    const asked: string[] = [];
    const heard = (nodeId: string) => asked.push(nodeId) > 0;
    expect(plan.due(1_000, heard), 'nobody was met at the other one').toEqual([1]);
    expect(new Set(asked)).toEqual(new Set([NODE]));
    expect(plan.due(11_000, NOBODY)).toEqual([0]);
  });

  it('that is ourselves is never dialled again', () => {
    const plan = planOf(1);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, true);
    plan.linkEnded(0, 1, REFUSED, 1);
    expect(plan.view()[0].phase).toBe('self');
    expect(plan.due(1_000_000, NOBODY)).toEqual([]);
  });

  it('that was met elsewhere is dialled soon after the last link to its node ended', () => {
    const plan = planOf(2, 0.5);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    plan.linkEnded(0, 1, REFUSED, 10);
    plan.reached(1, 2, 'b'.repeat(128), false);
    plan.nodeLost(NODE, STABLE, 500_000);
    expect(waitMs(plan, 500_000)).toBe(25);
    expect(plan.view()[1].phase, 'the other one is left alone').toBe('up');
    plan.nodeLost('b'.repeat(128), STABLE, 500_000);
    expect(plan.view()[1].phase, 'it hears of its own link').toBe('up');
    expect(plan.due(500_025, EVERYBODY)).toEqual([]);
    expect(plan.due(500_025, (nodeId) => nodeId !== NODE)).toEqual([0]);
  });

  it('ignores the end of links that are not its own any more', () => {
    const plan = planOf(1, 0);
    plan.due(0, NOBODY);
    plan.reached(0, 1, NODE, false);
    plan.due(20_000, NOBODY);
    plan.linkEnded(0, 1, STABLE, 20_001);
    expect(plan.view()[0].phase).toBe('dialling');
    plan.reached(0, 2, NODE, false);
    plan.linkEnded(0, 1, STABLE, 20_002);
    expect(plan.view()[0].phase).toBe('up');
    plan.dialFailed(0, 20_003);
    expect(plan.view()[0]).toMatchObject({ phase: 'up', failures: 0 });
    plan.linkEnded(0, 2, STABLE, 30_000);
    plan.linkEnded(0, 2, STABLE, 30_000);
    expect(plan.view()[0]).toMatchObject({ phase: 'idle', failures: 0 });
  });

  it('that the configuration does not have changes nothing', () => {
    const plan = planOf(1);
    plan.reached(1, 1, NODE, false);
    plan.dialFailed(1, 0);
    plan.linkEnded(1, 1, STABLE, 0);
    expect(plan.view()).toHaveLength(1);
    expect(planOf(0).due(0, NOBODY)).toEqual([]);
  });
});
