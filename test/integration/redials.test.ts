/**
 * A client that dials again and again, as Go SDK v1.1.1 does after its first loss, is slowed down before TLS; sessions and
 * other addresses are not. Addresses are those of loopback.
 */
import type { ConnectionOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../helpers/raw-client.js';
import { type ConnectOptions, type RelayProcess, startRelay } from '../helpers/relay-process.js';

const LOOPING = '127.0.0.2';
const OTHER = '127.0.0.3';

const from = (localAddress: string): ConnectOptions => ({ tls: { localAddress } as ConnectionOptions });

async function dial(relay: RelayProcess, times: number, options: ConnectOptions): Promise<void> {
  for (let n = 0; n < times; n++) (await relay.connect(options)).destroy();
}

const slowed = async (relay: RelayProcess) => (await relay.metrics()).value('amop_connections_slowed_total');
const reports = (relay: RelayProcess) => relay.logs.filter(({ msg }) => msg.startsWith('a client dials again'));

/** A relay with the default limit, and an address whose client has just made one connection too many. */
async function relayWithLoop(): Promise<{ relay: RelayProcess; session: RawClient }> {
  const relay = await startRelay({ limits: { redials_max: 20 } });
  const session = await relay.subscriber(['steady'], from(LOOPING));
  session.answerWithEcho();
  await dial(relay, 19, from(LOOPING));
  await relay.waitForMetric('amop_sessions', {}, 1);
  expect((await relay.metrics()).value('amop_slowed_addresses')).toBe(0);
  await dial(relay, 1, from(LOOPING));
  await relay.waitForMetric('amop_slowed_addresses', {}, 1);
  return { relay, session };
}

// Twenty handshakes come before each test, and some connections wait for seconds: a busy machine needs its time.
describe('a client that dials again and again', { timeout: 40_000 }, () => {
  it('gets five connections a second after the first twenty, whatever certificate comes from its address', async () => {
    const { relay } = await relayWithLoop();
    const startMs = performance.now();
    const another = { ...from(LOOPING), kind: 'rsa', credentials: relay.pki.sdkB.rsa } as const;
    await Promise.all([dial(relay, 1, from(LOOPING)), ...Array.from({ length: 11 }, () => dial(relay, 1, another))]);
    expect(performance.now() - startMs).toBeGreaterThan(1_700);
    expect(await slowed(relay)).toBeGreaterThanOrEqual(9);
  });

  it('does not slow down other addresses, nor its own sessions', async () => {
    const { relay, session } = await relayWithLoop();
    let looping = true;
    const loop = (async () => {
      while (looping) await dial(relay, 1, from(LOOPING));
    })();
    const sender = await relay.connect(from(OTHER));
    for (let n = 0; n < 300; n++) expect((await sender.request('steady', `${n}`)).result).toBe(0);
    expect(session.framesOf(0x30)).toHaveLength(300);
    looping = false;
    await loop;
    const before = await slowed(relay);
    await dial(relay, 18, from(OTHER));
    expect(await slowed(relay)).toBe(before);
    expect((await relay.metrics()).value('amop_slowed_addresses')).toBe(1);
  });

  it('is told of once, with the certificate and what to do', async () => {
    const { relay } = await relayWithLoop();
    await dial(relay, 8, from(LOOPING));
    await dial(relay, 1, from(OTHER));
    // Lines come in order: behind this one there is none of those before.
    await relay.waitForLog(({ remote }) => String(remote).startsWith(OTHER), 'a line about the other address');
    expect(reports(relay)).toHaveLength(1);
    const [line] = reports(relay);
    expect(line).toMatchObject({ level: 'warn', subject: 'sdkA', organisation: 'agencyA' });
    expect(line.remote).toMatch(/^127\.0\.0\.2:\d+$/);
    expect(line.certificate).toMatch(/^[0-9a-f]{64}$/);
    expect(line.hint).toMatch(/Go SDK v1\.1\.1 .*restart that client/);
    // At `info` its sessions come and go without a line each; those before the limit have theirs.
    const told = (msg: string) =>
      relay.logs.filter((one) => one.msg === msg && one.level === 'info' && String(one.remote).startsWith(LOOPING));
    expect(told('session opened')).toHaveLength(20);
    expect(told('session closed')).toHaveLength(19);
  });

  it('holds a bounded number of connections, and refuses those beyond at once', async () => {
    const { relay, session } = await relayWithLoop();
    for (let n = 0; n < 300; n++) {
      relay.connect(from(LOOPING)).then(
        (client) => client.destroy(),
        () => {}, // refused, or waiting when the relay ends
      );
    }
    const refusedName = 'amop_tls_handshake_failures_total';
    await relay.waitForMetric(refusedName, { reason: 'too-many-handshakes' }, 240);
    expect((await relay.metrics()).value(refusedName)).toBeLessThanOrEqual(250);
    expect((await relay.metrics()).value('amop_handshakes')).toBeLessThanOrEqual(52);
    const sender = await relay.connect(from(OTHER));
    expect((await sender.request('steady')).result).toBe(0);
    expect(session.isClosed).toBe(false);
  });

  it('is slowed down as well when its sessions are refused', async () => {
    const relay = await startRelay({ limits: { redials_max: 20, sessions_max: 1 } });
    const session = await relay.connect(from(OTHER));
    await session.barrier();
    for (let n = 0; n < 21; n++) await dial(relay, 1, from(LOOPING)).catch(() => {});
    await relay.waitForMetric('amop_slowed_addresses', {}, 1);
    expect((await relay.metrics()).value('amop_connections_closed_total', { reason: 'sessions-max' })).toBe(21);
  });

  it('is not slowed down for handshakes that fail: those prove nobody', async () => {
    const relay = await startRelay({ limits: { redials_max: 20 } });
    const stranger = { ...from(LOOPING), credentials: relay.pki.foreign.secp256k1 };
    for (let n = 0; n < 40; n++) {
      await relay.connect(stranger).then(
        (client) => client.waitForClose(),
        () => {},
      );
    }
    await relay.waitForMetric('amop_tls_handshake_failures_total', { reason: 'untrusted-certificate' }, 40);
    expect((await relay.metrics()).value('amop_slowed_addresses')).toBe(0);
    expect(reports(relay)).toHaveLength(0);
    await dial(relay, 5, from(LOOPING));
    expect(await slowed(relay)).toBe(0);
  });
});
