/** Checks of what callers pass; wrong arguments are TypeError or RangeError, before anything is sent. */
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, TOPIC_BYTES_MAX } from '../base/limits.js';
import { topicFault } from '../wire/channel/topic.js';

/** What a caller may pass as payload; strings are sent as UTF-8. */
export type Payload = string | Uint8Array;

/** A topic is 1 to 254 bytes of UTF-8 without control characters. */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== 'string') throw new TypeError('topic must be a string');
  if (topic.length === 0) throw new RangeError('topic must not be empty');
  // A lone surrogate would become another topic in UTF-8.
  if (/\p{Cs}/u.test(topic)) throw new RangeError('topic must be well-formed Unicode');
  const fault = topicFault(Buffer.from(topic));
  if (fault === 'too-long') throw new RangeError(`topic must not be longer than ${TOPIC_BYTES_MAX} bytes`);
  if (fault !== undefined) throw new RangeError('topic must not contain control characters');
}

/** The payload as bytes, checked to fit one frame together with the topic. */
export function payloadBytes(topic: string, payload: unknown): Buffer {
  let bytes: Buffer;
  if (typeof payload === 'string') bytes = Buffer.from(payload);
  else if (payload instanceof Uint8Array) bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  else throw new TypeError('payload must be a string or bytes (Uint8Array, Buffer)');
  const max = CHANNEL_FRAME_BYTES_MAX - CHANNEL_HEADER_BYTES - 1 - Buffer.byteLength(topic);
  if (bytes.length > max) throw new RangeError(`payload has ${bytes.length} bytes, at most ${max} fit one message`);
  return bytes;
}
