/**
 * The body that a 0x31 with one of the relay's own results (100-103) carries, for clients that announced the capability
 * `reason` and for nobody else: topic prefix, then `{"reason":"…"}` LF.
 */
import { decodeAmopBody, encodeAmopBody } from './amop-body.js';
import { CONTROL_BODY_BOUNDS, isJsonObject, member, readJson } from './json-read.js';
import { formatJson } from './json-write.js';

/**
 * Encodes the reason in words.
 * @throws RangeError for a topic over 254 bytes.
 */
export function encodeReasonBody(topic: Uint8Array, reason: string): Buffer {
  return encodeAmopBody(topic, formatJson({ reason }));
}

/** The reason, or undefined when there is none: a node that knows no reasons sends an empty body. Never throws. */
export function decodeReasonBody(body: Uint8Array): string | undefined {
  const decoded = decodeAmopBody(body);
  if (!decoded.ok) return undefined;
  const read = readJson(decoded.payload, CONTROL_BODY_BOUNDS);
  const reason = read.ok && isJsonObject(read.value) ? member(read.value, 'reason') : undefined;
  return typeof reason === 'string' ? reason : undefined;
}
