/**
 * Private topics that relays speak for: applications that know nothing of the exchange send and receive on the whole name of the
 * topic.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { type Mesh, useMesh } from '../../helpers/p2p/relays.js';
import { challengeTopic, messageTopic, PrivateSender, PrivateSubscriber } from '../../helpers/private.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { agentToml, SigningKeys } from '../../helpers/signing-keys.js';
import { amopBody, parseAmopBody, TYPE } from '../../helpers/wire.js';
import { amop } from '../../unit/cli/run-amop.js';

const keys = new SigningKeys();
const { dir } = keys;
afterAll(() => keys.remove());
const [right, other] = [keys.make('right'), keys.make('other')];

const turned = (at: number) => (signature: Buffer) => signature.map((byte, n) => (n === at ? byte ^ 1 : byte));
/** What a receiver answers that would like to be taken for one with the key; each on a topic of its own. */
const NO_SIGNATURES: Readonly<Record<string, (right: Buffer, challenge: Buffer) => Uint8Array>> = {
  nothing: () => Buffer.alloc(0),
  zeros: () => Buffer.alloc(65),
  'all ones': () => Buffer.alloc(65, 255),
  'r zero': (signature) => Buffer.concat([Buffer.alloc(32), signature.subarray(32)]),
  's zero': (signature) => Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32), signature.subarray(64)]),
  'r above the order': (signature) => Buffer.concat([Buffer.alloc(32, 255), signature.subarray(32)]),
  'another v': turned(64),
  'v out of range': (signature) => Buffer.concat([signature.subarray(0, 64), Buffer.of(27)]),
  'a bit of r': turned(31),
  'a bit of s': turned(63),
  'no v': (signature) => signature.subarray(0, 64),
  'a byte more': (signature) => Buffer.concat([signature, Buffer.of(0)]),
  '5,000 bytes': () => Buffer.alloc(5_000, 1),
  text: (signature) => Buffer.from(signature.toString('hex')),
  'of another key': (_signature, challenge) => other.sign(challenge),
  'of another challenge': () => right.sign(Buffer.from('ce869c16cd96445dba7935d8cf001e12')),
};

const mesh = useMesh({
  limits: { subscriber_timeout_ms: 500 },
  extraToml: [
    agentToml('orders', { certifies: [other, right], answers: right }),
    agentToml('mismatch', { certifies: [other], answers: right }),
    agentToml('shown', { certifies: [right] }),
    ...Object.keys(NO_SIGNATURES).map((form) => agentToml(form, { certifies: [right] })),
  ].join('\n'),
});

async function receiver(relay: number, name: string, options = {}): Promise<RawClient> {
  const client = await mesh().connect(relay, options);
  client.answerWithEcho();
  await client.subscribe(messageTopic(name));
  return client;
}

const served = (client: RawClient, name: string, payload = 'hello') =>
  until(
    async () => {
      const answer = await client.request(messageTopic(name), payload);
      return answer.result === 0 && parseAmopBody(answer.body);
    },
    `an answer on ${name}`,
    5_000,
  );

const strangers = (running: Mesh) => ({ credentials: running.relay(0).pki.sdkB.secp256k1 });

