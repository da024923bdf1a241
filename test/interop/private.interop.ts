/**
 * Private topics, every sender with every receiver, at one relay and across two: each cell in both directions. A cell that
 * failed or did not run fails the suite.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { handled, heard, NO_ROUTE, newTopic } from './conversation.js';
import type { Driver } from './driver.js';
import { Outcomes } from './outcomes.js';
import { CHOSEN_PLACES, type Drivers, Place, SIDES } from './places.js';
import { certified, privateMulticast, privateUnicast, wrongKey } from './private-conversation.js';
import { type KeyForm, type KeyPair, TopicKeys } from './private-keys.js';
import { PARTIES, type Party, SDK_OF } from './programs.js';

const MANNERS = { unicast: privateUnicast, multicast: privateMulticast, 'wrong key': wrongKey } as const;
type Manner = keyof typeof MANNERS;

/** Four JVMs, two relays and more, on a busy machine. */
const START_DEADLINE_MS = 300_000;

/** Of our client, whose sender is an object that was closed. */
const CLOSED = 99;

interface Receiver {
  readonly party: Party;
  readonly form: KeyForm;
}

/** The Java SDK reads its private key from PEM and from PKCS#12, with either security provider; the others read PEM. */
const RECEIVERS: readonly Receiver[] = PARTIES.flatMap((party): Receiver[] =>
  party === 'java-rsa' || party === 'java-secp256k1'
    ? [
        { party, form: 'pem' },
        { party, form: 'p12' },
      ]
    : [{ party, form: 'pem' }],
);
const columnOf = ({ party, form }: Receiver) => `${party} ${form}`;

const sheetOf = (place: string, manner: string) => `${place}, ${manner}`;
const outcomes = new Outcomes(
  CHOSEN_PLACES.flatMap((place) => Object.keys(MANNERS).map((manner) => sheetOf(place, manner))),
  PARTIES,
  RECEIVERS.map(columnOf),
);

let keys: TopicKeys;
let pairs: Record<KeyForm, KeyPair>;
let other: KeyPair;

beforeAll(async () => {
  keys = await TopicKeys.create();
  pairs = { pem: await keys.generate('receiver', 'pem'), p12: await keys.generate('java receiver', 'p12') };
  other = await keys.generate('other', 'pem');
});
afterAll(() => keys?.remove());

describe.each(CHOSEN_PLACES)('private topics, %s', (placeName) => {
  let place: Place;
  let drivers: Drivers;

  beforeAll(async () => {
    place = await Place.open(placeName);
    drivers = await place.connectAll();
  }, START_DEADLINE_MS);
  afterAll(() => place?.close());

  it.each(PARTIES)('run the SDK that %s stands for', (party) => {
    for (const side of SIDES) expect(drivers[side][party].sdk).toBe(SDK_OF[party]);
  });

  for (const manner of Object.keys(MANNERS) as Manner[]) {
    for (const party of PARTIES) {
      for (const receiver of RECEIVERS) {
        it(`${manner}: ${party} to ${columnOf(receiver)}`, () =>
          outcomes.run(sheetOf(placeName, manner), party, columnOf(receiver), async () => {
            for (const [here, there] of [
              ['left', 'right'],
              ['right', 'left'],
            ] as const) {
              await MANNERS[manner]({
                sender: drivers[here][party],
                receiver: drivers[there][receiver.party],
                pair: pairs[receiver.form],
                other,
                bystander: drivers[here][party === 'go' ? 'java-rsa' : 'go'],
                refusals: () => place.certifications(here, 'refused'),
              });
            }
          }));
      }
    }
  }

  it.each(PARTIES)('hand one multicast of %s to every certified receiver once', async (party) => {
    const topic = newTopic();
    const sender = drivers.left[party];
    const receivers = SIDES.flatMap((side) => PARTIES.map((one) => drivers[side][one])).filter((one) => one !== sender);
    await sender.publishPrivate(topic, pairs.pem.publicKeyFile);
    for (const receiver of receivers) await receiver.subscribePrivate(topic, pairs.pem.privateKey);
    // Unicasts go round: when all have answered, all are certified.
    for (const receiver of receivers) await certified(sender, receiver, topic);
    await sender.multicastPrivate(topic, Buffer.from('to all'));
    const copiesAt = (receiver: Driver) =>
      receiver.messagesOn(topic).filter(({ payload }) => payload.toString() === 'to all').length;
    await until(() => receivers.every((receiver) => copiesAt(receiver) > 0), 'a copy at every receiver');
    for (const receiver of receivers) await handled(receiver);
    expect(receivers.map(copiesAt)).toEqual(receivers.map(() => 1));
    for (const receiver of receivers) {
      await receiver.unsubscribePrivate(topic);
      await handled(receiver);
    }
  });

  it.each(PARTIES)('end when %s gives up sending', async (party) => {
    const topic = newTopic();
    const [sender, receiver] = [drivers.left[party], drivers.right['java-rsa']];
    await sender.publishPrivate(topic, pairs.pem.publicKeyFile);
    await receiver.subscribePrivate(topic, pairs.pem.privateKey);
    await certified(sender, receiver, topic);
    await sender.unpublishPrivate(topic);
    await handled(sender);
    const answer = await sender.unicastPrivate(topic, Buffer.from('late'));
    expect(answer).toMatchObject({ ok: false, code: party === 'typescript' ? CLOSED : NO_ROUTE });
    await handled(receiver);
    expect(heard(receiver, topic)).toEqual([]);
    await receiver.unsubscribePrivate(topic);
    await handled(receiver);
  });

  it('stay certified while a Java receiver renames its challenge topics, as it does with each subscription', async () => {
    const [topic, further] = [newTopic(), newTopic()];
    const [sender, receiver] = [drivers.left.go, drivers.right['java-rsa']];
    await sender.publishPrivate(topic, pairs.pem.publicKeyFile);
    await receiver.subscribePrivate(topic, pairs.pem.privateKey);
    await certified(sender, receiver, topic);
    const certifications = await place.certifications('left', 'certified');
    await receiver.subscribe(further);
    await receiver.unsubscribe(further);
    for (let n = 0; n < 20; n++)
      expect(await sender.unicastPrivate(topic, Buffer.from('x'))).toMatchObject({ ok: true });
    expect(await place.certifications('left', 'certified')).toBe(certifications);
    await receiver.unsubscribePrivate(topic);
    await handled(receiver);
  });

  if (placeName === 'two relays') {
    it('reach from a Java sender that is connected to both relays and challenges through either', async () => {
      const topic = newTopic();
      const sender = await place.connectToBoth('java-rsa');
      const receiver = drivers.right.go;
      await sender.publishPrivate(topic, pairs.pem.publicKeyFile);
      await receiver.subscribePrivate(topic, pairs.pem.privateKey);
      let inARow = 0;
      // A unicast takes one of the relays at random, and each certifies by itself.
      await until(
        async () => {
          const { ok } = await sender.unicastPrivate(topic, Buffer.from('hello'));
          inARow = ok ? inARow + 1 : 0;
          return inARow >= 30;
        },
        () => `30 answers in a row through both relays, ${inARow} came`,
        20_000,
      );
      await receiver.unsubscribePrivate(topic);
      await handled(receiver);
    });
  }
});

describe('the matrix of private topics', () => {
  it('was run whole', () => {
    console.log(`\n${outcomes}\n`);
    expect(outcomes.missing()).toEqual([]);
  });
});
