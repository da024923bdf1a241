import { describe, expect, it } from 'vitest';
import { REDIAL_REPORT_MS, REDIAL_WINDOW_MS, RedialWatch } from '../../../src/shard/redial-watch.js';

const MAX = 20;

/** A watch, its clock, and a caller that connects `count` times, `gapMs` apart. */
function watchAt(startMs = 1_000) {
  const clock = { ms: startMs, nowMs: () => clock.ms };
  const watch = new RedialWatch(MAX, clock);
  const connect = (count: number, address = '10.0.0.1', certificate = 'a', gapMs = 0): boolean[] =>
    Array.from({ length: count }, () => {
      clock.ms += gapMs;
      return watch.connected(address, certificate);
    });
  return { clock, watch, connect };
}

describe('redial watch', () => {
  it('slows an address with the connection after the twentieth of one certificate in 10 s', () => {
    const { watch, connect } = watchAt();
    connect(MAX);
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
    connect(1);
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
    expect(watch.size).toBe(1);
  });

  it('counts in every window of 10 s, not in fixed ones', () => {
    const { watch, clock, connect } = watchAt();
    // One each 500 ms: twenty stand in any 10 s, however long it lasts.
    connect(200, '10.0.0.1', 'a', REDIAL_WINDOW_MS / MAX);
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
    // Ten at the end of one window and eleven at the beginning of the next are too many.
    clock.ms = 59_000;
    connect(10);
    clock.ms = 61_000;
    connect(11);
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
  });

  it('counts each pair of certificate and address by itself', () => {
    const { watch, connect } = watchAt();
    for (const certificate of ['a', 'b', 'c']) connect(MAX, '10.0.0.1', certificate);
    connect(MAX, '10.0.0.2', 'a');
    expect(watch.size).toBe(0);
    connect(1, '10.0.0.2', 'a');
    expect(watch.isSlowed('10.0.0.2')).toBe(true);
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
  });

  it('keeps an address slowed while the loop goes on, and lets it go 10 s after', () => {
    const { watch, clock, connect } = watchAt();
    connect(MAX + 1);
    connect(1_000, '10.0.0.1', 'a', 100);
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
    clock.ms += REDIAL_WINDOW_MS - 1;
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
    clock.ms += 1;
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
    expect(watch.size).toBe(0);
  });

  it('lets one address go while another one stays slowed', () => {
    const { watch, connect } = watchAt();
    connect(MAX + 1, '10.0.0.1');
    connect(MAX + 1, '10.0.0.2');
    connect(110, '10.0.0.1', 'a', 100);
    expect(watch.isSlowed('10.0.0.2')).toBe(false);
    expect(watch.size).toBe(1);
  });

  it('stays slowed no longer for a client that dials at a sound pace', () => {
    const { watch, connect } = watchAt();
    connect(MAX + 1);
    connect(3, '10.0.0.1', 'a', 5_000);
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
  });

  it('tells at the first time and once a minute', () => {
    const { connect } = watchAt();
    expect(connect(MAX).includes(true)).toBe(false);
    expect(connect(1)).toEqual([true]);
    const perMinute = REDIAL_REPORT_MS / 100;
    const told = connect(3 * perMinute, '10.0.0.1', 'a', 100);
    expect(told.filter(Boolean)).toHaveLength(3);
    expect(told[perMinute - 1]).toBe(true);
  });

  it('remembers a caller that came back lately, however many came once', () => {
    const { watch, connect } = watchAt();
    connect(10);
    for (let n = 0; n < 4_000; n++) connect(1, `2001:db8:1::${n}`);
    connect(10);
    for (let n = 0; n < 4_000; n++) connect(1, `2001:db8:2::${n}`);
    connect(1);
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
  });

  it('forgets the oldest when more addresses come than it remembers', () => {
    const { watch, connect } = watchAt();
    for (let n = 0; n < 2_000; n++) connect(MAX + 1, `2001:db8::${n}`);
    expect(watch.size).toBe(1_024);
    expect(watch.isSlowed('2001:db8::0')).toBe(false);
    expect(watch.isSlowed('2001:db8::1999')).toBe(true);
    // A caller pushed out by 4,096 others starts anew.
    connect(MAX, '10.0.0.1');
    for (let n = 0; n < 5_000; n++) connect(1, `2001:db8:1::${n}`);
    connect(MAX, '10.0.0.1');
    expect(watch.isSlowed('10.0.0.1')).toBe(false);
    connect(1, '10.0.0.1');
    expect(watch.isSlowed('10.0.0.1')).toBe(true);
  });
});
