/** Errors of dialled connections in words. Pure; decides by codes only (tls-codes.ts). */
import type { TlsIdentity } from './identity.js';
import { alertOf, CRL_CODES, codeOf } from './tls-codes.js';
import { NODE_ID_MISMATCH } from './tls-options.js';

/** Where a connection was dialled to. */
export interface DialContext {
  readonly host: string;
  readonly port: number;
  readonly kind: TlsIdentity['kind'];
  /** True once 'secureConnect' was seen. */
  readonly secured?: boolean;
  /** What the port speaks instead of TLS, where that was found out. */
  readonly foreign?: string | undefined;
}

/** What a TLS client sees where the far end answers in another protocol. */
const NOT_TLS_CODES: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_BAD_RECORD_TYPE',
]);

/** True when the far end answered, and not with TLS. */
export function isNotTls(error: unknown): boolean {
  return NOT_TLS_CODES.has(codeOf(error) ?? '');
}

/** The error of a dialled connection in words. */
export function explainDialError(error: unknown, context: DialContext): string {
  const { host, port } = context;
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const code = codeOf(error);
  const alert = code === undefined ? undefined : alertOf(code);
  if (alert !== undefined) return `${where} ended the handshake: ${explainAlert(alert, context.kind)}`;
  switch (code) {
    case 'ECONNREFUSED':
      return `nothing listens on ${where}: is the relay running, and is the port right?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name ${context.host} cannot be resolved (${code})`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${where} cannot be reached (${code}): check address, route and firewall`;
    case 'ECONNRESET':
    case 'EPIPE':
      return context.secured
        ? `the connection to ${where} was lost (${code})`
        : `${where} closed the connection inside the handshake: probably it refused our certificate (foreign, expired ` +
            `or revoked, or this is the port for the other kind: ours is ${context.kind}), see the relay's log for the ` +
            'reason; else the port is not a TLS port';
    case 'ERR_SSL_WRONG_CURVE':
      return `the certificate of ${where} is on a curve that we do not offer: add secp256k1 to the curves`;
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return `${where} does not speak TLS 1.2, the only version used here`;
    case NODE_ID_MISMATCH:
      return `${where} is another node than expected: ${(error as Error).message}`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${where}, or its agency's, has expired: have it renewed, and check the local clock`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${where}, or its agency's, is not valid yet: check the clocks of both machines`;
    case 'CERT_REVOKED':
      return `the certificate of ${where} has been revoked`;
  }
  if (isNotTls(error)) {
    return context.foreign === undefined
      ? `${where} does not speak TLS: wrong port? The channel port is wanted (20200 by default), not the HTTP or the admin port`
      : `${where} speaks ${context.foreign}; give the channel port, 20200 by default`;
  }
  if (code !== undefined && CRL_CODES.has(code)) {
    return `the certificate of ${where} could not be checked against our crl (${code}): fetch current lists`;
  }
  if (code !== undefined && VERIFICATION_CODES.has(code)) {
    return (
      `the certificate of ${where} does not lead to our ca.crt (${code}): it is of another chain, or this is the port ` +
      `of the other certificate kind (ours is ${context.kind}), or the server's file lacks its agency certificate`
    );
  }
  return `the connection to ${where} failed (${code ?? 'no code'})`;
}

/** What OpenSSL says of a chain that does not lead to a trusted root. */
const VERIFICATION_CODES: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
]);

function explainAlert(alert: string, kind: TlsIdentity['kind']): string {
  switch (alert) {
    case 'HANDSHAKE_FAILURE':
      return 'it got no certificate from us, or no curve or cipher suite is common; a secp256k1 port needs that curve';
    case 'PROTOCOL_VERSION':
      return 'it does not accept TLS 1.2';
    case 'UNKNOWN_CA':
      return `it does not know the CA of our certificate: is the port for ${kind} certificates, and of our chain?`;
    case 'CERTIFICATE_EXPIRED':
      return 'our certificate has expired';
    case 'CERTIFICATE_REVOKED':
      return 'our certificate has been revoked';
    case 'INTERNAL_ERROR':
      // Seen on a running v2.11.0 node with check_cert_issuer on, its default.
      return 'a FISCO BCOS node says this to an SDK certificate of another agency than its own';
    default:
      return `it refused us ("${alert.toLowerCase().replaceAll('_', ' ')}"); see its log`;
  }
}
