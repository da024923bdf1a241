/** Private topics of the client with relays as they run: our sender, our receiver, and the scripted SDKs on the other side. */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { AmopClient } from '../../../src/client/index.js';
import type { ClientModule } from '../../helpers/client-world.js';
import { until } from '../../helpers/deadline.js';
import { type Mesh, startMesh, useMesh } from '../../helpers/p2p/relays.js';
import { TcpProxy } from '../../helpers/p2p/tcp-proxy.js';
import { DIST_DIR } from '../../helpers/pki.js';
import { PrivateSender, PrivateSubscriber } from '../../helpers/private.js';
import { parseAmopBody } from '../../helpers/wire.js';

const CLIENT = pathToFileURL(join(DIST_DIR, 'client/index.js')).href;
const { connect } = (await import(CLIENT)) as ClientModule;
const limits = { subscriber_timeout_ms: 1_000, peer_timeout_ms: 3_000 };
const clients: AmopClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' });

async function openAt(mesh: Mesh, ports: readonly number[]): Promise<AmopClient> {
  const relays = ports.map((port) => `127.0.0.1:${port}`);
  const client = await connect({ relays, ...mesh.relay(0).pki.sdkB.secp256k1 });
  clients.push(client);
  await until(() => client.relays.every(({ state }) => state === 'connected'), 'every relay');
  return client;
}

function open(mesh: Mesh, ...relays: number[]): Promise<AmopClient> {
  return openAt(
    mesh,
    relays.map((relay) => mesh.relay(relay).ports.secp256k1),
  );
}

describe.each([
  ['one relay', 0],
  ['two relays', 1],
])('our sender and our receiver on %s', (_, there) => {
  const mesh = useMesh({ limits });

  it('exchange requests and multicasts under the plain name', async () => {
    const name = `ours-${there}`;
    const { publicKey, privateKey } = newKeys();
    const sender = await (await open(mesh(), 0)).publishPrivate(name, [newKeys().publicKey, publicKey]);
    const receiver = await open(mesh(), there);
    const got: string[] = [];
    await receiver.subscribePrivate(name, privateKey, (message) => {
      got.push(`${message.topic} ${message.multicast} ${message.text()}`);
      return `echo ${message.text()}`;
    });
    await sender.ready({ timeoutMs: 8_000 });
    const answer = await sender.request('one');
    expect([answer.topic, answer.text()]).toEqual([name, 'echo one']);
    expect((await sender.publish('two')).seq).toMatch(/^[0-9a-f]{32}$/);
    await sender.multicast('three');
    await until(() => got.length === 3, 'three messages');
    expect(got).toEqual([`${name} false one`, `${name} false two`, `${name} true three`]);
    expect([receiver.subscriptions, receiver.privateSubscriptions]).toEqual([[], [name]]);
    expect(sender.status()).toMatchObject([{ state: 'certified', failure: undefined }]);
    await receiver.unsubscribePrivate(name);
    await until(
      async () => (await sender.request('x').catch(({ reason }) => reason)) === 'not-certified',
      'the end of the subscription',
    );
  });

  it('do not reach one with a wrong key, and say why', async () => {
    const name = `wrong-${there}`;
    const sender = await (await open(mesh(), 0)).publishPrivate(name, [newKeys().publicKey]);
    const mallory = await open(mesh(), there);
    const got: string[] = [];
    await mallory.subscribePrivate(name, newKeys().privateKey, (message) => void got.push(message.text()));
    await until(() => sender.status()[0]?.state === 'failed', 'the failed certification', 8_000);
    expect(sender.status()).toMatchObject([{ failure: 'wrong-signature', publicKey: undefined }]);
    const waiting = sender.ready({ timeoutMs: 200 });
    await expect(waiting).rejects.toMatchObject({ code: 100, reason: 'not-certified' });
    await expect(waiting).rejects.toThrow('1 failed: wrong-signature');
    await expect(sender.request('secret')).rejects.toMatchObject({ code: 100, reason: 'not-certified' });
    await expect(sender.multicast('secret')).rejects.toMatchObject({ code: 100, reason: 'not-certified' });
    await mesh().settled(0);
    expect(got).toEqual([]);
  });

  it('work with the scripted sender and receiver of another SDK', async () => {
    const name = `raw-${there}`;
    const { publicKey, privateKey } = newKeys();
    // Our receiver is challenged by somebody else: what it answers has the form of an SDK.
    const alice = await PrivateSender.join((onFrame) => mesh().connect(0, { onFrame }), name, 'unused');
    alice.acts = false;
    const receiver = await open(mesh(), there);
    await receiver.subscribePrivate(name, privateKey, (message) => `got ${message.text()}`);
    const question = await until(() => alice.questions[0], 'the question', 8_000);
    alice.acknowledge(question);
    const answer = await alice.client.response(alice.challenge(question));
    expect([answer.result, parseAmopBody(answer.body).payload.length]).toEqual([0, 65]);
    alice.report(question, 0);
    expect(`${parseAmopBody((await alice.untilServed('hi')).body).payload}`).toBe('got hi');
    // Our sender refuses a receiver whose answer is no signature.
    const sender = await (await open(mesh(), 0)).publishPrivate(`${name}-2`, [publicKey]);
    const bob = await PrivateSubscriber.join(await mesh().connect(there), `${name}-2`, 'right');
    await until(() => sender.status()[0]?.state === 'failed', 'the failed certification', 8_000);
    expect(bob.challenges).toHaveLength(1);
    expect(bob.challenges[0]).toMatch(/^[0-9a-f]{32}$/);
    await expect(sender.request('x')).rejects.toMatchObject({ reason: 'not-certified' });
  });
});

