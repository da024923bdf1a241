import { expect } from 'vitest';

/** The parts of a decoder's answer that the four checks look at. */
export interface Answer<Frame> {
  readonly status: string;
  readonly frame?: Frame;
  readonly consumed?: number;
  readonly needed?: number;
}

export interface Codec<Frame> {
  decode(bytes: Uint8Array): Answer<Frame>;
  encode(frame: Frame): Buffer;
}

/** Every split point up to this size; above it, every 61st and the last ones. */
const ALL_SPLITS_BYTES_MAX = 8 * 1024;

function* splitPoints(length: number): Generator<number> {
  const step = length <= ALL_SPLITS_BYTES_MAX ? 1 : 61;
  for (let at = 0; at < length - 64; at += step) yield at;
  for (let at = Math.max(0, length - 64); at < length; at++) yield at;
}

/**
 * One vector, four checks: it decodes whole; at every split point the first part asks for more (never for less than
 * the whole frame once its length is there) and both parts together decode; it encodes to the same bytes; with another
 * frame behind it, it is decoded alone. Returns the decoded frame.
 */
export function fourChecks<Frame>(bytes: Buffer, codec: Codec<Frame>): Frame {
  const whole = codec.decode(bytes);
  expect(whole.status).toBe('ok');
  expect(whole.consumed).toBe(bytes.length);
  const frame = whole.frame as Frame;

  let wrong = '';
  for (const at of splitPoints(bytes.length)) {
    const first = codec.decode(bytes.subarray(0, at));
    const needed = first.needed ?? 0;
    const honest = at < 4 ? needed > at && needed <= bytes.length : needed === bytes.length;
    if (first.status !== 'incomplete' || !honest) wrong += ` ${at}:${first.status}/${needed}`;
    const joined = codec.decode(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at)]));
    if (joined.status !== 'ok' || !codec.encode(joined.frame as Frame).equals(bytes)) wrong += ` ${at}:joined`;
  }
  expect(wrong).toBe('');

  expect(codec.encode(frame).equals(bytes)).toBe(true);

  const followed = codec.decode(Buffer.concat([bytes, bytes.subarray(0, 7)]));
  expect(followed.status).toBe('ok');
  expect(followed.consumed).toBe(bytes.length);
  expect(codec.encode(followed.frame as Frame).equals(bytes)).toBe(true);
  return frame;
}
