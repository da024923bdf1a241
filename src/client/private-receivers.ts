/**
 * What a sender knows of the receivers of its private topic: the state of each as it was last certified.
 *
 * Invariant: an entry lives no longer than the connection over which its receiver was certified, because the relay keeps a
 * certification for a session. Relays do not tell when a receiver leaves: `certified` says what was proven, not who is there.
 */
import { AmopCode, AmopError } from './amop-error.js';
import { RECEIVERS_MAX } from './bounds.js';
import type { Deadline } from './deadline.js';

/** Why a receiver is not certified. */
export type CertificationFailure =
  /** What it answered is no signature of one of the public keys. */
  | 'wrong-signature'
  /** No answer to the challenge in time. */
  | 'unanswered'
  /** It answered with an error. */
  | 'refused'
  /** The relay could not hand it the challenge. */
  | 'unreachable'
  /** This process had no time to check the signature. */
  | 'unchecked';

export interface PrivateReceiver {
  /** `host:port` of the relay over which it is certified; the same receiver has an entry for each. */
  readonly relay: string;
  /** 128 hex digits by which this relay tells it from others. */
  readonly nodeId: string;
  readonly state: 'pending' | 'certified' | 'failed';
  /** When this state began. */
  readonly since: Date;
  /** The key that it has proven to hold, 128 hex digits, while certified. */
  readonly publicKey: string | undefined;
  /** Why it failed; while it is pending, why it failed before. */
  readonly failure: CertificationFailure | undefined;
  /** What that challenge ended with, for `unanswered`, `refused` and `unreachable`. */
  readonly error: AmopError | undefined;
}

type Known = 'publicKey' | 'failure' | 'error';
type Outcome = Pick<PrivateReceiver, 'state'> & { readonly [Name in Known]?: PrivateReceiver[Name] };

/** What can be known: relays ask about subscribers, and say nothing of a topic without any. */
const NOBODY = 'nobody subscribes, or no relay has asked about anybody yet';

interface Waiter {
  resolve(): void;
  reject(error: AmopError): void;
}

export class PrivateReceivers {
  readonly #max: number;
  readonly #byKey = new Map<string, PrivateReceiver>();
  readonly #waiting = new Set<Waiter>();
  #ended: AmopError | undefined;

  constructor(max: number = RECEIVERS_MAX) {
    this.#max = max;
  }

  list(): PrivateReceiver[] {
    return [...this.#byKey.values()];
  }

  hasCertified(relay?: string): boolean {
    for (const one of this.#byKey.values()) {
      if (one.state === 'certified' && (relay === undefined || one.relay === relay)) return true;
    }
    return false;
  }

  /** A certification begins; one that is renewed stays certified meanwhile. */
  asked(relay: string, nodeId: string): void {
    const before = this.#byKey.get(keyOf(relay, nodeId));
    if (before?.state === 'certified') return;
    this.set(relay, nodeId, { state: 'pending', failure: before?.failure, error: before?.error });
  }

  set(relay: string, nodeId: string, outcome: Outcome): void {
    if (this.#ended !== undefined) return;
    const key = keyOf(relay, nodeId);
    const before = this.#byKey.get(key);
    // Behind the others, so that the front is the one that nothing was heard of for longest.
    this.#byKey.delete(key);
    if (this.#byKey.size >= this.#max) this.#forgetOldest();
    const since = before?.state === outcome.state ? before.since : new Date();
    const { publicKey, failure, error } = outcome;
    this.#byKey.set(key, { relay, nodeId, state: outcome.state, since, publicKey, failure, error });
    if (outcome.state !== 'certified') return;
    for (const waiter of this.#waiting) waiter.resolve();
    this.#waiting.clear();
  }

  /** The connection to a relay is over. */
  forgetRelay(relay: string): void {
    for (const [key, one] of this.#byKey) if (one.relay === relay) this.#byKey.delete(key);
  }

  /** Resolves when a receiver is certified. @throws AmopError 100 `not-certified`, 99 `closed`, or the signal's reason */
  async certified(deadline: Deadline): Promise<void> {
    deadline.signal?.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    if (this.hasCertified()) return;
    let forget = () => {};
    const arrival = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiting.add(waiter);
      forget = () => this.#waiting.delete(waiter);
    });
    try {
      await deadline.race(arrival, () => this.#nobody(deadline.timeoutMs));
    } finally {
      forget();
    }
  }

  throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  end(error: AmopError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#byKey.clear();
    for (const waiter of this.#waiting) waiter.reject(error);
    this.#waiting.clear();
  }

  #forgetOldest(): void {
    const [oldest] = this.#byKey.keys();
    this.#byKey.delete(oldest);
  }

  #nobody(waitedMs: number): AmopError {
    const counts = new Map<string, number>();
    for (const { state, failure } of this.#byKey.values()) {
      const what =
        failure === undefined ? state : state === 'failed' ? `failed: ${failure}` : `pending again after ${failure}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    const seen = [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || NOBODY;
    const detail = `no receiver was certified within ${Math.round(waitedMs)} ms; ${seen}`;
    return new AmopError(AmopCode.noRoute, { reason: 'not-certified', detail });
  }
}

function keyOf(relay: string, nodeId: string): string {
  return `${nodeId} ${relay}`;
}

/** What an error of the challenge says about the receiver. */
export function failureOf(error: AmopError): CertificationFailure {
  switch (error.code) {
    case AmopCode.notSent:
    case AmopCode.timeout:
    case AmopCode.subscriberUnavailable:
      return 'unanswered';
    case AmopCode.noRoute:
    case AmopCode.notDelivered:
    case AmopCode.overLimit:
      return 'unreachable';
    default:
      return 'refused';
  }
}
