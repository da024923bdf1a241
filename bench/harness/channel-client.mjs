// A small 2.x application on the channel port.
//
//   0 u32 length | 4 u16 type | 6 seq, 32 B | 38 i32 result | 42 body; 0x30, 0x31: u8 (1 + topic bytes), topic, payload
import { randomBytes } from 'node:crypto';
import { openFrameLink } from './frame-link.mjs';

const HEADER_BYTES = 42;
const SEQ_OFFSET = 6;
const SEQ_BYTES = 32;
const RESULT_OFFSET = 38;

export const TYPE = { unicast: 0x30, response: 0x31, subscribe: 0x32 };

export function encodeFrame(type, seq, body) {
  const frame = Buffer.alloc(HEADER_BYTES + body.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt16BE(type, 4);
  frame.write(seq, SEQ_OFFSET, 'latin1');
  body.copy(frame, HEADER_BYTES);
  return frame;
}

export function unicastFrame(topic, payload) {
  const name = Buffer.from(topic);
  const body = Buffer.concat([Buffer.from([1 + name.length]), name, payload]);
  return encodeFrame(TYPE.unicast, randomBytes(SEQ_BYTES / 2).toString('hex'), body);
}

/** Result of an answer to `request`; throws when it is something else, or a success with another body. */
export function resultOf(answer, request) {
  const result = answer.readInt32BE(RESULT_OFFSET);
  const seqEnd = SEQ_OFFSET + SEQ_BYTES;
  const sameSeq = answer.compare(request, SEQ_OFFSET, seqEnd, SEQ_OFFSET, seqEnd) === 0;
  const sameBody = answer.compare(request, HEADER_BYTES, request.length, HEADER_BYTES) === 0;
  if (answer.readUInt16BE(4) !== TYPE.response || !sameSeq || (result === 0 && !sameBody)) {
    throw new Error('an answer that is not one to the request');
  }
  return result;
}

/** Answers every request with its own body. */
export async function openSubscriber({ port, identity }) {
  const link = await openFrameLink({
    port,
    identity,
    what: 'the subscriber',
    onFrame: (frame, { send }) => {
      if (frame.readUInt16BE(4) !== TYPE.unicast) return;
      const answer = Buffer.from(frame);
      answer.writeUInt16BE(TYPE.response, 4);
      answer.writeInt32BE(0, RESULT_OFFSET);
      send(answer);
    },
  });
  return {
    failed: link.failed,
    close: link.close,
    /** Replaces the topics; nothing answers a 0x32. */
    subscribe: (topic) => link.send(encodeFrame(TYPE.subscribe, '0'.repeat(SEQ_BYTES), Buffer.from(`["${topic}"]`))),
  };
}

/** One request at a time; `request(topic, payload)` resolves with the result of its answer. */
export async function openPublisher({ port, identity }) {
  let waiting;
  const link = await openFrameLink({
    port,
    identity,
    what: 'the publisher',
    onFrame: (frame) => waiting?.(frame),
  });
  return {
    failed: link.failed,
    close: link.close,
    request: (topic, payload) =>
      new Promise((done, reject) => {
        const request = unicastFrame(topic, payload);
        waiting = (answer) => {
          try {
            done(resultOf(answer, request));
          } catch (error) {
            reject(error);
          }
        };
        link.send(request);
      }),
  };
}
