/** What a sending command sends: the argument, a file, standard input whole, or each of its lines. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { errorText, RelayError } from '../base/errors.js';
import { CHANNEL_FRAME_BYTES_MAX } from '../base/limits.js';
import { payloadBytes } from '../client/payload.js';

export interface PayloadOptions {
  readonly file?: string;
  readonly lines?: boolean;
  /** How often one payload is sent; with `lines` the most lines that are. */
  readonly count?: number;
}

/** The payloads in their order; nothing is read before the first is asked for. @throws RelayError `usage` */
export function payloads(topic: string, argument: string | undefined, options: PayloadOptions): AsyncGenerator<Buffer> {
  const sources = [argument !== undefined, options.file !== undefined, options.lines === true].filter(Boolean).length;
  if (sources !== 1) {
    throw new RelayError(
      'usage',
      'what should be sent? give a text, - for standard input, --file or --lines, one of them',
    );
  }
  return options.lines
    ? stdinLines(topic, options.count ?? Number.POSITIVE_INFINITY)
    : copies(topic, argument, options);
}

async function* copies(topic: string, argument: string | undefined, options: PayloadOptions): AsyncGenerator<Buffer> {
  const payload = fitting(
    topic,
    options.file === undefined ? await readArgument(argument ?? '') : await readWhole(options.file),
  );
  for (let sent = 0; sent < (options.count ?? 1); sent++) yield payload;
}

/** The bytes of a file, read no further than one message goes. @throws RelayError `usage` */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    return await collect(createReadStream(path, { end: CHANNEL_FRAME_BYTES_MAX }), path);
  } catch (error) {
    if (error instanceof RelayError) throw error;
    throw new RelayError('usage', `${path} cannot be read: ${errorText(error)}`, error);
  }
}

/** @throws RelayError `usage` for a payload that does not fit one message */
export function fitting(topic: string, payload: Buffer): Buffer {
  try {
    return payloadBytes(topic, payload);
  } catch (error) {
    throw new RelayError('usage', errorText(error), error);
  }
}

async function* stdinLines(topic: string, max: number): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (sent++ >= max) return;
    yield fitting(topic, Buffer.from(line));
  }
}

async function readArgument(argument: string): Promise<Buffer> {
  return argument === '-' ? readStdin() : Buffer.from(argument);
}

async function readStdin(): Promise<Buffer> {
  return collect(process.stdin, 'standard input');
}

async function collect(stream: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > CHANNEL_FRAME_BYTES_MAX) {
      throw new RelayError('usage', `${name} holds more than the ${CHANNEL_FRAME_BYTES_MAX} bytes of one message`);
    }
  }
  return Buffer.concat(chunks, bytes);
}
