import { describe, expect, it } from 'vitest';
import type { P2PRefusal } from '../../../../src/base/p2p-close-reason.js';
import { Gossip } from '../../../../src/control/peers/gossip.js';
import { RELAY_MODULE } from '../../../../src/wire/mesh/relay-module.js';
import { P2PModule } from '../../../../src/wire/p2p/protocol-id.js';

const { topics: TOPICS } = P2PModule;
const NODE = 'f'.repeat(128);
const BOOT_MS = 1_700_000_000_000;

interface Sent {
  readonly link: number;
  readonly module: number;
  readonly seq: number;
}

/** A gossip that writes down what it wants done, with a clock of the test. */
function makeGossip(startMs = 10_000) {
  let log: string[] = [];
  let nowMs = startMs;
  let lastPull: Sent | undefined;
  const gossip = new Gossip({
    send: (link, module, response, packetType, seq, payload) => {
      const form = module === RELAY_MODULE ? 'relay' : 'plain';
      if (response) log.push(`${link} ${form} list ${seq}: ${JSON.stringify(payload.toString()).slice(1, -1)}`);
      else if (packetType === 2) {
        lastPull = { link, module, seq };
        log.push(`${link} ${form} pull`);
      } else log.push(`${link} number ${payload} seq ${seq}`);
    },
    routes: (link, topics) => log.push(`${link} routes ${[...topics].map(([topic, count]) => `${topic}:${count}`)}`),
    pulled: () => log.push('pulled'),
    privateTopics: () => {},
    listPulled: () => {},
    refused: (link: number, refusal: P2PRefusal, count: number) => log.push(`${link} refused ${refusal} ${count}`),
  });
  const peerOf = (link: number, isRelay: boolean, bootEpochMs = isRelay ? BOOT_MS : 0) => ({
    link,
    nodeId: NODE,
    isRelay,
    bootEpochMs,
  });
  const frame = (link: number, module: number, response: boolean, packetType: number, seq: number, payload: string) =>
    gossip.frame(link, module, response, packetType, seq, Buffer.from(payload), nowMs);
  return {
    gossip,
    done: (): string[] => {
      const done = log;
      log = [];
      return done;
    },
    now: () => nowMs,
    /** Ticks every 20 ms, as the relay does. */
    pass: (ms: number): void => {
      const untilMs = nowMs + ms;
      while (nowMs + 20 <= untilMs) {
        nowMs += 20;
        gossip.tick(nowMs);
      }
      nowMs = untilMs;
    },
    add: (link: number, nodeId = NODE): void => gossip.add({ link, nodeId, isRelay: false, bootEpochMs: 0 }, nowMs),
    activate: (link: number, isRelay: boolean, bootEpochMs?: number): void =>
      gossip.activate(peerOf(link, isRelay, bootEpochMs), nowMs),
    /** A link that is routed over, from scratch. */
    join(link: number, isRelay: boolean): void {
      gossip.add({ link, nodeId: `${link}`.repeat(128).slice(0, 128), isRelay: false, bootEpochMs: 0 }, nowMs);
      gossip.activate({ ...peerOf(link, isRelay), nodeId: `${link}`.repeat(128).slice(0, 128) }, nowMs);
    },
    becameRelay: (link: number): void => gossip.becameRelay(peerOf(link, true), nowMs),
    subscribe: (...topics: string[]): void => gossip.topicsChanged(topics, [], nowMs),
    unsubscribe: (...topics: string[]): void => gossip.topicsChanged([], topics, nowMs),
    announce: (link: number, number: number | string): void => frame(link, TOPICS, false, 1, 0, `${number}`),
    ask: (link: number, seq: number, module: number = TOPICS): void => frame(link, module, false, 2, seq, ''),
    pull: (): Sent => {
      if (!lastPull) throw new Error('nothing was pulled');
      return lastPull;
    },
    /** Answers the last pull, or another one. */
    list(payload: string, pull: Sent | undefined = lastPull): void {
      if (!pull) throw new Error('nothing was pulled');
      frame(pull.link, pull.module, true, 3, pull.seq, payload);
    },
    frame,
  };
}

