/**
 * Multicasts on a private topic to several sessions of one application behind one link: each certified session gets one copy, whoever
 * else of its application gets one, and however often the application that sends has sent it.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { useMesh } from '../../helpers/p2p/relays.js';
import { challengeTopic, messageTopic, PrivateSender, PrivateSubscriber } from '../../helpers/private.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { agentToml, SigningKeys } from '../../helpers/signing-keys.js';
import { newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const keys = new SigningKeys();
const key = keys.make('key');
afterAll(() => keys.remove());

const mesh = useMesh({
  limits: { subscriber_timeout_ms: 4_000, peer_timeout_ms: 7_000 },
  extraToml: agentToml('agents', { certifies: [key], answers: key }),
});

const joinSender = (at: number, name: string, ...words: string[]): Promise<PrivateSender> =>
  PrivateSender.join((onFrame) => mesh().connect(at, { onFrame }), name, ...words);

/** Sessions with one certificate, on the second relay. */
const joinReceivers = (name: string, words: readonly string[], challenge?: string): Promise<PrivateSubscriber[]> =>
  Promise.all(words.map(async (word) => PrivateSubscriber.join(await mesh().connect(1), name, word, challenge)));

const certified = (sender: PrivateSender, count: number) =>
  until(
    () => sender.results.filter(({ checkResult }) => checkResult === 0).length === count,
    `${count} certifications`,
  );

/** Waits until what was sent before has come, by a message of its own that goes to all of them. */
async function expectCopies(
  last: RawClient,
  name: string,
  receivers: readonly RawClient[],
  payloads: readonly string[],
) {
  await last.response(last.multicast(messageTopic(name), 'the last one'));
  const copiesOf = (client: RawClient) =>
    client.framesOf(TYPE.multicast).map(({ body }) => `${parseAmopBody(body).payload}`);
  await until(() => receivers.every((client) => copiesOf(client).includes('the last one')), 'the last one everywhere');
  for (const client of receivers) expect(copiesOf(client)).toEqual([...payloads, 'the last one']);
}

describe('two sessions of one application behind a relay', () => {
  it.each([
    ['with challenge topics of their own', undefined],
    ['with one challenge topic', challengeTopic('one', 'a'.repeat(32))],
  ])('%s get one copy each', async (how, challenge) => {
    const name = challenge === undefined ? `own ${how}` : 'one';
    const alice = await joinSender(0, name, 'word');
    const receivers = await joinReceivers(name, ['word', 'word'], challenge);
    await certified(alice, 2);
    const payloads = ['first', 'second', 'third'];
    for (const payload of payloads) await alice.client.response(alice.client.multicast(messageTopic(name), payload));
    await expectCopies(
      alice.client,
      name,
      receivers.map(({ client }) => client),
      payloads,
    );
  });

  it('get one copy each in whose place relays certify and answer', async () => {
    const receivers = await Promise.all([0, 1].map(() => mesh().connect(1)));
    for (const receiver of receivers) await receiver.subscribe(messageTopic('agents'));
    const alice = await mesh().connect(0);
    await until(async () => {
      const { pairs } = JSON.parse((await mesh().relay(0).http('/private')).text) as {
        pairs: Record<string, unknown>[];
      };
      return pairs.filter(({ topic, state }) => topic === 'agents' && state === 'certified').length === 2;
    }, 'both to be certified');
    await alice.response(alice.multicast(messageTopic('agents'), 'hello'));
    await expectCopies(alice, 'agents', receivers, ['hello']);
  });

  it.each([
    ['two sessions of a relay', 'sent twice', [0, 0]],
    ['two relays', 'sent over both', [0, 1]],
  ])('get one copy each of what an application sends over %s', async (_, name, relays) => {
    const senders: PrivateSender[] = [];
    for (const relay of relays) senders.push(await joinSender(relay, name, 'word'));
    const receivers = await joinReceivers(name, ['word', 'word']);
    for (const sender of senders) await certified(sender, 2);
    const seq = newSeq();
    for (const { client } of senders) await client.response(client.multicast(messageTopic(name), 'hello', seq));
    await expectCopies(
      senders[0].client,
      name,
      receivers.map(({ client }) => client),
      ['hello'],
    );
  });

  it('get one copy each of what two sessions send that have certified one of them each, and not the other', async () => {
    const name = 'shared';
    const senders = [await joinSender(0, name, 'first'), await joinSender(0, name, 'second')];
    const receivers = await joinReceivers(name, ['first', 'second']);
    for (const sender of senders) await certified(sender, 1);
    const seq = newSeq();
    for (const { client } of senders) await client.response(client.multicast(messageTopic(name), 'hello', seq));
    for (const [n, { client }] of senders.entries()) {
      await expectCopies(client, name, [receivers[n].client], ['hello']);
    }
  });

  it('that have not both been certified get no copy that is not theirs', async () => {
    const name = 'one of two';
    const alice = await joinSender(0, name, 'right');
    const [bob, eve] = await joinReceivers(name, ['right', 'wrong']);
    await until(() => alice.results.length >= 2, 'both verdicts', 15_000);
    await certified(alice, 1);
    await alice.client.response(alice.client.multicast(messageTopic(name), 'hello'));
    await expectCopies(alice.client, name, [bob.client], ['hello']);
    await eve.client.barrier();
    expect(eve.multicasts).toEqual([]);
  }, 30_000);
});
