import { describe, expect, it } from 'vitest';
import type { RawClient } from '../helpers/raw-client.js';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

const SUBSCRIBER_TIMEOUT_MS = 600;

describe('unicast', () => {
  const relay = useRelay({ limits: { subscriber_timeout_ms: SUBSCRIBER_TIMEOUT_MS, request_timeout_ms: 3_000 } });

  const silent = (topic: string, name: string) => relay().subscriber([topic], { name });
  const echo = async (topic: string, name: string): Promise<RawClient> => {
    const client = await silent(topic, name);
    client.answerWithEcho();
    return client;
  };

  it('delivers a request unchanged to the subscriber and its answer unchanged to the sender', async () => {
    const subscriber = await silent('plain', 'subscriber');
    const sender = await relay().connect({ name: 'sender' });
    const request = encodeFrame(TYPE.unicast, newSeq(), 5, amopBody('plain', 'question \0 bytes \xff'));
    sender.sendBytes(request);
    const delivered = await subscriber.next('the request');
    expect(delivered.bytes.equals(request)).toBe(true);
    const answer = encodeFrame(TYPE.response, delivered.seq, 0, amopBody('plain', 'answer'));
    subscriber.sendBytes(answer);
    expect((await sender.next('the answer')).bytes.equals(answer)).toBe(true);
  });

  it('delivers to exactly one of several subscribers', async () => {
    const subscribers = [await echo('one-of', 's1'), await echo('one-of', 's2'), await echo('one-of', 's3')];
    const sender = await relay().connect({ name: 'sender' });
    for (let n = 0; n < 30; n++) expect((await sender.request('one-of', `${n}`)).result).toBe(0);
    const payloads = subscribers.flatMap((s) =>
      s.framesOf(TYPE.unicast).map((f) => `${parseAmopBody(f.body).payload}`),
    );
    expect(payloads.sort()).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`).sort());
    for (const subscriber of subscribers) expect(subscriber.framesOf(TYPE.unicast).length).toBeGreaterThanOrEqual(8);
  });

  it('crosses from a secp256k1 session to an RSA session: the listeners share one topic space', async () => {
    const subscriber = await relay().subscriber(['kinds'], { kind: 'rsa', name: 'rsa' });
    subscriber.answerWithEcho();
    const sender = await relay().connect({ kind: 'secp256k1', name: 'ec' });
    expect(`${parseAmopBody((await sender.request('kinds', 'x')).body).payload}`).toBe('echo:x');
  });

  it('answers 100 with an empty body when nobody subscribes', async () => {
    const sender = await relay().connect();
    const answer = await sender.request('nobody', 'lost');
    expect([answer.type, answer.result, answer.bytes.length]).toEqual([TYPE.response, 100, 42]);
  });

  it('never delivers a session its own message, though it is the only subscriber', async () => {
    const client = await echo('own', 'client');
    expect((await client.request('own', 'to myself')).result).toBe(100);
    await client.barrier();
    expect(client.framesOf(TYPE.unicast)).toEqual([]);
  });

  it('serves the other subscriber when the sender subscribes too', async () => {
    const client = await echo('shared', 'client');
    const other = await echo('shared', 'other');
    for (let n = 0; n < 6; n++) expect((await client.request('shared')).result).toBe(0);
    expect(client.framesOf(TYPE.unicast)).toEqual([]);
    expect(other.framesOf(TYPE.unicast)).toHaveLength(6);
  });

  it('passes on whatever result a subscriber chose, with its body', async () => {
    const subscriber = await silent('results', 'subscriber');
    const sender = await relay().connect();
    for (const result of [7, -1, 104, 102, 2_147_483_647]) {
      subscriber.answerer = () => ({ result, body: amopBody('results', 'because') });
      const answer = await sender.request('results');
      expect(answer.result).toBe(result);
      expect(answer.body.equals(amopBody('results', 'because'))).toBe(true);
    }
  });

  it('passes on an answer with an empty body', async () => {
    const subscriber = await silent('empty-answer', 'subscriber');
    subscriber.answerer = () => ({ body: Buffer.alloc(0) });
    const answer = await (await relay().connect()).request('empty-answer');
    expect([answer.result, answer.body.length]).toEqual([0, 0]);
  });

  it('delivers on the empty topic and on a topic of 254 bytes', async () => {
    const long = 'ä'.repeat(127);
    const subscriber = await relay().subscriber(['', long]);
    subscriber.answerWithEcho();
    const sender = await relay().connect();
    for (const topic of ['', long])
      expect(`${parseAmopBody((await sender.request(topic, 'x')).body).topic}`).toBe(topic);
  });

  it('carries a payload of 3 MB there and back', async () => {
    const subscriber = await silent('large', 'subscriber');
    subscriber.answerer = (frame) => ({ body: frame.body });
    const payload = Buffer.alloc(3_000_000, 'amop');
    const answer = await (await relay().connect()).request('large', payload);
    expect(answer.body.equals(amopBody('large', payload))).toBe(true);
  });

  it('tries the next subscriber when the first is silent', async () => {
    const first = await silent('failover', 'silent');
    const second = await silent('failover', 'second');
    const order: string[] = [];
    first.answerer = () => void order.push('first') as undefined;
    second.answerWithEcho();
    const sender = await relay().connect();
    const startMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 4 }, () => sender.request('failover', 'x')));
    expect(answers.map(({ result }) => result)).toEqual([0, 0, 0, 0]);
    expect(order.length).toBeGreaterThan(0);
    expect(second.framesOf(TYPE.unicast)).toHaveLength(4);
    expect(performance.now() - startMs).toBeGreaterThan(SUBSCRIBER_TIMEOUT_MS * 0.9);
  });

  it('tries the next subscriber at once when the first disconnects with the request in its hands', async () => {
    const first = await silent('gone', 'first');
    first.answerer = () => void first.destroy() as undefined;
    const sender = await relay().connect();
    const second = await echo('gone', 'second');
    const startMs = performance.now();
    const answers = await Promise.all([sender.request('gone', '1'), sender.request('gone', '2')]);
    expect(answers.map(({ result }) => result)).toEqual([0, 0]);
    expect(first.isClosed).toBe(true);
    expect(second.framesOf(TYPE.unicast)).toHaveLength(2);
    expect(performance.now() - startMs).toBeLessThan(SUBSCRIBER_TIMEOUT_MS * 0.9);
  });

  it('answers 102 with an empty body when every subscriber was silent', async () => {
    await silent('all-silent', 's1');
    await silent('all-silent', 's2');
    const startMs = performance.now();
    const answer = await (await relay().connect()).request('all-silent', 'x');
    expect([answer.result, answer.bytes.length]).toEqual([102, 42]);
    const elapsedMs = performance.now() - startMs;
    expect(elapsedMs).toBeGreaterThan(2 * SUBSCRIBER_TIMEOUT_MS * 0.9);
    expect(elapsedMs).toBeLessThan(3_000);
  });

  it('answers 102 at once when the only subscriber disconnects with the request in its hands', async () => {
    const subscriber = await silent('only-gone', 'subscriber');
    subscriber.answerer = () => void subscriber.destroy() as undefined;
    const startMs = performance.now();
    const answer = await (await relay().connect()).request('only-gone', 'x');
    expect([answer.result, answer.bytes.length]).toEqual([102, 42]);
    expect(performance.now() - startMs).toBeLessThan(SUBSCRIBER_TIMEOUT_MS * 0.9);
  });

  it('ends a request before its deadline however many subscribers are silent', async () => {
    for (let n = 0; n < 8; n++) await silent('eight-silent', `s${n}`);
    const startMs = performance.now();
    const answer = await (await relay().connect()).request('eight-silent', 'x');
    expect(answer.result).toBe(102);
    expect(performance.now() - startMs).toBeLessThan(3_500);
  });

  it('drops a late answer and counts it', async () => {
    const subscriber = await silent('late', 'subscriber');
    const sender = await relay().connect();
    const before = (await relay().metrics()).value('amop_input_refused_total', { reason: 'unmatched-response' });
    const answer = await sender.request('late', 'x');
    expect(answer.result).toBe(102);
    subscriber.send(TYPE.response, amopBody('late', 'sorry'), answer.seq);
    await subscriber.barrier();
    await sender.barrier();
    expect(sender.framesOf(TYPE.response)).toHaveLength(1);
    await relay().waitForMetric('amop_input_refused_total', { reason: 'unmatched-response' }, before + 1);
  });

  it('drops a second answer to one request', async () => {
    const subscriber = await silent('twice', 'subscriber');
    const sender = await relay().connect();
    subscriber.answerer = (frame) => {
      subscriber.send(TYPE.response, amopBody('twice', 'first'), frame.seq);
      return { body: amopBody('twice', 'second') };
    };
    expect(`${parseAmopBody((await sender.request('twice')).body).payload}`).toBe('first');
    await subscriber.barrier();
    await sender.barrier();
    expect(sender.framesOf(TYPE.response)).toHaveLength(1);
  });

  it('takes an answer only from the session that was asked', async () => {
    const subscriber = await silent('asked', 'subscriber');
    const stranger = await relay().connect({ name: 'stranger' });
    const sender = await relay().connect({ name: 'sender' });
    const seq = sender.unicast('asked', 'x');
    await subscriber.next('the request');
    stranger.send(TYPE.response, amopBody('asked', 'forged'), seq);
    await stranger.barrier();
    subscriber.send(TYPE.response, amopBody('asked', 'genuine'), seq);
    expect(`${parseAmopBody((await sender.response(seq)).body).payload}`).toBe('genuine');
  });

  it('keeps two senders apart that use the same sequence', async () => {
    const subscribers = [await silent('same-seq', 's1'), await silent('same-seq', 's2')];
    for (const subscriber of subscribers) subscriber.answerWithEcho();
    const [a, b] = [await relay().connect({ name: 'a' }), await relay().connect({ name: 'b' })];
    const seq = newSeq();
    a.unicast('same-seq', 'from a', seq);
    b.unicast('same-seq', 'from b', seq);
    expect(`${parseAmopBody((await a.response(seq)).body).payload}`).toBe('echo:from a');
    expect(`${parseAmopBody((await b.response(seq)).body).payload}`).toBe('echo:from b');
  });

  it('answers both of two senders with the same sequence when there is one subscriber', async () => {
    const subscriber = await echo('same-seq-one', 'subscriber');
    const [a, b] = [await relay().connect({ name: 'a' }), await relay().connect({ name: 'b' })];
    const seq = newSeq();
    a.unicast('same-seq-one', 'from a', seq);
    b.unicast('same-seq-one', 'from b', seq);
    const answers = [await a.response(seq), await b.response(seq)];
    for (const [index, answer] of answers.entries()) {
      // The subscriber can only tell its requests apart by the sequence: a second one at the same time may be refused,
      // but nobody may get the other's answer.
      if (answer.result === 0) expect(`${parseAmopBody(answer.body).payload}`).toBe(`echo:from ${'ab'[index]}`);
      else expect([answer.result, answer.body.length]).toEqual([101, 0]);
    }
    expect(answers.some(({ result }) => result === 0)).toBe(true);
    for (const client of [a, b, subscriber]) await client.barrier();
    expect([a.framesOf(TYPE.response).length, b.framesOf(TYPE.response).length]).toEqual([1, 1]);
  });

  it('gives every request exactly one answer when a sender repeats its own sequence', async () => {
    await echo('repeated', 'subscriber');
    const sender = await relay().connect();
    const seq = newSeq();
    sender.unicast('repeated', '1', seq);
    sender.unicast('repeated', '2', seq);
    await sender.waitFor(() => sender.framesOf(TYPE.response).length === 2, 'two answers');
    await sender.barrier();
    expect(sender.framesOf(TYPE.response)).toHaveLength(2);
  });

  it('keeps the order of one sender’s requests to one subscriber', async () => {
    const subscriber = await echo('ordered', 'subscriber');
    const sender = await relay().connect();
    const seqs = Array.from({ length: 300 }, (_, n) => sender.unicast('ordered', `${n}`));
    await Promise.all(seqs.map((seq) => sender.response(seq)));
    const order = subscriber.framesOf(TYPE.unicast).map((frame) => Number(`${parseAmopBody(frame.body).payload}`));
    expect(order).toEqual(seqs.map((_, n) => n));
  });

  it('counts answers by their code', async () => {
    const value = (await relay().metrics()).value('amop_requests_total', { code: '100' });
    await (await relay().connect()).request('nobody-again');
    await relay().waitForMetric('amop_requests_total', { code: '100' }, value + 1);
  });
});
