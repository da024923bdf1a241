/**
 * Back-pressure: while an inbox that asked for it is full, no connection is read, so that the relays keep what comes and TCP slows
 * them down.
 *
 * Invariant: reading stands still exactly while an inbox is in `#full`, and each of them leaves it once it has room, whichever inbox
 * made it.
 */

/** What needs room. */
export interface Filling {
  /** May reading go on as far as this one is concerned? */
  readonly hasRoom: boolean;
}

export class Reading {
  readonly #full = new Set<Filling>();
  readonly #setReading: (reads: boolean) => void;

  constructor(setReading: (reads: boolean) => void) {
    this.#setReading = setReading;
  }

  get isHeld(): boolean {
    return this.#full.size > 0;
  }

  hold(inbox: Filling): void {
    const wasHeld = this.isHeld;
    this.#full.add(inbox);
    if (!wasHeld) this.#setReading(false);
  }

  /** Something was taken or given up; `left` has no say any more. */
  recheck(left?: Filling): void {
    if (!this.isHeld) return;
    for (const inbox of this.#full) if (inbox === left || inbox.hasRoom) this.#full.delete(inbox);
    if (!this.isHeld) this.#setReading(true);
  }
}
