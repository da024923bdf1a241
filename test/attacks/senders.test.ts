/**
 * (h) Somebody who announces that it sends on a private topic which is not its own: it is asked to certify in the place of the
 * sender, learns the challenge topic, and sends what the receivers take for the sender's.
 */
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import {
  CERTIFICATION_RESULT,
  challengeTopic,
  messageTopic,
  pushTopic,
  questionOf,
  REQUEST_CERTIFICATION,
} from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import { joinMallory, joinSender, joinSubscriber, untilResult, useWorld, WORLDS } from './world.js';

const NAMES = ['unasked', 'oracle', 'stranger', 'renamed'];
/** Alice's certificate has the CN sdkA, Mallory's another one of another agency. */
const sections = NAMES.map((name) => `[[private_topic]]\nname = "${name}"\nsenders = ["agencyA/sdkA"]`).join('\n');

describe.each(WORLDS)('(h) a sender that the configuration does not name %s', (_, world) => {
  const mesh = useWorld(world, { sections });

  /** Mallory with the push topic; our relay refuses her. */
  async function intruder(name: string, announce = (mallory: RawClient) => mallory.subscribe(pushTopic(name))) {
    const mallory = await joinMallory(mesh(), 0);
    if (world.works) await announce(mallory);
    else await untilResult(mesh().relay(0), 'sender-refused', () => announce(mallory));
    return mallory;
  }

  it('is asked to certify, and answers before the true sender', async () => {
    const mallory = await intruder('unasked');
    const eve = await joinSubscriber(mesh(), 1, 'unasked', 'no key');
    await mesh().settled(1);
    if (world.works) {
      const question = questionOf(await mallory.waitFor(({ type }) => type === REQUEST_CERTIFICATION, 'a 0x37'));
      const { nodeId, topic } = question;
      mallory.send(CERTIFICATION_RESULT, JSON.stringify({ checkResult: 0, nodeId, topic }));
    }
    const alice = await joinSender(mesh(), 0, 'unasked', 'key');
    if (world.works) {
      await alice.untilServed('secret');
      expect(eve.messages).toContain('secret');
      return;
    }
    await until(() => alice.results.length > 0, 'the result');
    expect((await alice.request('secret')).result).toBe(100);
    expect(mallory.framesOf(REQUEST_CERTIFICATION)).toEqual([]);
    expect(eve.messages).toEqual([]);
  });

  it('has the subscriber sign', async () => {
    const v = challengeTopic('oracle');
    const bob = await joinSubscriber(mesh(), 1, 'oracle', 'key', v);
    await mesh().settled(1);
    const mallory = await intruder('oracle');
    expect((await mallory.request(v, '0123456789abcdef'.repeat(2))).result).toBe(world.works ? 0 : 100);
    expect(bob.challenges).toHaveLength(world.works ? 1 : 0);
  });

  it.each([
    ['stranger', [pushTopic('stranger')]],
    ['renamed', ['something else', pushTopic('renamed'), messageTopic('renamed'), pushTopic('of her own')]],
  ])('sends to those who hold the key of the topic: %s', async (name, topics) => {
    const alice = await joinSender(mesh(), 0, name, 'key');
    const bob = await joinSubscriber(mesh(), 1, name, 'key');
    await alice.untilServed();
    bob.messages.length = 0;
    const mallory = await intruder(name, (client) => client.subscribe(...topics));
    const send = () => mallory.request(messageTopic(name), 'from Alice');
    if (world.works) {
      await until(async () => (await send()).result === 0, 'a message of hers');
      expect(bob.messages).toContain('from Alice');
      return;
    }
    for (let n = 0; n < 10; n++) expect((await send()).result).toBe(100);
    await mallory.response(mallory.multicast(messageTopic(name), 'from Alice'));
    await alice.untilServed('true');
    expect([...bob.messages, ...bob.multicasts]).toEqual(['true']);
    expect(mallory.framesOf(REQUEST_CERTIFICATION)).toEqual([]);
  });
});
