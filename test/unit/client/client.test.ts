/** What a client with one relay does; several relays are in relays.test.ts. */
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type AmopClient, AmopError, connect } from '../../../src/client/index.js';
import { ClientWorld } from '../../helpers/client-world.js';
import { until, withDeadline } from '../../helpers/deadline.js';
import { asOwnRelay, type Script, startScriptedRelay } from '../../helpers/scripted-relay.js';
import { amopBody, encodeFrame, type Frame, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';

const world = new ClientWorld({ connect, AmopError });
const open = world.open.bind(world);
const failure = world.failure.bind(world);

/** Answers every 0x30 with its payload in upper case. */
const shouting: Script = {
  onFrame: (frame, peer) => {
    if (frame.type !== TYPE.unicast) return false;
    const { topic, payload } = parseAmopBody(frame.body);
    peer.send(TYPE.response, frame.seq, 0, amopBody(topic, payload.toString().toUpperCase()));
    return true;
  },
};

describe('connect', () => {
  it('says who it is and that it takes reasons and joined frames', async () => {
    const { peer } = await open();
    const hello = JSON.parse((await peer.frame(TYPE.handshake)).body.toString());
    expect(hello).toEqual({
      minimumSupport: 1,
      maximumSupport: 3,
      clientType: 'amop-relay',
      capabilities: ['reason', 'joined'],
    });
  });

  it('works with a node that knows no capabilities', async () => {
    const { client } = await open(shouting);
    expect(client.relays[0].server).toEqual({ nodeVersion: '2.11.0', protocol: 3, capabilities: [] });
    expect((await client.request('t', 'abc')).payload.toString()).toBe('ABC');
  });

  it('reports the capabilities of a relay', async () => {
    const { client } = await open({ onFrame: asOwnRelay });
    expect(client.relays[0].server?.capabilities).toEqual(['reason', 'joined']);
  });

  it('connects with RSA certificates too', async () => {
    const relay = await world.relay(shouting, { kind: 'rsa' });
    const client = await world.connect({ port: relay.port }, 'rsa');
    expect((await client.request('t', 'rsa')).payload.toString()).toBe('RSA');
  });

  it('refuses a server of another chain with AMOP-99', async () => {
    const relay = await world.relay();
    const error = await failure(world.connect({ port: relay.port, ca: world.sdkPems('rsa').ca }));
    expect(error).toMatchObject({ code: 99, reason: 'connect-failed' });
    expect(error.message).toContain('does not lead to our ca.crt');
  });

  it('says that its own certificate was probably refused when the server just closes', async () => {
    const relay = await world.relay({
      onFrame: (_frame, peer) => {
        peer.socket.destroy();
        return true;
      },
    });
    const error = await failure(world.connect({ port: relay.port }));
    expect(error).toMatchObject({ code: 99, reason: 'refused' });
    expect(error.message).toContain('refuses our certificate');
  });

  it('says so too when a server refuses its certificate for being of another chain', async () => {
    const relay = await startScriptedRelay({ ...world.relayPems(), ca: world.relayPems('rsa').ca });
    world.later(() => relay.stop());
    const error = await failure(world.connect({ port: relay.port }));
    expect(error.code).toBe(99);
    expect(error.message).toMatch(/refuse[sd] our certificate/);
  });

  it('fails with AMOP-99 where nothing listens', async () => {
    const relay = await world.relay();
    await relay.stop();
    const error = await failure(world.connect({ port: relay.port }));
    expect(error).toMatchObject({ code: 99, reason: 'connect-failed', id: 'AMOP-99' });
    expect(error.message).toContain('nothing listens');
  });

  it('gives up on a server that never answers the handshake', async () => {
    const relay = await world.relay({ onFrame: () => true });
    const error = await failure(world.connect({ port: relay.port, connectTimeoutMs: 300 }));
    expect(error).toMatchObject({ code: 99, reason: 'connect-timeout' });
    const peer = await relay.peer();
    await until(() => peer.socket.destroyed, 'the abandoned connection to close');
  });

  it.each([
    ['no JSON', 'hello'],
    ['an unknown protocol', '{"protocol":9}'],
    ['nothing', ''],
  ])('refuses a handshake answer with %s', async (_name, body) => {
    const relay = await world.relay({
      onFrame: (frame, peer) => {
        peer.send(TYPE.handshake, frame.seq, 0, body);
        return true;
      },
    });
    expect(await failure(world.connect({ port: relay.port }))).toMatchObject({ code: 99, reason: 'handshake-failed' });
  });

  it('names a wrong option before it dials', async () => {
    const options = { ...world.sdkPems(), port: 1 };
    await expect(connect({ ...options, port: 70_000 })).rejects.toThrow(RangeError);
    await expect(connect({ ...options, key: '' })).rejects.toThrow('option key');
    const encryption = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const;
    const encrypted = { ...options, key: createPrivateKey(options.key).export(encryption) };
    await expect(connect(encrypted)).rejects.toThrow('give its password as option passphrase');
    await expect(connect({ ...encrypted, passphrase: 'guess' })).rejects.toThrow('option key cannot be decrypted');
    await (await connect({ ...encrypted, passphrase: 'secret', lazy: true })).close();
    await expect(connect({ ...options, key: world.relayPems().key })).rejects.toMatchObject({ code: 'key-invalid' });
    await expect(connect({ ...options, cert: 'nonsense' })).rejects.toMatchObject({ code: 'certificate-invalid' });
  });
});

describe('request', () => {
  it('sends topic and payload and resolves with the answer of the same seq', async () => {
    const { client, peer } = await open(shouting);
    const reply = await client.request('Überweisung', 'grüße');
    expect(reply.payload.toString()).toBe('GRÜSSE');
    const sent = await peer.frame(TYPE.unicast);
    expect(sent.seq).toBe(reply.seq);
    expect(sent.seq).toMatch(/^[0-9a-f]{32}$/);
    expect(sent.result).toBe(0);
    expect(parseAmopBody(sent.body).topic).toBe('Überweisung');
  });

  it('gives each of many concurrent requests its own answer, whatever their order', async () => {
    const held: Frame[] = [];
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        held.push(frame);
        if (held.length === 200) for (const one of held.reverse()) peer.send(TYPE.response, one.seq, 0, one.body);
        return true;
      },
    });
    const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => client.request('t', `payload ${i}`)));
    expect(replies.map((reply) => reply.payload.toString())).toEqual(replies.map((_, i) => `payload ${i}`));
  });

  it.each([100, 101, 102, 103, 104, -7, 4711])('rejects with code %i of an answer without a body', async (code) => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, frame.seq, code, '');
        return true;
      },
    });
    const error = await failure(client.request('t', 'x'));
    expect(error.code).toBe(code);
    expect(error.id).toBe(`AMOP-${code}`);
    expect(error.reason).toBeUndefined();
    expect(error.seq).toMatch(/^[0-9a-f]{32}$/);
  });

  it('carries the reason of the relay', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, frame.seq, 100, amopBody('t', '{"reason":"no-subscriber"}\n'));
        return true;
      },
    });
    const error = await failure(client.request('t', 'x'));
    expect(error).toMatchObject({ code: 100, reason: 'no-subscriber' });
    expect(error.message).toContain('no-subscriber');
  });

  it('takes the body of a 104, which echoes the request, for no reason', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, frame.seq, 104, frame.body);
        return true;
      },
    });
    expect(await failure(client.request('t', 'not json'))).toMatchObject({ code: 104, reason: undefined });
  });

  it('times out with 102 within its deadline and drops the late answer', async () => {
    const { client, peer } = await open({ onFrame: (frame) => frame.type === TYPE.unicast });
    const startMs = performance.now();
    const error = await failure(client.request('t', 'x', { timeoutMs: 150 }));
    const tookMs = performance.now() - startMs;
    expect(error).toMatchObject({ code: 102, reason: 'timeout' });
    expect(tookMs).toBeGreaterThan(140);
    expect(tookMs).toBeLessThan(1_000);
    const late = await peer.frame(TYPE.unicast);
    peer.send(TYPE.response, late.seq, 0, late.body);
    await until(() => client.counters.unmatchedResponses === 1, 'the late answer to be counted');
  });

  it('ignores an answer with a foreign seq or of another type', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, newSeq(), 0, amopBody('t', 'foreign'));
        peer.send(TYPE.rpc, frame.seq, 0, amopBody('t', 'wrong type'));
        peer.send(0x7777, frame.seq, 0, amopBody('t', 'unknown type'));
        peer.send(TYPE.response, frame.seq, 0, amopBody('t', 'right'));
        peer.send(TYPE.response, frame.seq, 0, amopBody('t', 'second'));
        return true;
      },
    });
    expect((await client.request('t', 'x')).payload.toString()).toBe('right');
    await until(() => client.counters.unmatchedResponses === 2, 'both unmatched answers to be counted');
  });

  it('rejects an answer whose body has no topic', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, frame.seq, 0, Buffer.from([0]));
        return true;
      },
    });
    expect(await failure(client.request('t', 'x'))).toMatchObject({ code: 1, reason: 'malformed-answer' });
  });

  it('ends with the reason of its signal', async () => {
    const { client } = await open({ onFrame: (frame) => frame.type === TYPE.unicast });
    const controller = new AbortController();
    const call = client.request('t', 'x', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(client.request('t', 'x', { signal: controller.signal })).rejects.toThrow('enough');
  });

  it('refuses wrong arguments before it sends anything', async () => {
    const { client, peer } = await open(shouting);
    await expect(client.request('', 'x')).rejects.toThrow(RangeError);
    await expect(client.request('a\tb', 'x')).rejects.toThrow('control characters');
    await expect(client.request('x'.repeat(255), 'x')).rejects.toThrow('254');
    await expect(client.request('t', 5 as unknown as string)).rejects.toThrow(TypeError);
    await expect(client.request('t', 'x', { timeoutMs: 2 ** 31 })).rejects.toThrow('timeoutMs');
    await client.request('t', 'x');
    expect(peer.frames.filter((frame) => frame.type === TYPE.unicast)).toHaveLength(1);
  });

  it('fails at once with AMOP-99 above its bound of open calls', async () => {
    const { client } = await open({ onFrame: (frame) => frame.type === TYPE.unicast }, { outstandingMax: 2 });
    const first = [
      failure(client.request('t', '1', { timeoutMs: 500 })),
      failure(client.request('t', '2', { timeoutMs: 500 })),
    ];
    const startMs = performance.now();
    expect(await failure(client.request('t', '3'))).toMatchObject({ code: 99, reason: 'outstanding-max' });
    expect(performance.now() - startMs).toBeLessThan(300);
    expect((await Promise.all(first)).map((error) => error.code)).toEqual([102, 102]);
  });

  it('keeps at most its bound of bytes for a relay that takes nothing, and withdraws what timed out unsent', async () => {
    const payload = Buffer.alloc(4 * 1024 * 1024);
    const { client, peer } = await open({}, { queueBytesMax: 10 * 1024 * 1024 });
    peer.socket.pause();
    const calls = Array.from({ length: 8 }, () => failure(client.request('t', payload, { timeoutMs: 400 })));
    const reasons = (await Promise.all(calls)).map((error) => `${error.code} ${error.reason}`);
    expect(reasons).toContain('99 queue-full');
    expect(reasons).toContain('99 not-written');
    expect(reasons.filter((reason) => reason === '102 timeout').length).toBeLessThanOrEqual(2);
    // What was withdrawn makes room again.
    expect(await failure(client.request('t', payload, { timeoutMs: 50 }))).not.toMatchObject({ reason: 'queue-full' });
  });
});

