/**
 * Memory held for what clients send: incomplete frames and requests that wait for their answer (decisions §9).
 *
 * Per session the bound is strict. For the whole relay reading is paused from half of `bytesMax` on, and only for sessions that
 * hold more than an equal share of a quarter: subscribers that merely answer are never paused, so that what is held can be
 * answered and freed. An incomplete frame may double with its next bytes, hence those below the shares come to hold at most
 * the other half, and `bytesMax` holds but for the chunks just read and one frame:
 *
 * So that somebody always makes progress, one account with an incomplete frame is privileged to finish it, the one that waits
 * longest. A finished frame may become a request and stay. Therefore the privilege is given only while less than `bytesMax` is
 * held, or when no request is left whose answer would free anything. A privileged sender that stalls loses its connection,
 * which is the owner's part (`stalled`).
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
    this.#budget.changePartial(this, bytes - this.partialBytes);
    this.partialBytes = bytes;
    this.progressMs = nowMs;
  }

  addPending(bytes: number): void {
    this.#budget.changePending(this, bytes);
    this.pendingBytes += bytes;
  }

  /** Gives everything back, when the connection ends; the account must not be used afterwards. */
  close(): void {
    this.#budget.close(this);
  }
}

export class InboundBudget {
  #limits: BudgetLimits;
  readonly #accounts = new Set<InboundAccount>();
  #usedBytes = 0;
  #pendingBytes = 0;
  #privileged: InboundAccount | undefined = undefined;
  /** Its time to move starts here: it may have waited long for the privilege. */
  #privilegedMs = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  setLimits(limits: BudgetLimits): void {
    this.#limits = limits;
  }

  open(): InboundAccount {
    const account = new InboundAccount(this);
    this.#accounts.add(account);
    return account;
  }

  /** May this account read more? */
  allows(account: InboundAccount, nowMs: number): boolean {
    if (this.#atOwnBound(account)) {
      // It cannot move now, which is neither progress nor a stall.
      if (account === this.#privileged) this.#privileged = undefined;
      return false;
    }
    if (!this.#full() || !this.#aboveShare(account)) return true;
    if (account.partialBytes === 0) return false;
    if (!this.#privileged && (this.#usedBytes < this.#limits.bytesMax || this.#pendingBytes === 0)) {
      this.#privileged = this.#longestWaiting();
      this.#privilegedMs = nowMs;
    }
    return this.#privileged === account;
  }

  /** The privileged account, when it has not moved for `timeoutMs` while the budget is exhausted. */
  stalled(nowMs: number, timeoutMs: number): InboundAccount | undefined {
    const account = this.#privileged;
    if (!account || nowMs - Math.max(account.progressMs, this.#privilegedMs) < timeoutMs) return undefined;
    return account;
  }

  /** For `InboundAccount` only. */
  changePartial(account: InboundAccount, bytes: number): void {
    // The frame is finished.
    if (account === this.#privileged && bytes < 0) this.#privileged = undefined;
    this.#change(bytes);
  }

  /** For `InboundAccount` only. */
  changePending(account: InboundAccount, bytes: number): void {
    // The frame is finished and has become a request; the next one may be as long, so that nothing shrinks.
    if (account === this.#privileged && bytes > 0) this.#privileged = undefined;
    this.#pendingBytes += bytes;
    this.#change(bytes);
  }

  /** For `InboundAccount` only. */
  close(account: InboundAccount): void {
    if (!this.#accounts.delete(account)) return;
    if (account === this.#privileged) this.#privileged = undefined;
    this.#pendingBytes -= account.pendingBytes;
    this.#change(-account.bytes);
    account.partialBytes = 0;
    account.pendingBytes = 0;
  }

  #change(bytes: number): void {
    this.#usedBytes += bytes;
    if (!this.#full()) this.#privileged = undefined;
  }

  #full(): boolean {
    return this.#usedBytes >= this.#limits.bytesMax / 2;
  }

  /** Pending requests free their bytes by themselves; an incomplete frame alone is below the bound by configuration. */
  #atOwnBound(account: InboundAccount): boolean {
    return account.bytes >= this.#limits.accountBytesMax && account.pendingBytes > 0;
  }

  #aboveShare(account: InboundAccount): boolean {
    return account.bytes > this.#limits.bytesMax / 4 / this.#accounts.size;
  }

  /** Only among those who may not read otherwise: a forgotten byte of a quiet session must not cost the others their time. */
  #longestWaiting(): InboundAccount | undefined {
    let longest: InboundAccount | undefined;
    for (const account of this.#accounts) {
      if (account.partialBytes === 0 || !this.#aboveShare(account) || this.#atOwnBound(account)) continue;
      if (!longest || account.progressMs < longest.progressMs) longest = account;
    }
    return longest;
  }
}
