/**
 * Which addresses are slowed down: those from which one certificate keeps making more connections than a sound client needs.
 *
 * Go SDK v1.1.1 does so once it has lost its connection: it drops every new one and dials again, a hundred times a second,
 * until it is restarted. Only finished handshakes count, so nobody without a certificate can slow an address down.
 *
 * Invariants: callers stand in the order of their last connection and slowed addresses in the order in which they become free,
 * so only the first ones can be forgotten. A caller remembers at most `redialsMax` times.
 */
import type { Clock } from '../base/clock.js';

/** Connections of one certificate from one address are counted over this time; so long does a slowed address stay slowed. */
export const REDIAL_WINDOW_MS = 10_000;

/** An operator reads the first line; the others show that it goes on. */
export const REDIAL_REPORT_MS = 60_000;

/** Pairs of address and certificate remembered; a relay serves tens of applications. */
const CALLERS_MAX = 4_096;

/** Slowed addresses remembered; each needs a client with a certificate. */
const ADDRESSES_MAX = 1_024;

interface Slowed {
  untilMs: number;
  reportedMs: number;
}

export class RedialWatch {
  /** Handshakes with one certificate in the window above which its address is slowed down. */
  redialsMax: number;
  readonly #clock: Clock;
  /** Times of the last connections, oldest first, by address and certificate. */
  readonly #callers = new Map<string, number[]>();
  readonly #slowed = new Map<string, Slowed>();

  constructor(redialsMax: number, clock: Clock) {
    this.redialsMax = redialsMax;
    this.#clock = clock;
  }

  /** Addresses slowed down now. */
  get size(): number {
    this.#forget(this.#clock.nowMs());
    return this.#slowed.size;
  }

  /**
   * A handshake with `certificate` was finished from `address`. True when somebody should be told: the address is slowed down
   * from now on, or still is a minute after the last time.
   */
  connected(address: string, certificate: string): boolean {
    const nowMs = this.#clock.nowMs();
    this.#forget(nowMs);
    const key = `${address} ${certificate}`;
    const times = this.#callers.get(key) ?? [];
    this.#callers.delete(key);
    while (times.length > 0 && times[0] <= nowMs - REDIAL_WINDOW_MS) times.shift();
    const isLooping = times.length >= this.redialsMax;
    if (isLooping) times.shift();
    times.push(nowMs);
    this.#callers.set(key, times);
    dropAbove(this.#callers, CALLERS_MAX);
    return isLooping && this.#slow(address, nowMs);
  }

  isSlowed(address: string): boolean {
    const slowed = this.#slowed.get(address);
    return slowed !== undefined && slowed.untilMs > this.#clock.nowMs();
  }

  #slow(address: string, nowMs: number): boolean {
    const known = this.#slowed.get(address);
    const tell = known === undefined || nowMs - known.reportedMs >= REDIAL_REPORT_MS;
    this.#slowed.delete(address);
    this.#slowed.set(address, {
      untilMs: nowMs + REDIAL_WINDOW_MS,
      reportedMs: tell ? nowMs : known.reportedMs,
    });
    dropAbove(this.#slowed, ADDRESSES_MAX);
    return tell;
  }

  #forget(nowMs: number): void {
    for (const [address, { untilMs }] of this.#slowed) {
      if (untilMs > nowMs) break;
      this.#slowed.delete(address);
    }
    for (const [key, times] of this.#callers) {
      if (times[times.length - 1] > nowMs - REDIAL_WINDOW_MS) break;
      this.#callers.delete(key);
    }
  }
}

function dropAbove(map: Map<string, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return;
    map.delete(key);
  }
}