describe('subscribe', () => {
  it('answers a unicast with the same seq and the topic in front', async () => {
    const { client, peer } = await open();
    await client.subscribe('rates', ({ payload, topic }) => `${topic}: ${payload.toString()}`);
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('rates', 'EUR'));
    const answer = await peer.frame(TYPE.response);
    expect(answer).toMatchObject({ seq, result: 0 });
    expect(parseAmopBody(answer.body)).toEqual({ topic: 'rates', payload: Buffer.from('rates: EUR') });
  });

  it.each([
    ['a string', () => 'x', 'x'],
    ['bytes', () => new Uint8Array([0, 255]), '\u0000\u00ff'],
    ['a promise', async () => 'later', 'later'],
    ['nothing', () => {}, ''],
    ['null', () => null, ''],
  ])('takes %s from a handler as the answer', async (_name, handler, expected) => {
    const { client, peer } = await open();
    await client.subscribe('t', handler);
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    const answer = await peer.frame(TYPE.response);
    expect(answer.result).toBe(0);
    expect(parseAmopBody(answer.body).payload.toString('latin1')).toBe(expected);
  });

  it('sends the whole list with every change and waits until the relay has worked on it', async () => {
    const { client, peer } = await open();
    const lists = () =>
      peer.frames.filter((frame) => frame.type === TYPE.subscribe).map((frame) => frame.body.toString());
    await client.subscribe('a', () => {});
    expect(lists()).toEqual(['["a"]']);
    await client.subscribe('b', () => {});
    await client.unsubscribe('a');
    expect(lists()).toEqual(['["a"]', '["a","b"]', '["b"]']);
    expect(client.subscriptions).toEqual(['b']);
    await client.unsubscribe('never subscribed');
    expect(lists()).toHaveLength(3);
  });

  it('fails when the relay does not react, is then not subscribed, and says so when the relay reacts again', async () => {
    let held: Frame | undefined;
    const { client, peer } = await open({
      onFrame: (frame) => {
        if (frame.type !== TYPE.heartbeat || held !== undefined) return false;
        held = frame;
        return true;
      },
    });
    expect(await failure(client.subscribe('t', () => 'x', { timeoutMs: 100 }))).toMatchObject({ code: 102 });
    expect(client.subscriptions).toEqual([]);
    peer.send(TYPE.heartbeat, held?.seq ?? '', 0, '{"heartBeat":1}');
    expect((await peer.frame(TYPE.subscribe, 1)).body.toString()).toBe('[]');
  });

  it('tells the relay many topics that are subscribed at once in two lists', async () => {
    const { client, peer } = await open();
    const topics = Array.from({ length: 50 }, (_, i) => `topic ${i}`);
    await Promise.all(topics.map((topic) => client.subscribe(topic, () => {})));
    const lists = peer.of(TYPE.subscribe).map((frame) => JSON.parse(frame.body.toString()));
    expect(lists.length).toBeLessThanOrEqual(2);
    expect(lists.at(-1)).toEqual(topics);
  });

  it.each([
    ['a handler that is none', ['t', 'handler'], 'handler must be a function'],
    ['options before a handler that is none', ['t', undefined, { concurrency: 1 }], 'handler must be a function'],
    ['a signal that is none', ['t', () => {}, { signal: 'now' }], 'option signal'],
    ['no room at all', ['t', () => {}, { inboxMax: 0 }], 'option inboxMax'],
    ['a fraction of a handler', ['t', () => {}, { concurrency: 0.5 }], 'option concurrency'],
  ])('refuses %s', async (_name, args, words) => {
    const { client } = await open();
    const subscribe = client.subscribe.bind(client) as (...all: unknown[]) => Promise<void>;
    await expect((async () => subscribe(...args))()).rejects.toThrow(words);
    expect(client.subscriptions).toEqual([]);
  });

  it('refuses a topic that is subscribed already', async () => {
    const { client } = await open();
    await client.subscribe('t', () => {});
    await expect(client.subscribe('t', () => {})).rejects.toThrow('subscribed already');
    await client.unsubscribe('t');
    await client.subscribe('t', () => {});
  });

  it('ends with its signal', async () => {
    const { client, peer } = await open();
    const end = new AbortController();
    await client.subscribe('t', () => 'x', { signal: end.signal });
    end.abort();
    expect(client.subscriptions).toEqual([]);
    expect((await peer.frame(TYPE.subscribe, 1)).body.toString()).toBe('[]');
    await expect(client.subscribe('t', () => 'x', { signal: end.signal })).rejects.toThrow('aborted');
  });

  it('sends and reads JSON', async () => {
    const { client, peer } = await open();
    await client.subscribe('t', (message) => ({ sum: message.json<number[]>().reduce((a, b) => a + b) }));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', '[1,2,3]'));
    const answer = await peer.frame(TYPE.response);
    expect(JSON.parse(parseAmopBody(answer.body).payload.toString())).toEqual({ sum: 6 });
  });

  it('takes the first reply of a handler and not what it returns', async () => {
    const { client, peer } = await open();
    const taken: boolean[] = [];
    await client.subscribe('t', async (message) => {
      taken.push(message.reply('first'), message.reply('second'));
      return 'third';
    });
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    await peer.frame(TYPE.response, 1);
    expect(peer.of(TYPE.response).map((frame) => parseAmopBody(frame.body).payload.toString())).toEqual([
      'first',
      'first',
    ]);
    expect(taken).toEqual([true, false, true, false]);
  });

  it('answers with a code and a reason of the application', async () => {
    const { client, peer } = await open();
    await client.subscribe('t', (message) => void message.fail(4711, 'sold-out'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    const answer = await peer.frame(TYPE.response);
    expect(answer.result).toBe(4711);
    expect(parseAmopBody(answer.body).payload.toString()).toBe('{"reason":"sold-out"}');
  });
});

describe('a full inbox', () => {
  it('lets at most `concurrency` handlers run, keeps `inboxMax` messages and refuses the rest', async () => {
    const { client, peer } = await open();
    const running: (() => void)[] = [];
    const dropped: unknown[] = [];
    client.on('drop', (message) => dropped.push(message));
    await client.subscribe('t', () => new Promise<string>((done) => running.push(() => done('ok'))), {
      concurrency: 2,
      inboxMax: 3,
    });
    const seqs = Array.from({ length: 7 }, newSeq);
    for (const seq of seqs.slice(0, 6)) peer.send(TYPE.unicast, seq, 0, amopBody('t', 'q'));
    peer.send(TYPE.multicast, seqs[6], 0, amopBody('t', 'm'));
    await until(() => dropped.length === 2, 'two messages to be refused');
    expect(running).toHaveLength(2);
    expect(dropped).toEqual([
      { topic: 't', seq: seqs[5], multicast: false, relay: client.relays[0].relay },
      { topic: 't', seq: seqs[6], multicast: true, relay: client.relays[0].relay },
    ]);
    expect(client.counters).toMatchObject({ droppedUnicasts: 1, droppedMulticasts: 1 });
    for (let i = 0; i < 5; i++) {
      await until(() => running.length > i, `handler ${i} to run`);
      running[i]();
    }
    await peer.frame(TYPE.response, 4);
    expect(peer.of(TYPE.response).map((frame) => frame.seq)).toEqual(seqs.slice(0, 5));
  });

  it('holds no more bytes than its bound, over all topics', async () => {
    const { client, peer } = await open({}, { inboxBytesMax: 100_000 });
    let ran = 0;
    const never = () => {
      ran++;
      return new Promise<string>(() => {});
    };
    await client.subscribe('a', never);
    await client.subscribe('b', never);
    for (const topic of ['a', 'b', 'a', 'b']) {
      peer.send(TYPE.multicast, newSeq(), 0, amopBody(topic, Buffer.alloc(40_000)));
    }
    await until(() => client.counters.droppedMulticasts === 2, 'two messages to be refused');
    expect(ran).toBe(2);
  });

  it('does not hold up answers to our own calls', async () => {
    const { client, peer } = await open(shouting);
    await client.subscribe('t', () => new Promise<string>(() => {}), { concurrency: 1, inboxMax: 1 });
    for (let i = 0; i < 10; i++) peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    expect((await client.request('other', 'still there')).text()).toBe('STILL THERE');
    expect(client.counters.droppedUnicasts).toBe(8);
  });
});

describe('unsubscribe', () => {
  it('lets the handler have what waits already', async () => {
    const { client, peer } = await open();
    const running: (() => void)[] = [];
    await client.subscribe('t', () => new Promise<string>((done) => running.push(() => done('ok'))), {
      concurrency: 1,
    });
    const seqs = [newSeq(), newSeq()];
    for (const seq of seqs) peer.send(TYPE.unicast, seq, 0, amopBody('t', 'q'));
    await until(() => running.length === 1, 'the first handler');
    await client.unsubscribe('t');
    running[0]();
    await until(() => running.length === 2, 'the second handler');
    running[1]();
    await peer.frame(TYPE.response, 1);
    expect(peer.of(TYPE.response).map((frame) => frame.seq)).toEqual(seqs);
  });

  it('leaves a later subscription to the topic alone when an earlier loop is left', async () => {
    const { client } = await open();
    const first = client.subscribe('t');
    await first.ready;
    await client.unsubscribe('t');
    await client.subscribe('t', () => {});
    await first.return();
    expect(client.subscriptions).toEqual(['t']);
  });

  it('lets a loop have what waits already, and then ends it', async () => {
    const { client, peer } = await open();
    const stream = client.subscribe('t');
    await stream.ready;
    for (const text of ['1', '2']) peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', text));
    await client.unsubscribe('t');
    const got: string[] = [];
    for await (const message of stream) got.push(message.text());
    expect(got).toEqual(['1', '2']);
  });
});

describe('a subscription as an iterator', () => {
  it('gives the messages in their order and answers by reply()', async () => {
    const { client, peer } = await open();
    const stream = client.subscribe('t');
    await stream.ready;
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'one'));
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', 'two'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', '{"three":3}'));
    const got: unknown[] = [];
    for await (const message of stream) {
      got.push(message.multicast ? message.text() : message.payload.toString());
      if (!message.multicast) message.reply({ got: message.text() });
      if (got.length === 3) break;
    }
    expect(got).toEqual(['one', 'two', '{"three":3}']);
    const answers = peer.of(TYPE.response).map((frame) => JSON.parse(parseAmopBody(frame.body).payload.toString()));
    expect(answers).toEqual([{ got: 'one' }, { got: '{"three":3}' }]);
    expect(client.subscriptions).toEqual([]);
    expect((await peer.frame(TYPE.subscribe, 1)).body.toString()).toBe('[]');
  });

  it('leaves a unicast unanswered that nobody replies to', async () => {
    const { client, peer } = await open();
    const stream = client.subscribe('t');
    await stream.ready;
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'ignored'));
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('t', 'answered'));
    await stream.next();
    (await stream.next()).value.reply('yes');
    expect((await peer.frame(TYPE.response)).seq).toBe(seq);
  });

  it('refuses messages beyond its inbox, and takes some again when the loop goes on', async () => {
    const { client, peer } = await open();
    const stream = client.subscribe('t', { inboxMax: 2 });
    await stream.ready;
    for (const text of ['1', '2', '3']) peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', text));
    await until(() => client.counters.droppedMulticasts === 1, 'the third to be refused');
    expect((await stream.next()).value.text()).toBe('1');
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', '4'));
    expect((await stream.next()).value.text()).toBe('2');
    expect((await stream.next()).value.text()).toBe('4');
  });

  it.each([
    ['its signal', async (end: () => void) => end()],
    ['unsubscribe', (_end: () => void, client: AmopClient) => client.unsubscribe('t')],
    ['the end of the client', (_end: () => void, client: AmopClient) => client.close()],
  ])('ends with %s', async (_name, stop) => {
    const { client, peer } = await open();
    const end = new AbortController();
    const stream = client.subscribe('t', { signal: end.signal });
    await stream.ready;
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', 'first'));
    let count = 0;
    const loop = (async () => {
      for await (const _message of stream) count++;
      return count;
    })();
    await until(() => count === 1, 'the loop to take its message');
    const waiting = stream.next();
    await stop(() => end.abort(), client);
    expect(await withDeadline(waiting, 3_000, 'the waiting next')).toEqual({ done: true, value: undefined });
    expect(await withDeadline(loop, 3_000, 'the loop')).toBe(1);
  });

  it('throws in the loop when the topic could not be subscribed', async () => {
    const { client } = await open({ onFrame: (frame) => frame.type === TYPE.heartbeat });
    const loop = (async () => {
      for await (const _message of client.subscribe('t', { timeoutMs: 50 })) return;
    })();
    expect(await failure(loop)).toMatchObject({ code: 102 });
  });
});

