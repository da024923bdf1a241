/**
 * What `[tls]` may say. Every accepted value keeps forward secrecy, authenticated encryption and both ends' certificates,
 * so no setting of an operator can open the ports to a client without a certificate.
 *
 * Suites: forward secrecy and AEAD only; AES-128 first, the fastest with AES instructions. Every 2.x SDK offers one of them.
 */

/** secp256k1 last: an ephemeral key on it costs ten times the CPU, and clients that offer only secp256k1 connect all the same. */
export const DEFAULT_CURVES = 'P-256:P-384:secp256k1';

export const CIPHER_SUITES = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
] as const;

export const DEFAULT_CIPHERS = CIPHER_SUITES.join(':');

/** Lower-case spelling -> curve; OpenSSL knows three names for the two NIST curves. */
const CURVE_NAMES: ReadonlyMap<string, string> = new Map([
  ['secp256k1', 'secp256k1'],
  ['p-256', 'P-256'],
  ['prime256v1', 'P-256'],
  ['secp256r1', 'P-256'],
  ['p-384', 'P-384'],
  ['secp384r1', 'P-384'],
  ['p-521', 'P-521'],
  ['secp521r1', 'P-521'],
]);

/** What is wrong with a `[tls] curves` value, in words; empty when it is good. */
export function curveProblems(curves: string): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const name of curves.split(':')) {
    const curve = CURVE_NAMES.get(name.toLowerCase());
    if (/x25519|x448/i.test(name)) {
      problems.push(
        `${name} must not be offered: the TLS library inside older Java SDKs (TaSSL) picks it first and then fails ` +
          'with "invalid encoding"; remove it',
      );
    } else if (curve === undefined) {
      problems.push(
        `unknown curve ${JSON.stringify(name)}; list some of P-256, P-384, P-521 and secp256k1, separated by ":"`,
      );
    } else if (seen.has(curve)) {
      problems.push(`${name} stands in the list twice`);
    } else {
      seen.add(curve);
    }
  }
  if (!seen.has('secp256k1')) {
    problems.push(
      'secp256k1 is missing: Python and Node.js SDKs offer nothing else, and secp256k1 certificates need it',
    );
  }
  if (!seen.has('P-256') && !seen.has('P-384')) {
    problems.push('P-256 or P-384 must be in the list: JDK and Go clients do not offer secp256k1');
  }
  return problems;
}

/** What is wrong with a `[tls] ciphers` value, in words; empty when it is good. */
export function cipherProblems(ciphers: string): string[] {
  const names = ciphers.split(':');
  const known: readonly string[] = CIPHER_SUITES;
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => `cipher suite ${JSON.stringify(name)} is not offered; choose from ${CIPHER_SUITES.join(', ')}`);
  for (const kind of ['ECDSA', 'RSA']) {
    if (!names.some((name) => known.includes(name) && name.startsWith(`ECDHE-${kind}-`))) {
      problems.push(`no ECDHE-${kind} suite is left: listeners with ${kind} certificates could not be reached`);
    }
  }
  return problems;
}
