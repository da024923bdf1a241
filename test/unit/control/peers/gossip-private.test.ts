import { describe, expect, it } from 'vitest';
import { Gossip, type GossipPeer, type PeerPrivateTopics } from '../../../../src/control/peers/gossip.js';
import { RELAY_MODULE, RelayPacketType } from '../../../../src/wire/mesh/relay-module.js';
import { formatRelayTopics, type PrivateSubscriber } from '../../../../src/wire/mesh/relay-topics.js';
import { P2PModule, TopicPacketType } from '../../../../src/wire/p2p/protocol-id.js';
import { formatTopicSeq, formatTopics } from '../../../../src/wire/p2p/topics.js';

const N = '#!$TopicNeedVerify_n';
const challengeOf = (messageTopic: string, digit = '1') => `#!$VerifyChannel_${messageTopic}_${digit.repeat(32)}`;
const V = challengeOf(N);
const subscriber = (digit: string): PrivateSubscriber => ({
  handle: digit.repeat(16),
  digest: digit.repeat(64),
  challengeTopic: challengeOf(N, digit),
});
const subscribers = (...digits: string[]) => new Map([[N, digits.map(subscriber)]]);

interface Sent {
  readonly link: number;
  readonly module: number;
  readonly packetType: number;
  readonly seq: number;
  readonly payload: string;
}

class World {
  nowMs = 1_000;
  /** What left, and in between `pulled <link> <challenge topics at that moment>`. */
  readonly events: (Sent | string)[] = [];
  readonly routes: { readonly link: number; readonly topics: readonly string[] }[] = [];
  readonly told: { readonly nodeId: string; readonly topics: PeerPrivateTopics }[] = [];
  readonly gossip: Gossip;

  constructor() {
    this.gossip = new Gossip({
      send: (link, module, _response, packetType, seq, payload) =>
        this.events.push({ link, module, packetType, seq, payload: `${payload}` }),
      routes: (link, topics) => this.routes.push({ link, topics: [...topics.keys()] }),
      privateTopics: ({ nodeId }, topics) => this.told.push({ nodeId, topics }),
      listPulled: (link) => this.events.push(`pulled ${link} ${this.gossip.own.challengeTopics}`),
      pulled: () => {},
      refused: () => {},
    });
  }

  peer(link: number, isRelay: boolean): GossipPeer {
    const peer = { link, nodeId: `node${link}`, isRelay, bootEpochMs: 1 };
    this.gossip.add(peer, this.nowMs);
    this.gossip.activate(peer, this.nowMs);
    return peer;
  }

  pass(ms: number): void {
    for (let passedMs = 0; passedMs < ms; passedMs += 10) {
      this.nowMs += 10;
      this.gossip.tick(this.nowMs);
    }
  }

  announces(link: number, topicSeq: number): void {
    const payload = formatTopicSeq(topicSeq);
    this.gossip.frame(link, P2PModule.topics, false, TopicPacketType.sendTopicSeq, 0, payload, this.nowMs);
  }

  /** The pulls that left since the last call. */
  pulls(): Sent[] {
    const sent = this.events.splice(0).filter((event) => typeof event !== 'string');
    return sent.filter(({ module, packetType }) =>
      module === RELAY_MODULE
        ? packetType === RelayPacketType.requestTopics
        : packetType === TopicPacketType.requestTopics,
    );
  }

  lists({ link, module, seq }: Sent, payload: Uint8Array): void {
    const packetType = module === RELAY_MODULE ? RelayPacketType.sendTopics : TopicPacketType.sendTopics;
    this.gossip.frame(link, module, true, packetType, seq, payload, this.nowMs);
  }
}

describe('our private topics', () => {
  it('are announced at once to relays and nodes, later changes together after 20 ms', () => {
    const world = new World();
    world.peer(1, true);
    world.peer(2, false);
    world.events.length = 0;
    const announced = () =>
      world.events.splice(0).map((event) => (typeof event === 'string' ? event : [event.link, event.payload]));
    world.gossip.privateTopicsChanged(subscribers('a'), world.nowMs);
    expect(announced()).toEqual([
      [1, '2'],
      [2, '2'],
    ]);
    world.gossip.privateTopicsChanged(subscribers('a', 'b'), world.nowMs + 1);
    world.gossip.privateTopicsChanged(subscribers('b'), world.nowMs + 2);
    world.pass(10);
    expect(announced()).toEqual([]);
    world.pass(10);
    expect(announced()).toEqual([
      [1, '3'],
      [2, '3'],
    ]);
    world.pass(100);
    expect(announced()).toEqual([]);
  });

  it('may be challenged on from the moment in which their list is sent, and not before', () => {
    const world = new World();
    world.peer(1, true);
    world.peer(2, false);
    world.gossip.privateTopicsChanged(subscribers('a'), world.nowMs);
    world.events.length = 0;
    world.gossip.frame(1, RELAY_MODULE, false, RelayPacketType.requestTopics, 7, Buffer.alloc(0), world.nowMs);
    // A change that has no number yet stands neither in the list nor may it be challenged on.
    world.gossip.privateTopicsChanged(subscribers('b'), world.nowMs + 1);
    world.gossip.frame(2, P2PModule.topics, false, TopicPacketType.requestTopics, 8, Buffer.alloc(0), world.nowMs);
    const { handle, digest, challengeTopic } = subscriber('a');
    expect(world.events).toEqual([
      `pulled 1 ${challengeTopic}`,
      {
        link: 1,
        module: RELAY_MODULE,
        packetType: RelayPacketType.sendTopics,
        seq: 7,
        payload: `2\t1 ${N}\t@${handle} ${digest} ${challengeTopic}`,
      },
      `pulled 2 ${challengeTopic}`,
      {
        link: 2,
        module: P2PModule.topics,
        packetType: TopicPacketType.sendTopics,
        seq: 8,
        payload: `2\t${N}\t${challengeTopic}`,
      },
    ]);
  });

  it('are withdrawn with the others when the relay goes, and do not come back', () => {
    const world = new World();
    world.peer(1, true);
    world.gossip.privateTopicsChanged(subscribers('a'), world.nowMs);
    world.gossip.withdraw(world.nowMs + 1);
    world.gossip.privateTopicsChanged(subscribers('b'), world.nowMs + 100);
    world.pass(200);
    expect(`${world.gossip.own.countList()}`).toBe('3');
  });
});

