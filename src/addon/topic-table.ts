import { halfSipHash13 } from './half-siphash.js';
import type { TopicInterner } from './types.js';

/** Smallest table; a power of two like every capacity. */
const CAPACITY_MIN = 64;
const EMPTY = -1;

/**
 * Topic bytes -> id, the TypeScript twin of native/core/topic_interner.h with the same invariants: linear probing over a
 * table at most half full, deletion by shifting back, shrinking when it empties. `find` allocates nothing.
 */
export class TopicTable implements TopicInterner {
  #size = 0;
  #mask = CAPACITY_MIN - 1;
  #ids = new Int32Array(CAPACITY_MIN).fill(EMPTY);
  #hashes = new Int32Array(CAPACITY_MIN);
  #topics: (Uint8Array | undefined)[] = new Array(CAPACITY_MIN).fill(undefined);
  readonly #k0: number;
  readonly #k1: number;

  /** @param seed at least 8 bytes that peers cannot guess */
  constructor(seed: Uint8Array) {
    const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
  }

  get size(): number {
    return this.#size;
  }

  /** Slots, for tests of growth and shrinking. */
  get capacity(): number {
    return this.#mask + 1;
  }

  intern(topic: Uint8Array, id: number): void {
    const hash = halfSipHash13(this.#k0, this.#k1, topic, 0, topic.length);
    let slot = this.#slotOf(hash, topic, 0, topic.length);
    if (this.#ids[slot] === EMPTY) {
      if ((this.#size + 1) * 2 > this.#mask + 1) {
        this.#resize((this.#mask + 1) * 2);
        slot = this.#slotOf(hash, topic, 0, topic.length);
      }
      this.#hashes[slot] = hash;
      // A copy: the caller's bytes are usually a view of a chunk that will be reused.
      this.#topics[slot] = new Uint8Array(topic);
      this.#size++;
    }
    this.#ids[slot] = id;
  }

  release(topic: Uint8Array): boolean {
    const ids = this.#ids;
    const mask = this.#mask;
    let hole = this.#slotOf(halfSipHash13(this.#k0, this.#k1, topic, 0, topic.length), topic, 0, topic.length);
    if (ids[hole] === EMPTY) return false;
    for (let next = (hole + 1) & mask; ids[next] !== EMPTY; next = (next + 1) & mask) {
      // A follower may fill the hole only when its home does not lie behind the hole.
      const home = this.#hashes[next]! & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      ids[hole] = ids[next]!;
      this.#hashes[hole] = this.#hashes[next]!;
      this.#topics[hole] = this.#topics[next];
      hole = next;
    }
    ids[hole] = EMPTY;
    this.#topics[hole] = undefined;
    this.#size--;
    if (mask + 1 > CAPACITY_MIN && this.#size * 8 < mask + 1) this.#resize((mask + 1) / 2);
    return true;
  }

  lookup(topic: Uint8Array): number {
    return this.find(topic, 0, topic.length);
  }

  /** The id of `bytes[from, to)` or -1. */
  find(bytes: Uint8Array, from: number, to: number): number {
    if (this.#size === 0) return EMPTY;
    return this.#ids[this.#slotOf(halfSipHash13(this.#k0, this.#k1, bytes, from, to), bytes, from, to)]!;
  }

  /** The slot that holds the topic, or the empty one where it would go. */
  #slotOf(hash: number, bytes: Uint8Array, from: number, to: number): number {
    const mask = this.#mask;
    let slot = hash & mask;
    while (this.#ids[slot] !== EMPTY) {
      if (this.#hashes[slot] === hash && equals(this.#topics[slot]!, bytes, from, to)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #resize(capacity: number): void {
    const mask = capacity - 1;
    const ids = new Int32Array(capacity).fill(EMPTY);
    const hashes = new Int32Array(capacity);
    const topics: (Uint8Array | undefined)[] = new Array(capacity).fill(undefined);
    for (let i = 0; i <= this.#mask; i++) {
      if (this.#ids[i] === EMPTY) continue;
      let slot = this.#hashes[i]! & mask;
      while (ids[slot] !== EMPTY) slot = (slot + 1) & mask;
      ids[slot] = this.#ids[i]!;
      hashes[slot] = this.#hashes[i]!;
      topics[slot] = this.#topics[i];
    }
    this.#mask = mask;
    this.#ids = ids;
    this.#hashes = hashes;
    this.#topics = topics;
  }
}

function equals(topic: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (topic.length !== to - from) return false;
  for (let i = 0; i < topic.length; i++) {
    if (topic[i] !== bytes[from + i]) return false;
  }
  return true;
}
