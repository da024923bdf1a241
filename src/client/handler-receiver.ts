/**
 * A subscription with a handler.
 *
 * Invariant: handlers are called in the order of arrival, at most `concurrency` of them have not settled, and every
 * unicast that reached a handler gets at most one answer. A place is free again when the handler settles or
 * `handlerTimeoutMs` has passed; an answer that comes later than that is not sent, for nobody waits for it.
 */
import { AmopCode } from './amop-error.js';
import type { Inbox } from './inbox.js';
import type { Message } from './message.js';
import type { Payload } from './payload.js';

/**
 * What a handler may return: the answer to a unicast. Nothing (undefined, null) answers with an empty payload, unless the
 * handler has called `message.reply()` itself. Ignored for a multicast.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement is the usual one for multicasts
export type HandlerResult = Payload | undefined | null | void;

/**
 * Handles the messages of one topic. One that throws or rejects answers the sender with AMOP-1 and a fixed reason; the
 * error itself never leaves the process (it goes to `onHandlerError`).
 */
export type Handler = (message: Message) => HandlerResult | Promise<HandlerResult>;

export interface HandlerOptions {
  readonly concurrency: number;
  readonly handlerTimeoutMs: number;
  readonly onHandlerError: (error: unknown, message: Message) => void;
}

/** Where the messages of a topic go. */
export interface Receiver {
  /** True once `end` was called: what still comes is for nobody. */
  readonly ended: boolean;
  /** False when the message was refused because the receiver is full. */
  deliver(message: Message): boolean;
  /** No message comes any more; those that wait are still handled. `onDrained` is called once when none waits. */
  finish(onDrained: () => void): void;
  /** Drops what waits: the subscription was ended at once, or (with an error) could not begin. */
  end(error?: unknown): void;
}

/** All that a sender learns of a handler's error. */
const FAILURE = { reason: 'handler-failed' } as const;

export class HandlerReceiver implements Receiver {
  readonly #handler: Handler;
  readonly #inbox: Inbox;
  readonly #options: HandlerOptions;
  ended = false;
  #running = 0;
  #onDrained: (() => void) | undefined;

  constructor(handler: Handler, inbox: Inbox, options: HandlerOptions) {
    this.#handler = handler;
    this.#inbox = inbox;
    this.#options = options;
  }

  deliver(message: Message): boolean {
    if (!this.#inbox.offer(message)) return false;
    this.#pump();
    return true;
  }

  finish(onDrained: () => void): void {
    this.#onDrained = onDrained;
    this.#pump();
  }

  end(): void {
    this.ended = true;
    this.#inbox.clear();
    this.#pump();
  }

  #pump(): void {
    while (this.#running < this.#options.concurrency) {
      const message = this.#inbox.take();
      if (message === undefined) break;
      this.#run(message);
    }
    if (this.#inbox.size > 0) return;
    this.#onDrained?.();
    this.#onDrained = undefined;
  }

  #run(message: Message): void {
    let result: HandlerResult | Promise<HandlerResult>;
    try {
      result = this.#handler(message);
    } catch (error) {
      this.#inbox.settled(message);
      this.#failed(error, message);
      return;
    }
    if (isThenable(result)) {
      this.#await(result, message);
      return;
    }
    this.#inbox.settled(message);
    this.#succeeded(result, message);
  }

  #await(result: PromiseLike<HandlerResult>, message: Message): void {
    this.#running++;
    let waiting = true;
    const leave = () => {
      if (!waiting) return false;
      waiting = false;
      clearTimeout(timer);
      this.#running--;
      this.#inbox.settled(message);
      // Behind the answer to this message.
      queueMicrotask(() => this.#pump());
      return true;
    };
    const timer = setTimeout(() => {
      if (!leave()) return;
      this.#options.onHandlerError(new Error(`not settled after ${this.#options.handlerTimeoutMs} ms`), message);
    }, this.#options.handlerTimeoutMs);
    timer.unref();
    result.then(
      (value) => {
        if (leave()) this.#succeeded(value, message);
      },
      (error: unknown) => {
        if (leave()) this.#failed(error, message);
      },
    );
  }

  #succeeded(value: HandlerResult, message: Message): void {
    if (message.multicast) return;
    try {
      message.reply(value ?? '');
    } catch (error) {
      this.#failed(error, message);
    }
  }

  #failed(error: unknown, message: Message): void {
    message.fail(AmopCode.subscriberFailed, FAILURE.reason);
    this.#options.onHandlerError(error, message);
  }
}

function isThenable(value: unknown): value is PromiseLike<HandlerResult> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
