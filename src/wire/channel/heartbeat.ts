/**
 * 0x13. The body depends on the protocol of the session; one without 0x14 has protocol 1.
 * Seen in captured frames: `0` is answered `1` in protocol 1, `{"heartBeat":0}` is answered `{"heartBeat":1}` LF later.
 */
import { formatJson } from './json-write.js';

const DIGIT_ZERO = 0x30;

/**
 * The answer to a heartbeat, or undefined when there is none: on protocol 1 only the single byte `0` is answered, on
 * later ones anything is (the Go SDK sends an empty body). A Java client on protocol 1 forgets a server that answers
 * `1`, but the reference does so, and Python clients, which never shake hands, send an empty body and expect silence.
 */
export function heartbeatReply(protocol: number, body: Uint8Array): Buffer | undefined {
  if (protocol >= 2) return formatJson({ heartBeat: 1 });
  return body.length === 1 && body[0] === DIGIT_ZERO ? Buffer.from('1', 'latin1') : undefined;
}

/** The client's side, as the Java SDK sends it. */
export function formatHeartbeatRequest(protocol: number): Buffer {
  return Buffer.from(protocol >= 2 ? '{"heartBeat":0}' : '0', 'latin1');
}
