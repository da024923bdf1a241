import { describe, expect, it } from 'vitest';
import {
  HELLO_TIMEOUT_MS,
  IDLE_LINK_MS,
  type LinkInfo,
  PeerBook,
  type PeerBookOptions,
  SETTLED_LINGER_MS,
  SILENT_LINK_MS,
} from '../../../../src/control/peers/peer-book.js';

const LOWER = `${'0'.repeat(127)}1`;
const OWN = 'a'.repeat(128);
const HIGHER = 'f'.repeat(128);
const THIRD = 'c'.repeat(128);
const EPOCH_MS = 1_700_000_000_000;
const T0 = 1_000;

/** A book that writes down what it wants done, as `action link [reason]`. */
function makeBook(options: Partial<PeerBookOptions> = {}) {
  let log: string[] = [];
  const endpoint = { host: 'peer', port: 1 };
  const book = new PeerBook(
    {
      ownNodeId: OWN,
      endpoints: Array.from({ length: 2 }, () => endpoint),
      peersMax: 4,
      whitelist: [],
      blacklist: [],
      allowSdkCertificates: false,
      ...options,
    },
    {
      dial: (index) => log.push(`dial ${index}`),
      close: (link, reason) => log.push(`close ${link} ${reason}`),
      sendHello: (link) => log.push(`hello ${link}`),
      peerActive: (link, { kind }) => log.push(`active ${link} ${kind}`),
      peerChanged: (link, { kind }, state) => log.push(`${kind} ${link} ${state}`),
      peerGone: (link) => log.push(`gone ${link}`),
      peerHeld: (link) => log.push(`held ${link}`),
    },
    () => 0,
  );
  let next = 1;
  return {
    book,
    /** What was done since the last look. */
    done: (): string[] => {
      const done = log;
      log = [];
      return done;
    },
    /** A link comes up, dialled by us where an endpoint is named. */
    up: (nodeId: string | undefined, extra: Partial<LinkInfo> = {}, nowMs = T0): number => {
      const link = next++;
      book.linkUp(
        {
          link,
          nodeId,
          dialled: extra.endpoint !== undefined,
          isSdkCertificate: false,
          agency: 'agency',
          name: 'node',
          remote: '10.0.0.1:30300',
          ...extra,
        },
        nowMs,
      );
      return link;
    },
    hello: (link: number, nowMs = T0, bootEpochMs = EPOCH_MS): void =>
      book.helloReceived(link, { version: 1, capabilities: 0, bootEpochMs }, nowMs),
    states: (): string[] => book.peers().map(({ link, state }) => `${link} ${state}`),
  };
}

