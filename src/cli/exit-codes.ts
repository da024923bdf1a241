import { RelayError, type RelayErrorCode } from '../base/errors.js';
import { AmopCode, AmopError } from '../client/amop-error.js';

/** Exit codes of `amop`; they are API. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  /** Wrong arguments, or a configuration or certificate that cannot work. */
  usage: 2,
  /** `sub --timeout` ran out, as mosquitto_sub says it. */
  waitExpired: 27,
} as const;

const BY_AMOP_CODE: Readonly<Record<number, number>> = {
  [AmopCode.notSent]: 9,
  [AmopCode.noRoute]: 10,
  [AmopCode.notDelivered]: 11,
  [AmopCode.timeout]: 12,
  [AmopCode.overLimit]: 13,
  [AmopCode.subscriberUnavailable]: 14,
};

const USAGE_ERRORS: ReadonlySet<RelayErrorCode> = new Set([
  'usage',
  'config-invalid',
  'config-unreadable',
  'certificate-invalid',
  'key-invalid',
]);

/** The exit code for whatever ended a command; a code that a subscriber made up is a plain failure. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AmopError) return BY_AMOP_CODE[error.code] ?? ExitCode.failure;
  if (error instanceof RelayError && USAGE_ERRORS.has(error.code)) return ExitCode.usage;
  return ExitCode.failure;
}
