/**
 * The receiver's half of a certification: signs what comes on the challenge topic of one subscription.
 *
 * Invariant: nothing is signed but a payload that `challengeShape` knows. A chain transaction is signed in the same way, so a
 * client that signs whatever a relay hands it would sign away an account that uses the same key.
 */
import type { Secp256k1 } from '../addon/secp256k1-types.js';
import { challengeShape } from '../wire/channel/challenge.js';
import { AmopCode } from './amop-error.js';
import { SIGNATURES_PER_SECOND_MAX } from './bounds.js';
import type { Receiver } from './handler-receiver.js';
import type { Message } from './message.js';

/** Why a payload is not signed. */
export type SigningRefusal =
  /** Of no known shape, so perhaps a transaction. */
  | 'not-a-challenge'
  /** Of web3sdk, which wants a SHA-1 signature; it certifies its own receivers only. */
  | 'web3sdk-challenge'
  | 'too-many-challenges';

export type SigningDecision =
  | { readonly ok: true; readonly signature: Buffer }
  | { readonly ok: false; readonly refusal: SigningRefusal };

export interface SignerIdentity {
  readonly secp256k1: Pick<Secp256k1, 'keccak256' | 'sign'>;
  /** 32 bytes, a secret. */
  readonly privateKey: Uint8Array;
  readonly challengeTopic: string;
  readonly messageTopic: string;
}

export class ChallengeSigner implements Receiver {
  readonly ended = false;
  readonly #identity: SignerIdentity;
  readonly #now: () => number;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #signedInWindow = 0;

  constructor(identity: SignerIdentity, now: () => number = () => performance.now()) {
    this.#identity = identity;
    this.#now = now;
  }

  /** r || s || v over Keccak-256, as Java and Go sign, or why not. */
  decide(payload: Uint8Array): SigningDecision {
    const { secp256k1, privateKey, challengeTopic, messageTopic } = this.#identity;
    const shape = challengeShape(payload, challengeTopic, messageTopic);
    if (shape === undefined) return { ok: false, refusal: 'not-a-challenge' };
    if (shape === 'web3sdk') return { ok: false, refusal: 'web3sdk-challenge' };
    if (!this.#mayWork()) return { ok: false, refusal: 'too-many-challenges' };
    return { ok: true, signature: Buffer.from(secp256k1.sign(secp256k1.keccak256(payload), privateKey)) };
  }

  /** A multicast is never a challenge, and nobody could take the answer. */
  deliver(message: Message): boolean {
    if (message.multicast) return true;
    const decision = this.decide(message.payload);
    if (decision.ok) message.reply(decision.signature);
    else message.fail(AmopCode.subscriberFailed, decision.refusal);
    return true;
  }

  finish(onDrained: () => void): void {
    onDrained();
  }

  end(): void {}

  #mayWork(): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#signedInWindow = 0;
    }
    this.#signedInWindow++;
    return this.#signedInWindow <= SIGNATURES_PER_SECOND_MAX;
  }
}
