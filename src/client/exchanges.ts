/**
 * Calls that wait for a frame with their seq.
 *
 * Invariant: every started exchange settles exactly once, before its deadline: by the answer, the time-out, the caller's
 * signal or the end of the link; afterwards nothing of it is left (no timer, no listener, no queued frame).
 */
import type { ChannelFrame } from '../wire/channel/frame.js';
import { AmopCode, AmopError } from './amop-error.js';
import type { Link, Outgoing } from './link.js';
import { newSeq, seqText } from './seq.js';

export interface ExchangeStart {
  /** Type of the frame that answers; another type with this seq is none. */
  readonly answerType: number;
  /** The frame to send. */
  encode(seq: string): Buffer;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Exchange {
  readonly answerType: number;
  resolve(answer: ChannelFrame): void;
  reject(error: unknown): void;
}

export class Exchanges {
  readonly #link: Link;
  readonly #outstandingMax: number;
  readonly #open = new Map<string, Exchange>();

  constructor(link: Link, outstandingMax: number) {
    this.#link = link;
    this.#outstandingMax = outstandingMax;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Sends a frame and resolves with the one that answers it.
   * @throws AmopError 99 (not sent) or 102 (no answer in time), or the signal's reason.
   */
  start(start: ExchangeStart): Promise<ChannelFrame> {
    const { signal, timeoutMs, answerType } = start;
    return new Promise<ChannelFrame>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#link.error !== undefined) throw this.#link.error;
      if (this.#open.size >= this.#outstandingMax) {
        const detail = `${this.#open.size} calls are waiting for an answer already`;
        throw new AmopError(AmopCode.notSent, { reason: 'outstanding-max', detail });
      }
      const seq = newSeq();
      const outgoing = this.#link.send(start.encode(seq));
      if (outgoing === undefined) {
        const detail = 'the relay takes messages slower than they are sent';
        throw new AmopError(AmopCode.notSent, { reason: 'queue-full', detail, seq });
      }
      const onAbort = () => exchange.reject(signal?.reason);
      const timer = setTimeout(() => exchange.reject(timeoutError(this.#link, outgoing, seq, timeoutMs)), timeoutMs);
      const finish = () => {
        this.#open.delete(seq);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#link.withdraw(outgoing);
      };
      const exchange: Exchange = {
        answerType,
        resolve: (answer) => {
          finish();
          resolve(answer);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
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

  /** Fails everything that is open; each error carries its own seq. */
  failAll(error: AmopError): void {
    for (const [seq, exchange] of [...this.#open]) {
      const { code, reason, detail, cause } = error;
      exchange.reject(new AmopError(code, { reason, detail, cause, seq }));
    }
  }
}

function timeoutError(link: Link, outgoing: Outgoing, seq: string, timeoutMs: number): AmopError {
  if (link.withdraw(outgoing)) {
    const detail = `still waiting to be written after ${timeoutMs} ms: the relay takes no data`;
    return new AmopError(AmopCode.notSent, { reason: 'not-written', detail, seq });
  }
  return new AmopError(AmopCode.timeout, { reason: 'timeout', detail: `waited ${timeoutMs} ms`, seq });
}
