/**
 * Connections from slowed addresses wait here before they may enter TLS, one lane for each address, in the order of their
 * arrival. Waiting is what costs the relay nothing: a client that is refused dials again at once, one that waits does not.
 * Pure but for the callbacks; time is an argument.
 */
import type { Clock } from '../base/clock.js';
import type { GateEntry } from './accept-gate.js';
import type { RedialWatch } from './redial-watch.js';

/**
 * Five a second: a secp256k1 handshake costs 2-3 ms of CPU and a session that comes and goes 1 ms, so a client in a loop
 * costs 2 % of a core, and an honest one beside it waits less than half a second. At ten a second the loop would cost 3.5 %.
 */
export const LANE_INTERVAL_MS = 200;

/** Ten seconds of waiting: SDKs give a connection up after that. */
export const LANE_WAITING_MAX = 50;

interface Lane {
  /** When the next connection may go on. */
  nextMs: number;
  readonly waiting: Map<object, GateEntry>;
}

export class SlowLanes {
  /** Connections that may wait in all lanes together. */
  waitingMax: number;
  readonly #watch: RedialWatch;
  readonly #clock: Clock;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneOf = new Map<object, Lane>();

  /** `waitingMax` bounds all lanes together. */
  constructor(waitingMax: number, watch: RedialWatch, clock: Clock) {
    this.waitingMax = waitingMax;
    this.#watch = watch;
    this.#clock = clock;
  }

  /** Connections that wait. */
  get size(): number {
    return this.#laneOf.size;
  }

  /** `free`: the connection need not wait. `waits`: `tick` will give it back. `full`: there is no place for it. */
  enter(key: object, entry: GateEntry, address: string): 'free' | 'waits' | 'full' {
    let lane = this.#lanes.get(address);
    // Who comes while others wait stands behind them, even if the address has just become free.
    if (lane === undefined && !this.#watch.isSlowed(address)) return 'free';
    if (lane === undefined) {
      lane = { nextMs: this.#clock.nowMs(), waiting: new Map() };
      this.#lanes.set(address, lane);
    }
    if (lane.waiting.size === 0 && this.#takeTurn(lane)) return 'free';
    if (lane.waiting.size >= LANE_WAITING_MAX || this.size >= this.waitingMax) return 'full';
    lane.waiting.set(key, entry);
    this.#laneOf.set(key, lane);
    return 'waits';
  }

  /** The connection of `key` ended. */
  leave(key: object): void {
    this.#laneOf.get(key)?.waiting.delete(key);
    this.#laneOf.delete(key);
  }

  /** Calls `release` for every connection whose turn has come, and for all of an address that is free again. */
  tick(release: (key: object, entry: GateEntry) => void): void {
    for (const [address, lane] of this.#lanes) {
      const slowed = this.#watch.isSlowed(address);
      for (const [key, entry] of lane.waiting) {
        if (slowed && !this.#takeTurn(lane)) break;
        this.leave(key);
        release(key, entry);
      }
      if (!slowed && lane.waiting.size === 0) this.#lanes.delete(address);
    }
  }

  #takeTurn(lane: Lane): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs < lane.nextMs) return false;
    // A turn that was noticed late does not delay those after it, but turns are not saved up either.
    lane.nextMs = Math.max(lane.nextMs, nowMs - LANE_INTERVAL_MS) + LANE_INTERVAL_MS;
    return true;
  }
}
