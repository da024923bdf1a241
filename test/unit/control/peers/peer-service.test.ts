import { describe, expect, it } from 'vitest';
import type { LogFields, LogLevel } from '../../../../src/base/logger.js';
import { type P2P_CLOSE_REASONS, P2P_REFUSALS, type P2PRefusal } from '../../../../src/base/p2p-close-reason.js';
import { createStatMemory, readStat, Stats } from '../../../../src/base/stats.js';
import { PeerService, type PeerServiceOptions } from '../../../../src/control/peers/peer-service.js';
import type { ControlToShard, NewPeer } from '../../../../src/shard/messages.js';
import { decodeHello, encodeHello } from '../../../../src/wire/mesh/hello.js';
import { RELAY_MODULE, RelayPacketType } from '../../../../src/wire/mesh/relay-module.js';
import { P2PModule, TopicPacketType } from '../../../../src/wire/p2p/protocol-id.js';
import { noPrivates } from './no-privates.js';

const OWN = 'a'.repeat(128);
const OTHER = 'f'.repeat(128);
const THIRD = 'c'.repeat(128);
const BOOT_MS = 1_700_000_000_000;
const THEIR_BOOT_MS = BOOT_MS + 12_345;

type Sent = Extract<ControlToShard, { readonly type: 'peer-send' }>;

function makeService(options: Partial<PeerServiceOptions> = {}) {
  let posts: ControlToShard[] = [];
  const lines: { level: LogLevel; fields: LogFields; message: string }[] = [];
  const memory = createStatMemory();
  let nowMs = 1_000;
  let next = 1;
  const service = new PeerService({
    ownNodeId: OWN,
    endpoints: [
      { host: 'one', port: 30300 },
      { host: '::1', port: 30301 },
    ],
    peersMax: 8,
    whitelist: [],
    blacklist: [],
    allowSdkCertificates: false,
    bootEpochMs: BOOT_MS,
    logger: { enabled: () => true, log: (level, fields, message) => lines.push({ level, fields, message }) },
    clock: { nowMs: () => nowMs },
    random: () => 0,
    stats: new Stats(memory),
    privates: noPrivates(OWN),
    post: (message) => posts.push(message),
    ...options,
  });
  const relay = { module: RELAY_MODULE, response: false } as const;
  const frame = (
    link: number,
    module: number,
    response: boolean,
    packetType: number,
    seq: number,
    payload: Uint8Array,
  ) => service.onMessage({ type: 'peer-frame', link, module, response, packetType, seq, payload });
  return {
    service,
    lines,
    refused: (what: P2PRefusal): number =>
      readStat([new Float64Array(memory)], 'p2pInputRefused', P2P_REFUSALS.indexOf(what)),
    /** What went to the shard since the last look. */
    posted: (): ControlToShard[] => {
      const taken = posts;
      posts = [];
      return taken;
    },
    pass: (ms: number): void => {
      nowMs += ms;
      service.tick();
    },
    up: (nodeId: string | undefined = OTHER, extra: Partial<NewPeer> = {}): number => {
      const link = next++;
      service.onMessage({
        type: 'peer-up',
        peer: {
          link,
          dialled: extra.endpoint !== undefined,
          endpoint: undefined,
          nodeId,
          keyKind: 'secp256k1',
          isSdkCertificate: false,
          agency: 'bank-b',
          name: `node-${link}`,
          organisation: 'bank-b',
          remote: '10.0.0.2:4444',
          ...extra,
        },
      });
      return link;
    },
    down: (link: number, reason: (typeof P2P_CLOSE_REASONS)[number] = 'peer-closed'): void =>
      service.onMessage({ type: 'peer-down', link, reason }),
    frame,
    hello: (link: number, bootEpochMs = THEIR_BOOT_MS): void =>
      frame(
        link,
        relay.module,
        false,
        RelayPacketType.hello,
        1,
        encodeHello({ version: 1, capabilities: 0, bootEpochMs }),
      ),
    announce: (link: number, number: number): void =>
      frame(link, P2PModule.topics, false, TopicPacketType.sendTopicSeq, 0, Buffer.from(String(number))),
    /** Answers the pull that was `sent`. */
    answer: (sent: Sent, list: string): void =>
      frame(sent.link, sent.module, true, TopicPacketType.sendTopics, sent.seq, Buffer.from(list)),
  };
}

