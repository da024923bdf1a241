import { describe, expect, it } from 'vitest';
import { makeMessage, RESPONSE } from '../core/fakes.js';
import { challengeOf, failuresOf, multicast, N, PrivateWorld, pair, pushOf, unicast, V } from './private-world.js';

const resultFrame = (body: string): Buffer => {
  const frame = Buffer.alloc(42 + body.length);
  frame.writeUInt32BE(frame.length);
  frame[5] = 0x38;
  frame.write(body, 42);
  return frame;
};

describe('a message right behind a result', () => {
  const RESULT = resultFrame('{"checkResult":0}');

  it('waits until the control thread has taken the result, and then goes in its order', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    const frames = [unicast(), multicast(), unicast()];
    for (const frame of frames) world.send(alice, frame);
    expect([alice.answers, bob.delivered]).toEqual([[], []]);
    expect(alice.heldBytes).toBe(frames.reduce((sum, { length }) => sum + length, 0));
    world.target(route, N, bob);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toEqual(frames);
    for (const frame of frames) world.answer(bob, frame);
    expect(alice.heldBytes).toBe(0);
  });

  it('is not overtaken by one that comes when the receiver is allowed already', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    const first = world.send(alice, unicast());
    world.target(route, N, bob);
    const second = world.send(alice, unicast());
    world.control({ type: 'private-settled', session: alice.id });
    const third = world.send(alice, unicast());
    expect(bob.delivered).toEqual([first, second, third]);
  });

  it('is refused when the result allows nobody', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    world.route(alice, N);
    world.result(alice, RESULT);
    world.result(alice, RESULT);
    world.send(alice, unicast());
    world.control({ type: 'private-settled', session: alice.id });
    expect(alice.answers).toEqual([]);
    world.control({ type: 'private-settled', session: alice.id });
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    expect(alice.heldBytes).toBe(0);
    world.send(alice, unicast());
    expect(alice.answers).toHaveLength(2);
  });

  it('waits, too, when there was a receiver once that has left', () => {
    const { world, alice, bob, route } = pair();
    const carol = world.session(N, challengeOf(N, '1'));
    world.end(bob);
    world.result(alice, RESULT);
    world.send(alice, unicast());
    world.target(route, N, carol);
    world.control({ type: 'private-settled', session: alice.id });
    expect([carol.delivered.length, alice.answers]).toEqual([1, []]);
  });

  it('does not wait when its receiver was allowed before', () => {
    const { world, alice, bob } = pair();
    world.result(alice, RESULT);
    world.send(alice, unicast());
    expect(bob.delivered).toHaveLength(1);
  });

  it('waits, too, when it is a multicast: it is for everybody whom the result allows', () => {
    const { world, alice, bob, route } = pair();
    const carol = world.session(N, challengeOf(N, '1'));
    world.result(alice, RESULT);
    const frames = [world.send(alice, multicast()), world.send(alice, unicast())];
    expect([bob.delivered, alice.acknowledged]).toEqual([[], []]);
    world.target(route, N, carol);
    world.control({ type: 'private-settled', session: alice.id });
    const delivered = [...bob.delivered, ...carol.delivered];
    expect(frames.map((frame) => delivered.filter((one) => one.equals(frame)).length)).toEqual([2, 1]);
  });

  it('waits with 255 others at most; one more is refused', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    for (let n = 0; n < 257; n++) world.send(alice, unicast());
    expect(failuresOf(alice)).toEqual([[100, 'not-certified']]);
    world.target(route, N, bob);
    world.send(alice, unicast());
    expect([alice.answers.length, bob.delivered.length], 'and none goes before the others').toEqual([2, 0]);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toHaveLength(256);
  });

  it('is forgotten with its session', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const bob = world.session(N, V);
    const route = world.route(alice, N);
    world.result(alice, RESULT);
    world.send(alice, unicast());
    world.end(alice);
    world.target(route, N, bob);
    world.control({ type: 'private-settled', session: alice.id });
    expect(bob.delivered).toEqual([]);
  });
});

describe('a certification result', () => {
  it('is handed to the control thread in memory of its own', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    const frame = resultFrame('{"checkResult":0}');
    world.result(alice, frame);
    frame.fill(0, 42);
    expect(world.postsOf('certification-result')).toEqual([
      { type: 'certification-result', session: alice.id, body: Buffer.from('{"checkResult":0}') },
    ]);
  });

  it('is refused of a session without private topics, and when it is too long', () => {
    const world = new PrivateWorld();
    const [stranger, alice] = [world.session('public'), world.session(pushOf(N))];
    world.result(stranger, resultFrame('{"checkResult":0}'));
    world.result(alice, resultFrame('x'.repeat(4_097)));
    expect([stranger.refusals, alice.refusals]).toEqual([['certification-result'], ['certification-result']]);
    expect(world.postsOf('certification-result')).toEqual([]);
    world.send(alice, unicast());
    expect(failuresOf(alice), 'nothing waits for it').toEqual([[100, 'not-certified']]);
    world.result(alice, resultFrame('x'.repeat(4_096)));
    expect(world.postsOf('certification-result')).toHaveLength(1);
  });
});

function certify(world: PrivateWorld, session: number, body: string): void {
  const challengeTopic = challengeOf(N);
  world.control({ type: 'certify', session, body: Buffer.from(body), challengeTopic, endpoint: undefined });
}

describe('a question', () => {
  it('is pushed as 0x37 with a number of its own and the body as it is', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    for (let n = 0; n < 2; n++) certify(world, alice.id, '{"nodeId":""}\n');
    const [first, second] = alice.sent;
    expect([first.readUInt32BE(0), first.readUInt16BE(4), first.readInt32BE(38)]).toEqual([first.length, 0x37, 0]);
    expect(first.toString('latin1', 42)).toBe('{"nodeId":""}\n');
    expect([first, second].map((frame) => frame.toString('latin1', 6, 38))).toEqual([
      '1'.padStart(32, '0'),
      '2'.padStart(32, '0'),
    ]);
  });

  it('is acknowledged once by any frame with its number, of the session that was asked', () => {
    const world = new PrivateWorld();
    const [alice, mallory] = [world.session(pushOf(N)), world.session(pushOf(N))];
    certify(world, alice.id, '{}');
    const [question] = alice.sent;
    for (const type of [0x37, RESPONSE]) {
      const acknowledgement = Buffer.from(question);
      acknowledgement[5] = type;
      expect(world.acknowledges(mallory, acknowledgement)).toBe(false);
      expect(world.acknowledges(world.session(), acknowledgement)).toBe(false);
      expect(world.acknowledges(alice, acknowledgement)).toBe(type === 0x37);
    }
    expect(world.acknowledges(alice, makeMessage(RESPONSE, 'other', N))).toBe(false);
  });

  it('is remembered with 1,023 others until it is acknowledged', () => {
    const world = new PrivateWorld();
    const alice = world.session(pushOf(N));
    for (let n = 0; n < 1_025; n++) certify(world, alice.id, '{}');
    expect(world.acknowledges(alice, alice.sent[0])).toBe(false);
    expect(world.acknowledges(alice, alice.sent[1])).toBe(true);
    expect(world.acknowledges(alice, alice.sent[1_024])).toBe(true);
  });

  it('is not asked of a session that is closing, of a link, or of one that has left', () => {
    const world = new PrivateWorld();
    const [alice, link] = [world.session(pushOf(N)), world.link()];
    alice.closed = true;
    for (const session of [alice.id, link.id]) certify(world, session, '{}');
    expect(alice.sent).toEqual([]);
  });
});
