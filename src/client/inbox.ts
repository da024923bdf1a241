/**
 * Messages on their way through the caller's handlers.
 *
 * Invariant: at most `handlersMax` handlers and `handlerBytesMax` payload bytes are in flight, give or take the frames of
 * the chunk that crossed the bound; beyond that reading is paused, until a handler settles or `handlerTimeoutMs` passes.
 * Every unicast gets at most one answer.
 */
import { AmopCode } from './amop-error.js';
import { type Payload, payloadBytes } from './arguments.js';
import type { ResolvedOptions } from './options.js';

/** A message as a handler sees it. */
export interface Message {
  readonly topic: string;
  /** A view of the receive buffer: copy what is kept for long. */
  readonly payload: Buffer;
  /** 32 bytes as the sender wrote them, usually lower-case hex. */
  readonly seq: string;
  /** True for a multicast: what the handler returns is ignored. */
  readonly multicast: boolean;
}

/** What a handler may return: the answer to a unicast. Nothing (undefined, null) answers with an empty payload. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement is the usual one for multicasts
export type HandlerResult = Payload | undefined | null | void;

/**
 * Handles the messages of one topic. Called in the order of arrival, without waiting for earlier calls to settle.
 * One that throws answers the sender with AMOP-1 and a fixed reason; the error itself never leaves the process.
 */
export type Handler = (message: Message) => HandlerResult | Promise<HandlerResult>;

/** The answer to one unicast. */
export interface Answer {
  readonly result: number;
  readonly payload: Buffer;
}

export interface InboxEvents {
  pause(): void;
  resume(): void;
}

const FAILED: Answer = {
  result: AmopCode.subscriberFailed,
  payload: Buffer.from(JSON.stringify({ reason: 'handler-failed' })),
};

type InboxOptions = Pick<ResolvedOptions, 'handlersMax' | 'handlerBytesMax' | 'handlerTimeoutMs' | 'onHandlerError'>;

export class Inbox {
  readonly #options: InboxOptions;
  readonly #events: InboxEvents;
  #running = 0;
  #bytes = 0;
  #paused = false;

  constructor(options: InboxOptions, events: InboxEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Runs the handler; `answer` is called at most once, never for a multicast. */
  deliver(message: Message, handler: Handler, answer: (answer: Answer) => void): void {
    const reply = message.multicast ? () => {} : answer;
    let result: HandlerResult | Promise<HandlerResult>;
    try {
      result = handler(message);
    } catch (error) {
      this.#failed(error, message, reply);
      return;
    }
    if (result instanceof Promise) this.#await(result, message, reply);
    else this.#succeeded(result, message, reply);
  }

  #await(result: Promise<HandlerResult>, message: Message, reply: (answer: Answer) => void): void {
    this.#enter(message.payload.length);
    let waiting = true;
    const leave = () => {
      if (!waiting) return false;
      waiting = false;
      clearTimeout(timer);
      this.#leave(message.payload.length);
      return true;
    };
    const timer = setTimeout(() => {
      if (!leave()) return;
      this.#report(new Error(`not settled after ${this.#options.handlerTimeoutMs} ms`), message);
    }, this.#options.handlerTimeoutMs);
    timer.unref();
    result.then(
      (value) => {
        if (leave()) this.#succeeded(value, message, reply);
      },
      (error: unknown) => {
        if (leave()) this.#failed(error, message, reply);
      },
    );
  }

  #succeeded(value: HandlerResult, message: Message, reply: (answer: Answer) => void): void {
    if (message.multicast) return;
    let payload: Buffer;
    try {
      payload = payloadBytes(message.topic, value ?? '');
    } catch (error) {
      this.#failed(error, message, reply);
      return;
    }
    reply({ result: 0, payload });
  }

  #failed(error: unknown, message: Message, reply: (answer: Answer) => void): void {
    reply(FAILED);
    this.#report(error, message);
  }

  #report(error: unknown, message: Message): void {
    this.#options.onHandlerError(error, { topic: message.topic, seq: message.seq });
  }

  #enter(bytes: number): void {
    this.#running++;
    this.#bytes += bytes;
    if (!this.#paused && this.#isFull()) {
      this.#paused = true;
      this.#events.pause();
    }
  }

  #leave(bytes: number): void {
    this.#running--;
    this.#bytes -= bytes;
    if (this.#paused && !this.#isFull()) {
      this.#paused = false;
      this.#events.resume();
    }
  }

  #isFull(): boolean {
    return this.#running >= this.#options.handlersMax || this.#bytes >= this.#options.handlerBytesMax;
  }
}