const sends = (posts: readonly ControlToShard[]): Sent[] => posts.filter((post) => post.type === 'peer-send');
const pulls = (posts: readonly ControlToShard[]): Sent[] =>
  sends(posts).filter(({ packetType }) => packetType === TopicPacketType.requestTopics);
const states = (posts: readonly ControlToShard[]) => posts.filter(({ type }) => type === 'peer-state');
/** Types only, without the bookkeeping of frames. */
const types = (posts: readonly ControlToShard[]): string[] =>
  posts.filter(({ type }) => type !== 'peer-handled').map(({ type }) => type);
const REPORT = { messagesReceived: 2, messagesSent: 3, bytesReceived: 200, bytesSent: 300, queueBytes: 7 };

describe('a new link', () => {
  it('is read, gets our hello first, then its state, then our number', () => {
    const { up, posted } = makeService();
    up();
    const [accept, hello, state, number, ...rest] = posted();
    expect([accept, rest]).toEqual([{ type: 'peer-accept', link: 1 }, []]);
    expect(hello).toMatchObject({ type: 'peer-send', link: 1, module: RELAY_MODULE, response: false, packetType: 1 });
    expect((hello as Sent).seq, 'a request never carries 0').not.toBe(0);
    expect(decodeHello((hello as Sent).payload)).toEqual({
      ok: true,
      hello: { version: 1, capabilities: 0, bootEpochMs: BOOT_MS },
    });
    expect(state).toEqual({ type: 'peer-state', link: 1, state: 'active', legacy: true, bootEpochMs: 0 });
    expect(number).toMatchObject({ type: 'peer-send', link: 1, module: P2PModule.topics, packetType: 1, seq: 0 });
  });

  it('that is refused is closed, never read, and explained', () => {
    const { up, down, posted, lines } = makeService({ blacklist: [OTHER] });
    up();
    expect(posted()).toEqual([{ type: 'peer-close', link: 1, reason: 'blacklisted' }]);
    down(1, 'blacklisted');
    expect(lines).toMatchObject([
      {
        level: 'warn',
        message: 'peer disconnected',
        fields: {
          peer: OTHER,
          agency: 'bank-b',
          name: 'node-1',
          remote: '10.0.0.2:4444',
          reason: 'blacklisted',
          explanation: expect.stringContaining('certificate_blacklist'),
        },
      },
    ]);
  });

  it('is a relay once its hello came: state, number with counts, pull of its list', () => {
    const { up, hello, posted, service } = makeService();
    up();
    posted();
    hello(1);
    const got = posted();
    expect(types(got)).toEqual(['peer-state', 'peer-send', 'peer-send']);
    expect(states(got)).toEqual([
      { type: 'peer-state', link: 1, state: 'active', legacy: false, bootEpochMs: THEIR_BOOT_MS },
    ]);
    expect(pulls(got)).toMatchObject([{ link: 1, module: RELAY_MODULE, response: false }]);
    expect(service.status().peers[0]).toMatchObject({ kind: 'relay', state: 'active' });
  });

  it.each([
    ['too short', Buffer.alloc(13)],
    ['of version 0', Buffer.alloc(14)],
  ])('is closed for a hello that is %s', (_what, payload) => {
    const { up, frame, posted } = makeService();
    up();
    posted();
    frame(1, RELAY_MODULE, false, RelayPacketType.hello, 1, payload);
    expect(types(posted())).toEqual(['peer-state', 'peer-close']);
    frame(1, P2PModule.topics, false, TopicPacketType.requestTopics, 4, Buffer.alloc(0));
    expect(types(posted()), 'what comes until it ends is not answered').toEqual([]);
  });

  it('is not taken for a relay by a response of the number of the hello', () => {
    const { up, frame, posted, service } = makeService();
    up();
    posted();
    const payload = encodeHello({ version: 1, capabilities: 0, bootEpochMs: 1 });
    frame(1, RELAY_MODULE, true, RelayPacketType.hello, 1, payload);
    frame(1, P2PModule.topics, false, RelayPacketType.hello, 1, payload);
    expect(service.status().peers[0].kind).toBe('unknown');
    expect(types(posted())).toEqual([]);
  });

  it('gives every frame back to the shard, whatever it was and whether its link still lives', () => {
    const { up, frame, posted } = makeService();
    up();
    posted();
    frame(1, 90, false, 77, 5, Buffer.alloc(3));
    frame(1, 8, true, 1, 5, Buffer.alloc(3));
    frame(99, P2PModule.topics, false, 2, 5, Buffer.alloc(0));
    expect(posted()).toEqual([1, 1, 99].map((link) => ({ type: 'peer-handled', link, frames: 1 })));
  });
});