describe('a link', () => {
  it('gets our hello before anything else and is routed over at once', () => {
    const { up, done, book } = makeBook();
    up(HIGHER);
    expect(done()).toEqual(['hello 1', 'active 1 unknown']);
    expect([book.isConnected(HIGHER), book.isConnected(LOWER)]).toEqual([true, false]);
    expect(book.peers()).toEqual([
      expect.objectContaining({ link: 1, nodeId: HIGHER, kind: 'unknown', state: 'active', upMs: T0, heardMs: T0 }),
    ]);
  });

  it('is to a relay once the hello came, and only the first hello counts', () => {
    const { up, hello, done, book } = makeBook();
    hello(up(HIGHER), T0 + 5);
    hello(1, T0 + 6, EPOCH_MS + 1);
    expect(done()).toEqual(['hello 1', 'active 1 unknown', 'relay 1 active']);
    expect(book.peers()[0]).toMatchObject({ hello: { bootEpochMs: EPOCH_MS }, heardMs: T0 + 6 });
  });

  it('is to a 2.x node after two seconds without a hello, and to a relay if that comes late', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    up(HIGHER);
    book.activity(1, T0 + 1_000);
    book.tick(T0 + HELLO_TIMEOUT_MS - 1);
    expect(done()).toEqual(['hello 1', 'active 1 unknown']);
    book.tick(T0 + HELLO_TIMEOUT_MS);
    book.tick(T0 + HELLO_TIMEOUT_MS + 20);
    expect(done()).toEqual(['legacy 1 active']);
    hello(1, T0 + 3_000);
    expect(done()).toEqual(['relay 1 active']);
  });

  it('ends after a minute without a frame', () => {
    const { up, done, book } = makeBook({ endpoints: [] });
    up(HIGHER);
    book.activity(1, T0 + 10_000);
    book.tick(T0 + 10_000 + IDLE_LINK_MS - 1);
    done();
    book.tick(T0 + 10_000 + IDLE_LINK_MS);
    expect(done()).toEqual(['gone 1', 'close 1 idle']);
  });

  it('that was closed or has ended is unknown to all later news', () => {
    const { up, hello, done, book } = makeBook();
    up(HIGHER);
    book.close(1, 'protocol-hello', T0);
    up(HIGHER);
    book.linkDown(2, T0);
    expect(done()).toEqual([
      'hello 1',
      'active 1 unknown',
      'gone 1',
      'close 1 protocol-hello',
      'hello 2',
      'active 2 unknown',
      'gone 2',
    ]);
    for (const link of [1, 2, 99]) {
      hello(link);
      book.activity(link, T0);
      book.close(link, 'idle', T0);
      book.linkDown(link, T0);
    }
    expect([done(), book.peers(), book.isConnected(HIGHER)]).toEqual([[], [], false]);
  });
});

describe('a link is refused', () => {
  it.each([
    ['without a node ID', undefined, {}, {}, 'no-node-id'],
    ['with a node ID of another form', 'ab', {}, {}, 'no-node-id'],
    ['from ourselves', OWN, {}, {}, 'self'],
    ['from ourselves in other letters', OWN.toUpperCase(), {}, {}, 'self'],
    [
      'from the black list, which wins',
      HIGHER,
      { blacklist: [HIGHER.toUpperCase()], whitelist: [HIGHER] },
      {},
      'blacklisted',
    ],
    ['from outside the white list', HIGHER, { whitelist: [LOWER] }, {}, 'not-whitelisted'],
    ['with an SDK certificate', HIGHER, {}, { isSdkCertificate: true }, 'sdk-certificate'],
    ['from one node too many', HIGHER, { peersMax: 0 }, {}, 'peers-max'],
  ] as const)('%s', (_what, nodeId, options, info, reason) => {
    const { up, done, book } = makeBook(options);
    up(nodeId, info);
    expect(done()).toEqual([`close 1 ${reason}`]);
    expect(book.peers()).toEqual([]);
  });

  it.each([
    ['on the white list, in other letters', { whitelist: [HIGHER.toUpperCase()] }, {}],
    ['with an SDK certificate where that is allowed', { allowSdkCertificates: true }, { isSdkCertificate: true }],
  ])('not if it is %s', (_what, options, info) => {
    const { up, done } = makeBook(options);
    up(HIGHER.toUpperCase(), info);
    expect(done()).toEqual(['hello 1', 'active 1 unknown']);
  });

  it('while we drain, and nothing is dialled', () => {
    const { up, done, book } = makeBook();
    book.drain();
    up(HIGHER);
    book.tick(T0);
    expect(done()).toEqual(['close 1 draining']);
  });

  it('from a new node when there are enough, not from a known one, and nothing is dialled meanwhile', () => {
    const { up, done, book } = makeBook({ peersMax: 2 });
    up(LOWER);
    up(HIGHER);
    up(THIRD);
    up(HIGHER);
    book.tick(T0);
    expect(done().slice(4)).toEqual(['close 3 peers-max', 'hello 4', 'held 4']);
    book.linkDown(1, T0);
    book.tick(T0);
    expect(done()).toEqual(['gone 1', 'dial 0', 'dial 1']);
  });

  it('when there are twice as many links as nodes allowed', () => {
    const { up, done } = makeBook({ peersMax: 1 });
    for (let at = 0; at < 3; at++) up(HIGHER);
    expect(done()).toEqual(['hello 1', 'active 1 unknown', 'hello 2', 'held 2', 'close 3 peers-max']);
  });

  it('and its endpoint is dialled again later', () => {
    const { up, done, book } = makeBook({ blacklist: [HIGHER] });
    book.tick(T0);
    up(HIGHER, { endpoint: 0 });
    expect(done()).toEqual(['dial 0', 'dial 1', 'close 1 blacklisted']);
    expect(book.endpoints()[0]).toMatchObject({ phase: 'idle', nodeId: HIGHER, failures: 1 });
    book.tick(T0 + 25);
    expect(done()).toEqual(['dial 0']);
  });

  it('from ourselves, and that endpoint is never dialled again', () => {
    const { up, done, book } = makeBook();
    book.tick(T0);
    up(OWN, { endpoint: 0 });
    up(OWN);
    book.dialFailed(1, T0);
    book.tick(T0 + 100_000);
    expect(done()).toEqual(['dial 0', 'dial 1', 'close 1 self', 'close 2 self', 'dial 1']);
    expect(book.endpoints()[0].phase).toBe('self');
  });
});