describe('private topics of a peer', () => {
  it('are told by their sessions when it is a relay, and never routed by name', () => {
    const world = new World();
    world.peer(1, true);
    const [pull] = world.pulls();
    world.lists(
      pull,
      formatRelayTopics(
        5,
        new Map([
          ['news', 2],
          [N, 1],
        ]),
        subscribers('a'),
      ),
    );
    expect(world.routes).toEqual([{ link: 1, topics: ['news'] }]);
    expect(world.told).toEqual([{ nodeId: 'node1', topics: { kind: 'sessions', byTopic: subscribers('a') } }]);
    expect([...world.gossip.view(1, world.nowMs).topics.keys()]).toEqual(['news']);
  });

  it('are told by their names when it is a 2.x node', () => {
    const world = new World();
    world.peer(2, false);
    world.announces(2, 5);
    const [pull] = world.pulls();
    world.lists(pull, formatTopics(5, ['news', N, V, '#!$Other', '_block_notify_1']));
    expect(world.routes).toEqual([{ link: 2, topics: ['news'] }]);
    expect(world.told).toEqual([{ nodeId: 'node2', topics: { kind: 'names', names: ['#!$Other', N, V] } }]);
  });

  it('are told again with every list, although no route changed', () => {
    const world = new World();
    world.peer(1, true);
    for (const digit of ['a', 'b']) {
      world.announces(1, digit.charCodeAt(0));
      const [pull] = world.pulls();
      world.lists(
        pull,
        formatRelayTopics(
          digit.charCodeAt(0),
          new Map([
            ['news', 2],
            [N, 1],
          ]),
          subscribers(digit),
        ),
      );
    }
    expect(world.routes).toHaveLength(1);
    expect(world.told.map(({ topics }) => topics)).toEqual([
      { kind: 'sessions', byTopic: subscribers('a') },
      { kind: 'sessions', byTopic: subscribers('b') },
    ]);
  });

  it('are told as none by a list without any, and kept by one that cannot be read', () => {
    const world = new World();
    world.peer(2, false);
    world.announces(2, 5);
    world.lists(world.pulls()[0], formatTopics(5, [N, V]));
    world.announces(2, 6);
    world.lists(world.pulls()[0], Buffer.from('no number'));
    expect(world.told).toHaveLength(1);
    world.pass(5_000);
    world.announces(2, 7);
    world.lists(world.pulls()[0], formatTopics(7, []));
    expect(world.told.at(-1)?.topics).toEqual({ kind: 'names', names: [] });
  });

  it('are not told of a link that is not active, nor by a list that was not asked for', () => {
    const world = new World();
    world.peer(1, true);
    const [pull] = world.pulls();
    const list = formatRelayTopics(5, new Map([[N, 1]]), subscribers('a'));
    world.lists({ ...pull, seq: pull.seq + 1 }, list);
    world.gossip.deactivate(1);
    world.lists(pull, list);
    expect(world.told).toEqual([]);
  });

  it.each([
    ['a relay', true],
    ['a 2.x node', false],
  ])('cost %s its allowance like public ones: large lists are pulled less often', (_kind, isRelay) => {
    const world = new World();
    world.peer(1, isRelay);
    const names = Array.from({ length: 10_000 }, (_, n) => `#!$TopicNeedVerify_${n}`);
    const sessions = Array.from({ length: 4_000 }, (_, n) => ({
      ...subscriber('a'),
      handle: `${n}`.padStart(16, '0'),
    }));
    const pulledIn10s = (list: (topicSeq: number) => Buffer) => {
      let pulls = 0;
      for (let at = 0; at < 100; at++) {
        world.pass(100);
        world.announces(1, world.nowMs);
        for (const pull of world.pulls()) {
          pulls++;
          world.lists(pull, list(world.nowMs));
        }
      }
      return pulls;
    };
    const small = pulledIn10s((topicSeq) =>
      isRelay ? formatRelayTopics(topicSeq, new Map()) : formatTopics(topicSeq, []),
    );
    const large = pulledIn10s((topicSeq) =>
      isRelay
        ? formatRelayTopics(
            topicSeq,
            new Map([...names.slice(0, 6_000).map((name) => [name, 1] as const), [N, 1]]),
            new Map([[N, sessions]]),
          )
        : formatTopics(topicSeq, names),
    );
    expect(small).toBeGreaterThanOrEqual(99);
    // 20 a second, of which a list of 10,000 elements costs six; at first there is a burst.
    expect(large).toBeLessThan(45);
  });
});
