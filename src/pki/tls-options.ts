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
import type { TlsIdentity } from './identity.js';
import { nodeIdOf } from './key.js';
import { splitPem } from './pem.js';

/**
 * secp256k1 stands last: an ephemeral key on it costs 2.6 ms CPU a handshake against 0.1-0.2 ms, and clients that offer
 * only secp256k1 connect all the same.
 */
export const DEFAULT_CURVES = 'P-256:P-384:secp256k1';

/** Forward secrecy and AEAD only; AES-128 first, the fastest with AES instructions. Every 2.x SDK offers one of them. */
export const CIPHER_SUITES = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
] as const;

export const DEFAULT_CIPHERS = CIPHER_SUITES.join(':');

/** Names accepted in `[tls] curves`, lower case, with OpenSSL's other spellings. */
const CURVES: ReadonlySet<string> = new Set([
  'secp256k1',
  'p-256',
  'prime256v1',
  'secp256r1',
  'p-384',
  'secp384r1',
  'p-521',
  'secp521r1',
]);

export interface TlsTuning {
  readonly ciphers?: string;
  readonly curves?: string;
}

/** Problems of a `[tls] curves` value in words, empty when it is good. */
export function validateCurves(curves: string): string[] {
  const names = curves.split(':');
  const problems: string[] = [];
  for (const name of names) {
    const lower = name.toLowerCase();
    if (lower === 'x25519' || lower === 'x448') {
      problems.push(
        `${name} must not be offered: the TLS library inside older Java SDKs (TaSSL) picks X25519 first and then ` +
          'fails on it with "invalid encoding"',
      );
    } else if (!CURVES.has(lower)) {
      problems.push(
        lower === 'auto'
          ? '"auto" offers no secp256k1 and may offer X25519; list the curves'
          : `unknown curve "${name}"; known: P-256, P-384, P-521, secp256k1`,
      );
    }
  }
  if (!names.some((name) => name.toLowerCase() === 'secp256k1')) {
    problems.push(
      'secp256k1 is missing: Python and Node.js SDKs offer nothing else, and secp256k1 certificates need it',
    );
  }
  return problems;
}

/** Problems of a `[tls] ciphers` value in words, empty when it is good. */
export function validateCiphers(ciphers: string): string[] {
  const names = ciphers.split(':');
  const known: readonly string[] = CIPHER_SUITES;
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => `cipher suite "${name}" is not offered here; choose from ${CIPHER_SUITES.join(', ')}`);
  for (const kind of ['ECDSA', 'RSA']) {
    if (!names.some((name) => name.startsWith(`ECDHE-${kind}-`))) {
      problems.push(`no ECDHE-${kind} suite is left: listeners with ${kind} certificates could not be reached`);
    }
  }
  return problems;
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
  readonly identity: TlsIdentity;
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
