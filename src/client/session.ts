/**
 * One connection to a relay or node after its handshake: calls out, messages in, its subscriptions and its end.
 *
 * Invariant: the relay's topic list is ours as of the last `announce` that resolved, and one announcement is under way at
 * a time; those asked for meanwhile share the next.
 */
import { encodeAmopBody } from '../wire/channel/amop-body.js';
import { type ChannelFrame, encodeFrame } from '../wire/channel/frame.js';
import { formatHeartbeatRequest } from '../wire/channel/heartbeat.js';
import { MessageType } from '../wire/channel/message-type.js';
import { formatTopicList } from '../wire/channel/topic-list.js';
import { AmopCode, AmopError } from './amop-error.js';
import { ANNOUNCE_TIMEOUT_MS, PROBE_TIMEOUT_MS } from './bounds.js';
import type { Choosable } from './choice.js';
import { type AbortHub, Deadline } from './deadline.js';
import type { Exchanges } from './exchanges.js';
import type { RelayHealth } from './health.js';
import { startHeartbeat } from './heartbeat.js';
import type { Link } from './link.js';
import type { Answer } from './message.js';
import { newSeq, seqBytes } from './seq.js';

/** What the server said about itself. */
export interface ServerInfo {
  /** As announced in 0x14: the version of the reference it stands for. */
  readonly nodeVersion: string;
  /** Channel protocol chosen by the server: 1, 2 or 3. */
  readonly protocol: number;
  /** Empty for a real 2.x node, whose errors carry no reason. */
  readonly capabilities: readonly string[];
}

export interface SessionOptions {
  readonly heartbeatIntervalMs: number;
  readonly deadLinkMs: number;
}

export interface SessionEvents {
  /** A frame that answers nothing of ours. */
  onFrame(frame: ChannelFrame, session: Session): void;
  /** The topics that should be subscribed. */
  topics(): readonly string[];
}

export interface Connection {
  readonly link: Link;
  readonly exchanges: Exchanges;
  readonly server: ServerInfo;
}

export class Session implements Choosable {
  /** `host:port`. */
  readonly relay: string;
  readonly server: ServerInfo;
  /** Resolves when the connection is over, with the reason. */
  readonly ended: Promise<AmopError>;
  readonly #link: Link;
  readonly #exchanges: Exchanges;
  readonly #health: RelayHealth;
  readonly #hub: AbortHub;
  readonly #events: SessionEvents;
  #beating = false;
  #announcing: Promise<void> = Promise.resolve();
  #nextAnnouncement: Promise<void> | undefined;

  constructor(
    relay: string,
    { link, exchanges, server }: Connection,
    context: { readonly health: RelayHealth; readonly hub: AbortHub; readonly events: SessionEvents },
    options: SessionOptions,
  ) {
    this.relay = relay;
    this.server = server;
    this.#link = link;
    this.#exchanges = exchanges;
    this.#health = context.health;
    this.#hub = context.hub;
    this.#events = context.events;
    const stopHeartbeat = startHeartbeat({
      intervalMs: options.heartbeatIntervalMs,
      deadLinkMs: options.deadLinkMs,
      silentMs: () => performance.now() - link.lastReceivedMs,
      beat: () => this.#beat(options.deadLinkMs),
      onDead: (silentMs) => link.fail('dead-link', `nothing came from the relay for ${Math.round(silentMs)} ms`),
    });
    this.ended = new Promise((resolve) => {
      link.attach({
        onFrame: (frame) => {
          if (!exchanges.answer(frame)) this.#events.onFrame(frame, this);
        },
        onEnd: (error) => {
          stopHeartbeat();
          if (error.reason !== 'closed') this.#health.failed(performance.now());
          exchanges.failAll(error);
          resolve(error);
        },
      });
    });
  }

  get outstanding(): number {
    return this.#exchanges.size;
  }

  get rttMs(): number {
    return this.#health.rttMs;
  }

  get avoidUntilMs(): number {
    return this.#health.avoidUntilMs;
  }

  /** Why nothing more can be sent, or undefined while the connection works. */
  get error(): AmopError | undefined {
    return this.#link.error;
  }

  /** True for an amop-relay, which knows copies of a message; a 2.x node does not. */
  get isRelay(): boolean {
    return this.server.capabilities.includes('reason');
  }

