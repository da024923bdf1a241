import type { Receipt } from './client.js';
import type { Deadline } from './deadline.js';
import type { CallOptions } from './options.js';
import type { Payload } from './payload.js';
import type { PrivateReceiver, PrivateReceivers } from './private-receivers.js';
import type { Reply } from './reply.js';

/** What a sender needs of its client. @internal */
export interface SenderContext {
  readonly receivers: PrivateReceivers;
  request(payload: Payload, options: CallOptions): Promise<Reply>;
  send(type: 'publish' | 'multicast', payload: Payload, options: CallOptions): Promise<Receipt>;
  deadlineOf(options: CallOptions): Deadline;
  /** Takes the push topic back; resolves when the relays know. */
  close(): Promise<void>;
}

/**
 * Sends on a private topic. The relay asks it about every receiver that appears; it challenges each, and messages reach those
 * alone that have proven to hold the private half of one of the public keys. That goes on by itself until `close()`, the signal
 * or the end of the client, and begins anew after a loss of the connection.
 */
export class PrivateTopicSender {
  /** Plain name of the topic. */
  readonly topic: string;
  readonly #context: SenderContext;
  #closing: Promise<void> | undefined;

  /** Made by `client.publishPrivate`. */
  constructor(topic: string, context: SenderContext) {
    this.topic = topic;
    this.#context = context;
  }

  /**
   * As `client.request`, to one certified receiver.
   * @throws AmopError as `client.request` does; 100 `not-certified` when there is none
   */
  async request(payload: Payload, options: CallOptions = {}): Promise<Reply> {
    return this.#context.request(payload, options);
  }

  /** As `client.publish`, to one certified receiver. */
  async publish(payload: Payload, options: CallOptions = {}): Promise<Receipt> {
    return this.#context.send('publish', payload, options);
  }

  /** As `client.multicast`, to every certified receiver. @throws AmopError 100 `not-certified` when there is none */
  async multicast(payload: Payload, options: CallOptions = {}): Promise<Receipt> {
    return this.#context.send('multicast', payload, options);
  }

  /** The receivers that relays have asked about, as they were last certified. */
  status(): PrivateReceiver[] {
    return this.#context.receivers.list();
  }

  /**
   * Resolves when at least one receiver is certified.
   * @throws AmopError 100 `not-certified` after `timeoutMs` (default 5,000) with what is known of the receivers, 99 `closed`,
   * or the signal's reason
   */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#context.receivers.certified(this.#context.deadlineOf(options));
  }

  /** Ends the sender. Resolves when the relays know, or do not answer in time; calls that are under way go on. */
  close(): Promise<void> {
    this.#closing ??= this.#context.close();
    return this.#closing;
  }
}
