import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfSipHash13 } from '../../../src/addon/half-siphash.js';
import { TopicTable } from '../../../src/addon/topic-table.js';
import { IMPLEMENTATIONS, makeScanner, SEED } from './helpers.js';

const key = (topic: Uint8Array) => Buffer.from(topic).toString('latin1');

const topicArbitrary = fc.oneof(
  // Few short topics, so that operations meet again; and any bytes up to the longest.
  fc.integer({ min: 0, max: 199 }).map((n) => Buffer.from(n === 0 ? '' : `t${n}`)),
  fc.uint8Array({ maxLength: 3 }),
  fc.uint8Array({ maxLength: 254 }),
);
const operationArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant('intern' as const), topicArbitrary) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('release' as const), topicArbitrary) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lookup' as const), topicArbitrary) },
);

describe.each(IMPLEMENTATIONS)('topic interner (%s)', (prefer) => {
  it('behaves as a Map from bytes to ids', () => {
    fc.assert(
      fc.property(fc.array(operationArbitrary, { maxLength: 600, size: 'max' }), (operations) => {
        const interner = makeScanner(prefer);
        const model = new Map<string, number>();
        operations.forEach(([operation, topic], id) => {
          if (operation === 'intern') {
            interner.intern(topic, id);
            model.set(key(topic), id);
          } else if (operation === 'release') {
            expect(interner.release(topic)).toBe(model.delete(key(topic)));
          }
          expect(interner.lookup(topic)).toBe(model.get(key(topic)) ?? -1);
          expect(interner.size).toBe(model.size);
        });
        for (const [, topic] of operations) expect(interner.lookup(topic)).toBe(model.get(key(topic)) ?? -1);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps every other topic through growth, churn and shrinking', () => {
    const interner = makeScanner(prefer);
    const topics = Array.from({ length: 5000 }, (_, i) => Buffer.from(`churn.${i}`));
    for (const [i, topic] of topics.entries()) interner.intern(topic, i);
    expect(interner.size).toBe(5000);
    for (let i = 0; i < topics.length; i += 2) expect(interner.release(topics[i]!)).toBe(true);
    topics.forEach((topic, i) => {
      if (interner.lookup(topic) !== (i % 2 === 0 ? -1 : i)) expect.fail(`wrong id for ${topic}`);
    });
    for (let i = 1; i < topics.length; i += 2) expect(interner.release(topics[i]!)).toBe(true);
    expect(interner.size).toBe(0);
    expect(interner.release(topics[1]!)).toBe(false);
  });

  it('keeps its own copy of the bytes', () => {
    const interner = makeScanner(prefer);
    const memory = Buffer.from('topicA');
    interner.intern(memory, 1);
    memory.write('topicB');
    expect(interner.lookup(Buffer.from('topicA'))).toBe(1);
    expect(interner.lookup(memory)).toBe(-1);
  });

  it('takes the largest id and does not know what is longer than a topic', () => {
    const interner = makeScanner(prefer);
    interner.intern(Buffer.from('x'), 0x7fffffff);
    expect(interner.lookup(Buffer.from('x'))).toBe(0x7fffffff);
    expect(interner.lookup(Buffer.alloc(255))).toBe(-1);
    expect(interner.release(Buffer.alloc(255))).toBe(false);
  });
});

describe('topic table of the twin', () => {
  it('grows with what is interned and shrinks with what is released', () => {
    const table = new TopicTable(SEED);
    const smallest = table.capacity;
    for (let i = 0; i < 1000; i++) table.intern(Buffer.from(`t${i}`), i);
    expect(table.capacity).toBeGreaterThanOrEqual(2000);
    for (let i = 0; i < 1000; i++) table.release(Buffer.from(`t${i}`));
    expect(table.capacity).toBe(smallest);
  });
});

describe('HalfSipHash-1-3', () => {
  it('gives the published values for the bytes 0, 1, 2, ... under the key 00 01 .. 07', () => {
    // Facts of the algorithm, as in the Linux kernel's self-test of hsiphash on 32-bit machines.
    const published: [number, number][] = [
      [0, 0x5814c896],
      [1, 0xe7e864ca],
      [2, 0xbc4b0e30],
      [3, 0x01539939],
      [4, 0x7e059ea6],
      [8, 0x577999b1],
      [15, 0xd0257b04],
      [63, 0x87178304],
    ];
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
    for (const [length, expected] of published) {
      expect({ length, hash: halfSipHash13(0x03020100, 0x07060504, bytes, 0, length) >>> 0 }).toEqual({
        length,
        hash: expected,
      });
    }
    const shifted = Uint8Array.from([9, 9, 9, ...bytes]);
    expect(halfSipHash13(0x03020100, 0x07060504, shifted, 3, 18) >>> 0).toBe(0xd0257b04);
  });

  it('gives other values under another key', () => {
    const topic = Buffer.from('topicA');
    expect(halfSipHash13(1, 2, topic, 0, 6)).not.toBe(halfSipHash13(1, 3, topic, 0, 6));
    expect(halfSipHash13(1, 2, topic, 0, 6)).not.toBe(halfSipHash13(2, 2, topic, 0, 6));
  });
});
