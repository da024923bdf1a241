/** Topics and payloads as callers give and get them. Wrong ones are TypeError or RangeError, before anything is sent. */
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, TOPIC_BYTES_MAX } from '../base/limits.js';
import { topicFault } from '../wire/channel/topic.js';

/**
 * What a caller may send: a string leaves as UTF-8, bytes (Uint8Array, Buffer) as they are, a plain object, an array or
 * anything with `toJSON` as JSON. What JSON would mangle (Map, Set, other typed arrays, class instances) is refused.
 */
export type Payload = string | Uint8Array | object;

/** A payload of this size or more is handed out as a view: copying it costs more than the memory around it. */
const COPIED_BYTES_MAX = 4_096;

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
  const bytes = encodePayload(payload);
  const max = CHANNEL_FRAME_BYTES_MAX - CHANNEL_HEADER_BYTES - 1 - Buffer.byteLength(topic);
  if (bytes.length > max) throw new RangeError(`payload has ${bytes.length} bytes, at most ${max} fit one message`);
  return bytes;
}

/** Received bytes that may be kept: a small view would hold on to the whole chunk it came in. */
export function ownBytes(bytes: Buffer): Buffer {
  return bytes.length < COPIED_BYTES_MAX ? Buffer.from(bytes) : bytes;
}

/** @throws SyntaxError naming the topic when the payload is no JSON */
export function parsePayload(topic: string, payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch (error) {
    throw new SyntaxError(`the payload of a message on ${JSON.stringify(topic)} is not JSON`, { cause: error });
  }
}

function encodePayload(payload: unknown): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload);
  if (payload instanceof Uint8Array) return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (typeof payload === 'object' && payload !== null && isPlain(payload)) {
    const text: string | undefined = JSON.stringify(payload);
    if (text !== undefined) return Buffer.from(text);
  }
  throw new TypeError('payload must be a string, bytes (Uint8Array, Buffer), or a plain object or array for JSON');
}

function isPlain(value: object): boolean {
  if (Array.isArray(value) || typeof (value as { toJSON?: unknown }).toJSON === 'function') return true;
  const prototype = Object.getPrototypeOf(value);
  // An object of another realm (node:vm, a test runner) has another Object.prototype: it ends its chain too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
