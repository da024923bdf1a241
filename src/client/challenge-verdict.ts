/**
 * The sender's judgement of an answer to its challenge: 65 bytes r || s || v over Keccak-256 of the challenge, which Java and
 * Go make alike but do not check alike. Whoever one of the two would accept is accepted.
 */
import type { Secp256k1 } from '../addon/secp256k1-types.js';
import type { SignatureVerifier } from '../addon/signature-verifier.js';

export type Verdict =
  | { readonly kind: 'genuine'; readonly publicKey: Buffer }
  /** Not by one of the keys, or no signature at all. */
  | { readonly kind: 'wrong-signature' }
  /** Nothing is known: there was too much to check, or no time. */
  | { readonly kind: 'unchecked' };

export interface Judge {
  readonly secp256k1: Pick<Secp256k1, 'keccak256'>;
  readonly verifier: Pick<SignatureVerifier, 'verify' | 'recover'>;
}

export async function judgeSignature(
  { secp256k1, verifier }: Judge,
  challenge: Uint8Array,
  signature: Uint8Array,
  publicKeys: readonly Buffer[],
): Promise<Verdict> {
  const digest = secp256k1.keccak256(challenge);
  // As Java: whose signature is it? One recovery stands for all keys.
  const signer = await verifier.recover({ signature, digest, rule: 'java' });
  if (signer === 'timed-out' || signer === 'overloaded') return { kind: 'unchecked' };
  const known = signer === 'invalid' ? undefined : publicKeys.find((key) => key.equals(signer));
  if (known !== undefined) return { kind: 'genuine', publicKey: known };
  // As Go: v may be anything.
  const checks = await Promise.all(
    publicKeys.map((publicKey) => verifier.verify({ signature, digest, publicKey, rule: 'go' })),
  );
  const valid = publicKeys.find((_, index) => checks[index] === 'valid');
  if (valid !== undefined) return { kind: 'genuine', publicKey: valid };
  return checks.every((check) => check === 'invalid') ? { kind: 'wrong-signature' } : { kind: 'unchecked' };
}
