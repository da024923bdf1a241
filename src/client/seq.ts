import { randomUUID } from 'node:crypto';
import { encodeFrame } from '../wire/channel/frame.js';
import { formatHeartbeatRequest } from '../wire/channel/heartbeat.js';
import { MessageType } from '../wire/channel/message-type.js';

/** 32 lower-case hex characters of a UUID, the convention of every 2.x SDK. */
export function newSeq(): string {
  return randomUUID().replaceAll('-', '');
}

/** The bytes of a seq as they stand on the wire, and back. */
export function seqBytes(seq: string): Buffer {
  return Buffer.from(seq, 'latin1');
}

export function seqText(seq: Buffer): string {
  return seq.toString('latin1');
}

/** A heartbeat as the negotiated protocol wants it: a node answers nothing but `0` on protocol 1. */
export function encodeHeartbeat(protocol: number, seq: string): Buffer {
  return encodeFrame(MessageType.heartbeat, seqBytes(seq), 0, formatHeartbeatRequest(protocol));
}
