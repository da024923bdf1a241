/**
 * Memory held for what clients send: incomplete frames and requests that wait for their answer (decisions §9).
 *
 * Per session the bound is strict. For the whole relay reading is paused from half of `bytesMax` on, and only for sessions that
 * hold more than an equal share of it: subscribers that merely answer are never paused, so that what is held can be answered
 * and freed. The rest below the shares is at most the other half, hence `bytesMax` holds, but for one frame: when only
 * incomplete frames are left, the account that waits longest is privileged to finish its own, so that somebody always
 * makes progress. A privileged sender that stalls loses its connection, which is the owner's part (`stalled`).
 */
export interface BudgetLimits {
  readonly bytesMax: number;
  readonly accountBytesMax: number;
}

export class InboundAccount {
  /** Memory of an incomplete frame. */
  partialBytes = 0;
  /** Memory of requests without an answer. */
  pendingBytes = 0;
  progressMs = 0;
  readonly #budget: InboundBudget;

  constructor(budget: InboundBudget) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.partialBytes + this.pendingBytes;
  }

  setPartial(bytes: number, nowMs: number): void {
    this.#budget.change(this, bytes - this.partialBytes);
    this.partialBytes = bytes;
    this.progressMs = nowMs;
  }

  addPending(bytes: number): void {
    this.#budget.change(this, bytes);
    this.pendingBytes += bytes;
  }

  /** Gives everything back, when the connection ends; the account must not be used afterwards. */
  close(): void {
    this.#budget.close(this);
  }
}

export class InboundBudget {
  readonly #limits: BudgetLimits;
  readonly #accounts = new Set<InboundAccount>();
  #usedBytes = 0;
  #privileged: InboundAccount | undefined = undefined;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  open(): InboundAccount {
    const account = new InboundAccount(this);
    this.#accounts.add(account);
    return account;
  }

  /** May this account read more? */
  allows(account: InboundAccount): boolean {
    // Pending requests free their bytes by themselves; an incomplete frame alone is below the bound by configuration.
    if (account.bytes >= this.#limits.accountBytesMax && account.pendingBytes > 0) return false;
    if (!this.#full()) return true;
    if (account.bytes <= this.#limits.bytesMax / 2 / this.#accounts.size) return true;
    if (account.partialBytes === 0) return false;
    if (!this.#privileged) this.#privileged = this.#longestWaiting();
    return this.#privileged === account;
  }

  /** The privileged account, when it has not moved for `timeoutMs` while the budget is exhausted. */
  stalled(nowMs: number, timeoutMs: number): InboundAccount | undefined {
    const account = this.#privileged;
    return this.#full() && account && nowMs - account.progressMs >= timeoutMs ? account : undefined;
  }

  /** For `InboundAccount` only. */
  change(account: InboundAccount, bytes: number): void {
    this.#usedBytes += bytes;
    if (account === this.#privileged && bytes < 0) this.#privileged = undefined;
  }

  /** For `InboundAccount` only. */
  close(account: InboundAccount): void {
    if (!this.#accounts.delete(account)) return;
    this.#usedBytes -= account.bytes;
    account.partialBytes = 0;
    account.pendingBytes = 0;
    if (account === this.#privileged) this.#privileged = undefined;
  }

  #full(): boolean {
    return this.#usedBytes >= this.#limits.bytesMax / 2;
  }

  #longestWaiting(): InboundAccount | undefined {
    let longest: InboundAccount | undefined;
    for (const account of this.#accounts) {
      if (account.partialBytes > 0 && (!longest || account.progressMs < longest.progressMs)) longest = account;
    }
    return longest;
  }
}
