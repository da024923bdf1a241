/**
 * Who holds a challenge topic (decisions §10).
 *
 * Java and Go give one challenge topic to every server they are connected to, so claims of one certificate are one subscriber.
 * A claim of another certificate would draw challenges that are meant for somebody else: the first certificate holds the topic,
 * others wait in the order in which they came and take over when it is gone, which is when the last of its claims is.
 */

export interface Claim {
  /** SHA-256 of the certificate; for a 2.x node something that is no digest, since its sessions are not known. */
  readonly digest: string;
  readonly challengeTopics: readonly string[];
}

export interface ClaimEvents<T> {
  /** The claims that count, in no particular order. */
  changed(challengeTopic: string, holders: readonly T[]): void;
  /** A new claim that has to wait. */
  refused(claim: T, challengeTopic: string): void;
}

/** Claims on one topic that are remembered; more are an attack, and get nothing even if others leave. */
const CLAIMS_MAX = 64;

export class ClaimTable<T extends Claim & { readonly id: string }> {
  readonly #events: ClaimEvents<T>;
  /** Those of one certificate together, certificates in the order in which they came. */
  readonly #claims = new Map<string, T[]>();
  readonly #held = new Map<string, readonly string[]>();

  constructor(events: ClaimEvents<T>) {
    this.#events = events;
  }

  /** Adds a claimant, or replaces what it claims. A claim that stays keeps its place. */
  put(claimant: T): void {
    for (const topic of this.#held.get(claimant.id) ?? []) {
      if (!claimant.challengeTopics.includes(topic)) this.#remove(topic, claimant.id);
    }
    this.#held.set(claimant.id, claimant.challengeTopics);
    for (const topic of claimant.challengeTopics) this.#add(topic, claimant);
  }

  drop({ id }: T): void {
    for (const topic of this.#held.get(id) ?? []) this.#remove(topic, id);
    this.#held.delete(id);
  }

  /** Does its claim on this topic count? */
  holds(topic: string, { id, digest }: T): boolean {
    const claims = this.#claims.get(topic);
    return claims?.[0].digest === digest && claims.some((claim) => claim.id === id);
  }

  #add(topic: string, claimant: T): void {
    const claims = this.#claims.get(topic) ?? [];
    const at = claims.findIndex(({ id }) => id === claimant.id);
    if (at < 0 && claims.length >= CLAIMS_MAX) {
      this.#events.refused(claimant, topic);
      return;
    }
    this.#claims.set(topic, claims);
    if (at >= 0) claims[at] = claimant;
    else claims.splice(placeFor(claimant.digest, claims), 0, claimant);
    if (claims[0].digest === claimant.digest) this.#changed(topic);
    else if (at < 0) this.#events.refused(claimant, topic);
  }

  #remove(topic: string, id: string): void {
    const claims = this.#claims.get(topic);
    if (!claims) return;
    const at = claims.findIndex((claim) => claim.id === id);
    if (at < 0) return;
    const counted = claims[0].digest === claims[at].digest;
    claims.splice(at, 1);
    if (claims.length === 0) this.#claims.delete(topic);
    if (counted) this.#changed(topic);
  }

  #changed(topic: string): void {
    const claims = this.#claims.get(topic) ?? [];
    this.#events.changed(
      topic,
      claims.filter(({ digest }) => digest === claims[0].digest),
    );
  }
}

/** Behind the last claim of the same certificate, or at the end. */
function placeFor(digest: string, claims: readonly Claim[]): number {
  const last = claims.findLastIndex((claim) => claim.digest === digest);
  return last < 0 ? claims.length : last + 1;
}
