/** What every pair of SDKs must be able to say to each other. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { Answer, Driver } from './driver.js';

export const NO_ROUTE = 100;

/** Text beyond ASCII, every byte, and more than one TLS record holds; Go reads 4,096 bytes at a time. */
export const PAYLOADS = [
  Buffer.from('buy 100, 买入, größer'),
  Buffer.from(Uint8Array.from({ length: 256 }, (_, n) => n)),
  randomBytes(4_096),
  randomBytes(40_000),
];

/** A topic that nobody else uses; topics are UTF-8. */
let topics = 0;
export const newTopic = (): string => `interop 消息 ${topics++}`;

/**
 * Returns when the relay knows what a subscriber has just subscribed or unsubscribed: no SDK says so, but frames of a session
 * are handled in order. A Java subscriber leaves a message unanswered that meets its change of mind half-way.
 */
export async function taken(subscriber: Driver): Promise<void> {
  const { code } = await subscriber.unicast('interop nobody', Buffer.alloc(0));
  if (code !== NO_ROUTE) throw new Error(`${subscriber.label} got ${code} where nobody subscribes`);
}

/** Waits until a unicast of the publisher reaches the subscriber. */
export async function reachable(
  publisher: Driver,
  subscriber: Driver,
  topic: string,
  ask: (topic: string, payload: Buffer) => Promise<Answer> = (...args) => publisher.unicast(...args),
): Promise<void> {
  let last = '';
  await until(
    async () => {
      const answer = await ask(topic, Buffer.from('probe'));
      last = answer.ok ? answer.payload!.toString() : `${answer.code} ${answer.error}`;
      if (!answer.ok && answer.code !== NO_ROUTE) throw new Error(`${publisher.label}: ${last}`);
      return last === `${subscriber.label}:probe`;
    },
    () => `${subscriber.label} to answer ${publisher.label} on "${topic}", the last answer was ${last}`,
  );
}

export async function unreachable(publisher: Driver, topic: string): Promise<void> {
  await until(
    async () => (await publisher.unicast(topic, Buffer.from('probe'))).code === NO_ROUTE,
    `${publisher.label} to get ${NO_ROUTE} on "${topic}"`,
  );
}

/** Subscribe, requests with answers, unsubscribe. */
export async function converseByUnicast(publisher: Driver, subscriber: Driver): Promise<void> {
  const topic = newTopic();
  await unreachable(publisher, topic);
  await subscriber.subscribe(topic);
  await taken(subscriber);
  await reachable(publisher, subscriber, topic);
  const before = subscriber.messagesOn(topic).length;
  for (const payload of PAYLOADS) {
    const answer = await publisher.unicast(topic, payload);
    expect(answer).toMatchObject({ ok: true });
    expect(answer.payload!.equals(Buffer.concat([Buffer.from(`${subscriber.label}:`), payload]))).toBe(true);
  }
  expectExactly(subscriber, topic, before);
  await subscriber.unsubscribe(topic);
  await taken(subscriber);
  await unreachable(publisher, topic);
  expectExactly(subscriber, topic, before);
}

/** Subscribe, multicasts, unsubscribe. */
export async function converseByMulticast(publisher: Driver, subscriber: Driver): Promise<void> {
  const topic = newTopic();
  // Nobody subscribes: taken all the same.
  await publisher.multicast(topic, Buffer.from('unheard'));
  await subscriber.subscribe(topic);
  await taken(subscriber);
  await reachable(publisher, subscriber, topic);
  const before = subscriber.messagesOn(topic).length;
  for (const payload of PAYLOADS) await publisher.multicast(topic, payload);
  await subscriber.waitForMessages(topic, before + PAYLOADS.length);
  // A second copy would have come before this answer.
  await reachable(publisher, subscriber, topic);
  expectExactly(subscriber, topic, before, 1);
  await subscriber.unsubscribe(topic);
  await taken(subscriber);
  await unreachable(publisher, topic);
}

/** After the first `before` messages came each payload once, and `probes` further ones; SDKs with threads may reorder them. */
export function expectExactly(subscriber: Driver, topic: string, before: number, probes = 0): void {
  const hex = (payloads: readonly Buffer[]) => payloads.map((payload) => payload.toString('hex')).sort();
  const came = subscriber
    .messagesOn(topic)
    .slice(before)
    .map(({ payload }) => payload);
  const wanted = [...PAYLOADS, ...Array.from({ length: probes }, () => Buffer.from('probe'))];
  expect(hex(came)).toEqual(hex(wanted));
}
