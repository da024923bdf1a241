/** The tools of the P2P tests: certificates that are wrong in the one way they claim, and the proxy. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { guardCertificate, P2PLink, p2pTlsOptions } from '../../helpers/p2p/p2p-link.js';
import { type NodeCredentials, P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { TcpProxy } from '../../helpers/p2p/tcp-proxy.js';

describe('certificates', () => {
  let pki: P2PPki;
  beforeAll(async () => {
    pki = await P2PPki.create();
  });
  afterAll(() => pki.remove());

  /** What a server of the chain says to a client: that TLS is content, or why not. */
  async function verdict(client: NodeCredentials, crl?: string): Promise<string> {
    const server = tls.createServer({
      ...p2pTlsOptions(pki.node('server')),
      crl:
        crl === undefined ? undefined : readFileSync(crl, 'utf8').match(/-----BEGIN[\s\S]*?-----END X509 CRL-----\n/g)!,
      requestCert: true,
      rejectUnauthorized: false, // the verdict is what is asked for
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const accepted = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
    const port = (server.address() as AddressInfo).port;
    const link = await P2PLink.dial({ port, credentials: client, tls: { rejectUnauthorized: false } });
    const [socket] = await accepted;
    const certificate = guardCertificate(socket)();
    expect(certificate.subject).toContain('O=fisco-bcos');
    link.destroy();
    return socket.authorized ? 'authorized' : String(socket.authorizationError);
  }

  it('satisfy TLS where only the relay can object', async () => {
    for (const client of [pki.node('a'), pki.node('c', 'C'), pki.sdk(), pki.withoutBasicConstraints(), pki.rsa()]) {
      expect(await verdict(client), client.name).toBe('authorized');
    }
  });

  it('are refused by TLS for their one fault', async () => {
    expect(await verdict(pki.expired())).toMatch(/EXPIRED/);
    expect(await verdict(pki.notYetValid())).toMatch(/NOT_YET_VALID/);
    expect(await verdict(pki.foreign())).toMatch(/SELF_SIGNED|UNABLE_TO/);
  });

  it('are revoked one by one', async () => {
    const [good, bad] = [pki.node('good'), pki.node('bad')];
    const crl = pki.crlFile(bad);
    expect(await verdict(good, crl)).toBe('authorized');
    expect(await verdict(bad, crl)).toMatch(/REVOKED/);
  });

  it('have the node ID that the specification computes for a private key of 1', async () => {
    // Any certificate: 64 bytes behind the 04 of the public key.
    const { nodeId, cert } = pki.node('x');
    expect(nodeId).toMatch(/^[0-9a-f]{128}$/);
    const der = Buffer.from(cert.split('-----')[2], 'base64').toString('hex');
    expect(der).toContain(`3056301006072a8648ce3d020106052b8104000a03420004${nodeId}`);
  });
});

describe('the proxy', () => {
  async function start(): Promise<{ proxy: TcpProxy; connect: () => Promise<net.Socket> }> {
    const echo = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const proxy = await TcpProxy.start((echo.address() as AddressInfo).port);
    onTestFinished(async () => {
      await proxy.stop();
      echo.close();
    });
    const connect = async () => {
      const socket = net.connect(proxy.port, '127.0.0.1');
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      await once(socket, 'connect');
      return socket;
    };
    return { proxy, connect };
  }

  const roundTrip = async (socket: net.Socket, text: string) => {
    socket.write(text);
    const [chunk] = await once(socket, 'data');
    return `${chunk}`;
  };

  it('passes and counts bytes', async () => {
    const { proxy, connect } = await start();
    expect(await roundTrip(await connect(), 'hello')).toBe('hello');
    expect([proxy.bytesToTarget, proxy.bytesFromTarget, proxy.live, proxy.accepted]).toEqual([5, 5, 1, 1]);
  });

  it('cuts, refuses, and opens again', async () => {
    const { proxy, connect } = await start();
    const first = await connect();
    await roundTrip(first, 'x');
    proxy.cut();
    await once(first, 'close');
    expect(proxy.live).toBe(0);
    const refused = await connect().catch(() => undefined);
    if (refused !== undefined) await until(() => refused.destroyed, 'the refusal');
    proxy.open();
    expect(await roundTrip(await connect(), 'again')).toBe('again');
  });

  it('holds connections until it opens, and delays them after that', async () => {
    const { proxy, connect } = await start();
    proxy.hold();
    proxy.delayMs = () => 100;
    const held = await connect();
    const answer = roundTrip(held, 'late');
    await until(() => proxy.held === 1, 'it to be held');
    expect(proxy.live).toBe(0);
    const startMs = performance.now();
    proxy.open();
    expect(await answer).toBe('late');
    expect(performance.now() - startMs).toBeGreaterThan(90);
    expect([proxy.live, proxy.held]).toEqual([1, 0]);
  });

  it('freezes without closing', async () => {
    const { proxy, connect } = await start();
    const socket = await connect();
    await roundTrip(socket, 'x');
    proxy.freeze();
    const answer = roundTrip(socket, 'frozen');
    await connect(); // events pass meanwhile
    expect(proxy.bytesFromTarget).toBe(1);
    proxy.thaw();
    expect(await answer).toBe('frozen');
  });
});