describe('announcements', () => {
  it('go to every active link at once on a change, with the number of the set and request form, and nowhere else', () => {
    const { join, add, subscribe, done } = makeGossip();
    join(1, false);
    join(2, false);
    add(3);
    done();
    subscribe('a');
    expect(done()).toEqual(['1 number 2 seq 0', '2 number 2 seq 0']);
  });

  it('are repeated five seconds after the last one', () => {
    const { join, subscribe, pass, done } = makeGossip();
    join(1, false);
    expect(done()).toEqual(['1 number 1 seq 0']);
    pass(3_000);
    subscribe('a');
    done();
    pass(4_980);
    expect(done()).toEqual([]);
    pass(20);
    expect(done()).toEqual(['1 number 2 seq 0']);
    pass(5_000);
    expect(done()).toEqual(['1 number 2 seq 0']);
  });

  it('of the first change go at once, of later ones together after 20 ms', () => {
    const { join, subscribe, unsubscribe, pass, done, gossip, now } = makeGossip();
    join(1, false);
    done();
    subscribe('a');
    expect(done()).toEqual(['1 number 2 seq 0']);
    subscribe('b');
    subscribe('c');
    unsubscribe('a');
    gossip.tick(now() + 19);
    expect(done()).toEqual([]);
    gossip.tick(now() + 20);
    expect(done()).toEqual(['1 number 3 seq 0']);
    pass(1_000);
    expect(done()).toEqual([]);
  });

  it('of a count alone go to relays only', () => {
    const { join, subscribe, pass, done } = makeGossip();
    join(1, false);
    join(2, true);
    subscribe('a');
    pass(20);
    done();
    subscribe('a');
    expect(done()).toEqual(['2 number 3 seq 0']);
    pass(5_000);
    expect(done().filter((line) => line.includes('number'))).toEqual(['1 number 2 seq 0', '2 number 3 seq 0']);
  });

  it('are not made for what changed back, nor for topics that stay at home', () => {
    const { join, subscribe, unsubscribe, pass, done } = makeGossip();
    join(1, true);
    done();
    subscribe('#!$TopicNeedVerify_x', '_block_notify_1');
    subscribe('a');
    subscribe('b');
    unsubscribe('b');
    pass(100);
    expect(done()).toEqual(['1 number 2 seq 0']);
  });

  it('of a withdrawal go at once, even right after a change, and are the last but for repetitions', () => {
    const { join, subscribe, pass, done, gossip, now } = makeGossip();
    join(1, false);
    subscribe('a');
    done();
    gossip.withdraw(now());
    expect(done()).toEqual(['1 number 3 seq 0']);
    subscribe('b');
    pass(4_980);
    expect(done()).toEqual([]);
    pass(20);
    expect(done()).toEqual(['1 number 3 seq 0']);
  });
});

describe('lists', () => {
  it('go to who asks, in the form that was asked for, under the number of the request, active or not', () => {
    const { add, subscribe, ask, done } = makeGossip();
    subscribe('b', 'a', 'b');
    add(1);
    ask(1, 7);
    ask(1, 8, RELAY_MODULE);
    ask(99, 9);
    expect(done()).toEqual(['1 plain list 7: 2\\ta\\tb', '1 relay list 8: 2\\t1 a\\t2 b']);
  });

  it('get a number of ours when the request has none, as from the reference', () => {
    const { join, ask, done } = makeGossip();
    join(1, false);
    done();
    ask(1, 0);
    const [line] = done();
    expect(Number(/^1 plain list (\d+): 1$/.exec(line)?.[1])).toBeGreaterThan(0);
  });

  it('are those of the number announced last: one number never names two lists', () => {
    const { join, subscribe, ask, pass, done } = makeGossip();
    join(1, false);
    subscribe('a');
    subscribe('b');
    done();
    ask(1, 7);
    expect(done()).toEqual(['1 plain list 7: 2\\ta']);
    pass(20);
    ask(1, 8);
    expect(done()).toEqual(['1 number 3 seq 0', '1 plain list 8: 3\\ta\\tb']);
  });

  it('are sent 200 at once and 100 a second to one peer; more requests are counted', () => {
    const { join, ask, pass, done } = makeGossip();
    join(1, false);
    join(2, false);
    done();
    for (let at = 1; at <= 250; at++) ask(1, at);
    const lines = done();
    expect(lines.filter((line) => line.includes('list'))).toHaveLength(200);
    expect(lines.filter((line) => line === '1 refused gossip-rate 1')).toHaveLength(50);
    ask(2, 1);
    expect(done()).toEqual(['2 plain list 1: 1']);
    pass(500);
    done();
    for (let at = 1; at <= 60; at++) ask(1, at);
    expect(done().filter((line) => line.includes('list'))).toHaveLength(50);
  });
});

