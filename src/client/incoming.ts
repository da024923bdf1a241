/** Frames that answer nothing of ours: messages find their receiver, everything else is counted. */
import { decodeAmopBody } from '../wire/channel/amop-body.js';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { SEEN_MESSAGE_MS, SEEN_MESSAGES_MAX } from './bounds.js';
import type { ClientCounters, DroppedMessage } from './events.js';
import type { Receiver } from './handler-receiver.js';
import { type Answer, Message } from './message.js';
import { ownBytes, payloadBytes } from './payload.js';
import { SeenMessages } from './seen.js';
import { seqBytes, seqText } from './seq.js';
import type { Session } from './session.js';

export interface IncomingEvents {
  /** Who takes the messages of a topic, and under which name. */
  targetOf(topic: string): { readonly receiver: Receiver; readonly shownTopic: string } | undefined;
  /** A 0x37; false where nobody sends on its topic. */
  onCertificationRequest(frame: ChannelFrame, session: Session): boolean;
  onDrop(message: DroppedMessage): void;
}

export class Incoming {
  readonly counters: ClientCounters = {
    unmatchedResponses: 0,
    unhandledMessages: 0,
    malformedMessages: 0,
    duplicateMessages: 0,
    unhandledCertifications: 0,
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
    else if (frame.type === MessageType.requestCertification) {
      if (!this.#events.onCertificationRequest(frame, session)) this.counters.unhandledCertifications++;
    }
    // Every other type is ignored, as the protocol asks.
  }

  #deliver(frame: ChannelFrame, session: Session): void {
    const body = decodeAmopBody(frame.body);
    if (!body.ok) {
      this.counters.malformedMessages++;
      return;
    }
    const topic = body.topic.toString();
    const target = this.#events.targetOf(topic);
    if (target === undefined || target.receiver.ended) {
      this.counters.unhandledMessages++;
      return;
    }
    const multicast = frame.type === MessageType.multicast;
    if (multicast && !this.#seen.isNew(frame.seq, frame.body, performance.now())) {
      this.counters.duplicateMessages++;
      return;
    }
    const seq = seqText(frame.seq);
    const { receiver, shownTopic } = target;
    const answer = (one: Answer) => {
      // The name on the wire is longer than the one of a private topic that is shown, and so is the frame.
      const taken = session.respond(seq, topic, { ...one, payload: payloadBytes(topic, one.payload) });
      if (!taken) this.counters.droppedAnswers++;
      return taken;
    };
    const source = { relay: session.relay, answer: multicast ? undefined : answer };
    if (receiver.deliver(new Message(shownTopic, ownBytes(body.payload), seq, source))) return;
    if (multicast) this.counters.droppedMulticasts++;
    else this.counters.droppedUnicasts++;
    this.#events.onDrop({ topic: shownTopic, seq, multicast, relay: session.relay });
  }
}
