import { describe, expect, it } from 'vitest';
import { AcceptGate } from '../../../src/shard/accept-gate.js';
import { LANE_INTERVAL_MS, LANE_WAITING_MAX } from '../../../src/shard/slow-lanes.js';

const LOOPING = '10.0.0.1';
const OTHER = '10.0.0.2';
const TICK_MS = 20;

class Arrival {
  admittedMs: number | undefined;
  evicted = false;
  slowed = false;
}

/** A gate on a clock of its own. `slow` makes an address dial until it is slowed down. */
function gateWith(limits: Partial<{ handshakesMax: number; acceptsPerSecond: number; redialsMax: number }> = {}) {
  const clock = { ms: 0, nowMs: () => clock.ms };
  const gate = new AcceptGate({ handshakesMax: 1_024, acceptsPerSecond: 400, redialsMax: 20, ...limits }, clock);
  const enter = (address: string): Arrival => {
    const arrival = new Arrival();
    const admit = () => {
      arrival.admittedMs = clock.ms;
      gate.leave(arrival); // its handshake takes no time
    };
    const evict = () => {
      arrival.evicted = true;
    };
    arrival.slowed = gate.enter(arrival, { admit, evict }, address);
    return arrival;
  };
  const enterMany = (count: number, address: string) => Array.from({ length: count }, () => enter(address));
  const pass = (ms: number, tickMs: number = TICK_MS) => {
    for (const endMs = clock.ms + ms; clock.ms < endMs; ) {
      clock.ms += tickMs;
      gate.tick();
    }
  };
  const slow = (address: string) => {
    for (let n = 0; n <= 20; n++) gate.redials.connected(address, 'certificate');
  };
  return { clock, gate, enter, enterMany, pass, slow };
}

const admitted = (arrivals: readonly Arrival[]) => arrivals.filter(({ admittedMs }) => admittedMs !== undefined).length;

describe('accept gate', () => {
  it('admits up to the rate at once and the rest as time passes, in order', () => {
    const { enterMany, pass } = gateWith({ acceptsPerSecond: 50 });
    const arrivals = enterMany(100, OTHER);
    expect(admitted(arrivals)).toBe(50);
    pass(500);
    expect(admitted(arrivals)).toBe(75);
    expect(arrivals.slice(0, 75).every(({ admittedMs }) => admittedMs !== undefined)).toBe(true);
    expect(arrivals.some(({ slowed }) => slowed)).toBe(false);
  });

  it('evicts what waits longest when all places are taken', () => {
    const { enterMany } = gateWith({ acceptsPerSecond: 1, handshakesMax: 5 });
    const arrivals = enterMany(8, OTHER);
    expect(arrivals.map(({ evicted }) => evicted)).toEqual([false, true, true, false, false, false, false, false]);
  });

  it('admits five a second from a slowed address, in order, and tells which had to wait', () => {
    const { enterMany, pass, slow } = gateWith();
    slow(LOOPING);
    const arrivals = enterMany(40, LOOPING);
    expect(admitted(arrivals)).toBe(1);
    expect(arrivals.filter(({ slowed }) => slowed)).toHaveLength(39);
    pass(4_000);
    expect(admitted(arrivals)).toBe(21);
    expect(arrivals.slice(0, 21).every(({ admittedMs }) => admittedMs !== undefined)).toBe(true);
  });

  it('holds a client that dials one connection after another to five a second, also when ticks come late', () => {
    const { clock, gate, enter, pass, slow } = gateWith();
    slow(LOOPING);
    let dials = 0;
    let current = enter(LOOPING);
    while (clock.ms < 30_000) {
      if (current.admittedMs !== undefined) {
        dials++;
        gate.redials.connected(LOOPING, 'certificate');
        current = enter(LOOPING);
      }
      if (current.admittedMs === undefined) pass(30, 30);
    }
    expect(dials).toBeGreaterThan(140);
    expect(dials).toBeLessThanOrEqual(152);
  });

  it('lets other addresses in at once while one is slowed down', () => {
    const { enterMany, slow } = gateWith();
    slow(LOOPING);
    enterMany(LANE_WAITING_MAX, LOOPING);
    expect(admitted(enterMany(100, OTHER))).toBe(100);
  });

  it('refuses the newest when a lane is full, and keeps those that wait', () => {
    const { enterMany, gate, slow } = gateWith();
    slow(LOOPING);
    const arrivals = enterMany(1 + LANE_WAITING_MAX + 50, LOOPING);
    expect(gate.size).toBe(LANE_WAITING_MAX);
    expect(arrivals.map(({ evicted }) => evicted)).toEqual(arrivals.map((_, n) => n > LANE_WAITING_MAX));
  });

  it('bounds all lanes together by handshakesMax', () => {
    const { enterMany, gate, slow } = gateWith({ handshakesMax: 30 });
    for (let n = 0; n < 10; n++) {
      slow(`10.0.1.${n}`);
      enterMany(20, `10.0.1.${n}`);
    }
    expect(gate.size).toBe(30);
  });

  it('admits all that wait when the address is free again, behind the rate of the whole gate', () => {
    const { enterMany, pass, slow, clock } = gateWith({ acceptsPerSecond: 20, redialsMax: 20 });
    slow(LOOPING);
    clock.ms = 9_000;
    const arrivals = enterMany(LANE_WAITING_MAX, LOOPING);
    pass(980);
    expect(admitted(arrivals)).toBe(5);
    // The address is free from 10,000 ms on: twenty at once, the others at twenty a second instead of five.
    pass(40);
    expect(admitted(arrivals)).toBeGreaterThanOrEqual(25);
    pass(2_000);
    expect(admitted(arrivals)).toBe(LANE_WAITING_MAX);
    expect(enterMany(1, LOOPING)[0].slowed).toBe(false);
  });

  it('gives the turn of a connection that ended to the next one', () => {
    const { enterMany, gate, pass, slow } = gateWith();
    slow(LOOPING);
    const arrivals = enterMany(4, LOOPING);
    gate.leave(arrivals[1]);
    gate.leave(arrivals[2]);
    expect(gate.size).toBe(1);
    pass(LANE_INTERVAL_MS);
    expect(arrivals.map(({ admittedMs }) => admittedMs !== undefined)).toEqual([true, false, false, true]);
    expect(gate.size).toBe(0);
  });

  it('lets nobody overtake those that wait', () => {
    const { enterMany, pass, slow, clock } = gateWith();
    slow(LOOPING);
    const early = enterMany(3, LOOPING);
    // The turn has come, the tick that gives it has not.
    clock.ms += LANE_INTERVAL_MS;
    const [late] = enterMany(1, LOOPING);
    expect(late.admittedMs).toBeUndefined();
    pass(3 * LANE_INTERVAL_MS);
    expect(admitted(early)).toBe(3);
  });

  it('saves up no turns while nobody dials', () => {
    const { enterMany, slow, clock, pass } = gateWith();
    slow(LOOPING);
    enterMany(1, LOOPING);
    clock.ms = 9_000;
    const arrivals = enterMany(20, LOOPING);
    expect(admitted(arrivals)).toBeLessThanOrEqual(2);
    pass(500);
    expect(admitted(arrivals)).toBeLessThanOrEqual(5);
  });
});
