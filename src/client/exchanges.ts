/**
 * Frames of one connection that wait for the frame with their seq.
 *
 * Invariant: every started exchange settles exactly once, before its deadline: by the answer, the deadline, the caller's
 * signal or the end of the link; afterwards nothing of it is left (no timer, no listener, no queued frame).
 * Their number is bounded by the caller (calls.ts).
 */
import type { ChannelFrame } from '../wire/channel/frame.js';
import { AmopCode, AmopError } from './amop-error.js';
import type { Deadline } from './deadline.js';
import type { Link, Outgoing } from './link.js';
import { seqText } from './seq.js';

export interface ExchangeStart {
  /** 32 characters; no exchange with it may be open. */
  readonly seq: string;
  /** Type of the frame that answers; another type with this seq is none. */
  readonly answerType: number;
  /** The frame to send. */
  readonly bytes: Buffer;
  readonly deadline: Deadline;
  /** See `Link.send`. */
  readonly control?: boolean;
}

interface Exchange {
  readonly answerType: number;
  readonly outgoing: Outgoing;
  resolve(answer: ChannelFrame): void;
  reject(error: unknown): void;
}

export class Exchanges {
  readonly #link: Link;
  readonly #open = new Map<string, Exchange>();

  constructor(link: Link) {
    this.#link = link;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Sends a frame and resolves with the one that answers it.
   * @throws AmopError 99 (with reason `not-written` or `queue-full`: not sent) or 102, or the signal's reason.
   */
  start(start: ExchangeStart): Promise<ChannelFrame> {
    const { seq, answerType, bytes, deadline, control } = start;
    return new Promise<ChannelFrame>((resolve, reject) => {
      deadline.signal?.throwIfAborted();
      if (this.#link.error !== undefined) throw notWritten(this.#link.error, seq);
      const outgoing = this.#link.send(bytes, control);
      if (outgoing === undefined) {
        const detail = 'the relay takes messages slower than they are sent';
        throw new AmopError(AmopCode.notSent, { reason: 'queue-full', detail, seq });
      }
      const disarm = deadline.arm(
        () => exchange.reject(timeoutError(this.#link, outgoing, seq, deadline.timeoutMs)),
        (reason) => exchange.reject(reason),
      );
      const finish = () => {
        this.#open.delete(seq);
        disarm();
        this.#link.withdraw(outgoing);
      };
      const exchange: Exchange = {
        answerType,
        outgoing,
        resolve: (answer) => {
          finish();
          resolve(answer);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      };
      this.#open.set(seq, exchange);
    });
  }

  /** Settles the exchange this frame answers; false where there is none (any more). */
  answer(frame: ChannelFrame): boolean {
    const exchange = this.#open.get(seqText(frame.seq));
    if (exchange === undefined || exchange.answerType !== frame.type) return false;
    exchange.resolve(frame);
    return true;
  }

  /** Fails everything that is open; each error carries its own seq, and says whether its frame may have left. */
  failAll(error: AmopError): void {
    for (const [seq, exchange] of [...this.#open]) {
      const { code, reason, detail, cause } = error;
      const sent = exchange.outgoing.handedOver;
      exchange.reject(sent ? new AmopError(code, { reason, detail, cause, seq }) : notWritten(error, seq));
    }
  }
}

function notWritten(error: AmopError, seq: string): AmopError {
  // A closed client is closed, whether the frame had left or not.
  const reason = error.reason === 'closed' ? 'closed' : 'not-written';
  return new AmopError(AmopCode.notSent, { reason, detail: error.detail, cause: error, seq });
}

function timeoutError(link: Link, outgoing: Outgoing, seq: string, timeoutMs: number): AmopError {
  if (link.withdraw(outgoing)) {
    const detail = `still waiting to be written after ${Math.round(timeoutMs)} ms: the relay takes no data`;
    return new AmopError(AmopCode.notSent, { reason: 'not-written', detail, seq });
  }
  return new AmopError(AmopCode.timeout, { reason: 'timeout', detail: `waited ${Math.round(timeoutMs)} ms`, seq });
}
