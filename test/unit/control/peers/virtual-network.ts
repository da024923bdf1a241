/**
 * A virtual clock, and connections between two ends whose frames take random time and keep their order: what relays do to each
 * other, without sockets and without waiting.
 */

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

export class VirtualTime {
  nowMs = 0;
  /** What must hold at any time: called after every event. */
  always: () => void = () => {};
  /** In the order of their time; those of one time in the order in which they were planned. */
  readonly #events: Event[] = [];

  at(atMs: number, run: () => void): void {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle].atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { atMs, run });
  }

  after(ms: number, run: () => void): void {
    this.at(this.nowMs + ms, run);
  }

  /** Calls `run` again and again until it returns false. */
  every(firstMs: number, ms: number, run: () => boolean): void {
    this.after(firstMs, () => {
      if (run()) this.every(ms, ms, run);
    });
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.#events.length > 0 && this.#events[0].atMs <= untilMs) {
      const { atMs, run } = this.#events.shift() as Event;
      this.nowMs = atMs;
      run();
      this.always();
    }
    this.nowMs = untilMs;
  }
}

/** One end of a connection as its owner sees it. After `failed`, `down` or a close of its own it hears nothing more. */
export interface EndEvents<Frame> {
  up(): void;
  /** It ended before it was up. */
  failed(): void;
  received(frame: Frame): void;
  /** The other side closed it, or it broke. */
  down(): void;
}

export const DIALLER = 0;
export const ACCEPTOR = 1;
export type Side = typeof DIALLER | typeof ACCEPTOR;

/** Who notices that a connection broke; the other end hears nothing more. */
export type Cut = 'both' | 'dialler' | 'acceptor' | 'nobody';

/** An end that waits for a handshake gives up after this long, as a shard does. */
const HANDSHAKE_MS = 10_000;

interface End<Frame> {
  readonly events: EndEvents<Frame>;
  up: boolean;
  closed: boolean;
  /** What was sent later arrives later. */
  arrivalMs: number;
}

export class VirtualLink<Frame> {
  readonly #time: VirtualTime;
  readonly #delayMs: () => number;
  readonly #ends: readonly [End<Frame>, End<Frame>];
  #broken = false;

  constructor(time: VirtualTime, delayMs: () => number, dialler: EndEvents<Frame>, acceptor: EndEvents<Frame>) {
    this.#time = time;
    this.#delayMs = delayMs;
    const end = (events: EndEvents<Frame>): End<Frame> => ({ events, up: false, closed: false, arrivalMs: 0 });
    this.#ends = [end(dialler), end(acceptor)];
    // The ends of a handshake see it finished at different times, in either order.
    for (const one of this.#ends) {
      this.#arrives(one, () => {
        one.up = true;
        one.events.up();
      });
      time.after(HANDSHAKE_MS, () => {
        if (!one.up) this.#down(one);
      });
    }
  }

  /** The owner of this end has it. */
  isOpen(side: Side): boolean {
    const { up, closed } = this.#ends[side];
    return up && !closed;
  }

  send(from: Side, frame: Frame): void {
    const to = this.#ends[1 - from];
    this.#arrives(to, () => to.events.received(frame));
  }

  /** The other end hears of it behind all frames. */
  close(from: Side): void {
    this.#ends[from].closed = true;
    const other = this.#ends[1 - from];
    this.#arrives(other, () => this.#down(other));
  }

  get isBroken(): boolean {
    return this.#broken;
  }

  /** Nothing arrives any more. Ends notice it long after each other. */
  cut(noticedBy: Cut): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#ends.forEach((end, side) => {
      if (noticedBy !== 'both' && noticedBy !== (side === DIALLER ? 'dialler' : 'acceptor')) return;
      this.#time.after(this.#delayMs() * 5, () => this.#down(end));
    });
  }

  /** The process at this end is no more: it does not act on anything. */
  orphan(side: Side): void {
    this.#ends[side].closed = true;
  }

  #arrives(end: End<Frame>, run: () => void): void {
    end.arrivalMs = Math.max(end.arrivalMs, this.#time.nowMs + this.#delayMs());
    this.#time.at(end.arrivalMs, () => {
      if (!end.closed && !this.#broken) run();
    });
  }

  #down(end: End<Frame>): void {
    if (end.closed) return;
    end.closed = true;
    if (end.up) end.events.down();
    else end.events.failed();
  }
}
