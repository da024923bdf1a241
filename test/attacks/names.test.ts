/** (d) Names that are taken for other names: one that begins like another, and ones with characters that mean something. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import { newDigest, newHandle } from '../helpers/p2p/scripted-relay.js';
import { challengeTopic, messageTopic } from '../helpers/private.js';
import { amopBody, parseAmopBody } from '../helpers/wire.js';
import {
  joinHostileRelay,
  joinMallory,
  joinSender,
  joinSubscriber,
  OURS,
  useWorld,
  WORLDS,
  WORLDS_OF_CHARACTERS,
} from './world.js';

describe.each(WORLDS)('(d) a private topic whose name begins like another %s', (_, world) => {
  const mesh = useWorld(world, { count: 1 });

  /** A 2.x node where Bob has the key of the topic, and Mallory another private topic with a key of her own. */
  async function sharedNode(name: string, hers: string) {
    const node = await LegacyPeer.start({ credentials: mesh().pki.node('node', 'B') });
    onTestFinished(() => node.stop());
    // The last of all numbers, so that the other name comes first wherever it can.
    const [v, theirs] = [challengeTopic(name, 'f'.repeat(32)), challengeTopic(hers)];
    const asked: string[] = [];
    const taken: string[] = [];
    node.answerer = ({ body }) => {
      const { topic, payload } = parseAmopBody(body);
      if (topic === messageTopic(name)) taken.push(`${payload}`);
      else asked.push(topic);
      const signature = topic === v ? `key:${payload}` : topic === theirs ? `her key:${payload}` : 'ok';
      return { body: amopBody(topic, signature) };
    };
    node.subscribe(messageTopic(name), v, messageTopic(hers), theirs);
    node.dial(mesh().relays[0].p2pPort);
    await node.waitForPeer(mesh().relays[0].nodeId);
    return { v, theirs, asked, taken };
  }

  it.each([
    ['ab', 'abC'],
    ['cd', 'cd1'],
    ['ef', 'ef_'],
    ['gh', `gh_${'0'.repeat(32)}`],
    ['ij', 'ij '],
  ])('keeps %s from being certified, when it is %s', async (name, hers) => {
    const { v, theirs, asked, taken } = await sharedNode(name, hers);
    const alice = await joinSender(mesh(), 0, name, 'key');
    if (!world.works) {
      await alice.untilServed('hello');
      expect(asked).toEqual([v]);
      expect(taken).toEqual(['hello']);
      return;
    }
    await until(() => alice.results.length > 0, 'the result');
    expect(asked).toEqual([theirs]);
    expect(alice.results.map(({ checkResult }) => checkResult)).toEqual([1]);
    expect((await alice.request('hello')).result).toBe(100);
  });
});

describe.each(WORLDS_OF_CHARACTERS)('(d) a topic with control characters %s', (_, world) => {
  const mesh = useWorld(world);

  it('that puts another topic into the list for 2.x nodes, by a TAB', async () => {
    const node = await LegacyPeer.start({ credentials: mesh().pki.node('node', 'B') });
    onTestFinished(() => node.stop());
    node.dial(mesh().relays[1].p2pPort);
    await node.waitForPeer(mesh().relays[1].nodeId);
    const injected = challengeTopic('victim');
    const mallory = await joinMallory(mesh(), 1);
    await mallory.subscribe(`harmless\t${injected}`, 'behind');
    await node.waitForTopic('behind');
    expect(node.topicsOf(mesh().relays[1].nodeId).has(injected)).toBe(world.works);
  });

  it('that invents a subscriber of a private topic for other relays, with the certificate of somebody else', async () => {
    const name = 'invented';
    const alice = await joinSender(mesh(), 0, name, 'key');
    const v = challengeTopic(name);
    const mallory = await joinMallory(mesh(), 1);
    await mallory.subscribe(`a\t1 ${messageTopic(name)}\t@${newHandle()} ${newDigest()} ${v}`);
    await mesh().settled(1);
    if (world.works) {
      await until(() => alice.questions.some(({ topicForCert }) => topicForCert === v), 'a question about nobody');
    } else {
      expect(alice.questions).toEqual([]);
    }
  });

  it('that writes to the terminal of whoever looks at the topics', async () => {
    const title = '\x1b]0;owned\x07';
    const mallory = await joinMallory(mesh(), 0);
    await mallory.subscribe(title, 'behind it');
    const { result } = await mallory.rpc('getNodeInfo');
    const { Topic } = result as { Topic: string[] };
    expect(Topic).toContain('behind it');
    expect(Topic.includes(title)).toBe(world.works);
  });

  it.each(['\t', '\n', '\0', '\x1f', '\x7f'])('cannot be subscribed to or sent to with %j', async (character) => {
    const topic = `a${character}b`;
    const client = await mesh().connect(0);
    await client.subscribe(topic, messageTopic(topic), challengeTopic(topic));
    const sender = await joinMallory(mesh(), 0);
    for (const name of [topic, messageTopic(topic), challengeTopic(topic)]) {
      // The scanner of frames refuses them in either build.
      expect((await sender.request(name, 'x')).result).toBe(100);
    }
    expect(client.received).toEqual([]);
  });
});

describe('an element of a relay’s list that is no name of the right form', () => {
  const mesh = useWorld(OURS);

  it.each([
    ['another message topic', (name: string) => challengeTopic(`${name}2`)],
    ['no number', (name: string) => challengeTopic(name, 'x'.repeat(32))],
    ['a short number', (name: string) => challengeTopic(name, '0'.repeat(31))],
  ])('brings no question: a challenge topic with %s', async (what, forge) => {
    const name = `form of ${what}`;
    const alice = await joinSender(mesh(), 0, name, 'key');
    const relay = await joinHostileRelay(mesh(), 0);
    const listed = { topic: messageTopic(name), handle: newHandle(), digest: newDigest() };
    await relay.list({ ...listed, challengeTopic: forge(name) });
    await joinSubscriber(mesh(), 1, name, 'key');
    await alice.untilServed();
    expect(alice.questions).toHaveLength(1);
    expect(relay.challenges).toEqual([]);
  });
});
