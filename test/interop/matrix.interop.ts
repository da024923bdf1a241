/**
 * Every SDK as publisher with every SDK as subscriber, by unicast and by multicast, at one relay and across two: each cell in
 * both directions. A cell that failed or did not run fails the suite.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  converseByMulticast,
  converseByUnicast,
  handled,
  heard,
  newTopic,
  reachable,
  unreachable,
} from './conversation.js';
import type { Driver } from './driver.js';
import { CHOSEN_PLACES, PLACES, Place, type PlaceName, SIDES, type Side } from './places.js';
import { PARTIES, type Party, SDK_OF } from './programs.js';

const MANNERS = { unicast: converseByUnicast, multicast: converseByMulticast } as const;
type Manner = keyof typeof MANNERS;

const outcomes = new Map<string, string>();
const cell = (place: PlaceName, manner: Manner, publisher: Party, subscriber: Party) =>
  `${place}, ${manner}, ${publisher} to ${subscriber}`;

describe.each(CHOSEN_PLACES)('%s', (placeName) => {
  let place: Place;
  let drivers: Record<Side, Record<Party, Driver>>;

  beforeAll(async () => {
    place = await Place.open(placeName);
    const of = async (side: Side) => {
      // One after the other: eight programs starting at once would starve each other.
      const entries: [Party, Driver][] = [];
      for (const party of PARTIES) entries.push([party, await place.connect(party, side)]);
      return Object.fromEntries(entries) as Record<Party, Driver>;
    };
    drivers = { left: await of('left'), right: await of('right') };
  });
  afterAll(() => place?.close());

  it.each(PARTIES)('runs the SDK that %s stands for', (party) => {
    for (const side of SIDES) expect(drivers[side][party].sdk).toBe(SDK_OF[party]);
  });

  for (const manner of Object.keys(MANNERS) as Manner[]) {
    for (const publisher of PARTIES) {
      for (const subscriber of PARTIES) {
        it(`${manner}: ${publisher} to ${subscriber}`, async () => {
          const name = cell(placeName, manner, publisher, subscriber);
          outcomes.set(name, 'FAILED');
          const startMs = performance.now();
          await MANNERS[manner](drivers.left[publisher], drivers.right[subscriber]);
          await MANNERS[manner](drivers.right[publisher], drivers.left[subscriber]);
          outcomes.set(name, `ok ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
        });
      }
    }
  }

  it('hands one multicast to every other subscriber once, and to its sender never', async () => {
    const topic = newTopic();
    const everybody = SIDES.flatMap((side) => PARTIES.map((party) => drivers[side][party]));
    for (const driver of everybody) await driver.subscribe(topic);
    const probers = { left: drivers.left.typescript, right: drivers.right.typescript };
    // Unicasts go round: when all have answered both sides, all are routable everywhere.
    for (const prober of Object.values(probers)) {
      const others = everybody.filter((driver) => driver !== prober);
      for (const other of others) await reachable(prober, other, topic);
    }
    for (const sender of everybody) await sender.multicast(topic, Buffer.from(`from ${sender.label}`));
    for (const driver of everybody) {
      const others = everybody.filter((other) => other !== driver).map(({ label }) => `from ${label}`);
      const came = () =>
        heard(driver, topic)
          .map((payload) => payload.toString())
          .sort();
      await expect.poll(came, { timeout: 10_000 }).toEqual(others.sort());
    }
    for (const driver of everybody) {
      await driver.unsubscribe(topic);
      await handled(driver);
    }
    await unreachable(probers.left, topic);
  });

  it('lists a topic in the first getPeers of a Java publisher, so that its demo need not wait 20 s', async () => {
    const topic = newTopic();
    const [publisher, subscriber] = [drivers.left['java-rsa'], drivers.right.go];
    await subscriber.subscribe(topic);
    await reachable(publisher, subscriber, topic);
    // A JVM that has asked nothing yet, as the demo is started.
    const newcomer = await place.connect('java-rsa', 'left');
    const answer = await newcomer.command('peers');
    expect(answer).toMatchObject({ ok: true });
    expect(answer.topics).toContain(topic);
    expect((await newcomer.unicast(topic, Buffer.from('hello'))).payload!.toString()).toBe(`${subscriber.label}:hello`);
    expect((await drivers.left.go.command('peers')).topics).toContain(topic);
    await subscriber.unsubscribe(topic);
    await handled(subscriber);
    await unreachable(publisher, topic);
    expect((await newcomer.command('peers')).topics).not.toContain(topic);
  });
});

describe('the matrix', () => {
  it('was run whole', () => {
    console.log(`\n${tables()}\n`);
    const wanted = CHOSEN_PLACES.flatMap((place) =>
      (Object.keys(MANNERS) as Manner[]).flatMap((manner) =>
        PARTIES.flatMap((publisher) => PARTIES.map((subscriber) => cell(place, manner, publisher, subscriber))),
      ),
    );
    expect(wanted.filter((name) => outcomes.get(name)?.startsWith('ok') !== true)).toEqual([]);
  });
});

/** One table for each place and manner: publishers down, subscribers across, both directions in a cell. */
function tables(): string {
  const width = Math.max(...PARTIES.map(({ length }) => length)) + 2;
  const line = (first: string, rest: readonly string[]) =>
    first.padEnd(width + 2) + rest.map((text) => text.padEnd(width)).join('');
  return PLACES.flatMap((place) => {
    if (!CHOSEN_PLACES.includes(place)) return [`${place}: left out on request`];
    return (Object.keys(MANNERS) as Manner[]).map((manner) =>
      [
        `${place}, ${manner}`,
        line('  from \\ to', PARTIES),
        ...PARTIES.map((publisher) =>
          line(
            `  ${publisher}`,
            PARTIES.map((subscriber) => outcomes.get(cell(place, manner, publisher, subscriber)) ?? 'NOT RUN'),
          ),
        ),
      ].join('\n'),
    );
  }).join('\n\n');
}
