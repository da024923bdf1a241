/**
 * Private topics of one client: what it receives with a private key, and what it sends to the holders of keys.
 * The names of the exchange and its traffic stay in here; callers see the plain name.
 */
import { createSecp256k1 } from '../addon/secp256k1.js';
import type { Secp256k1 } from '../addon/secp256k1-types.js';
import { SignatureVerifier } from '../addon/signature-verifier.js';
import type { ChannelFrame } from '../wire/channel/frame.js';
import { MessageType } from '../wire/channel/message-type.js';
import { AmopCode, AmopError } from './amop-error.js';
import { VERIFY_TIMEOUT_MS } from './bounds.js';
import type { Call } from './calls.js';
import { type Certified, Certifier } from './certifier.js';
import { ChallengeSigner } from './challenge-signer.js';
import type { Judge } from './challenge-verdict.js';
import type { AbortHub, Deadline } from './deadline.js';
import type { Receiver } from './handler-receiver.js';
import { type CallOptions, deadlineOf } from './options.js';
import type { Payload } from './payload.js';
import { messageTopicOf, newChallengeTopic, pushTopicOf } from './private-names.js';
import { PrivateReceivers } from './private-receivers.js';
import { PrivateTopicSender } from './private-sender.js';
import type { Reply } from './reply.js';
import { seqText } from './seq.js';
import type { Session } from './session.js';
import type { Subscriptions } from './subscriptions.js';

export interface PrivateContext {
  readonly hub: AbortHub;
  readonly subscriptions: Subscriptions;
  call(topic: string, message: OutgoingMessage): Promise<ChannelFrame>;
  readReply(shownTopic: string, answer: ChannelFrame): Reply;
}

export interface OutgoingMessage {
  readonly type: Call['type'];
  readonly payload: Payload;
  readonly options: CallOptions;
  readonly prefers?: Call['prefers'];
}

type Crypto = Judge & { readonly secp256k1: Secp256k1 };

export class PrivateTopics {
  readonly #context: PrivateContext;
  readonly #certifier: Certifier;
  #cryptoMade: Promise<Crypto> | undefined;

  constructor(context: PrivateContext) {
    this.#context = context;
    this.#certifier = new Certifier(context.hub);
  }

  onCertificationRequest(frame: ChannelFrame, session: Session): boolean {
    return this.#certifier.receive(frame, session);
  }

  onDisconnect(relay: string): void {
    this.#certifier.disconnected(relay);
  }

  /** As `Subscriptions.begin`, with the challenge topic beside the topic. */
  async subscribe(name: string, privateKey: Uint8Array, receiver: Receiver, deadline: Deadline): Promise<void> {
    const { secp256k1 } = await this.#crypto();
    const messageTopic = messageTopicOf(name);
    // Kept for the life of the subscription, so that it is the same subscriber on every relay and after a loss.
    const challengeTopic = newChallengeTopic(name);
    const signer = new ChallengeSigner({ secp256k1, privateKey, challengeTopic, messageTopic });
    const companion = { topic: challengeTopic, receiver: signer };
    await this.#context.subscriptions.begin(messageTopic, receiver, deadline, { kind: 'private', name, companion });
  }

  /** As `Subscriptions.end`. */
  async unsubscribe(name: string, deadline: Deadline, receiver?: Receiver): Promise<void> {
    await this.#context.subscriptions.end(messageTopicOf(name), deadline, receiver);
  }

  async publish(name: string, publicKeys: readonly Buffer[], deadline: Deadline): Promise<PrivateTopicSender> {
    const judge = await this.#crypto();
    const messageTopic = messageTopicOf(name);
    const certified: Certified = { publicKeys, judge, receivers: new PrivateReceivers() };
    if (this.#certifier.has(messageTopic)) {
      throw new RangeError(`private topic ${JSON.stringify(name)} has a sender already; close it first`);
    }
    const end = () => {
      this.#certifier.remove(messageTopic, certified);
      const detail = `the sender on private topic ${JSON.stringify(name)} was closed`;
      certified.receivers.end(new AmopError(AmopCode.notSent, { reason: 'closed', detail }));
    };
    // Before the relays know: they ask at once.
    this.#certifier.add(messageTopic, certified);
    const push = new PushReceiver(end);
    try {
      await this.#context.subscriptions.begin(pushTopicOf(name), push, deadline, { kind: 'push', name });
    } catch (error) {
      end();
      throw error;
    }
    return this.#senderOf(name, certified, push, end);
  }

  #senderOf(name: string, { receivers }: Certified, push: PushReceiver, end: () => void): PrivateTopicSender {
    const { call, readReply, subscriptions, hub } = this.#context;
    const topic = messageTopicOf(name);
    const prefers = (relay: string) => receivers.hasCertified(relay);
    return new PrivateTopicSender(name, {
      receivers,
      request: async (payload, options) => {
        receivers.throwIfEnded();
        return readReply(name, await call(topic, { type: MessageType.unicast, payload, options, prefers }));
      },
      send: async (kind, payload, options) => {
        receivers.throwIfEnded();
        const type = kind === 'publish' ? MessageType.unicast : MessageType.multicast;
        const answer = await call(topic, { type, payload, options, prefers });
        return { seq: seqText(answer.seq) };
      },
      deadlineOf: (options) => deadlineOf(options, hub),
      close: async () => {
        end();
        await subscriptions.end(pushTopicOf(name), deadlineOf({}, hub), push).catch(() => {});
      },
    });
  }

  /** Made with the first private topic, and once: contexts of secp256k1 are not cheap. */
  #crypto(): Promise<Crypto> {
    this.#cryptoMade ??= createSecp256k1().then((secp256k1) => ({
      secp256k1,
      verifier: new SignatureVerifier(secp256k1, { timeoutMs: VERIFY_TIMEOUT_MS }),
    }));
    return this.#cryptoMade;
  }
}

/** A push topic only tells relays that we send: no message belongs on it. */
class PushReceiver implements Receiver {
  readonly ended = true;
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  deliver(): boolean {
    return true;
  }

  finish(onDrained: () => void): void {
    this.#onEnd();
    onDrained();
  }

  end(): void {
    this.#onEnd();
  }
}
