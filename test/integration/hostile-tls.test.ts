/** Connections that must not become sessions (decisions §6): each refused, counted, explained, and the relay serves on. */
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { ALERT_UNKNOWN_CA, alertAfterServerHello, RawTcp } from '../helpers/raw-tcp.js';
import { type ConnectOptions, type RelayProcess, startRelay, useRelay } from '../helpers/relay-process.js';

/** Tries to become a session. A refusal may come within the handshake or, for a certificate, right after it. */
async function outcome(relay: RelayProcess, options: ConnectOptions): Promise<'served' | 'refused'> {
  try {
    const client = await relay.connect(options);
    await client.barrier(5_000);
    await client.close();
    return 'served';
  } catch {
    return 'refused';
  }
}

async function expectServing(relay: RelayProcess): Promise<void> {
  expect(await outcome(relay, { kind: 'secp256k1' })).toBe('served');
  expect(await outcome(relay, { kind: 'rsa' })).toBe('served');
}

describe('TLS', () => {
  const relay = useRelay();
  afterEach(() => expectServing(relay()));

  /** Runs `attempt` and expects one more failure of this reason, with a sentence in the log. */
  async function expectFailure(reason: string, attempt: () => Promise<unknown>, words: RegExp): Promise<void> {
    const name = 'amop_tls_handshake_failures_total';
    const before = (await relay().metrics()).value(name, { reason });
    const logged = relay().logs.length;
    await attempt();
    await relay().waitForMetric(name, { reason }, before + 1);
    const line = await relay().waitForLog(
      (candidate) => relay().logs.indexOf(candidate) >= logged && JSON.stringify(candidate).includes(reason),
      `a line with ${reason}`,
    );
    expect(JSON.stringify(line)).toMatch(words);
    expect((await relay().metrics()).value(name)).toBeGreaterThan(0);
  }

  const refused = (options: () => ConnectOptions) => async () =>
    expect(await outcome(relay(), options())).toBe('refused');

  for (const kind of ['secp256k1', 'rsa'] as const) {
    describe(`${kind} listener`, () => {
      it('serves clients of both agencies', async () => {
        expect(await outcome(relay(), { kind, credentials: relay().pki.sdkA[kind] })).toBe('served');
        expect(await outcome(relay(), { kind, credentials: relay().pki.sdkB[kind] })).toBe('served');
      });

      it('refuses a certificate of another chain', async () => {
        const foreign = () => ({ kind, credentials: relay().pki.foreign[kind] });
        await expectFailure('untrusted-certificate', refused(foreign), /certificate|issue|CA|chain/);
      });

      it('refuses an expired certificate', async () => {
        const expired = () => ({ kind, credentials: relay().pki.expired[kind] });
        await expectFailure('expired-certificate', refused(expired), /expired/);
      });

      it('refuses a client without a certificate', async () => {
        const none = () => ({ kind, tls: { key: undefined, cert: undefined } });
        await expectFailure('no-certificate', refused(none), /certificate/);
      });

      it('explains a client that does not know the relay’s CA', async () => {
        // Libraries that verify within the handshake, Java's and Python's, end it with this alert.
        await expectFailure(
          'client-refused-our-certificate',
          () => alertAfterServerHello(relay().ports[kind], relay().pki.sdkA[kind], ALERT_UNKNOWN_CA),
          /CA|ca_cert|listener/,
        );
      });

      it('survives a client that verifies after the handshake, as node:tls does, and leaves', async () => {
        const foreignCa = relay().pki.foreign[kind].cert;
        expect(await outcome(relay(), { kind, credentials: { ...relay().pki.sdkA[kind], ca: foreignCa } })).toBe(
          'refused',
        );
      });

      it('refuses a client that offers TLS 1.3 only', async () => {
        const modern = () => ({
          kind,
          tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: 'P-256' } as const,
        });
        await expectFailure('protocol-version', refused(modern), /TLS/);
      });

      it('refuses plain HTTP and names the mistake', async () => {
        await expectFailure(
          'not-tls',
          async () => {
            const http = await RawTcp.connect(relay().ports[kind]);
            http.socket.write('GET / HTTP/1.1\r\nHost: relay\r\n\r\n');
            await http.waitForClose(5_000);
          },
          /TLS/,
        );
      });

      it('refuses bytes that are no TLS record', async () => {
        await expectFailure(
          'not-tls',
          async () => {
            const garbage = await RawTcp.connect(relay().ports[kind]);
            garbage.socket.write(Buffer.from('0000002a0030', 'hex'));
            garbage.socket.write(Buffer.alloc(200, 0x5a));
            await garbage.waitForClose(5_000);
          },
          /TLS/,
        );
      });
    });
  }

  it.each(['X25519', 'P-521', 'X448'])('refuses a client that offers only the curve %s', async (ecdhCurve) => {
    const curve = () => ({ kind: 'rsa' as const, tls: { ecdhCurve } });
    await expectFailure('no-common-curve-or-cipher', refused(curve), /curve/);
  });

  it.each(['P-256:X25519', 'X25519'])(
    'refuses a client without secp256k1 among its curves (%s) on the secp256k1 listener and says what is missing',
    async (ecdhCurve) => {
      const curve = () => ({
        kind: 'secp256k1' as const,
        tls: { ecdhCurve, key: undefined, cert: undefined },
      });
      await expectFailure('no-common-curve-or-cipher', refused(curve), /secp256k1/);
    },
  );

  it('serves a client that offers X25519 first: the relay picks a curve that TaSSL can do', async () => {
    const client = await relay().connect({ kind: 'rsa', tls: { ecdhCurve: 'X25519:P-256:secp256k1' } });
    expect((client.socket.getEphemeralKeyInfo() as { name?: string }).name).toBe('prime256v1');
    await client.close();
  });

  it('serves a client that offers only secp256k1, as Python and Node.js do', async () => {
    for (const kind of ['secp256k1', 'rsa'] as const) {
      const client = await relay().connect({ kind, tls: { ecdhCurve: 'secp256k1' } });
      await client.barrier();
      expect((client.socket.getEphemeralKeyInfo() as { name?: string }).name).toBe('secp256k1');
      await client.close();
    }
  });

  it('speaks TLS 1.2 and names client authorities, agencies included', async () => {
    const client = await relay().connect({ tls: { maxVersion: 'TLSv1.3' } });
    expect(client.socket.getProtocol()).toBe('TLSv1.2');
    await client.close();
  });
});