describe.each([
  ['one relay', 0],
  ['two relays', 1],
])('a private topic that relays speak for, on %s', (_, there) => {
  it('goes between plain applications by unicast and multicast', async () => {
    const bob = await receiver(there, 'orders');
    const alice = await mesh().connect(0);
    expect(`${(await served(alice, 'orders')).payload}`).toBe('echo:hello');
    const before = bob.framesOf(TYPE.multicast).length;
    await alice.response(alice.multicast(messageTopic('orders'), 'to all'));
    await until(() => bob.framesOf(TYPE.multicast).length === before + 1, 'the multicast');
    const topics = bob.received.map(({ body }) => (body.length > 0 ? `${body}` : ''));
    expect(topics.some((text) => text.includes('VerifyChannel'))).toBe(false);
    await bob.close();
  });

  it('reaches nobody whom the configuration does not name', async () => {
    const eve = await receiver(there, 'orders', strangers(mesh()));
    const bob = await receiver(there, 'orders');
    const alice = await mesh().connect(0);
    await served(alice, 'orders');
    for (let n = 0; n < 20; n++) expect((await alice.request(messageTopic('orders'), `${n}`)).result).toBe(0);
    await alice.response(alice.multicast(messageTopic('orders'), 'to all'));
    await until(() => bob.framesOf(TYPE.multicast).length === 1, 'the multicast');
    await eve.barrier();
    expect(eve.received.filter(({ type }) => type === TYPE.unicast || type === TYPE.multicast)).toEqual([]);
    const mallory = await mesh().connect(0, strangers(mesh()));
    expect((await mallory.request(messageTopic('orders'), 'x')).result).toBe(100);
    for (const client of [bob, eve]) await client.close();
  });

  it('never reaches the holder of another key', async () => {
    const bob = await receiver(there, 'mismatch');
    const alice = await mesh().connect(0);
    await mesh().settled(there);
    await mesh().relay(0).waitForMetric('amop_private_certifications_total', { result: 'refused' }, 1);
    expect((await alice.request(messageTopic('mismatch'), 'x')).result).toBe(100);
    await bob.barrier();
    expect(bob.framesOf(TYPE.unicast)).toEqual([]);
    await bob.close();
  });

  it('is certified by an application that checks signatures itself', async () => {
    const bob = await receiver(there, 'orders');
    const alice = await PrivateSender.join((onFrame) => mesh().connect(0, { onFrame }), 'orders');
    alice.acts = false;
    const question = await until(() => alice.questions[0], 'the question');
    alice.acknowledge(question);
    const challenge = randomBytes(16).toString('hex');
    const answer = await alice.client.response(alice.challenge(question, challenge));
    const { payload } = parseAmopBody(answer.body);
    expect([answer.result, payload.length]).toEqual([0, 65]);
    const signed = [right, other].map((key) => key.hasSigned(Buffer.from(challenge), payload));
    expect(signed).toEqual([true, false]);
    alice.report(question, 0);
    expect(`${parseAmopBody((await alice.untilServed()).body).payload}`).toBe('echo:hello');
    // What is no challenge is not signed.
    const refused = await alice.client.response(alice.challenge(question, 'x'.repeat(200)));
    expect([refused.result, refused.body.length]).toEqual([100, 0]);
    await bob.close();
  });
});

interface Shown {
  readonly topic: string;
  readonly state: string;
  readonly failure?: string;
  readonly forSeconds: number;
  readonly sender: string;
  readonly subscriber: string;
}

async function pairsOf(relay: number, name: string): Promise<Shown[]> {
  const { pairs } = JSON.parse((await mesh().relay(relay).http('/private')).text) as { pairs: Shown[] };
  return pairs.filter(({ topic }) => topic === name);
}

