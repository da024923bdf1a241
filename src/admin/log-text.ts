/** One log line for people: `2026-01-31T12:00:00.000Z WARN  tls: certificate warning listener=rpc.listener[0]`. */
import type { LogFields, LogLevel, LogValue } from '../base/logger.js';

/** Line breaks, escape sequences (also the one-character CSI) and signs that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not reach a terminal
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function formatTextLine(ts: string, level: LogLevel, fields: LogFields, message: string): string {
  const { component, ...rest } = fields;
  let line = `${ts} ${level.toUpperCase().padEnd(5)} ${safe(String(component))}: ${safe(message)}`;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined) line += ` ${safe(name)}=${safe(valueText(value))}`;
  }
  return `${line}\n`;
}

function valueText(value: LogValue): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}

/** Names in certificates and topics come from outside: on a terminal they must be text and nothing else. */
function safe(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
