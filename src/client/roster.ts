/**
 * All relays of a client, and the calls that wait for one of them to be connected.
 */
import type { TlsIdentity } from '../pki/identity.js';
import type { RelayAddress } from './address.js';
import { AmopCode, AmopError } from './amop-error.js';
import type { AbortHub, Deadline } from './deadline.js';
import { type KeeperEvents, type KeeperOptions, RelayKeeper } from './relay-keeper.js';
import type { Session } from './session.js';

export class Roster {
  readonly keepers: readonly RelayKeeper[];
  readonly #waiting = new Set<{ resolve(): void; reject(error: AmopError): void; readonly first: boolean }>();
  #closed: AmopError | undefined;

  constructor(
    addresses: readonly RelayAddress[],
    identity: TlsIdentity,
    options: KeeperOptions,
    context: { readonly hub: AbortHub; readonly events: KeeperEvents },
  ) {
    const { hub, events } = context;
    const own: KeeperEvents = {
      ...events,
      onConnect: (session) => {
        // Their callers run after this, and find the session.
        for (const waiter of this.#waiting) waiter.resolve();
        this.#waiting.clear();
        events.onConnect(session);
      },
      onRetry: (relay, error, delayMs) => {
        events.onRetry(relay, error, delayMs);
        this.#failFirst();
      },
    };
    this.keepers = addresses.map((address) => new RelayKeeper(address, identity, options, { hub, events: own }));
  }

  start(): void {
    for (const keeper of this.keepers) keeper.start();
  }

  /** The connections that work now. */
  sessions(): Session[] {
    const sessions: Session[] = [];
    for (const { session } of this.keepers)
      if (session !== undefined && session.error === undefined) sessions.push(session);
    return sessions;
  }

  /**
   * Resolves when a relay is connected. With `first` it rejects as soon as every relay has failed once, for a caller who
   * cannot know yet that any of them is right.
   * @throws AmopError 99, or the signal's reason
   */
  async connected(deadline: Deadline, first = false): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.sessions().length > 0) return;
    let forget = () => {};
    const arrival = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject, first };
      this.#waiting.add(waiter);
      forget = () => this.#waiting.delete(waiter);
    });
    try {
      await deadline.race(arrival, () => (first ? this.#unreached() : this.#notConnected(deadline.timeoutMs)));
    } finally {
      forget();
    }
  }

  async close(error: AmopError): Promise<void> {
    this.#closed = error;
    for (const waiter of this.#waiting) waiter.reject(error);
    this.#waiting.clear();
    await Promise.all(this.keepers.map((keeper) => keeper.close(error)));
  }

  #failFirst(): void {
    if (this.keepers.some(({ lastError }) => lastError === undefined)) return;
    const error = this.#unreached();
    for (const waiter of [...this.#waiting]) {
      if (!waiter.first) continue;
      this.#waiting.delete(waiter);
      waiter.reject(error);
    }
  }

  /** Why the first connection did not come about: every relay's own reason. */
  #unreached(): AmopError {
    const known = this.keepers.filter(({ lastError }) => lastError !== undefined);
    const reasons = new Set(known.map(({ lastError }) => lastError?.reason));
    const [one] = reasons.size === 0 ? ['connect-timeout'] : reasons;
    const reason = reasons.size > 1 ? 'connect-failed' : one;
    return new AmopError(AmopCode.notSent, { reason, detail: this.#why(), cause: known[0]?.lastError });
  }

  /** A call waited in vain: whatever ended the connections, this message never left. */
  #notConnected(waitedMs: number): AmopError {
    const detail = `no relay was connected within ${Math.round(waitedMs)} ms: ${this.#why()}`;
    return new AmopError(AmopCode.notSent, { reason: 'not-connected', detail });
  }

  #why(): string {
    return this.keepers
      .map(({ name, lastError }) => {
        const detail = lastError?.detail ?? 'no answer yet';
        return detail.includes(name) ? detail : `${name}: ${detail}`;
      })
      .join('; ');
  }
}
