import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../helpers/random.js';
import { FakeEndpoint, MULTICAST, makeMessage, makeWorld } from './fakes.js';

const FRAME = makeMessage(MULTICAST, 'm', 'T', 'news');
const copy = (): Buffer => Buffer.from(FRAME);
const counts = (...endpoints: FakeEndpoint[]): number[] => endpoints.map(({ delivered }) => delivered.length);

describe('a multicast of a session', () => {
  it('goes once to every peer with subscribers, however many it has, and to every session', () => {
    const world = makeWorld();
    const [one, five, none, session] = [
      world.joinPeer({ T: 1 }),
      world.joinPeer({ T: 5 }),
      world.joinPeer({ U: 1 }),
      world.join('T'),
    ];
    const sender = world.join('T');
    expect(world.multicast(sender, FRAME)).toBe(3);
    expect(counts(one, five, none, session, sender)).toEqual([1, 1, 0, 1, 0]);
    expect(one.delivered[0]).toBe(FRAME);
    expect([...one.tickets, ...five.tickets], 'a peer ignores the number, but 0 means none').not.toContain(0);
    expect(world.observer.forwardedFrames).toEqual(Array(2).fill({ sender, frameBytes: FRAME.length }));
    expect(world.observer.askedToForward, 'a multicast has passed the limits before').toEqual([]);
  });

  it('tells of a copy that a full link lost, and charges nothing for it', () => {
    const world = makeWorld();
    const [full, free, sender] = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 }), world.join()];
    full.full = true;
    let dropped = 0;
    expect(world.multicast(sender, FRAME, 'T', () => dropped++)).toBe(1);
    expect([dropped, ...counts(full, free), world.observer.forwardedFrames.length]).toEqual([1, 0, 1, 1]);
  });

  it('goes with its second copy to the peer that got subscribers in between, and to no other', () => {
    const world = makeWorld();
    const [early, late, first, second] = [world.joinPeer({ T: 1 }), world.joinPeer(), world.join(), world.join()];
    world.multicast(first, copy());
    world.route(late, { T: 1 });
    expect(world.multicast(second, copy())).toBe(1);
    expect(world.multicast(first, copy())).toBe(-1);
    expect(counts(early, late)).toEqual([1, 1]);
  });

  it('goes to no peer a second time because more sessions subscribe there', () => {
    const world = makeWorld();
    const [peer, first, second] = [world.joinPeer({ T: 1 }), world.join(), world.join()];
    world.multicast(first, copy());
    world.route(peer, { T: 2 });
    world.multicast(second, copy());
    expect(counts(peer)).toEqual([1]);
  });
});

describe('a multicast from a peer', () => {
  it('goes to sessions and to no peer, least of all back', () => {
    const world = makeWorld();
    const [from, other, session] = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 }), world.join('T')];
    expect(world.multicast(from, FRAME)).toBe(1);
    expect([counts(from, other, session), world.observer.forwardedFrames]).toEqual([[0, 0, 1], []]);
  });

  it('is a duplicate when another peer has brought it', () => {
    const world = makeWorld();
    const [one, two, session] = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 }), world.join('T')];
    expect([world.multicast(one, copy()), world.multicast(two, copy())]).toEqual([1, -1]);
    expect(counts(session)).toEqual([1]);
  });

  it('does not keep the copy of a session here from the other peers, which get it once', () => {
    const world = makeWorld();
    const [from, other] = [world.joinPeer({ T: 1 }), world.joinPeer({ T: 1 })];
    const [session, first, second] = [world.join('T'), world.join(), world.join()];
    world.multicast(from, copy());
    expect(world.multicast(first, copy())).toBe(1);
    expect(counts(from, other, session)).toEqual([0, 1, 1]);
    expect([world.multicast(second, copy()), world.multicast(from, copy())]).toEqual([-1, -1]);
    expect(counts(from, other, session)).toEqual([0, 1, 1]);
    expect(world.observer.forwardedFrames).toEqual([{ sender: first, frameBytes: FRAME.length }]);
  });

  it('does not come to the session that sent it here', () => {
    const world = makeWorld();
    const [peer, sender] = [world.joinPeer({ T: 1 }), world.join('T')];
    world.multicast(sender, copy());
    expect(world.multicast(peer, copy())).toBe(-1);
    expect(counts(sender)).toEqual([0]);
  });

  it('goes to nobody and is not remembered when nobody subscribes here', () => {
    const world = makeWorld();
    const peer = world.joinPeer();
    expect(world.multicast(peer, copy())).toBe(0);
    const late = world.join('T');
    expect(world.multicast(peer, copy())).toBe(1);
    expect(counts(late)).toEqual([1]);
  });
});

