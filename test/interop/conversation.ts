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

/** Nothing else begins with it. */
const PROBE = 'probe ';

let used = 0;
/** A topic that nobody else uses; topics are UTF-8. */
export const newTopic = (): string => `interop 消息 ${used++}`;
const newProbe = (): Buffer => Buffer.from(`${PROBE}${used++}`);

/**
 * Returns when the relay has handled all that a driver sent before, subscriptions and multicasts too: no SDK tells of them, but
 * frames of a session are handled in order. A Java subscriber leaves a message unanswered that meets an unsubscription half-way.
 */
export async function handled(driver: Driver): Promise<void> {
  const { code } = await driver.unicast('interop nobody', Buffer.alloc(0));
  if (code !== NO_ROUTE) throw new Error(`${driver.label} got ${code} where nobody subscribes`);
}

/** How a probe is sent. */
type Ask = (topic: string, payload: Buffer) => Promise<Answer>;

/** Waits until a unicast of the publisher reaches the subscriber, and is seen there. */
export async function reachable(
  publisher: Driver,
  subscriber: Driver,
  topic: string,
  ask: Ask = (...message) => publisher.unicast(...message),
): Promise<void> {
  let last = '';
  await until(
    async () => {
      const probe = newProbe();
      const answer = await ask(topic, probe);
      last = answer.ok ? answer.payload!.toString() : `${answer.code} ${answer.error}`;
      if (!answer.ok && answer.code !== NO_ROUTE) throw new Error(`${publisher.label}: ${last}`);
      if (last !== `${subscriber.label}:${probe}`) return false;
      // The two programs are read apart: the answer may be here first.
      return subscriber.waitForMessage(topic, (payload) => payload.equals(probe));
    },
    () => `${subscriber.label} to answer ${publisher.label} on "${topic}", the last answer was ${last}`,
  );
}

export async function unreachable(publisher: Driver, topic: string): Promise<void> {
  await until(
    async () => (await publisher.unicast(topic, newProbe())).code === NO_ROUTE,
    `${publisher.label} to get ${NO_ROUTE} on "${topic}"`,
  );
}

/** Subscribe, requests with answers, unsubscribe. */
export async function converseByUnicast(publisher: Driver, subscriber: Driver): Promise<void> {
  const topic = newTopic();
  await unreachable(publisher, topic);
  await subscriber.subscribe(topic);
  await handled(subscriber);
  await reachable(publisher, subscriber, topic);
  for (const payload of PAYLOADS) {
    const answer = await publisher.unicast(topic, payload);
    expect(answer).toMatchObject({ ok: true });
    expect(answer.payload!.equals(Buffer.concat([Buffer.from(`${subscriber.label}:`), payload]))).toBe(true);
  }
  await expectAllOnce(publisher, subscriber, topic);
  await subscriber.unsubscribe(topic);
  await handled(subscriber);
  await unreachable(publisher, topic);
}

/** Subscribe, multicasts, unsubscribe. */
export async function converseByMulticast(publisher: Driver, subscriber: Driver): Promise<void> {
  const topic = newTopic();
  // Nobody subscribes: taken all the same.
  await publisher.multicast(topic, Buffer.from('unheard'));
  await handled(publisher);
  await subscriber.subscribe(topic);
  await handled(subscriber);
  await reachable(publisher, subscriber, topic);
  for (const payload of PAYLOADS) await publisher.multicast(topic, payload);
  await expectAllOnce(publisher, subscriber, topic);
  await subscriber.unsubscribe(topic);
  await handled(subscriber);
  await unreachable(publisher, topic);
}

/** Each payload came once, in any order: SDKs with threads reorder them. */
export async function expectAllOnce(publisher: Driver, subscriber: Driver, topic: string, ask?: Ask): Promise<void> {
  for (const payload of PAYLOADS) await subscriber.waitForMessage(topic, (came) => came.equals(payload));
  // A second copy would have come before this probe.
  await reachable(publisher, subscriber, topic, ask);
  const hex = (payloads: readonly Buffer[]) => payloads.map((payload) => payload.toString('hex')).sort();
  expect(hex(heard(subscriber, topic))).toEqual(hex(PAYLOADS));
}

/** What came on a topic beside probes. */
export function heard(subscriber: Driver, topic: string): Buffer[] {
  return subscriber
    .messagesOn(topic)
    .map(({ payload }) => payload)
    .filter((payload) => !payload.toString().startsWith(PROBE));
}
