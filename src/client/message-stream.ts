import type { Receiver } from './handler-receiver.js';
import type { Inbox } from './inbox.js';
import type { Message } from './message.js';

/** Ends the subscription behind a stream; resolves when the relays know. Never rejects. */
export type Unsubscribe = (stream: MessageStream) => Promise<void>;

/**
 * The messages of one topic as an async iterator. It is subscribed from the start, not from the first `next()`.
 *
 * A loop takes the messages one after the other, in the order of arrival; those that come meanwhile wait in the inbox.
 * A unicast is answered by `message.reply()` and only by it: one that is never replied to goes to another subscriber
 * after the relay's time for a subscriber (5 s), or ends at the sender as AMOP-102.
 * After `unsubscribe` the loop takes what still waits and ends. It ends at once when the signal is aborted or the client is
 * closed; messages that wait then are dropped, unanswered. Leaving the loop ends the subscription.
 */
export class MessageStream implements Receiver, AsyncIterableIterator<Message> {
  /** Resolves as `subscribe` with a handler does. Rejects, and so does the loop, when the topic could not be subscribed. */
  readonly ready: Promise<void>;
  /** True once nothing comes any more. */
  ended = false;
  readonly #inbox: Inbox;
  readonly #unsubscribe: Unsubscribe;
  readonly #waiters: { resolve(result: IteratorResult<Message>): void; reject(error: unknown): void }[] = [];
  #current: Message | undefined;
  #finished = false;
  #failure: { readonly error: unknown } | undefined;

  /** Made by `client.subscribe(topic)`. */
  constructor(inbox: Inbox, begin: (stream: MessageStream) => Promise<void>, unsubscribe: Unsubscribe) {
    this.#inbox = inbox;
    this.#unsubscribe = unsubscribe;
    this.ready = begin(this);
    // Whoever only loops learns of a failure there.
    this.ready.catch((error: unknown) => this.end(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Message>> {
    this.#leaveCurrent();
    const message = this.#inbox.take();
    if (message !== undefined) return { done: false, value: this.#enter(message) };
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#finished) this.end();
    if (this.ended) return { done: true, value: undefined };
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<Message>> {
    this.end();
    await this.#unsubscribe(this);
    return { done: true, value: undefined };
  }

  /** Called by the client. */
  deliver(message: Message): boolean {
    if (this.ended || !this.#inbox.offer(message)) return false;
    const waiter = this.#waiters.shift();
    const next = waiter === undefined ? undefined : this.#inbox.take();
    if (waiter !== undefined && next !== undefined) waiter.resolve({ done: false, value: this.#enter(next) });
    return true;
  }

  /** Called by the client. */
  finish(onDrained: () => void): void {
    this.#finished = true;
    if (this.#inbox.size === 0) this.end();
    // What waits is the loop's business now, whenever it comes for it.
    onDrained();
  }

  /** Called by the client; with an error when the topic could not be subscribed. */
  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#leaveCurrent();
    this.#inbox.clear();
    const waiters = this.#waiters.splice(0);
    if (error !== undefined) {
      const first = waiters.shift();
      if (first === undefined) this.#failure = { error };
      else first.reject(error);
    }
    for (const waiter of waiters) waiter.resolve({ done: true, value: undefined });
  }

  /** A message counts as being handled until the next one is asked for. */
  #enter(message: Message): Message {
    this.#leaveCurrent();
    this.#current = message;
    return message;
  }

  #leaveCurrent(): void {
    if (this.#current !== undefined) this.#inbox.settled(this.#current);
    this.#current = undefined;
  }
}
