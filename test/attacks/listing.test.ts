/**
 * (g) The number in a challenge topic is all that keeps strangers from a subscriber's signer. On a node everybody reads it with
 * getPeers.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import { DIST_DIR } from '../helpers/pki.js';
import { challengeTopic } from '../helpers/private.js';
import type { RelayProcess } from '../helpers/relay-process.js';
import {
  joinMallory,
  joinSender,
  joinSubscriber,
  OURS,
  useWorld,
  WORLDS_OF_LISTING,
  WORLDS_OF_STATUS,
} from './world.js';

/** What the command line shows to whoever reaches the admin port of a relay. */
async function amop(relay: RelayProcess, ...words: readonly string[]): Promise<string> {
  const args = [join(DIST_DIR, 'cli/main.js'), ...words, '--admin', `http://127.0.0.1:${relay.adminPort}`];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

describe.each(WORLDS_OF_LISTING)('(g) reading the challenge topic of a subscriber %s', (_, world) => {
  const mesh = useWorld(world);

  it.each(['getPeers', 'getNodeInfo'])('by %s', async (method) => {
    const v = challengeTopic(`listed by ${method}`);
    await joinSubscriber(mesh(), 0, `listed by ${method}`, 'key', v);
    const mallory = await joinMallory(mesh(), 0);
    await mallory.subscribe('in the open');
    const answer = JSON.stringify(await mallory.rpc(method));
    expect(answer).toContain('in the open');
    expect(answer.includes(v)).toBe(world.works);
  });
});

describe.each(WORLDS_OF_STATUS)('(g) reading the challenge topic of a subscriber %s', (_, world) => {
  const mesh = useWorld(world);

  it.each([
    ['/private of the admin port', (relay: RelayProcess) => relay.http('/private').then(({ text }) => text)],
    ['amop private status', (relay: RelayProcess) => amop(relay, 'private', 'status')],
    ['amop private status --json', (relay: RelayProcess) => amop(relay, 'private', 'status', '--json')],
  ])('in the status, by %s', async (reader, read) => {
    const name = `shown by ${reader.replaceAll('/', '')}`;
    const v = challengeTopic(name);
    await joinSubscriber(mesh(), 0, name, 'key', v);
    const sender = await joinSender(mesh(), 0, name, 'key');
    await sender.untilServed();
    const shown = await read(mesh().relay(0));
    expect(shown).toContain(name);
    expect(shown).toContain('certified');
    expect(shown.includes(v)).toBe(world.works);
  });
});

describe('the number in a challenge topic', () => {
  const mesh = useWorld(OURS);

  it('stands nowhere that people or strangers look, whatever became of the certification', async () => {
    const ids = ['certified', 'failed', 'pending', 'refused'].map((name) => challengeTopic(name).slice(-32));
    const [certified, failed, pending, refused] = ids;
    const alice = await joinSender(mesh(), 0, 'certified', 'key');
    await joinSubscriber(mesh(), 1, 'certified', 'key', challengeTopic('certified', certified));
    await joinSubscriber(mesh(), 1, 'failed', 'no key', challengeTopic('failed', failed));
    const dave = await joinSender(mesh(), 0, 'failed', 'key');
    await joinSubscriber(mesh(), 1, 'pending', 'key', challengeTopic('pending', pending));
    const silent = await joinSender(mesh(), 0, 'pending', 'key');
    silent.acts = false;
    await joinSubscriber(mesh(), 1, 'refused', 'key', challengeTopic('refused', refused));
    await mesh().settled(1);
    const mallory = await joinMallory(mesh(), 0);
    await mallory.subscribe(challengeTopic('refused', refused));
    await alice.untilServed();
    await until(() => dave.results.length > 0 && silent.questions.length > 0, 'the other certifications');
    expect((await mallory.request(challengeTopic('refused', refused), '0'.repeat(32))).result).toBe(100);

    const seen: string[] = [];
    for (const at of [0, 1]) {
      const relay = mesh().relay(at);
      const own = await mesh().connect(at);
      const capabilities = ['reason', 'joined'];
      own.send(0x14, JSON.stringify({ minimumSupport: 1, maximumSupport: 3, clientType: 'amop-relay', capabilities }));
      for (const client of [own, await joinMallory(mesh(), at)]) {
        for (const method of ['getPeers', 'getNodeInfo', 'getNodeIDList', 'amop_topics', 'amop_privateStatus']) {
          seen.push(JSON.stringify(await client.rpc(method)));
        }
      }
      for (const path of ['/metrics', '/peers', '/private', '/healthz', '/readyz', '/', '/topics']) {
        seen.push((await relay.http(path)).text);
      }
      for (const words of [['peers'], ['private', 'status']]) {
        seen.push(await amop(relay, ...words), await amop(relay, ...words, '--json'));
      }
      seen.push(relay.output);
    }
    expect(seen.join('\n')).toContain('certified');
    for (const id of ids) expect(seen.filter((text) => text.includes(id))).toEqual([]);
  });

  it('is known to the peers of the relay, which have to challenge there', async () => {
    const v = challengeTopic('peers');
    await joinSubscriber(mesh(), 1, 'peers', 'key', v);
    const node = await LegacyPeer.start({ credentials: mesh().pki.node('node', 'B') });
    node.dial(mesh().relays[1].p2pPort);
    await node.waitForTopic(v);
    await node.stop();
  });
});
