/** A certification whose actions are recorded, with a clock that the test moves; subscribers and senders as people would draw them. */
import { Certification, type PairFailure, type Sender, type Subscriber } from '../../../src/core/certification.js';

export const TTL_MS = 600_000;
const TICK_MS = 100;

export const N = '#!$TopicNeedVerify_n';
export const M = '#!$TopicNeedVerify_m';

/** A challenge topic; its end makes it another one. */
export const challengeOf = (messageTopic: string, end: string): string =>
  `#!$VerifyChannel_${messageTopic}_${end.padStart(32, '0')}`;

export const sender = (id: string, digest = `cert-${id}`): Sender => ({ id, digest });

/** A subscriber of N behind `B` with its own certificate and challenge topic, unless `fields` say otherwise. */
export function subscriber(id: string, fields: Partial<Subscriber> = {}): Subscriber {
  const messageTopic = fields.messageTopic ?? N;
  return {
    id,
    messageTopic,
    origin: 'B',
    nodeId: `node-${id}`,
    digest: `cert-${id}`,
    challengeTopics: [challengeOf(messageTopic, id)],
    ...fields,
  };
}

export interface Question {
  readonly sender: string;
  readonly subscriber: Subscriber;
  readonly challengeTopic: string;
  readonly atMs: number;
}

export class CertificationWorld {
  nowMs = 1_000_000;
  readonly questions: Question[] = [];
  /** `+sender>subscriber` and `-sender>subscriber`, in their order. */
  readonly doors: string[] = [];
  readonly outcomes: string[] = [];
  readonly claimsRefused: string[] = [];
  /** Holders by challenge topic, as last told. */
  readonly routes = new Map<string, readonly string[]>();
  readonly certification: Certification;

  constructor(ttlMs = TTL_MS) {
    this.certification = new Certification(ttlMs, {
      ask: (sender, subscriber, challengeTopic) =>
        this.questions.push({ sender, subscriber, challengeTopic, atMs: this.nowMs }),
      allow: (sender, { id }) => this.doors.push(`+${sender}>${id}`),
      deny: (sender, { id }) => this.doors.push(`-${sender}>${id}`),
      challengeRoute: (topic, holders) => this.routes.set(topic, holders.map(({ id }) => id).sort()),
      claimRefused: ({ id }, topic) => this.claimsRefused.push(`${id} ${topic}`),
      outcome: (sender, { id }, outcome: PairFailure | 'certified' | 'expired') =>
        this.outcomes.push(`${sender}>${id} ${outcome}`),
    });
  }

  sends(who: Sender, ...topics: string[]): void {
    this.certification.setSender(who, topics, this.nowMs);
  }

  listed(origin: string, ...subscribers: Subscriber[]): void {
    this.certification.setSubscribers(origin, subscribers, this.nowMs);
  }

  /** The 0x38 of a sender for a subscriber. */
  says(who: Sender, { nodeId, messageTopic }: Subscriber, verified: boolean) {
    return this.certification.result(who.id, nodeId, messageTopic, verified, this.nowMs);
  }

  /** Moves the clock as the control thread does, in ticks. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + TICK_MS);
      this.certification.tick(this.nowMs);
    }
  }

  /** `sender>subscriber` of every question since the last call. */
  asked(): string[] {
    return this.questions.splice(0).map(({ sender, subscriber }) => `${sender}>${subscriber.id}`);
  }

  state(who: Sender, { id }: Subscriber): string | undefined {
    const pair = this.certification.pairs().find((view) => view.sender === who.id && view.subscriber.id === id);
    return pair && (pair.failure === undefined ? pair.state : `${pair.state}: ${pair.failure}`);
  }
}
