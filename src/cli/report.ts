import { errorText, RelayError } from '../base/errors.js';
import { AmopCode, AmopError } from '../client/amop-error.js';
import { exitCodeOf } from './exit-codes.js';
import { note, printable } from './output.js';
import { paint } from './style.js';

const HINTS: Readonly<Record<number, string>> = {
  [AmopCode.noRoute]: 'is somebody subscribed to exactly this topic? a connection never gets its own messages',
  [AmopCode.notDelivered]: 'the subscriber went away or takes no messages at the moment; try again',
  [AmopCode.timeout]: 'the subscriber may be slow (--timeout) and may still have handled the message',
  [AmopCode.overLimit]: 'send slower, or ask the operator of the relay for a higher limit',
  [AmopCode.subscriberUnavailable]: 'the subscriber is connected to a node but did not answer',
};

/** What to do about a code, beside what an error itself says. */
export function hintFor(code: number): string | undefined {
  if (code === AmopCode.notSent) return 'is the relay running, is it the channel port, and is it the same chain?';
  return HINTS[code];
}

/** Writes one line (JSON with `json`) about what ended a command; returns the exit code. */
export function reportFailure(error: unknown, json = false): number {
  const exitCode = exitCodeOf(error);
  const amop = paint(process.stderr, 'red', 'amop:');
  if (json) {
    note(JSON.stringify({ error: fields(error), exitCode }));
  } else if (error instanceof AmopError) {
    const hint = HINTS[error.code];
    const trace = error.seq === undefined ? '' : ` [seq ${error.seq}]`;
    note(`${amop} ${printable(error.message)}${hint === undefined ? '' : `; ${hint}`}${printable(trace)}`);
  } else if (error instanceof RelayError) {
    // Lines about a file start with its name, so that editors and terminals can jump to the place.
    note(error.code === 'config-invalid' ? error.message : `${amop} ${error.message}`);
  } else {
    note(`${amop} ${printable(errorText(error))}`);
    if (process.env.AMOP_DEBUG !== undefined && error instanceof Error) note(error.stack ?? '');
  }
  return exitCode;
}

function fields(error: unknown): Record<string, unknown> {
  const message = errorText(error);
  if (error instanceof AmopError) {
    return { id: error.id, code: error.code, reason: error.reason, seq: error.seq, message };
  }
  return error instanceof RelayError ? { code: error.code, message } : { message };
}
