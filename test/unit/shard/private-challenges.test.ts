import { describe, expect, it } from 'vitest';
import { encodeHandle } from '../../../src/wire/mesh/private-frame.js';
import { RelayPacketType } from '../../../src/wire/mesh/relay-module.js';
import { makeMessage, RESPONSE } from '../core/fakes.js';
import { challenge, challengeOf, failuresOf, M, N, PrivateWorld, pushOf, unicast, V } from './private-world.js';

describe('a challenge of a session', () => {
  /** A sender, and a holder of V. */
  function open() {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    const bob = world.session(N, V);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    return { world, alice, bob };
  }

  it('passes to who holds the topic, and the answer comes back as it was', () => {
    const { world, alice, bob } = open();
    const frame = world.send(alice, challenge());
    expect(bob.delivered).toEqual([frame]);
    const signature = makeMessage(RESPONSE, frame.toString('latin1', 6, 38), V, 'x'.repeat(65));
    expect(world.router.response(bob, signature, world.nowMs)).toBe(true);
    expect(alice.answers.map(({ frame: answer }) => answer)).toEqual([signature]);
    expect(world.challenges('passed')).toBe(1);
    expect(world.postsOf('challenge-failed')).toEqual([]);
  });

  it('is refused of a session that is no sender of the topic, in another shape, over the rate and with nobody there', () => {
    const { world, alice, bob } = open();
    const mallory = world.session(pushOf(M));
    world.route(mallory, M);
    const early = world.session(pushOf(N));
    for (const session of [mallory, early, bob]) world.send(session, challenge());
    world.send(alice, challenge(V, 'a transaction, or what else one would like to have signed'));
    world.send(alice, challenge(challengeOf(N, '1')));
    for (let n = 0; n < 5; n++) world.send(alice, challenge());
    expect(bob.delivered).toHaveLength(4);
    expect([mallory, early, bob].flatMap(failuresOf)).toEqual(
      Array.from({ length: 3 }, () => [100, 'challenge-refused']),
    );
    expect(failuresOf(alice)).toEqual([
      [100, 'challenge-refused'],
      [100, 'no-subscriber'],
      [100, 'challenge-refused'],
    ]);
    expect(
      (['passed', 'not-a-sender', 'not-listed', 'no-subscriber', 'shape', 'rate'] as const).map((result) =>
        world.challenges(result),
      ),
    ).toEqual([4, 3, 0, 1, 1, 1]);
  });

  it('that ends without a signature is told to the control thread, whatever ended it', () => {
    const { world, alice, bob } = open();
    world.send(alice, challenge());
    world.end(bob);
    expect(failuresOf(alice)).toEqual([[102, 'subscriber-gone']]);
    world.send(alice, challenge());
    expect([world.challenges('passed'), world.challenges('no-subscriber')]).toEqual([1, 1]);
    expect(world.postsOf('challenge-failed')).toEqual([
      { type: 'challenge-failed', session: alice.id, topic: V },
      { type: 'challenge-failed', session: alice.id, topic: V },
    ]);
    world.send(alice, unicast());
    expect(world.postsOf('challenge-failed'), 'a message is no challenge').toHaveLength(2);
  });

  it('never comes back to the session itself', () => {
    const { world, alice } = open();
    world.subscribe(alice, pushOf(N), N, challengeOf(N, '2'));
    world.control({ type: 'challenge-route', topic: challengeOf(N, '2'), endpoints: [alice.id] });
    world.send(alice, challenge(challengeOf(N, '2')));
    expect(alice.delivered).toEqual([]);
    expect(failuresOf(alice)).toEqual([[100, 'no-subscriber']]);
  });

  it('tells another relay who challenges, and goes to a 2.x node as it is', () => {
    const { world, alice } = open();
    const [relay, node] = [world.link(), world.link('node')];
    const [far, old] = [challengeOf(N, '3'), challengeOf(N, '4')];
    world.control({ type: 'challenge-route', topic: far, endpoints: [relay.id] });
    world.control({ type: 'challenge-route', topic: old, endpoints: [node.id] });
    const frames = [world.send(alice, challenge(far)), world.send(alice, challenge(old, '00'.repeat(16)))];
    expect(relay.relayed).toMatchObject([
      { packetType: RelayPacketType.challenge, prefix: encodeHandle(alice.handle) },
    ]);
    expect(relay.relayed[0].frame).toEqual(frames[0]);
    expect(node.delivered).toEqual([frames[1]]);
  });

  it('goes to who holds the topic now', () => {
    const { world, alice, bob } = open();
    const carol = world.session(N, V);
    const closing = world.session(N, V);
    closing.closed = true;
    world.control({ type: 'challenge-route', topic: V, endpoints: [carol.id, closing.id, 99] });
    for (let n = 0; n < 3; n++) {
      const frame = world.send(alice, challenge());
      world.answer(carol, frame);
    }
    expect([carol.delivered.length, closing.delivered.length]).toEqual([3, 0]);
    carol.delivered.length = 0;
    world.send(alice, challenge());
    expect([bob.delivered.length, carol.delivered.length]).toEqual([0, 1]);
    world.control({ type: 'challenge-route', topic: V, endpoints: [] });
    world.send(alice, challenge());
    expect(world.challenges('no-subscriber')).toBe(1);
    world.control({ type: 'challenge-route', topic: V, endpoints: [bob.id] });
    world.subscribe(bob, N);
    world.send(alice, challenge());
    expect(bob.delivered, 'who dropped it takes no more, at once').toEqual([]);
  });
});
