/** What the commands write. Payloads and reasons come from others, so on a terminal they are never written raw. */
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { paint } from './style.js';

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text without characters that move the cursor, change colours or reorder the line. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Resolves when standard output has taken the bytes, so that a slow reader slows us down instead of filling memory. */
export async function write(bytes: string | Buffer): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}

/** One line with a payload: as it is into a file or pipe, made harmless on a terminal. */
export async function writePayload(payload: Buffer, prefix = '', end = '\n'): Promise<void> {
  if (process.stdout.isTTY) {
    await write(`${paint(process.stdout, 'bold', printable(prefix))}${printable(payload.toString())}${end}`);
    return;
  }
  await write(Buffer.concat([Buffer.from(prefix), payload, Buffer.from(end)]));
}

export async function writeJson(value: unknown): Promise<void> {
  await write(`${JSON.stringify(value)}\n`);
}

/** A payload as members of a JSON line: `payload` for UTF-8, else `payloadBase64`. */
export function payloadFields(payload: Buffer): { payload: string } | { payloadBase64: string } {
  return isUtf8(payload) ? { payload: payload.toString() } : { payloadBase64: payload.toString('base64') };
}

/** A remark about something that may need attention. */
export function warn(text: string): void {
  note(`amop: ${paint(process.stderr, 'yellow', 'warning:')} ${printable(text)}`);
}

/** A remark for the person at the terminal; standard output stays for data. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A reader that has seen enough (`| head -1`) closes the pipe: that ends the command and is no failure. */
export function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}
