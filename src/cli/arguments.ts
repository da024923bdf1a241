/** Text of the command line to values; commander turns InvalidArgumentError into a usage error. */
import { InvalidArgumentError } from 'commander';
import { errorText } from '../base/errors.js';
import { parseRelayAddress, type RelayAddress } from '../client/address.js';
import { DEFAULT_PORT, TIMER_MS_MAX } from '../client/bounds.js';
import { checkTopic } from '../client/payload.js';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, k: 1_024, m: 1_024 * 1_024 };
const INT32_MAX = 0x7fffffff;

/** `5`, `2.5s`, `500ms`, `1m` to milliseconds; a bare number is seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text);
  const ms = match === null ? Number.NaN : Math.round(Number(match[1]) * UNIT_MS[match[2] ?? 's']);
  if (!(ms >= 1 && ms <= TIMER_MS_MAX)) {
    throw new InvalidArgumentError('Give a time such as 5 (seconds), 2.5s, 500ms or 1m.');
  }
  return ms;
}

export function parseCount(text: string): number {
  const count = parseWhole(text);
  if (!(count >= 1)) throw new InvalidArgumentError('Give a whole number from 1.');
  return count;
}

/** A hundred years, as FISCO's tools write. */
const DAYS_MAX = 36_500;

export function parseDays(text: string): number {
  const days = /^\d+$/.test(text) ? Number(text) : 0;
  if (days < 1 || days > DAYS_MAX) throw new InvalidArgumentError(`Give days, from 1 to ${DAYS_MAX}.`);
  return days;
}

export function parseCountOrZero(text: string): number {
  const count = parseWhole(text);
  if (!(count >= 0)) throw new InvalidArgumentError('Give a whole number from 0.');
  return count;
}

/** Messages a second, fractions allowed. */
export function parseRate(text: string): number {
  const rate = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (!(rate >= 0.001 && rate <= 1_000_000)) {
    throw new InvalidArgumentError('Give messages a second, from 0.001 to 1000000.');
  }
  return rate;
}

/** `128`, `4k`, `1m`, `1MiB` to bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)(b|k|m)?(?:i?b)?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * UNIT_BYTES[(match[2] ?? 'b').toLowerCase()];
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('Give a size such as 128 (bytes), 4k or 1m.');
  return bytes;
}

export function parseHost(text: string): string {
  return checked(() => parseRelayAddress(text.includes(':') ? `[${text}]` : text, DEFAULT_PORT)).host;
}

export function parsePort(text: string): number {
  const port = parseWhole(text);
  if (!(port >= 1 && port <= 65_535)) throw new InvalidArgumentError('A port is a whole number from 1 to 65535.');
  return port;
}

/** The first of eight consecutive ports, or 0 for any. */
export function parsePortBase(text: string): number {
  const port = parseWhole(text);
  if (!(port >= 0 && port <= 65_528)) throw new InvalidArgumentError('Give a port from 1 to 65528, or 0.');
  return port;
}

/** A code of AMOP however it is written: `100`, `-100` as in the published documents, `AMOP-100`. */
export function parseCode(text: string): number {
  const digits = /^(?:amop)?-?(\d{1,10})$/i.exec(text)?.[1];
  const code = Number(digits);
  if (digits === undefined || code < 1 || code > INT32_MAX) {
    throw new InvalidArgumentError('Give a code such as 100, -100 or AMOP-100.');
  }
  return code;
}

export function parseTopic(text: string): string {
  return checked(() => checkTopic(text), text);
}

/** For a variadic argument. */
export function collectTopics(text: string, previous: string[] = []): string[] {
  return [...previous, parseTopic(text)];
}

/** Relays of one or several options, and of a list with commas. */
export function collectRelays(text: string, previous: RelayAddress[] = []): RelayAddress[] {
  const relays = text.split(',').map((one) => checked(() => parseRelayAddress(one.trim(), DEFAULT_PORT)));
  return [...previous, ...relays];
}

function parseWhole(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

function checked<T>(read: () => T): T;
function checked<T>(check: () => void, value: T): T;
function checked<T>(read: () => T, value?: T): T {
  try {
    const result = read();
    return value ?? result;
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}