describe('topics of a peer', () => {
  it('are pulled from a 2.x node on its number and become routes with the weight 1', () => {
    const { up, announce, answer, posted, service } = makeService();
    up();
    posted();
    announce(1, 5);
    const [pull] = pulls(posted());
    expect(pull).toMatchObject({ link: 1, module: P2PModule.topics, response: false });
    answer(pull, '5\ta\tb');
    expect(posted()).toEqual([
      { type: 'peer-routes', link: 1, topics: ['a', 'b'], weights: [1, 1] },
      { type: 'peer-handled', link: 1, frames: 1 },
    ]);
    expect(service.listed()).toEqual([
      {
        nodeId: OTHER,
        agency: 'bank-b',
        name: 'node-1',
        remote: '10.0.0.2:4444',
        isRelay: false,
        topics: new Map([
          ['a', 1],
          ['b', 1],
        ]),
      },
    ]);
    expect(service.status().peers[0]).toMatchObject({ topics: 2, topicSeq: 5, topicLagSeconds: 0 });
  });

  it('come from a relay with the numbers of its subscribers', () => {
    const { up, hello, answer, posted, service } = makeService();
    up();
    hello(1);
    answer(pulls(posted())[0], '9\t3 a\t1 b');
    expect(posted()[0]).toEqual({ type: 'peer-routes', link: 1, topics: ['a', 'b'], weights: [3, 1] });
    const [{ isRelay, topics }] = service.listed();
    expect([isRelay, ...topics]).toEqual([true, ['a', 3], ['b', 1]]);
  });

  it('are asked for again by the shard, which hears when that is over', () => {
    const { up, announce, answer, posted, pass, service } = makeService();
    service.onMessage({ type: 'topics-missed' });
    expect(posted(), 'there is nobody to ask').toEqual([{ type: 'topics-pulled' }]);
    up();
    announce(1, 5);
    answer(pulls(posted())[0], '5\ta');
    pass(200);
    posted();
    service.onMessage({ type: 'topics-missed' });
    const [pull] = pulls(posted());
    answer(pull, '6\ta\tb');
    expect(types(posted())).toEqual(['peer-routes', 'topics-pulled']);
  });

  it('are shown as old from the first number that differs until the list came', () => {
    const { up, announce, answer, posted, pass, service } = makeService();
    up();
    announce(1, 5);
    const [pull] = pulls(posted());
    pass(1_500);
    expect(service.status().peers[0].topicLagSeconds).toBe(1.5);
    answer(pull, '5');
    expect(service.status().peers[0].topicLagSeconds).toBe(0);
  });

  it('that cannot be read are counted', () => {
    const { up, announce, answer, posted, refused, frame } = makeService();
    up();
    posted();
    frame(1, P2PModule.topics, false, TopicPacketType.sendTopicSeq, 0, Buffer.from('abc'));
    announce(1, 5);
    answer(pulls(posted())[0], 'abc');
    expect(refused('topic-list')).toBe(2);
    announce(1, 6);
    expect(pulls(posted()), 'whoever sends such a list is not asked at once again').toEqual([]);
  });
});

