/**
 * Checks signatures of challenges against the public keys of the configuration, as the SDKs make them. One recovery answers for any
 * number of keys, so that a topic with many receivers does not fill the queue of checks.
 */
import { createSecp256k1 } from '../../addon/secp256k1.js';
import type { Secp256k1 } from '../../addon/secp256k1-types.js';
import { SignatureVerifier } from '../../addon/signature-verifier.js';

/** A check of a signature takes a fraction of a millisecond. */
const VERIFY_TIMEOUT_MS = 2_000;

/** `unchecked`: too many checks at one time; nothing is known of the signature. */
export type ChallengeVerdict = 'right' | 'wrong' | 'unchecked';

/** Public keys (X || Y) by message topic. */
export type ReceiverKeys = ReadonlyMap<string, readonly Uint8Array[]>;

export class ChallengeVerifier {
  /** Public keys in hex by message topic. */
  #keys: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #load: () => Promise<Secp256k1>;
  #ready: Promise<{ readonly secp256k1: Secp256k1; readonly verifier: SignatureVerifier }> | undefined;

  /** @param load is called with the first signature: most relays have no keys to check against */
  constructor(keys: ReceiverKeys, load: () => Promise<Secp256k1> = createSecp256k1) {
    this.#keys = hexOf(keys);
    this.#load = load;
  }

  setKeys(keys: ReceiverKeys): void {
    this.#keys = hexOf(keys);
  }

  /** Is it the signature of the challenge by the holder of a key of the message topic? Never rejects, whatever the signature is. */
  async verify(messageTopic: string, challenge: Uint8Array, signature: Uint8Array): Promise<ChallengeVerdict> {
    const keys = this.#keys.get(messageTopic);
    if (!keys) return 'wrong';
    try {
      this.#ready ??= this.#load().then((secp256k1) => ({
        secp256k1,
        verifier: new SignatureVerifier(secp256k1, { timeoutMs: VERIFY_TIMEOUT_MS }),
      }));
      const { secp256k1, verifier } = await this.#ready;
      const signer = await verifier.recover({ signature, digest: secp256k1.keccak256(challenge) });
      if (typeof signer !== 'string') return keys.has(Buffer.from(signer).toString('hex')) ? 'right' : 'wrong';
      return signer === 'invalid' ? 'wrong' : 'unchecked';
    } catch {
      // It could not be loaded, or has no memory; the next one tries again.
      this.#ready = undefined;
      return 'unchecked';
    }
  }
}

function hexOf(keys: ReceiverKeys): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    [...keys].map(([messageTopic, points]) => [
      messageTopic,
      new Set(points.map((point) => Buffer.from(point).toString('hex'))),
    ]),
  );
}
