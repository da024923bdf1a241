/** `amop peers` at relays with and without peers: what people read, and what programs get. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { type P2PRelay, startP2PRelay } from '../../helpers/p2p/relays.js';
import { DIST_DIR } from '../../helpers/pki.js';

interface Report {
  readonly peers: readonly { readonly kind: string; readonly topics: number }[];
  readonly endpoints: readonly { readonly failures: number }[];
}

/** A port where nothing listens: the discard service. */
const NOBODY = '127.0.0.1:9';

async function newPki(): Promise<P2PPki> {
  const pki = await P2PPki.create();
  onTestFinished(() => pki.remove());
  return pki;
}

async function peers(relay: P2PRelay, ...options: readonly string[]): Promise<string> {
  const admin = `http://127.0.0.1:${relay.process.adminPort}`;
  const args = [join(DIST_DIR, 'cli/main.js'), 'peers', '--admin', admin, ...options];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

describe('amop peers', () => {
  it('shows the relays that are connected, and why others are not', async () => {
    const pki = await newPki();
    const first = await startP2PRelay({ credentials: pki.node('first', 'A') });
    const second = await startP2PRelay({
      credentials: pki.node('second', 'B'),
      dials: [first.p2pPort],
      addresses: [NOBODY],
    });
    await Promise.all([first.waitForPeers(1), second.waitForPeers(1)]);
    await first.process.subscriber(['orders', 'news']);

    const rowOf = (text: string, beginning: string) =>
      text.split('\n').find((line) => line.startsWith(beginning)) ?? '';
    const short = first.nodeId.slice(0, 8);
    await until(async () => {
      const known = JSON.parse((await second.process.http('/peers')).text) as Report;
      return known.peers[0]?.kind === 'relay' && known.peers[0].topics === 2 && known.endpoints[1].failures > 0;
    }, 'both topics and the failed dial');
    const text = await peers(second);
    const lines = text.split('\n');
    expect(lines[0]).toMatch(new RegExp(`^This node: ${second.nodeId.slice(0, 8)} second, `));
    expect(lines[2]).toMatch(/^NODE +KIND +STATE +ORGANISATION +NAME +ADDRESS +UP +TOPICS +LAG +IN +OUT +QUEUE$/);
    expect(rowOf(text, short)).toMatch(
      new RegExp(
        `^${short} +relay +active +\\S+ +first +-> 127\\.0\\.0\\.1:${first.p2pPort} +\\d+ s +2 +\\d+ ms +0 +0 +\\d+ B$`,
      ),
    );
    expect(rowOf(text, `127.0.0.1:${first.p2pPort} `)).toMatch(new RegExp(`up +${short} +0 `));
    expect(rowOf(text, `${NOBODY} `)).toMatch(/ - +[1-9]\d* .*nothing listens on 127\.0\.0\.1:9/);

    expect(await peers(first, '--wide')).toMatch(
      new RegExp(`^${second.nodeId} +relay .* <- 127\\.0\\.0\\.1:\\d+ `, 'm'),
    );
    const report = JSON.parse(await peers(second, '--json'));
    expect(report).toMatchObject({
      node: { nodeId: second.nodeId },
      peers: [{ nodeId: first.nodeId, kind: 'relay', state: 'active', topics: 2 }],
    });
    expect(report.endpoints.map(({ address }: { address: string }) => address)).toEqual([
      `127.0.0.1:${first.p2pPort}`,
      NOBODY,
    ]);
  }, 60_000);

  it('says so when there is nobody', async () => {
    const pki = await newPki();
    const alone = await startP2PRelay({ credentials: pki.node('alone', 'A') });
    expect(await peers(alone)).toMatch(/^This node: [0-9a-f]{8} alone, .*\n\nNot connected to any relay or node\.\n$/);
  });
});