describe('pulling', () => {
  it('asks a 2.x node on every number that is not that of the list held, and routes to what it lists', () => {
    const { join, announce, list, done } = makeGossip();
    join(1, false);
    announce(1, 0);
    expect(done(), 'nothing is held, so 0 is nothing new').toEqual(['1 number 1 seq 0']);
    announce(1, 5);
    expect(done()).toEqual(['1 plain pull']);
    list('5\tb\ta');
    announce(1, 5);
    expect(done()).toEqual(['1 routes b:1,a:1']);
    announce(1, 4);
    expect(done()).toEqual(['1 plain pull']);
  });

  it('asks a relay at once, without waiting for its number', () => {
    const { join, list, done } = makeGossip();
    join(1, true);
    expect(done()).toEqual(['1 number 1 seq 0', '1 relay pull']);
    list('3\t2 a');
    expect(done()).toEqual(['1 routes a:2']);
  });

  it('asks again, in the other form, a peer that turned out to be a relay', () => {
    const { join, announce, list, becameRelay, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    list('5\ta');
    done();
    becameRelay(1);
    expect(done()).toEqual(['1 number 1 seq 0', '1 relay pull']);
    list('5\t7 a');
    expect(done()).toEqual(['1 routes a:7']);
  });

  it('takes no offence at the list that was on its way from a peer that turned out to be a relay', () => {
    const { join, announce, list, becameRelay, pull, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    const first = pull();
    becameRelay(1);
    done();
    list('5\ta', first);
    expect(done()).toEqual([]);
    list('5\t7 a');
    expect(done()).toEqual(['1 routes a:7']);
    list('5\ta', first);
    expect(done(), 'but only once').toEqual(['1 refused topic-list 1']);
  });

  it('has one pull in flight, and asks again after it when another number was heard meanwhile', () => {
    const { join, announce, list, done } = makeGossip();
    join(1, false);
    done();
    announce(1, 5);
    announce(1, 6);
    announce(1, 7);
    expect(done()).toEqual(['1 plain pull']);
    list('6\ta');
    expect(done()).toEqual(['1 routes a:1', '1 plain pull']);
    announce(1, 8);
    list('8\ta\tb');
    expect(done(), 'the list was newer than what was heard').toEqual(['1 routes a:1,b:1']);
  });

  it('forgets a pull after five seconds and asks again', () => {
    const { join, announce, pass, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    done();
    pass(4_980);
    announce(1, 5);
    expect(done()).toEqual([]);
    pass(20);
    expect(done()).toEqual(['1 number 1 seq 0', '1 plain pull']);
  });

  it('waits for the next number when nothing was heard during the pull that got no answer', () => {
    const { join, announce, pass, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    pass(10_000);
    expect(done().filter((line) => line.includes('pull'))).toHaveLength(1);
    announce(1, 5);
    expect(done().at(-1)).toBe('1 plain pull');
  });

  it('is bounded per second, whatever is announced, and catches up', () => {
    const { join, announce, list, pass, done } = makeGossip();
    join(1, false);
    done();
    let number = 1;
    let pulls = 0;
    for (let at = 0; at < 1_000; at++) {
      announce(1, ++number);
      if (!done().includes('1 plain pull')) continue;
      pulls++;
      list(`${number}\ta`);
      done();
    }
    // Twenty, and their topics cost a little, too.
    expect(pulls).toBe(19);
    pass(60);
    expect(done()).toEqual(['1 plain pull']);
  });

  it('costs more for large lists', () => {
    const { join, announce, list, done } = makeGossip();
    const large = Array.from({ length: 20_000 }, (_, at) => `\tt${at}`).join('');
    join(1, false);
    let pulls = 0;
    for (let number = 2; number < 20; number++) {
      announce(1, number);
      if (!done().includes('1 plain pull')) continue;
      pulls++;
      list(`${number}${large}`);
    }
    // Each of them costs the pull and ten more.
    expect(pulls).toBe(2);
  });

  it('takes nothing from a list that cannot be read', () => {
    const { join, announce, list, gossip, now, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    list('5\ta');
    announce(1, 6);
    done();
    list('six\tb');
    expect(done()).toEqual(['1 refused topic-list 1']);
    expect(gossip.view(1, now())).toMatchObject({ topics: new Map([['a', 1]]), topicSeq: 5 });
  });

  it('asks whoever lists what cannot be read about once a second', () => {
    const { join, announce, list, pass, done } = makeGossip();
    join(1, false);
    let pulls = 0;
    for (let ms = 0; ms < 20_000; ms += 20) {
      announce(1, 5);
      if (done().includes('1 plain pull')) {
        pulls++;
        list('six');
      }
      pass(20);
    }
    expect(pulls).toBeGreaterThanOrEqual(18);
    expect(pulls).toBeLessThanOrEqual(21);
  });

  it('counts elements that are no topics, and leaves out those that nobody may send to', () => {
    const { join, announce, list, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    done();
    list('5\ta\tb\u0001\t#!$TopicNeedVerify_x\t_block_notify_1\t\u0002');
    expect(done()).toEqual(['1 refused topic 2', '1 routes a:1']);
  });

  it('says nothing of a list that is the same under another number', () => {
    const { join, announce, list, done } = makeGossip();
    join(1, true);
    list('5\t1 a\t2 b');
    announce(1, 6);
    done();
    list('6\t2 b\t1 a');
    expect(done()).toEqual([]);
    announce(1, 7);
    list('7\t2 b\t2 a');
    expect(done()).toEqual(['1 relay pull', '1 routes b:2,a:2']);
  });
});

describe('what is not taken', () => {
  it('is a list that was not asked for, was asked for otherwise, or comes a second time', () => {
    const { join, announce, pull, list, frame, done } = makeGossip();
    join(1, false);
    join(2, false);
    frame(1, TOPICS, true, 3, 1, '5\ta');
    frame(1, TOPICS, true, 3, 0, '5\ta');
    announce(1, 5);
    done();
    const { seq } = pull();
    frame(1, TOPICS, true, 3, seq + 1, '5\ta');
    frame(2, TOPICS, true, 3, seq, '5\ta');
    frame(1, RELAY_MODULE, true, 3, seq, '5\t1 a');
    frame(1, TOPICS, false, 3, seq, '5\ta');
    expect(done()).toEqual(['1 refused topic-list 1', '2 refused topic-list 1', '1 refused topic-list 1']);
    list('5\ta');
    list('5\tb');
    expect(done()).toEqual(['1 routes a:1', '1 refused topic-list 1']);
  });

  it('is a number that is none, or one under the module or in the form of something else', () => {
    const { join, announce, frame, done } = makeGossip();
    join(1, false);
    done();
    announce(1, 'abc');
    announce(1, '');
    frame(1, RELAY_MODULE, false, 1, 0, '5');
    frame(1, TOPICS, true, 1, 0, '5');
    frame(1, 1, false, 1, 0, '5');
    frame(1, TOPICS, false, 9, 0, '5');
    frame(99, TOPICS, false, 1, 0, '5');
    expect(done()).toEqual(['1 refused topic-list 1', '1 refused topic-list 1']);
  });
});

describe('a link that is held', () => {
  it('is not announced to or pulled from, but answered; what it announced is pulled once it is active', () => {
    const { add, announce, ask, activate, subscribe, pass, done } = makeGossip();
    add(1);
    announce(1, 5);
    subscribe('a');
    pass(6_000);
    expect(done()).toEqual([]);
    ask(1, 3);
    expect(done()).toEqual(['1 plain list 3: 2\\ta']);
    activate(1, false);
    expect(done()).toEqual(['1 number 2 seq 0', '1 plain pull']);
  });

  it('starts with the list of the link whose place it takes, of the same start of the same relay', () => {
    const { add, activate, list, gossip, done } = makeGossip();
    add(1);
    activate(1, true);
    list('9\t3 a');
    add(2);
    done();
    gossip.deactivate(1);
    activate(2, true);
    gossip.withdrawRoutes(1);
    expect(done()).toEqual(['2 routes a:3', '2 number 1 seq 0', '1 routes ']);
  });

  it('pulls all the same if it has heard of a newer list than that', () => {
    const { add, activate, announce, list, gossip, done } = makeGossip();
    add(1);
    activate(1, true);
    list('9\t3 a');
    add(2);
    announce(2, 10);
    done();
    gossip.forget(1);
    activate(2, true);
    expect(done()).toEqual(['2 routes a:3', '2 number 1 seq 0', '2 relay pull']);
    list('10\t4 a');
    expect(done()).toEqual(['2 routes a:4']);
  });

  it.each([
    ['of another start of that relay', true, BOOT_MS + 1, NODE, 0],
    ['to a node that said no hello', false, 0, NODE, 0],
    ['to another node', true, BOOT_MS, 'e'.repeat(128), 0],
    ['that takes over later', true, BOOT_MS, NODE, 20],
  ])('starts with nothing when it is one %s', (_what, isRelay, bootEpochMs, nodeId, waitMs) => {
    const { add, activate, list, gossip, now, pass, done } = makeGossip();
    add(1);
    activate(1, true);
    list('9\t3 a');
    add(2, nodeId);
    gossip.forget(1);
    pass(waitMs);
    done();
    gossip.activate({ link: 2, nodeId, isRelay, bootEpochMs }, now());
    expect(done().filter((line) => line.includes('routes'))).toEqual([]);
    expect(gossip.view(2, now()).topics.size).toBe(0);
  });

  it('turns out to be a relay without anything being sent over it', () => {
    const { add, becameRelay, done } = makeGossip();
    add(1);
    becameRelay(1);
    becameRelay(99);
    expect(done()).toEqual([]);
  });
});

describe('a link that went', () => {
  it('gets nothing any more, and nothing is taken from it', () => {
    const { join, announce, ask, subscribe, gossip, pass, now, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    gossip.forget(1);
    gossip.forget(1);
    done();
    subscribe('a');
    announce(1, 6);
    ask(1, 3);
    pass(20_000);
    expect(done()).toEqual([]);
    expect(gossip.view(1, now())).toEqual({ topics: new Map(), topicSeq: 0, lagMs: 0 });
  });

  it('is answered while it ends, but not announced to and not routed over', () => {
    const { join, announce, ask, list, pull, subscribe, gossip, pass, done } = makeGossip();
    join(1, true);
    list('5\t1 a');
    announce(1, 6);
    const last = pull();
    gossip.deactivate(1);
    done();
    subscribe('b');
    pass(6_000);
    ask(1, 3);
    list('6\t1 b', last);
    expect(done().filter((line) => !line.includes('list'))).toEqual([]);
  });
});

describe('a request that found nobody', () => {
  it('is told at once when there is nobody to ask: no link, relays only, lists that are fresh', () => {
    const { join, add, announce, list, gossip, now, done } = makeGossip();
    gossip.missed(now());
    expect(done()).toEqual(['pulled']);
    join(1, true);
    add(2);
    done();
    gossip.missed(now());
    expect(done()).toEqual(['pulled']);
    join(3, false);
    announce(3, 5);
    list('5');
    done();
    gossip.missed(now() + 99);
    expect(done()).toEqual(['pulled']);
    gossip.missed(now() + 100);
    expect(done()).toEqual(['3 plain pull']);
  });

  it('waits for the lists of all 2.x nodes, changed or not', () => {
    const { join, list, pull, gossip, now, done } = makeGossip();
    join(1, false);
    join(2, false);
    done();
    gossip.missed(now());
    expect(done()).toEqual(['1 plain pull', '2 plain pull']);
    list('5\ta', { ...pull(), link: 1, seq: pull().seq - 1 });
    expect(done()).toEqual(['1 routes a:1']);
    list('0');
    expect(done()).toEqual(['pulled']);
  });

  it.each([
    ['cannot be read', (world: ReturnType<typeof makeGossip>) => world.list('x')],
    ['never comes, since the link ends', (world: ReturnType<typeof makeGossip>) => world.gossip.forget(1)],
    [
      'never comes, since the link lost its place',
      (world: ReturnType<typeof makeGossip>) => world.gossip.deactivate(1),
    ],
  ])('waits no longer when a list %s', (_what, happens) => {
    const world = makeGossip();
    world.join(1, false);
    world.gossip.missed(world.now());
    world.done();
    happens(world);
    expect(world.done()).toContain('pulled');
    world.pass(1_000);
    expect(world.done()).not.toContain('pulled');
  });

  it('waits at most 300 ms, and later ones do not wait for who was silent that long', () => {
    const { join, gossip, now, pass, done } = makeGossip();
    join(1, false);
    gossip.missed(now());
    done();
    pass(280);
    expect(done()).toEqual([]);
    pass(20);
    expect(done()).toEqual(['pulled']);
    gossip.missed(now());
    expect(done()).toEqual(['pulled']);
    pass(4_700);
    done();
    gossip.missed(now());
    expect(done()).toEqual(['1 plain pull']);
  });

  it('joins a pull that is in flight', () => {
    const { join, announce, list, gossip, now, pass, done } = makeGossip();
    join(1, false);
    announce(1, 5);
    pass(100);
    done();
    gossip.missed(now());
    expect(done()).toEqual([]);
    list('5\ta');
    expect(done()).toEqual(['1 routes a:1', 'pulled']);
  });

  it('is still waited for when the peer turns out to be a relay', () => {
    const { join, becameRelay, list, gossip, now, done } = makeGossip();
    join(1, false);
    gossip.missed(now());
    becameRelay(1);
    done();
    list('5\t1 a');
    expect(done()).toEqual(['1 routes a:1', 'pulled']);
  });

  it('asks one peer five times a second at most', () => {
    const { join, list, gossip, now, pass, done } = makeGossip();
    join(1, false);
    done();
    let pulls = 0;
    for (let ms = 0; ms < 3_000; ms += 110) {
      gossip.missed(now());
      if (done().includes('1 plain pull')) {
        pulls++;
        list('1');
      }
      pass(110);
    }
    // A burst of five, then five a second.
    expect(pulls).toBeGreaterThanOrEqual(18);
    expect(pulls).toBeLessThanOrEqual(20);
  });
});

describe('the age of a list', () => {
  it('counts from the first number that differs, not from the last', () => {
    const { join, announce, list, gossip, now, pass } = makeGossip();
    join(1, false);
    expect(gossip.view(1, now()).lagMs).toBe(0);
    announce(1, 5);
    pass(1_000);
    announce(1, 6);
    expect(gossip.view(1, now())).toEqual({ topics: new Map(), topicSeq: 0, lagMs: 1_000 });
    list('6\ta');
    expect(gossip.view(1, now())).toEqual({ topics: new Map([['a', 1]]), topicSeq: 6, lagMs: 0 });
  });
});
