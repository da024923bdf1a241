/** Frames that answer nothing of ours: messages find their receiver, everything else is counted. */
import { decodeAmopBody } from '../wire/channel/amop-body.js';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { SEEN_MESSAGE_MS, SEEN_MESSAGES_MAX } from './bounds.js';
import type { ClientCounters, DroppedMessage } from './events.js';
import type { Receiver } from './handler-receiver.js';
import { type Answer, Message } from './message.js';
import { ownBytes } from './payload.js';
import { SeenMessages } from './seen.js';
import { seqBytes, seqText } from './seq.js';
import type { Session } from './session.js';

export interface IncomingEvents {
  receiverOf(topic: string): Receiver | undefined;
  onDrop(message: DroppedMessage): void;
}

export class Incoming {
  readonly counters: ClientCounters = {
    unmatchedResponses: 0,
    unhandledMessages: 0,
    malformedMessages: 0,
    duplicateMessages: 0,
    droppedUnicasts: 0,
    droppedMulticasts: 0,
    droppedAnswers: 0,
  };
  readonly #events: IncomingEvents;
  readonly #seen = new SeenMessages(SEEN_MESSAGES_MAX, SEEN_MESSAGE_MS);

  constructor(events: IncomingEvents) {
    this.#events = events;
  }

  /** A relay does not send us our own multicast, but over the connection to another relay it would come back. */
  rememberOwn(seq: string, body: Buffer): void {
    this.#seen.isNew(seqBytes(seq), body, performance.now());
  }

  receive(frame: ChannelFrame, session: Session): void {
    if (frame.type === MessageType.unicast || frame.type === MessageType.multicast) this.#deliver(frame, session);
    else if (frame.type === MessageType.response) this.counters.unmatchedResponses++;
    // Every other type is ignored, as the protocol asks.
  }

  #deliver(frame: ChannelFrame, session: Session): void {
    const body = decodeAmopBody(frame.body);
    if (!body.ok) {
      this.counters.malformedMessages++;
      return;
    }
    const topic = body.topic.toString();
    const receiver = this.#events.receiverOf(topic);
    if (receiver === undefined || receiver.ended) {
      this.counters.unhandledMessages++;
      return;
    }
    const multicast = frame.type === MessageType.multicast;
    if (multicast && !this.#seen.isNew(frame.seq, frame.body, performance.now())) {
      this.counters.duplicateMessages++;
      return;
    }
    const seq = seqText(frame.seq);
    const answer = (one: Answer) => {
      const taken = session.respond(seq, topic, one);
      if (!taken) this.counters.droppedAnswers++;
      return taken;
    };
    const source = { relay: session.relay, answer: multicast ? undefined : answer };
    if (receiver.deliver(new Message(topic, ownBytes(body.payload), seq, source))) return;
    if (multicast) this.counters.droppedMulticasts++;
    else this.counters.droppedUnicasts++;
    this.#events.onDrop({ topic, seq, multicast, relay: session.relay });
  }
}
