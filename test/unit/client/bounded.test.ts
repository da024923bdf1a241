/** The bounded parts of the client by themselves: inbox, seen messages, deadlines. */
import { describe, expect, it } from 'vitest';
import { AbortHub, Deadline } from '../../../src/client/deadline.js';
import { ByteBudget, Inbox } from '../../../src/client/inbox.js';
import { Message } from '../../../src/client/message.js';
import { Reading } from '../../../src/client/reading.js';
import { SeenMessages } from '../../../src/client/seen.js';

const message = (text: string) => new Message('t', Buffer.from(text), 'seq', { relay: 'r', answer: undefined });

describe('Inbox', () => {
  it('keeps the order and its bound, over many rounds', () => {
    const budget = new ByteBudget(1_000_000);
    const inbox = new Inbox(3, budget, new Reading(() => {}), false);
    let sent = 0;
    let got = 0;
    for (let round = 0; round < 200; round++) {
      while (inbox.offer(message(String(sent)))) sent++;
      expect(inbox.size).toBe(3);
      for (let i = 0; i <= round % 3; i++) {
        const one = inbox.take();
        expect(one?.text()).toBe(String(got++));
        if (one !== undefined) inbox.settled(one);
      }
    }
    inbox.clear();
    expect({ size: inbox.size, bytes: budget.heldBytes, next: inbox.take() }).toEqual({
      size: 0,
      bytes: 0,
      next: undefined,
    });
  });

  it('counts a message until it is settled, and takes one that is larger than the budget when nothing is held', () => {
    const budget = new ByteBudget(1_000);
    const inbox = new Inbox(10, budget, new Reading(() => {}), false);
    expect(inbox.offer(message('x'.repeat(5_000)))).toBe(true);
    expect(inbox.offer(message('y'))).toBe(false);
    const large = inbox.take();
    expect(inbox.offer(message('y'))).toBe(false);
    if (large !== undefined) inbox.settled(large);
    expect(inbox.offer(message('y'))).toBe(true);
  });
});

describe('an inbox that holds reading', () => {
  const world = () => {
    const budget = new ByteBudget(4_000);
    const told: boolean[] = [];
    const reading = new Reading((reads) => told.push(reads));
    return { budget, told, reading, inbox: new Inbox(4, budget, reading, true) };
  };

  it('does so from full to half empty', () => {
    const { inbox, told } = world();
    for (let n = 0; n < 4; n++) expect(inbox.offer(message(`${n}`))).toBe(true);
    expect(told).toEqual([false]);
    inbox.take();
    expect(told).toEqual([false]);
    inbox.take();
    expect(told).toEqual([false, true]);
  });

  it('takes twice as much of what comes all the same, and no more', () => {
    const { inbox } = world();
    for (let n = 0; n < 8; n++) expect(inbox.offer(message(`${n}`))).toBe(true);
    expect(inbox.offer(message('too many'))).toBe(false);
    const bytes = world();
    expect(bytes.inbox.offer(message('x'.repeat(3_900)))).toBe(true);
    expect(bytes.told).toEqual([false]);
    expect(bytes.inbox.offer(message('x'.repeat(3_000)))).toBe(true);
    expect(bytes.inbox.offer(message('x'.repeat(1_000)))).toBe(false);
  });

  it('lets reading go on when another one has made room in the bytes of both, or when it ends', () => {
    const { budget, told, reading, inbox } = world();
    const other = new Inbox(4, budget, reading, false);
    other.offer(message('x'.repeat(3_700)));
    inbox.offer(message('y'));
    expect([told, reading.isHeld]).toEqual([[false], true]);
    const large = other.take();
    expect(told).toEqual([false]);
    if (large !== undefined) other.settled(large);
    expect([told, reading.isHeld]).toEqual([[false, true], false]);
    for (let n = 0; n < 4; n++) inbox.offer(message(`${n}`));
    inbox.clear();
    expect([told.length, reading.isHeld]).toEqual([4, false]);
  });
});

describe('SeenMessages', () => {
  const seq = Buffer.alloc(32, 'a');

  it('knows a message by seq, topic and payload, for its time', () => {
    const seen = new SeenMessages(100, 30_000);
    expect(seen.isNew(seq, Buffer.from('body'), 0)).toBe(true);
    expect(seen.isNew(seq, Buffer.from('body'), 30_000)).toBe(false);
    expect(seen.isNew(seq, Buffer.from('other'), 30_000)).toBe(true);
    expect(seen.isNew(Buffer.alloc(32, 'b'), Buffer.from('body'), 30_000)).toBe(true);
    expect(seen.isNew(seq, Buffer.from('body'), 30_001)).toBe(true);
  });

  it('forgets the oldest beyond its bound', () => {
    const seen = new SeenMessages(3, 30_000);
    for (const text of ['1', '2', '3', '4']) seen.isNew(seq, Buffer.from(text), 0);
    expect(seen.size).toBe(3);
    expect(seen.isNew(seq, Buffer.from('2'), 0)).toBe(false);
    expect(seen.isNew(seq, Buffer.from('1'), 0)).toBe(true);
  });
});

describe('Deadline', () => {
  it('wakes a thousand calls of one signal with one listener', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const hub = new AbortHub();
    const end = new AbortController();
    const never = new Promise<never>(() => {});
    const calls = Array.from({ length: 1_000 }, () => new Deadline(10_000, end.signal, hub).race(never, () => 'late'));
    end.abort(new Error('enough'));
    const outcomes = await Promise.allSettled(calls);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(outcomes.every((one) => one.status === 'rejected' && one.reason.message === 'enough')).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('never ends before its time, and settles as the promise does when that is first', async () => {
    const hub = new AbortHub();
    for (let i = 0; i < 20; i++) {
      const startMs = performance.now();
      await expect(new Deadline(5, undefined, hub).race(new Promise(() => {}), () => 'late')).rejects.toBe('late');
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(5);
    }
    expect(await new Deadline(1_000, undefined, hub).race(Promise.resolve(7), () => 'late')).toBe(7);
  });

  it('gives an attempt no more time than is left', () => {
    const deadline = new Deadline(50, undefined, new AbortHub());
    expect(deadline.within(1_000).leftMs()).toBeLessThanOrEqual(50);
    expect(deadline.within(10).leftMs()).toBeLessThanOrEqual(10);
  });
});
