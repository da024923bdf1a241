import { EventEmitter } from 'node:events';
import type { TlsIdentity } from '../pki/identity.js';
import { decodeAmopBody, encodeAmopBody } from '../wire/channel/amop-body.js';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { AmopCode, AmopError } from './amop-error.js';
import { Calls } from './calls.js';
import { AbortHub, type Deadline } from './deadline.js';
import type { ClientCounters, ClientEvents, RelayStatus } from './events.js';
import { type Handler, HandlerReceiver, type Receiver } from './handler-receiver.js';
import { ByteBudget, Inbox } from './inbox.js';
import { Incoming } from './incoming.js';
import { MessageStream } from './message-stream.js';
import {
  type CallOptions,
  deadlineOf,
  type ResolvedOptions,
  resolveSubscribeOptions,
  type SubscribeOptions,
} from './options.js';
import { checkTopic, ownBytes, type Payload, payloadBytes } from './payload.js';
import { type PrivateTopicKey, type PublicTopicKey, privateKeyBytes, publicKeyBytes } from './private-keys.js';
import { checkPrivateName } from './private-names.js';
import type { PrivateTopicSender } from './private-sender.js';
import { type OutgoingMessage, PrivateTopics } from './private-topics.js';
import { Reading } from './reading.js';
import { Reply } from './reply.js';
import { Roster } from './roster.js';
import { newSeq, seqText } from './seq.js';
import type { Session } from './session.js';
import { Subscriptions } from './subscriptions.js';
import { askTopics, mergeTopics, type TopicInfo } from './topics.js';

/** A message was taken: by one subscriber (`publish`) or by a relay (`multicast`). */
export interface Receipt {
  /** Sequence of the message, 32 hex characters: the key to the relay's log. */
  readonly seq: string;
}

/** One topic to be subscribed, checked. */
interface Target {
  begin(receiver: Receiver, deadline: Deadline): Promise<void>;
  end(receiver: Receiver, deadline: Deadline): Promise<void>;
}

/**
 * A client of one or more relays (or 2.x nodes). It keeps a connection to each, dials again what is lost, and tells every
 * new connection its topics. A call goes over one of them.
 */
export class AmopClient extends EventEmitter<ClientEvents> {
  /** Resolves when `close` has ended everything. Never rejects. */
  readonly closed: Promise<void>;

