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
import { Outcomes } from './outcomes.js';
import { CHOSEN_PLACES, type Drivers, PLACES, Place, type PlaceName, SIDES } from './places.js';
import { PARTIES, SDK_OF } from './programs.js';

const MANNERS = { unicast: converseByUnicast, multicast: converseByMulticast } as const;
type Manner = keyof typeof MANNERS;

const sheetOf = (place: PlaceName, manner: string) => `${place}, ${manner}`;
/** Both directions in a cell. */
const outcomes = new Outcomes(
  CHOSEN_PLACES.flatMap((place) => Object.keys(MANNERS).map((manner) => sheetOf(place, manner))),
  PARTIES,
  PARTIES,
);
const LEFT_OUT = PLACES.filter((place) => !CHOSEN_PLACES.includes(place)).map(
  (place) => `\n${place}: left out on request\n`,
);

describe.each(CHOSEN_PLACES)('%s', (placeName) => {
  let place: Place;
  let drivers: Drivers;

  beforeAll(async () => {
    place = await Place.open(placeName);
    drivers = await place.connectAll();
  });
  afterAll(() => place?.close());

  it.each(PARTIES)('runs the SDK that %s stands for', (party) => {
    for (const side of SIDES) expect(drivers[side][party].sdk).toBe(SDK_OF[party]);
  });

  for (const manner of Object.keys(MANNERS) as Manner[]) {
    for (const publisher of PARTIES) {
      for (const subscriber of PARTIES) {
        it(`${manner}: ${publisher} to ${subscriber}`, () =>
          outcomes.run(sheetOf(placeName, manner), publisher, subscriber, async () => {
            await MANNERS[manner](drivers.left[publisher], drivers.right[subscriber]);
            await MANNERS[manner](drivers.right[publisher], drivers.left[subscriber]);
          }));
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
    console.log(`\n${outcomes}\n${LEFT_OUT.join('')}`);
    expect(outcomes.missing()).toEqual([]);
  });
});
