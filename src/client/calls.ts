/**
 * A call on its way to whichever relay can carry it.
 *
 * Invariant: every call settles before its deadline. It is sent again, under the same seq, only where that cannot make a
 * subscriber see it twice: a frame that never left us, an answer that says nobody got it (100, 101), and a multicast
 * between relays, which know copies.
 */
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { decodeReasonBody } from '../wire/channel/reason-body.js';
import { AmopCode, AmopError } from './amop-error.js';
import { choose } from './choice.js';
import type { Deadline } from './deadline.js';
import type { Roster } from './roster.js';
import type { Session } from './session.js';

export interface Call {
  readonly type: typeof MessageType.unicast | typeof MessageType.multicast;
  readonly seq: string;
  readonly body: Buffer;
  /** Relays that are better for it than others, by name. */
  readonly prefers?: ((relay: string) => boolean) | undefined;
}

/** How far a call got, farthest first, as a relay reckons it (protocol.md). */
const FARTHEST: readonly number[] = [
  AmopCode.timeout,
  AmopCode.subscriberUnavailable,
  AmopCode.notDelivered,
  AmopCode.overLimit,
  AmopCode.noRoute,
];

/** The request itself is refused: every relay would. */
const FINAL_REASONS: ReadonlySet<string> = new Set(['malformed-body', 'private-topic']);

export interface CallBounds {
  readonly outstandingMax: number;
  /** Bytes of the calls that wait for a relay to be connected. */
  readonly waitingBytesMax: number;
}

export class Calls {
  readonly #roster: Roster;
  readonly #bounds: CallBounds;
  readonly #random: () => number;
  #open = 0;
  #waitingBytes = 0;
  #multicastVia: Session | undefined;

  constructor(roster: Roster, bounds: CallBounds, random: () => number) {
    this.#roster = roster;
    this.#bounds = bounds;
    this.#random = random;
  }

  get open(): number {
    return this.#open;
  }

  /**
   * Resolves with the answer whose result is 0.
   * @throws AmopError with the result of the answer, 102 at the deadline after it was sent, 99 when it was not; or the
   * signal's reason
   */
  async run(call: Call, deadline: Deadline): Promise<ChannelFrame> {
    deadline.signal?.throwIfAborted();
    return this.counted(() => this.#attempts(call, deadline), call.seq);
  }

  /** Does something that waits for relays, as one of the calls that are bounded. @throws AmopError 99 above the bound */
  async counted<T>(work: () => Promise<T>, seq?: string): Promise<T> {
    if (this.#open >= this.#bounds.outstandingMax) {
      const detail = `${this.#open} calls are waiting for an answer already`;
      throw new AmopError(AmopCode.notSent, { reason: 'outstanding-max', detail, seq });
    }
    this.#open++;
    try {
      return await work();
    } finally {
      this.#open--;
    }
  }

  async #attempts(call: Call, deadline: Deadline): Promise<ChannelFrame> {
    const tried = new Set<Session>();
    let farthest: AmopError | undefined;
    for (;;) {
      const session = this.#choose(call, tried);
      if (session === undefined) {
        // Whoever is connected has said why it cannot: that is the answer. Otherwise a relay may come back in time.
        if (farthest !== undefined && (!isUnsent(farthest) || this.#roster.sessions().length > 0)) throw farthest;
        await this.#waitForRelay(call, deadline);
        continue;
      }
      tried.add(session);
      try {
        return await this.#once(call, session, this.#share(call, deadline, session, tried));
      } catch (error) {
        if (!(error instanceof AmopError) || !this.#mayRepeat(call, error, session, deadline)) throw error;
        farthest = fartherOf(farthest, error);
      }
    }
  }

  /** Multicasts keep to one relay as long as it is well: over two, one could overtake another. */
  #choose(call: Call, tried: ReadonlySet<Session>): Session | undefined {
    const nowMs = performance.now();
    const untried = this.#roster.sessions().filter((session) => !tried.has(session));
    const preferred = untried.filter(({ relay }) => call.prefers?.(relay) ?? false);
    const candidates = preferred.length > 0 ? preferred : untried;
    if (call.type !== MessageType.multicast) return choose(candidates, nowMs, this.#random);
    const usual = candidates.find((session) => session === this.#multicastVia && session.avoidUntilMs <= nowMs);
    const chosen = usual ?? choose(candidates, nowMs, this.#random);
    if (chosen !== undefined) this.#multicastVia = chosen;
    return chosen;
  }

  async #once(call: Call, session: Session, deadline: Deadline): Promise<ChannelFrame> {
    const { type, seq, body } = call;
    const answer = await session.exchange({ type, seq, body, answerType: MessageType.response }, deadline);
    if (answer.result === 0) return answer;
    throw new AmopError(answer.result, { reason: decodeReasonBody(answer.body), seq: call.seq });
  }

  /** A multicast that another relay could carry as well leaves it time to. */
  #share(call: Call, deadline: Deadline, session: Session, tried: ReadonlySet<Session>): Deadline {
    if (call.type !== MessageType.multicast || !session.isRelay) return deadline;
    const others = this.#roster.sessions().filter((other) => other.isRelay && !tried.has(other)).length;
    return others === 0 ? deadline : deadline.within(deadline.leftMs() / (others + 1));
  }

  #mayRepeat(call: Call, error: AmopError, session: Session, deadline: Deadline): boolean {
    if (deadline.leftMs() === 0) return false;
    if (isUnsent(error)) return true;
    if (error.code === AmopCode.noRoute || error.code === AmopCode.notDelivered) {
      return error.reason === undefined || !FINAL_REASONS.has(error.reason);
    }
    const unanswered = error.code === AmopCode.notSent ? error.reason !== 'closed' : error.reason === 'timeout';
    const knowsCopies = session.isRelay && this.#roster.sessions().every((other) => other.isRelay);
    return call.type === MessageType.multicast && unanswered && knowsCopies;
  }

  async #waitForRelay(call: Call, deadline: Deadline): Promise<void> {
    const bytes = call.body.length;
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#bounds.waitingBytesMax) {
      const detail = 'too much is waiting for a relay to be reached';
      throw new AmopError(AmopCode.notSent, { reason: 'queue-full', detail, seq: call.seq });
    }
    this.#waitingBytes += bytes;
    try {
      await this.#roster.connected(deadline);
    } catch (error) {
      if (!(error instanceof AmopError)) throw error;
      const { code, reason, detail } = error;
      throw new AmopError(code, { reason, detail, cause: error, seq: call.seq });
    } finally {
      this.#waitingBytes -= bytes;
    }
  }
}

function isUnsent(error: AmopError): boolean {
  return error.code === AmopCode.notSent && (error.reason === 'not-written' || error.reason === 'queue-full');
}

function fartherOf(one: AmopError | undefined, other: AmopError): AmopError {
  if (one === undefined) return other;
  return rank(other) < rank(one) ? other : one;
}

function rank(error: AmopError): number {
  const at = FARTHEST.indexOf(error.code);
  return at < 0 ? FARTHEST.length : at;
}
