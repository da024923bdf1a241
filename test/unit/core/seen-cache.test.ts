import { describe, expect, it } from 'vitest';
import { SeenCache } from '../../../src/core/seen-cache.js';
import { MULTICAST, makeMessage } from './fakes.js';

const message = (seq: string, payload = 'p', result = 0): Buffer => makeMessage(MULTICAST, seq, 'T', payload, result);

describe('seen cache', () => {
  it('knows nothing of a first copy, and at the second who sent the first', () => {
    const cache = new SeenCache(10, 1_000);
    expect(cache.note(message('a'), 7, true, 3, 0)).toBeUndefined();
    expect(cache.note(Buffer.from(message('a')), 8, true, 4, 999)).toMatchObject({ senders: [7], changes: 3 });
    expect(cache.size).toBe(1);
  });

  it('tells messages apart by sequence, result and body', () => {
    const cache = new SeenCache(10, 1_000);
    cache.note(message('a'), 1, true, 0, 0);
    for (const other of [message('b'), message('a', 'q'), message('a', 'p', 1)]) {
      expect(cache.note(other, 1, true, 0, 0)).toBeUndefined();
    }
    expect(cache.size).toBe(4);
  });

  it('takes a copy after the time to live for a new message, and counts its time from there', () => {
    const cache = new SeenCache(10, 1_000);
    cache.note(message('a'), 1, true, 0, 0);
    expect(cache.note(message('a'), 2, true, 5, 1_000)).toBeUndefined();
    expect(cache.note(message('a'), 3, true, 6, 1_999)).toMatchObject({ senders: [2], changes: 5 });
  });

  it('forgets what is too old, and nothing else', () => {
    const cache = new SeenCache(10, 1_000);
    cache.note(message('a'), 1, true, 0, 0);
    cache.note(message('b'), 1, true, 0, 500);
    cache.expire(999);
    expect(cache.size).toBe(2);
    cache.expire(1_000);
    expect(cache.size).toBe(1);
    expect(cache.note(message('b'), 1, true, 0, 1_100)).toBeDefined();
    cache.expire(1_500);
    expect(cache.size).toBe(0);
  });

  it('forgets a renewed message in the order of its new time', () => {
    const cache = new SeenCache(10, 1_000);
    cache.note(message('a'), 1, true, 0, 0);
    cache.note(message('b'), 1, true, 0, 900);
    cache.note(message('a'), 1, true, 0, 1_000);
    cache.expire(1_950);
    expect(cache.size).toBe(1);
    expect(cache.note(message('a'), 1, true, 0, 1_960)).toBeDefined();
  });

  it('never remembers more than its bound, and forgets the oldest first', () => {
    const cache = new SeenCache(3, 1_000);
    for (let at = 0; at < 10; at++) {
      cache.note(message(`m${at}`), 1, true, 0, at);
      expect(cache.size).toBeLessThanOrEqual(3);
    }
    expect(cache.note(message('m9'), 1, true, 0, 10)).toBeDefined();
    expect(cache.note(message('m7'), 1, true, 0, 10)).toBeDefined();
    expect(cache.note(message('m6'), 1, true, 0, 10)).toBeUndefined();
  });
});
