/** Private topics between applications of one relay, of two relays, and of a relay and a scripted 2.x node. */
import { describe, expect, it } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { type Mesh, startMesh, useMesh } from '../../helpers/p2p/relays.js';
import { challengeTopic, messageTopic, PrivateSender, PrivateSubscriber } from '../../helpers/private.js';
import { amopBody, newSeq, TYPE } from '../../helpers/wire.js';

const limits = { subscriber_timeout_ms: 500, peer_timeout_ms: 2_000 };
/** No round of gossip may pass first, which takes 5 s; how fast it is, the bench measures. */
const USABLE_MS = 2_000;

async function sender(mesh: Mesh, relay: number, name: string, ...words: string[]): Promise<PrivateSender> {
  return PrivateSender.join((onFrame) => mesh.connect(relay, { onFrame }), name, ...words);
}

async function subscriber(mesh: Mesh, relay: number, name: string, word: string): Promise<PrivateSubscriber> {
  return PrivateSubscriber.join(await mesh.connect(relay), name, word);
}

describe.each([
  ['one relay', 0],
  ['two relays', 1],
])('private topics on %s', (_, there) => {
  const mesh = useMesh({ limits });

  it('reach the holder of the key by unicast and multicast without waiting for gossip', async () => {
    const name = `both-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const startMs = performance.now();
    const bob = await subscriber(mesh(), there, name, 'right');
    const answer = await alice.untilServed('private hello');
    expect(performance.now() - startMs).toBeLessThan(USABLE_MS);
    expect(answer.body).toEqual(amopBody(messageTopic(name), 'secret echo:private hello'));
    const seq = alice.client.multicast(messageTopic(name), 'private multi');
    expect((await alice.client.response(seq)).body).toEqual(amopBody(messageTopic(name), 'private multi'));
    await until(() => bob.multicasts.length === 1, 'the multicast');
    expect(bob.multicasts).toEqual(['private multi']);
    expect(alice.questions).toHaveLength(1);
    expect(bob.challenges).toHaveLength(1);
  });

  it('work whoever comes first', async () => {
    const name = `first-${there}`;
    await subscriber(mesh(), there, name, 'right');
    await mesh().settled(there);
    const startMs = performance.now();
    const alice = await sender(mesh(), 0, name, 'right');
    await alice.untilServed();
    expect(performance.now() - startMs).toBeLessThan(USABLE_MS);
  });

  it('never reach one that signs with a wrong key', async () => {
    const name = `wrong-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const mallory = await subscriber(mesh(), there, name, 'wrong');
    await until(() => alice.results.some(({ checkResult }) => checkResult === 1), 'the failed certification');
    for (let n = 0; n < 5; n++) expect((await alice.request('secret')).result).toBe(100);
    const seq = alice.client.multicast(messageTopic(name), 'secret');
    await alice.client.response(seq);
    await mallory.client.barrier();
    await mesh().settled(0);
    expect([...mallory.messages, ...mallory.multicasts]).toEqual([]);
    // And again after the back-off.
    await until(() => alice.results.length >= 2, 'another try', 10_000);
    expect((await alice.request('secret')).result).toBe(100);
  }, 20_000);

  it('never reach a session that merely knows the name', async () => {
    const name = `literal-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const eve = await mesh().connect(there);
    eve.answerWithEcho();
    await eve.subscribe(messageTopic(name));
    await mesh().settled(there);
    expect((await alice.request('secret')).result).toBe(100);
    const bob = await subscriber(mesh(), there, name, 'right');
    await alice.untilServed();
    for (let n = 0; n < 20; n++) expect((await alice.request(`${n}`)).result).toBe(0);
    await alice.client.response(alice.client.multicast(messageTopic(name), 'to all'));
    await until(() => bob.multicasts.length === 1, 'the multicast');
    await eve.barrier();
    expect(eve.framesOf(TYPE.unicast)).toEqual([]);
    expect(eve.framesOf(TYPE.multicast)).toEqual([]);
  });

  it('are shared fairly by several receivers, and reach all of them by multicast', async () => {
    const name = `several-${there}`;
    const alice = await sender(mesh(), 0, name, 'a', 'b', 'c');
    const receivers = [
      await subscriber(mesh(), there, name, 'a'),
      await subscriber(mesh(), 1 - there, name, 'b'),
      await subscriber(mesh(), there, name, 'c'),
    ];
    const mallory = await subscriber(mesh(), there, name, 'd');
    await until(
      () => alice.results.filter(({ checkResult }) => checkResult === 0).length === 3,
      'three certifications',
    );
    await alice.untilServed();
    for (const receiver of receivers) receiver.messages.length = 0;
    for (let n = 0; n < 300; n++) expect((await alice.request(`${n}`)).result).toBe(0);
    for (const { messages } of receivers) expect(Math.abs(messages.length / 300 - 1 / 3)).toBeLessThan(0.03);
    await alice.client.response(alice.client.multicast(messageTopic(name), 'to all'));
    await until(() => receivers.every(({ multicasts }) => multicasts.length === 1), 'three copies');
    await mallory.client.barrier();
    expect([...mallory.messages, ...mallory.multicasts]).toEqual([]);
  });

  it('are certified for each sender by itself', async () => {
    const name = `senders-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const dave = await sender(mesh(), 0, name, 'another');
    await subscriber(mesh(), there, name, 'right');
    await alice.untilServed();
    await until(() => dave.results.length > 0, 'the other sender’s verdict');
    expect((await dave.request('x')).result).toBe(100);
    // Somebody who announced no push topic is no sender at all.
    const frank = await mesh().connect(0);
    expect((await frank.request(messageTopic(name), 'x')).result).toBe(100);
  });

  it('end when the receiver leaves or unsubscribes, and when the sender withdraws', async () => {
    const name = `ends-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const bob = await subscriber(mesh(), there, name, 'right');
    await alice.untilServed();
    await bob.client.subscribe();
    await until(async () => (await alice.request('x')).result === 100, 'the end');
    await bob.client.subscribe(...bob.topics);
    await alice.untilServed();
    await alice.client.subscribe();
    expect((await alice.request('x')).result).toBe(100);
  });

  it('stay certified when the SDK renames its challenge topic on a re-subscription', async () => {
    const name = `renamed-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const bob = await subscriber(mesh(), there, name, 'right');
    await alice.untilServed();
    await bob.client.subscribe(messageTopic(name), challengeTopic(name), 'other');
    await mesh().settled(there);
    for (let n = 0; n < 10; n++) expect((await alice.request(`${n}`)).result).toBe(0);
    expect(alice.questions).toHaveLength(1);
  });

  it('list no private name in getPeers, getNodeInfo, metrics and log', async () => {
    const name = `hidden-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const challenge = challengeTopic(name);
    await PrivateSubscriber.join(await mesh().connect(there), name, 'right', challenge);
    await alice.untilServed();
    const id = challenge.slice(-32);
    for (const relay of [0, 1]) {
      const client = await mesh().connect(relay);
      for (const method of ['getPeers', 'getNodeInfo']) {
        const text = JSON.stringify(await client.rpc(method));
        expect(text).not.toContain('#!$');
        expect(text).not.toContain(id);
      }
      for (const path of ['/metrics', '/peers']) expect((await mesh().relay(relay).http(path)).text).not.toContain(id);
      expect(mesh().relay(relay).output).not.toContain(id);
    }
  });

  it('answer the sender 102 when the certified receiver is silent', async () => {
    const name = `silent-${there}`;
    const alice = await sender(mesh(), 0, name, 'right');
    const bob = await subscriber(mesh(), there, name, 'right');
    await alice.untilServed();
    bob.client.answerer = undefined;
    expect((await alice.request('x')).result).toBe(102);
  });
});

describe('a certification', () => {
  it('is done anew before it ends, in silence, and ends when the renewal says no', async () => {
    const mesh = await startMesh({
      limits,
      extraToml: '[private_topics]\ncertification_seconds = 10',
    });
    const alice = await sender(mesh, 0, 'renewed', 'right');
    const bob = await subscriber(mesh, 1, 'renewed', 'right');
    await alice.untilServed();
    let wrong = 0;
    await until(
      async () => {
        if ((await alice.request('x')).result !== 0) wrong++;
        await passTime(50);
        return alice.questions.length >= 2;
      },
      'the second question',
      12_000,
    );
    expect(wrong).toBe(0);
    bob.word = 'stolen';
    await until(async () => (await alice.request('x')).result === 100, 'the end', 15_000);
  }, 40_000);

  it('survives a broken link between the relays', async () => {
    const mesh = await startMesh({ mutual: true, limits });
    const alice = await sender(mesh, 0, 'cut', 'right');
    await subscriber(mesh, 1, 'cut', 'right');
    await alice.untilServed();
    for (const proxy of mesh.proxies) proxy.cut();
    for (const proxy of mesh.proxies) proxy.open();
    await alice.untilServed('again');
  }, 20_000);

  it('is not needed on one relay where the configuration says so, as on a node', async () => {
    const mesh = await startMesh({ limits, extraToml: '[private_topics]\ncertify_local = false' });
    const alice = await sender(mesh, 0, 'local', 'right');
    const eve = await mesh.connect(0);
    eve.answerWithEcho();
    await eve.subscribe(messageTopic('local'));
    await alice.untilServed();
    expect(alice.questions).toEqual([]);
    const remote = await mesh.connect(1);
    remote.answerWithEcho();
    await remote.subscribe(messageTopic('local'));
    await mesh.settled(1);
    await alice.client.response(alice.client.multicast(messageTopic('local'), newSeq()));
    await until(() => eve.framesOf(TYPE.multicast).length === 1, 'the local copy');
    await remote.barrier();
    expect(remote.received).toEqual([]);
  });
});
