import { RelayError, type RelayErrorCode } from '../base/errors.js';
import { AmopCode, AmopError } from '../client/amop-error.js';

/** Exit codes of `amop`; they are API. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  /** Wrong arguments, or a configuration or certificate that cannot work. */
  usage: 2,
  /** A `--timeout` of `sub` or `reply`, or a `--wait` ran out, as mosquitto_sub says it. */
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

/** For the help and docs/cli.md. */
export const EXIT_CODE_TABLE: readonly (readonly [number, string])[] = [
  [0, 'success'],
  [1, 'failure; a code that a subscriber chose itself'],
  [2, 'wrong arguments, or a configuration, certificate or key that cannot work'],
  [9, 'AMOP-99: no relay could be reached, or the connection was lost'],
  [10, 'AMOP-100: nobody who could take the message'],
  [11, 'AMOP-101: it could not be handed to any subscriber'],
  [12, 'AMOP-102: no answer in time'],
  [13, 'AMOP-103: over a bandwidth limit'],
  [14, 'AMOP-104: the subscribers behind a 2.x node did not answer'],
  [27, 'a wait expired: --timeout of sub and reply, --wait'],
];

const USAGE_ERRORS: ReadonlySet<RelayErrorCode> = new Set([
  'usage',
  'config-invalid',
  'config-unreadable',
  'certificate-invalid',
  'key-invalid',
]);

/** What was waited for did not happen in time. */
export class WaitExpired extends Error {
  override readonly name = 'WaitExpired';
}

/** The exit code for whatever ended a command; a code that a subscriber made up is a plain failure. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AmopError) return BY_AMOP_CODE[error.code] ?? ExitCode.failure;
  if (error instanceof WaitExpired) return ExitCode.waitExpired;
  if (error instanceof RelayError && USAGE_ERRORS.has(error.code)) return ExitCode.usage;
  return ExitCode.failure;
}
