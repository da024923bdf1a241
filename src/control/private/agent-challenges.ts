/**
 * Challenges in the relay's own name that wait for their signature.
 *
 * Invariant: of each pair only the last challenge counts, and once. An answer that comes late, to a challenge before it, would be
 * believed about a question that it is no answer to; so would one that is being checked while the pair is challenged anew, by other
 * keys perhaps.
 */
import { randomBytes } from 'node:crypto';

export interface AgentChallenge {
  /** Of the pair: what the certification calls the subscriber. */
  readonly nodeId: string;
  readonly messageTopic: string;
  readonly challengeTopic: string;
  /** Of the frame, 32 bytes. */
  readonly seq: Buffer;
  /** As the Java SDK challenges: 32 hexadecimal digits. */
  readonly payload: Buffer;
}

/** As many as one sender has pairs; a pair that is gone leaves its last challenge here until it is the oldest. */
export const AGENT_CHALLENGES_MAX = 16_384;

export class AgentChallenges {
  /** By sequence in hex, oldest first. */
  readonly #bySeq = new Map<string, AgentChallenge>();
  /** By pair; one that was answered stands only here. */
  readonly #byPair = new Map<string, AgentChallenge>();

  get size(): number {
    return this.#byPair.size;
  }

  /** A new challenge, in the place of what the pair was challenged with before. */
  open(pair: Pick<AgentChallenge, 'nodeId' | 'messageTopic' | 'challengeTopic'>): AgentChallenge {
    const known = this.#byPair.get(keyOf(pair));
    if (known) this.#drop(known);
    const challenge: AgentChallenge = { ...pair, seq: hexDigits(), payload: hexDigits() };
    this.#bySeq.set(challenge.seq.toString('hex'), challenge);
    this.#byPair.set(keyOf(pair), challenge);
    if (this.#byPair.size > AGENT_CHALLENGES_MAX) {
      const [oldest] = this.#byPair.values();
      this.#drop(oldest);
    }
    return challenge;
  }

  /** The challenge that is answered under this sequence, once; undefined for what is none or none any more. */
  answered(seq: Uint8Array): AgentChallenge | undefined {
    const key = Buffer.from(seq).toString('hex');
    const challenge = this.#bySeq.get(key);
    this.#bySeq.delete(key);
    return challenge;
  }

  /** Ends a challenge that was answered; false when it does not count any more. */
  settle(challenge: AgentChallenge): boolean {
    if (this.#byPair.get(keyOf(challenge)) !== challenge) return false;
    this.#drop(challenge);
    return true;
  }

  #drop(challenge: AgentChallenge): void {
    this.#bySeq.delete(challenge.seq.toString('hex'));
    this.#byPair.delete(keyOf(challenge));
  }
}

const hexDigits = (): Buffer => Buffer.from(randomBytes(16).toString('hex'), 'latin1');

const keyOf = ({ nodeId, messageTopic }: Pick<AgentChallenge, 'nodeId' | 'messageTopic'>): string =>
  `${nodeId} ${messageTopic}`;
