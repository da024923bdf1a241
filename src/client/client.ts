import { decodeAmopBody, encodeAmopBody } from '../wire/channel/amop-body.js';
import { type ChannelFrame, encodeFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { decodeReasonBody } from '../wire/channel/reason-body.js';
import { formatTopicList } from '../wire/channel/topic-list.js';
import { AmopCode, AmopError } from './amop-error.js';
import { checkTopic, type Payload, payloadBytes } from './arguments.js';
import { REQUEST_TIMEOUT_MS, TIMER_MS_MAX } from './bounds.js';
import type { Exchanges } from './exchanges.js';
import { startHeartbeat } from './heartbeat.js';
import { type Handler, Inbox } from './inbox.js';
import type { Link } from './link.js';
import { integer, type ResolvedOptions } from './options.js';
import { encodeHeartbeat, newSeq, seqBytes, seqText } from './seq.js';

export interface CallOptions {
  /** The call settles within this many ms; default 5,000. */
  readonly timeoutMs?: number;
  /** Ends the call early; it then rejects with the signal's reason. A message that is on its way stays on its way. */
  readonly signal?: AbortSignal;
}

/** The answer of the subscriber that took a request. */
export interface Reply {
  readonly payload: Buffer;
  /** Sequence of the request, 32 hex characters. */
  readonly seq: string;
}

/** The relay has taken a multicast; how many subscribers get it is not known to the sender. */
export interface MulticastReceipt {
  readonly seq: string;
}

/** What the server said about itself. */
export interface ServerInfo {
  /** As announced in 0x14: the version of the reference it stands for. */
  readonly nodeVersion: string;
  /** Channel protocol chosen by the server: 1, 2 or 3. */
  readonly protocol: number;
  /** Empty for a real 2.x node, whose errors carry no reason. */
  readonly capabilities: readonly string[];
}

/** Frames that were dropped since the connection was made. */
export interface ClientCounters {
  /** Answers that nobody waits for: late, or never asked for. */
  unmatchedResponses: number;
  /** Messages on a topic without a handler (left unanswered, so that the relay tries another subscriber). */
  unhandledMessages: number;
  /** Messages whose body has no valid topic. */
  malformedMessages: number;
  /** Answers of handlers that could not be sent because the relay takes no data. */
  droppedAnswers: number;
}

/**
 * One connection to a relay or a 2.x node. It does not reconnect: when `closed` resolves, connect again and subscribe
 * again (reconnection comes with a later release).
 */
export class AmopClient {
  readonly server: ServerInfo;
  readonly counters: ClientCounters = {
    unmatchedResponses: 0,
    unhandledMessages: 0,
    malformedMessages: 0,
    droppedAnswers: 0,
  };
  /** Resolves when the connection is over: undefined after `close()`, else the reason. Never rejects. */
  readonly closed: Promise<AmopError | undefined>;

  readonly #link: Link;
  readonly #exchanges: Exchanges;
  readonly #inbox: Inbox;
  readonly #handlers = new Map<string, Handler>();
  /** What the relay was told last; a topic leaves `#handlers` only after the relay knows. */
  readonly #announced = new Set<string>();
  #closing: Promise<void> | undefined;

  /** Use `connect`. */
  constructor(server: ServerInfo, link: Link, exchanges: Exchanges, options: ResolvedOptions) {
    this.server = server;
    this.#link = link;
    this.#exchanges = exchanges;
    this.#inbox = new Inbox(options, { pause: () => link.pauseReading(), resume: () => link.resumeReading() });
    const stopHeartbeat = startHeartbeat(link, {
      intervalMs: options.heartbeatIntervalMs,
      deadLinkMs: options.deadLinkMs,
      encode: () => encodeHeartbeat(server.protocol, newSeq()),
    });
    this.closed = new Promise((resolve) => {
      link.attach({
        onFrame: (frame) => this.#receive(frame),
        onEnd: (error) => {
          stopHeartbeat();
          exchanges.failAll(error);
          resolve(this.#closing === undefined ? error : undefined);
        },
      });
    });
  }

  /**
   * Subscribes to a topic, or replaces its handler. Resolves when the relay has answered a heartbeat sent behind the new
   * list: a relay works in order, so it then delivers; a 2.x node is told, but its peers learn it up to 5 s later.
   * @throws AmopError 99 or 102; the topic is then not subscribed.
   */
  async subscribe(topic: string, handler: Handler, options: CallOptions = {}): Promise<void> {
    checkTopic(topic);
    if (typeof handler !== 'function') throw new TypeError('handler must be a function');
    const previous = this.#announced.has(topic) ? this.#handlers.get(topic) : undefined;
    this.#handlers.set(topic, handler);
    this.#announced.add(topic);
    try {
      await this.#announce(options);
    } catch (error) {
      if (this.#handlers.get(topic) === handler) this.#restore(topic, previous);
      throw error;
    }
  }

  /**
   * Ends a subscription; resolves as `subscribe` does, and until then the handler is still called.
   * A topic that is not subscribed is left alone.
   */
  async unsubscribe(topic: string, options: CallOptions = {}): Promise<void> {
    checkTopic(topic);
    if (!this.#announced.delete(topic)) return;
    await this.#announce(options);
    if (!this.#announced.has(topic)) this.#handlers.delete(topic);
  }

  /** Topics subscribed now. */
  get topics(): readonly string[] {
    return [...this.#announced];
  }

  /**
   * Sends a message to one subscriber of the topic and resolves with its answer.
   * @throws AmopError with the code of the relay, or 102 after `timeoutMs`, or 99 without a connection.
   */
  async request(topic: string, payload: Payload, options: CallOptions = {}): Promise<Reply> {
    const answer = await this.#call(MessageType.unicast, topic, payload, options);
    const seq = seqText(answer.seq);
    const body = decodeAmopBody(answer.body);
    if (body.ok) return { payload: body.payload, seq };
    const detail = 'its answer has no topic in front of the payload';
    throw new AmopError(AmopCode.subscriberFailed, { reason: 'malformed-answer', detail, seq });
  }

  /**
   * Sends a message to every subscriber of the topic except this connection. Resolves when the relay has taken it, which
   * does not mean that anybody got it.
   * @throws AmopError as `request` does.
   */
  async multicast(topic: string, payload: Payload, options: CallOptions = {}): Promise<MulticastReceipt> {
    const ack = await this.#call(MessageType.multicast, topic, payload, options);
    return { seq: seqText(ack.seq) };
  }

  /** Sends what is queued, fails the calls that wait for an answer with AMOP-99 `closed`, and ends the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #receive(frame: ChannelFrame): void {
    if (frame.type === MessageType.unicast || frame.type === MessageType.multicast) this.#deliver(frame);
    else if (!this.#exchanges.answer(frame) && frame.type === MessageType.response) this.counters.unmatchedResponses++;
    // Heartbeat answers have done their work by arriving. Every other type is ignored, as the protocol asks.
  }

  async #call(type: number, topic: string, payload: Payload, options: CallOptions): Promise<ChannelFrame> {
    checkTopic(topic);
    const body = encodeAmopBody(topic, payloadBytes(topic, payload));
    const answer = await this.#exchanges.start({
      answerType: MessageType.response,
      encode: (seq) => encodeFrame(type, seqBytes(seq), 0, body),
      timeoutMs: callTimeout(options),
      signal: options.signal,
    });
    if (answer.result === 0) return answer;
    throw new AmopError(answer.result, { reason: decodeReasonBody(answer.body), seq: seqText(answer.seq) });
  }

  /** Sends the whole list and waits for the answer to a heartbeat behind it: 0x32 itself has none. */
  async #announce(options: CallOptions): Promise<void> {
    const timeoutMs = callTimeout(options);
    options.signal?.throwIfAborted();
    if (!this.#sendTopicList()) {
      throw this.#link.error ?? new AmopError(AmopCode.notSent, { reason: 'queue-full' });
    }
    await this.#exchanges.start({
      answerType: MessageType.heartbeat,
      encode: (seq) => encodeHeartbeat(this.server.protocol, seq),
      timeoutMs,
      signal: options.signal,
    });
  }

  /** Undoes a subscription whose announcement failed, without waiting. */
  #restore(topic: string, previous: Handler | undefined): void {
    if (previous !== undefined) {
      this.#handlers.set(topic, previous);
      return;
    }
    this.#handlers.delete(topic);
    this.#announced.delete(topic);
    this.#sendTopicList();
  }

  #sendTopicList(): boolean {
    if (this.#link.error !== undefined) return false;
    const list = formatTopicList([...this.#announced]);
    return this.#link.send(encodeFrame(MessageType.subscribe, seqBytes(newSeq()), 0, list)) !== undefined;
  }

  #deliver(frame: ChannelFrame): void {
    const body = decodeAmopBody(frame.body);
    if (!body.ok) {
      this.counters.malformedMessages++;
      return;
    }
    const topic = body.topic.toString();
    const handler = this.#handlers.get(topic);
    if (handler === undefined) {
      this.counters.unhandledMessages++;
      return;
    }
    const multicast = frame.type === MessageType.multicast;
    const message = { topic, payload: body.payload, seq: seqText(frame.seq), multicast };
    this.#inbox.deliver(message, handler, (answer) => {
      if (this.#link.error !== undefined) return;
      const bytes = encodeFrame(
        MessageType.response,
        frame.seq,
        answer.result,
        encodeAmopBody(body.topic, answer.payload),
      );
      if (this.#link.send(bytes) === undefined) this.counters.droppedAnswers++;
    });
  }

  async #close(): Promise<void> {
    const error = new AmopError(AmopCode.notSent, { reason: 'closed', detail: 'the client was closed' });
    this.#exchanges.failAll(error);
    await this.#link.close(error);
  }
}

function callTimeout(options: CallOptions): number {
  return integer('timeoutMs', options.timeoutMs, REQUEST_TIMEOUT_MS, TIMER_MS_MAX);
}
