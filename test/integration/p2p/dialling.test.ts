/** Links between relays: simultaneous dials, cuts, restarts. AMOP_LONG=1 runs the full number of rounds. */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { startMesh, startP2PRelay } from '../../helpers/p2p/relays.js';
import { TcpProxy } from '../../helpers/p2p/tcp-proxy.js';
import { seededRandom } from '../../helpers/random.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { TYPE } from '../../helpers/wire.js';

const LONG = process.env.AMOP_LONG === '1';
const ROUNDS = LONG ? 200 : 20;
const SETTLE_MS = 2_000;
const DELAY_MS_MAX = 60;

async function answered(client: RawClient, topic: string): Promise<boolean> {
  return (await client.request(topic)).result === 0;
}

describe('two relays that dial each other', () => {
  const seed = Number(process.env.AMOP_SEED ?? randomInt(1, 2 ** 31));

  it(
    `keep exactly one connection within 2 s of dialling at the same instant, ${ROUNDS} times (AMOP_SEED=${seed})`,
    async () => {
      const random = seededRandom(seed);
      const mesh = await startMesh({ mutual: true });
      const [to0, to1] = mesh.proxies;
      const live = () => to0.live + to1.live;
      for (const [relay, topic] of [
        [0, 'at-0'],
        [1, 'at-1'],
      ] as const) {
        (await mesh.subscriber(relay, [topic])).answerWithEcho();
      }
      const clients = [await mesh.connect(0), await mesh.connect(1)];
      const timesMs: number[] = [];
      const survivors = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        for (const proxy of mesh.proxies) proxy.cut();
        await Promise.all(mesh.relays.map((relay) => relay.waitForPeers(0)));
        for (const proxy of mesh.proxies) {
          proxy.delayMs = () => random() * DELAY_MS_MAX;
          proxy.hold();
        }
        await until(() => to0.held > 0 && to1.held > 0, `both relays to dial in round ${round}`, 8_000);
        const startMs = performance.now();
        for (const proxy of mesh.proxies) proxy.open();
        // Both ends route over the link that stays, and the other one is gone.
        await until(
          async () =>
            live() === 1 &&
            to0.held + to1.held === 0 &&
            (await answered(clients[0], 'at-1')) &&
            (await answered(clients[1], 'at-0')) &&
            live() === 1,
          () => `one connection in round ${round}, there are ${to0.live} to relay 0 and ${to1.live} to relay 1`,
          8_000,
        );
        timesMs.push(performance.now() - startMs);
        survivors[to0.live === 1 ? 0 : 1]++;
        for (const client of clients) client.received.length = 0;
        for (const relay of mesh.relays) expect(await relay.activePeers()).toBe(1);
      }
      timesMs.sort((a, b) => a - b);
      console.info(
        `one connection after: median ${timesMs[ROUNDS >> 1].toFixed(0)} ms, worst ${timesMs.at(-1)!.toFixed(0)} ms`,
      );
      expect(timesMs.at(-1)).toBeLessThan(SETTLE_MS);
      expect(
        survivors.filter((count) => count > 0),
        'the rule of the lower node ID picks one side',
      ).toHaveLength(1);
    },
    ROUNDS * 3_000 + 30_000,
  );

  it('keep the one connection they have', async () => {
    const mesh = await startMesh({ mutual: true });
    const [to0, to1] = mesh.proxies;
    await passTime(1_000); // the other one may just have been dialled
    await until(() => to0.live + to1.live === 1, 'one connection');
    const accepted = to0.accepted + to1.accepted;
    await passTime(3_000); // several redial periods
    expect([to0.live + to1.live, to0.accepted + to1.accepted]).toEqual([1, accepted]);
  });

  it('lose no request to the tie-break: requests under way on the connection that goes are answered', async () => {
    const mesh = await startMesh({ mutual: true, limits: { subscriber_timeout_ms: 2_000 } });
    const subscriber = await mesh.subscriber(1, ['t']);
    subscriber.answerWithEcho();
    const sender = await mesh.connect(0);
    for (let round = 0; round < 5; round++) {
      for (const proxy of mesh.proxies) proxy.cut();
      await Promise.all(mesh.relays.map((relay) => relay.waitForPeers(0)));
      for (const proxy of mesh.proxies) proxy.hold();
      await until(() => mesh.proxies.every(({ held }) => held > 0), 'both to dial');
      for (const proxy of mesh.proxies) proxy.open();
      await until(() => answered(sender, 't'), 'the route');
      const answers = await Promise.all(Array.from({ length: 300 }, () => sender.request('t')));
      expect(answers.filter(({ result }) => result !== 0)).toEqual([]);
    }
  }, 40_000);

  it('replace a connection that died without a word', async () => {
    const mesh = await startMesh({ mutual: true, limits: { subscriber_timeout_ms: 500, peer_timeout_ms: 1_000 } });
    const subscriber = await mesh.subscriber(1, ['t']);
    subscriber.answerWithEcho();
    const sender = await mesh.connect(0);
    expect(await answered(sender, 't')).toBe(true);
    for (const proxy of mesh.proxies) proxy.freeze();
    // Both sides must notice by themselves: nothing closes. New connections through the proxies work.
    await until(() => answered(sender, 't'), 'the route over a new connection', 20_000);
    expect(mesh.proxies.reduce((sum, proxy) => sum + proxy.accepted, 0)).toBeGreaterThanOrEqual(2);
  }, 40_000);
});

