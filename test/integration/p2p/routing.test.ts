/** Messages from an application of one relay to one of another: who gets them, with which code, in which order. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../../helpers/deadline.js';
import { LegacyPeer } from '../../helpers/p2p/legacy-peer.js';
import { P2PPki } from '../../helpers/p2p/p2p-pki.js';
import { type Mesh, startMesh, useMesh } from '../../helpers/p2p/relays.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const SUBSCRIBER_TIMEOUT_MS = 500;
const limits = { subscriber_timeout_ms: SUBSCRIBER_TIMEOUT_MS, peer_timeout_ms: 2_000 };

describe('unicast over two relays', () => {
  const mesh = useMesh({ limits });

  it('reaches the subscriber unchanged, and its answer the sender', async () => {
    const subscriber = await mesh().subscriber(1, ['plain']);
    subscriber.answerWithEcho();
    const sender = await mesh().connect(0);
    const seq = sender.unicast('plain', 'hello');
    const answer = await sender.response(seq);
    const pushed = await subscriber.next('the request');
    expect([pushed.type, pushed.seq, pushed.result, pushed.body]).toEqual([
      TYPE.unicast,
      seq,
      0,
      amopBody('plain', 'hello'),
    ]);
    expect(answer.body).toEqual(amopBody('plain', 'echo:hello'));
  });

  it.each([
    ['an empty payload', 0],
    ['64 KiB', 65_536],
    ['3 MB', 3_000_000],
  ])('carries %s there and back', async (_, bytes) => {
    const topic = `size-${bytes}`;
    const subscriber = await mesh().subscriber(1, [topic]);
    subscriber.answerer = ({ body }) => ({ body });
    const sender = await mesh().connect(0);
    const payload = Buffer.alloc(bytes, 'x');
    expect((await sender.request(topic, payload)).body.equals(amopBody(topic, payload))).toBe(true);
  });

  it('makes a subscription on one relay routable from the other within a second (prints the median)', async () => {
    const sender = await mesh().connect(0);
    const subscriber = await mesh().connect(1);
    subscriber.answerWithEcho();
    const timesMs: number[] = [];
    for (let n = 0; n < 25; n++) {
      const topic = `soon-${newSeq()}`;
      await passTime(30); // a change of its own, not one in a burst
      const startMs = performance.now();
      subscriber.send(TYPE.subscribe, JSON.stringify([topic]));
      while ((await sender.request(topic)).result !== 0) {
        if (performance.now() - startMs > 5_000) throw new Error(`${topic} is not routable`);
      }
      timesMs.push(performance.now() - startMs);
    }
    timesMs.sort((a, b) => a - b);
    console.info(
      `subscription to route: median ${timesMs[12].toFixed(1)} ms, worst ${timesMs.at(-1)!.toFixed(1)} ms of 25`,
    );
    expect(timesMs.at(-1)).toBeLessThan(1_000);
  });

  it('answers 100 soon after the last subscriber unsubscribed, and after it left', async () => {
    const sender = await mesh().connect(0);
    for (const leave of ['unsubscribe', 'close', 'destroy'] as const) {
      const subscriber = await mesh().subscriber(1, [leave]);
      subscriber.answerWithEcho();
      expect((await sender.request(leave)).result).toBe(0);
      if (leave === 'unsubscribe') await subscriber.subscribe();
      else if (leave === 'close') await subscriber.close();
      else subscriber.destroy();
      const result = await until(async () => {
        const answer = await sender.request(leave);
        return answer.result === 100 ? answer : undefined;
      }, `100 after ${leave}`);
      expect(result.body).toHaveLength(0);
    }
  });

  it('never gives a session its own message though it subscribes on the sending relay', async () => {
    const both = await mesh().subscriber(0, ['own']);
    expect((await both.request('own')).result).toBe(100);
    const other = await mesh().subscriber(1, ['own']);
    other.answerWithEcho();
    for (let n = 0; n < 10; n++) expect((await both.request('own')).result).toBe(0);
    expect(both.framesOf(TYPE.unicast)).toEqual([]);
    expect(other.framesOf(TYPE.unicast)).toHaveLength(10);
  });

  it('keeps senders apart that use one sequence on both relays', async () => {
    const subscriber = await mesh().subscriber(1, ['twins']);
    subscriber.answerWithEcho();
    const seq = newSeq();
    const senders = [await mesh().connect(0), await mesh().connect(0), await mesh().connect(1)];
    senders.forEach((sender, n) => {
      sender.unicast('twins', `${n}`, seq);
    });
    const answers = await Promise.all(senders.map((sender) => sender.response(seq)));
    const ok = answers.filter(({ result }) => result === 0);
    expect(ok.length).toBeGreaterThan(0);
    // A subscriber holds one request of a sequence at a time; the others find nobody free.
    for (const { result } of answers) expect([0, 101]).toContain(result);
    for (const answer of ok) {
      expect(`${parseAmopBody(answer.body).payload}`).toBe(`echo:${answers.indexOf(answer)}`);
    }
  });

  it('keeps the order of one sender’s messages to one receiver, unicast and multicast together', async () => {
    const seen: number[] = [];
    const receiver = await mesh().connect(1, {
      onFrame: (frame) => {
        if (frame.type !== TYPE.unicast && frame.type !== TYPE.multicast) return false;
        seen.push(parseAmopBody(frame.body).payload.readUInt32BE(0));
        if (frame.type === TYPE.unicast) receiver.send(TYPE.response, frame.body, frame.seq);
        return true;
      },
    });
    await receiver.subscribe('ordered');
    await mesh().settled(1);
    const sender = await mesh().connect(0, { onFrame: ({ type }) => type === TYPE.response });
    const count = 2_000;
    for (let n = 0; n < count; n++) {
      const payload = Buffer.alloc(4 + ((n * 7_919) % 3_000));
      payload.writeUInt32BE(n, 0);
      if (n % 3 === 0) sender.multicast('ordered', payload);
      else sender.unicast('ordered', payload);
      if (n % 100 === 99) await until(() => seen.length > n - 50, `message ${n - 50}`);
    }
    await until(
      () => seen.length >= count,
      () => `${count} messages, got ${seen.length}`,
    );
    expect(seen).toEqual(Array.from({ length: count }, (_, n) => n));
  });
});

describe('codes', () => {
  const mesh = useMesh({ limits: { ...limits, session_queue_bytes_max: 2_097_152, slow_consumer_timeout_ms: 20_000 } });

  it.each([0, 7, -5, 100, 101, 102, 103, 104])(
    'passes the result %i of a subscriber on, with its body',
    async (result) => {
      const topic = `result-${result}`;
      const subscriber = await mesh().subscriber(1, [topic]);
      subscriber.answerer = () => ({ result, body: amopBody(topic, 'its own') });
      const answer = await (await mesh().connect(0)).request(topic);
      expect([answer.result, answer.body]).toEqual([result, amopBody(topic, 'its own')]);
    },
  );

  it('answers 100 when nobody subscribes', async () => {
    const answer = await (await mesh().connect(0)).request('nobody');
    expect([answer.result, answer.body.length]).toEqual([100, 0]);
  });

  it('answers 102 when the subscriber is silent', async () => {
    await mesh().subscriber(1, ['silent']);
    const startMs = performance.now();
    const answer = await (await mesh().connect(0)).request('silent');
    expect([answer.result, answer.body.length]).toEqual([102, 0]);
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeGreaterThan(SUBSCRIBER_TIMEOUT_MS * 0.9);
    expect(tookMs).toBeLessThan(SUBSCRIBER_TIMEOUT_MS + 500);
  });

  it('answers 102 at once when the subscriber leaves with the request in its hands', async () => {
    const subscriber = await mesh().subscriber(1, ['gone']);
    const sender = await mesh().connect(0);
    const startMs = performance.now();
    const seq = sender.unicast('gone');
    await subscriber.next('the request');
    subscriber.destroy();
    expect((await sender.response(seq)).result).toBe(102);
    expect(performance.now() - startMs).toBeLessThan(SUBSCRIBER_TIMEOUT_MS);
  });

  it('answers 101 when the only subscriber’s queue is full', async () => {
    const slow = await mesh().subscriber(1, ['only', 'fill']);
    slow.pause();
    const filler = await mesh().connect(1, { onFrame: ({ type }) => type === TYPE.response });
    await until(
      async () => {
        for (let n = 0; n < 20; n++) filler.multicast('fill', Buffer.alloc(200_000, newSeq()));
        const seq = filler.send(TYPE.heartbeat, '0');
        await filler.waitFor((frame) => frame.seq === seq, 'a heartbeat');
        return (await mesh().relay(1).metrics()).value('amop_multicast_dropped_total') > 0;
      },
      'the queue of the subscriber to be full',
      15_000,
    );
    const answer = await (await mesh().connect(0)).request('only', Buffer.alloc(200_000));
    expect([answer.result, answer.body.length]).toEqual([101, 0]);
    slow.destroy();
    filler.destroy();
  }, 30_000);

  it('tries the own subscriber when the other relay’s is silent, and the other way round', async () => {
    for (const [silentAt, answeringAt] of [
      [1, 0],
      [0, 1],
    ]) {
      const topic = `next-${silentAt}`;
      const silent = await mesh().subscriber(silentAt, [topic]);
      const answering = await mesh().subscriber(answeringAt, [topic]);
      answering.answerWithEcho();
      const sender = await mesh().connect(0);
      const answers = await Promise.all(Array.from({ length: 6 }, () => sender.request(topic)));
      expect(answers.map(({ result }) => result)).toEqual([0, 0, 0, 0, 0, 0]);
      expect(silent.framesOf(TYPE.unicast).length, 'some went to the silent one first').toBeGreaterThan(0);
      expect(answering.framesOf(TYPE.unicast)).toHaveLength(6);
    }
  });

  it('tries a silent subscriber on each relay once and then answers 102', async () => {
    const silent = [await mesh().subscriber(0, ['all-silent']), await mesh().subscriber(1, ['all-silent'])];
    const sender = await mesh().connect(0);
    expect((await sender.request('all-silent')).result).toBe(102);
    expect(silent.map((client) => client.framesOf(TYPE.unicast).length)).toEqual([1, 1]);
  });
});

describe('codes with a node among the choices', () => {
  async function start(): Promise<{ mesh: Mesh; node: LegacyPeer; sender: RawClient }> {
    const pki = await P2PPki.create();
    const node = await LegacyPeer.start({ credentials: pki.node('node'), announceIntervalMs: 60_000 });
    onTestFinished(() => node.stop());
    const mesh = await startMesh({ limits, dials: [node.port] }, pki);
    const sender = await mesh.connect(0);
    return { mesh, node, sender };
  }

  /** The node has the topic when the relays pull, and no subscriber any more when they ask. */
  async function goStale(node: LegacyPeer, sender: RawClient, topic: string): Promise<void> {
    node.subscribe(topic);
    node.answerWithEcho();
    node.announce();
    await until(async () => (await sender.request(topic)).result === 0, 'the route to the node');
    node.subscribe();
  }

  it('goes on after 104, and says 104 only when nothing else worked', async () => {
    const { mesh, node, sender } = await start();
    await goStale(node, sender, 't');
    expect((await sender.request('t')).result).toBe(104);
    const subscriber = await mesh.subscriber(1, ['t']);
    subscriber.answerWithEcho();
    for (let n = 0; n < 8; n++) expect((await sender.request('t')).result).toBe(0);
    subscriber.answerer = undefined;
    expect((await sender.request('t')).result, '102 counts before 104').toBe(102);
  }, 30_000);

  it('takes any other result of the node as final', async () => {
    const { mesh, node, sender } = await start();
    const subscriber = await mesh.subscriber(1, ['t']);
    subscriber.answerWithEcho();
    node.subscribe('t');
    node.answerer = () => ({ result: 9, body: amopBody('t', 'no') });
    node.announce();
    const results = await until(async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => sender.request('t')));
      const codes = answers.map(({ result }) => result);
      return codes.includes(9) ? codes : undefined;
    }, 'a request at the node');
    expect(new Set(results)).toEqual(new Set([0, 9]));
  });
});