describe('a second link of a relay', () => {
  it('is told to the shard as one of a relay while it is held, so that what is under way on it is handed over', () => {
    const { up, hello, posted, lines } = makeService();
    hello(up());
    up();
    expect(lines.at(-1)?.message).toBe('a second link to a connected peer; one of them will stay');
    lines.length = 0;
    expect(states(posted()).at(-1)).toEqual({
      type: 'peer-state',
      link: 2,
      state: 'held',
      legacy: true,
      bootEpochMs: 0,
    });
    hello(2);
    const got = posted();
    // Both were dialled by the peer, which has to choose: the second one stays held.
    expect(states(got)).toEqual([
      { type: 'peer-state', link: 2, state: 'held', legacy: false, bootEpochMs: THEIR_BOOT_MS },
    ]);
    expect(sends(got), 'nothing is announced or asked over it').toEqual([]);
    expect(lines, 'it is known what the peer is').toEqual([]);
  });

  it('has the routes before the first one loses them, and the list is not pulled again', () => {
    const { up, hello, answer, posted, pass } = makeService();
    // We are the lower node ID: the link that we dial stays.
    hello(up());
    answer(pulls(posted())[0], '9\t3 a');
    up(OTHER, { endpoint: 0, dialled: true });
    posted();
    hello(2);
    const got = posted();
    expect(types(got)).toEqual(['peer-state', 'peer-state', 'peer-state', 'peer-routes', 'peer-send', 'peer-routes']);
    expect(states(got)).toMatchObject([
      { link: 2, state: 'held', legacy: false },
      { link: 1, state: 'ending', legacy: false },
      { link: 2, state: 'active', legacy: false },
    ]);
    expect(got.filter(({ type }) => type === 'peer-routes')).toEqual([
      { type: 'peer-routes', link: 2, topics: ['a'], weights: [3] },
      { type: 'peer-routes', link: 1, topics: [], weights: [] },
    ]);
    pass(300);
    expect(posted()).toContainEqual({ type: 'peer-close', link: 1, reason: 'duplicate-peer' });
  });

  it('of a later start gets nothing of what the first one had', () => {
    const { up, hello, answer, posted } = makeService();
    hello(up());
    answer(pulls(posted())[0], '9\t3 a');
    up();
    posted();
    hello(2, THEIR_BOOT_MS + 1);
    const got = posted();
    expect(got.filter(({ type }) => type === 'peer-routes')).toEqual([
      { type: 'peer-routes', link: 1, topics: [], weights: [] },
    ]);
    expect(got.filter(({ type }) => type === 'peer-close')).toEqual([
      { type: 'peer-close', link: 1, reason: 'replaced' },
    ]);
    expect(pulls(got)).toMatchObject([{ link: 2, module: RELAY_MODULE }]);
  });
});

describe('our topics', () => {
  it('are announced at once and listed on request', () => {
    const { up, frame, posted, service } = makeService();
    up();
    posted();
    service.topicsChanged(['a'], []);
    expect(sends(posted())).toMatchObject([{ packetType: 1, seq: 0, payload: Buffer.from('2') }]);
    frame(1, P2PModule.topics, false, TopicPacketType.requestTopics, 4, Buffer.alloc(0));
    expect(sends(posted())).toMatchObject([
      { link: 1, module: P2PModule.topics, response: true, packetType: 3, seq: 4, payload: Buffer.from('2\ta') },
    ]);
  });

  it('are withdrawn when the relay goes, and nobody is dialled or let in any more', () => {
    const { up, frame, posted, pass, service } = makeService();
    pass(0);
    up();
    service.topicsChanged(['a'], []);
    posted();
    service.drain();
    expect(sends(posted())).toMatchObject([{ packetType: 1 }]);
    frame(1, P2PModule.topics, false, TopicPacketType.requestTopics, 4, Buffer.alloc(0));
    expect(sends(posted())[0].payload.toString()).toBe('3');
    up(THIRD);
    pass(100_000);
    const got = posted();
    expect(got.filter(({ type }) => type === 'peer-close')).toContainEqual({
      type: 'peer-close',
      link: 2,
      reason: 'draining',
    });
    expect(got.filter(({ type }) => type === 'peer-dial')).toEqual([]);
    service.topicsChanged(['b'], []);
    expect(sends(posted())).toEqual([]);
  });
});

