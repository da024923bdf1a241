/**
 * Fair choice among the subscribers of a topic.
 *
 * Choices are dealt in rounds: in one round every member is chosen `weight` times, so shares are equal in every window that
 * spans a few rounds, whatever the speed. The array is kept in two parts: `[0, #served)` has nothing left in this round, the
 * rest has. Within the rest the member with the largest part of its weight left goes first, least outstanding breaks ties.
 *
 * A round ends when no eligible member is left in it. What an ineligible member (the sender itself, a full queue) did not
 * use is not carried over; a member can therefore never catch up with a burst.
 */
import type { Endpoint } from './endpoint.js';

/** Members compared for one choice: enough to find a quiet one, few enough to cost nothing on a topic with thousands. */
const LOOK_MAX = 8;

export interface Filter {
  /** May this member be chosen now? */
  eligible(endpoint: Endpoint): boolean;
}

class Member {
  readonly endpoint: Endpoint;
  weight: number;
  /** Stamp of the subscription, see `TopicTable.changes`. */
  readonly since: number;
  left: number;
  index: number;

  constructor(endpoint: Endpoint, weight: number, since: number, index: number) {
    this.endpoint = endpoint;
    this.weight = weight;
    this.since = since;
    this.left = weight;
    this.index = index;
  }
}

export class FairRound {
  readonly #members: Member[] = [];
  readonly #byId = new Map<number, Member>();
  #served = 0;

  get size(): number {
    return this.#members.length;
  }

  has(endpoint: Endpoint): boolean {
    return this.#byId.has(endpoint.id);
  }

  /** Adds a member that takes part in the current round, or changes the weight of one; returns false for the latter. */
  add(endpoint: Endpoint, weight = 1, since = 0): boolean {
    const known = this.#byId.get(endpoint.id);
    if (known) {
      // Takes effect in the next round; what is left of this one must not exceed it.
      known.weight = weight;
      known.left = Math.min(known.left, weight);
      return false;
    }
    const member = new Member(endpoint, weight, since, this.#members.length);
    this.#members.push(member);
    this.#byId.set(endpoint.id, member);
    return true;
  }

  remove(endpoint: Endpoint): boolean {
    const member = this.#byId.get(endpoint.id);
    if (!member) return false;
    this.#byId.delete(endpoint.id);
    if (member.index < this.#served) {
      this.#served--;
      this.#swap(member.index, this.#served);
    }
    this.#swap(member.index, this.#members.length - 1);
    this.#members.pop();
    return true;
  }

  /** Chooses a member and counts the choice, or returns undefined when no member is eligible. */
  choose(filter: Filter): Endpoint | undefined {
    const member = this.#best(filter) ?? this.#startRound(filter);
    if (!member) return undefined;
    member.left--;
    if (member.left <= 0) {
      this.#swap(member.index, this.#served);
      this.#served++;
    }
    return member.endpoint;
  }

  /** Every member, in no particular order; the set must not be changed meanwhile. */
  forEach(visit: (endpoint: Endpoint, since: number) => void): void {
    for (let at = 0; at < this.#members.length; at++) visit(this.#members[at].endpoint, this.#members[at].since);
  }

  #startRound(filter: Filter): Member | undefined {
    // A search that finds nobody must not end the round of the others: who was served in it would be served again.
    if (!this.#someServed(filter)) return undefined;
    for (const member of this.#members) member.left = member.weight;
    this.#served = 0;
    return this.#best(filter);
  }

  #someServed(filter: Filter): boolean {
    for (let at = 0; at < this.#served; at++) {
      if (filter.eligible(this.#members[at].endpoint)) return true;
    }
    return false;
  }

  #best(filter: Filter): Member | undefined {
    let best: Member | undefined;
    let looked = 0;
    for (let at = this.#served; at < this.#members.length && looked < LOOK_MAX; at++) {
      const member = this.#members[at];
      if (!filter.eligible(member.endpoint)) continue;
      looked++;
      if (!best || before(member, best)) best = member;
    }
    return best;
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const first = this.#members[a];
    const second = this.#members[b];
    this.#members[a] = second;
    this.#members[b] = first;
    first.index = b;
    second.index = a;
  }
}

function before(a: Member, b: Member): boolean {
  const aLeft = a.left * b.weight;
  const bLeft = b.left * a.weight;
  if (aLeft !== bLeft) return aLeft > bLeft;
  return a.endpoint.routerPushes.size < b.endpoint.routerPushes.size;
}
