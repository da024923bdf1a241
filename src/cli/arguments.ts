/** Text of the command line to values; commander turns InvalidArgumentError into a usage error. */
import { InvalidArgumentError } from 'commander';
import { errorText } from '../base/errors.js';
import { checkTopic } from '../client/payload.js';
import { TIMER_MS_MAX } from '../client/bounds.js';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

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
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || !Number.isSafeInteger(count)) throw new InvalidArgumentError('Give a whole number from 1.');
  return count;
}

export function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('A port is a whole number from 1 to 65535.');
  return port;
}

/** The first of three consecutive ports, or 0 for any. */
export function parsePortBase(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_533) throw new InvalidArgumentError('Give a port from 1 to 65533, or 0.');
  return port;
}

export function parseTopic(text: string): string {
  try {
    checkTopic(text);
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
  return text;
}

export interface Address {
  readonly host: string;
  readonly port?: number | undefined;
}

/** `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address. */
export function parseAddress(text: string): Address {
  const bracketed = /^\[([^\]]+)\](?::(.+))?$/.exec(text);
  const plain = /^([^:]+)(?::(.+))?$/.exec(text);
  const match = bracketed ?? plain;
  if (match === null) {
    if (/^[0-9a-fA-F:.]+$/.test(text)) return { host: text };
    throw new InvalidArgumentError('Give host:port, for example 127.0.0.1:20200 or [::1]:20200.');
  }
  return { host: match[1], port: match[2] === undefined ? undefined : parsePort(match[2]) };
}
