/**
 * Codes of failed handshakes. OpenSSL 3.0 (Node 20) and 3.5 (Node 22 and later) name one alert differently
 * (`ERR_SSL_SSLV3_ALERT_X`, `ERR_SSL_SSL/TLS_ALERT_X`), so alerts are known by what stands behind `_ALERT_`.
 */

/** Our own revocation lists prevent verification: nothing that the far end could mend. */
export const CRL_CODES: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_CRL',
  'CRL_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
  'CRL_SIGNATURE_FAILURE',
]);

/** Name of a received alert, `UNKNOWN_CA`, or undefined for an error of our own side. */
export function alertOf(code: string): string | undefined {
  return /^ERR_SSL_.*?_ALERT_(.+)$/.exec(code)?.[1];
}

export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
