/** Who must not become a peer (decisions §6): refused, counted, explained; honest peers and sessions notice nothing. */
import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { type DialOptions, P2PLink } from '../../helpers/p2p/p2p-link.js';
import { type NodeCredentials, P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { P2PRelay, startP2PRelay } from '../../helpers/p2p/relays.js';
import { ALERT_UNKNOWN_CA, alertAfterServerHello, RawTcp } from '../../helpers/raw-tcp.js';

const CLOSED = 'amop_p2p_connections_closed_total';
const TLS_FAILED = 'amop_tls_handshake_failures_total';

let pki: P2PPki;
beforeAll(async () => {
  pki = await P2PPki.create();
});
afterAll(() => pki.remove());

/** A peer that is let in stays, and gets an answer when it asks for the topics. */
async function outcome(relay: P2PRelay, options: Omit<DialOptions, 'port'>): Promise<'served' | 'refused'> {
  const link = await P2PLink.tryDial({ port: relay.p2pPort, ...options });
  if (link === undefined) return 'refused';
  try {
    link.send({ protocolId: 2, packetType: 2, seq: 77, data: Buffer.alloc(0) });
    await link.waitFor(({ protocolId, seq }) => protocolId === -2 && seq === 77, 'the topic list', 5_000);
    return 'served';
  } catch (error) {
    if (!link.isClosed) throw error; // neither served nor closed
    return 'refused';
  } finally {
    link.destroy();
  }
}

/** Runs `attempt`; one more must be counted under the reason, and a line of the log must explain it. */
async function expectCounted(
  relay: P2PRelay,
  metric: string,
  reason: string,
  attempt: () => Promise<unknown>,
  words: RegExp,
): Promise<void> {
  const before = (await relay.process.metrics()).value(metric, { reason });
  const logged = relay.process.logs.length;
  await attempt();
  await relay.process.waitForMetric(metric, { reason }, before + 1);
  await relay.process.waitForLog((candidate) => {
    const text = JSON.stringify(candidate);
    return relay.process.logs.indexOf(candidate) >= logged && text.includes(reason) && words.test(text);
  }, `a line that explains ${reason} (${words})`);
}

describe('the P2P port', () => {
  let relay: P2PRelay;
  let honest: LegacyPeer;
  beforeAll(async () => {
    honest = await LegacyPeer.start({ credentials: pki.node('honest', 'B') });
    honest.subscribe('honest');
    honest.answerWithEcho();
    relay = await P2PRelay.start({ credentials: pki.node('relay'), dials: [honest.port] });
    await relay.waitForPeers(1);
  });
  afterAll(async () => {
    await honest?.stop();
    await relay?.process.cleanUp();
  });
  afterEach(async () => {
    const application = await relay.process.connect();
    expect((await application.request('honest')).result, 'the honest peer is still served').toBe(0);
    await application.close();
  });

  const refused =
    (credentials: NodeCredentials, options: Partial<DialOptions> = {}) =>
    async () =>
      expect(await outcome(relay, { credentials, ...options })).toBe('refused');

  it('lets in nodes of every agency of the chain', async () => {
    for (const agency of ['A', 'B', 'C'] as const) {
      expect(await outcome(relay, { credentials: pki.node(`node-${agency}`, agency) })).toBe('served');
    }
  });

  it('lets in a node that offers secp256k1 alone, and one that offers more', async () => {
    for (const ecdhCurve of ['secp256k1', 'P-256:secp256k1', 'X25519:P-256:secp256k1']) {
      expect(await outcome(relay, { credentials: pki.node('curves'), tls: { ecdhCurve } })).toBe('served');
    }
  });

  it('names its own certificate by its node ID and shows it as a leaf with basicConstraints', async () => {
    const link = await P2PLink.dial({ port: relay.p2pPort, credentials: pki.node('looker') });
    expect(link.nodeId).toBe(relay.nodeId);
    expect(new X509Certificate(link.certificate.raw).ca).toBe(false);
    expect(link.socket.getProtocol()).toBe('TLSv1.2');
    link.destroy();
  });

  it('refuses a certificate of another chain', async () => {
    await expectCounted(relay, TLS_FAILED, 'untrusted-certificate', refused(pki.foreign()), /foreign|chain|CA|issue/);
  });

  it('refuses an expired certificate and one whose time has not come', async () => {
    await expectCounted(relay, TLS_FAILED, 'expired-certificate', refused(pki.expired()), /expired/);
    const early = pki.notYetValid();
    const before = (await relay.process.metrics()).value(TLS_FAILED);
    await refused(early)();
    await relay.process.waitForMetric(TLS_FAILED, {}, before + 1);
  });

  it('refuses a peer without a certificate', async () => {
    const none = refused(pki.node('bare'), { tls: { key: undefined, cert: undefined } });
    await expectCounted(relay, TLS_FAILED, 'no-certificate', none, /certificate/);
  });

  it('refuses a certificate without basicConstraints, as a node does', async () => {
    const bare = refused(pki.withoutBasicConstraints());
    await expectCounted(relay, CLOSED, 'no-node-id', bare, /basicConstraints/);
  });

  it('refuses an RSA certificate of the chain, for it has no node ID', async () => {
    await expectCounted(relay, CLOSED, 'no-node-id', refused(pki.rsa()), /RSA|secp256k1|curve/);
  });

  it('refuses the certificate of an application', async () => {
    await expectCounted(relay, CLOSED, 'sdk-certificate', refused(pki.sdk()), /sdk/i);
  });

  it('does not take an agency’s certificate for a node’s', async () => {
    const before = await relay.activePeers();
    expect(await outcome(relay, { credentials: pki.authorityAsNode() })).toBe('refused');
    expect(await relay.activePeers()).toBe(before);
  });

  it('refuses a second connection of one node ID while the first lives', async () => {
    const credentials = pki.node('double');
    const first = await P2PLink.dial({ port: relay.p2pPort, credentials });
    await first.waitFor(({ protocolId }) => protocolId === 2, 'an announcement');
    await expectCounted(
      relay,
      CLOSED,
      'duplicate-peer',
      async () => {
        const second = await P2PLink.dial({ port: relay.p2pPort, credentials });
        await second.waitForClose(10_000);
      },
      /another link/,
    );
    expect(first.isClosed).toBe(false);
    first.destroy();
  }, 20_000);

  it('does not become a way to cut an honest peer off: a hundred connections with its node ID', async () => {
    // Somebody holds a copy of the key: the link in use stays the one in use.
    const links = await Promise.all(
      Array.from({ length: 100 }, () =>
        P2PLink.tryDial({ port: relay.p2pPort, credentials: honest.credentials, keeps: false }),
      ),
    );
    expect(honest.connected).toEqual([relay.nodeId]);
    const application = await relay.process.connect();
    for (let n = 0; n < 20; n++) expect((await application.request('honest')).result).toBe(0);
    await Promise.all(links.map((link) => link?.waitForClose(10_000)));
  }, 30_000);

  it('refuses its own certificate', async () => {
    await expectCounted(relay, CLOSED, 'self', refused(relay.credentials), /own|self|key/);
  });

  it('explains a peer that does not know its CA', async () => {
    await expectCounted(
      relay,
      TLS_FAILED,
      'client-refused-our-certificate',
      () => alertAfterServerHello(relay.p2pPort, pki.node('alert'), ALERT_UNKNOWN_CA),
      /CA|ca_cert/,
    );
  });

  it('survives 300 connections that never finish their handshake', async () => {
    const before = (await relay.process.metrics()).value(TLS_FAILED);
    const halfOpen = await Promise.all(Array.from({ length: 300 }, () => RawTcp.connect(relay.p2pPort)));
    expect(await outcome(relay, { credentials: pki.node('newcomer') })).toBe('served');
    for (const { socket } of halfOpen) socket.resetAndDestroy();
    await relay.process.waitForMetric(TLS_FAILED, {}, before + 300, 15_000);
  }, 30_000);

  it('refuses plain HTTP and garbage', async () => {
    for (const text of ['GET / HTTP/1.1\r\nHost: relay\r\n\r\n', '\x00'.repeat(300)]) {
      const before = (await relay.process.metrics()).value(TLS_FAILED, { reason: 'not-tls' });
      const client = await RawTcp.connect(relay.p2pPort);
      client.socket.write(text);
      await client.waitForClose(5_000);
      await relay.process.waitForMetric(TLS_FAILED, { reason: 'not-tls' }, before + 1);
    }
  });

  it('survives a peer that connects and leaves 200 times', async () => {
    const credentials = pki.node('flapping');
    for (let n = 0; n < 200; n++) {
      const link = await P2PLink.dial({ port: relay.p2pPort, credentials, keeps: false });
      link.destroy();
    }
    await relay.waitForPeers(1);
    expect(await outcome(relay, { credentials })).toBe('served');
  }, 60_000);

  it('is not the channel port: a peer that dials that one is refused', async () => {
    const port = relay.process.ports.secp256k1; // of another chain
    const link = await P2PLink.tryDial({ port, credentials: pki.node('lost') });
    await link?.waitForClose();
  });
});

describe('lists', () => {
  it('refuse a blacklisted node, in either direction', async () => {
    const node = await LegacyPeer.start({ credentials: pki.node('black'), redialIntervalMs: 200 });
    onTestFinished(() => node.stop());
    const relay = await startP2PRelay({
      credentials: pki.node('relay'),
      dials: [node.port],
      blacklist: [node.nodeId.toUpperCase()],
    });
    await expectCounted(
      relay,
      CLOSED,
      'blacklisted',
      async () => expect(await outcome(relay, { credentials: node.credentials })).toBe('refused'),
      /black/,
    );
    node.dial(relay.p2pPort);
    await relay.process.waitForMetric(CLOSED, { reason: 'blacklisted' }, 3);
    expect(await relay.activePeers()).toBe(0);
    expect(node.topicFrames, 'a refused node learns nothing').toEqual([]);
    expect(await outcome(relay, { credentials: pki.node('other') })).toBe('served');
  });

  it('let only whitelisted nodes in, and the black list wins', async () => {
    const [white, grey, both] = [pki.node('white'), pki.node('grey'), pki.node('both')];
    const relay = await startP2PRelay({
      credentials: pki.node('relay'),
      whitelist: [white.nodeId, both.nodeId],
      blacklist: [both.nodeId],
    });
    expect(await outcome(relay, { credentials: white })).toBe('served');
    const attempt = (credentials: NodeCredentials) => async () =>
      expect(await outcome(relay, { credentials })).toBe('refused');
    await expectCounted(relay, CLOSED, 'not-whitelisted', attempt(grey), /white/);
    await expectCounted(relay, CLOSED, 'blacklisted', attempt(both), /black/);
  });

  it('let an application’s certificate in where the configuration says so', async () => {
    const relay = await startP2PRelay({ credentials: pki.node('relay'), allowSdkCertificates: true });
    expect(await outcome(relay, { credentials: pki.sdk() })).toBe('served');
  });

  it('refuse a revoked certificate and let others in', async () => {
    const revoked = pki.node('revoked');
    const relay = await startP2PRelay({ credentials: pki.node('relay'), crl: pki.crlFile(revoked) });
    expect(await outcome(relay, { credentials: pki.node('good') })).toBe('served');
    await expectCounted(
      relay,
      TLS_FAILED,
      'revoked-certificate',
      async () => expect(await outcome(relay, { credentials: revoked })).toBe('refused'),
      /revoked/,
    );
  });
});

describe('dialling', () => {
  it.each([
    ['of another chain', () => pki.foreign()],
    ['that is expired', () => pki.expired()],
    ['without basicConstraints', () => pki.withoutBasicConstraints()],
    ['of an application', () => pki.sdk()],
  ])('refuses a server with a certificate %s and says so', async (_, credentials) => {
    const node = await LegacyPeer.start({ credentials: credentials() });
    onTestFinished(() => node.stop());
    node.subscribe('trap');
    const relay = await startP2PRelay({ credentials: pki.node('relay'), dials: [node.port] });
    await relay.process.waitForLog(
      (line) => JSON.stringify(line).includes(String(node.port)) && Number(line.level ?? 30) !== 20,
      'a line about the address',
    );
    const application = await relay.process.connect();
    expect((await application.request('trap')).result).toBe(100);
    expect(await relay.activePeers()).toBe(0);
    expect(node.amopFrames).toEqual([]);
  });

  it('explains that the other side probably refused it, when that closes after the handshake', async () => {
    const node = await LegacyPeer.start({ credentials: pki.node('strict') });
    onTestFinished(() => node.stop());
    const first = await startP2PRelay({ credentials: pki.node('first'), dials: [node.port] });
    await first.waitForPeers(1);
    // Its node ID is connected already, so the node hangs up without a word.
    const second = await startP2PRelay({ credentials: first.credentials, dials: [node.port] });
    await second.process.waitForLog(
      (line) => JSON.stringify(line).includes(String(node.port)) && /refus|clos/i.test(JSON.stringify(line)),
      'a line that says so',
    );
    expect(node.connected).toEqual([first.nodeId]);
    await until(() => node.duplicatesRefused > 1, 'it to try again');
  });
});
