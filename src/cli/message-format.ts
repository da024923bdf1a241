/** `--format` of `sub`, in the letters of mosquitto_sub where it has them. */
import { InvalidArgumentError } from 'commander';
import type { Message } from '../client/index.js';
import { printable } from './output.js';

type Field = (message: Message) => Buffer;

const text = (value: string): Buffer => Buffer.from(value);

const FIELDS: Readonly<Record<string, Field>> = {
  t: (message) => text(printable(message.topic)),
  // Raw bytes would reach into the terminal.
  p: (message) => (process.stdout.isTTY ? text(printable(message.payload.toString())) : message.payload),
  x: (message) => text(message.payload.toString('hex')),
  b: (message) => text(message.payload.toString('base64')),
  l: (message) => text(String(message.payload.length)),
  s: (message) => text(printable(message.seq)),
  k: (message) => text(message.multicast ? 'multicast' : 'request'),
  r: (message) => text(message.relay),
  I: () => text(new Date().toISOString()),
  U: () => text((Date.now() / 1000).toFixed(3)),
  '%': () => text('%'),
};

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

export const FORMAT_NOTE =
  'Letters of --format: %t topic, %p payload, %x payload as hex, %b as base64, %l its bytes, %s seq, %k kind (request or ' +
  'multicast), %r relay, %I time, %U seconds since 1970, %% a percent sign; \\n, \\t, \\0 and \\\\ as usual.';

/** Reads a format; the result writes a message. */
export function parseFormat(format: string): Field {
  const parts: Field[] = [];
  for (const [whole, letter, escaped] of format.matchAll(/%(.?)|\\(.?)|[^%\\]+/gsu)) {
    if (letter !== undefined) {
      const field = Object.hasOwn(FIELDS, letter) ? FIELDS[letter] : undefined;
      if (field === undefined) throw new InvalidArgumentError(`%${letter} is not known; see --help.`);
      parts.push(field);
      continue;
    }
    const literal = escaped === undefined ? whole : ESCAPES[escaped];
    if (literal === undefined) throw new InvalidArgumentError(`\\${escaped} is not known; see --help.`);
    const bytes = text(literal);
    parts.push(() => bytes);
  }
  return (message) => Buffer.concat(parts.map((part) => part(message)));
}