describe('fair shares over three relays', () => {
  const mesh = useMesh({ count: 3, limits });

  it.each([
    ['one, one and two', [1, 1, 2]],
    ['none, one and three', [0, 1, 3]],
    ['four on the sender’s relay and one elsewhere', [4, 1, 0]],
  ])('gives each subscriber the same with %s subscribers', async (_, counts) => {
    const topic = `fair-${counts.join('-')}`;
    const subscribers: RawClient[] = [];
    for (const [relay, count] of counts.entries()) {
      for (let n = 0; n < count; n++) {
        const subscriber = await mesh().relay(relay).subscriber([topic]);
        subscriber.answerWithEcho();
        subscribers.push(subscriber);
      }
    }
    for (const relay of [0, 1, 2]) await mesh().settled(relay);
    const sender = await mesh().connect(0);
    const requests = 600;
    for (let n = 0; n < requests; n += 12) {
      const answers = await Promise.all(Array.from({ length: 12 }, () => sender.request(topic)));
      for (const { result } of answers) expect(result).toBe(0);
    }
    const shares = subscribers.map((client) => client.framesOf(TYPE.unicast).length / requests);
    const fair = 1 / subscribers.length;
    for (const share of shares) expect(Math.abs(share - fair), `shares ${shares}`).toBeLessThanOrEqual(0.03);
  });

  it('follows a subscriber that moves to another relay', async () => {
    const [stays, moves] = [await mesh().subscriber(1, ['move']), await mesh().subscriber(1, ['move'])];
    stays.answerWithEcho();
    await moves.close();
    const moved = await mesh().subscriber(2, ['move']);
    await mesh().settled(1);
    moved.answerWithEcho();
    const sender = await mesh().connect(0);
    for (let n = 0; n < 200; n++) expect((await sender.request('move')).result).toBe(0);
    const shares = [stays, moved].map((client) => client.framesOf(TYPE.unicast).length / 200);
    for (const share of shares) expect(Math.abs(share - 0.5)).toBeLessThanOrEqual(0.05);
  });
});