describe('a second link to a node', () => {
  it('is held, told apart as one to a relay, and kept quietly', () => {
    const { up, hello, done, book } = makeBook();
    up(HIGHER);
    up(HIGHER);
    hello(2);
    expect(done()).toEqual(['hello 1', 'active 1 unknown', 'hello 2', 'held 2', 'relay 2 held']);
    expect(book.peers().map(({ state }) => state)).toEqual(['active', 'held']);
  });

  // Both ends must come to the same: the link that the lower node ID dialled.
  it.each([
    ['we are the lower one, ours came first', HIGHER, true, 1],
    ['we are the lower one, theirs came first', HIGHER, false, 2],
    ['we are the higher one, ours came first', LOWER, true, 2],
    ['we are the higher one, theirs came first', LOWER, false, 1],
  ])('is settled by node ID once both hellos are there: %s', (_what, nodeId, oursFirst, survivor) => {
    for (const helloOrder of [
      [1, 2],
      [2, 1],
    ]) {
      const { up, hello, done, states, book } = makeBook({ endpoints: [] });
      up(nodeId, { dialled: oursFirst });
      up(nodeId, { dialled: !oursFirst });
      hello(helloOrder[0]);
      expect(states()).toEqual(['1 active', '2 held']);
      done();
      hello(helloOrder[1]);
      const switched = survivor === 2 ? ['gone 1', 'active 2 relay'] : [];
      expect(done().slice(1)).toEqual(switched);
      const loser = 3 - survivor;
      book.tick(T0 + SETTLED_LINGER_MS - 1);
      expect(done(), 'what is under way on the loser may still be answered').toEqual([]);
      expect(states()).toContain(`${loser} ending`);
      book.tick(T0 + SETTLED_LINGER_MS);
      expect(done()).toEqual([`close ${loser} duplicate-peer`]);
      expect(states()).toEqual([`${survivor} active`]);
    }
  });

  it('is closed at once when the first is to a 2.x node, which keeps one', () => {
    const { up, done, book } = makeBook({ endpoints: [] });
    up(HIGHER, { dialled: true });
    book.tick(T0 + HELLO_TIMEOUT_MS);
    up(HIGHER, {}, T0 + HELLO_TIMEOUT_MS);
    expect(done().slice(3)).toEqual(['hello 2', 'close 2 duplicate-peer']);
  });

  it('is held beside one that said its hello late, as between relays', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    up(HIGHER);
    book.tick(T0 + HELLO_TIMEOUT_MS);
    hello(1, T0 + 2_500);
    up(HIGHER, { dialled: true }, T0 + 3_000);
    expect(done().slice(-1)).toEqual(['held 2']);
  });

  it('is closed when no hello has settled it within two seconds', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    hello(up(HIGHER));
    up(HIGHER, { dialled: true });
    done();
    book.tick(T0 + HELLO_TIMEOUT_MS);
    expect(done()).toEqual(['close 2 duplicate-peer']);
  });

  it('is closed at once when we dialled both', () => {
    const { up, done } = makeBook();
    up(HIGHER, { endpoint: 0 });
    up(HIGHER, { endpoint: 1 });
    expect(done()).toEqual(['hello 1', 'active 1 unknown', 'hello 2', 'close 2 duplicate-peer']);
  });

  it('waits for the peer to choose when the peer dialled both', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    hello(up(HIGHER));
    hello(up(HIGHER));
    book.tick(T0 + SETTLED_LINGER_MS);
    expect(done()).toEqual(['hello 1', 'active 1 unknown', 'relay 1 active', 'hello 2', 'held 2', 'relay 2 held']);
    book.linkDown(1, T0 + 400);
    expect(done()).toEqual(['gone 1', 'active 2 relay']);
  });

  it('takes over at once when its hello tells of a later start of the peer', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    hello(up(HIGHER, { dialled: true }));
    hello(up(HIGHER), T0 + 5, EPOCH_MS + 1);
    expect(done().slice(5)).toEqual(['relay 2 held', 'gone 1', 'active 2 relay', 'close 1 replaced']);
    expect(book.peers().map(({ link }) => link)).toEqual([2]);
  });

  it('ends when its hello tells of an earlier start of the peer', () => {
    const { up, hello, states } = makeBook();
    hello(up(HIGHER));
    hello(up(HIGHER, { dialled: true }), T0, EPOCH_MS - 1);
    expect(states()).toEqual(['1 active', '2 ending']);
  });

  it('takes over from one that was silent for ten seconds', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    hello(up(HIGHER));
    book.activity(1, T0 + 1_000);
    up(HIGHER, {}, T0 + 1_000 + SILENT_LINK_MS - 1);
    expect(done().slice(-1)).toEqual(['held 2']);
    book.linkDown(2, T0 + 1_000 + SILENT_LINK_MS);
    done();
    up(HIGHER, {}, T0 + 1_000 + SILENT_LINK_MS);
    expect(done()).toEqual(['hello 3', 'gone 1', 'active 3 unknown', 'close 1 replaced']);
  });

  it('takes over, though unsettled for two seconds, from one that has been silent for ten by then', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    hello(up(HIGHER));
    up(HIGHER, {}, T0 + 9_000);
    done();
    book.tick(T0 + 9_000 + HELLO_TIMEOUT_MS);
    expect(done()).toEqual(['gone 1', 'active 2 unknown', 'close 1 replaced']);
  });

  it('is not held when two are', () => {
    const { up, done } = makeBook();
    for (let at = 0; at < 4; at++) up(HIGHER);
    expect(done().slice(-3)).toEqual(['held 3', 'hello 4', 'close 4 duplicate-peer']);
  });

  it('moves up when the active one ends, one that said hello before others', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [] });
    up(HIGHER);
    up(HIGHER);
    hello(up(HIGHER));
    done();
    book.linkDown(1, T0);
    expect(done()).toEqual(['gone 1', 'active 3 relay']);
    book.close(3, 'queue-full', T0);
    expect(done()).toEqual(['gone 3', 'close 3 queue-full', 'active 2 unknown']);
  });

  it('moves up and is settled with the next one', () => {
    const { up, hello, done, states, book } = makeBook({ endpoints: [] });
    up(HIGHER);
    hello(up(HIGHER));
    hello(up(HIGHER, { dialled: true }));
    expect(states()).toEqual(['1 active', '2 held', '3 held']);
    done();
    book.linkDown(1, T0);
    // We are the lower one: the link that we dialled stays.
    expect(done()).toEqual(['gone 1', 'active 2 relay', 'gone 2', 'active 3 relay']);
    expect(states()).toEqual(['2 ending', '3 active']);
  });

  it('moves up without the node being taken for lost', () => {
    const { up, hello, book } = makeBook();
    book.tick(T0);
    hello(up(LOWER, { endpoint: 0 }));
    hello(up(LOWER));
    book.tick(T0 + SETTLED_LINGER_MS);
    up(LOWER, {}, T0 + SETTLED_LINGER_MS);
    const before = book.endpoints()[0];
    expect(before).toMatchObject({ phase: 'idle', nodeId: LOWER, failures: 1 });
    book.linkDown(2, T0 + 400);
    expect(book.endpoints()[0]).toEqual(before);
    book.linkDown(3, T0 + 500);
    expect(book.endpoints()[0].failures).toBe(2);
  });
});

