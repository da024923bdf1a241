/**
 * How many connections may enter TLS: a rate for new ones and a number of places for handshakes under way, behind the lanes of
 * addresses that are slowed down.
 *
 * Connections above the rate wait in order; at most `placesMax` wait and at most `placesMax` are in their handshake. When all
 * places are taken, the one that has been there longest is evicted: an honest handshake takes milliseconds, so the longest is
 * the one that says nothing. A lane gives one place to one connection, so a full one refuses the newest.
 * Pure but for the callbacks; time is an argument, `tick` admits what waits.
 */
import type { Clock } from '../base/clock.js';
import { RedialWatch } from './redial-watch.js';
import { SlowLanes } from './slow-lanes.js';

export interface GateEntry {
  /** Start the handshake. */
  readonly admit: () => void;
  /** There is no place for this connection. */
  readonly evict: () => void;
}

export interface GateLimits {
  readonly handshakesMax: number;
  readonly acceptsPerSecond: number;
  readonly redialsMax: number;
}

export class AcceptGate {
  /** Told of finished handshakes; knows the addresses that are slowed down. */
  readonly redials: RedialWatch;
  readonly #lanes: SlowLanes;
  #placesMax: number;
  #perSecond: number;
  readonly #clock: Clock;
  readonly #waiting = new Map<object, GateEntry>();
  readonly #inside = new Map<object, GateEntry>();
  #tokens: number;
  #refilledMs: number;

  constructor(limits: GateLimits, clock: Clock) {
    this.redials = new RedialWatch(limits.redialsMax, clock);
    this.#lanes = new SlowLanes(limits.handshakesMax, this.redials, clock);
    this.#placesMax = limits.handshakesMax;
    this.#perSecond = limits.acceptsPerSecond;
    this.#clock = clock;
    this.#tokens = limits.acceptsPerSecond;
    this.#refilledMs = clock.nowMs();
  }

  setLimits({ handshakesMax, acceptsPerSecond, redialsMax }: GateLimits): void {
    this.redials.redialsMax = redialsMax;
    this.#lanes.waitingMax = handshakesMax;
    this.#placesMax = handshakesMax;
    this.#perSecond = acceptsPerSecond;
  }

  /** Connections that wait or are in their handshake. */
  get size(): number {
    return this.#lanes.size + this.#waiting.size + this.#inside.size;
  }

  /** A new connection; `key` is its identity for `leave`. True when its address is slowed down and it did not get through. */
  enter(key: object, entry: GateEntry, address: string): boolean {
    const way = this.#lanes.enter(key, entry, address);
    if (way === 'full') entry.evict();
    else if (way === 'free') this.#pass(key, entry);
    return way !== 'free';
  }

  /** The handshake of `key` ended, or its connection did. */
  leave(key: object): void {
    if (!this.#inside.delete(key) && !this.#waiting.delete(key)) this.#lanes.leave(key);
  }

  /** Admits what waits, as the rate allows; call it every few tens of milliseconds. */
  tick(): void {
    this.#lanes.tick((key, entry) => this.#pass(key, entry));
    this.#refill();
    for (const [key, entry] of this.#waiting) {
      if (this.#tokens < 1) return;
      this.#waiting.delete(key);
      this.#admit(key, entry);
    }
  }

  #pass(key: object, entry: GateEntry): void {
    this.#refill();
    if (this.#tokens >= 1 && this.#waiting.size === 0) {
      this.#admit(key, entry);
      return;
    }
    if (this.#waiting.size >= this.#placesMax) evictFirst(this.#waiting);
    this.#waiting.set(key, entry);
  }

  #admit(key: object, entry: GateEntry): void {
    this.#tokens--;
    if (this.#inside.size >= this.#placesMax) evictFirst(this.#inside);
    this.#inside.set(key, entry);
    entry.admit();
  }

  #refill(): void {
    const nowMs = this.#clock.nowMs();
    const gained = ((nowMs - this.#refilledMs) * this.#perSecond) / 1000;
    this.#refilledMs = nowMs;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
  }
}

function evictFirst(entries: Map<object, GateEntry>): void {
  for (const [key, entry] of entries) {
    entries.delete(key);
    entry.evict();
    return;
  }
}
