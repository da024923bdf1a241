/**
 * Two gossips at the ends of a link that loses nothing and keeps order, with random changes at both ends: the lists that each
 * holds become those of the other, a bounded time after the last change, and what goes over the link keeps to its rules.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Gossip, type GossipPeer } from '../../../../src/control/peers/gossip.js';
import { RELAY_MODULE } from '../../../../src/wire/mesh/relay-module.js';
import { P2PModule, TopicPacketType } from '../../../../src/wire/p2p/protocol-id.js';
import { seededRandom } from '../../../helpers/random.js';
import { VirtualTime } from './virtual-network.js';

const LINK = 1;
const TOPICS = ['a', 'b', 'c', 'd e', 'ü', '_block_notify_1', '#!$PushChannel_x'];
const isListed = (topic: string): boolean => !topic.startsWith('_block') && !topic.startsWith('#!$');
const CHANGE_INTERVAL_MS = 20;
const ROUNDING_MS = 1e-6;

interface Setup {
  readonly seed: number;
  readonly delayMsMax: number;
  /** Of each end: when it routes over the link, and when it learns that the other is a relay; never for a 2.x node. */
  readonly ends: readonly [End, End];
}

interface End {
  readonly activeMs: number;
  readonly relayMs: number | undefined;
}

class Side {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly delayMsMax: number;
  readonly gossip: Gossip;
  readonly subscribers = new Map<string, number>();
  other: Side | undefined = undefined;
  routes: ReadonlyMap<string, number> = new Map();
  active = false;
  isRelay = false;
  #arrivalMs = 0;
  /** Pulls that were not answered, by seq. */
  readonly #pulls = new Set<number>();
  /** Whether a pull was given up because the other proved to be a relay. */
  #abandoned = 0;
  /** The last version of our topics that was told of, and when that was. */
  #version = 1;
  #changedMs = Number.NEGATIVE_INFINITY;

  constructor(time: VirtualTime, random: () => number, delayMsMax: number) {
    this.time = time;
    this.random = random;
    this.delayMsMax = delayMsMax;
    this.gossip = new Gossip({
      send: (_link, module, response, packetType, seq, payload) =>
        this.#send(module, response, packetType, seq, payload),
      routes: (_link, topics) => {
        if (!this.active) throw new Error('routes of a link that is not routed over');
        this.routes = topics;
      },
      pulled: () => {},
      privateTopics: () => {},
      listPulled: () => {},
      refused: (_link, refusal) => {
        throw new Error(`the other end was refused: ${refusal}`);
      },
    });
    this.gossip.add(this.#peer(false), time.nowMs);
    time.every(random() * 20, 20, () => {
      this.gossip.tick(time.nowMs);
      this.#checkVersion();
      return true;
    });
  }

  start({ activeMs, relayMs }: End): void {
    this.time.at(activeMs, () => {
      this.active = true;
      this.isRelay = relayMs !== undefined && relayMs <= activeMs;
      this.gossip.activate(this.#peer(this.isRelay), this.time.nowMs);
    });
    if (relayMs === undefined || relayMs <= activeMs) return;
    this.time.at(relayMs, () => {
      this.isRelay = true;
      this.#abandoned += this.#pulls.size;
      this.gossip.becameRelay(this.#peer(true), this.time.nowMs);
    });
  }

  change(topic: string, by: 1 | -1): void {
    const count = (this.subscribers.get(topic) ?? 0) + by;
    if (count < 0) return;
    if (count === 0) this.subscribers.delete(topic);
    else this.subscribers.set(topic, count);
    this.gossip.topicsChanged(by > 0 ? [topic] : [], by < 0 ? [topic] : [], this.time.nowMs);
    this.#checkVersion();
  }

  /** What the other end must come to hold: counts for a relay, a set for who is not told of counts. */
  listed(withCounts: boolean): string {
    const counts = [...this.subscribers].filter(([topic]) => isListed(topic));
    return JSON.stringify(counts.map(([topic, count]) => [topic, withCounts ? count : 1]).sort());
  }

  #peer(isRelay: boolean): GossipPeer {
    return { link: LINK, nodeId: 'f'.repeat(128), isRelay, bootEpochMs: isRelay ? 1 : 0 };
  }

  #send(module: number, response: boolean, packetType: number, seq: number, payload: Buffer): void {
    if (!response && !this.active) throw new Error('a request over a link that is not routed over');
    if (!response && packetType === TopicPacketType.sendTopicSeq) this.#checkAnnouncement(module, payload.toString());
    if (!response && packetType === TopicPacketType.requestTopics) this.#checkPull(module, seq);
    const { other } = this;
    if (!other) return;
    other.#arrivalMs = Math.max(other.#arrivalMs, this.time.nowMs + this.random() * this.delayMsMax);
    this.time.at(other.#arrivalMs, () => {
      if (response) other.#pulls.delete(seq);
      other.gossip.frame(LINK, module, response, packetType, seq, payload, this.time.nowMs);
    });
  }

