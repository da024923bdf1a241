/**
 * The one place that builds TLS options and dials. Every endpoint: TLS 1.2 only, certificates demanded and verified,
 * peers identified by chain and node ID, never by host name.
 *
 * No session is ever resumed: a resumed session skips chain, expiry and revocation, so a revoked client would come
 * back with its ticket, and it brings no chain to read its organisation from. Tickets are switched off; Node's server
 * keeps no session cache unless somebody listens to 'newSession'. The price is a full handshake on each reconnect.
 */
import { constants, type X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { DEFAULT_CIPHERS, DEFAULT_CURVES } from '../base/tls-policy.js';
import type { TlsIdentity } from './identity.js';
import { nodeIdOf } from './key.js';
import { splitPem } from './pem.js';

export interface TlsTuning {
  readonly ciphers?: string;
  readonly curves?: string;
}

/** The part of an identity that TLS needs; it can be cloned to another thread. */
export type TlsMaterial = Pick<TlsIdentity, 'certPem' | 'keyPem' | 'caPem' | 'crlPem'>;

/** What both directions share; also used to try a loaded identity out. */
export function endpointSecureContextOptions(identity: TlsMaterial, tuning: TlsTuning = {}): tls.SecureContextOptions {
  return {
    cert: identity.certPem,
    key: identity.keyPem,
    ca: identity.caPem,
    // Node reads only the first list of a text.
    ...(identity.crlPem === undefined ? {} : { crl: splitPem(identity.crlPem).map((block) => block.pem) }),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ecdhCurve: tuning.curves ?? DEFAULT_CURVES,
    ciphers: tuning.ciphers ?? DEFAULT_CIPHERS,
    honorCipherOrder: true,
    // Renegotiation would let a client change its certificate after it was described.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Options of a listener: a client without a certificate is refused inside the handshake. */
export function serverTlsOptions(identity: TlsMaterial, tuning: TlsTuning = {}): tls.TlsOptions {
  return { ...endpointSecureContextOptions(identity, tuning), requestCert: true, rejectUnauthorized: true };
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: TlsMaterial;
  readonly tuning?: TlsTuning;
  /** Refuse every peer but this one: 128 lower-case hex digits. */
  readonly expectedNodeId?: string;
}

/** `error.code` of a connection whose peer has another node ID than `expectedNodeId`. */
export const NODE_ID_MISMATCH = 'AMOP_NODE_ID_MISMATCH';

/** Options of a dialled connection, for `dialTls` only: without its patch they crash on Node 24 and 26. */
export function clientTlsOptions(options: DialOptions): tls.ConnectionOptions {
  return {
    ...endpointSecureContextOptions(options.identity, options.tuning),
    host: options.host,
    port: options.port,
    rejectUnauthorized: true,
    // Certificates of this field carry no host names: the chain, and the node ID where one is expected, identify.
    checkServerIdentity: (_host, peer) => checkNodeId(peer as unknown as X509Certificate, options.expectedNodeId),
  };
}

/**
 * Dials. The socket is connected and verified at 'secureConnect'; explain its 'error' with explainDialError.
 *
 * node:tls calls `getPeerCertificate` while it verifies a dialled connection, and Node 24.21 and 26.10 die in it
 * (SIGSEGV) on any secp256k1 certificate; so the method is replaced before the handshake can end. Nor can the other one
 * be asked twice: on the dialling side of Node 20, 22 and 24 the first `getPeerX509Certificate` takes the chain away
 * and later ones return undefined (seen). So both give what the first read found.
 */
export function dialTls(options: DialOptions): tls.TLSSocket {
  const socket = tls.connect(clientTlsOptions(options));
  const read = socket.getPeerX509Certificate.bind(socket);
  let seen: X509Certificate | undefined;
  const readOnce = () => {
    seen ??= read();
    return seen;
  };
  Object.assign(socket, { getPeerCertificate: readOnce, getPeerX509Certificate: readOnce });
  socket.setNoDelay(true);
  return socket;
}

function checkNodeId(peer: X509Certificate, expected: string | undefined): Error | undefined {
  if (expected === undefined) return undefined;
  const actual = nodeIdOf(peer.publicKey);
  if (actual === expected) return undefined;
  const error: NodeJS.ErrnoException = new Error(
    `the peer has node ID ${actual ?? 'none (its key is RSA)'}, expected ${expected}`,
  );
  error.code = NODE_ID_MISMATCH;
  return error;
}
