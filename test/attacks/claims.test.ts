/**
 * (f) A member of the network that claims the challenge topic of somebody else's subscriber, and has it sign in its place. It is
 * let in with a certificate of the chain, and reads the names in the lists of its peers.
 */
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import type { ListedSession } from '../helpers/p2p/relay-wire.js';
import type { Mesh } from '../helpers/p2p/relays.js';
import { newDigest, newHandle, type ScriptedRelay } from '../helpers/p2p/scripted-relay.js';
import { challengeTopic, messageTopic, type PrivateSender, type PrivateSubscriber } from '../helpers/private.js';
import { agentToml, SigningKeys } from '../helpers/signing-keys.js';
import { parseAmopBody, TYPE } from '../helpers/wire.js';
import { joinHostileRelay, joinSender, joinSubscriber, OURS, untilResult, useWorld, WORLDS } from './world.js';

const keys = new SigningKeys();
afterAll(() => keys.remove());

/** What the thief says of its own session. */
type Forge = (victim: ListedSession) => ListedSession;
const copyTopic: Forge = (victim) => ({ ...victim, handle: newHandle(), digest: newDigest() });
const copyCertificate: Forge = (victim) => ({ ...victim, handle: newHandle() });
const copyAll: Forge = (victim) => victim;

describe.each(WORLDS)('(f) a claim on the challenge topic of another %s', (_, world) => {
  const mesh = useWorld(world);

  async function expectStolen(alice: PrivateSender, relay: ScriptedRelay, bob: PrivateSubscriber): Promise<void> {
    if (!world.works) {
      await expectAllAtBob(mesh(), alice, bob);
      await relay.pull(); // What was sent to it before has come.
      expect(relay.messages).toEqual([]);
      return;
    }
    await until(async () => {
      await alice.request('unicast');
      return relay.messages.length > 0;
    }, 'a unicast at the thief');
    await alice.client.response(alice.client.multicast(messageTopic(alice.name), 'multicast'));
    await until(() => relay.messages.some(({ request }) => request.type === TYPE.multicast), 'a multicast');
  }

  it('by a relay that copies the challenge topic', async () => {
    const { thief, bob, victim } = await robbery(mesh(), 'topic');
    const list = () => thief.list(copyTopic(victim));
    if (world.works) await list();
    else await untilResult(mesh().relay(0), 'claim-refused', list);
    const alice = await joinSender(mesh(), 0, 'topic', 'key');
    await expectStolen(alice, thief, bob);
  });

  it.each([
    ['certificate', copyCertificate],
    ['certificate and the handle', copyAll],
  ])('by a relay that copies the %s, too', async (what, forge) => {
    const name = `copy of the ${what}`;
    const { thief, bob, victim } = await robbery(mesh(), name);
    await thief.list(forge(victim));
    const alice = await joinSender(mesh(), 0, name, 'key');
    // It is asked for a signature, like Bob, and says that it can reach nobody: another relay would be tried then.
    await until(() => thief.challenges.length > 0, 'a challenge at the thief');
    await expectStolen(alice, thief, bob);
  });

  it('by a 2.x node that lists both names', async () => {
    const { bob, victim } = await robbery(mesh(), 'node');
    const node = await LegacyPeer.start({ credentials: mesh().pki.node('node', 'C') });
    onTestFinished(() => node.stop());
    // As a node does that lost its subscriber, for which the next one is tried.
    node.answerer = ({ body }) => {
      const { topic } = parseAmopBody(body);
      return topic === victim.challengeTopic ? { result: 104, body } : { body };
    };
    node.subscribe(victim.topic, victim.challengeTopic);
    const link = async () => {
      node.dial(mesh().relays[0].p2pPort);
      await node.waitForPeer(mesh().relays[0].nodeId);
    };
    if (world.works) await link();
    else await untilResult(mesh().relay(0), 'claim-refused', link);
    const alice = await joinSender(mesh(), 0, 'node', 'key');
    if (world.works) {
      await until(async () => {
        await alice.request('unicast');
        return node.unicasts.some(({ body }) => parseAmopBody(body).topic === victim.topic);
      }, 'a unicast at the node');
      return;
    }
    await expectAllAtBob(mesh(), alice, bob);
    expect(node.unicasts).toEqual([]);
    expect(node.multicasts).toEqual([]);
  });

  it('by a relay that is there before the other', async () => {
    const name = 'before';
    const v = challengeTopic(name);
    const thief = await joinHostileRelay(mesh(), 0, 'thief');
    thief.onMessage = ({ request }) => request.body;
    await thief.list({ topic: messageTopic(name), handle: newHandle(), digest: newDigest(), challengeTopic: v });
    const bob = await joinSubscriber(mesh(), 1, name, 'key', v);
    await mesh().settled(1);
    const alice = await joinSender(mesh(), 0, name, 'key');
    if (world.works) {
      await expectStolen(alice, thief, bob);
      return;
    }
    // It keeps Bob out, for as long as it is there, and gets nothing.
    await until(() => thief.challenges.length > 0, 'a challenge at the thief');
    expect((await alice.request('secret')).result).toBe(100);
    expect(thief.messages).toEqual([]);
    await thief.stop();
    await expectAllAtBob(mesh(), alice, bob);
  });
});

