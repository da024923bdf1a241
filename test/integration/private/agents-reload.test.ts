/**
 * `[[private_topic]]` read anew by running relays: keys, topics and sessions that come, change and go. Applications of relay 0 and
 * relay 1; those that certify or sign by themselves do it with keys, like SDKs.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { type Mesh, startMesh, useMesh } from '../../helpers/p2p/relays.js';
import { messageTopic, PrivateSender, PrivateSubscriber } from '../../helpers/private.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { edit, forgetErrors, hangUp } from '../../helpers/reload.js';
import { agentToml, type SigningKey, SigningKeys } from '../../helpers/signing-keys.js';
import { parseAmopBody, TYPE } from '../../helpers/wire.js';

/** What is not allowed any more ends within this. */
const ENDS_WITHIN_MS = 1_000;

const keys = new SigningKeys();
afterAll(() => keys.remove());
const [first, second] = [keys.make('first'), keys.make('second')];

/** Nobody here is silent: what a busy machine delays must not look like it. */
const limits = { subscriber_timeout_ms: 4_000, peer_timeout_ms: 7_000 };

const mesh = useMesh({
  limits,
  extraToml: [
    agentToml('receivers', { certifies: [first] }),
    agentToml('untouched', { certifies: [first] }),
    agentToml('own-key', { answers: first }),
    agentToml('fewer-senders', { certifies: [first] }, ['agencyA/sdkA', 'agencyB/sdkB']),
    agentToml('fewer-receivers', { answers: first }, ['agencyA/sdkA', 'agencyB/sdkB']),
    agentToml('organisation', { certifies: [first] }, ['agencyB/sdkB']),
    agentToml('bad', { certifies: [first], answers: first }),
  ].join('\n'),
});

/** A subscriber that holds a key itself. */
async function joinHolder(running: Mesh, at: number, name: string, key: SigningKey): Promise<PrivateSubscriber> {
  const holder = await PrivateSubscriber.join(await running.connect(at), name, 'unused');
  holder.sign = (challenge) => key.sign(challenge);
  return holder;
}

/** A sender that certifies by public keys itself. */
async function joinCertifier(running: Mesh, at: number, name: string, ...accepted: SigningKey[]) {
  const sender = await PrivateSender.join((onFrame) => running.connect(at, { onFrame }), name);
  const publicKeys = [...accepted];
  sender.accepts = (challenge, signature) => publicKeys.some((key) => key.hasSigned(challenge, signature));
  return { sender, publicKeys };
}

const strangerAt = (at: number): Promise<RawClient> =>
  mesh().connect(at, { credentials: mesh().relay(at).pki.sdkB.secp256k1 });

async function joinPlain(client: RawClient, name: string): Promise<RawClient> {
  client.answerWithEcho();
  await client.subscribe(messageTopic(name));
  return client;
}

const ask = (client: RawClient, name: string) => client.request(messageTopic(name), 'hello');
const served = (client: RawClient, name: string, deadlineMs = 8_000) =>
  until(async () => (await ask(client, name)).result === 0, `an answer on ${name}`, deadlineMs);
const refused = (client: RawClient, name: string) =>
  until(async () => (await ask(client, name)).result === 100, `the end of ${name}`, ENDS_WITHIN_MS);

/** The entry of a topic, with what it has changed to. */
const replaced = (name: string, before: string, after: string) => (toml: string) => {
  const at = toml.indexOf(`name = ${JSON.stringify(name)}`);
  const end = toml.indexOf('[[private_topic]]', at);
  const entry = end < 0 ? toml.slice(at) : toml.slice(at, end);
  return toml.replace(entry, entry.replace(before, after));
};

async function reload(at: number, change: (toml: string) => string): Promise<void> {
  const relay = mesh().relay(at);
  await edit(relay, change);
  const before = relay.logs.length;
  expect(await hangUp(relay)).toMatchObject({ msg: 'configuration reloaded', closed: 0 });
  expect(relay.logs.slice(before).filter(({ msg }) => msg.startsWith('these keys have changed and need'))).toEqual([]);
}

async function pairsOf(at: number, name: string): Promise<Record<string, unknown>[]> {
  const { pairs } = JSON.parse((await mesh().relay(at).http('/private')).text) as { pairs: Record<string, unknown>[] };
  return pairs.filter(({ topic }) => topic === name);
}

