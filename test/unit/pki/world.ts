/** Chains in memory and one handshake on loopback, observed at both ends. */
import { X509Certificate } from 'node:crypto';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { TlsFailure } from '../../../src/base/close-reason.js';
import {
  type Authority,
  createAgency,
  createChain,
  createLeaf,
  type LeafFiles,
  listenerCaPem,
  type Validity,
} from '../../../src/pki/authority.js';
import { issuerFrom } from '../../../src/pki/certificate.js';
import { issueCrl } from '../../../src/pki/crl.js';
import type { TlsIdentity } from '../../../src/pki/identity.js';
import { nodeIdOf } from '../../../src/pki/key.js';
import { describePeer, type PeerDescription } from '../../../src/pki/peer.js';
import { splitPem } from '../../../src/pki/pem.js';
import { classifyServerTlsError, tlsFailureCodes } from '../../../src/pki/tls-explain.js';
import { dialTls, serverTlsOptions } from '../../../src/pki/tls-options.js';

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** TLS checks validity against the real clock, so these dates stand around it. */
export const VALID: Validity = { notBefore: new Date(Date.now() - YEAR_MS), notAfter: new Date(Date.now() + YEAR_MS) };
export const EXPIRED: Validity = { notBefore: VALID.notBefore, notAfter: new Date(Date.now() - 60_000) };
export const NOT_YET: Validity = { notBefore: new Date(Date.now() + 3_600_000), notAfter: VALID.notAfter };

export interface World {
  readonly kind: 'secp256k1' | 'rsa';
  readonly chain: Authority;
  readonly bankA: Authority;
  readonly bankB: Authority;
  readonly listenerCa: string;
}

export function createWorld(kind: 'secp256k1' | 'rsa'): World {
  const chain = createChain({ kind, chainName: 'chain', ...VALID });
  const bankA = createAgency(chain, 'bank-a', VALID);
  const bankB = createAgency(chain, 'bank-b', VALID);
  return { kind, chain, bankA, bankB, listenerCa: listenerCaPem(chain, [bankA, bankB]) };
}

/** An identity as load.ts makes it, without its checks, so that bad ones can be presented too. */
export function identityOf(world: World, leaf: LeafFiles, caPem: string, crlPem?: string): TlsIdentity {
  return {
    kind: world.kind,
    certPem: leaf.certPem,
    keyPem: leaf.keyPem,
    caPem,
    crlPem,
    leaf: leaf.certificate,
    nodeId: nodeIdOf(leaf.key),
    notAfter: VALID.notAfter,
    warnings: [],
  };
}

export function relayOf(world: World, crlPem?: string): TlsIdentity {
  return identityOf(world, createLeaf(world.bankA, 'node', 'relay', VALID), world.listenerCa, crlPem);
}

export function sdkOf(world: World, validity: Validity = VALID, agency = world.bankA): TlsIdentity {
  return identityOf(world, createLeaf(agency, 'sdk', 'app', validity), world.chain.certPem);
}

/** One list for every CA of the world; those of `revoked` are on the list of bank-a. */
export function crlsOf(world: World, revoked: readonly X509Certificate[], validity: Validity = VALID): string {
  return [world.chain, world.bankA, world.bankB]
    .map((authority) =>
      issueCrl({
        issuer: issuerFrom(authority.certificate, authority.key),
        thisUpdate: validity.notBefore,
        nextUpdate: validity.notAfter,
        revoked:
          authority === world.bankA
            ? revoked.map((one) => ({ serialHex: one.serialNumber, at: validity.notBefore }))
            : [],
      }),
    )
    .join('');
}

export function certificatesOf(pem: string): X509Certificate[] {
  return splitPem(pem).map((block) => new X509Certificate(block.pem));
}

export interface Outcome {
  /** Set when the server saw the handshake fail. */
  failure?: TlsFailure;
  codes?: { code?: string; verification?: string };
  /** Set when the server accepted the client. */
  peer?: PeerDescription;
  secured: boolean;
  cipher?: string;
  clientError?: NodeJS.ErrnoException;
  serverError?: NodeJS.ErrnoException;
}

type Dial = (port: number) => net.Socket;

/** Runs one connection until both ends have said how it went. The server greets with one byte and closes. */
export async function connectOnce(server: tls.TlsOptions, dial: Dial): Promise<Outcome> {
  const outcome: Outcome = { secured: false };
  const listener = tls.createServer(server);
  const authorities = certificatesOf(String(server.ca));
  const serverDone = new Promise<void>((resolve) => {
    listener.on('secureConnection', (socket) => {
      outcome.peer = describePeer(socket, authorities);
      socket.on('error', (error) => {
        outcome.serverError = error;
      });
      socket.on('close', () => resolve());
      socket.end('x');
    });
    listener.on('tlsClientError', (error, socket) => {
      outcome.failure = classifyServerTlsError(error, socket);
      outcome.codes = tlsFailureCodes(error, socket);
      // node:tls leaves a connection open whose handshake timed out.
      socket.destroy();
      resolve();
    });
  });
  const port = await listen(listener);
  const client = dial(port);
  const clientDone = new Promise<void>((resolve) => {
    client.on('secureConnect', () => {
      outcome.secured = true;
      outcome.cipher = (client as tls.TLSSocket).getCipher().name;
    });
    client.on('error', (error) => {
      outcome.clientError = error;
    });
    client.on('close', () => resolve());
    client.resume();
  });
  await Promise.all([serverDone, clientDone]);
  await new Promise<void>((resolve) => listener.close(() => resolve()));
  return outcome;
}

/** Presents `client` to a listener of `server` through dialTls. */
export function handshake(server: TlsIdentity, client: TlsIdentity, expectedNodeId?: string): Promise<Outcome> {
  return connectOnce(serverTlsOptions(server), (port) =>
    dialTls({ host: '127.0.0.1', port, identity: client, expectedNodeId }),
  );
}

/** A client as other stacks build it: TLS 1.2, options of its own. */
export function dialPlain(options: tls.ConnectionOptions): Dial {
  return (port) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      maxVersion: 'TLSv1.2',
      checkServerIdentity: () => undefined,
      ...options,
    });
    Object.assign(socket, { getPeerCertificate: () => socket.getPeerX509Certificate() });
    return socket;
  };
}

/** A client that sends these bytes in the clear, and reads until the end. */
export function dialRaw(bytes: Uint8Array): Dial {
  return (port) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(bytes);
    });
    return socket;
  };
}

export async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