  readonly #options: ResolvedOptions;
  readonly #hub = new AbortHub();
  readonly #roster: Roster;
  readonly #calls: Calls;
  readonly #subscriptions: Subscriptions;
  readonly #budget: ByteBudget;
  readonly #reading = new Reading((reads) => {
    for (const session of this.#roster.sessions()) session.setReading(reads);
  });
  readonly #incoming: Incoming;
  readonly #private: PrivateTopics;
  #closing: Promise<void> | undefined;
  #resolveClosed!: () => void;

  /** Use `connect`. */
  constructor(identity: TlsIdentity, options: ResolvedOptions) {
    super();
    this.#options = options;
    this.#budget = new ByteBudget(options.inboxBytesMax);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const events = {
      onConnect: (session: Session) => void this.#connected(session),
      onDisconnect: (relay: string, error: AmopError) => {
        this.#private.onDisconnect(relay);
        this.#tell('disconnect', { relay, error });
      },
      onRetry: (relay: string, error: AmopError, delayMs: number) => this.#tell('retry', { relay, error, delayMs }),
      onFrame: (frame: ChannelFrame, session: Session) => this.#incoming.receive(frame, session),
      topics: () => this.#subscriptions.topics(),
    };
    this.#roster = new Roster(options.addresses, identity, options, { hub: this.#hub, events });
    this.#subscriptions = new Subscriptions(this.#roster, this.#hub);
    const { outstandingMax, queueBytesMax } = options;
    this.#calls = new Calls(this.#roster, { outstandingMax, waitingBytesMax: queueBytesMax }, Math.random);
    this.#incoming = new Incoming({
      targetOf: (topic) => this.#subscriptions.targetOf(topic),
      onCertificationRequest: (frame, session) => this.#private.onCertificationRequest(frame, session),
      onDrop: (message) => this.#tell('drop', message),
    });
    this.#private = new PrivateTopics({
      hub: this.#hub,
      subscriptions: this.#subscriptions,
      call: (topic, message) => this.#call(topic, message),
      readReply,
    });
    this.#roster.start();
  }

  /**
   * Resolves when a relay is connected, for a client that was made with `lazy`.
   * @throws AmopError 99 after `timeoutMs`, or the signal's reason
   */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#roster.connected(deadlineOf(options, this.#hub));
  }

  /** For `connect`: fails as soon as every relay has failed once. @internal */
  async firstConnection(timeoutMs: number): Promise<void> {
    await this.#roster.connected(deadlineOf({ timeoutMs }, this.#hub), true);
  }

  /** What became of frames, since the client was made. */
  get counters(): Readonly<ClientCounters> {
    return this.#incoming.counters;
  }

  /** The relays and how they are doing, in the order in which they were given. */
  get relays(): readonly RelayStatus[] {
    return this.#roster.keepers.map(({ name, session, health, lastError }) => ({
      relay: name,
      state: session === undefined ? 'disconnected' : 'connected',
      server: session?.server,
      outstanding: session?.outstanding ?? 0,
      rttMs: health.rttMs,
      lastError,
    }));
  }

  /** Topics subscribed now, without private ones. */
  get subscriptions(): readonly string[] {
    return this.#subscriptions.names('topic');
  }

  /** Private topics subscribed now, by their plain names. */
  get privateSubscriptions(): readonly string[] {
    return this.#subscriptions.names('private');
  }

  /**
   * Subscribes to a topic and calls the handler with its messages. Resolves when every relay that is connected has answered
   * a heartbeat sent behind the new list: a relay works in order, so it then delivers; a 2.x node is told, but its peers learn
   * it up to 5 s later. Relays that connect later get the topic too.
   * @throws TypeError, RangeError; AmopError 99 or 102, or the signal's reason: the topic is then not subscribed.
   */
  subscribe(topic: string, handler: Handler, options?: SubscribeOptions): Promise<void>;
  /** Subscribes to a topic and returns its messages as an async iterator, whose `ready` is what the other form returns. */
  subscribe(topic: string, options?: SubscribeOptions): MessageStream;
  subscribe(
    topic: string,
    second?: Handler | SubscribeOptions,
    third?: SubscribeOptions,
  ): Promise<void> | MessageStream {
    const prepare = (): Target => {
      checkTopic(topic);
      return {
        begin: (receiver, deadline) => this.#subscriptions.begin(topic, receiver, deadline),
        end: (receiver, deadline) => this.#subscriptions.end(topic, deadline, receiver),
      };
    };
    return this.#subscribe(prepare, second, third);
  }

  /**
   * Subscribes to a private topic as `subscribe` does: a sender reaches this client once it has proven that it holds
   * `privateKey`, which happens by itself. `topic` is the plain name, in `message.topic` too. Only what is a challenge is
   * signed. Use a key for this alone, never one of a chain account.
   * @throws as `subscribe`, and RelayError `key-invalid`
   */
  subscribePrivate(
    topic: string,
    privateKey: PrivateTopicKey,
    handler: Handler,
    options?: SubscribeOptions,
  ): Promise<void>;
  /** The messages of a private topic as an async iterator. */
  subscribePrivate(topic: string, privateKey: PrivateTopicKey, options?: SubscribeOptions): MessageStream;
  subscribePrivate(
    topic: string,
    privateKey: PrivateTopicKey,
    second?: Handler | SubscribeOptions,
    third?: SubscribeOptions,
  ): Promise<void> | MessageStream {
    const prepare = (): Target => {
      checkPrivateName(topic);
      const bytes = privateKeyBytes(privateKey);
      return {
        begin: (receiver, deadline) => this.#private.subscribe(topic, bytes, receiver, deadline),
        end: (receiver, deadline) => this.#private.unsubscribe(topic, deadline, receiver),
      };
    };
    return this.#subscribe(prepare, second, third);
  }

  /**
   * Ends a subscription. Resolves when every connected relay knows, and until then messages are still delivered.
   * A topic that is not subscribed is left alone.
   * @throws AmopError 102 or the signal's reason: a relay may go on sending, and what it sends is left unanswered
   */
  async unsubscribe(topic: string, options: CallOptions = {}): Promise<void> {
    checkTopic(topic);
    await this.#subscriptions.end(topic, deadlineOf(options, this.#hub));
  }

  /** The same for a private topic, by its plain name. */
  async unsubscribePrivate(topic: string, options: CallOptions = {}): Promise<void> {
    checkPrivateName(topic);
    await this.#private.unsubscribe(topic, deadlineOf(options, this.#hub));
  }

  /**
   * Begins to send on a private topic. Resolves, as `subscribe` does, when the relays know; receivers are certified from then
   * on, see `sender.ready()` and `sender.status()`. `signal` ends the sender, then or later.
   * @param publicKeys of the receivers, 1 to 64: a receiver has to hold the private half of one of them
   * @throws TypeError, RangeError, RelayError `key-invalid`; AmopError 99 or 102, or the signal's reason
   */
  async publishPrivate(
    topic: string,
    publicKeys: readonly PublicTopicKey[],
    options: CallOptions = {},
  ): Promise<PrivateTopicSender> {
    checkPrivateName(topic);
    return this.#private.publish(topic, publicKeyBytes(publicKeys), deadlineOf(options, this.#hub));
  }

  /**
   * Sends a message to one subscriber of the topic and resolves with its answer.
   * @throws AmopError with the code of the relay or the subscriber, 102 after `timeoutMs`, 99 when no relay could be reached
   */
  async request(topic: string, payload: Payload, options: CallOptions = {}): Promise<Reply> {
    return readReply(topic, await this.#call(topic, { type: MessageType.unicast, payload, options }));
  }

  /**
   * Sends a message to one subscriber of the topic, without interest in what it answers. Resolves when a subscriber has
   * taken it: AMOP has no message to one subscriber that is not acknowledged.
   * @throws AmopError as `request` does
   */
  async publish(topic: string, payload: Payload, options: CallOptions = {}): Promise<Receipt> {
    const answer = await this.#call(topic, { type: MessageType.unicast, payload, options });
    return { seq: seqText(answer.seq) };
  }

  /**
   * Sends a message to every subscriber of the topic except this client. Resolves when a relay has taken it, which does not
   * mean that anybody got it.
   * @throws AmopError as `request` does
   */
  async multicast(topic: string, payload: Payload, options: CallOptions = {}): Promise<Receipt> {
    const answer = await this.#call(topic, { type: MessageType.multicast, payload, options });
    return { seq: seqText(answer.seq) };
  }

  /**
   * Topics that somebody subscribes to, at the relays that are connected and at their peers, sorted. Relays know the number of
   * subscribers; 2.x nodes know the topics of their peers only.
   * @throws AmopError when no relay answered
   */
  async topics(options: CallOptions = {}): Promise<TopicInfo[]> {
    return this.#calls.counted(() => this.#askTopics(deadlineOf(options, this.#hub)));
  }

  /** Sends what is queued, fails the calls that wait for an answer with AMOP-99 `closed`, and ends all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #subscribe(
    prepare: () => Target,
    second: Handler | SubscribeOptions | undefined,
    third: SubscribeOptions | undefined,
  ): Promise<void> | MessageStream {
    if (typeof second === 'function') return this.#subscribeHandler(prepare, second, third ?? {});
    if (third !== undefined || (second !== undefined && (typeof second !== 'object' || second === null))) {
      throw new TypeError('handler must be a function');
    }
    const options = second ?? {};
    const { begin, end } = prepare();
    const { inboxMax, whenFull } = resolveSubscribeOptions(options);
    const deadline = deadlineOf(options, this.#hub);
    return new MessageStream(
      new Inbox(inboxMax, this.#budget, this.#reading, whenFull === 'pause'),
      (stream) => begin(stream, deadline),
      (stream) => end(stream, deadlineOf({}, this.#hub)).catch(() => {}),
    );
  }

  async #subscribeHandler(prepare: () => Target, handler: Handler, options: SubscribeOptions): Promise<void> {
    const { begin } = prepare();
    const { inboxMax, concurrency, whenFull } = resolveSubscribeOptions(options);
    const { handlerTimeoutMs, onHandlerError } = this.#options;
    const inbox = new Inbox(inboxMax, this.#budget, this.#reading, whenFull === 'pause');
    const receiver = new HandlerReceiver(handler, inbox, { concurrency, handlerTimeoutMs, onHandlerError });
    await begin(receiver, deadlineOf(options, this.#hub));
  }

  async #call(topic: string, { type, payload, options, prefers }: OutgoingMessage): Promise<ChannelFrame> {
    checkTopic(topic);
    const body = encodeAmopBody(topic, payloadBytes(topic, payload));
    const deadline = deadlineOf(options, this.#hub);
    const seq = newSeq();
    if (type === MessageType.multicast) this.#incoming.rememberOwn(seq, body);
    return this.#calls.run({ type, seq, body, prefers }, deadline);
  }

  async #askTopics(deadline: Deadline): Promise<TopicInfo[]> {
    await this.#roster.connected(deadline);
    const asked = await Promise.allSettled(this.#roster.sessions().map((session) => askTopics(session, deadline)));
    const lists = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = asked.find((one) => one.status === 'rejected');
    if (lists.length === 0 && failed !== undefined) throw failed.reason;
    return mergeTopics(lists);
  }

  async #connected(session: Session): Promise<void> {
    // A failure ends the connection, and with it comes `disconnect`.
    if (this.#subscriptions.topics().length > 0) await session.announce().catch(() => {});
    if (this.#reading.isHeld) session.setReading(false);
    if (session.error === undefined) this.#tell('connect', { relay: session.relay, server: session.server });
  }

  /** A listener that throws must not break what called it: its error is uncaught, as it would be anywhere else. */
  #tell<Name extends keyof ClientEvents>(name: Name, ...values: ClientEvents[Name]): void {
    try {
      (this as EventEmitter).emit(name, ...values);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  async #close(): Promise<void> {
    const error = new AmopError(AmopCode.notSent, { reason: 'closed', detail: 'the client was closed' });
    this.#subscriptions.clear();
    await this.#roster.close(error);
    this.#tell('close');
    this.#resolveClosed();
  }
}

function readReply(topic: string, answer: ChannelFrame): Reply {
  const seq = seqText(answer.seq);
  const body = decodeAmopBody(answer.body);
  if (body.ok) return new Reply(topic, ownBytes(body.payload), seq);
  const detail = 'its answer has no topic in front of the payload';
  throw new AmopError(AmopCode.subscriberFailed, { reason: 'malformed-answer', detail, seq });
}
