/**
 * Messages of one subscription that wait for their turn.
 *
 * Invariant: at most `messagesMax` messages wait, and together with all other inboxes of the client they and the messages
 * that are being handled hold at most the bytes of the budget (one larger message is taken when nothing is held).
 * What does not fit is refused at once, never queued elsewhere: reading goes on, so that answers to our own calls and
 * heartbeats are not stuck behind a slow handler.
 */
import type { Message } from './message.js';

/** What an entry costs beside its payload. */
const MESSAGE_OVERHEAD_BYTES = 256;

/** Bytes held by all inboxes and handlers of a client. */
export class ByteBudget {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get heldBytes(): number {
    return this.#held;
  }

  take(message: Message): boolean {
    const bytes = costOf(message);
    if (this.#held > 0 && this.#held + bytes > this.#max) return false;
    this.#held += bytes;
    return true;
  }

  give(message: Message): void {
    this.#held -= costOf(message);
  }
}

function costOf(message: Message): number {
  return message.payload.length + MESSAGE_OVERHEAD_BYTES;
}

export class Inbox {
  readonly #messagesMax: number;
  readonly #budget: ByteBudget;
  /** A queue whose first element is `#waiting[#head]`; the front is cut off when half of it is gone. */
  #waiting: Message[] = [];
  #head = 0;

  constructor(messagesMax: number, budget: ByteBudget) {
    this.#messagesMax = messagesMax;
    this.#budget = budget;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** False when the message does not fit. */
  offer(message: Message): boolean {
    if (this.size >= this.#messagesMax || !this.#budget.take(message)) return false;
    this.#waiting.push(message);
    return true;
  }

  /** The oldest message; its bytes count until `settled`. */
  take(): Message | undefined {
    if (this.size === 0) return undefined;
    const message = this.#waiting[this.#head];
    this.#head++;
    if (this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  settled(message: Message): void {
    this.#budget.give(message);
  }

  /** Forgets what waits. */
  clear(): void {
    for (let message = this.take(); message !== undefined; message = this.take()) this.settled(message);
  }
}
