/** (e) A certification that does not end, in relays that carry messages. Both worlds at the same time, for it takes a while. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import { challengeTopic, messageTopic, type PrivateSender } from '../helpers/private.js';
import { amopBody, parseAmopBody } from '../helpers/wire.js';
import { joinSender, startWorld, WORLDS, type World } from './world.js';

const CERTIFICATION_MS = 10_000;
const settings = `certification_seconds = ${CERTIFICATION_MS / 1_000}`;

interface Stage {
  readonly world: World;
  readonly alice: PrivateSender;
  /** What the subscriber signs with. */
  readonly bob: { word: string };
}

/** Alice at a relay, and Bob at a 2.x node, with the wrong word at first. */
async function stage(world: World, name: string, word: string): Promise<Stage> {
  const mesh = await startWorld(world, { count: 1, settings });
  const bob = { word };
  const node = await LegacyPeer.start({ credentials: mesh.pki.node('node', 'B') });
  onTestFinished(() => node.stop());
  const v = challengeTopic(name);
  node.answerer = ({ body }) => {
    const { topic, payload } = parseAmopBody(body);
    return { body: amopBody(topic, topic === v ? `${bob.word}:${payload}` : payload) };
  };
  node.subscribe(messageTopic(name), v);
  node.dial(mesh.relays[0].p2pPort);
  await node.waitForPeer(mesh.relays[0].nodeId);
  return { world, alice: await joinSender(mesh, 0, name, 'key'), bob };
}

const inBothWorlds = (name: string, word: string, act: (stage: Stage) => Promise<void>): Promise<unknown> =>
  Promise.all(WORLDS.map(async ([, world]) => act(await stage(world, name, word))));

describe('(e) works by the rules of the reference, fails against this relay:', () => {
  it('a subscriber receives on, when its key has been withdrawn', async () => {
    await inBothWorlds('withdrawn', 'key', async ({ world, alice }) => {
      await alice.untilServed();
      const startMs = performance.now();
      alice.words = [];
      if (world.works) {
        while (performance.now() - startMs < CERTIFICATION_MS + 500) {
          expect((await alice.request('secret')).result).toBe(0);
          await passTime(100);
        }
        expect(alice.questions).toHaveLength(1);
        return;
      }
      await until(async () => (await alice.request('secret')).result === 100, 'the end', CERTIFICATION_MS + 5_000);
      expect(alice.questions.length).toBeGreaterThan(1);
      for (let n = 0; n < 5; n++) expect((await alice.request('secret')).result).toBe(100);
    });
  }, 40_000);

  it('a subscriber is kept out for ever by one wrong answer', async () => {
    await inBothWorlds('sticky', 'no key', async ({ world, alice, bob }) => {
      await until(() => alice.results.length > 0, 'the wrong answer');
      bob.word = 'key';
      if (world.works) {
        const startMs = performance.now();
        while (performance.now() - startMs < 3_500) {
          expect((await alice.request('hello')).result).toBe(100);
          await passTime(100);
        }
        expect(alice.questions).toHaveLength(1);
        return;
      }
      await alice.untilServed('hello', 10_000);
      expect(alice.results.map(({ checkResult }) => checkResult)).toEqual([1, 0]);
    });
  }, 30_000);
});