describe('messages', () => {
  it('hands over a multicast and never answers it', async () => {
    const { client, peer } = await open();
    const got: string[] = [];
    await client.subscribe('news', ({ payload, multicast }) => {
      got.push(`${multicast} ${payload.toString()}`);
      return 'an answer nobody wants';
    });
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('news', 'first'));
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('news', 'second'));
    expect((await peer.frame(TYPE.response)).seq).toBe(seq);
    expect(got).toEqual(['true first', 'false second']);
  });

  it('does not answer a multicast either when its handler throws', async () => {
    const errors: unknown[] = [];
    const { client, peer } = await open({}, { onHandlerError: (error) => errors.push(error) });
    await client.subscribe('t', ({ multicast }) => {
      if (multicast) throw new Error('no');
      return 'yes';
    });
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', 'm'));
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('t', 'q'));
    expect((await peer.frame(TYPE.response)).seq).toBe(seq);
    expect(errors).toHaveLength(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret detail');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('secret detail');
      },
    ],
    ['returns no payload', () => 42 as unknown as string],
  ])('answers with code 1 and without the error text when the handler %s', async (_name, handler) => {
    const errors: unknown[] = [];
    const { client, peer } = await open({}, { onHandlerError: (error) => errors.push(error) });
    await client.subscribe('t', handler);
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    const answer = await peer.frame(TYPE.response);
    expect(answer.result).toBe(1);
    expect(answer.body.toString()).toContain('handler-failed');
    expect(answer.body.toString()).not.toContain('secret');
    expect(errors).toHaveLength(1);
  });

  it('leaves messages unanswered that it cannot place, and stays connected', async () => {
    const { client, peer } = await open();
    await client.subscribe('t', () => 'ok');
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('other', 'q'));
    peer.send(TYPE.unicast, newSeq(), 0, '');
    peer.send(TYPE.unicast, newSeq(), 0, Buffer.from([9, 1]));
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('t', 'q'));
    expect((await peer.frame(TYPE.response)).seq).toBe(seq);
    expect(client.counters).toMatchObject({ unhandledMessages: 1, malformedMessages: 2 });
  });

  it('frees the place of a handler that never settles and does not answer for it', async () => {
    const errors: unknown[] = [];
    const { client, peer } = await open({}, { handlerTimeoutMs: 50, onHandlerError: (error) => errors.push(error) });
    let calls = 0;
    await client.subscribe('t', () => (calls++ === 0 ? new Promise<string>(() => {}) : 'second'), { concurrency: 1 });
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', '1'));
    await until(() => calls === 1, 'the first call');
    const seq = newSeq();
    peer.send(TYPE.unicast, seq, 0, amopBody('t', '2'));
    expect((await peer.frame(TYPE.response)).seq).toBe(seq);
    expect(errors).toHaveLength(1);
  });
});