describe('a relay that is restarted under traffic', () => {
  it.each(['kill', 'terminate'] as const)(
    '%s: routes go at once and are back within 1 s',
    async (how) => {
      const mesh = await startMesh({ mutual: true, limits: { subscriber_timeout_ms: 1_000 } });
      const subscribe = async () => {
        const subscriber = await mesh.relay(1).subscriber(['t']);
        subscriber.answerWithEcho();
      };
      await subscribe();
      await mesh.settled(1);
      const sender = await mesh.connect(0);
      const codes: { code: number; sentAtMs: number }[] = [];
      let running = true;
      const traffic = (async () => {
        while (running) {
          const sentAtMs = performance.now();
          codes.push({ code: (await sender.request('t')).result, sentAtMs });
          sender.received.length = 0;
        }
      })();
      for (let round = 0; round < (LONG ? 10 : 3); round++) {
        await until(() => codes.slice(-20).every(({ code }) => code === 0) && codes.length > 20, 'traffic');
        const begin = codes.length;
        await mesh[how](1);
        await until(() => codes.at(-1)?.code === 100, 'the route to be gone', 2_000);
        const lost = codes.slice(begin).filter(({ code }) => code === 102);
        expect(lost.length, 'a stale route was used twice').toBeLessThanOrEqual(1);
        const firstFailure = codes.slice(begin).findIndex(({ code }) => code !== 0);
        // The lost one may come behind a 100 of the relay that ends.
        const after = codes.slice(begin + firstFailure + 1).filter(({ code }) => code !== 102);
        expect(new Set(after.map(({ code }) => code))).toEqual(new Set([100]));

        await mesh.startRelay(1);
        const backMs = performance.now();
        await subscribe();
        await until(() => codes.at(-1)?.code === 0, 'the route to be back', 5_000);
        const first = codes.findLast(({ code, sentAtMs }) => code !== 0 && sentAtMs > backMs);
        expect((first?.sentAtMs ?? backMs) - backMs, 'ms until the route was back').toBeLessThan(1_000);
      }
      running = false;
      await traffic;
      const wrong = codes.filter(({ code }) => ![0, 100, 102].includes(code));
      expect(wrong).toEqual([]);
    },
    90_000,
  );

  it('comes back to a mesh of three without a doubled or lost multicast for those who stayed', async () => {
    const mesh = await startMesh({ count: 3, mutual: true });
    const stable = [await mesh.subscriber(0, ['news']), await mesh.subscriber(1, ['news'])];
    const sender = await mesh.connect(0);
    let sent = 0;
    const timer = setInterval(() => sender.multicast('news', `${sent++}`), 5);
    for (let round = 0; round < 2; round++) {
      await mesh.kill(2);
      await mesh.startRelay(2);
      await mesh.relays[2].waitForPeers(2);
    }
    clearInterval(timer);
    for (const client of stable) {
      await client.waitFor(() => client.framesOf(TYPE.multicast).length >= sent, `${sent} copies`);
      await client.barrier();
      expect(client.framesOf(TYPE.multicast)).toHaveLength(sent);
    }
  }, 60_000);
});

describe('addresses', () => {
  it('dials a relay by name and by IPv6 notation, and goes on dialling the ones that are not there', async () => {
    const mesh = await startMesh();
    const subscriber = await mesh.subscriber(0, ['t']);
    subscriber.answerWithEcho();
    const third = await startP2PRelay({
      credentials: mesh.pki.node('third'),
      addresses: [`localhost:${mesh.proxies[0].port}`, '[::1]:1', 'no-such-host.invalid:30300', '127.0.0.1:1'],
    });
    await third.waitForPeers(1);
    const sender = await third.process.connect();
    await until(() => answered(sender, 't'), 'the route');
    expect((await third.process.metrics()).value('amop_peers', { state: 'active' })).toBe(1);
  });

  it('notices that an address is its own', async () => {
    const pki = await P2PPki.create();
    const proxy = await TcpProxy.start();
    const relay = await startP2PRelay({ credentials: pki.node('self'), dials: [proxy.port] });
    proxy.target = relay.p2pPort;
    await until(() => proxy.live + proxy.accepted > 1, 'it to dial');
    await relay.process.waitForLog((line) => /itself|own|self/i.test(JSON.stringify(line)), 'a line that says so');
    await until(() => proxy.live === 0, 'it to hang up');
    const { accepted } = proxy;
    await passTime(1_500);
    expect(proxy.accepted - accepted, 'dials of itself in 1.5 s').toBeLessThanOrEqual(1);
    expect(await relay.activePeers()).toBe(0);
    await proxy.stop();
    await pki.remove();
  });
});
