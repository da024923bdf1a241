/**
 * The contract of the channel frame scanner, implemented twice: in C++ (native/core) and in TypeScript (scanner-twin.ts).
 *
 * One call looks at one chunk of the TLS stream that starts at a frame boundary and describes every complete frame in it.
 * It never throws for input and never allocates; JavaScript reads integers out of `rows`.
 */

/** Integers before the first row. */
export const SCAN_HEAD = 4;
/** `rows[SCAN_STATUS]`: one of `ScanStatus`. */
export const SCAN_STATUS = 0;
/** `rows[SCAN_COUNT]`: complete frames described. */
export const SCAN_COUNT = 1;
/** `rows[SCAN_CONSUMED]`: bytes of the chunk covered by these frames. */
export const SCAN_CONSUMED = 2;
/** `rows[SCAN_NEXT_LENGTH]`: declared length of the incomplete frame that follows, 0 while fewer than 4 bytes of it are there. */
export const SCAN_NEXT_LENGTH = 3;

export const ScanStatus = {
  /** The whole chunk was looked at; what follows `consumed` is the start of an incomplete frame. */
  ok: 0,
  /** `rows` is full: call again from `consumed`. */
  rowsFull: 1,
  /** The next frame declares a length below the header (42). Frames before it are valid. */
  tooShort: 2,
  /** The next frame declares a length above the maximum. Frames before it are valid. */
  tooLong: 3,
} as const;
export type ScanStatus = (typeof ScanStatus)[keyof typeof ScanStatus];

/** Integers of one row. */
export const ROW_INTS = 6;
/** Offset of the frame from the start of the chunk, in bytes. */
export const ROW_OFFSET = 0;
/** Length of the frame with its header, in bytes. */
export const ROW_LENGTH = 1;
/** Type, u16. */
export const ROW_TYPE = 2;
/** Result, i32 as on the wire. */
export const ROW_RESULT = 3;
/**
 * For types 0x30 and 0x35 only, else 0: id of the topic in the interner (>= 0), or a negative `TopicFault`.
 */
export const ROW_TOPIC = 4;
/** For types 0x30 and 0x35 with a well-formed prefix: bytes of the topic (0..254); else 0. */
export const ROW_TOPIC_BYTES = 5;

/** Why a 0x30 or 0x35 has no topic id. */
export const TopicFault = {
  /** Well-formed, but nobody interned this topic. */
  unknown: -1,
  /** The frame has no body. */
  emptyBody: -2,
  /** The topic length byte is 0 (it counts itself, so 1 is the empty topic). */
  lengthZero: -3,
  /** The topic length byte points beyond the body. */
  lengthBeyondBody: -4,
  /** A byte below 0x20 or 0x7f in the topic. */
  controlCharacter: -5,
  /**
   * Reserved for sending: `_block_notify_*` and `#!$PushChannel_*` with 0x30 or 0x35, `#!$VerifyChannel_*` with 0x35.
   */
  reserved: -6,
} as const;

/**
 * Topic bytes -> id. Only interned topics are ever stored, so what peers send cannot make it grow.
 * The caller chooses the ids (dense, small, not negative) and must not intern two topics under one id.
 */
export interface TopicInterner {
  /** Maps `topic` (0..254 bytes) to `id`; an existing mapping of the same bytes is replaced. */
  intern(topic: Uint8Array, id: number): void;
  /** Forgets `topic`; returns false when it was not there. */
  release(topic: Uint8Array): boolean;
  /** The id of `topic` or -1. */
  lookup(topic: Uint8Array): number;
  readonly size: number;
}

export interface FrameScanner extends TopicInterner {
  /**
   * Scans `chunk` from byte `start`; offsets in the rows count from the start of `chunk`, `consumed` from `start`.
   * `rows` must hold SCAN_HEAD + n * ROW_INTS integers, n >= 1.
   */
  scan(chunk: Uint8Array, start: number, rows: Int32Array): void;
  readonly implementation: 'native' | 'typescript';
}

export interface FrameScannerOptions {
  /** Largest legal frame in bytes. */
  readonly frameBytesMax: number;
}