describe('multicast', () => {
  it('resolves with the acknowledgement, whose body does not matter', async () => {
    const { client, peer } = await open({
      onFrame: (frame, from) => {
        if (frame.type !== TYPE.multicast) return false;
        from.send(TYPE.response, frame.seq, 0, frame.body);
        return true;
      },
    });
    const { seq } = await client.multicast('news', 'hello');
    const sent = await peer.frame(TYPE.multicast);
    expect(sent.seq).toBe(seq);
    expect(sent.body).toEqual(amopBody('news', 'hello'));
  });

  it('rejects with the code of the relay', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.multicast) return false;
        peer.send(TYPE.response, frame.seq, 103, '');
        return true;
      },
    });
    expect(await failure(client.multicast('news', 'hello'))).toMatchObject({ code: 103 });
  });
});

describe('the stream', () => {
  it('reads frames that come byte by byte and frames that come together', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        const { payload } = parseAmopBody(frame.body);
        const answer = encodeFrame(TYPE.response, frame.seq, 0, amopBody('t', payload));
        if (payload.toString() !== 'bytes') {
          const stray = encodeFrame(TYPE.response, newSeq(), 0, amopBody('t', 'stray'));
          peer.socket.write(Buffer.concat([stray, answer, stray]));
          return true;
        }
        for (const byte of answer) peer.socket.write(Buffer.from([byte]));
        return true;
      },
    });
    expect((await client.request('t', 'bytes')).payload.toString()).toBe('bytes');
    expect((await client.request('t', 'joined')).payload.toString()).toBe('joined');
    await until(() => client.counters.unmatchedResponses === 2, 'both stray frames');
  });

  it('carries a message of many megabytes both ways', async () => {
    const { client } = await open({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        peer.send(TYPE.response, frame.seq, 0, frame.body);
        return true;
      },
    });
    const payload = Buffer.alloc(12 * 1024 * 1024, 'amop');
    const reply = await client.request('files', payload, { timeoutMs: 15_000 });
    expect(reply.payload.equals(payload)).toBe(true);
  });

  it.each([
    ['shorter than its header', '00000029'],
    ['longer than the maximum', '06400001'],
    ['of another protocol', Buffer.from('HTTP/1.1 400 Bad Request').toString('hex')],
  ])('ends with a clear error at a frame %s', async (_name, hex) => {
    const { client, peer, relay } = await open({ onFrame: (frame) => frame.type === TYPE.unicast });
    const lost = once(client, 'disconnect');
    const call = failure(client.request('t', 'x'));
    await peer.frame(TYPE.unicast);
    peer.socket.write(Buffer.from(hex, 'hex'));
    const error = await call;
    expect(error).toMatchObject({ code: 99, reason: 'bad-frame' });
    expect(error.seq).toMatch(/^[0-9a-f]{32}$/);
    expect((await lost)[0]).toMatchObject({ relay: relay.address, error: { code: 99, reason: 'bad-frame' } });
  });

  it('fails everything that is open when the relay resets the connection', async () => {
    const { client, peer } = await open({ onFrame: (frame) => frame.type === TYPE.unicast });
    const calls = [failure(client.request('t', '1')), failure(client.request('t', '2'))];
    await peer.frame(TYPE.unicast, 1);
    // Half of an answer first: it must not be taken for a whole one.
    peer.socket.write(
      encodeFrame(TYPE.response, peer.frames.at(-1)?.seq ?? '', 0, amopBody('t', 'whole')).subarray(0, 45),
    );
    peer.socket.end();
    const errors = await Promise.all(calls);
    expect(errors.map(({ code, reason }) => `${code} ${reason}`)).toEqual(['99 connection-lost', '99 connection-lost']);
    expect(errors[0].seq).not.toBe(errors[1].seq);
  });
});

