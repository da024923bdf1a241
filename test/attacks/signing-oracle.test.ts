/**
 * (a) A subscriber signs whatever arrives on its challenge topic, in the way in which a chain transaction is signed. So whoever can
 * have it sign bytes of his choice owns its account, if the keys are the same.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import { newHandle } from '../helpers/p2p/scripted-relay.js';
import {
  challengeTopic,
  messageTopic,
  type PrivateSubscriber,
  pushTopic,
  REQUEST_CERTIFICATION,
} from '../helpers/private.js';
import type { RawClient } from '../helpers/raw-client.js';
import type { Frame } from '../helpers/wire.js';
import { almostWeb3Blocks, randomOfLengths, type Shaped, transactions, web3Block } from './challenges.js';
import { joinHostileRelay, joinMallory, joinSubscriber, OURS, useWorld, WORLDS } from './world.js';

const CHALLENGES = 'amop_private_challenges_total';
const javaChallenge = (): string => randomBytes(16).toString('hex');

describe.each(WORLDS)('(a) a signature over bytes of the attacker’s choice %s', (_, world) => {
  const mesh = useWorld(world);

  /** Bob, far from the sender's relay, and what a challenge of each kind is. */
  async function victim(name: string): Promise<{ bob: PrivateSubscriber; v: string; attempts: Shaped[] }> {
    const v = challengeTopic(name);
    const bob = await joinSubscriber(mesh(), 1, name, 'key', v);
    await mesh().settled(1);
    const attempts = [
      ...transactions(11, 200),
      ...randomOfLengths([18, 31], [33, 64]),
      { what: '32 random bytes', payload: randomBytes(32) },
      { what: '32 upper-case digits', payload: Buffer.from(javaChallenge().toUpperCase().replace(/\d/g, 'A')) },
      { what: '64 hex digits', payload: Buffer.from(javaChallenge() + javaChallenge()) },
      ...almostWeb3Blocks(v, messageTopic(name)),
    ];
    expect(attempts.length).toBeGreaterThan(220);
    return { bob, v, attempts };
  }

  /** Mallory, who is known as a sender of the topic: this relay asks her to certify Bob. */
  async function joinAsSender(at: number, name: string): Promise<RawClient> {
    const mallory = await joinMallory(mesh(), at);
    await mallory.subscribe(pushTopic(name));
    if (!world.works) await mallory.waitFor(({ type }) => type === REQUEST_CERTIFICATION, 'a 0x37');
    return mallory;
  }

  /** Those that brought a signature. */
  async function signed(attempts: readonly Shaped[], send: (payload: Buffer) => Promise<Frame>): Promise<string[]> {
    const answers = await Promise.all(attempts.map(({ payload }) => send(payload)));
    return attempts.filter((_, index) => answers[index].result === 0).map(({ what }) => what);
  }

  /** All attempts, or none: refused by relay `at`, for the reason given. */
  async function expectSigned(
    { bob, attempts }: { bob: PrivateSubscriber; attempts: readonly Shaped[] },
    at: number,
    reason: 'shape' | 'not-a-sender',
    send: (payload: Buffer) => Promise<Frame>,
  ): Promise<void> {
    const refused = async () => (await mesh().relay(at).metrics()).value(CHALLENGES, { result: reason });
    const before = await refused();
    expect(await signed(attempts, send)).toEqual(world.works ? attempts.map(({ what }) => what) : []);
    expect(bob.challenges).toHaveLength(world.works ? attempts.length : 0);
    expect(await refused()).toBe(before + (world.works ? 0 : attempts.length));
  }

  it('when a session of the sender’s relay sends them that has announced nothing', async () => {
    const { bob, v, attempts } = await victim('stranger');
    const mallory = await joinMallory(mesh(), 0);
    const all: Shaped[] = [{ what: 'a challenge of Java', payload: Buffer.from(javaChallenge()) }, ...attempts];
    await expectSigned({ bob, attempts: all }, 0, 'not-a-sender', (payload) => mallory.request(v, payload));
  });

  it('when a session sends them that has announced to send on the topic', async () => {
    const { bob, v, attempts } = await victim('sender');
    const mallory = await joinAsSender(0, 'sender');
    await expectSigned({ bob, attempts }, 0, 'shape', (payload) => mallory.request(v, payload));
  });

  it('when a session of the receiver’s own relay sends them', async () => {
    const { bob, v, attempts } = await victim('neighbour');
    const mallory = await joinAsSender(1, 'neighbour');
    await expectSigned({ bob, attempts }, 1, 'shape', (payload) => mallory.request(v, payload));
  });

  it('when another relay sends them that has pulled the list', async () => {
    const { bob, v, attempts } = await victim('relay');
    const mallory = await joinHostileRelay(mesh(), 1);
    expect((await mallory.pull()).map(({ challengeTopic: listed }) => listed)).toContain(v);
    await expectSigned({ bob, attempts }, 1, 'shape', (payload) => mallory.challenge(newHandle(), v, payload));
  });

  it('when an application of a 2.x node sends them', async () => {
    const { bob, v, attempts } = await victim('node');
    const node = await LegacyPeer.start({ credentials: mesh().pki.node('node', 'C') });
    onTestFinished(() => node.stop());
    node.dial(mesh().relays[1].p2pPort);
    await node.waitForTopic(v);
    await expectSigned({ bob, attempts }, 1, 'shape', (payload) => node.unicast(v, payload));
  });

  it('when another relay sends a challenge that never pulled a list with the topic', async () => {
    const mallory = await joinHostileRelay(mesh(), 1);
    const { bob, v } = await victim('unlisted');
    const { result } = await mallory.challenge(newHandle(), v, javaChallenge());
    expect(result).toBe(world.works ? 0 : 100);
    expect(bob.challenges).toHaveLength(world.works ? 1 : 0);
  });

  it('at any rate, from one session', async () => {
    const { bob, v } = await victim('flood');
    const mallory = await joinAsSender(0, 'flood');
    const startMs = performance.now();
    await Promise.all(Array.from({ length: 200 }, () => mallory.request(v, javaChallenge())));
    const seconds = (performance.now() - startMs) / 1_000;
    if (world.works) expect(bob.challenges).toHaveLength(200);
    else expect(bob.challenges.length).toBeLessThanOrEqual(4 + 1 + seconds / 2);
  });

  it('at any rate, from a relay that names another session each time', async () => {
    const { bob, v } = await victim('rotation');
    const mallory = await joinHostileRelay(mesh(), 1);
    await mallory.pull();
    const startMs = performance.now();
    await Promise.all(Array.from({ length: 600 }, () => mallory.challenge(newHandle(), v, javaChallenge())));
    const seconds = (performance.now() - startMs) / 1_000;
    if (world.works) expect(bob.challenges).toHaveLength(600);
    else expect(bob.challenges.length).toBeLessThanOrEqual(256 + 1 + 16 * seconds);
  });
});