describe.each(WORLDS)('(f) a claim on the challenge topic of a session that its relay answers for %s', (_, world) => {
  const key = keys.make(`key ${world.works}`);
  const mesh = useWorld(world, { count: 1, sections: agentToml('answered', { answers: key }) });

  it('by a relay that copies all of its listing', async () => {
    const name = 'answered';
    const bob = await mesh().connect(0);
    bob.answerWithEcho();
    await bob.subscribe(messageTopic(name));
    const thief = await joinHostileRelay(mesh(), 0, 'thief');
    thief.onMessage = ({ request }) => request.body;
    const victim = await until(
      async () => (await thief.pull()).find(({ topic }) => topic === messageTopic(name)),
      'the listing of Bob',
    );
    await thief.list(copyCertificate(victim));
    const alice = await joinSender(mesh(), 0, name);
    alice.accepts = (challenge, signature) => key.hasSigned(challenge, signature);
    if (world.works) {
      await until(async () => {
        await alice.request('unicast');
        return thief.messages.length > 0;
      }, 'a unicast at the thief');
      return;
    }
    // The relay signs for Bob alone: what would certify the thief goes to the thief.
    await until(() => thief.challenges.length > 0, 'a challenge at the thief');
    await alice.untilServed();
    for (let n = 0; n < 20; n++) expect((await alice.request(`unicast ${n}`)).result).toBe(0);
    await alice.client.response(alice.client.multicast(messageTopic(name), 'multicast'));
    await until(() => bob.framesOf(TYPE.multicast).length === 1, 'the multicast at Bob');
    await thief.pull();
    expect(thief.messages).toEqual([]);
  });
});

describe('a subscriber whose listing is copied', () => {
  const mesh = useWorld(OURS);

  it('is still served when the copy is gone', async () => {
    const { thief, bob, victim } = await robbery(mesh(), 'gone');
    const alice = await joinSender(mesh(), 0, 'gone', 'key');
    await expectAllAtBob(mesh(), alice, bob);
    await thief.list(copyAll(victim));
    await until(() => thief.challenges.length > 0, 'a challenge at the thief');
    await expectAllAtBob(mesh(), alice, bob);
    await thief.list();
    await thief.stop();
    await mesh().relays[0].waitForPeers(1);
    await expectAllAtBob(mesh(), alice, bob);
  });

  // The signature is a true one, and nothing in it says whom it was made for: docs/private-topics.md, "What stays open".
  it('cannot be told from a relay that passes its challenges on to it', async () => {
    const { thief, reader, bob, victim } = await robbery(mesh(), 'forwarded');
    thief.onChallenge = async ({ request }) => {
      const { topic, payload } = parseAmopBody(request.body);
      const { result, body } = await reader.challenge(newHandle(), topic, payload);
      return result === 0 ? body : undefined;
    };
    await thief.list(copyCertificate(victim));
    const alice = await joinSender(mesh(), 0, 'forwarded', 'key');
    await until(async () => {
      await alice.request('unicast');
      return thief.messages.length > 0;
    }, 'a unicast at the thief');
    expect(bob.challenges.length).toBeGreaterThanOrEqual(2);
  });
});

/** Bob on the second relay; somebody who reads its list; and a thief at the first, who takes what he is sent. */
async function robbery(mesh: Mesh, name: string) {
  const bob = await joinSubscriber(mesh, 1, name, 'key');
  const reader = await joinHostileRelay(mesh, 1, 'reader');
  const victim = await until(
    async () => (await reader.pull()).find(({ topic }) => topic === messageTopic(name)),
    'the listing of Bob',
  );
  await mesh.settled(1);
  const thief = await joinHostileRelay(mesh, 0, 'thief');
  thief.onMessage = ({ request }) => request.body;
  return { bob, reader, victim, thief };
}

async function expectAllAtBob(mesh: Mesh, alice: PrivateSender, bob: PrivateSubscriber): Promise<void> {
  await alice.untilServed();
  await mesh.settled(0);
  bob.messages.length = 0;
  const copies = bob.multicasts.length;
  for (let n = 0; n < 20; n++) expect((await alice.request(`unicast ${n}`)).result).toBe(0);
  expect(bob.messages).toHaveLength(20);
  await alice.client.response(alice.client.multicast(messageTopic(alice.name), 'multicast'));
  await until(() => bob.multicasts.length === copies + 1, 'the multicast at Bob');
}
