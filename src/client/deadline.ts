/**
 * When a call must be settled, and whether its caller still wants it.
 *
 * Invariant: whatever waits here is released at the deadline or by the signal, and leaves no timer and no listener behind.
 */

/**
 * One listener for each signal, however many calls share it: Node warns about a leak from the eleventh listener on, and a
 * signal that ends thousands of calls is the ordinary way to shut an application down.
 */
export class AbortHub {
  readonly #waiting = new WeakMap<AbortSignal, Set<() => void>>();

  /** Calls `wake` when the signal is aborted; the returned function takes that back. */
  listen(signal: AbortSignal | undefined, wake: () => void): () => void {
    if (signal === undefined) return () => {};
    let waiting = this.#waiting.get(signal);
    if (waiting === undefined) {
      const all = new Set<() => void>();
      waiting = all;
      this.#waiting.set(signal, all);
    }
    const set = waiting;
    if (set.size === 0) signal.addEventListener('abort', this.#onAbort);
    set.add(wake);
    return () => {
      if (set.delete(wake) && set.size === 0) signal.removeEventListener('abort', this.#onAbort);
    };
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    const waiting = this.#waiting.get(signal);
    if (waiting === undefined) return;
    const wakes = [...waiting];
    waiting.clear();
    signal.removeEventListener('abort', this.#onAbort);
    for (const wake of wakes) wake();
  };
}

export class Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly #hub: AbortHub;
  readonly #endMs: number;

  constructor(timeoutMs: number, signal: AbortSignal | undefined, hub: AbortHub) {
    this.timeoutMs = timeoutMs;
    this.signal = signal;
    this.#hub = hub;
    this.#endMs = performance.now() + timeoutMs;
  }

  /** Milliseconds until the deadline, 0 when it has passed. */
  leftMs(): number {
    return Math.max(0, this.#endMs - performance.now());
  }

  /** The same caller with a shorter time, for one of several attempts. */
  within(timeoutMs: number): Deadline {
    return new Deadline(Math.min(timeoutMs, this.leftMs()), this.signal, this.#hub);
  }

  /**
   * Calls one of the two at most once, unless the returned function is called first: `onExpired` at the deadline,
   * `onAborted` with the signal's reason.
   */
  arm(onExpired: () => void, onAborted: (reason: unknown) => void): () => void {
    const disarm = () => {
      clearTimeout(timer);
      forget();
    };
    const onTimer = () => {
      // Timers of Node may fire up to a millisecond early, but a call never ends before its time.
      const leftMs = this.leftMs();
      if (leftMs > 0) {
        timer = setTimeout(onTimer, Math.ceil(leftMs));
        return;
      }
      disarm();
      onExpired();
    };
    let timer = setTimeout(onTimer, Math.ceil(this.leftMs()));
    const forget = this.#hub.listen(this.signal, () => {
      disarm();
      onAborted(this.signal?.reason);
    });
    return disarm;
  }

  /** Settles as `promise` does, or rejects with `expired()` at the deadline or with the signal's reason. */
  race<T>(promise: Promise<T>, expired: () => unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const disarm = this.arm(() => reject(expired()), reject);
      promise.then(resolve, reject).finally(disarm);
      if (this.signal?.aborted) reject(this.signal.reason);
    });
  }
}
