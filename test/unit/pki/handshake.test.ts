import net from 'node:net';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createLeaf } from '../../../src/pki/authority.js';
import { issuerFrom } from '../../../src/pki/certificate.js';
import { issueCrl } from '../../../src/pki/crl.js';
import { describePeer, organisationIdOf, type PeerDescription } from '../../../src/pki/peer.js';
import { explainDialError, explainTlsFailure } from '../../../src/pki/tls-explain.js';
import { dialTls, serverTlsOptions } from '../../../src/pki/tls-options.js';
import {
  certificatesOf,
  connectOnce,
  createWorld,
  crlsOf,
  dialPlain,
  dialRaw,
  EXPIRED,
  handshake,
  identityOf,
  listen,
  NOT_YET,
  relayOf,
  sdkOf,
  VALID,
  type World,
} from './world.js';

const WORLDS: Record<'secp256k1' | 'rsa', World> = { secp256k1: createWorld('secp256k1'), rsa: createWorld('rsa') };
const open: net.Server[] = [];

afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

const AT = { host: '127.0.0.1', port: 1, kind: 'secp256k1' } as const;

describe.each(['secp256k1', 'rsa'] as const)('a %s listener', (kind) => {
  const world = WORLDS[kind];
  const details = { kind };

  it('accepts a client of the chain and knows its organisation', async () => {
    const sdk = sdkOf(world, VALID, world.bankB);
    const outcome = await handshake(relayOf(world), sdk);
    expect(outcome.secured).toBe(true);
    expect(outcome.cipher).toBe(kind === 'rsa' ? 'ECDHE-RSA-AES128-GCM-SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(outcome.peer).toMatchObject({
      subjectCn: 'app',
      issuerCn: 'bank-b',
      organisationId: organisationIdOf(world.bankB.certificate),
      certificateDigest: sdk.leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      serial: sdk.leaf.serialNumber.toLowerCase(),
    });
    expect(outcome.peer?.notAfter.getTime()).toBe(Date.parse(sdk.leaf.validTo));
  });

  it('accepts a client that offers only secp256k1, as Python and Node.js SDKs do', async () => {
    const sdk = sdkOf(world);
    const client = dialPlain({ ca: sdk.caPem, cert: sdk.certPem, key: sdk.keyPem, ecdhCurve: 'secp256k1' });
    const outcome = await connectOnce(serverTlsOptions(relayOf(world)), client);
    expect(outcome.peer?.subjectCn).toBe('app');
  });

  it('refuses a client without a certificate inside the handshake', async () => {
    const outcome = await connectOnce(
      serverTlsOptions(relayOf(world)),
      dialPlain({ ca: world.chain.certPem, ecdhCurve: 'P-256:secp256k1' }),
    );
    expect(outcome.failure).toBe('no-certificate');
    expect(outcome.secured).toBe(false);
    expect(explainDialError(outcome.clientError, AT)).toContain('it got no certificate from us');
  });

  it.each([
    ['foreign', 'untrusted-certificate', 'does not lead to ca_cert'],
    ['expired', 'expired-certificate', 'has expired'],
    ['not yet valid', 'expired-certificate', 'not valid yet'],
    ['revoked', 'revoked-certificate', 'revoked'],
  ] as const)('refuses a %s certificate and knows why', async (what, failure, words) => {
    const sdk =
      what === 'foreign'
        ? // The same names under another root, as a second demo chain has them.
          identityOf(world, createLeaf(createWorld('secp256k1').bankA, 'sdk', 'app', VALID), world.chain.certPem)
        : sdkOf(world, what === 'expired' ? EXPIRED : what === 'not yet valid' ? NOT_YET : VALID);
    const relay = relayOf(world, what === 'revoked' ? crlsOf(world, [sdk.leaf]) : undefined);
    const outcome = await handshake(relay, sdk);
    expect(outcome.failure).toBe(failure);
    expect(outcome.peer).toBeUndefined();
    expect(explainTlsFailure(failure, { ...details, ...outcome.codes })).toContain(words);
    expect(explainDialError(outcome.clientError, AT)).toContain('probably it refused our certificate');
  });

  it('lets everybody in who is not on its revocation lists', async () => {
    const outcome = await handshake(relayOf(world, crlsOf(world, [sdkOf(world).leaf])), sdkOf(world));
    expect(outcome.peer?.subjectCn).toBe('app');
  });

  it('blames its own crl when that has no list of the client’s CA', async () => {
    const { certificate, key } = world.chain;
    const rootOnly = issueCrl({
      issuer: issuerFrom(certificate, key),
      thisUpdate: VALID.notBefore,
      nextUpdate: VALID.notAfter,
      revoked: [],
    });
    const outcome = await handshake(relayOf(world, rootOnly), sdkOf(world));
    expect(outcome.codes?.verification).toBe('UNABLE_TO_GET_CRL');
    expect(explainTlsFailure(outcome.failure ?? 'other', { ...details, ...outcome.codes })).toContain(
      'crl of this listener',
    );
  });

  it.each([
    ['X25519', { ecdhCurve: 'X25519' }],
    ['no ECDHE suite', { ciphers: 'AES128-SHA' }],
  ])('has nothing in common with a client of %s', async (_name, options) => {
    const outcome = await connectOnce(
      serverTlsOptions(relayOf(world)),
      dialPlain({ ca: world.chain.certPem, ...options }),
    );
    expect(outcome.failure).toBe('no-common-curve-or-cipher');
    expect(explainTlsFailure('no-common-curve-or-cipher', { ...details, ...outcome.codes })).toContain('in common');
  });

  it('refuses TLS 1.3 without 1.2', async () => {
    const client = dialPlain({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ca: world.chain.certPem });
    const outcome = await connectOnce(serverTlsOptions(relayOf(world)), client);
    expect(outcome.failure).toBe('protocol-version');
    expect(explainDialError(outcome.clientError, AT)).toContain('does not accept TLS 1.2');
  });

  it.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'plain HTTP'],
    ['a channel frame in the clear', Buffer.from(`0000002a0013${'41'.repeat(36)}`, 'hex'), 'did not speak TLS'],
  ])('recognises %s', async (_name, bytes, words) => {
    const outcome = await connectOnce(serverTlsOptions(relayOf(world)), dialRaw(bytes));
    expect(outcome.failure).toBe('not-tls');
    expect(explainTlsFailure('not-tls', { ...details, ...outcome.codes })).toContain(words);
  });

  it('tells a stalled client from one that leaves', async () => {
    const options = { ...serverTlsOptions(relayOf(world)), handshakeTimeout: 20 };
    expect((await connectOnce(options, dialRaw(Buffer.of()))).failure).toBe('timeout');
    const leaving = await connectOnce(serverTlsOptions(relayOf(world)), (port) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.end(Buffer.from('1603010200', 'hex')));
      return socket;
    });
    expect(leaving.failure).toBe('connection-lost');
  });

  it.each([
    ['unknown ca', 48, kind === 'rsa' ? 'it holds secp256k1 certificates' : 'it holds RSA certificates'],
    ['bad certificate', 42, '"bad certificate"'],
    ['certificate expired', 45, 'look at notAfter'],
  ])('explains a client that says "%s"', async (_name, alert, words) => {
    const sdk = sdkOf(world);
    const outcome = await connectOnce(serverTlsOptions(relayOf(world)), (port) =>
      alertingClient(port, alert, { ca: sdk.caPem, ecdhCurve: 'P-256:secp256k1' }),
    );
    expect(outcome.failure).toBe('client-refused-our-certificate');
    expect(explainTlsFailure('client-refused-our-certificate', { ...details, ...outcome.codes })).toContain(words);
  });

  it('names every agency of ca_cert in the list it sends, so that Go clients find their certificate', async () => {
    let flight = Buffer.alloc(0);
    await connectOnce(serverTlsOptions(relayOf(world)), (port) =>
      alertingClient(port, 48, { ca: world.chain.certPem, ecdhCurve: 'P-256:secp256k1' }, (chunk) => {
        flight = Buffer.concat([flight, chunk]);
      }),
    );
    // bank-b issued neither certificate of the server's file, so its name can stand in the CA list only.
    expect(flight.includes('bank-b')).toBe(true);
  });

  it('resumes no session, so that a revoked client cannot come back on one', async () => {
    const sdk = sdkOf(world);
    const server = tls.createServer(serverTlsOptions(relayOf(world)), (socket) => socket.end('x'));
    open.push(server);
    const port = await listen(server);
    const options = { ca: sdk.caPem, cert: sdk.certPem, key: sdk.keyPem, ecdhCurve: 'P-256:secp256k1' };
    const visit = (session?: Buffer) =>
      new Promise<{ session?: Buffer; ticket: boolean; reused: boolean }>((resolve, reject) => {
        const socket = dialPlain({ ...options, session })(port) as tls.TLSSocket;
        let seen = { session, ticket: false, reused: false };
        socket.on('secureConnect', () => {
          const ticket = (socket.getTLSTicket()?.length ?? 0) > 0;
          seen = { session: socket.getSession(), ticket, reused: socket.isSessionReused() };
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(seen));
        socket.resume();
      });
    const first = await visit();
    expect(first.ticket).toBe(false);
    expect(first.session).toBeDefined();
    expect((await visit(first.session)).reused).toBe(false);
  });

  it('refuses renegotiation, so that a described client stays who it was', async () => {
    const sdk = sdkOf(world);
    const server = tls.createServer(serverTlsOptions(relayOf(world)), (socket) => {
      socket.on('error', () => {});
      socket.resume();
    });
    open.push(server);
    const port = await listen(server);
    const client = dialPlain({ ca: sdk.caPem, cert: sdk.certPem, key: sdk.keyPem, ecdhCurve: 'P-256:secp256k1' })(
      port,
    ) as tls.TLSSocket;
    const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      client.on('error', resolve);
      client.on('secureConnect', () => {
        client.renegotiate({}, (failure) => resolve(failure as NodeJS.ErrnoException | null));
      });
    });
    client.destroy();
    expect(error?.code).toBe('ERR_SSL_NO_RENEGOTIATION');
  });
});

