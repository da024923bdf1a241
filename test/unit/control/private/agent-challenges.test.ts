import { describe, expect, it } from 'vitest';
import { AGENT_CHALLENGES_MAX, AgentChallenges } from '../../../../src/control/private/agent-challenges.js';

const pair = (nodeId: string, messageTopic = 'n') => ({ nodeId, messageTopic, challengeTopic: `v of ${nodeId}` });

describe('a challenge in the relay’s own name', () => {
  it('has a sequence and a random number of 32 hex digits each, and no other has them', () => {
    const challenges = new AgentChallenges();
    const texts = Array.from({ length: 100 }, (_, n) => challenges.open(pair(`${n}`))).flatMap(({ seq, payload }) => [
      seq.toString('latin1'),
      payload.toString('latin1'),
    ]);
    expect(texts.every((text) => /^[0-9a-f]{32}$/.test(text))).toBe(true);
    expect(new Set(texts).size).toBe(200);
  });

  it('is answered once, by its sequence', () => {
    const challenges = new AgentChallenges();
    const [first, second] = [challenges.open(pair('1')), challenges.open(pair('2'))];
    expect(challenges.answered(Buffer.from('no such sequence'))).toBeUndefined();
    expect(challenges.answered(Uint8Array.from(second.seq))).toBe(second);
    expect(challenges.answered(second.seq)).toBeUndefined();
    expect([challenges.settle(second), challenges.settle(second), challenges.settle(first)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(challenges.size).toBe(0);
  });

  it('counts no more when the pair is challenged again, answered meanwhile or not', () => {
    const challenges = new AgentChallenges();
    const late = challenges.open(pair('1'));
    const checked = challenges.open(pair('2'));
    challenges.answered(checked.seq);
    const [now, other] = [challenges.open(pair('1')), challenges.open(pair('2'))];
    expect([challenges.answered(late.seq), challenges.settle(checked)]).toEqual([undefined, false]);
    expect([challenges.answered(now.seq), challenges.answered(other.seq)]).toEqual([now, other]);
    expect([challenges.settle(now), challenges.settle(other)]).toEqual([true, true]);
  });

  it('of the same receiver on another topic is another one', () => {
    const challenges = new AgentChallenges();
    const [first, second] = [challenges.open(pair('1', 'n')), challenges.open(pair('1', 'm'))];
    expect([challenges.answered(first.seq), challenges.answered(second.seq)]).toEqual([first, second]);
  });

  it('is remembered with 16,383 others', () => {
    const challenges = new AgentChallenges();
    const first = challenges.open(pair('first'));
    const second = challenges.open(pair('second'));
    for (let n = 2; n <= AGENT_CHALLENGES_MAX; n++) challenges.open(pair(`${n}`));
    expect(challenges.size).toBe(AGENT_CHALLENGES_MAX);
    expect([challenges.answered(first.seq), challenges.settle(first)]).toEqual([undefined, false]);
    expect(challenges.answered(second.seq)).toBe(second);
  });
});