/** Relays joined in a full mesh, whose links deliver when the test says so. */
class Mesh {
  readonly worlds: ReturnType<typeof makeWorld>[];
  /** Frames on their way, in order for each link. */
  readonly #ways: { frames: Buffer[]; arrive: (frame: Buffer) => void }[] = [];

  constructor(relays: number) {
    this.worlds = Array.from({ length: relays }, () => makeWorld());
    const links = this.worlds.map((world) => this.worlds.map(() => world.joinPeer({ T: 1 })));
    this.worlds.forEach((_, at) => {
      this.worlds.forEach((there, to) => {
        if (at === to) return;
        const frames: Buffer[] = [];
        links[at][to].deliver = (frame) => frames.push(frame) > 0;
        this.#ways.push({ frames, arrive: (frame) => there.multicast(links[to][at], Buffer.from(frame)) });
      });
    });
    // A relay has no link to itself.
    links.forEach((own, at) => {
      this.worlds[at].leave(own[at]);
    });
  }

  get waiting(): number {
    return this.#ways.reduce((sum, { frames }) => sum + frames.length, 0);
  }

  /** Lets the first frame of some link arrive. */
  step(random: () => number): void {
    const ways = this.#ways.filter(({ frames }) => frames.length > 0);
    const way = ways[Math.floor(random() * ways.length)];
    const frame = way?.frames.shift();
    if (way && frame) way.arrive(frame);
  }
}

/** Notes when it gets a message that it has sent itself. */
class Application extends FakeEndpoint {
  readonly sent = new Set<string>();

  override deliver(frame: Buffer, ticket: number): boolean {
    if (this.sent.has(frame.toString('hex'))) throw new Error('a session got its own message');
    return super.deliver(frame, ticket);
  }
}

describe('one message sent over several sessions at several relays', () => {
  it('comes to every other subscriber exactly once, in whatever order copies travel', () => {
    const session = fc.record({ relay: fc.nat(2), sends: fc.boolean(), subscribes: fc.boolean() });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7fffffff }),
        fc.array(session, { minLength: 2, maxLength: 9, size: 'max' }),
        (seed, sessions) => {
          const random = seededRandom(seed);
          const mesh = new Mesh(3);
          const all = sessions.map((one, at) => {
            const endpoint = new Application(1_000 + at);
            mesh.worlds[one.relay].topics.replace(endpoint, one.subscribes ? ['T'] : []);
            return { ...one, endpoint };
          });
          const left = all.filter(({ sends }) => sends);
          const sends = left.length > 0;
          while (left.length > 0 || mesh.waiting > 0) {
            if (random() < 0.3 && left.length > 0) {
              const [{ relay, endpoint }] = left.splice(Math.floor(random() * left.length), 1);
              endpoint.sent.add(FRAME.toString('hex'));
              mesh.worlds[relay].multicast(endpoint, copy());
            } else mesh.step(random);
          }
          for (const { endpoint, subscribes, sends: sender } of all) {
            const got = endpoint.delivered.length;
            // One that sends may have got it from another one before.
            if (sender) expect(got).toBeLessThanOrEqual(subscribes ? 1 : 0);
            else expect(got).toBe(sends && subscribes ? 1 : 0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