describe('public keys of receivers', () => {
  it('that change end what was certified by the old ones, and certify by the new ones at once', async () => {
    const bob = await joinHolder(mesh(), 1, 'receivers', first);
    const untouched = await joinHolder(mesh(), 1, 'untouched', first);
    const alice = await mesh().connect(0);
    await served(alice, 'receivers');
    await served(alice, 'untouched');
    await until(async () => (await pairsOf(1, 'untouched'))[0]?.state === 'certified', 'the other relay, too');
    const challenges = untouched.challenges.length;
    await reload(0, replaced('receivers', first.publicHex, second.publicHex));
    await refused(alice, 'receivers');
    await until(async () => (await pairsOf(0, 'receivers'))[0]?.failure === 'refused', 'the verdict by the new key');
    const messages = bob.messages.length;
    await alice.response(alice.multicast(messageTopic('receivers'), 'secret'));
    expect((await ask(alice, 'receivers')).result).toBe(100);

    // The wait after a failure is over with the keys that it was by.
    const carol = await joinHolder(mesh(), 0, 'receivers', second);
    await served(alice, 'receivers');
    await reload(0, replaced('receivers', second.publicHex, first.publicHex));
    await until(async () => {
      const states = (await pairsOf(0, 'receivers')).map(({ state, subscriber }) => [state, subscriber]);
      return states.some(([state, who]) => state === 'certified' && who !== 'agencyA/sdkA') && states.length === 2;
    }, 'Bob to be certified again');
    await served(alice, 'receivers', ENDS_WITHIN_MS);
    expect(bob.messages.length).toBeGreaterThan(messages);
    await bob.client.barrier();
    expect([bob.multicasts, carol.multicasts, untouched.challenges.length]).toEqual([[], [], challenges]);
    expect((await ask(alice, 'untouched')).result).toBe(0);
    for (const { client } of [bob, carol, untouched]) await client.close();
  }, 30_000);

  it('come for a topic that had no entry, and go with it', async () => {
    const bob = await joinHolder(mesh(), 1, 'new', first);
    await mesh().settled(1);
    const alice = await mesh().connect(0);
    expect((await ask(alice, 'new')).result).toBe(100);
    const entry = `\n${agentToml('new', { certifies: [second, first] })}\n`;
    await appendFile(join(mesh().relay(0).dir, 'relay.toml'), entry);
    expect(await hangUp(mesh().relay(0))).toMatchObject({ msg: 'configuration reloaded' });
    await served(alice, 'new');
    await reload(0, (toml) => toml.replace(entry, ''));
    expect((await ask(alice, 'new')).result, 'at once').toBe(100);
    expect(await pairsOf(0, 'new')).toEqual([]);
    await bob.client.close();
  });
});

describe('the key that a relay answers with', () => {
  it('is another one for senders here and elsewhere', async () => {
    const near = await joinCertifier(mesh(), 1, 'own-key', first);
    const far = await joinCertifier(mesh(), 0, 'own-key', first);
    const bob = await joinPlain(await mesh().connect(1), 'own-key');
    for (const { sender } of [near, far]) await sender.untilServed();
    await reload(1, replaced('own-key', first.file, second.file));
    for (const { sender } of [near, far]) {
      await until(() => sender.results.at(-1)?.checkResult === 1, 'the verdict on the new key', 5_000);
      expect((await sender.request('secret')).result).toBe(100);
      expect((await sender.client.response(sender.client.multicast(messageTopic('own-key'), 'secret'))).result).toBe(
        100,
      );
    }
    await bob.barrier();
    expect(bob.framesOf(TYPE.multicast)).toEqual([]);
    for (const { sender, publicKeys } of [near, far]) {
      publicKeys.push(second);
      await sender.untilServed('again', 10_000);
    }
    expect(bob.received.every(({ body }) => body.length === 0 || !`${body}`.includes('VerifyChannel'))).toBe(true);
    await bob.close();
  }, 30_000);

  it('comes for sessions that are connected already', async () => {
    const { sender } = await joinCertifier(mesh(), 0, 'late-key', first);
    const bob = await joinPlain(await mesh().connect(1), 'late-key');
    await mesh().settled(1);
    expect((await sender.request('x')).result).toBe(100);
    await reload(1, (toml) => `${toml}\n${agentToml('late-key', { answers: first })}\n`);
    await sender.untilServed();
    await bob.close();
  });
});

