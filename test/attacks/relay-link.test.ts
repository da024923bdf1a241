/** A member of the network that sends messages on a private topic to sessions which it has not certified, or not any more. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { ListedSession } from '../helpers/p2p/relay-wire.js';
import { newHandle, ScriptedRelay } from '../helpers/p2p/scripted-relay.js';
import { challengeTopic, messageTopic, type PrivateSubscriber } from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import { amopBody, parseAmopBody } from '../helpers/wire.js';
import { joinHostileRelay, joinMallory, joinSender, joinSubscriber, OURS, stolen, useWorld, WORLDS } from './world.js';

describe.each(WORLDS)('a message forwarded past the certification %s', (_, world) => {
  const mesh = useWorld(world, { count: 1 });

  /** Bob, who holds the key, and Mallory, who only subscribes to the name; a relay that knows what the relay lists. */
  async function receivers(name: string) {
    const bob = await joinSubscriber(mesh(), 0, name, 'key');
    const mallory = await joinMallory(mesh(), 0);
    await mallory.subscribe(messageTopic(name));
    const relay = await joinHostileRelay(mesh(), 0);
    const listed = await until(async () => listingOf(await relay.pull(), name), 'the listing of Bob');
    return { bob, mallory, relay, listed };
  }

  /** Sends by unicast and multicast; it must reach either of the two, or none. */
  async function expectDelivered(
    { bob, mallory, relay }: { bob: PrivateSubscriber; mallory: RawClient; relay: ScriptedRelay },
    name: string,
    send: { unicast: (payload: string) => Promise<{ result: number }>; multicast: (payload: string) => void },
  ): Promise<void> {
    const taken = () => [...bob.messages, ...bob.multicasts, ...stolen(mallory, name)];
    for (let n = 0; n < 4; n++) {
      const { result } = await send.unicast(`unicast ${n}`);
      if (world.works) expect(result).toBe(0);
      else expect([100, 101]).toContain(result);
    }
    send.multicast('multicast');
    await relay.pull(); // The relay has read what was sent before.
    if (world.works) {
      await until(() => taken().filter((payload) => payload === 'multicast').length === 2, 'both copies');
      expect(taken()).toHaveLength(6);
      return;
    }
    await Promise.all([bob.client.barrier(), mallory.barrier()]);
    expect(taken()).toEqual([]);
  }

  it('by handles that are guessed', async () => {
    const all = await receivers('guessed');
    const { handle } = all.listed;
    // Random ones, all zeros, and the neighbours of a true one.
    const near = Array.from({ length: 64 }, (_unused, bit) => flip(handle, bit));
    const handles = ['0'.repeat(16), 'f'.repeat(16), ...near, ...Array.from({ length: 1_000 }, newHandle)];
    await expectDelivered(all, 'guessed', {
      unicast: (payload) => all.relay.privateUnicast(handles, messageTopic('guessed'), payload),
      multicast: (payload) => all.relay.privateMulticast(handles, messageTopic('guessed'), payload),
    });
  });

  it('by the handle of a session that has left and come again', async () => {
    const all = await receivers('stale');
    await all.bob.client.close();
    const bob = await joinSubscriber(mesh(), 0, 'stale', 'key');
    const { handle } = all.listed;
    await until(async () => {
      const now = listingOf(await all.relay.pull(), 'stale')?.handle;
      return now !== undefined && now !== handle;
    }, 'the new listing of Bob');
    await expectDelivered({ ...all, bob }, 'stale', {
      unicast: (payload) => all.relay.privateUnicast([handle], messageTopic('stale'), payload),
      multicast: (payload) => all.relay.privateMulticast([handle], messageTopic('stale'), payload),
    });
  });

  it('by the handle of a session that has left the topic', async () => {
    const all = await receivers('left');
    const { bob, listed, relay } = all;
    await bob.client.subscribe('another topic', messageTopic('another'), challengeTopic('another'));
    const other = await joinSubscriber(mesh(), 0, 'left', 'key');
    await until(async () => listingOf(await relay.pull(), 'left')?.handle !== listed.handle, 'the list without Bob');
    await expectDelivered({ ...all, bob: other }, 'left', {
      unicast: (payload) => relay.privateUnicast([listed.handle], messageTopic('left'), payload),
      multicast: (payload) => relay.privateMulticast([listed.handle], messageTopic('left'), payload),
    });
    await bob.client.barrier();
    expect(stolen(bob.client, 'left')).toEqual([]);
  });

  it('as a plain frame, which names no session', async () => {
    const all = await receivers('plain');
    await expectDelivered(all, 'plain', {
      unicast: (payload) => all.relay.plainUnicast(messageTopic('plain'), payload),
      multicast: (payload) => all.relay.plainMulticast(messageTopic('plain'), payload),
    });
  });
});

describe('a certified session behind a relay', () => {
  const mesh = useWorld(OURS, { count: 1 });

  it('is sent to only by its handle, also over a link that has said no hello yet', async () => {
    const name = 'no hello';
    const credentials = mesh().pki.node('quiet', 'C');
    const port = mesh().relays[0].p2pPort;
    const first = await ScriptedRelay.dial({ port, credentials });
    const listed: ListedSession = {
      topic: messageTopic(name),
      handle: newHandle(),
      digest: randomBytes(32).toString('hex'),
      challengeTopic: challengeTopic(name),
    };
    first.onMessage = ({ request }) => request.body;
    first.onChallenge = ({ request }) => sign(request.body);
    const alice = await joinSender(mesh(), 0, name, 'key');
    await first.list(listed);
    await alice.untilServed();
    expect(first.messages.map(({ handles }) => handles)).toEqual([[listed.handle]]);
    // A second link of the same node waits until the first is gone, and takes over at once.
    const second = await ScriptedRelay.dial({ port, credentials, hello: false });
    await first.stop();
    for (let n = 0; n < 20; n++) await alice.request(`secret ${n}`);
    expect(second.plain.map(({ body }) => `${parseAmopBody(body).payload}`)).toEqual([]);
    await second.stop();
  });
});

const listingOf = (sessions: readonly ListedSession[], name: string): ListedSession | undefined =>
  sessions.find(({ topic }) => topic === messageTopic(name));

function flip(handle: string, bit: number): string {
  return (BigInt(`0x${handle}`) ^ (1n << BigInt(bit))).toString(16).padStart(16, '0');
}

/** The answer of a subscriber with the word `key`. */
function sign(body: Buffer): Buffer {
  const { topic, payload } = parseAmopBody(body);
  return amopBody(topic, `key:${payload}`);
}
