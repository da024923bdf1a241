/**
 * The node's bandwidth and its equal shares between organisations (decisions §8).
 *
 * While the node bucket is out of debt everybody spends freely. While it is in debt an organisation may spend what its account
 * holds. The rate of the node is dealt in equal parts to the accounts of those who compete, and what a full account cannot take
 * goes to the others: whoever stays below its share finds its account filled, a flood gets its share and what nobody else wants.
 *
 * Invariant: all accounts together hold at most half a second of the rate, less the debt of the node. Dealing and spending in
 * debt change both sides alike, a full account takes no more, and who joins gets what the invariant leaves. So the node's debt
 * is bounded by half a second of the rate and a message of each organisation, and one that is alone has the node bucket itself.
 *
 * Rejected: accounts that start anew whenever the node falls into debt. Under a flood that is several times a second, each time
 * with new credit, and who owes for a large message must be told apart from who used what was idle.
 */
import { type Linked, LinkedList } from './flow-recency.js';
import { TokenBucket } from './token-bucket.js';

/** An organisation competes for this long after its last request, and until its account is full. */
const ACTIVE_MS = 1_000;

/** What full accounts hold together: two bucket depths, so that each of two organisations can save a whole one. */
const SAVINGS_MS = 500;

/** The rate is dealt no more often than this, for dealing looks at every competitor. */
const DEAL_MS = 1;

/** Who joins holds at least this, whatever the debt of others: one message passes. */
const FIRST_BYTES = 1;

/** The account of one organisation. */
export class Share implements Linked<Share> {
  next: Share | undefined = undefined;
  previous: Share | undefined = undefined;
  active = false;
  requestedMs = Number.NEGATIVE_INFINITY;
  balanceBytes = 0;
  /** The part of a negative balance that answers made; earnings pay it first. */
  answersBytes = 0;
}

export class NodeShares {
  readonly #bucket: TokenBucket;
  readonly #bytesPerMs: number;
  /** Who competes. */
  readonly #active = new LinkedList<Share>();
  #dealtMs = Number.NEGATIVE_INFINITY;
  /** Answers beyond the share of who sent them: less is dealt the next time. */
  #overspentBytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bucket = new TokenBucket(bytesPerSecond);
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  balance(nowMs: number): number {
    return this.#bucket.balance(nowMs);
  }

  /** May this organisation write to peers now? The question makes it a competitor for a second. */
  allows(share: Share, nowMs: number): boolean {
    this.#deal(nowMs);
    this.#join(share, nowMs);
    share.requestedMs = nowMs;
    return share.balanceBytes > 0 || this.#bucket.allows(nowMs);
  }

  /** Charges bytes written to a peer. @returns how many of them the node bucket did not have */
  charge(share: Share, bytes: number, nowMs: number): number {
    this.#deal(nowMs);
    this.#join(share, nowMs);
    const freeBytes = Math.min(bytes, Math.max(0, this.#bucket.balance(nowMs)));
    const overdraftBytes = bytes - freeBytes;
    this.#bucket.charge(bytes, nowMs);
    // What there was for everybody uses up savings, but nobody owes anything for it.
    if (share.balanceBytes > 0) share.balanceBytes = Math.max(0, share.balanceBytes - freeBytes);
    share.balanceBytes -= overdraftBytes;
    return overdraftBytes;
  }

  /**
   * Charges bytes that could not be refused to the organisation that caused them. If these alone are more than its share, the
   * rest is everybody's, because the sum on the wire counts.
   */
  chargeUnrefusable(share: Share, bytes: number, nowMs: number): void {
    const overdraftBytes = this.charge(share, bytes, nowMs);
    const owedBytes = Math.min(share.answersBytes + overdraftBytes, Math.max(0, -share.balanceBytes));
    const excessBytes = Math.max(0, owedBytes - this.#fullBytes());
    share.answersBytes = owedBytes - excessBytes;
    share.balanceBytes += excessBytes;
    this.#overspentBytes += excessBytes;
  }

  /** The organisation is forgotten. */
  leave(share: Share): void {
    if (!share.active) return;
    share.active = false;
    this.#active.remove(share);
  }

  /** What one account holds when it is full. */
  #fullBytes(): number {
    return Math.min(this.#bucket.depthBytes, (this.#bytesPerMs * SAVINGS_MS) / this.#active.size);
  }

  /** Deals what the node earned since the last time: to all, and what full accounts leave once more to the others. */
  #deal(nowMs: number): void {
    const elapsedMs = nowMs - this.#dealtMs;
    if (elapsedMs < DEAL_MS) return;
    this.#dealtMs = nowMs;
    const competitors = this.#active.size;
    if (competitors === 0) return;
    const fullBytes = this.#fullBytes();
    const partBytes = (elapsedMs * this.#bytesPerMs - this.#overspentBytes) / competitors;
    this.#overspentBytes = 0;
    let leftBytes = 0;
    let takers = 0;
    for (let share = this.#active.head, next: Share | undefined; share; share = next) {
      next = share.next;
      leftBytes += partBytes - earn(share, partBytes, fullBytes);
      if (share.balanceBytes < fullBytes) takers++;
      else if (nowMs - share.requestedMs >= ACTIVE_MS) this.leave(share);
    }
    if (leftBytes <= 0 || takers === 0) return;
    for (let share = this.#active.head; share; share = share.next) {
      if (share.balanceBytes < fullBytes) earn(share, leftBytes / takers, fullBytes);
    }
  }

  #join(share: Share, nowMs: number): void {
    if (share.active) return;
    share.active = true;
    this.#active.append(share);
    const fullBytes = this.#fullBytes();
    let spareBytes = this.#bytesPerMs * SAVINGS_MS + Math.min(0, this.#bucket.balance(nowMs));
    for (let other = this.#active.head; other && other !== share; other = other.next) {
      // With one more competitor an account is full earlier.
      other.balanceBytes = Math.min(other.balanceBytes, fullBytes);
      spareBytes -= other.balanceBytes;
    }
    share.balanceBytes = Math.max(FIRST_BYTES, Math.min(fullBytes, spareBytes));
  }
}

/** Adds to an account what it can take; a part of less than nothing is taken whole. @returns how much was taken */
function earn(share: Share, bytes: number, fullBytes: number): number {
  const takenBytes = Math.min(bytes, Math.max(0, fullBytes - share.balanceBytes));
  share.balanceBytes += takenBytes;
  if (share.answersBytes > 0) share.answersBytes = Math.max(0, share.answersBytes - Math.max(0, takenBytes));
  return takenBytes;
}