describe('a link that ends', () => {
  it.each([
    ['peer-closed', true, 'info', undefined],
    ['peer-closed', false, 'warn', 'probably it refused us'],
    ['duplicate-peer', false, 'info', 'another link to the same node ID stays'],
    ['replaced', true, 'info', undefined],
    ['draining', true, 'info', undefined],
    ['queue-full', true, 'warn', 'slow_consumer_timeout_ms'],
    ['connection-lost', true, 'warn', undefined],
  ] as const)('as %s, heard before: %s, is logged at level %s', (reason, heard, level, explanation) => {
    const { up, announce, down, lines } = makeService();
    up();
    if (heard) announce(1, 0);
    lines.length = 0;
    down(1, reason);
    expect(lines).toMatchObject([{ level, message: 'peer disconnected', fields: { reason } }]);
    if (explanation === undefined) expect(lines[0].fields.explanation).toBeUndefined();
    else expect(lines[0].fields.explanation).toContain(explanation);
  });

  it('is forgotten: no routes, no announcements, no status, and its node is dialled again', () => {
    const { up, announce, answer, down, frame, posted, pass, service } = makeService();
    pass(0);
    up(OTHER, { endpoint: 0 });
    announce(1, 5);
    answer(pulls(posted())[0], '5\ta');
    service.onMessage({ type: 'peer-reports', reports: [{ link: 1, ...REPORT }] });
    pass(6_000);
    posted();
    down(1);
    frame(1, P2PModule.topics, false, TopicPacketType.requestTopics, 4, Buffer.alloc(0));
    expect([service.listed(), service.status().peers]).toEqual([[], []]);
    expect(service.traffic.get('bank-b')).toEqual({ ...REPORT, queueBytes: 0 });
    pass(20);
    service.topicsChanged(['a'], []);
    expect(types(posted()).filter((type) => type !== 'peer-state')).toEqual(['peer-dial']);
    pass(20);
    announce(1, 6);
    down(1);
    expect(service.status().endpoints[0]).toMatchObject({ phase: 'dialling', nodeId: OTHER });
  });

  it('of which nothing is known is logged by nobody', () => {
    const { down, lines } = makeService();
    down(42);
    expect(lines).toEqual([]);
  });
});