describe('sessions', () => {
  it('that are not named any more send no more, and others go on', async () => {
    const bob = await joinHolder(mesh(), 1, 'fewer-senders', first);
    const [alice, mallory] = [await mesh().connect(0), await strangerAt(0)];
    for (const client of [alice, mallory]) await served(client, 'fewer-senders');
    await until(async () => (await pairsOf(1, 'fewer-senders'))[0]?.state === 'certified', 'the other relay, too');
    const challenges = bob.challenges.length;
    await reload(0, replaced('fewer-senders', ',"agencyB/sdkB"', ''));
    expect((await ask(mallory, 'fewer-senders')).result, 'at once').toBe(100);
    expect((await mallory.response(mallory.multicast(messageTopic('fewer-senders'), 'secret'))).result).toBe(100);
    expect((await ask(alice, 'fewer-senders')).result).toBe(0);
    expect([bob.challenges.length, bob.multicasts]).toEqual([challenges, []]);
    await bob.client.close();
  });

  it('that are not named any more receive no more, from here and from elsewhere, and others go on', async () => {
    const name = 'fewer-receivers';
    const near = await joinCertifier(mesh(), 1, name, first);
    const far = await joinCertifier(mesh(), 0, name, first);
    const bob = await joinPlain(await mesh().connect(1), name);
    const eve = await joinPlain(await strangerAt(1), name);
    for (const { sender } of [near, far]) {
      await certifiedBy(sender, 2);
      await sender.client.response(sender.client.multicast(messageTopic(name), 'before'));
    }
    for (const client of [bob, eve]) {
      await until(() => client.framesOf(TYPE.multicast).length === 2, 'what both are sent before');
    }
    await reload(1, replaced(name, ',"agencyB/sdkB"', ''));
    await eve.barrier();
    const stolen = () => eve.framesOf(TYPE.unicast).length + eve.framesOf(TYPE.multicast).length;
    const before = stolen();
    for (const { sender } of [near, far]) {
      for (let n = 0; n < 20; n++) await sender.request(`${n}`);
      await sender.client.response(sender.client.multicast(messageTopic(name), `of ${sender.client.name}`));
    }
    await until(() => bob.framesOf(TYPE.multicast).length === 4, 'both multicasts at Bob');
    await eve.barrier();
    expect(stolen(), 'nothing from the moment of the reload on').toBe(before);
    for (const { sender } of [near, far]) expect((await sender.request('x')).result).toBe(0);
    await until(async () => (await pairsOf(0, name)).length === 1, 'her pair to be gone elsewhere', ENDS_WITHIN_MS);
    for (const client of [bob, eve]) await client.close();
  }, 20_000);

  it('are judged by what their organisation is called after the reload', async () => {
    const bob = await joinHolder(mesh(), 0, 'organisation', first);
    const client = await strangerAt(0);
    await served(client, 'organisation');
    const issuer = join(keys.dir, 'agencyB.crt');
    writeFileSync(issuer, issuerOf(mesh().relay(0).pki.sdkB.secp256k1.cert));
    await reload(0, (toml) => `${toml}\n[[organisation]]\nname = "Bank B"\nissuers = [${JSON.stringify(issuer)}]\n`);
    expect((await ask(client, 'organisation')).result).toBe(100);
    await reload(0, replaced('organisation', 'agencyB/sdkB', 'Bank B/sdkB'));
    await served(client, 'organisation');
    await bob.client.close();
  });
});

it('a key that cannot be used keeps everything as it was, and is named', async () => {
  const relay = mesh().relay(0);
  const bob = await joinHolder(mesh(), 1, 'bad', first);
  const plain = await joinPlain(await mesh().connect(0), 'bad');
  const { sender } = await joinCertifier(mesh(), 1, 'bad', first);
  const alice = await mesh().connect(0);
  await served(alice, 'bad');
  await sender.untilServed();
  const shared = join(keys.dir, 'shared.hex');
  writeFileSync(shared, '11'.repeat(32));
  chmodSync(shared, 0o644);
  const [challenges, questions] = [bob.challenges.length, sender.questions.length];
  for (const [before, after, problem] of [
    [first.file, shared, /private_topic\[6\].*shared\.hex can be read by others .*chmod 600/],
    [first.file, join(keys.dir, 'gone.pem'), /private_topic\[6\].*gone\.pem does not exist/],
    [first.publicHex, '0'.repeat(128), /private_topic\[6\]\.public_keys\[0\]/],
    ['"agencyA/sdkA"', '"sdkA"', /private_topic\[6\]\.sessions\[0\]: "sdkA" names no session/],
  ] as const) {
    await edit(relay, replaced('bad', before, after));
    expect((await hangUp(relay)).problem).toMatch(problem);
    await edit(relay, replaced('bad', after, before));
  }
  forgetErrors(relay);
  expect([(await ask(alice, 'bad')).result, (await sender.request('x')).result]).toEqual([0, 0]);
  expect(await hangUp(relay), 'nor does a reload without a change').toMatchObject({ closed: 0 });
  expect([(await ask(alice, 'bad')).result, (await sender.request('x')).result]).toEqual([0, 0]);
  expect([bob.challenges.length, sender.questions.length]).toEqual([challenges, questions]);
  for (const client of [bob.client, plain]) await client.close();
}, 20_000);

it('keys may come to relays that started without any', async () => {
  const running = await startMesh({ limits });
  const bob = await joinPlain(await running.connect(1), 'first-key');
  const alice = await running.connect(0);
  await edit(running.relay(0), (toml) => `${toml}\n${agentToml('first-key', { certifies: [first] })}\n`);
  await edit(running.relay(1), (toml) => `${toml}\n${agentToml('first-key', { answers: first })}\n`);
  for (const at of [0, 1]) expect(await hangUp(running.relay(at))).toMatchObject({ msg: 'configuration reloaded' });
  await served(alice, 'first-key');
  expect(bob.framesOf(TYPE.unicast).map(({ body }) => parseAmopBody(body).topic)).toContain(messageTopic('first-key'));
}, 20_000);

/** Waits until a sender has found this many signatures right. */
const certifiedBy = (sender: PrivateSender, count: number) =>
  until(() => sender.results.filter(({ checkResult }) => checkResult === 0).length >= count, `${count} certifications`);

/** The second certificate of a chain. */
function issuerOf(pem: string): string {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length < 2) throw new Error('a leaf without its agency');
  return `${certificates[1]}\n`;
}
