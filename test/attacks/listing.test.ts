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
import { joinMallory, joinSender, joinSubscriber, OURS, useWorld, WORLDS_OF_LISTING } from './world.js';

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
      const address = `http://127.0.0.1:${relay.adminPort}`;
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(DIST_DIR, 'cli/main.js'),
        ...['peers', '--admin', address, '--json'],
      ]);
      seen.push(stdout, relay.output);
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
