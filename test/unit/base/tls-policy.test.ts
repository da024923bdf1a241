import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { CIPHER_SUITES, cipherProblems, curveProblems, DEFAULT_CURVES } from '../../../src/base/tls-policy.js';
import { formatProblems, parseConfig } from '../../../src/config/index.js';

const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';

describe('[tls]', () => {
  it('refuses X25519 and X448 with the reason', () => {
    for (const name of ['X25519', 'x25519', 'X448', 'X25519MLKEM768']) {
      expect(curveProblems(`P-256:${name}:secp256k1`)).toEqual([
        expect.stringMatching(new RegExp(`^${name} must not be offered: .*TaSSL.*"invalid encoding"`)),
      ]);
    }
  });

  it('requires secp256k1 and one of P-256 and P-384, in any of their spellings', () => {
    expect(curveProblems('P-256:P-384')).toEqual([expect.stringContaining('secp256k1 is missing')]);
    expect(curveProblems('secp256k1')).toEqual([expect.stringContaining('P-256 or P-384 must be in the list')]);
    expect(curveProblems('prime256v1:secp256k1')).toEqual([]);
    expect(curveProblems('secp384r1:secp521r1:secp256k1')).toEqual([]);
    expect(curveProblems('P-256:prime256v1:secp256k1')).toEqual(['prime256v1 stands in the list twice']);
    for (const bad of ['auto', '', 'P-256::secp256k1', 'P-256,secp256k1']) {
      expect(curveProblems(bad)[0], bad).toContain('unknown curve');
    }
  });

  it('accepts only curves and suites that OpenSSL takes', () => {
    for (const curves of [
      DEFAULT_CURVES,
      'prime256v1:secp256k1',
      'secp384r1:secp256r1:secp521r1:secp256k1',
      'P-521:P-256:secp256k1',
    ]) {
      expect(() => tls.createSecureContext({ ecdhCurve: curves })).not.toThrow();
    }
    for (const ciphers of CIPHER_SUITES) {
      expect(() => tls.createSecureContext({ ciphers, maxVersion: 'TLSv1.2' })).not.toThrow();
    }
  });

  it('refuses suites without forward secrecy or certificates, and lists that leave one kind out', () => {
    expect(cipherProblems('ECDHE-RSA-AES128-GCM-SHA256')).toEqual([expect.stringContaining('no ECDHE-ECDSA suite')]);
    for (const bad of ['AES128-SHA', 'aNULL', 'ALL', 'ADH-AES128-SHA', '']) {
      expect(cipherProblems(`${CIPHER_SUITES.join(':')}:${bad}`), bad).toEqual([
        expect.stringContaining(`cipher suite ${JSON.stringify(bad)} is not offered; choose from ECDHE-`),
      ]);
    }
  });

  it('reports every problem of a value under its key', () => {
    const result = parseConfig(`${LISTENER}[tls]\ncurves = "X25519:auto"\nciphers = "RC4"`, '/');
    const text = result.ok ? '' : formatProblems(result.problems, 'f');
    expect(text.match(/^f:6: tls\.curves: /gm)).toHaveLength(4);
    expect(text.match(/^f:7: tls\.ciphers: /gm)).toHaveLength(3);
  });
});
