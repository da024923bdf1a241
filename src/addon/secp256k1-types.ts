/**
 * The contract of secp256k1 and Keccak-256, implemented twice: in C++ (native/core) and over @noble (secp256k1-twin.ts).
 *
 * Checks of signatures run in batches of rows, off the event loop in the addon and row by row between turns in the twin.
 * Row, fixed length:
 *
 *   0      1    rule, see RULE_BYTES
 *   1      1    length of the signature as it was given, 255 for more
 *   2      65   r (32) || s (32) || v (1); what stands behind a shorter one means nothing
 *   67     32   digest
 *   99     64   public key X || Y; absent in a row of a recovery
 */

export const DIGEST_BYTES = 32;
export const PRIVATE_KEY_BYTES = 32;
/** X || Y, without the 04 that other formats put in front. */
export const PUBLIC_KEY_BYTES = 64;
/** r || s || v, v from 0 to 3. */
export const SIGNATURE_BYTES = 65;
/** Unpredictable bytes that blind computations with private keys. */
export const SECP256K1_SEED_BYTES = 32;

export const VERIFY_ROW_BYTES = 2 + SIGNATURE_BYTES + DIGEST_BYTES + PUBLIC_KEY_BYTES;
export const RECOVER_ROW_BYTES = 2 + SIGNATURE_BYTES + DIGEST_BYTES;
/** Result of each row: 1 valid, 0 not. */
export const VERIFY_RESULT_BYTES = 1;
/** Result of each row: 1 and the public key, or zeros. */
export const RECOVER_RESULT_BYTES = 1 + PUBLIC_KEY_BYTES;

/**
 * Which signatures count, by what existing verifiers accept. "Right v" means that recovery with it gives this very key.
 *
 * - `strict`: 65 bytes, low s, right v: what every verifier accepts
 * - `java`: 65 bytes, right v, any s: the Java SDK recovers the key from all bytes and compares
 * - `go`: 65 bytes, low s, v ignored: the Go SDK cuts v off and refuses high s
 * - `compact`: 64 bytes, low s
 */
export const RULE_BYTES = { strict: 0, java: 1, go: 2, compact: 3 } as const;
export type SignatureRule = keyof typeof RULE_BYTES;
/** The rules that look at v, so that they can recover a key. */
export type RecoveryRule = 'strict' | 'java';

/** Why a batch has no results: its time had passed, or more batches were waiting than the bound allows. */
export type BatchFailure = 'timed-out' | 'overloaded';

export interface Secp256k1 {
  readonly implementation: 'native' | 'typescript';
  /** Batches that are worked on at the same time. */
  readonly inFlightMax: number;

  /**
   * Copies `rows` (1 to SIGNATURE_BATCH_ROWS_MAX of VERIFY_ROW_BYTES) and checks them.
   *
   * @param timeoutMs after this the batch resolves as timed out, and what it finds later is dropped
   * @returns VERIFY_RESULT_BYTES for each row
   */
  verifyBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure>;

  /** The same for RECOVER_ROW_BYTES; a signature without v recovers nothing. @returns RECOVER_RESULT_BYTES for each row */
  recoverBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure>;

  /**
   * RFC 6979 and low s: the same digest and key give the same 65 bytes.
   *
   * @throws TypeError when `publicFromPrivate` would not take the key
   */
  sign(digest: Uint8Array, privateKey: Uint8Array): Uint8Array;

  /** X || Y, or undefined when the 32 bytes are no private key: 0, or not below the order of the curve. */
  publicFromPrivate(privateKey: Uint8Array): Uint8Array | undefined;

  /** The digest that Java and Go sign: Keccak with its original padding, which SHA3-256 does not have. For short inputs. */
  keccak256(bytes: Uint8Array): Uint8Array;
}
