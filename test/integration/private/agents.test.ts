/**
 * Private topics that relays speak for: applications that know nothing of the exchange send and receive on the whole name of the
 * topic. Signatures are checked with @noble, of which the relay uses its addon instead.
 */
import { createECDH, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { type Mesh, useMesh } from '../../helpers/p2p/relays.js';
import { messageTopic, PrivateSender } from '../../helpers/private.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { parseAmopBody, TYPE } from '../../helpers/wire.js';
import { amop } from '../../unit/cli/run-amop.js';

const dir = mkdtempSync(join(tmpdir(), 'amop-agents-'));
afterAll(() => rmSync(dir, { recursive: true }));

function makeKey(name: string) {
  const ecdh = createECDH('secp256k1');
  ecdh.generateKeys();
  const file = join(dir, `${name}.hex`);
  writeFileSync(file, ecdh.getPrivateKey('hex').padStart(64, '0'), { mode: 0o600 });
  return { file, publicHex: ecdh.getPublicKey('hex').slice(2), publicPoint: ecdh.getPublicKey() };
}

const right = makeKey('right');
const other = makeKey('other');
const topicToml = (name: string, publicHexes: readonly string[], file: string) =>
  [
    '[[private_topic]]',
    `name = "${name}"`,
    `public_keys = ${JSON.stringify(publicHexes)}`,
    `private_key = ${JSON.stringify(file)}`,
    'sessions = ["agencyA/sdkA"]',
  ].join('\n');

const mesh = useMesh({
  limits: { subscriber_timeout_ms: 500 },
  extraToml: [
    topicToml('orders', [other.publicHex, right.publicHex], right.file),
    topicToml('mismatch', [other.publicHex], right.file),
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
    const digest = keccak_256(Buffer.from(challenge));
    const check = { prehash: false };
    expect(secp256k1.verify(payload.subarray(0, 64), digest, right.publicPoint, check)).toBe(true);
    expect(secp256k1.verify(payload.subarray(0, 64), digest, other.publicPoint, check)).toBe(false);
    alice.report(question, 0);
    expect(`${parseAmopBody((await alice.untilServed()).body).payload}`).toBe('echo:hello');
    // What is no challenge is not signed.
    const refused = await alice.client.response(alice.challenge(question, 'x'.repeat(200)));
    expect([refused.result, refused.body.length]).toEqual([100, 0]);
    await bob.close();
  });
});

it('shows the relay as the sender', async () => {
  const bob = await receiver(0, 'orders');
  const alice = await mesh().connect(0);
  await served(alice, 'orders');
  const { pairs } = JSON.parse((await mesh().relay(0).http('/private')).text) as { pairs: Record<string, unknown>[] };
  expect(pairs).toContainEqual(
    expect.objectContaining({ topic: 'orders', state: 'certified', sender: 'this relay', subscriber: 'agencyA/sdkA' }),
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