describe('what an SDK sends', () => {
  const mesh = useWorld(OURS);

  it('passes: the challenges of Java, Go and web3sdk, from a session and from a relay', async () => {
    const v = challengeTopic('honest');
    const bob = await joinSubscriber(mesh(), 1, 'honest', 'key', v);
    await mesh().settled(1);
    const shapes = [
      Buffer.from(javaChallenge()),
      Buffer.concat([Buffer.of(3), randomBytes(16)]),
      web3Block(v, messageTopic('honest')),
    ];
    const alice = await joinMallory(mesh(), 0);
    await alice.subscribe(pushTopic('honest'));
    await alice.waitFor(({ type }) => type === REQUEST_CERTIFICATION, 'a 0x37');
    for (const payload of shapes) expect((await alice.request(v, payload)).result).toBe(0);
    const relay = await joinHostileRelay(mesh(), 1);
    await relay.pull();
    const handle = newHandle();
    for (const payload of shapes) expect((await relay.challenge(handle, v, payload)).result).toBe(0);
    expect(bob.challenges).toHaveLength(6);
    // The burst of a session is over after four, and it gets one more after two seconds.
    expect((await alice.request(v, shapes[0])).result).toBe(0);
    expect((await alice.request(v, shapes[0])).result).toBe(100);
    await until(async () => (await alice.request(v, shapes[0])).result === 0, 'the next allowance');
  });
});
