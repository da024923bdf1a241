/**
 * Peer books at both ends of virtual links with random delays, through dials at the same instant, cuts that both, one or no end
 * notices, and restarts. Whatever happened: at any time each book has at most one active link and knows exactly the links that
 * are open; a bounded time later both have one link, the same one, and nothing else happens.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { makeBookWorld } from './book-world.js';
import type { Name, World } from './host-world.js';
import type { Cut } from './virtual-network.js';

type Step =
  | { readonly kind: 'cut'; readonly noticedBy: Cut }
  | { readonly kind: 'stop'; readonly who: Name; readonly heard: boolean }
  | { readonly kind: 'start'; readonly who: Name }
  | { readonly kind: 'pass'; readonly ms: number };

const seed = fc.integer({ min: 0, max: 0x7fffffff });
const name = fc.constantFrom<Name>('lower', 'higher');
const delayMsMax = fc.constantFrom(1, 10, 80, 200);
/** One side dials or both do, some of them over two addresses of the other. */
const endpoints = fc.constantFrom<[number, number]>([1, 1], [1, 0], [0, 1], [2, 1], [1, 2], [2, 2], [0, 2], [3, 0]);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      noticedBy: fc.constantFrom<Cut>('both', 'dialler', 'acceptor', 'nobody'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('stop' as const), who: name, heard: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const), who: name }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 30, 150, 700, 3_000, 15_000) }),
  },
);
const steps = fc.array(step, { minLength: 1, maxLength: 12 });

function run(world: World<unknown>, what: readonly Step[]): void {
  world.start();
  for (const one of what) {
    if (one.kind === 'cut') world.cut(one.noticedBy);
    else if (one.kind === 'stop') world[one.who].stop(one.heard);
    else if (one.kind === 'start') world[one.who].start();
    else world.time.pass(one.ms);
  }
  world.start();
}

describe('two relays', () => {
  it('have exactly one link within two seconds after they dialled each other at the same instant', () => {
    fc.assert(
      fc.property(seed, delayMsMax, endpoints, (theSeed, theDelay, theEndpoints) => {
        const world = makeBookWorld({ seed: theSeed, delayMsMax: theDelay, endpoints: theEndpoints });
        world.start();
        world.expectSettled(2_000);
      }),
      { numRuns: 100 },
    );
  });

  it('are never without a link while two become one', () => {
    fc.assert(
      fc.property(seed, delayMsMax, (theSeed, theDelay) => {
        const world = makeBookWorld({ seed: theSeed, delayMsMax: theDelay, endpoints: [1, 1] });
        const connected = new Set<unknown>();
        const { always } = world.time;
        world.time.always = () => {
          always();
          for (const { name: host, process } of [world.lower, world.higher]) {
            if (process?.active !== undefined) connected.add(host);
            else if (connected.has(host)) throw new Error(`the ${host} one has lost its link`);
          }
        };
        world.start();
        world.expectSettled(2_000);
        if (world.dials !== 2) throw new Error(`${world.dials} dials`);
      }),
      { numRuns: 100 },
    );
  });

  it('are connected again within a second after a restart', () => {
    // One that nobody heard of is seen by the new hello, so the restarted one must dial; else any side may.
    const restart = fc.oneof(
      fc.record({ heard: fc.constant(true), dialling: fc.constantFrom<[number, number]>([1, 1], [1, 0], [0, 1]) }),
      fc.record({ heard: fc.constant(false), dialling: fc.constant<[number, number]>([1, 1]) }),
    );
    const downMs = fc.integer({ min: 50, max: 8_000 });
    fc.assert(
      fc.property(seed, fc.constantFrom(1, 10, 80), restart, name, downMs, (theSeed, delay, how, who, ms) => {
        const world = makeBookWorld({ seed: theSeed, delayMsMax: delay, endpoints: how.dialling });
        world.start();
        world.time.pass(8_000);
        world[who].stop(how.heard);
        world.time.pass(ms);
        world[who].start();
        world.time.pass(1_000);
        const [a, b] = [world.lower.process?.active, world.higher.process?.active];
        if (a === undefined || a !== b) throw new Error('not connected after a second');
        world.expectSettled(1_000);
      }),
      { numRuns: 100 },
    );
  });

  it('come back to one link, the same one, after any cuts and restarts', () => {
    fc.assert(
      fc.property(fc.record({ seed, delayMsMax, endpoints }), steps, (setup, what) => {
        const world = makeBookWorld(setup);
        run(world, what);
        // Ten seconds of silence that nobody noticed, a dial, a settlement.
        world.expectSettled(15_000);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe('a relay and a 2.x node, which keeps its first link and closes others', () => {
  it('come to one link after any cuts and restarts', () => {
    fc.assert(
      fc.property(fc.record({ seed, delayMsMax, endpoints, legacy: name }), steps, (setup, what) => {
        const world = makeBookWorld(setup);
        run(world, what);
        // A minute until the node gives up a link that only the relay knows to be dead, then the next dial.
        world.expectSettled(75_000);
      }),
      { numRuns: 25 },
    );
  });
});
