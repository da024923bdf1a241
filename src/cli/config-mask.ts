/** Takes secrets out of a configuration before it is shown. File names are no secrets, what stands in their place may be. */

export const MASKED = '(masked)';

/** Keys whose values are secret whatever they hold. */
const SECRET_KEYS: ReadonlySet<string> = new Set(['password', 'passphrase', 'secret', 'token']);
/** A key that takes a file name or the key itself, as hex. */
const MAYBE_SECRET_KEYS: ReadonlySet<string> = new Set(['private_key', 'key']);
const PRIVATE_HEX = /^\s*(?:0x)?[0-9a-f]{64}\s*$/i;

export function maskSecrets(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => maskSecrets(one, key));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskSecrets(inner, name)]));
  }
  if (typeof value !== 'string' || value === '') return value;
  const secret =
    SECRET_KEYS.has(key) || value.includes('PRIVATE KEY') || (MAYBE_SECRET_KEYS.has(key) && PRIVATE_HEX.test(value));
  return secret ? MASKED : value;
}
