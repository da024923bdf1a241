/**
 * Messages of one subscription that wait for their turn.
 *
 * Invariant: at most `messagesMax` messages wait, and together with all other inboxes of the client they and the messages
 * that are being handled hold at most the bytes of the budget (one larger message is taken when nothing is held).
 * What does not fit is refused at once, never queued elsewhere: reading goes on, so that answers to our own calls and
 * heartbeats are not stuck behind a slow handler.
 *
 * An inbox that holds reading does it the other way round: when it is full nothing more is read until it is half empty. Only what
 * comes while a relay is told topics, which cannot wait, may still fill it: it takes twice as much, of messages and of bytes.
 */
import type { Message } from './message.js';
import type { Filling, Reading } from './reading.js';

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

  get isFull(): boolean {
    return this.#held >= this.#max;
  }

  /** @param factor how much more than its maximum may be held */
  take(message: Message, factor = 1): boolean {
    const bytes = costOf(message);
    if (this.#held > 0 && this.#held + bytes > this.#max * factor) return false;
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

const HELD_FACTOR = 2;

export class Inbox implements Filling {
  readonly #messagesMax: number;
  readonly #budget: ByteBudget;
  readonly #reading: Reading;
  readonly #holds: boolean;
  /** A queue whose first element is `#waiting[#head]`; the front is cut off when half of it is gone. */
  #waiting: Message[] = [];
  #head = 0;

  /** @param holds whether it holds reading when it is full */
  constructor(messagesMax: number, budget: ByteBudget, reading: Reading, holds: boolean) {
    this.#messagesMax = messagesMax;
    this.#budget = budget;
    this.#reading = reading;
    this.#holds = holds;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  get hasRoom(): boolean {
    return this.size * 2 <= this.#messagesMax && !this.#budget.isFull;
  }

  /** False when the message does not fit. */
  offer(message: Message): boolean {
    const factor = this.#holds ? HELD_FACTOR : 1;
    if (this.size >= this.#messagesMax * factor || !this.#budget.take(message, factor)) return false;
    this.#waiting.push(message);
    if (this.#holds && (this.size >= this.#messagesMax || this.#budget.isFull)) this.#reading.hold(this);
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
    this.#reading.recheck();
    return message;
  }

  settled(message: Message): void {
    this.#budget.give(message);
    this.#reading.recheck();
  }

  /** Forgets what waits; nothing comes any more. */
  clear(): void {
    for (let message = this.take(); message !== undefined; message = this.take()) this.settled(message);
    this.#reading.recheck(this);
  }
}