describe('private topics of the client', () => {
  it('serve a sender and a receiver that are on both relays, each message once', async () => {
    const mesh = await startMesh({ limits });
    const { publicKey, privateKey } = newKeys();
    const receiver = await open(mesh, 0, 1);
    const got: string[] = [];
    await receiver.subscribePrivate('both', privateKey, (message) => void got.push(message.text()));
    const sender = await (await open(mesh, 0, 1)).publishPrivate('both', [publicKey]);
    await until(
      () => new Set(sender.status().flatMap(({ state, relay }) => (state === 'certified' ? [relay] : []))).size === 2,
      'certification over both relays',
      8_000,
    );
    for (let n = 0; n < 20; n++) await sender.request(`${n}`);
    await sender.multicast('to all');
    await until(() => got.length === 21, 'all messages');
    await mesh.settled(0);
    expect(got).toHaveLength(21);
  }, 30_000);

  it('are certified anew after both have lost their connection, as the same subscriber', async () => {
    const mesh = await startMesh({ limits });
    const proxies = await Promise.all([0, 1].map(() => TcpProxy.start()));
    onTestFinished(async () => {
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    });
    for (const [relay, proxy] of proxies.entries()) proxy.target = mesh.relay(relay).ports.secp256k1;
    const { publicKey, privateKey } = newKeys();
    const receiver = await openAt(mesh, [proxies[1].port]);
    await receiver.subscribePrivate('again', privateKey, (message) => message.text());
    const senderClient = await openAt(mesh, [proxies[0].port]);
    const sender = await senderClient.publishPrivate('again', [publicKey]);
    const questions: string[] = [];
    const alice = await PrivateSender.join((onFrame) => mesh.connect(0, { onFrame }), 'again', 'unused');
    alice.acts = false;
    const ask = async () => {
      await until(() => alice.questions.length > questions.length, 'a question', 8_000);
      questions.push(alice.questions[questions.length].topicForCert);
    };
    await sender.ready({ timeoutMs: 8_000 });
    await ask();
    for (const proxy of proxies) proxy.cut();
    await until(() => sender.status().length === 0, 'the end of what was certified');
    await expect(sender.ready({ timeoutMs: 50 })).rejects.toThrow('nobody subscribes');
    for (const proxy of proxies) proxy.open();
    await sender.ready({ timeoutMs: 15_000 });
    expect((await sender.request('back')).text()).toBe('back');
    await ask();
    expect(questions[1]).toBe(questions[0]);
  }, 60_000);

  it('end with close(), the signal and the client', async () => {
    const mesh = await startMesh({ limits });
    const client = await open(mesh, 0);
    const { publicKey } = newKeys();
    const first = await client.publishPrivate('ends', [publicKey]);
    await expect(client.publishPrivate('ends', [publicKey])).rejects.toThrow('has a sender already');
    const waiting = expect(first.ready({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: 99, reason: 'closed' });
    await first.close();
    await waiting;
    await expect(first.request('x')).rejects.toMatchObject({ code: 99, reason: 'closed' });
    const end = new AbortController();
    const second = await client.publishPrivate('ends', [publicKey], { signal: end.signal });
    end.abort();
    await expect(second.multicast('x')).rejects.toMatchObject({ reason: 'closed' });
    const third = await client.publishPrivate('ends', [publicKey]);
    await client.close();
    await expect(third.ready()).rejects.toMatchObject({ reason: 'closed' });
  }, 30_000);

  it('never show their challenge topics', async () => {
    const mesh = await startMesh({ limits });
    const { publicKey, privateKey } = newKeys();
    const receiver = await open(mesh, 0);
    const end = new AbortController();
    const messages = receiver.subscribePrivate('hidden', privateKey, { signal: end.signal });
    await messages.ready;
    const sender = await (await open(mesh, 1)).publishPrivate('hidden', [publicKey]);
    await sender.ready({ timeoutMs: 8_000 });
    const answer = sender.request('the only one');
    const { value } = await messages.next();
    value.reply('seen');
    expect([value.topic, value.text(), (await answer).text()]).toEqual(['hidden', 'the only one', 'seen']);
    expect(receiver.counters.unhandledMessages).toBe(0);
    end.abort();
    expect(receiver.privateSubscriptions).toEqual([]);
  }, 30_000);
});
