/**
 * Which challenges pass (decisions §10): only from the certifying side, only in a known shape, only so many. A subscriber's key
 * signs whatever comes here, so this gate is what keeps it from being an oracle.
 */
import type { ChallengeResult } from '../base/stats.js';
import { RateLimit } from '../core/rate-limit.js';
import { challengeShape, signedOf } from '../wire/channel/challenge.js';

/** How often somebody may challenge a topic: this often at once, then at this rate. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/** A sender challenges once, and some more while it fails. */
const SOURCE: Allowance = { burst: 4, perSecond: 0.5 };
/**
 * All senders behind a peer together: a relay names the one that challenges as it likes, so their own allowances bind only an
 * honest one. Hundreds of senders may be certified at once; a signature costs a subscriber a millisecond.
 */
const PEER: Allowance = { burst: 256, perSecond: 16 };
/** Sources and topics remembered, and peers and topics. */
const LIMITS_MAX = 8_192;

/** As long as somebody may wait for a signature: a result counts for 30 s. */
const REMEMBERED_MS = 60_000;
/** Random numbers remembered; in a minute senders in their thousands are certified. */
const REMEMBERED_MAX = 65_536;

/** A challenge that wants to pass. */
export interface ChallengeAttempt {
  /** Who challenges: the handle of a session of this relay; node ID and handle for one behind a peer, as far as it names one. */
  readonly source: string;
  /** Node ID of the peer it came from; undefined for a session of this relay. */
  readonly peer: string | undefined;
  /** The session has announced that it sends on the message topic; a peer has pulled a list that holds the challenge topic. */
  readonly certifying: boolean;
  /** Somebody takes challenges on the topic. */
  readonly held: boolean;
  readonly challengeTopic: string;
  readonly messageTopic: string;
  readonly payload: Uint8Array;
}

export class ChallengeGate {
  readonly #sources = new Allowances(SOURCE);
  readonly #peers = new Allowances(PEER);
  readonly #randoms = new Randoms();

  /** Judges a challenge, and counts one that passes against its source. */
  admit(attempt: ChallengeAttempt, nowMs: number): ChallengeResult {
    const { source, peer, certifying, held, challengeTopic, messageTopic, payload } = attempt;
    if (!certifying) return peer === undefined ? 'not-a-sender' : 'not-listed';
    if (!held) return 'no-subscriber';
    const shape = challengeShape(payload, challengeTopic, messageTopic);
    if (shape === undefined) return 'shape';
    // The peer first: what it may not send must not make entries for sources.
    if (peer !== undefined && !this.#peers.take(`${peer} ${challengeTopic}`, nowMs)) return 'rate';
    if (!this.#sources.take(`${source} ${challengeTopic}`, nowMs)) return 'rate';
    return this.#randoms.isFor(challengeTopic, signedOf(payload, shape, challengeTopic), nowMs) ? 'passed' : 'repeated';
  }
}

/**
 * A random number is for one challenge topic. A session that is challenged and does not have the key could announce to send on the
 * topic as well, and pass the challenge on to a subscriber that has it.
 */
class Randoms {
  /** In the order in which they came. */
  readonly #topics = new Map<string, { readonly challengeTopic: string; readonly atMs: number }>();

  isFor(challengeTopic: string, random: string, nowMs: number): boolean {
    for (const [oldest, { atMs }] of this.#topics) {
      if (this.#topics.size < REMEMBERED_MAX && nowMs - atMs < REMEMBERED_MS) break;
      this.#topics.delete(oldest);
    }
    const known = this.#topics.get(random);
    if (known) return known.challengeTopic === challengeTopic;
    this.#topics.set(random, { challengeTopic, atMs: nowMs });
    return true;
  }
}

interface Entry {
  readonly limit: RateLimit;
  usedMs: number;
}

class Allowances {
  readonly #allowance: Allowance;
  /** Quiet for this long, an allowance is whole again and may be forgotten. */
  readonly #fullAgainMs: number;
  /** In the order of last use. */
  readonly #limits = new Map<string, Entry>();

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#fullAgainMs = (allowance.burst / allowance.perSecond) * 1_000;
  }

  take(key: string, nowMs: number): boolean {
    const { perSecond, burst } = this.#allowance;
    const entry = this.#limits.get(key) ?? { limit: new RateLimit(perSecond, burst, nowMs), usedMs: nowMs };
    this.#limits.delete(key);
    entry.usedMs = nowMs;
    this.#limits.set(key, entry);
    for (const [oldest, { usedMs }] of this.#limits) {
      // Above the bound also those go whose allowance is not whole: memory is worth more than a burst.
      if (this.#limits.size <= LIMITS_MAX && nowMs - usedMs < this.#fullAgainMs) break;
      this.#limits.delete(oldest);
    }
    return entry.limit.take(nowMs);
  }
}