describe('what becomes of the receivers that a relay certifies', () => {
  /** Our own client, as far as the handshake goes. */
  async function joinOwnClient(options = {}): Promise<RawClient> {
    const client = await mesh().connect(0, options);
    const hello = { clientType: 'amop-relay', capabilities: ['reason'], minimumSupport: 1, maximumSupport: 3 };
    const seq = client.send(TYPE.handshake, JSON.stringify(hello));
    await client.waitFor((frame) => frame.seq === seq, 'the answer to 0x14');
    return client;
  }
  const statusOf = async (client: RawClient) => (await client.rpc('amop_privateStatus')).result as Shown[];

  it('is seen by the application in whose place it does, by the operator, and by nobody else', async () => {
    const bob = await PrivateSubscriber.join(await mesh().connect(1), 'shown', 'unused');
    bob.sign = () => Buffer.alloc(0);
    await mesh().settled(1);
    const alice = await joinOwnClient();
    const mallory = await joinOwnClient(strangers(mesh()));
    const own = () => statusOf(alice).then((pairs) => pairs.filter(({ topic }) => topic === 'shown'));
    const failed = await until(async () => (await own()).find(({ state }) => state === 'failed'), 'the failure');
    const subscriber = expect.stringMatching(/^certificate [0-9a-f]{16} behind [0-9a-f]{16}$/);
    const pair = { topic: 'shown', sender: 'this relay', subscriber, forSeconds: expect.any(Number) };
    expect(failed).toEqual({ ...pair, state: 'failed', failure: 'refused' });
    expect(await pairsOf(0, 'shown')).toEqual([{ ...pair, state: 'failed', failure: 'refused' }]);

    let asked = () => {};
    const held = new Promise<void>((resolve) => {
      asked = resolve;
    });
    bob.client.answerer = undefined;
    await bob.client.subscribe();
    await until(async () => (await own()).length === 0, 'the end of the pair');
    bob.client.answerer = () => void asked();
    await bob.client.subscribe(...bob.topics);
    await held;
    expect(await own()).toEqual([{ ...pair, state: 'pending' }]);

    await bob.client.subscribe();
    await until(async () => (await own()).length === 0, 'the end of the pair');
    bob.client.answerer = ({ body }) => {
      const { topic, payload } = parseAmopBody(body);
      const answer = topic === messageTopic('shown') ? payload : right.sign(payload);
      return { body: amopBody(topic, answer) };
    };
    await bob.client.subscribe(...bob.topics);
    await served(alice, 'shown');
    expect(await own()).toEqual([{ ...pair, state: 'certified' }]);
    expect(await statusOf(mallory)).toEqual([]);

    const admin = `http://127.0.0.1:${mesh().relay(0).adminPort}`;
    const { stdout } = await amop(['private', 'status', '--admin', admin]);
    expect(stdout).toMatch(/^shown +certified +\d+ s +this relay +certificate [0-9a-f]{16} behind [0-9a-f]{16} +-$/m);
    await bob.client.close();
  }, 30_000);

  it('is that they are refused for a signature that is none, whatever it is', async () => {
    const forms = Object.entries(NO_SIGNATURES);
    const mallory = await mesh().connect(1);
    mallory.answerer = ({ body }) => {
      const { topic, payload } = parseAmopBody(body);
      const form = forms.find(([name]) => topic.startsWith(`#!$VerifyChannel_${messageTopic(name)}_`));
      return { body: amopBody(topic, form ? form[1](right.sign(payload), payload) : payload) };
    };
    await mallory.subscribe(...forms.flatMap(([name]) => [messageTopic(name), challengeTopic(name)]));
    for (const [name] of forms) {
      const [pair] = await until(async () => {
        const pairs = await pairsOf(0, name);
        return pairs[0]?.state === 'failed' && pairs;
      }, `the verdict on ${name}`);
      expect([name, pair.failure]).toEqual([name, 'refused']);
    }
    const alice = await mesh().connect(0);
    for (const [name] of forms) expect((await alice.request(messageTopic(name), 'secret')).result).toBe(100);
    mallory.answerer = ({ body }) => {
      const { topic, payload } = parseAmopBody(body);
      const isChallenge = topic.startsWith('#!$VerifyChannel_');
      return { body: amopBody(topic, isChallenge ? right.sign(payload) : payload) };
    };
    await served(alice, 'nothing', 'after all');
    expect(mallory.framesOf(TYPE.unicast).filter(({ body }) => `${body}`.includes('secret'))).toEqual([]);
    await mallory.close();
  }, 30_000);
});

it('shows the relay as the sender', async () => {
  const bob = await receiver(0, 'orders');
  const alice = await mesh().connect(0);
  await served(alice, 'orders');
  expect(await pairsOf(0, 'orders')).toContainEqual(
    expect.objectContaining({ state: 'certified', sender: 'this relay', subscriber: 'agencyA/sdkA' }),
  );
  await bob.close();
});

it('does not start with a key that others can read, or that is none, and names the file', async () => {
  const bad = join(dir, 'shared.hex');
  writeFileSync(bad, '11'.repeat(32));
  chmodSync(bad, 0o644);
  const toml = await readFile(join(mesh().relay(0).dir, 'relay.toml'), 'utf8');
  const config = join(dir, 'relay.toml');
  for (const [from, to, problem] of [
    [right.file, bad, /private_topic\[0\].*shared\.hex can be read by others .*chmod 600/],
    [right.file, join(dir, 'gone.pem'), /private_topic\[0\].*gone\.pem does not exist/],
    [other.publicHex, '0'.repeat(128), /private_topic\[0\]\.public_keys\[0\]/],
  ] as const) {
    await writeFile(config, toml.replace(from, to));
    for (const args of [
      ['config', 'check', config],
      ['relay', '--config', config],
    ]) {
      const { code, stderr } = await amop(args);
      expect(code).toBe(2);
      expect(stderr).toMatch(problem);
    }
  }
});
