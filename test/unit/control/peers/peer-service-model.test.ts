/**
 * Two peer services with random subscriptions over virtual links: what each shard is told to route ends in what the other side
 * has, without waiting for the announcement of every five seconds, and a route that stands is never missing while links
 * change places.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { Name } from './host-world.js';
import { makeServiceWorld, type ServiceProcess, type ServiceWorld, servicesOf } from './service-world.js';
import type { Cut } from './virtual-network.js';

const TOPICS = ['a', 'b', 'c', '_block_notify_1', '#!$TopicNeedVerify_x'];
const isListed = (topic: string) => topic.length === 1;

type Step =
  | { readonly kind: 'change'; readonly who: Name; readonly topic: number; readonly by: 1 | -1 }
  | { readonly kind: 'cut'; readonly noticedBy: Cut }
  | { readonly kind: 'miss'; readonly who: Name }
  | { readonly kind: 'restart'; readonly who: Name }
  | { readonly kind: 'pass'; readonly ms: number };

const seed = fc.integer({ min: 0, max: 0x7fffffff });
const who = fc.constantFrom<Name>('lower', 'higher');
const delayMsMax = fc.constantFrom(1, 10, 80, 200);
const endpoints = fc.constantFrom<[number, number]>([1, 1], [1, 0], [0, 1], [2, 1], [1, 2], [0, 2], [2, 0]);

const change = fc.record({
  kind: fc.constant('change' as const),
  who,
  topic: fc.nat(TOPICS.length - 1),
  by: fc.constantFrom(1 as const, 1 as const, -1 as const),
});
const pass = fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 5, 19, 40, 150, 700, 3_000) });
const cut = fc.record({
  kind: fc.constant('cut' as const),
  noticedBy: fc.constantFrom<Cut>('both', 'both', 'dialler', 'acceptor', 'nobody'),
});
const miss = fc.record({ kind: fc.constant('miss' as const), who });
const restart = fc.record({ kind: fc.constant('restart' as const), who });

function run(world: ServiceWorld, steps: readonly Step[]): void {
  world.start();
  for (const step of steps) {
    if (step.kind === 'cut') world.cut(step.noticedBy);
    else if (step.kind === 'pass') world.time.pass(step.ms);
    else if (step.kind === 'restart') {
      world[step.who].stop(true);
      world.time.pass(100);
      world[step.who].start();
    } else {
      const one = servicesOf(world)[step.who === 'lower' ? 0 : 1];
      if (step.kind === 'miss') one.miss();
      else one.change(TOPICS[step.topic], step.by);
    }
  }
}

/** Every shard has routes to exactly what the other side has, over the one link that there is. */
function expectRoutes(world: ServiceWorld): void {
  const [lower, higher] = servicesOf(world);
  for (const [here, there] of [
    [lower, higher],
    [higher, lower],
  ]) {
    const link = here.links.get(here.active ?? -1);
    const wanted = [...there.subscribers].filter(([topic]) => isListed(topic)).sort();
    const got = [...(link?.routes ?? [])].sort();
    if (JSON.stringify(got) !== JSON.stringify(wanted)) {
      throw new Error(`${here.host.name} routes to ${JSON.stringify(got)}, there is ${JSON.stringify(wanted)}`);
    }
    if (link?.bootEpochMs !== there.bootEpochMs) throw new Error('the shard does not know to which start a link leads');
    if (here.refused > 0) throw new Error(`${here.host.name} took ${here.refused} frames of the other for bad input`);
  }
}

/** Whenever nothing has happened for a second: less than an announcement of every five seconds takes to come. */
function expectRoutesWhenQuiet(world: ServiceWorld, durationMs: number): void {
  let { changes } = world;
  let quietMs = 0;
  let looks = 0;
  for (let passedMs = 0; passedMs < durationMs; passedMs += 20) {
    world.time.pass(20);
    quietMs = world.changes === changes && world.settled !== undefined ? quietMs + 20 : 0;
    changes = world.changes;
    if (quietMs < 1_000) continue;
    expectRoutes(world);
    looks++;
  }
  if (looks === 0) throw new Error(`not settled within ${durationMs} ms`);
}

describe('two relays', () => {
  it('know each other’s topics with their counts a moment after they have one link, whatever changed meanwhile', () => {
    const steps = fc.array(fc.oneof({ weight: 3, arbitrary: change }, pass, miss), { maxLength: 30, size: 'max' });
    fc.assert(
      fc.property(fc.record({ seed, delayMsMax, endpoints }), steps, (setup, what) => {
        const world = makeServiceWorld(setup);
        run(world, what);
        world.time.pass(2_000);
        expectRoutes(world);
      }),
      { numRuns: 1000 },
    );
  });

  it('know them again after cuts and restarts', () => {
    const steps = fc.array(
      fc.oneof({ weight: 4, arbitrary: change }, { weight: 2, arbitrary: pass }, miss, cut, restart),
      {
        maxLength: 30,
        size: 'max',
      },
    );
    fc.assert(
      fc.property(fc.record({ seed, delayMsMax, endpoints }), steps, (setup, what) => {
        const world = makeServiceWorld(setup);
        run(world, what);
        expectRoutesWhenQuiet(world, 15_000);
      }),
      { numRuns: 400 },
    );
  });

  it('never lack a route that stood while two links become one', () => {
    fc.assert(
      fc.property(seed, delayMsMax, (theSeed, theDelay) => {
        const world = makeServiceWorld({ seed: theSeed, delayMsMax: theDelay, endpoints: [1, 1] });
        world.start();
        const stood = new Set<ServiceProcess>();
        const always = world.time.always;
        world.time.always = () => {
          always();
          for (const one of servicesOf(world)) {
            const stands = [...one.links.values()].some(({ routes }) => routes.has('a'));
            if (stands) stood.add(one);
            else if (stood.has(one)) throw new Error(`${one.host.name} has lost its route`);
          }
        };
        for (const one of servicesOf(world)) one.change('a', 1);
        world.time.pass(3_000);
        if (stood.size !== 2) throw new Error('a route is missing');
      }),
      { numRuns: 1000 },
    );
  });
});