describe('an endpoint', () => {
  it('whose node dialled us is not dialled once we have met it there', () => {
    const { up, hello, done, book } = makeBook();
    book.tick(T0);
    hello(up(LOWER, { endpoint: 0 }));
    hello(up(LOWER));
    book.dialFailed(1, T0);
    book.tick(T0 + SETTLED_LINGER_MS);
    // The link that the lower ID dialled stays, ours ends.
    expect(done().slice(-2)).toEqual(['close 1 duplicate-peer', 'dial 1']);
    for (let ms = 1_000; ms < 20_000; ms += 500) {
      book.activity(2, T0 + ms);
      book.tick(T0 + ms);
    }
    expect(done()).toEqual([]);
    book.linkDown(2, T0 + 20_000);
    book.tick(T0 + 20_000);
    expect(done()).toEqual(['gone 2', 'dial 0']);
  });

  it('is dialled again while its link is silent, and the new one takes over', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [{ host: 'peer', port: 1 }] });
    book.tick(T0);
    hello(up(HIGHER, { endpoint: 0 }));
    book.tick(T0 + SILENT_LINK_MS - 1);
    done();
    book.tick(T0 + SILENT_LINK_MS);
    expect(done()).toEqual(['dial 0']);
    up(HIGHER, { endpoint: 0 }, T0 + SILENT_LINK_MS + 5);
    expect(done()).toEqual(['hello 2', 'gone 1', 'active 2 unknown', 'close 1 replaced']);
    expect(book.endpoints()[0]).toMatchObject({ phase: 'up', failures: 0 });
  });

  it('is dialled soon after the loss of an old link, though a newer one from there was closed as a duplicate', () => {
    const { up, hello, done, book } = makeBook({ endpoints: [{ host: 'peer', port: 1 }] });
    book.tick(T0);
    hello(up(HIGHER, { endpoint: 0 }));
    book.tick(T0 + SILENT_LINK_MS);
    // It was a pause only: a frame comes before the second link is up.
    book.activity(1, T0 + SILENT_LINK_MS + 1);
    up(HIGHER, { endpoint: 0 }, T0 + SILENT_LINK_MS + 5);
    expect(done().slice(-2)).toEqual(['hello 2', 'close 2 duplicate-peer']);
    const lostMs = T0 + 3_600_000;
    book.activity(1, lostMs);
    book.tick(lostMs);
    book.linkDown(1, lostMs);
    expect(book.endpoints()[0]).toMatchObject({ phase: 'idle', failures: 0, nextDialMs: lostMs });
  });
});

describe('new lists', () => {
  it('close the links that they refuse, held ones before one of them moves up, and leave the others', () => {
    const { up, done, states, book } = makeBook({ allowSdkCertificates: true });
    up(LOWER);
    up(HIGHER);
    up(HIGHER);
    up(THIRD, { isSdkCertificate: true });
    done();
    book.replaceLists({ whitelist: [], blacklist: [HIGHER], allowSdkCertificates: false }, T0);
    expect(done()).toEqual([
      'close 3 blacklisted',
      'gone 2',
      'close 2 blacklisted',
      'gone 4',
      'close 4 sdk-certificate',
    ]);
    expect(states()).toEqual(['1 active']);
    up(HIGHER);
    expect(done()).toEqual(['close 5 blacklisted']);
  });
});
