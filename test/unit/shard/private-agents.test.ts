import { describe, expect, it } from 'vitest';
import { type AgentSetup, PrivateAgents } from '../../../src/shard/private-agents.js';
import { isChallengeTopicOf } from '../../../src/wire/channel/topic.js';
import { challengeOf, M, N, pushOf } from './private-world.js';

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const session = (name: string) => ({
  certificateDigest: Buffer.from(name).toString('hex').padEnd(64, '0'),
  organisation: 'bank',
  subject: name,
});
const [alice, bob] = [session('alice'), session('bob')];

const agent = (messageTopic: string, fields: Partial<AgentSetup> = {}): AgentSetup => ({
  messageTopic,
  sessions: ['bank/alice'],
  sends: false,
  privateKey: undefined,
  ...fields,
});

/** The key and what it signed. */
const sign = (payload: Uint8Array, privateKey: Uint8Array) => Buffer.concat([privateKey.subarray(0, 1), payload]);

describe('sending in the place of a session', () => {
  it('is for those that are named, by organisation and CN or by certificate, and on topics with public keys', () => {
    const agents = new PrivateAgents([
      agent(N, { sends: true, sessions: ['bank/alice', bob.certificateDigest.toUpperCase()] }),
      agent(M, { privateKey: key(1) }),
    ]);
    expect([alice, bob, session('carol')].map((who) => agents.maySend(who, N))).toEqual([true, true, false]);
    expect(agents.maySend({ ...alice, organisation: 'other bank' }, N)).toBe(false);
    expect([agents.maySend(alice, M), agents.maySend(alice, '#!$TopicNeedVerify_none')]).toEqual([false, false]);
  });

  it('is told by topic', () => {
    const agents = new PrivateAgents([
      agent(N, { sends: true }),
      agent(M, { sends: true, sessions: ['bank/bob'] }),
      agent('#!$TopicNeedVerify_third', { sends: true, sessions: ['bank/alice', 'bank/bob'] }),
    ]);
    expect(agents.sendTopicsOf(alice)).toEqual([N, '#!$TopicNeedVerify_third']);
    expect(agents.sendTopicsOf(bob)).toEqual([M, '#!$TopicNeedVerify_third']);
    expect(agents.sendTopicsOf(session('carol'))).toEqual([]);
  });
});

describe('a challenge topic of the relay’s own', () => {
  const both = [
    agent(N, { privateKey: key(1) }),
    agent(M, { privateKey: key(2), sessions: ['bank/alice', 'bank/bob'] }),
  ];

  it('is given for each topic that a named session subscribes to and the relay has the key of', () => {
    const agents = new PrivateAgents([...both, agent('#!$TopicNeedVerify_sent', { sends: true })], sign);
    const topics = agents.challengeTopicsFor(alice, [N, 'public', M, '#!$TopicNeedVerify_sent', pushOf(N)]);
    expect(topics).toHaveLength(2);
    expect([isChallengeTopicOf(topics[0], N), isChallengeTopicOf(topics[1], M)]).toEqual([true, true]);
    expect(topics.every((topic) => /_[0-9a-f]{32}$/.test(topic))).toBe(true);
    expect(agents.challengeTopicsFor(bob, [N, M])).toHaveLength(1);
    expect(agents.challengeTopicsFor(session('carol'), [N, M])).toEqual([]);
    expect(agents.challengeTopicsFor(alice, [])).toEqual([]);
  });

  it('is none for a session that brings one itself', () => {
    const agents = new PrivateAgents(both, sign);
    expect(
      agents.challengeTopicsFor(alice, [N, challengeOf(N), M]).map((topic) => isChallengeTopicOf(topic, M)),
    ).toEqual([true]);
  });

  it('is the same for one certificate as long as the process lives, and unlike every other', () => {
    const agents = new PrivateAgents(both, sign);
    const topics = [
      ...agents.challengeTopicsFor(alice, [N, M]),
      ...agents.challengeTopicsFor(bob, [M]),
      ...new PrivateAgents(both, sign).challengeTopicsFor(alice, [N, M]),
    ];
    expect(new Set(topics.map((topic) => topic.slice(-32))).size).toBe(5);
    const [first] = topics;
    agents.replace([]);
    expect(agents.challengeTopicsFor(alice, [N])).toEqual([]);
    agents.replace([agent(N, { privateKey: key(9), sessions: [alice.certificateDigest] })]);
    expect(agents.challengeTopicsFor(alice, [N])).toEqual([first]);
  });
});

describe('signing', () => {
  it('is done with the key of the topic, and of no other', () => {
    const agents = new PrivateAgents([agent(N, { privateKey: key(1) }), agent(M, { privateKey: key(2) })], sign);
    const payload = Buffer.from('random');
    expect([N, M].map((topic) => agents.sign(topic, payload))).toEqual([
      Buffer.from('\x01random'),
      Buffer.from('\x02random'),
    ]);
    expect(agents.sign('#!$TopicNeedVerify_none', payload)).toBeUndefined();
  });

  it('is done with the new key, or not at all, from the moment of a change', () => {
    const agents = new PrivateAgents([agent(N, { privateKey: key(1) })], sign);
    agents.replace([agent(N, { privateKey: key(7) })]);
    expect(agents.sign(N, Buffer.from('r'))).toEqual(Buffer.from('\x07r'));
    agents.replace([agent(N, { sends: true })]);
    expect(agents.sign(N, Buffer.from('r'))).toBeUndefined();
  });
});
