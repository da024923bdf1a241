import { randomUUID } from 'node:crypto';

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
