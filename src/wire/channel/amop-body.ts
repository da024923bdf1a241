/**
 * The body of 0x30, 0x31, 0x35 (and of 0x15, 0x16, 0x1001), the same in channel protocols 1 to 3.
 *
 *   offset size field
 *   0      1    L        1 + bytes of the topic: the length byte counts itself, so 1 is the empty topic and 0 is illegal
 *   1      L-1  topic    UTF-8 by convention, no terminator
 *   L      n    payload  opaque, never looked at
 *
 * Only the layout is judged here; which topics may be sent to is topic.ts.
 * Seen in captured frames (the reference's public documentation omits the "+ 1").
 */
import { TOPIC_BYTES_MAX } from '../../base/limits.js';
import { viewOf } from '../bytes.js';

/** Why a body has no topic. A node that trusts the byte reads beyond its buffer or dies; this one answers 100. */
export type AmopBodyFault = 'empty-body' | 'length-zero' | 'length-beyond-body';

export type DecodedAmopBody =
  /** Views of the body. */
  | { readonly ok: true; readonly topic: Buffer; readonly payload: Buffer }
  | { readonly ok: false; readonly fault: AmopBodyFault };

/** Splits a body into topic and payload, without copying. Never throws. */
export function decodeAmopBody(body: Uint8Array): DecodedAmopBody {
  if (body.length === 0) return { ok: false, fault: 'empty-body' };
  const prefixBytes = body[0];
  if (prefixBytes === 0) return { ok: false, fault: 'length-zero' };
  if (prefixBytes > body.length) return { ok: false, fault: 'length-beyond-body' };
  return { ok: true, topic: viewOf(body, 1, prefixBytes), payload: viewOf(body, prefixBytes, body.length) };
}

/**
 * Encodes topic (a string as UTF-8) and payload.
 * @throws RangeError for a topic over 254 bytes; the reference's writers silently wrap the length byte instead.
 */
export function encodeAmopBody(topic: string | Uint8Array, payload: Uint8Array): Buffer {
  const topicBytes = typeof topic === 'string' ? Buffer.byteLength(topic, 'utf8') : topic.length;
  if (topicBytes > TOPIC_BYTES_MAX) {
    throw new RangeError(`topic of ${topicBytes} bytes is over the maximum of ${TOPIC_BYTES_MAX}`);
  }
  const body = Buffer.allocUnsafe(1 + topicBytes + payload.length);
  body[0] = 1 + topicBytes;
  if (typeof topic === 'string') body.write(topic, 1, 'utf8');
  else body.set(topic, 1);
  body.set(payload, 1 + topicBytes);
  return body;
}