describe('status', () => {
  it('shows a link with its traffic', () => {
    const { up, pass, service } = makeService();
    up(OTHER, { endpoint: 0, organisation: 'Bank B' });
    pass(2_500);
    service.onMessage({ type: 'peer-reports', reports: [{ link: 1, ...REPORT }] });
    service.onMessage({ type: 'peer-reports', reports: [{ link: 1, ...REPORT, queueBytes: 1 }] });
    pass(500);
    expect(service.status().peers).toEqual([
      {
        nodeId: OTHER,
        kind: 'legacy',
        state: 'active',
        organisation: 'Bank B',
        agency: 'bank-b',
        name: 'node-1',
        remote: '10.0.0.2:4444',
        dialled: true,
        upSeconds: 3,
        silentSeconds: 0.5,
        topics: 0,
        topicSeq: 0,
        topicLagSeconds: 0,
        messagesReceived: 4,
        messagesSent: 6,
        bytesReceived: 400,
        bytesSent: 600,
        queueBytes: 1,
      },
    ]);
    expect(service.traffic.get('Bank B')).toEqual({
      messagesReceived: 4,
      messagesSent: 6,
      bytesReceived: 400,
      bytesSent: 600,
      queueBytes: 1,
    });
  });

  it('counts a report as a sign of life only if something was received, and none of a link that has ended', () => {
    const { up, down, pass, service } = makeService();
    up();
    pass(3_000);
    service.onMessage({ type: 'peer-reports', reports: [{ link: 1, ...REPORT, bytesReceived: 0 }] });
    expect(service.status().peers[0].silentSeconds).toBe(3);
    down(1);
    service.onMessage({ type: 'peer-reports', reports: [{ link: 1, ...REPORT }] });
    expect(service.traffic.get('bank-b')?.messagesReceived).toBe(2);
  });

  it('lists only peers that are routed over', () => {
    const { up, service } = makeService();
    up();
    up();
    up(THIRD);
    expect(service.listed().map(({ name }) => name)).toEqual(['node-1', 'node-3']);
    expect(service.status().peers.map(({ state }) => state)).toEqual(['active', 'held', 'active']);
  });

  it('shows endpoints with their address, phase and problem', () => {
    const { up, pass, service } = makeService();
    pass(0);
    const view = () => service.status().endpoints.map(({ address, phase, failures }) => [address, phase, failures]);
    expect(view()).toEqual([
      ['one:30300', 'dialling', 0],
      ['[::1]:30301', 'dialling', 0],
    ]);
    service.onMessage({ type: 'peer-dial-failed', endpoint: 0, explanation: 'refused' });
    up(OTHER, { endpoint: 1 });
    expect(service.status().endpoints).toEqual([
      {
        address: 'one:30300',
        phase: 'idle',
        nodeId: undefined,
        failures: 1,
        nextDialSeconds: 0.025,
        problem: 'refused',
      },
      { address: '[::1]:30301', phase: 'up', nodeId: OTHER, failures: 0, nextDialSeconds: 0, problem: undefined },
    ]);
  });

  it('shows an endpoint as connected whose node dialled us', () => {
    const { up, hello, pass, service } = makeService({ ownNodeId: THIRD, endpoints: [{ host: 'one', port: 1 }] });
    pass(0);
    // The lower node ID is theirs: their link stays, ours ends.
    hello(up(OWN, { endpoint: 0, dialled: true }));
    hello(up(OWN));
    pass(400);
    expect(service.status().endpoints).toMatchObject([{ phase: 'connected', nodeId: OWN, nextDialSeconds: 0 }]);
  });

  it('names what came of the last dial until a link stands, and keeps why that one was refused', () => {
    const { up, hello, down, pass, lines, service } = makeService({ whitelist: [THIRD] });
    const problem = () => service.status().endpoints[0].problem;
    const failed = () =>
      service.onMessage({ type: 'peer-dial-failed', endpoint: 0, explanation: 'one:30300 refused the connection' });
    pass(0);
    failed();
    failed();
    expect(
      lines.map(({ level }) => level),
      'repeated, it is of no interest',
    ).toEqual(['warn', 'debug']);
    expect(problem()).toBe('one:30300 refused the connection');
    hello(up(THIRD, { endpoint: 0 }));
    expect(problem()).toBeUndefined();
    down(1, 'connection-lost');
    expect(problem()).toBeUndefined();
    up(OTHER, { endpoint: 0 });
    down(2, 'not-whitelisted');
    expect(problem()).toMatch(/^not-whitelisted: .*certificate_whitelist/);
  });

  it.each(['peer-closed', 'connection-lost'] as const)(
    'says of a dialled peer that left without a frame (%s) that it probably refused us',
    (reason) => {
      const { up, down, pass, service } = makeService();
      pass(0);
      up(OTHER, { endpoint: 0 });
      down(1, reason);
      expect(service.status().endpoints[0].problem).toMatch(new RegExp(`^${reason}: .*probably it refused us`));
    },
  );
});