  #checkAnnouncement(module: number, number: string): void {
    if (module !== P2PModule.topics) throw new Error('numbers go out under the module that all know');
    if (number === '0') throw new Error('number 0 was announced');
  }

  /** Changes are told of at most every 20 ms. */
  #checkVersion(): void {
    const { nowMs } = this.time;
    const version = this.gossip.own.countSeq;
    if (version === this.#version) return;
    const sinceMs = nowMs - this.#changedMs;
    if (sinceMs < CHANGE_INTERVAL_MS - ROUNDING_MS) throw new Error(`two changes within ${sinceMs} ms`);
    this.#version = version;
    this.#changedMs = nowMs;
  }

  #checkPull(module: number, seq: number): void {
    if ((module === RELAY_MODULE) !== this.isRelay) throw new Error('a list was asked for in the wrong form');
    if (seq === 0) throw new Error('a pull without a number');
    this.#pulls.add(seq);
    if (this.#pulls.size > 1 + this.#abandoned) throw new Error('two pulls are in flight');
  }
}

const timeMs = fc.integer({ min: 0, max: 400 });
const relay = fc.record({ activeMs: timeMs, relayMs: timeMs });
const node = fc.record({ activeMs: timeMs, relayMs: fc.constant(undefined) });
const ends = fc.oneof({ weight: 3, arbitrary: fc.tuple(relay, relay) }, fc.tuple(node, node));
const setup: fc.Arbitrary<Setup> = fc.record({
  seed: fc.integer({ min: 0, max: 0x7fffffff }),
  delayMsMax: fc.constantFrom(1, 15, 100),
  ends,
});
const change = fc.record({
  side: fc.nat(1),
  topic: fc.nat(TOPICS.length - 1),
  by: fc.constantFrom(1 as const, 1 as const, -1 as const),
  thenMs: fc.constantFrom(0, 0, 1, 7, 19, 20, 45, 200, 1_000),
});

describe('two gossips', () => {
  it('hold the list of the other a moment after its last change, and keep to the rules all the way', () => {
    fc.assert(
      fc.property(
        setup,
        fc.array(change, { maxLength: 60, size: 'max' }),
        ({ seed, delayMsMax, ends: two }, changes) => {
          const time = new VirtualTime();
          const random = seededRandom(seed);
          const sides = [new Side(time, random, delayMsMax), new Side(time, random, delayMsMax)] as const;
          sides[0].other = sides[1];
          sides[1].other = sides[0];
          sides[0].start(two[0]);
          sides[1].start(two[1]);
          for (const { side, topic, by, thenMs } of changes) {
            sides[side].change(TOPICS[topic], by);
            time.pass(thenMs);
          }
          time.pass(Math.max(0, 400 - time.nowMs));
          // A tick until the number goes out, a pull in flight and the next one, the bound on pulls: less than the five
          // seconds after which numbers are repeated.
          time.pass(20 + 5 * delayMsMax + 100);
          for (const [here, there] of [sides, [sides[1], sides[0]]]) {
            const got = JSON.stringify([...here.routes].sort());
            if (got !== there.listed(here.isRelay)) throw new Error(`holds ${got} of ${there.listed(here.isRelay)}`);
          }
          time.pass(30_000);
        },
      ),
      { numRuns: 1500 },
    );
  });
});
