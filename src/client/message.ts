import { AmopCode } from './amop-error.js';
import { type Payload, parsePayload, payloadBytes } from './payload.js';

/** The answer to one unicast as it goes on the wire. */
export interface Answer {
  readonly result: number;
  readonly payload: Buffer;
}

/** Where a message came from; `answer` is undefined for a multicast and otherwise says whether the answer was taken. */
export interface MessageSource {
  readonly relay: string;
  readonly answer: ((answer: Answer) => boolean) | undefined;
}

const INT32_MAX = 0x7fffffff;

/** A message as a subscriber gets it. */
export class Message {
  readonly topic: string;
  readonly payload: Buffer;
  /** 32 characters as the sender wrote them, usually lower-case hex: the key to the relay's log. */
  readonly seq: string;
  /** True for a multicast, which nobody can answer. */
  readonly multicast: boolean;
  /** `host:port` of the relay that brought it. */
  readonly relay: string;
  #answer: MessageSource['answer'];

  /** Made by the client. */
  constructor(topic: string, payload: Buffer, seq: string, source: MessageSource) {
    this.topic = topic;
    this.payload = payload;
    this.seq = seq;
    this.multicast = source.answer === undefined;
    this.relay = source.relay;
    this.#answer = source.answer;
  }

  /** The payload as UTF-8. */
  text(): string {
    return this.payload.toString();
  }

  /**
   * The payload as JSON; the type is the caller's word for it.
   * @throws SyntaxError when it is none
   */
  json<T = unknown>(): T {
    return parsePayload(this.topic, this.payload) as T;
  }

  /**
   * Answers a unicast. Only the first answer counts. False where there is nothing to answer (a multicast, a second answer)
   * or the answer could not be sent, because the connection it came over is gone or takes no data.
   * @throws TypeError or RangeError for a payload that cannot be sent; the message is then still to be answered.
   */
  reply(payload: Payload = ''): boolean {
    return this.#send({ result: 0, payload: payloadBytes(this.topic, payload) });
  }

  /**
   * Answers a unicast with an error, as `reply` does: the sender gets an AmopError with this code, one of your own (99 to
   * 104 have a meaning already; 1 is what a handler that throws answers), and the reason.
   */
  fail(code: number = AmopCode.subscriberFailed, reason?: string): boolean {
    if (!Number.isInteger(code) || code === 0 || Math.abs(code) > INT32_MAX) {
      throw new RangeError(`code must be a whole number other than 0 of 32 bits, got ${code}`);
    }
    const payload = reason === undefined ? '' : { reason: String(reason) };
    return this.#send({ result: code, payload: payloadBytes(this.topic, payload) });
  }

  #send(answer: Answer): boolean {
    const taken = this.#answer?.(answer) ?? false;
    this.#answer = undefined;
    return taken;
  }
}
