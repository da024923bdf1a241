/** (b) A 0x38 that opens a private topic, or closes it, for somebody who was not asked or did not verify. */
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { Mesh } from '../helpers/p2p/relays.js';
import {
  CERTIFICATION_RESULT,
  messageTopic,
  type PrivateSender,
  pushTopic,
  type Question,
  REQUEST_CERTIFICATION,
} from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import { joinMallory, joinSender, joinSubscriber, untilResult, useWorld, WORLDS } from './world.js';

describe.each(WORLDS)('(b) a false certification result %s', (_, world) => {
  const mesh = useWorld(world);

  /** Alice, who has been asked about Eve on the other relay and has not answered. Eve does not have the key. */
  async function pending(name: string) {
    const alice = await joinSender(mesh(), 0, name, 'key');
    alice.acts = false;
    const eve = await joinSubscriber(mesh(), 1, name, 'no key');
    return { alice, eve, question: await asked(alice) };
  }

  async function expectOpened(alice: PrivateSender, reports: () => unknown): Promise<void> {
    if (world.works) {
      await reports();
      await alice.untilServed();
    } else {
      await untilResult(mesh().relay(0), 'not-asked', reports);
      expect((await alice.request('secret')).result).toBe(100);
    }
  }

  it('of a neighbour that nobody asked', async () => {
    const { alice, eve, question } = await pending('unasked');
    const mallory = await neighbour(mesh());
    const nodeId = await nodeIdOfOther(mallory);
    await expectOpened(alice, () => {
      for (const id of [nodeId, question.nodeId]) report(mallory, question, id, 0);
    });
    expect(eve.messages.length > 0).toBe(world.works);
  });

  it('of a neighbour that has announced to send on the topic, and is asked itself', async () => {
    const { alice, eve, question } = await pending('sender');
    const mallory = await joinMallory(mesh(), 0);
    await mallory.subscribe(pushTopic('sender'));
    if (!world.works) {
      // Her own word about Eve is hers to give, and opens the topic for nobody else.
      const own = await mallory.waitFor(({ type }) => type === REQUEST_CERTIFICATION, 'a 0x37');
      report(mallory, question, JSON.parse(`${own.body}`).nodeId, 0);
      await until(async () => (await mallory.request(question.topic, 'x')).result === 0, 'her own success');
      eve.messages.length = 0;
    }
    await expectOpened(alice, () => report(mallory, question, question.nodeId, 0));
    expect(eve.messages.length > 0).toBe(world.works);
  });

  it('that closes the topic for the sender who verifies next', async () => {
    const { alice, eve, question } = await pending('closed');
    eve.word = 'key';
    const mallory = await neighbour(mesh());
    const act = () => report(mallory, question, question.nodeId, 1);
    if (world.works) {
      act();
      await until(async () => (await stateOf(mesh(), 'closed')) === 'failed', 'the false failure');
    } else {
      await untilResult(mesh().relay(0), 'not-asked', act);
    }
    await alice.certify(question);
    expect(alice.results.map(({ checkResult }) => checkResult)).toEqual([0]);
    if (world.works) expect((await alice.request('x')).result).toBe(100);
    else await alice.untilServed();
  });

  it('that is a true one of the sender, sent again for who comes next', async () => {
    const name = 'replayed';
    const alice = await joinSender(mesh(), 0, name, 'key');
    const bob = await joinSubscriber(mesh(), 1, name, 'key');
    const first = await asked(alice);
    await alice.untilServed();
    await bob.client.subscribe();
    await until(async () => (await alice.request('x')).result === 100, 'Bob to be gone');
    alice.acts = false;
    const eve = await joinSubscriber(mesh(), 1, name, 'no key');
    await until(() => alice.questions.length >= 2, 'a question about Eve', 10_000);
    await expectOpened(alice, () => alice.report(first, 0));
    expect(eve.messages.length > 0).toBe(world.works);
  });
});

const asked = (sender: PrivateSender): Promise<Question> => until(() => sender.questions[0], 'a 0x37');

function report(client: RawClient, { topic }: Question, nodeId: string, checkResult: number): void {
  client.send(CERTIFICATION_RESULT, JSON.stringify({ checkResult, nodeId, topic }));
}

/** An application that has to do with private topics, though not with this one. */
async function neighbour(mesh: Mesh): Promise<RawClient> {
  const mallory = await joinMallory(mesh, 0);
  await mallory.subscribe(messageTopic('of her own'));
  return mallory;
}

/** The node ID of the other relay, as every application can read it. */
async function nodeIdOfOther(client: RawClient): Promise<string> {
  const { result } = await client.rpc('getPeers');
  return (result as { NodeID: string }[])[1].NodeID;
}

async function stateOf(mesh: Mesh, name: string): Promise<string | undefined> {
  const { pairs } = JSON.parse((await mesh.relay(0).http('/private')).text) as {
    pairs: { topic: string; state: string }[];
  };
  return pairs.find(({ topic }) => topic === name)?.state;
}
