/**
 * The one error of a call that was valid but did not succeed. `code` is the number of the AMOP documents (99-103), 104 as
 * real nodes send it, or whatever a subscriber chose; the documents print it with a dash, hence `AMOP-100`.
 * Wrong arguments are TypeError and RangeError instead.
 */

/** Codes with a meaning of their own. */
export const AmopCode = {
  /** The subscriber took the message but could not answer it; made by this client when a handler throws. */
  subscriberFailed: 1,
  /**
   * The message could not be sent, or the connection was lost before its answer came. Only with reason `connection-lost`,
   * `dead-link` or `bad-frame` may it have been delivered; otherwise sending again is safe.
   */
  notSent: 99,
  /** The message did not reach a relay or node that can take it, usually because nobody subscribes to the topic. */
  noRoute: 100,
  /** The message reached a relay but could not be handed to any subscriber. */
  notDelivered: 101,
  /** No answer in time. The subscriber may have handled the message: sending again may handle it twice. */
  timeout: 102,
  /** Refused by a bandwidth or backlog limit: send slower. */
  overLimit: 103,
  /** From a 2.x node: its subscribers were silent or gone. */
  subscriberUnavailable: 104,
} as const;
export type AmopCode = (typeof AmopCode)[keyof typeof AmopCode];

const TEXTS: Readonly<Record<number, string>> = {
  [AmopCode.subscriberFailed]: 'the subscriber could not answer the message',
  [AmopCode.notSent]: 'no working connection to the relay',
  [AmopCode.noRoute]: 'no subscriber of this topic can be reached',
  [AmopCode.notDelivered]: 'the relay could not hand the message to any subscriber',
  [AmopCode.timeout]: 'no answer in time',
  [AmopCode.overLimit]: 'refused by a bandwidth or backlog limit',
  [AmopCode.subscriberUnavailable]: 'the subscribers behind the node did not answer',
};

/** Says in words what a code means; every int32 has a text. */
export function describeCode(code: number): string {
  return TEXTS[code] ?? 'the subscriber answered with an error of its own';
}

export interface AmopErrorDetails {
  /** Short machine-readable cause, from the relay or from this client, such as `connection-lost`. */
  readonly reason?: string | undefined;
  /** Sequence of the message, 32 hex characters: the key to the relay's log. */
  readonly seq?: string | undefined;
  /** One sentence for a person that adds to the text of the code. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

export class AmopError extends Error {
  override readonly name = 'AmopError';
  /** Positive, as on the wire. */
  readonly code: number;
  readonly reason: string | undefined;
  readonly seq: string | undefined;
  readonly detail: string | undefined;

  constructor(code: number, details: AmopErrorDetails = {}) {
    const { reason, seq, detail, cause } = details;
    const more = detail ?? reason;
    super(
      `AMOP-${code}: ${describeCode(code)}${more === undefined ? '' : ` (${more})`}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.reason = reason;
    this.seq = seq;
    this.detail = detail;
  }

  /** The form of the documents: `AMOP-100`. */
  get id(): string {
    return `AMOP-${this.code}`;
  }
}
