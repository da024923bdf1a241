/**
 * Which challenges pass (decisions §10): only from the certifying side, only in a known shape, only so many. A subscriber's key
 * signs whatever comes here, so this gate is what keeps it from being an oracle.
 */
import type { ChallengeResult } from '../base/stats.js';
import { RateLimit } from '../core/rate-limit.js';
import { challengeShape } from '../wire/channel/challenge.js';

/** Each source may challenge a topic this often at once, then every two seconds. */
const BURST = 4;
const PER_SECOND = 0.5;
/** Sources and topics remembered; one that was quiet for eight seconds has its whole allowance again and may be forgotten. */
const LIMITS_MAX = 8_192;
const FULL_AGAIN_MS = (BURST / PER_SECOND) * 1_000;

interface Entry {
  readonly limit: RateLimit;
  usedMs: number;
}

/** A challenge that wants to pass. */
export interface ChallengeAttempt {
  /** Who challenges: the handle of a session, here or behind a relay, or a 2.x node. */
  readonly source: string;
  /** The link it came over; undefined for a session of this relay. */
  readonly link: number | undefined;
  /** The session has announced that it sends on the message topic; a peer has pulled a list that holds the challenge topic. */
  readonly certifying: boolean;
  /** Somebody takes challenges on the topic. */
  readonly held: boolean;
  readonly challengeTopic: string;
  readonly messageTopic: string;
  readonly payload: Uint8Array;
}

export class ChallengeGate {
  /** In the order of last use. */
  readonly #limits = new Map<string, Entry>();

  /** Judges a challenge, and counts one that passes against its source. */
  admit(attempt: ChallengeAttempt, nowMs: number): ChallengeResult {
    const { source, link, certifying, held, challengeTopic, messageTopic, payload } = attempt;
    if (!certifying) return link === undefined ? 'not-a-sender' : 'not-listed';
    if (!held) return 'no-subscriber';
    if (challengeShape(payload, challengeTopic, messageTopic) === undefined) return 'shape';
    return this.#limit(`${source} ${challengeTopic}`, nowMs).take(nowMs) ? 'passed' : 'rate';
  }

  #limit(key: string, nowMs: number): RateLimit {
    const known = this.#limits.get(key);
    this.#limits.delete(key);
    const entry = known ?? { limit: new RateLimit(PER_SECOND, BURST, nowMs), usedMs: nowMs };
    entry.usedMs = nowMs;
    this.#limits.set(key, entry);
    for (const [oldest, { usedMs }] of this.#limits) {
      // Above the bound also those go whose allowance is not whole: memory is worth more than a burst.
      if (this.#limits.size <= LIMITS_MAX && nowMs - usedMs < FULL_AGAIN_MS) break;
      this.#limits.delete(oldest);
    }
    return entry.limit;
  }
}
