/** (c) A session without the key beside one that has it: on the receiver's relay, and on the sender's. */
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { Mesh } from '../helpers/p2p/relays.js';
import {
  challengeTopic,
  messageTopic,
  type PrivateSender,
  type PrivateSubscriber,
  pushTopic,
  REQUEST_CERTIFICATION,
} from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import { amopBody, parseAmopBody, TYPE } from '../helpers/wire.js';
import { joinMallory, joinSender, joinSubscriber, OURS, stolen, useWorld, WORLDS } from './world.js';

describe.each(WORLDS)('(c) a free ride on the certification of another session %s', (_, world) => {
  const mesh = useWorld(world);

  /** Alice sends until everybody who is to receive has, by unicast and by multicast. */
  async function expectStolen(alice: PrivateSender, name: string, mallory: RawClient, at: number): Promise<void> {
    await alice.untilServed();
    for (let n = 0; n < 40; n++) expect((await alice.request(`unicast ${n}`)).result).toBe(0);
    await alice.client.response(alice.client.multicast(messageTopic(name), 'multicast'));
    if (world.works) {
      await until(() => stolen(mallory, name).includes('multicast'), 'the copy');
      expect(stolen(mallory, name).some((payload) => payload.startsWith('unicast'))).toBe(true);
      return;
    }
    await mesh().settled(0);
    await mesh().settled(at);
    await mallory.barrier();
    expect(stolen(mallory, name)).toEqual([]);
  }

  it.each([
    ['the receiver’s', 1],
    ['the sender’s', 0],
  ])('by one that only subscribes to the name, on %s relay', async (_where, at) => {
    const name = `name-${at}`;
    const alice = await joinSender(mesh(), 0, name, 'key');
    await joinSubscriber(mesh(), 1, name, 'key');
    const mallory = await joinMallory(mesh(), at);
    await mallory.subscribe(messageTopic(name));
    await expectStolen(alice, name, mallory, at);
  });

  it.each([
    ['the receiver’s', 1],
    ['the sender’s', 0],
  ])('by one that has a challenge topic but not the key, on %s relay', async (_where, at) => {
    const name = `key-${at}`;
    const alice = await joinSender(mesh(), 0, name, 'key');
    const mallory = await joinMallory(mesh(), at);
    await joinSubscriber(mesh(), 1, name, 'key', challengeTopic(name, '0'.repeat(32)));
    await alice.untilServed();
    await mallory.subscribe(messageTopic(name), challengeTopic(name, 'f'.repeat(32)));
    await expectStolen(alice, name, mallory, at);
  });

  it.each([
    ['the receiver’s', 1],
    ['the sender’s', 0],
  ])('by one that claims the challenge topic of the other, on %s relay', async (_where, at) => {
    const name = `claim-${at}`;
    const alice = await joinSender(mesh(), 0, name, 'key');
    const v = challengeTopic(name);
    await joinSubscriber(mesh(), 1, name, 'key', v);
    await alice.untilServed();
    const mallory = await joinMallory(mesh(), at);
    await mallory.subscribe(messageTopic(name), v);
    await expectStolen(alice, name, mallory, at);
  });

  it('by one that claims the challenge topic of the other, before a relay that does not know who was first', async () => {
    const name = 'first';
    const mallory = await joinMallory(mesh(), 1);
    // She is there before Bob, with a topic of her own.
    const own = [messageTopic('hers'), challengeTopic('hers')];
    await mallory.subscribe(...own);
    const v = challengeTopic(name);
    await joinSubscriber(mesh(), 1, name, 'key', v);
    await mallory.subscribe(...own, messageTopic(name), v);
    for (const proxy of mesh().proxies) proxy.cut();
    await until(async () => (await mesh().relays[0].activePeers()) === 0, 'the end of the link');
    for (const proxy of mesh().proxies) proxy.open();
    await mesh().linked();
    await mesh().settled(1);
    const alice = await joinSender(mesh(), 0, name, 'key');
    await expectStolen(alice, name, mallory, 1);
  });

  it('by one that announces to send on the topic as well, and passes its challenge on to the other', async () => {
    const name = 'passed on';
    const bob = await joinSubscriber(mesh(), 1, name, 'key', challengeTopic(name, 'f'.repeat(32)));
    const mallory = await joinForwarder(mesh(), { at: 1, from: 1, asked: !world.works }, name, bob);
    const alice = await joinSender(mesh(), 0, name, 'key');
    await until(() => mallory.passedOn.length > 0, 'a challenge at Mallory');
    await until(() => alice.results.some(({ checkResult }) => checkResult === 0), 'a certification');
    expect(mallory.passedOn.map((result) => result === 0)).toContain(world.works);
    await expectStolen(alice, name, mallory.client, 1);
  });

  it('by one that takes the place of the other', async () => {
    const name = 'successor';
    const alice = await joinSender(mesh(), 0, name, 'key');
    const bob = await joinSubscriber(mesh(), 1, name, 'key', challengeTopic(name, '0'.repeat(32)));
    await alice.untilServed();
    const mallory = await joinMallory(mesh(), 1);
    await mallory.subscribe(messageTopic(name), challengeTopic(name, 'f'.repeat(32)));
    await mesh().settled(1);
    await bob.client.close();
    await mesh().settled(1);
    await expectOnly(mesh(), alice, name, mallory, world.works);
  });
});

