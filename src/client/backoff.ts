/**
 * When a lost relay is dialled again. A restarted relay must be found within a second, thousands of clients must not
 * find it in the same millisecond, and one that refuses us must not be asked for handshakes all the time.
 */

/** The first attempt after a loss, before jitter. */
const FIRST_MS = 100;

/** Below a second with the handshake that follows, for a relay that is being restarted. */
const QUICK_MAX_MS = 500;

/** Long enough for an upgrade; a relay that stays away longer is asked less often. */
const QUICK_FOR_MS = 10 * 60_000;

/** For a relay that has been away for long, or that answers and refuses us: each handshake costs it CPU. */
const SLOW_MAX_MS = 5_000;

export interface Outage {
  /** Attempts that failed in this way since the last connection that lasted. */
  readonly attempts: number;
  /** How long the relay has been away. */
  readonly downMs: number;
  /** It was there but would not have us: TLS or the protocol handshake failed. */
  readonly refused: boolean;
}

/** Milliseconds until the next attempt: doubling up to a maximum, of which a random half is taken off. */
export function backoffMs({ attempts, downMs, refused }: Outage, random: () => number): number {
  const max = refused || downMs > QUICK_FOR_MS ? SLOW_MAX_MS : QUICK_MAX_MS;
  const whole = Math.min(max, FIRST_MS * 2 ** Math.min(attempts, 16));
  return whole * (1 - random() / 2);
}
