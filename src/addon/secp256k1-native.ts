import { assert } from '../base/errors.js';
import { SIGNATURE_BATCHES_IN_FLIGHT_MAX, SIGNATURE_BATCHES_QUEUED_MAX } from '../base/limits.js';
import { BatchQueue } from './batch-queue.js';
import { type NativeAddon, type NativeSecp256k1, NativeStatus } from './loader.js';
import { checkDigest, checkPrivateKey, checkRows } from './secp256k1-rows.js';
import {
  type BatchFailure,
  DIGEST_BYTES,
  PUBLIC_KEY_BYTES,
  RECOVER_ROW_BYTES,
  SECP256K1_SEED_BYTES,
  type Secp256k1,
  SIGNATURE_BYTES,
  VERIFY_ROW_BYTES,
} from './secp256k1-types.js';

/** libsecp256k1 of the addon behind the argument checks and bounds that C++ leaves to us. */
export class AddonSecp256k1 implements Secp256k1 {
  readonly implementation = 'native';
  readonly inFlightMax = SIGNATURE_BATCHES_IN_FLIGHT_MAX;
  readonly #addon: NativeAddon;
  readonly #native: NativeSecp256k1;
  readonly #queue = new BatchQueue({
    inFlightMax: SIGNATURE_BATCHES_IN_FLIGHT_MAX,
    queuedMax: SIGNATURE_BATCHES_QUEUED_MAX,
  });

  constructor(addon: NativeAddon, seed: Uint8Array) {
    assert(seed.length === SECP256K1_SEED_BYTES, 'the seed of secp256k1 has 32 bytes');
    this.#addon = addon;
    this.#native = new addon.Secp256k1(seed);
  }

  async verifyBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    checkRows(rows, VERIFY_ROW_BYTES);
    return this.#queue.run((own) => started((done) => this.#native.verifyBatch(own, done)), rows, timeoutMs);
  }

  async recoverBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    checkRows(rows, RECOVER_ROW_BYTES);
    return this.#queue.run((own) => started((done) => this.#native.recoverBatch(own, done)), rows, timeoutMs);
  }

  sign(digest: Uint8Array, privateKey: Uint8Array): Uint8Array {
    checkDigest(digest);
    checkPrivateKey(privateKey);
    const signature = new Uint8Array(SIGNATURE_BYTES);
    const status = this.#native.sign(digest, privateKey, signature);
    if (status === NativeStatus.noPrivateKey) throw new TypeError('a private key is above 0 and below the order');
    assert(status === NativeStatus.ok, `the addon signed (status ${status})`);
    return signature;
  }

  publicFromPrivate(privateKey: Uint8Array): Uint8Array | undefined {
    checkPrivateKey(privateKey);
    const publicKey = new Uint8Array(PUBLIC_KEY_BYTES);
    const status = this.#native.publicFromPrivate(privateKey, publicKey);
    if (status === NativeStatus.noPrivateKey) return undefined;
    assert(status === NativeStatus.ok, `the addon made a public key (status ${status})`);
    return publicKey;
  }

  keccak256(bytes: Uint8Array): Uint8Array {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('what is hashed is a Uint8Array');
    const digest = new Uint8Array(DIGEST_BYTES);
    const status = this.#addon.keccak256(bytes, digest);
    assert(status === NativeStatus.ok, `the addon hashed (status ${status})`);
    return digest;
  }
}

function started(start: (done: (results?: Uint8Array) => void) => number): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const status = start(resolve);
    assert(status !== NativeStatus.calledWrongly, 'the addon was given rows, and had memory when it was made');
    if (status !== NativeStatus.ok) resolve(undefined);
  });
}
