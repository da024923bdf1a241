/**
 * The frame in memory of its own, if it is a small part of a larger chunk: a request is held until it is answered, and must
 * not keep the whole chunk alive.
 */
export function owned(frame: Buffer): Buffer {
  return frame.buffer.byteLength > 4 * frame.length ? Buffer.from(frame) : frame;
}