describe('multicast over three relays', () => {
  const mesh = useMesh({ count: 3, limits });

  it('reaches every subscriber session once, whatever its relay, and never the sender', async () => {
    const subscribers: RawClient[] = [];
    for (const relay of [0, 0, 1, 1, 2, 2]) subscribers.push(await mesh().relay(relay).subscriber(['news']));
    for (const relay of [0, 1, 2]) await mesh().settled(relay);
    for (const [n, sender] of subscribers.entries()) {
      const seq = sender.multicast('news', `message ${n}`);
      expect((await sender.response(seq)).body).toEqual(amopBody('news', `message ${n}`));
    }
    for (const [n, subscriber] of subscribers.entries()) {
      await subscriber.waitFor(() => subscriber.framesOf(TYPE.multicast).length >= 5, `5 copies at ${n}`);
    }
    for (const relay of [0, 1, 2]) await mesh().settled(relay);
    for (const [n, subscriber] of subscribers.entries()) {
      await subscriber.barrier();
      const payloads = subscriber.framesOf(TYPE.multicast).map(({ body }) => `${parseAmopBody(body).payload}`);
      const others = subscribers.map((_, other) => `message ${other}`).filter((__, other) => other !== n);
      expect(payloads.sort(), `at ${n}`).toEqual(others);
    }
  });

  it('delivers one copy of a message that an application sends over two relays', async () => {
    const subscribers: RawClient[] = [];
    for (const relay of [0, 1, 2]) subscribers.push(await mesh().relay(relay).subscriber(['twice']));
    for (const relay of [0, 1, 2]) await mesh().settled(relay);
    const senders = [await mesh().connect(0), await mesh().connect(1)];
    const seq = newSeq();
    for (const sender of senders) sender.multicast('twice', 'same', seq);
    for (const sender of senders) expect((await sender.response(seq)).result).toBe(0);
    await senders[0].response(senders[0].multicast('twice', 'last'));
    await senders[1].response(senders[1].multicast('twice', 'last too'));
    for (const [n, subscriber] of subscribers.entries()) {
      await subscriber.waitFor(() => subscriber.framesOf(TYPE.multicast).length >= 3, `3 messages at ${n}`);
      await subscriber.barrier();
      expect(subscriber.framesOf(TYPE.multicast).filter((frame) => frame.seq === seq)).toHaveLength(1);
    }
  });

  it('is sent to a relay once, not once for each of its subscribers', async () => {
    const topic = 'one-copy';
    for (let n = 0; n < 5; n++) await mesh().relay(1).subscriber([topic]);
    await mesh().settled(1);
    const sender = await mesh().connect(0);
    const before = mesh().proxies.reduce((sum, proxy) => sum + proxy.bytesToTarget + proxy.bytesFromTarget, 0);
    await sender.response(sender.multicast(topic, Buffer.alloc(500_000)));
    await mesh().settled(0);
    await mesh().settled(1);
    const after = mesh().proxies.reduce((sum, proxy) => sum + proxy.bytesToTarget + proxy.bytesFromTarget, 0);
    expect(after - before).toBeGreaterThan(500_000);
    expect(after - before).toBeLessThan(900_000);
  });
});

