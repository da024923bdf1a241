import { describe, expect, it } from 'vitest';
import { TLS_FAILURES } from '../../../src/base/close-reason.js';
import { CIPHER_SUITES, DEFAULT_CURVES } from '../../../src/base/tls-policy.js';
import { classifyServerTlsError, explainDialError, explainTlsFailure } from '../../../src/pki/tls-explain.js';
import { clientTlsOptions, serverTlsOptions } from '../../../src/pki/tls-options.js';
import { createWorld, crlsOf, relayOf } from './world.js';

describe('options', () => {
  const world = createWorld('secp256k1');

  it('demand and verify a certificate and speak TLS 1.2 only, listening and dialling', () => {
    const server = serverTlsOptions(relayOf(world));
    expect(server).toMatchObject({ requestCert: true, rejectUnauthorized: true });
    const client = clientTlsOptions({ host: 'h', port: 1, identity: relayOf(world) });
    expect(client.rejectUnauthorized).toBe(true);
    for (const options of [server, client]) {
      expect(options).toMatchObject({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ecdhCurve: DEFAULT_CURVES });
      // A revoked client would come back on a ticket that outlives a reload.
      expect('ticketKeys' in options).toBe(false);
    }
  });

  it('hand over every list of a CRL file, since node:tls reads only the first of a text', () => {
    expect(serverTlsOptions(relayOf(world, crlsOf(world, []))).crl).toHaveLength(3);
    expect(serverTlsOptions(relayOf(world))).not.toHaveProperty('crl');
  });

  it('take curves and ciphers of the configuration', () => {
    const tuned = serverTlsOptions(relayOf(world), { curves: 'secp256k1', ciphers: CIPHER_SUITES[2] });
    expect(tuned).toMatchObject({ ecdhCurve: 'secp256k1', ciphers: CIPHER_SUITES[2] });
  });
});

describe('explanations', () => {
  it('exist for every failure, with and without codes', () => {
    for (const failure of TLS_FAILURES) {
      for (const kind of ['secp256k1', 'rsa'] as const) {
        expect(explainTlsFailure(failure, { kind })).not.toMatch(/undefined|null/);
        expect(explainTlsFailure(failure, { kind, code: 'X' }).length).toBeGreaterThan(20);
      }
    }
  });

  it('know one alert by both names that OpenSSL gives it', () => {
    for (const code of ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE']) {
      expect(classifyServerTlsError({ code }, {})).toBe('client-refused-our-certificate');
      expect(explainDialError({ code }, { host: 'h', port: 1, kind: 'rsa' })).toContain('"bad certificate"');
    }
  });

  it('trust the verification before the reset that it ends in', () => {
    const reset = { code: 'ECONNRESET' };
    expect(classifyServerTlsError(reset, { authorizationError: 'CERT_REVOKED' })).toBe('revoked-certificate');
    expect(classifyServerTlsError(reset, { authorizationError: { code: 'INVALID_PURPOSE' } })).toBe(
      'untrusted-certificate',
    );
    expect(classifyServerTlsError(reset, { authorizationError: null })).toBe('connection-lost');
  });

  it('call anything else other', () => {
    for (const odd of [undefined, null, 'text', new Error('ECONNRESET'), { code: 7 }, { code: 'ERR_SSL_NEW' }]) {
      expect(classifyServerTlsError(odd, {})).toBe('other');
      expect(explainDialError(odd, { host: 'h', port: 1, kind: 'rsa' })).toContain('the connection to h:1 failed');
    }
    expect(classifyServerTlsError({ code: 'ERR_SSL_TLSV1_ALERT_NEW' }, {})).toBe('other');
  });

  it.each([
    ['ENOTFOUND', 'cannot be resolved'],
    ['ETIMEDOUT', 'firewall'],
    ['ERR_SSL_WRONG_CURVE', 'add secp256k1 to the curves'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'does not know the CA of our certificate'],
    ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'of another agency than its own'],
    ['CRL_HAS_EXPIRED', 'fetch current lists'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'does not lead to our ca.crt'],
  ])('of a dial that ends in %s say what to do', (code, words) => {
    expect(explainDialError({ code }, { host: 'h', port: 1, kind: 'secp256k1' })).toContain(words);
  });

  it('tell a reset inside the handshake from one later', () => {
    const at = { host: 'h', port: 1, kind: 'rsa' } as const;
    expect(explainDialError({ code: 'ECONNRESET' }, at)).toContain("see the relay's log");
    expect(explainDialError({ code: 'ECONNRESET' }, { ...at, secured: true })).toBe(
      'the connection to h:1 was lost (ECONNRESET)',
    );
  });
});
