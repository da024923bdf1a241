/** `--wait` of the commands that send on a private topic: what it waits for, and what it says when that does not come. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { AmopClient } from '../../../src/client/index.js';
import { publicHexOf } from '../../../src/pki/amop-key.js';
import type { ClientModule } from '../../helpers/client-world.js';
import { until } from '../../helpers/deadline.js';
import { DIST_DIR, writeCerts } from '../../helpers/pki.js';
import { PrivateSubscriber } from '../../helpers/private.js';
import { useRelay } from '../../helpers/relay-process.js';
import { Amop, amop, type Outcome } from '../../unit/cli/run-amop.js';

const { connect } = (await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as ClientModule;

/** Longer than a certification takes on a busy machine, shorter than until the relay asks again after a failure (2 s). */
const WAIT_MS = 1_500;
const VERBS = ['pub', 'request', 'multicast'] as const;

const relay = useRelay();
const key = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const address = () => `127.0.0.1:${relay().ports.secp256k1}`;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'amop-wait-'));
  await writeCerts(dir, relay().pki.sdkA.secp256k1);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const words = (verb: string, topic: string, ...more: readonly string[]) => [
  ...[verb, topic, 'secret', '--private', '--to', publicHexOf(key.publicKey)],
  ...['--certs', dir, '--relay', address(), ...more],
];
const waiting = (verb: string, topic: string) => amop(words(verb, topic, '--wait', `${WAIT_MS}ms`));

const expired = (topic: string, state: string): Outcome => ({
  code: 27,
  stdout: '',
  stderr: `amop: private topic "${topic}": no receiver was certified within ${WAIT_MS} ms; ${state}\n`,
});

async function open(): Promise<AmopClient> {
  const client = await connect({ relays: [address()], ...relay().pki.sdkB.secp256k1 });
  onTestFinished(() => client.close());
  return client;
}

/** A subscriber that leaves challenges unanswered, or answers them with a code. */
async function subscriber(topic: string, result?: number): Promise<PrivateSubscriber> {
  const client = await relay().connect({ credentials: relay().pki.sdkB.secp256k1 });
  const joined = await PrivateSubscriber.join(client, topic, 'unused');
  client.answerer = () => (result === undefined ? undefined : { result, body: Buffer.alloc(0) });
  return joined;
}

describe.each(VERBS)('amop %s --private --wait', (verb) => {
  it('ends with 27 and says what became of the certification', async () => {
    const topics = ['nobody', 'silent', 'refusing', 'wrong key'].map((state) => `${verb} ${state}`);
    const [nobody, silent, refusing, wrong] = topics;
    await subscriber(silent);
    await subscriber(refusing, 4711);
    const got: string[] = [];
    const other = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
    await (await open()).subscribePrivate(wrong, other, (message) => void got.push(message.text()));
    expect(await Promise.all(topics.map((topic) => waiting(verb, topic)))).toEqual([
      expired(nobody, 'nobody subscribes, or no relay has asked about anybody yet'),
      expired(silent, '1 pending'),
      expired(refusing, '1 failed: refused'),
      expired(wrong, '1 failed: wrong-signature'),
    ]);
    expect(got).toEqual([]);
  });

  it('sends when a receiver has appeared meanwhile', async () => {
    const topic = `${verb} late`;
    const lists = ['amop_messages_received_total', { kind: 'subscribe' }] as const;
    const before = (await relay().metrics()).value(...lists);
    const run = new Amop(words(verb, topic, '--wait', '15'));
    onTestFinished(() => void run.child.kill('SIGKILL'));
    // It has told the relay that it sends.
    await relay().waitForMetric(...lists, before + 1);
    const got: string[] = [];
    await (await open()).subscribePrivate(topic, key.privateKey, (message) => void got.push(message.text()));
    expect((await run.end()).code).toBe(0);
    await until(() => got.length > 0, 'the message');
    expect(got).toEqual(['secret']);
  });

  it('without --wait ends with 10, which is that of the code', async () => {
    const { code, stderr } = await amop(words(verb, `${verb} at once`, '--timeout', '300ms'));
    expect([code, stderr]).toEqual([10, expect.stringMatching(/^amop: AMOP-100: .*; nobody subscribes/)]);
  });
});
