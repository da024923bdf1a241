/**
 * How many pairs of sender and subscriber there may be. A pair takes some hundred bytes and is looked at several times a second; a
 * relay may list thousands of sessions on each topic, and a session may announce to send on thousands of topics. So there is a
 * bound for all, and for what one sender, or one session or peer with subscribers, can take of it.
 */

export const PAIRS_MAX = 65_536;
export const PAIRS_PER_ORIGIN_MAX = 16_384;
export const PAIRS_PER_SENDER_MAX = 16_384;

export class PairCounts {
  readonly #byOrigin = new Map<string, number>();
  readonly #bySender = new Map<string, number>();
  #all = 0;

  /** Counts one more, unless that is one too many. */
  add(sender: string, origin: string): boolean {
    const ofOrigin = this.#byOrigin.get(origin) ?? 0;
    const ofSender = this.#bySender.get(sender) ?? 0;
    if (this.#all >= PAIRS_MAX || ofOrigin >= PAIRS_PER_ORIGIN_MAX || ofSender >= PAIRS_PER_SENDER_MAX) return false;
    this.#all++;
    this.#byOrigin.set(origin, ofOrigin + 1);
    this.#bySender.set(sender, ofSender + 1);
    return true;
  }

  drop(sender: string, origin: string): void {
    this.#all--;
    less(this.#byOrigin, origin);
    less(this.#bySender, sender);
  }
}

function less(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 1) - 1;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
