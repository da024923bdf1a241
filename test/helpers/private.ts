/**
 * Applications with private topics on the raw client: the exchange of the SDKs. A subscriber signs with a word and a sender knows which
 * word is right, unless a test gives them keys. Imports nothing of the relay.
 */
import { randomBytes } from 'node:crypto';
import { until } from './deadline.js';
import type { RawClient, ReceivedFrame } from './raw-client.js';
import { amopBody, parseAmopBody, TYPE } from './wire.js';

export const REQUEST_CERTIFICATION = 0x37;
export const CERTIFICATION_RESULT = 0x38;

export const messageTopic = (name: string): string => `#!$TopicNeedVerify_${name}`;
export const pushTopic = (name: string): string => `#!$PushChannel_${messageTopic(name)}`;
export const challengeTopic = (name: string, id: string = randomBytes(16).toString('hex')): string =>
  `#!$VerifyChannel_${messageTopic(name)}_${id}`;

export interface Question {
  readonly seq: string;
  readonly nodeId: string;
  readonly topic: string;
  readonly topicForCert: string;
  readonly atMs: number;
}

export const questionOf = ({ seq, body, atMs }: ReceivedFrame): Question => ({ seq, ...JSON.parse(`${body}`), atMs });

/** A subscriber (off-chain system 2): lists the topic and a challenge topic, answers challenges with its word. */
export class PrivateSubscriber {
  readonly client: RawClient;
  readonly name: string;
  readonly topics: readonly string[];
  readonly challenges: string[] = [];
  readonly messages: string[] = [];
  /** What it signs with; undefined is silence. */
  word: string | undefined;
  /** In the place of the word. */
  sign: ((challenge: Buffer) => Uint8Array) | undefined;

  private constructor(client: RawClient, name: string, topics: readonly string[], word: string) {
    this.client = client;
    this.name = name;
    this.topics = topics;
    this.word = word;
    client.answerer = (frame) => this.answer(frame);
  }

  static async join(client: RawClient, name: string, word: string, challenge = challengeTopic(name)) {
    const subscriber = new PrivateSubscriber(client, name, [messageTopic(name), challenge], word);
    await client.subscribe(...subscriber.topics);
    return subscriber;
  }

  get multicasts(): string[] {
    return this.client
      .framesOf(TYPE.multicast)
      .map(({ body }) => parseAmopBody(body))
      .filter(({ topic }) => topic === messageTopic(this.name))
      .map(({ payload }) => `${payload}`);
  }

  private answer(frame: ReceivedFrame) {
    const { topic, payload } = parseAmopBody(frame.body);
    if (topic === messageTopic(this.name)) {
      this.messages.push(`${payload}`);
      return { body: amopBody(topic, `secret echo:${payload}`) };
    }
    this.challenges.push(`${payload}`);
    if (this.sign) return { body: amopBody(topic, this.sign(payload)) };
    return this.word === undefined ? undefined : { body: amopBody(topic, `${this.word}:${payload}`) };
  }
}

/** A sender (off-chain system 1): answers 0x37, challenges, compares the signature, reports 0x38. */
export class PrivateSender {
  readonly client: RawClient;
  readonly name: string;
  /** The keys it accepts; a test may change them. */
  words: readonly string[];
  /** In the place of the words. */
  accepts: ((challenge: Buffer, signature: Buffer) => boolean) | undefined;
  readonly questions: Question[] = [];
  readonly results: { nodeId: string; checkResult: number }[] = [];
  /** False leaves the exchange to the test. */
  acts = true;

  private constructor(client: RawClient, name: string, words: readonly string[]) {
    this.client = client;
    this.name = name;
    this.words = words;
  }

  static async join(
    connect: (onFrame: (frame: ReceivedFrame) => boolean) => Promise<RawClient>,
    name: string,
    ...words: string[]
  ): Promise<PrivateSender> {
    let sender: PrivateSender | undefined;
    const client = await connect((frame) => sender?.onFrame(frame) ?? false);
    sender = new PrivateSender(client, name, words);
    await client.subscribe(pushTopic(name));
    return sender;
  }

  acknowledge(question: Question): void {
    this.client.send(REQUEST_CERTIFICATION, '', question.seq);
  }

  /** Java's challenge. */
  challenge(question: Pick<Question, 'topicForCert'>, payload: string = randomBytes(16).toString('hex')): string {
    return this.client.unicast(question.topicForCert, payload);
  }

  report({ nodeId, topic }: Pick<Question, 'nodeId' | 'topic'>, checkResult: number): void {
    this.results.push({ nodeId, checkResult });
    this.client.send(CERTIFICATION_RESULT, JSON.stringify({ checkResult, nodeId, topic }));
  }

  request(payload: string): Promise<ReceivedFrame> {
    return this.client.request(messageTopic(this.name), payload);
  }

  /** Sends until a subscriber answers. */
  async untilServed(payload = 'hello', deadlineMs?: number): Promise<ReceivedFrame> {
    return until(
      async () => {
        const answer = await this.request(payload);
        return answer.result === 0 ? answer : undefined;
      },
      `an answer on ${this.name}`,
      deadlineMs,
    );
  }

  private onFrame(frame: ReceivedFrame): boolean {
    if (frame.type !== REQUEST_CERTIFICATION) return false;
    const question = questionOf(frame);
    this.questions.push(question);
    if (this.acts) void this.certify(question);
    return true;
  }

  /** What an SDK does when it is asked. */
  async certify(question: Question): Promise<void> {
    this.acknowledge(question);
    const payload = randomBytes(16).toString('hex');
    const answer = await this.client.response(this.challenge(question, payload)).catch(() => undefined);
    if (answer === undefined || answer.result !== 0) return;
    const signature = parseAmopBody(answer.body).payload;
    const isRight = this.accepts
      ? this.accepts(Buffer.from(payload), signature)
      : this.words.some((word) => `${signature}` === `${word}:${payload}`);
    this.report(question, isRight ? 0 : 1);
  }
}