  /** Sends a frame of our own and resolves with its answer, whatever its result. Throws as `Exchanges.start` does. */
  async exchange(
    call: { readonly type: number; readonly answerType: number; readonly seq: string; readonly body: Uint8Array },
    deadline: Deadline,
  ): Promise<ChannelFrame> {
    const startMs = performance.now();
    const bytes = encodeFrame(call.type, seqBytes(call.seq), 0, call.body);
    try {
      const answer = await this.#exchanges.start({ seq: call.seq, answerType: call.answerType, bytes, deadline });
      // A unicast holds the subscriber's time too.
      if (call.type !== MessageType.unicast) this.#health.answered(performance.now() - startMs);
      return answer;
    } catch (error) {
      if (error instanceof AmopError && error.reason === 'timeout') this.#suspect(startMs);
      throw error;
    }
  }

  /**
   * Tells the relay the topics; resolves when it has answered a heartbeat behind the list, for 0x32 itself has no answer.
   * A relay that does not within `ANNOUNCE_TIMEOUT_MS` is given up. Rejects only when the connection is over.
   */
  announce(): Promise<void> {
    this.#nextAnnouncement ??= this.#announcing
      .catch(() => {})
      .then(() => {
        this.#nextAnnouncement = undefined;
        this.#announcing = this.#announceNow();
        return this.#announcing;
      });
    return this.#nextAnnouncement;
  }

  /** Sends the answer to a message that came over this connection; false where it could not be taken. */
  respond(seq: string, topic: string, answer: Answer): boolean {
    if (this.#link.error !== undefined) return false;
    const body = encodeAmopBody(topic, answer.payload);
    return this.#link.send(encodeFrame(MessageType.response, seqBytes(seq), answer.result, body)) !== undefined;
  }

  /** Sends a frame that has no answer; false where it could not be taken. */
  tell(type: number, seq: string, body: Uint8Array): boolean {
    if (this.#link.error !== undefined) return false;
    return this.#link.send(encodeFrame(type, seqBytes(seq), 0, body)) !== undefined;
  }

  /** Stops and resumes reading: messages, and the answers to calls. */
  setReading(reads: boolean): void {
    this.#link.setReading(reads);
  }

  /** Writes what is queued, fails what is open, ends the connection. */
  async close(error: AmopError): Promise<void> {
    this.#exchanges.failAll(error);
    await this.#link.close(error);
  }

  async #announceNow(): Promise<void> {
    if (this.#link.error !== undefined) throw this.#link.error;
    const list = formatTopicList(this.#events.topics());
    this.#link.send(encodeFrame(MessageType.subscribe, seqBytes(newSeq()), 0, list), true);
    try {
      await this.#link.readDuring(() => this.#heartbeat(ANNOUNCE_TIMEOUT_MS));
    } catch (error) {
      this.#link.fail('dead-link', 'the relay did not answer the heartbeat behind a topic list', error);
      throw this.#link.error ?? error;
    }
  }

  #beat(deadLinkMs: number): void {
    if (!this.#link.isReading) {
      // Its answer is read some time. It keeps the relay from taking us for idle, and finds out when the relay is gone.
      this.#link.send(this.#heartbeatFrame(newSeq()), true);
      return;
    }
    if (this.#beating) return;
    this.#beating = true;
    this.#heartbeat(deadLinkMs)
      .catch(() => {})
      .finally(() => {
        this.#beating = false;
      });
  }

  async #heartbeat(timeoutMs: number): Promise<void> {
    const startMs = performance.now();
    const seq = newSeq();
    await this.#exchanges.start({
      seq,
      answerType: MessageType.heartbeat,
      bytes: this.#heartbeatFrame(seq),
      deadline: new Deadline(timeoutMs, undefined, this.#hub),
      control: true,
    });
    this.#health.answered(performance.now() - startMs);
  }

  #heartbeatFrame(seq: string): Buffer {
    return encodeFrame(MessageType.heartbeat, seqBytes(seq), 0, formatHeartbeatRequest(this.server.protocol));
  }

  /** A call ran out of time. If the relay said nothing at all meanwhile, others are preferred and it is asked for a sign. */
  #suspect(startMs: number): void {
    if (this.#link.error !== undefined || this.#link.lastReceivedMs > startMs) return;
    this.#health.failed(performance.now());
    this.#heartbeat(PROBE_TIMEOUT_MS).catch((error: unknown) => {
      const dead = error instanceof AmopError && error.code === AmopCode.timeout && this.#link.lastReceivedMs < startMs;
      if (dead) this.#link.fail('dead-link', 'the relay answers neither calls nor heartbeats', error);
    });
  }
}
