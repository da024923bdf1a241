/**
 * The node's bandwidth and its equal shares between organisations (decisions §8).
 *
 * While the node bucket is out of debt everybody spends freely and nobody owes anything. When it falls into debt a *shortage*
 * begins: each organisation starts with a small credit, earns an equal part of the node's rate, pays for what it sends from
 * then on, and may send while its account is above zero. The shortage ends when the bucket is out of debt again; all accounts
 * are forgotten then, so that what was idle bandwidth when it was used is never held against its user.
 *
 * Why the total stays at the limit: everything is charged to the node bucket. In a shortage the accounts together earn at most
 * the node's rate, so its debt grows by no more than their credits (half a second of the rate) and one message each.
 * Why nothing is left unused: what an organisation does not spend of its share lifts the node out of debt, for all.
 */
import { type Linked, LinkedList } from './flow-recency.js';
import { TokenBucket } from './token-bucket.js';

/** An organisation takes part for this long after its last request. */
const ACTIVE_MS = 1_000;

/** Credit and limit of savings of all accounts together; half a second in thirty is 1.7 % of the limit. */
const CREDIT_MS = 500;

/** The account of one organisation. */
export class Share implements Linked<Share> {
  next: Share | undefined = undefined;
  previous: Share | undefined = undefined;
  active = false;
  activeUntilMs = 0;
  /** The shortage that `balanceBytes` belongs to. */
  shortage = 0;
  balanceBytes = 0;
  /** `#earnedBytes` up to which the balance is settled. */
  earnedBytes = 0;
}

export class NodeShares {
  readonly #bucket: TokenBucket;
  readonly #bytesPerMs: number;
  /** Who takes part, ordered by `activeUntilMs`. */
  readonly #active = new LinkedList<Share>();
  /** Number of the current or last shortage. */
  #shortage = 0;
  #short = false;
  /** What each active organisation earned since the shortage began. */
  #earnedBytes = 0;
  #earnedMs = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number) {
    this.#bucket = new TokenBucket(bytesPerSecond);
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Organisations that compete now. */
  get active(): number {
    return this.#active.size;
  }

  balance(nowMs: number): number {
    return this.#bucket.balance(nowMs);
  }

  /** May this organisation write to peers now? The question makes it a competitor for a second. */
  allows(share: Share, nowMs: number): boolean {
    this.#advance(nowMs);
    this.#join(share, nowMs);
    if (!this.#short) return true;
    // Alone there is nobody to share with: the debt is the organisation's own.
    if (this.#active.size === 1) return false;
    return this.#settle(share) > 0;
  }

  /** Charges bytes of requests that were written to a peer. */
  charge(share: Share, bytes: number, nowMs: number): void {
    const overdraft = this.#chargeBucket(bytes, nowMs);
    if (overdraft <= 0) return;
    this.#join(share, nowMs);
    share.balanceBytes = this.#settle(share) - overdraft;
  }

  /**
   * Charges bytes that could not be refused to the organisation that caused them, down to a limit; what is beyond comes from
   * the other accounts in equal parts, because the sum on the wire counts.
   */
  chargeUnrefusable(share: Share, bytes: number, nowMs: number): void {
    const overdraft = this.#chargeBucket(bytes, nowMs);
    if (overdraft <= 0) return;
    this.#join(share, nowMs);
    share.balanceBytes = this.#settle(share) - overdraft;
    const others = this.#active.size - 1;
    const excess = Math.min(overdraft, -share.balanceBytes - (this.#bytesPerMs * CREDIT_MS) / this.#active.size);
    if (others === 0 || excess <= 0) return;
    share.balanceBytes += excess;
    this.#earnedBytes -= excess / others;
    share.earnedBytes = this.#earnedBytes;
  }

  /** The organisation is forgotten. */
  leave(share: Share): void {
    if (!share.active) return;
    share.active = false;
    this.#active.remove(share);
  }

  /** Takes bytes from the node bucket. @returns how many of them it did not have */
  #chargeBucket(bytes: number, nowMs: number): number {
    this.#advance(nowMs);
    const left = this.#bucket.charge(bytes, nowMs);
    if (left > 0) return 0;
    if (!this.#short) {
      this.#short = true;
      this.#shortage++;
      this.#earnedBytes = 0;
      this.#earnedMs = Math.max(nowMs, this.#earnedMs);
    }
    return Math.min(bytes, -left);
  }

  /** Brings the shortage, what was earned in it and the set of competitors to `nowMs`. */
  #advance(nowMs: number): void {
    if (this.#short) {
      if (nowMs > this.#earnedMs) {
        if (this.#active.size > 0) {
          this.#earnedBytes += ((nowMs - this.#earnedMs) * this.#bytesPerMs) / this.#active.size;
        }
        this.#earnedMs = nowMs;
      }
      if (this.#bucket.allows(nowMs)) this.#short = false;
    }
    for (let share = this.#active.head; share && share.activeUntilMs <= nowMs; share = this.#active.head) {
      if (this.#short && this.#settle(share) <= 0) {
        // Who leaves in debt goes on paying: the others must not spend what its debt has spent already.
        share.activeUntilMs = nowMs + ACTIVE_MS;
        this.#active.toTail(share);
      } else {
        this.leave(share);
      }
    }
  }

  #join(share: Share, nowMs: number): void {
    share.activeUntilMs = nowMs + ACTIVE_MS;
    if (share.active) {
      this.#active.toTail(share);
      return;
    }
    share.active = true;
    share.earnedBytes = this.#earnedBytes;
    this.#active.append(share);
  }

  /** Brings an account to the current earnings and returns its balance. */
  #settle(share: Share): number {
    const creditMs = CREDIT_MS / this.#active.size;
    const creditBytes = Math.min(this.#bytesPerMs * creditMs, this.#bucket.depthBytes);
    if (share.shortage === this.#shortage) {
      const balance = share.balanceBytes + this.#earnedBytes - share.earnedBytes;
      share.balanceBytes = Math.min(balance, creditBytes);
    } else {
      share.shortage = this.#shortage;
      share.balanceBytes = creditBytes;
    }
    share.earnedBytes = this.#earnedBytes;
    return share.balanceBytes;
  }
}