describe('a secp256k1 listener', () => {
  it('cannot serve a client that does not offer the curve, and says so', async () => {
    const world = WORLDS.secp256k1;
    const sdk = sdkOf(WORLDS.rsa);
    const client = dialPlain({ ca: sdk.caPem, cert: sdk.certPem, key: sdk.keyPem, ecdhCurve: 'P-256' });
    const outcome = await connectOnce(serverTlsOptions(relayOf(world)), client);
    expect(outcome.failure).toBe('no-common-curve-or-cipher');
    expect(explainTlsFailure('no-common-curve-or-cipher', { kind: 'secp256k1', ...outcome.codes })).toContain(
      'needs the rsa listener',
    );
  });

  it('refuses RSA certificates of the other chain with a hint at the port', async () => {
    const outcome = await handshake(relayOf(WORLDS.secp256k1), {
      ...sdkOf(WORLDS.rsa),
      caPem: WORLDS.secp256k1.listenerCa,
    });
    expect(outcome.failure).toBe('untrusted-certificate');
    expect(explainTlsFailure('untrusted-certificate', { kind: 'secp256k1', ...outcome.codes })).toContain(
      'this port is for secp256k1 certificates',
    );
  });
});

describe('a dialling side', () => {
  const world = WORLDS.secp256k1;

  it('accepts only the node ID it expects', async () => {
    const relay = relayOf(world);
    expect((await handshake(relay, sdkOf(world), relay.nodeId)).secured).toBe(true);
    const other = await handshake(relay, sdkOf(world), 'ab'.repeat(64));
    expect(other.secured).toBe(false);
    expect(explainDialError(other.clientError, AT)).toContain(`has node ID ${relay.nodeId}`);
  });

  it('refuses a server of another chain, and an expired one, and says so', async () => {
    const foreign = await handshake(relayOf(world), { ...sdkOf(world), caPem: createWorld('secp256k1').listenerCa });
    expect(foreign.secured).toBe(false);
    expect(explainDialError(foreign.clientError, AT)).toContain('does not lead to our ca.crt');
    const relay = identityOf(world, createLeaf(world.bankA, 'node', 'relay', EXPIRED), world.listenerCa);
    const expired = await handshake(relay, sdkOf(world));
    expect(expired.secured).toBe(false);
    expect(explainDialError(expired.clientError, AT)).toContain('has expired');
  });

  it('names a port that is closed, and one that does not speak TLS', async () => {
    const plain = net.createServer((socket) => {
      socket.on('error', () => {}).resume();
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const port = await listen(plain);
    const dial = () =>
      new Promise<Error>((resolve) => {
        dialTls({ host: '127.0.0.1', port, identity: sdkOf(world) }).on('error', resolve);
      });
    expect(explainDialError(await dial(), { ...AT, port })).toContain('does not speak TLS');
    await new Promise((resolve) => plain.close(resolve));
    expect(explainDialError(await dial(), { ...AT, port })).toBe(
      `nothing listens on 127.0.0.1:${port}: is the relay running, and is the port right?`,
    );
  });

  it('finds the organisation of a server behind a root alone', async () => {
    const server = tls.createServer(serverTlsOptions(relayOf(world)), (socket) => socket.end());
    open.push(server);
    const identity = sdkOf(world);
    const socket = dialTls({ host: '127.0.0.1', port: await listen(server), identity });
    const peer = await new Promise<PeerDescription | undefined>((resolve) => {
      socket.on('secureConnect', () => resolve(describePeer(socket, certificatesOf(identity.caPem))));
    });
    expect(peer).toMatchObject({ subjectCn: 'relay', organisationId: organisationIdOf(world.bankA.certificate) });
    // The handshake read the certificate before we did; it must still be there, and again.
    expect(describePeer(socket, certificatesOf(identity.caPem))).toEqual(peer);
    socket.destroy();
  });
});

/** A client that ends the handshake with a fatal alert once the server's first flight has come, as SDKs do. */
function alertingClient(
  port: number,
  alert: number,
  options: tls.ConnectionOptions,
  onFlight: (chunk: Buffer) => void = () => {},
): net.Socket {
  const upstream = net.connect(port, '127.0.0.1');
  const front = net.createServer((socket) => {
    front.close();
    socket.on('error', () => {});
    socket.on('data', (hello) => upstream.write(hello));
    let flight = Buffer.alloc(0);
    upstream.on('data', (chunk) => {
      onFlight(chunk);
      flight = Buffer.concat([flight, chunk]);
      // ServerHelloDone: type 14, length 0, the last message of the flight.
      if (!flight.subarray(-4).equals(Buffer.from('0e000000', 'hex'))) return;
      upstream.end(Buffer.from([0x15, 3, 3, 0, 2, 2, alert]));
      socket.destroy();
    });
  });
  front.listen(0, '127.0.0.1', () => {
    dialPlain(options)((front.address() as net.AddressInfo).port).on('error', () => {});
  });
  return upstream;
}
