import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InboundAccount, InboundBudget } from '../../../src/core/inbound-budget.js';

const LIMITS = { bytesMax: 1_000, accountBytesMax: 400 };
const TIMEOUT_MS = 15_000;

function makeBudget(limits = LIMITS) {
  const budget = new InboundBudget(limits);
  return { budget, open: (count: number) => Array.from({ length: count }, () => budget.open()) };
}

describe('inbound budget', () => {
  it('lets everybody read while less than half is held', () => {
    const { budget, open } = makeBudget();
    const [one, two] = open(2);
    one.setPartial(300, 0);
    two.addPending(199);
    expect([budget.allows(one, 0), budget.allows(two, 0)]).toEqual([true, true]);
  });

  it('stops a session at its own bound, however empty the relay is, and lets it go on when requests ended', () => {
    const { budget, open } = makeBudget();
    const [account] = open(1);
    account.addPending(400);
    expect(budget.allows(account, 0)).toBe(false);
    account.addPending(-1);
    expect(budget.allows(account, 0)).toBe(true);
  });

  it('pauses from half on only those above an equal share; a subscriber that only answers reads on', () => {
    const { budget, open } = makeBudget();
    const [first, second, modest, answering] = open(4);
    first.addPending(390);
    second.addPending(100);
    modest.addPending(60);
    const reading = [first, second, modest, answering].map((account) => budget.allows(account, 0));
    expect(reading).toEqual([false, false, true, true]);
  });

  it('lets the one that waits longest finish when nothing but incomplete frames is left', () => {
    const { budget, open } = makeBudget();
    const [young, old] = open(2);
    old.setPartial(300, 1);
    young.setPartial(300, 2);
    expect([young, old].map((account) => budget.allows(account, 3))).toEqual([false, true]);
    old.setPartial(390, 4);
    expect([young, old].map((account) => budget.allows(account, 5))).toEqual([false, true]);
    old.setPartial(0, 6);
    expect(budget.allows(young, 6)).toBe(true);
  });

  it('does not let one large frame after another through while the first ones wait for their answer', () => {
    const { budget, open } = makeBudget({ bytesMax: 1_000, accountBytesMax: 1_000 });
    const accounts = open(50);
    // Each is inside a frame of 300 bytes; whoever may read gets one byte more, and a whole frame becomes a request.
    for (const [at, account] of accounts.entries()) if (budget.allows(account, at)) account.setPartial(20, at);
    let mostBytes = 0;
    for (let nowMs = 100; nowMs < 40_000; nowMs++) {
      const account = accounts.find((one) => one.pendingBytes === 0 && budget.allows(one, nowMs));
      if (!account) break;
      if (account.partialBytes < 300) account.setPartial(account.partialBytes + 1, nowMs);
      else {
        account.addPending(account.partialBytes);
        account.setPartial(0, nowMs);
      }
      mostBytes = Math.max(mostBytes, budget.usedBytes);
    }
    expect(mostBytes).toBeLessThanOrEqual(1_000 + 300);
    for (const account of accounts) account.addPending(-account.pendingBytes);
    expect(accounts.some((account) => budget.allows(account, 50_000))).toBe(true);
  });

  it('calls the privileged one stalled only when it did not move although it might, while memory is short', () => {
    const { budget, open } = makeBudget();
    const [stuck, other] = open(2);
    stuck.setPartial(350, 0);
    other.setPartial(350, 1);
    expect(budget.stalled(100_000, TIMEOUT_MS)).toBeUndefined();
    // It waited for its turn, which is not its own fault.
    expect(budget.allows(stuck, 100_000)).toBe(true);
    expect(budget.stalled(100_000, TIMEOUT_MS)).toBeUndefined();
    expect(budget.stalled(100_000 + TIMEOUT_MS - 1, TIMEOUT_MS)).toBeUndefined();
    expect(budget.stalled(100_000 + TIMEOUT_MS, TIMEOUT_MS)).toBe(stuck);
    stuck.setPartial(351, 100_000 + TIMEOUT_MS);
    expect(budget.stalled(100_000 + TIMEOUT_MS, TIMEOUT_MS)).toBeUndefined();
    stuck.close();
    expect(budget.stalled(200_000, TIMEOUT_MS)).toBeUndefined();
    expect(budget.allows(other, 200_000)).toBe(true);
  });

  it('blames nobody once memory is free again, and counts anew when it is short again', () => {
    const { budget, open } = makeBudget();
    const [resting, other] = open(2);
    resting.setPartial(300, 0);
    other.addPending(390);
    expect(budget.allows(resting, 0)).toBe(true);
    other.addPending(-390);
    expect(budget.stalled(60_000, TIMEOUT_MS)).toBeUndefined();
    other.addPending(390);
    expect(budget.stalled(60_000, TIMEOUT_MS)).toBeUndefined();
    expect(budget.allows(resting, 60_000)).toBe(true);
    expect(budget.stalled(60_001, TIMEOUT_MS)).toBeUndefined();
  });

  it('does not spend the privilege on a session that may read anyway', () => {
    const { budget, open } = makeBudget();
    const [idle, large, filler] = open(3);
    idle.setPartial(4, 0);
    large.setPartial(300, 1);
    filler.setPartial(300, 2);
    expect(budget.allows(large, 3)).toBe(true);
    expect(budget.stalled(100_000, TIMEOUT_MS)).not.toBe(idle);
  });

  it('does not blame a session that its own bound stops in the middle of a frame', () => {
    const { budget, open } = makeBudget();
    const [account, filler] = open(2);
    account.setPartial(250, 0);
    filler.setPartial(350, 1);
    expect(budget.allows(account, 2)).toBe(true);
    account.addPending(200);
    expect(budget.allows(account, 3)).toBe(false);
    expect(budget.stalled(100_000, TIMEOUT_MS)).toBeUndefined();
  });

  it('gives everything back when an account is closed, once', () => {
    const { budget, open } = makeBudget();
    const [account, other] = open(2);
    account.setPartial(70, 0);
    account.addPending(130);
    other.addPending(5);
    account.close();
    expect(budget.usedBytes).toBe(5);
    account.close();
    expect(budget.usedBytes).toBe(5);
    expect(account.bytes).toBe(0);
  });

  /**
   * Senders that read only when allowed, in chunks; frames of any length become requests, requests are answered at any time.
   * The memory of an incomplete frame grows like that of the frame reader: by doubling, up to the length of the frame.
   */
  it('never holds more than its bound and one frame, and somebody can always go on', () => {
    const frameMax = 200;
    const chunk = 5;
    const limits = { bytesMax: 1_000, accountBytesMax: 300 };
    const step = fc.record({ who: fc.nat(7), answer: fc.nat(9), length: fc.integer({ min: 1, max: frameMax }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), fc.nat(6), (steps, answers) => {
        const budget = new InboundBudget(limits);
        const senders = Array.from({ length: 8 }, () => new Sender(budget.open()));
        let nowMs = 0;
        for (const { who, answer, length } of steps) {
          nowMs++;
          const sender = senders[who];
          if (budget.allows(sender.account, nowMs)) sender.read(chunk, length, nowMs);
          // The fewer answers, the fuller it gets.
          if (answer < answers) senders[answer % senders.length].answered();
          const held = senders.reduce((sum, { account }) => sum + account.bytes, 0);
          if (budget.usedBytes !== held) throw new Error(`${budget.usedBytes} bytes are counted, ${held} are held`);
          if (held > limits.bytesMax + frameMax + senders.length * chunk) throw new Error(`${held} bytes are held`);
          const stuck = senders.every(({ account }) => !budget.allows(account, nowMs) && account.pendingBytes === 0);
          if (stuck) throw new Error('nobody may read and nothing waits for an answer');
        }
        for (const sender of senders) sender.account.close();
        expect(budget.usedBytes).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

class Sender {
  readonly account: InboundAccount;
  #length = 0;
  #received = 0;
  readonly #pending: number[] = [];

  constructor(account: InboundAccount) {
    this.account = account;
  }

  read(chunk: number, nextLength: number, nowMs: number): void {
    if (this.#length === 0) this.#length = nextLength;
    this.#received = Math.min(this.#length, this.#received + chunk);
    if (this.#received < this.#length) {
      const old = this.account.partialBytes;
      const grown = old >= this.#received ? old : Math.min(this.#length, Math.max(this.#received, old * 2));
      this.account.setPartial(grown, nowMs);
      return;
    }
    this.#pending.push(this.#length);
    this.account.addPending(this.#length);
    this.account.setPartial(0, nowMs);
    this.#length = 0;
    this.#received = 0;
  }

  answered(): void {
    const bytes = this.#pending.shift();
    if (bytes !== undefined) this.account.addPending(-bytes);
  }
}
