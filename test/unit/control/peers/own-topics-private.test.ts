import { describe, expect, it } from 'vitest';
import { isAnnounced, OwnTopics, PRIVATE_SUBSCRIBERS_MAX } from '../../../../src/control/peers/own-topics.js';
import { type PrivateSubscriber, parseRelayTopics } from '../../../../src/wire/mesh/relay-topics.js';
import { PEER_TOPICS_MAX, parseTopics } from '../../../../src/wire/p2p/topics.js';

const N = '#!$TopicNeedVerify_n';
const challengeOf = (messageTopic: string, digit = '1') => `#!$VerifyChannel_${messageTopic}_${digit.repeat(32)}`;
const subscriber = (digit: string, messageTopic = N): PrivateSubscriber => ({
  handle: digit.repeat(16),
  digest: digit.repeat(64),
  challengeTopic: challengeOf(messageTopic, digit),
});
const element = ({ handle, digest, challengeTopic }: PrivateSubscriber): string =>
  `@${handle} ${digest} ${challengeTopic}`;

function lists(own: OwnTopics): { set: string; counts: string } {
  return { set: `${own.setList()}`, counts: `${own.countList()}` };
}

describe('private topics in the lists of a relay', () => {
  it('stand by name with their challenge topics for nodes, and with their sessions for relays', () => {
    const own = new OwnTopics(5);
    own.apply(['news'], []);
    const [one, two] = [subscriber('a'), subscriber('b')];
    own.setPrivate(new Map([[N, [one, two]]]));
    expect(own.touched).toBe(true);
    expect(own.renumber()).toEqual({ set: true });
    expect(lists(own)).toEqual({
      set: `6\t${N}\t${one.challengeTopic}\t${two.challengeTopic}\tnews`,
      counts: `6\t2 ${N}\t${element(one)}\t${element(two)}\t1 news`,
    });
    expect(own.challengeTopics).toEqual([one.challengeTopic, two.challengeTopic]);
    own.setPrivate(new Map());
    expect(own.renumber()).toEqual({ set: true });
    expect([lists(own), own.challengeTopics]).toEqual([{ set: '7\tnews', counts: '7\t1 news' }, []]);
  });

  it('stand in no list by their subscriptions alone', () => {
    const own = new OwnTopics(5);
    own.apply([N, challengeOf(N), `#!$PushChannel_${N}`, '#!$'], []);
    expect([N, '#!$', '_block_notify_1', 'news'].map(isAnnounced)).toEqual([false, false, false, true]);
    expect([own.touched, own.renumber(), lists(own)]).toEqual([false, undefined, { set: '5', counts: '5' }]);
  });

  it('are those of the last number until there is another one', () => {
    const own = new OwnTopics(5);
    own.setPrivate(new Map([[N, [subscriber('a')]]]));
    expect([lists(own), own.challengeTopics]).toEqual([{ set: '5', counts: '5' }, []]);
    own.renumber();
    const before = lists(own);
    own.setPrivate(new Map([[N, [subscriber('b')]]]));
    expect([lists(own), own.challengeTopics]).toEqual([before, [challengeOf(N, 'a')]]);
  });

  it('get another number when a challenge topic is renamed, a session comes or goes, or stands for another', () => {
    const own = new OwnTopics(5);
    const one = subscriber('a');
    const changes: PrivateSubscriber[][] = [
      [one],
      [{ ...one, challengeTopic: challengeOf(N, 'c') }],
      [one],
      [one, subscriber('b')],
      [subscriber('b'), one],
      [subscriber('b')],
      [{ ...subscriber('b'), handle: 'f'.repeat(16) }],
      [{ ...subscriber('b'), handle: 'f'.repeat(16), digest: 'f'.repeat(64) }],
    ];
    for (const [at, sessions] of changes.entries()) {
      own.setPrivate(new Map([[N, sessions]]));
      expect(own.renumber(), `change ${at}`).toEqual({ set: true });
      expect([own.setSeq, own.countSeq]).toEqual([6 + at, 6 + at]);
    }
    own.setPrivate(new Map([['#!$TopicNeedVerify_other', [subscriber('b', '#!$TopicNeedVerify_other')]]]));
    expect(own.renumber()).toEqual({ set: true });
  });

  it('keep their number while nothing changes, however often they are told', () => {
    const own = new OwnTopics(5);
    own.setPrivate(new Map([[N, [subscriber('a'), subscriber('b')]]]));
    own.renumber();
    const before = lists(own);
    own.setPrivate(new Map([[N, [subscriber('a'), subscriber('b')]]]));
    expect(own.renumber()).toBeUndefined();
    // One that came and left in between.
    own.setPrivate(new Map([[N, [subscriber('a'), subscriber('b'), subscriber('c')]]]));
    own.setPrivate(new Map([[N, [subscriber('a'), subscriber('b')]]]));
    expect([own.renumber(), own.touched, own.setSeq, lists(own)]).toEqual([undefined, false, 6, before]);
    // A public change names them again.
    own.apply(['news'], []);
    expect(own.renumber()).toEqual({ set: true });
    expect(lists(own).set).toContain(N);
  });

  it('are nobody after the relay has withdrawn', () => {
    const own = new OwnTopics(5);
    own.apply(['news'], []);
    own.setPrivate(new Map([[N, [subscriber('a')]]]));
    own.renumber();
    own.clear();
    expect(own.renumber()).toEqual({ set: true });
    expect(lists(own)).toEqual({ set: '7', counts: '7' });
  });

  it('fit a list that a peer takes, together with as many public topics as there may be', () => {
    const own = new OwnTopics();
    const names = Array.from({ length: PEER_TOPICS_MAX }, (_, n) => `t${n}`);
    own.apply(names, []);
    const subscribers = new Map<string, PrivateSubscriber[]>();
    for (let n = 0; n < PRIVATE_SUBSCRIBERS_MAX; n++) {
      const messageTopic = `#!$TopicNeedVerify_${n}`;
      subscribers.set(messageTopic, [subscriber('a', messageTopic)]);
    }
    own.setPrivate(subscribers);
    own.renumber();
    expect(own.leftOut).toBe(2 * PRIVATE_SUBSCRIBERS_MAX);
    const set = parseTopics(own.setList());
    expect(set.ok && [set.topics.length, set.refused]).toEqual([PEER_TOPICS_MAX, 0]);
    const counts = parseRelayTopics(own.countList());
    expect(counts.ok && [counts.subscribers.size, counts.topics.size, counts.refused]).toEqual([
      PRIVATE_SUBSCRIBERS_MAX,
      PEER_TOPICS_MAX - PRIVATE_SUBSCRIBERS_MAX,
      0,
    ]);
  });
});
