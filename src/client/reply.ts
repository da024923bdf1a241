import { parsePayload } from './payload.js';

/** The answer of the subscriber that took a request. */
export class Reply {
  readonly topic: string;
  readonly payload: Buffer;
  /** Sequence of the request, 32 hex characters. */
  readonly seq: string;

  constructor(topic: string, payload: Buffer, seq: string) {
    this.topic = topic;
    this.payload = payload;
    this.seq = seq;
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
}
