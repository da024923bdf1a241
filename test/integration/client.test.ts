/** The client with relays as they run: two of them, restarts, and what an application sees of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { AmopClient, ConnectOptions } from '../../src/client/index.js';
import { type ClientModule, slowHandler } from '../helpers/client-world.js';
import { passTime, until, withDeadline } from '../helpers/deadline.js';
import { DIST_DIR, KINDS, type Kind } from '../helpers/pki.js';
import { type RelayProcess, startRelay } from '../helpers/relay-process.js';

const CLIENT = pathToFileURL(join(DIST_DIR, 'client/index.js')).href;
const { connect, AmopError } = (await import(CLIENT)) as ClientModule;
const clients: AmopClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const at = (relay: RelayProcess, kind: Kind = 'secp256k1'): string => `127.0.0.1:${relay.ports[kind]}`;

async function open(relays: readonly RelayProcess[], kind: Kind = 'secp256k1', options: Partial<ConnectOptions> = {}) {
  const client = await connect({
    relays: relays.map((relay) => at(relay, kind)),
    ...relays[0].pki.sdkB[kind],
    ...options,
  });
  clients.push(client);
  await until(() => client.relays.every(({ state }) => state === 'connected'), 'every relay');
  return client;
}

describe('a client with a relay', () => {
  it.each(KINDS)('does everything with %s certificates', async (kind) => {
    const relay = await startRelay();
    const [subscriber, sender] = [await open([relay], kind), await open([relay], kind)];
    const got: string[] = [];
    await subscriber.subscribe('t', (message) => {
      got.push(`${message.multicast ? 'multicast' : 'unicast'} ${message.text()}`);
      return { echo: message.text() };
    });
    expect((await sender.request('t', 'one')).json()).toEqual({ echo: 'one' });
    await sender.publish('t', 'two');
    await sender.multicast('t', 'three');
    await until(() => got.length === 3, 'three messages');
    expect(got).toEqual(['unicast one', 'unicast two', 'multicast three']);
    expect(await sender.topics()).toEqual([{ topic: 't', subscribers: 1 }]);
    await subscriber.unsubscribe('t');
    const error = await sender.request('t', 'nobody').catch((reason) => reason);
    expect(error).toMatchObject({ code: 100, reason: 'no-subscriber' });
    await relay.waitForLog((line) => line.seq === error.seq, 'the line of the request with its seq');
    // The sender subscribes: a session never gets its own message.
    await sender.subscribe('t', () => 'me');
    expect(await sender.request('t', 'to myself').catch(({ code }) => code)).toBe(100);
  });

  it('carries a large message both ways and a thousand small ones at once', async () => {
    const relay = await startRelay();
    const [subscriber, sender] = [await open([relay]), await open([relay], 'rsa')];
    await subscriber.subscribe('t', (message) => message.payload);
    const large = Buffer.alloc(8 * 1024 * 1024, 'large');
    const reply = await sender.request('t', large, { timeoutMs: 20_000 });
    expect(reply.payload.equals(large)).toBe(true);
    const replies = await Promise.all(Array.from({ length: 1_000 }, (_, i) => sender.request('t', `message ${i}`)));
    expect(replies.map((one) => one.text())).toEqual(replies.map((_, i) => `message ${i}`));
  });

  it('is subscribed and sends again within a second of a restart', async () => {
    const relay = await startRelay();
    const [subscriber, sender] = [await open([relay]), await open([relay], 'rsa')];
    await subscriber.subscribe('t', (message) => message.text());
    const lost = Promise.all([once(subscriber, 'disconnect'), once(sender, 'disconnect')]);
    relay.signal('SIGKILL');
    await relay.waitForExit();
    await lost;
    const back = once(subscriber, 'connect').then(() => performance.now());
    const waiting = sender.request('t', 'waited', { timeoutMs: 15_000 }).catch((error) => error);
    const restarted = await startRelay({ channelPorts: relay.ports });
    const readyMs = performance.now();
    expect((await withDeadline(back, 5_000, 'the subscription')) - readyMs).toBeLessThan(1_000);
    // The request may reach the relay before the subscriber does.
    const outcome = await waiting;
    expect(outcome instanceof AmopError ? outcome.reason : outcome.text()).toMatch(/^(waited|no-subscriber)$/);
    expect((await sender.request('t', 'again')).text()).toBe('again');
    expect(restarted.ports).toEqual(relay.ports);
  });
});

describe('a subscription that pauses when it is full', () => {
  it('loses nothing of what the relay can keep', async () => {
    const relay = await startRelay({ limits: { session_queue_bytes_max: 64 * 1024 * 1024 } });
    const [subscriber, sender] = [await open([relay]), await open([relay])];
    const [messages, payload] = [2_000, Buffer.alloc(8_192)];
    const { got, handle, release } = slowHandler();
    await subscriber.subscribe('t', handle, { concurrency: 1, inboxMax: 10, whenFull: 'pause' });
    for (let n = 0; n < messages; n++) {
      payload.writeUInt32BE(n);
      await sender.multicast('t', payload);
    }
    expect(got).toEqual([0]);
    expect((await relay.metrics()).value('amop_queue_bytes')).toBeGreaterThan(1024 * 1024);
    release();
    await until(
      () => got.length === messages,
      () => `all messages, got ${got.length}`,
    );
    expect(got).toEqual(Array.from({ length: messages }, (_, n) => n));
    expect(subscriber.counters.droppedMulticasts).toBe(0);
    expect(subscriber.relays[0].state).toBe('connected');
  });
});

describe('a client with two relays', () => {
  it('gets what is sent at either, a multicast once, and answers both', async () => {
    const relays = [await startRelay(), await startRelay()];
    const subscriber = await open(relays);
    const got: string[] = [];
    await subscriber.subscribe('t', (message) => {
      got.push(message.text());
      return `over ${message.relay}`;
    });
    for (const relay of relays) {
      const sender = await open([relay], 'rsa');
      expect((await sender.request('t', 'unicast')).text()).toBe(`over ${at(relay)}`);
      await sender.multicast('t', `multicast at ${at(relay)}`);
    }
    await until(() => got.length === 4, 'four messages');
    expect(new Set(got).size).toBe(3);
  });

  it('reaches a subscriber that only one of them knows', async () => {
    const relays = [await startRelay(), await startRelay()];
    const subscriber = await open([relays[1]]);
    await subscriber.subscribe('t', (message) => message.text());
    const sender = await open(relays, 'rsa');
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => sender.request('t', String(i))));
    expect(replies.map((one) => one.text())).toEqual(replies.map((_, i) => String(i)));
    expect(await sender.topics()).toEqual([{ topic: 't', subscribers: 1 }]);
  });

  it('loses no request but those under way while its relays are restarted one after the other', async () => {
    const relays = [await startRelay(), await startRelay()];
    const subscriber = await open(relays);
    const copies = new Map<string, number>();
    await subscriber.subscribe('requests', (message) => message.text());
    await subscriber.subscribe(
      'news',
      (message) => void copies.set(message.text(), (copies.get(message.text()) ?? 0) + 1),
    );
    const sender = await open(relays, 'rsa');

    let running = true;
    let answered = 0;
    const failures: string[] = [];
    const worker = async () => {
      for (let i = 0; running; i++) {
        await sender.request('requests', `request ${i}`).then(
          () => answered++,
          (error) => failures.push(`${error.code} ${error.reason}`),
        );
      }
    };
    const announcer = async () => {
      for (let i = 0; running; i++) {
        await sender.multicast('news', `news ${i}`).catch(() => {});
        await passTime(5);
      }
    };
    const workers = [...Array.from({ length: 8 }, worker), announcer()];
    for (const index of [0, 1]) {
      const before = answered;
      await until(() => answered > before + 100, 'some answers');
      relays[index].signal('SIGKILL');
      await relays[index].waitForExit();
      const meanwhile = answered;
      await until(() => answered > meanwhile + 100, 'answers over the other relay');
      relays[index] = await startRelay({ channelPorts: relays[index].ports });
      for (const client of [subscriber, sender]) {
        await until(() => client.relays.every(({ state }) => state === 'connected'), 'the restarted relay');
      }
    }
    const last = answered;
    await until(() => answered > last + 100, 'answers at the end');
    running = false;
    await withDeadline(Promise.all(workers), 10_000, 'every call');
    // What was under way over the killed relay, at most eight each time; a restarted relay may know no subscriber yet.
    expect(failures.filter((failure) => failure !== '99 connection-lost' && failure !== '100 no-subscriber')).toEqual(
      [],
    );
    expect(failures.length).toBeLessThan(40);
    expect([...copies.values()].filter((count) => count !== 1)).toEqual([]);
    expect(copies.size).toBeGreaterThan(20);
  }, 60_000);
});

describe('an application', () => {
  it('ends by itself once its clients are closed, and is not ended by a listener that throws', async () => {
    const relay = await startRelay();
    const folder = await mkdtemp(join(tmpdir(), 'amop-application-'));
    const { key, cert, ca } = relay.pki.sdkB.secp256k1;
    await writeFile(
      join(folder, 'application.mjs'),
      `import { connect } from ${JSON.stringify(CLIENT)};
const client = await connect(${JSON.stringify({ relays: [at(relay)], key, cert, ca })});
process.on('uncaughtException', (error) => console.log('uncaught', error.message));
client.on('close', () => { throw new Error('listener'); });
await client.subscribe('t', () => {});
await client.close();
console.log('closed');
`,
    );
    const child = spawn(process.execPath, [join(folder, 'application.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (part) => {
      output += part;
    });
    const [code] = await withDeadline(once(child, 'close'), 10_000, () => `the application to end; it wrote ${output}`);
    await rm(folder, { recursive: true, force: true });
    expect(code).toBe(0);
    expect(output.split('\n').sort()).toEqual(['', 'closed', 'uncaught listener']);
  });
});
