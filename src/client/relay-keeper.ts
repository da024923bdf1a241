/**
 * Keeps one relay connected: dials, and dials again after a loss, until it is closed.
 *
 * Invariant: at most one attempt or connection at a time; `session` is set exactly while one works; after `close` nothing
 * is left (no timer, no socket).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../base/errors.js';
import type { TlsIdentity } from '../pki/identity.js';
import { formatRelayAddress, type RelayAddress } from './address.js';
import { AmopCode, AmopError } from './amop-error.js';
import { backoffMs } from './backoff.js';
import { STABLE_CONNECTION_MS } from './bounds.js';
import type { AbortHub } from './deadline.js';
import { dial } from './dial.js';
import { RelayHealth } from './health.js';
import { Session, type SessionEvents, type SessionOptions } from './session.js';

export interface KeeperOptions extends SessionOptions {
  readonly connectTimeoutMs: number;
  readonly queueBytesMax: number;
}

export interface KeeperEvents extends SessionEvents {
  onConnect(session: Session): void;
  onDisconnect(relay: string, error: AmopError): void;
  /** An attempt failed; the next follows after `delayMs`. */
  onRetry(relay: string, error: AmopError, delayMs: number): void;
}

/** A relay that answers and will not have us; everything else is an outage, in which asking again costs nobody anything. */
const REFUSALS: ReadonlySet<string> = new Set(['refused', 'handshake-failed']);
const OUTAGE_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
]);

export class RelayKeeper {
  /** `host:port`. */
  readonly name: string;
  readonly health = new RelayHealth();
  session: Session | undefined;
  /** Why the last attempt or connection ended; undefined before the first has. */
  lastError: AmopError | undefined;
  readonly #address: RelayAddress;
  readonly #identity: TlsIdentity;
  readonly #options: KeeperOptions;
  readonly #hub: AbortHub;
  readonly #events: KeeperEvents;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #outages = 0;
  #refusals = 0;
  #downSinceMs = 0;

  constructor(
    address: RelayAddress,
    identity: TlsIdentity,
    options: KeeperOptions,
    context: { readonly hub: AbortHub; readonly events: KeeperEvents },
  ) {
    this.name = formatRelayAddress(address);
    this.#address = address;
    this.#identity = identity;
    this.#options = options;
    this.#hub = context.hub;
    this.#events = context.events;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends attempt and connection; resolves when nothing is left of them. */
  async close(error: AmopError): Promise<void> {
    this.#closing.abort(error);
    await this.session?.close(error);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    this.#downSinceMs = performance.now();
    while (!signal.aborted) {
      try {
        await this.#connectOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.lastError = asAmopError(error);
        const delayMs = this.#nextDelayMs(this.lastError);
        this.#events.onRetry(this.name, this.lastError, delayMs);
        await pause(delayMs, signal);
        continue;
      }
      if (signal.aborted) return;
      await pause(this.#nextDelayMs(undefined), signal);
    }
  }

  /** Resolves when a connection that worked is over; throws when there was none. */
  async #connectOnce(signal: AbortSignal): Promise<void> {
    const { connectTimeoutMs, queueBytesMax } = this.#options;
    const connection = await dial({
      address: this.#address,
      identity: this.#identity,
      connectTimeoutMs,
      queueBytesMax,
      diagnose: this.lastError === undefined,
      signal,
      hub: this.#hub,
    });
    const context = { health: this.health, hub: this.#hub, events: this.#events };
    const session = new Session(this.name, connection, context, this.#options);
    if (signal.aborted) {
      await session.close(asAmopError(signal.reason));
      return;
    }
    const connectedMs = performance.now();
    this.session = session;
    this.#events.onConnect(session);
    const error = await session.ended;
    this.session = undefined;
    if (signal.aborted) return;
    this.lastError = error;
    this.#downSinceMs = performance.now();
    this.#refusals = 0;
    this.#outages = this.#downSinceMs - connectedMs < STABLE_CONNECTION_MS ? this.#outages + 1 : 0;
    this.#events.onDisconnect(this.name, error);
  }

  #nextDelayMs(failure: AmopError | undefined): number {
    const downMs = performance.now() - this.#downSinceMs;
    const refused = failure !== undefined && isRefusal(failure);
    const attempts = refused ? this.#refusals : this.#outages;
    if (refused) this.#refusals++;
    else if (failure !== undefined) this.#outages++;
    return backoffMs({ attempts, downMs, refused }, Math.random);
  }
}

function isRefusal(error: AmopError): boolean {
  if (error.reason !== 'connect-failed') return REFUSALS.has(error.reason ?? '');
  const code = (error.cause as { code?: unknown } | undefined)?.code;
  return !(typeof code === 'string' && OUTAGE_CODES.has(code));
}

/** What `dial` throws is an AmopError; anything else is a fault of ours that must not end the loop. */
function asAmopError(error: unknown): AmopError {
  if (error instanceof AmopError) return error;
  return new AmopError(AmopCode.notSent, { reason: 'connect-failed', detail: errorText(error), cause: error });
}

/** Resolves after the time or at once when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
