/** Which topics have subscribers, as an application sees it at its own relay: those of its sessions, of relays and of nodes. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { AmopClient } from '../../../src/client/index.js';
import type { ClientModule } from '../../helpers/client-world.js';
import { until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { startMesh, startP2PRelay } from '../../helpers/p2p/relays.js';
import { DIST_DIR, writeCerts } from '../../helpers/pki.js';
import type { RelayProcess } from '../../helpers/relay-process.js';
import { TYPE } from '../../helpers/wire.js';
import { amop } from '../../unit/cli/run-amop.js';

const { connect } = (await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as ClientModule;

const PATIENT = { timeout: 8_000 };

async function open(relay: RelayProcess): Promise<AmopClient> {
  const client = await connect({
    relays: [`127.0.0.1:${relay.ports.secp256k1}`],
    ...relay.credentials('secp256k1'),
  });
  onTestFinished(() => client.close());
  return client;
}

it('are counted over the relay and its peers', async () => {
  const mesh = await startMesh({ count: 3 });
  const client = await open(mesh.relay(0));
  await mesh.subscriber(1, ['far', 'both']);
  const leaves = await mesh.subscriber(1, ['far']);
  await mesh.subscriber(2, ['far', '_block_notify_1', '#!$TopicNeedVerify_p']);
  await mesh.subscriber(0, ['both', 'near']);
  const topics = async () =>
    (await client.topics()).filter(({ topic }) => ['far', 'both', 'near'].includes(topic) || topic.startsWith('_'));
  await expect.poll(topics, PATIENT).toEqual([
    { topic: 'both', subscribers: 2 },
    { topic: 'far', subscribers: 3 },
    { topic: 'near', subscribers: 1 },
  ]);
  expect((await client.topics()).filter(({ topic }) => topic.startsWith('#!$'))).toEqual([]);
  await leaves.close();
  await expect.poll(topics, PATIENT).toContainEqual({ topic: 'far', subscribers: 2 });
});

it('have no number where only nodes have subscribers', async () => {
  const pki = await P2PPki.create();
  onTestFinished(() => pki.remove());
  const node = await LegacyPeer.start({
    announceIntervalMs: 5_000,
    redialIntervalMs: 300,
    credentials: pki.node('node'),
  });
  onTestFinished(() => node.stop());
  const relay = await startP2PRelay({ credentials: pki.node('relay'), dials: [node.port] });
  await Promise.all([node.waitForPeer(relay.nodeId), relay.waitForPeers(1)]);
  node.subscribe('node', 'shared');
  node.announce();
  await relay.process.subscriber(['shared']);
  const client = await open(relay.process);
  await expect
    .poll(() => client.topics())
    .toEqual([
      { topic: 'node', subscribers: undefined },
      { topic: 'shared', subscribers: 1 },
    ]);
});

it('make `amop multicast --wait` go on when somebody subscribes at another relay', async () => {
  const mesh = await startMesh();
  const relay = mesh.relay(0);
  const certs = join(relay.dir, 'certs');
  await writeCerts(certs, relay.credentials('secp256k1'));
  const multicast = amop([
    ...['multicast', 'news', 'hello', '--wait', '20', '--quiet'],
    ...['--relay', `127.0.0.1:${relay.ports.secp256k1}`, '--certs', certs],
  ]);
  await relay.waitForMetric('amop_sessions', {}, 1);
  const subscriber = await mesh.subscriber(1, ['news']);
  expect(await multicast).toMatchObject({ code: 0 });
  await until(() => subscriber.framesOf(TYPE.multicast).length === 1, 'the message');
});