describe('connections that never finish their handshake', () => {
  it('serves clients while 1,000 connections send nothing, then closes and counts those', async () => {
    const relay = await startRelay({
      limits: { handshakes_max: 2_000, accepts_per_second: 5_000, handshake_timeout_ms: 3_000 },
    });
    const subscriber = await relay.subscriber(['through-the-flood']);
    subscriber.answerWithEcho();
    const halfOpen = await Promise.all(Array.from({ length: 1_000 }, () => RawTcp.connect(relay.ports.secp256k1)));
    const newcomer = await relay.connect();
    for (let n = 0; n < 50; n++) expect((await newcomer.request('through-the-flood')).result).toBe(0);
    await Promise.all(halfOpen.map((client) => client.waitForClose(12_000)));
    await relay.waitForMetric('amop_tls_handshake_failures_total', { reason: 'timeout' }, 1_000);
    expect((await newcomer.request('through-the-flood')).result).toBe(0);
    await expectServing(relay);
  }, 30_000);

  it('bounds the handshakes under way and lets honest clients in all the same', async () => {
    const relay = await startRelay({
      limits: { handshakes_max: 100, accepts_per_second: 5_000, handshake_timeout_ms: 5_000 },
    });
    const client = await relay.connect();
    const halfOpen = await Promise.all(Array.from({ length: 1_000 }, () => RawTcp.connect(relay.ports.rsa)));
    await client.barrier();
    await relay.waitForMetric('amop_tls_handshake_failures_total', { reason: 'too-many-handshakes' }, 800);
    await expectServing(relay);
    for (const { socket } of halfOpen) socket.destroy();
    await until(async () => (await relay.metrics()).value('amop_sessions') === 1, 'one session left');
  }, 30_000);

  it('counts a connection that ends within the handshake', async () => {
    const relay = await startRelay();
    const client = await RawTcp.connect(relay.ports.secp256k1);
    client.socket.write(Buffer.from('16030100c8', 'hex'));
    client.socket.resetAndDestroy();
    await relay.waitForMetric('amop_tls_handshake_failures_total', { reason: 'connection-lost' }, 1);
    await expectServing(relay);
  });

  it('slows a burst of handshakes down to accepts_per_second, and serves all of them', async () => {
    const relay = await startRelay({ limits: { accepts_per_second: 20 } });
    const startMs = performance.now();
    const clients = await Promise.all(Array.from({ length: 60 }, () => relay.connect()));
    expect(performance.now() - startMs).toBeGreaterThan(1_000);
    for (const client of clients) await client.barrier();
  }, 20_000);

  it('refuses sessions above sessions_max by name', async () => {
    const relay = await startRelay({ limits: { sessions_max: 2 } });
    const [one, two] = [await relay.connect(), await relay.connect()];
    await one.barrier();
    await two.barrier();
    expect(await outcome(relay, {})).toBe('refused');
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'sessions-max' }, 1);
    await one.close();
    await until(async () => (await relay.metrics()).value('amop_sessions') === 1, 'one session left');
    expect(await outcome(relay, {})).toBe('served');
  });
});