async function expectOnly(
  mesh: Mesh,
  alice: PrivateSender,
  name: string,
  mallory: RawClient,
  works: boolean,
): Promise<void> {
  if (works) {
    await alice.untilServed('for Bob');
    expect(stolen(mallory, name)).toContain('for Bob');
    return;
  }
  await until(async () => (await alice.request('for Bob')).result === 100, 'Bob to be gone');
  await mesh.settled(1);
  await mallory.barrier();
  expect(stolen(mallory, name)).toEqual([]);
}

// Nobody sees both challenges, and the signature is a true one: docs/private-topics.md, "What stays open".
describe('an application with sessions on two relays', () => {
  const mesh = useWorld(OURS);

  it('is certified when it passes the challenge of the one on from the other', async () => {
    const name = 'two sessions';
    const bob = await joinSubscriber(mesh(), 1, name, 'key');
    const mallory = await joinForwarder(mesh(), { at: 0, from: 1, asked: true }, name, bob);
    const alice = await joinSender(mesh(), 0, name, 'key');
    await until(async () => {
      await alice.request('secret');
      return stolen(mallory.client, name).includes('secret');
    }, 'what it stole');
  });
});

/**
 * Mallory, who subscribes with a challenge topic of her own on one relay and announces to send on another: what she is challenged
 * with she passes on to Bob.
 */
async function joinForwarder(
  mesh: Mesh,
  { at, from, asked }: { at: number; from: number; asked: boolean },
  name: string,
  bob: PrivateSubscriber,
) {
  const sender = await joinMallory(mesh, from);
  await sender.subscribe(pushTopic(name));
  // By the rules of the reference nobody needs to be asked, and on Bob's own relay nobody is.
  if (asked) await sender.waitFor(({ type }) => type === REQUEST_CERTIFICATION, 'a 0x37');
  const client = await joinMallory(mesh, at);
  const passedOn: number[] = [];
  const own = challengeTopic(name, '0'.repeat(32));
  const echo = client.answerer;
  client.answerer = (frame) => {
    const { topic, payload } = parseAmopBody(frame.body);
    if (topic !== own) return echo?.(frame);
    void sender.request(bob.topics[1], payload).then(({ result, body }) => {
      passedOn.push(result);
      const signature = result === 0 ? parseAmopBody(body).payload : 'none';
      client.send(TYPE.response, amopBody(own, signature), frame.seq);
    });
    return undefined;
  };
  await client.subscribe(messageTopic(name), own);
  await mesh.settled(at);
  return { client, passedOn };
}
