/**
 * Which relay carries a call. A relay that has just failed is passed over as long as there is another; of the rest the
 * one where the call would be through first, reckoned as its open calls times the time it takes to answer.
 */

/** What is known of a relay's ability to carry a call. */
export interface Choosable {
  /** Calls that wait for an answer of this relay. */
  readonly outstanding: number;
  /** Smoothed time of the answers that the relay makes itself. */
  readonly rttMs: number;
  /** The relay has failed and is passed over until then, by `performance.now()`. */
  readonly avoidUntilMs: number;
}

/** Below this, relays count as equally fast: on one network the difference is noise, and load should decide. */
const RTT_FLOOR_MS = 1;

/** The best of the candidates, one of the best at random, or undefined where there are none. */
export function choose<T extends Choosable>(
  candidates: readonly T[],
  nowMs: number,
  random: () => number,
): T | undefined {
  const trusted = candidates.filter((one) => one.avoidUntilMs <= nowMs);
  let best: T | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let equals = 0;
  for (const one of trusted.length > 0 ? trusted : candidates) {
    const cost = (one.outstanding + 1) * Math.max(one.rttMs, RTT_FLOOR_MS);
    if (cost > bestCost) continue;
    equals = cost < bestCost ? 1 : equals + 1;
    // Of n equals each is chosen with the same probability, without collecting them first.
    if (equals === 1 || random() * equals < 1) best = one;
    bestCost = cost;
  }
  return best;
}
