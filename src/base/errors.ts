/**
 * Operational failures are values of one class with a permanent `code`; the text may change, the code may not.
 * Bad peers are not errors: they end in a close reason (close-reason.ts).
 */

export const RELAY_ERROR_CODES = [
  'config-invalid',
  'config-unreadable',
  'certificate-invalid',
  'key-invalid',
  'listen-failed',
  'shard-failed',
  'admin-unavailable',
  'start-timeout',
  'usage',
] as const;

export type RelayErrorCode = (typeof RELAY_ERROR_CODES)[number];

/** An operational failure: `message` says what was wrong and what to do, `code` is API. */
export class RelayError extends Error {
  override readonly name = 'RelayError';
  readonly code: RelayErrorCode;

  constructor(code: RelayErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** A broken invariant of our own code; never the reaction to input. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}

/** The text of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
