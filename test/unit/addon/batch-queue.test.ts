import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BatchQueue, type ExecuteBatch } from '../../../src/addon/batch-queue.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** An executor whose batches end when the test says so; each is named by its first byte. */
function scripted() {
  const started: number[] = [];
  const ends = new Map<number, (results: Uint8Array | undefined) => void>();
  const failures = new Map<number, (error: Error) => void>();
  const late = new Map<number, () => boolean>();
  const execute: ExecuteBatch = (rows, isLate) => {
    const name = rows[0]!;
    started.push(name);
    late.set(name, isLate);
    return new Promise((resolve, reject) => {
      ends.set(name, resolve);
      failures.set(name, reject);
    });
  };
  return { execute, started, ends, failures, late };
}

const rowsOf = (name: number) => Uint8Array.of(name);
const settled = () => vi.advanceTimersByTimeAsync(0);

describe('batch queue', () => {
  it('starts as many batches as may be in flight and the next in the order they came', async () => {
    const { execute, started, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 2, queuedMax: 10 });
    const outcomes = [1, 2, 3, 4].map((name) => queue.run(execute, rowsOf(name), 1000));
    expect(started).toEqual([1, 2]);
    ends.get(2)!(Uint8Array.of(20));
    expect(await outcomes[1]).toEqual(Uint8Array.of(20));
    await settled();
    expect(started).toEqual([1, 2, 3]);
    ends.get(1)!(Uint8Array.of(10));
    ends.get(3)!(Uint8Array.of(30));
    await settled();
    expect(started).toEqual([1, 2, 3, 4]);
    ends.get(4)!(Uint8Array.of(40));
    expect(await Promise.all(outcomes)).toEqual([10, 20, 30, 40].map((byte) => Uint8Array.of(byte)));
  });

  it('refuses at once what is above the bound, and takes more when there is room again', async () => {
    const { execute, started, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 2 });
    const first = queue.run(execute, rowsOf(1), 1000);
    for (const name of [2, 3]) void queue.run(execute, rowsOf(name), 1000);
    expect(await queue.run(execute, rowsOf(4), 1000)).toBe('overloaded');
    ends.get(1)!(new Uint8Array());
    await first;
    await settled();
    void queue.run(execute, rowsOf(5), 1000);
    ends.get(2)!(new Uint8Array());
    await settled();
    ends.get(3)!(new Uint8Array());
    await settled();
    expect(started).toEqual([1, 2, 3, 5]);
  });

  it('resolves a batch that is still running as timed out, drops its results, and frees its place only then', async () => {
    const { execute, started, ends, late } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 2 });
    const first = queue.run(execute, rowsOf(1), 50);
    const second = queue.run(execute, rowsOf(2), 1000);
    expect(late.get(1)!()).toBe(false);
    await vi.advanceTimersByTimeAsync(49);
    expect(late.get(1)!()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await first).toBe('timed-out');
    expect(late.get(1)!()).toBe(true);
    expect(started).toEqual([1]);
    ends.get(1)!(Uint8Array.of(10));
    await settled();
    expect(await first).toBe('timed-out');
    expect(started).toEqual([1, 2]);
    ends.get(2)!(Uint8Array.of(20));
    expect(await second).toEqual(Uint8Array.of(20));
  });

  it('never starts a batch whose time passed while it waited, and gives its place away', async () => {
    const { execute, started, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 1 });
    void queue.run(execute, rowsOf(1), 1000);
    const waiting = queue.run(execute, rowsOf(2), 50);
    await vi.advanceTimersByTimeAsync(50);
    expect(await waiting).toBe('timed-out');
    const third = queue.run(execute, rowsOf(3), 1000);
    ends.get(1)!(new Uint8Array());
    await settled();
    expect(started).toEqual([1, 3]);
    ends.get(3)!(Uint8Array.of(30));
    expect(await third).toEqual(Uint8Array.of(30));
  });

  it('leaves no timer behind', async () => {
    const { execute, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 1 });
    const outcome = queue.run(execute, rowsOf(1), 1000);
    expect(vi.getTimerCount()).toBe(1);
    ends.get(1)!(new Uint8Array());
    await outcome;
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says overloaded where the executor had no room, and goes on', async () => {
    const { execute, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 2 });
    const first = queue.run(execute, rowsOf(1), 1000);
    const second = queue.run(execute, rowsOf(2), 1000);
    ends.get(1)!(undefined);
    expect(await first).toBe('overloaded');
    await settled();
    ends.get(2)!(Uint8Array.of(20));
    expect(await second).toEqual(Uint8Array.of(20));
  });

  it('passes a failure of the executor on and keeps its place', async () => {
    const { execute, failures, ends } = scripted();
    const queue = new BatchQueue({ inFlightMax: 1, queuedMax: 2 });
    const first = queue.run(execute, rowsOf(1), 1000);
    const second = queue.run(execute, rowsOf(2), 1000);
    failures.get(1)!(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    await settled();
    ends.get(2)!(Uint8Array.of(20));
    expect(await second).toEqual(Uint8Array.of(20));
  });
});
