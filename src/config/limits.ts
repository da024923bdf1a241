import type { DEFAULT_LIMITS } from '../base/limits.js';
import type { LimitsConfig } from './schema.js';

/** The bounds under the names that the code uses. */
export type Limits = { readonly [Name in keyof typeof DEFAULT_LIMITS]: number };

/** `[limits]` of the file -> `{ sessionsMax, … }`. */
export function limitsFromConfig(limits: LimitsConfig): Limits {
  const entries = Object.entries(limits).map(([key, value]) => [
    key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as Limits;
}
