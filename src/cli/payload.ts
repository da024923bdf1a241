import { RelayError } from '../base/errors.js';
import { CHANNEL_FRAME_BYTES_MAX } from '../base/limits.js';
import { payloadBytes } from '../client/payload.js';

/** The payload argument as bytes: the text itself, or all of standard input for `-`. */
export async function readPayload(topic: string, argument: string): Promise<Buffer> {
  const payload = argument === '-' ? await readStdin() : Buffer.from(argument);
  try {
    return payloadBytes(topic, payload);
  } catch (error) {
    throw new RelayError('usage', error instanceof Error ? error.message : String(error), error);
  }
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > CHANNEL_FRAME_BYTES_MAX) {
      throw new RelayError(
        'usage',
        `standard input holds more than the ${CHANNEL_FRAME_BYTES_MAX} bytes of one message`,
      );
    }
  }
  return Buffer.concat(chunks, bytes);
}