describe('the link', () => {
  it('sends heartbeats as the Java SDK does', async () => {
    const { peer } = await open({}, { heartbeatIntervalMs: 20 });
    expect((await peer.frame(TYPE.heartbeat, 1)).body.toString()).toBe('{"heartBeat":0}');
  });

  it('sends the heartbeat of protocol 1 to a server that chose it', async () => {
    const { peer } = await open(
      {
        onFrame: (frame, from) => {
          if (frame.type !== TYPE.handshake) return false;
          from.send(TYPE.handshake, frame.seq, 0, '{"nodeVersion":"2.0.0","protocol":1}\n');
          return true;
        },
      },
      { heartbeatIntervalMs: 20 },
    );
    expect((await peer.frame(TYPE.heartbeat)).body.toString()).toBe('0');
  });

  it('gives up a relay that has gone silent, and fails what is open', async () => {
    let deaf = false;
    const { client, peer } = await open(
      { onFrame: (frame) => deaf || frame.type === TYPE.unicast },
      { heartbeatIntervalMs: 50, deadLinkMs: 120 },
    );
    await peer.frame(TYPE.heartbeat, 4);
    expect(peer.socket.destroyed).toBe(false);
    deaf = true;
    const lost = once(client, 'disconnect');
    const call = failure(client.request('t', 'x'));
    const [event] = await withDeadline(lost, 3_000, 'the dead link to be noticed');
    expect(event).toMatchObject({ error: { code: 99, reason: 'dead-link' } });
    expect(await call).toMatchObject({ code: 99, reason: 'dead-link' });
  });

  it('closes in order: open calls fail, answers that are ready leave, nothing can be sent any more', async () => {
    const { client, peer } = await open({ onFrame: (frame) => frame.type === TYPE.unicast });
    await client.subscribe('t', () => 'last words');
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('t', 'q'));
    const answered = peer.frame(TYPE.response);
    const call = failure(client.request('t', 'x'));
    await answered;
    await client.close();
    expect(await call).toMatchObject({ code: 99, reason: 'closed' });
    expect(await client.closed).toBeUndefined();
    expect(await failure(client.request('t', 'x'))).toMatchObject({ code: 99, reason: 'closed' });
    expect(await failure(client.subscribe('u', () => {}))).toMatchObject({ code: 99, reason: 'closed' });
    await client.close();
  });

  it('closes by force when the relay takes nothing', async () => {
    const { client, peer } = await open();
    peer.socket.pause();
    const call = failure(client.request('t', Buffer.alloc(8 * 1024 * 1024)));
    let ended = false;
    client.closed.then(() => {
      ended = true;
    });
    const closing = client.close();
    expect(await call).toMatchObject({ code: 99, reason: 'closed' });
    expect(ended).toBe(false);
    await withDeadline(closing, 3_000, 'close');
  });
});
