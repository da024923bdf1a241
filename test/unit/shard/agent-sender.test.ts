import { describe, expect, it } from 'vitest';
import type { FlowSource } from '../../../src/core/flow-control.js';
import { AgentSender } from '../../../src/shard/agent-sender.js';
import { AGENT_SESSION } from '../../../src/shard/private-agents.js';
import { type FakeEndpoint, makeMessage, makeWorld, responseTo, UNICAST } from '../core/fakes.js';

const HANDLE = 'ab'.repeat(8);

/** The relay as a requester, and what it was answered. */
function makeSender() {
  const answers: Buffer[] = [];
  const flows: FlowSource[] = [];
  const sender = new AgentSender(
    HANDLE,
    () => {
      const flow = {} as FlowSource;
      flows.push(flow);
      return flow;
    },
    (frame) => answers.push(frame),
  );
  return { sender, answers, flows };
}

describe('the relay as a sender', () => {
  it('asks as one session that no connection is, and gets the answer as it came', () => {
    const world = makeWorld();
    const bob = world.join('V');
    const { sender, answers } = makeSender();
    expect([sender.id, sender.isPeer, sender.handle]).toEqual([AGENT_SESSION, false, HANDLE]);
    const frame = makeMessage(UNICAST, 'q', 'V', 'random');
    world.router.unicast(sender, frame, world.topicId('V'), world.nowMs());
    expect(bob.delivered).toEqual([frame]);
    const answer = responseTo(frame, 7);
    expect(world.router.response(bob, answer, world.nowMs())).toBe(true);
    expect(answers).toEqual([answer]);
    expect(world.router.pending).toBe(0);
  });

  it('is told nothing itself when nobody answers: the observer is', () => {
    const world = makeWorld();
    const bob = world.join('V');
    const { sender, answers } = makeSender();
    const ask = (seq: string) =>
      world.router.unicast(sender, makeMessage(UNICAST, seq, 'V'), world.topicId('V'), world.nowMs());
    ask('silent');
    world.pass(5_000);
    ask('gone');
    world.leave(bob);
    ask('nobody');
    expect(world.observer.failures.map(({ code, reason }) => [code, reason])).toEqual([
      [102, 'subscriber-silent'],
      [102, 'subscriber-gone'],
      [100, 'no-subscriber'],
    ]);
    expect([answers, world.router.pending]).toEqual([[], 0]);
  });

  it('is bounded like a session in what it has under way', () => {
    const world = makeWorld({ sessionPendingMax: 3 });
    const bob = world.join('V');
    const { sender } = makeSender();
    for (let n = 0; n < 5; n++)
      world.router.unicast(sender, makeMessage(UNICAST, `${n}`, 'V'), world.topicId('V'), world.nowMs());
    expect(bob.delivered).toHaveLength(3);
    expect(world.observer.failures.map(({ reason }) => reason)).toEqual(['pending-max', 'pending-max']);
    world.respond(bob, bob.delivered[0]);
    world.router.unicast(sender, makeMessage(UNICAST, '6', 'V'), world.topicId('V'), world.nowMs());
    expect(bob.delivered).toHaveLength(4);
  });

  it('receives nothing, and is never passed over as slow', () => {
    const world = makeWorld();
    const { sender } = makeSender();
    world.topics.replace(sender, ['T']);
    const carol = world.join();
    world.ask(carol as FakeEndpoint, 'x');
    expect(carol.answers).toMatchObject([{ code: 101 }]);
    expect([sender.deliver(), sender.stalled()]).toEqual([false, false]);
  });

  it('is one source for the bandwidth limits, and another one when they are replaced', () => {
    const { sender, flows } = makeSender();
    expect(flows, 'none before it is needed').toEqual([]);
    const first = sender.flow;
    expect(sender.flow).toBe(first);
    sender.flowReplaced();
    expect(sender.flow).toBe(flows[1]);
    expect(sender.flow).not.toBe(first);
    expect(flows).toHaveLength(2);
  });
});
