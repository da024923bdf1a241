/** What every pair of SDKs must be able to say to each other on a private topic, and what must stay unsaid. */
import { expect } from 'vitest';
import { until } from '../helpers/deadline.js';
import { expectAllOnce, handled, NO_ROUTE, newTopic, PAYLOADS, reachable } from './conversation.js';
import type { Driver } from './driver.js';
import type { KeyPair } from './private-keys.js';

export interface PrivateParties {
  readonly sender: Driver;
  readonly receiver: Driver;
  /** Of the receiver. */
  readonly pair: KeyPair;
  /** Of nobody here. */
  readonly other: KeyPair;
  /** Can receive beside the receiver, with another certificate. */
  readonly bystander: Driver;
  /** Signatures that senders on the sender's relay have found wrong. */
  refusals(): Promise<number>;
}

const askBy = (sender: Driver) => (topic: string, payload: Buffer) => sender.unicastPrivate(topic, payload);

/** Waits until a private unicast of the sender reaches the receiver: until its relay counts the receiver as certified. */
export function certified(sender: Driver, receiver: Driver, topic: string): Promise<void> {
  return reachable(sender, receiver, topic, askBy(sender));
}

async function nobodyCertified(sender: Driver, topic: string): Promise<void> {
  await until(
    async () => (await sender.unicastPrivate(topic, Buffer.from('probe'))).code === NO_ROUTE,
    `${sender.label} to get ${NO_ROUTE} on the private topic "${topic}"`,
  );
}

/** The sender is first, and knows two keys; requests with answers; the receiver leaves. */
export async function privateUnicast({ sender, receiver, pair, other }: PrivateParties): Promise<void> {
  const topic = newTopic();
  await sender.publishPrivate(topic, other.publicKeyFile, pair.publicKeyFile);
  await nobodyCertified(sender, topic);
  await receiver.subscribePrivate(topic, pair.privateKey);
  await certified(sender, receiver, topic);
  for (const payload of PAYLOADS) {
    const answer = await sender.unicastPrivate(topic, payload);
    expect(answer).toMatchObject({ ok: true });
    expect(answer.payload!.equals(Buffer.concat([Buffer.from(`${receiver.label}:`), payload]))).toBe(true);
  }
  await expectAllOnce(sender, receiver, topic, askBy(sender));
  await receiver.unsubscribePrivate(topic);
  await handled(receiver);
  await nobodyCertified(sender, topic);
}

/** The receiver is first; multicasts. */
export async function privateMulticast({ sender, receiver, pair }: PrivateParties): Promise<void> {
  const topic = newTopic();
  await receiver.subscribePrivate(topic, pair.privateKey);
  await handled(receiver);
  await sender.publishPrivate(topic, pair.publicKeyFile);
  await certified(sender, receiver, topic);
  for (const payload of PAYLOADS) await sender.multicastPrivate(topic, payload);
  await expectAllOnce(sender, receiver, topic, askBy(sender));
  await receiver.unsubscribePrivate(topic);
  await handled(receiver);
  await nobodyCertified(sender, topic);
}

/** The receiver signs with a key that the sender does not know; beside it, one with the right key is served. */
export async function wrongKey({ sender, receiver, pair, other, bystander, refusals }: PrivateParties): Promise<void> {
  const topic = newTopic();
  const before = await refusals();
  await sender.publishPrivate(topic, other.publicKeyFile);
  await receiver.subscribePrivate(topic, pair.privateKey);
  await until(async () => (await refusals()) > before, `${sender.label} to refuse the signature of ${receiver.label}`);
  const refused = await sender.unicastPrivate(topic, Buffer.from('secret'));
  expect(refused).toMatchObject({ ok: false, code: NO_ROUTE });
  // The relay refuses what reaches nobody here; the Java SDK does not look at the answer to a multicast.
  const multicast = await sender.tryMulticastPrivate(topic, Buffer.from('secret'));
  expect(multicast).toMatchObject(sender.party.startsWith('java') ? { ok: true } : { ok: false, code: NO_ROUTE });
  await bystander.subscribePrivate(topic, other.privateKey);
  await certified(sender, bystander, topic);
  // By turns, two receivers would get five each.
  for (let n = 0; n < 10; n++) {
    const answer = await sender.unicastPrivate(topic, Buffer.from('secret'));
    expect(answer.payload!.toString()).toBe(`${bystander.label}:secret`);
  }
  await sender.multicastPrivate(topic, Buffer.from('secret for all'));
  await bystander.waitForMessage(topic, (payload) => payload.toString() === 'secret for all');
  await handled(receiver);
  expect(receiver.messagesOn(topic)).toEqual([]);
  for (const driver of [receiver, bystander]) {
    await driver.unsubscribePrivate(topic);
    await handled(driver);
  }
}