describe('a relay that dies', () => {
  it('costs no request that another relay can serve', async () => {
    const mesh = await startMesh({ count: 3, limits });
    const dying = await mesh.subscriber(1, ['t']); // takes requests and says nothing
    const living = await mesh.subscriber(2, ['t']);
    living.answerWithEcho();
    const sender = await mesh.connect(0);
    const seqs = Array.from({ length: 20 }, (_, n) => sender.unicast('t', `${n}`));
    await until(() => dying.framesOf(TYPE.unicast).length > 0, 'requests in the hands of the dying relay');
    await mesh.kill(1);
    const answers = await Promise.all(seqs.map((seq) => sender.response(seq)));
    expect(answers.map(({ result }) => result)).toEqual(seqs.map(() => 0));
    expect(answers.map(({ body }) => `${parseAmopBody(body).payload}`)).toEqual(seqs.map((_, n) => `echo:${n}`));
  }, 30_000);

  it('gives 102 to what was in its hands when nobody else subscribes, and 100 to what comes then', async () => {
    const mesh = await startMesh({ limits: { ...limits, subscriber_timeout_ms: 5_000, peer_timeout_ms: 10_000 } });
    const dying = await mesh.subscriber(1, ['t']);
    const sender = await mesh.connect(0);
    const seqs = Array.from({ length: 5 }, () => sender.unicast('t'));
    await until(() => dying.framesOf(TYPE.unicast).length === 5, 'the requests at the subscriber');
    const startMs = performance.now();
    await mesh.kill(1);
    const answers = await Promise.all(seqs.map((seq) => sender.response(seq)));
    expect(answers.map(({ result, body }) => [result, body.length])).toEqual(seqs.map(() => [102, 0]));
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect((await sender.request('t')).result).toBe(100);
  }, 30_000);

  it('that is told to stop lets its open requests end and costs none', async () => {
    const mesh = await startMesh({ count: 3, limits });
    for (const relay of [1, 2]) (await mesh.subscriber(relay, ['t'])).answerWithEcho();
    const sender = await mesh.connect(0, { onFrame: () => false });
    let stopped = false;
    const end = mesh.terminate(1).then(() => {
      stopped = true;
    });
    let sent = 0;
    while (!stopped || sent < 100) {
      expect((await sender.request('t')).result).toBe(0);
      sent++;
    }
    await end;
  }, 30_000);

  it('that is silent but connected costs peer_timeout_ms, then the next is tried', async () => {
    const mesh = await startMesh({ count: 3, limits: { ...limits, peer_timeout_ms: 1_000 } });
    const frozen = await mesh.subscriber(1, ['t']);
    frozen.answerWithEcho();
    const living = await mesh.subscriber(2, ['t']);
    living.answerWithEcho();
    const sender = await mesh.connect(0);
    process.kill(mesh.relay(1).pid, 'SIGSTOP');
    const startMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 10 }, () => sender.request('t')));
    process.kill(mesh.relay(1).pid, 'SIGCONT');
    expect(answers.map(({ result }) => result)).toEqual(answers.map(() => 0));
    expect(performance.now() - startMs).toBeLessThan(3_000);
  }, 30_000);
});
