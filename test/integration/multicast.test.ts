import { describe, expect, it } from 'vitest';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

describe('multicast', () => {
  const relay = useRelay();

  it('delivers to every subscriber once, unchanged, and answers the sender with its own body', async () => {
    const subscribers = await Promise.all(['s1', 's2', 's3'].map((name) => relay().subscriber(['all'], { name })));
    const bystander = await relay().subscriber(['other']);
    const sender = await relay().connect();
    const frame = encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('all', 'to all'));
    sender.sendBytes(frame);
    const ack = await sender.next('the acknowledgement');
    expect([ack.type, ack.result]).toEqual([TYPE.response, 0]);
    expect(ack.body.equals(frame.subarray(42))).toBe(true);
    for (const subscriber of subscribers) {
      expect((await subscriber.next('the copy')).bytes.equals(frame)).toBe(true);
      await subscriber.barrier();
      expect(subscriber.unread).toEqual([]);
    }
    await bystander.barrier();
    expect(bystander.unread).toEqual([]);
  });

  it('acknowledges with result 0 though the request carried another', async () => {
    const sender = await relay().connect();
    sender.sendBytes(encodeFrame(TYPE.multicast, newSeq(), 9, amopBody('result', 'x')));
    expect((await sender.next('the acknowledgement')).result).toBe(0);
  });

  it('acknowledges a message that nobody receives', async () => {
    const sender = await relay().connect();
    const ack = await sender.response(sender.multicast('nobody', 'hello?'));
    expect(ack.result).toBe(0);
    expect(ack.body.equals(amopBody('nobody', 'hello?'))).toBe(true);
  });

  it('acknowledges a large message with the whole body and delivers it', async () => {
    const subscriber = await relay().subscriber(['large']);
    const sender = await relay().connect();
    const payload = Buffer.alloc(1_500_000, 'large');
    const seq = sender.multicast('large', payload);
    expect((await sender.response(seq)).body.equals(amopBody('large', payload))).toBe(true);
    expect((await subscriber.next('the copy')).body.equals(amopBody('large', payload))).toBe(true);
  });

  it('never delivers a session its own message', async () => {
    const client = await relay().subscriber(['own']);
    const other = await relay().subscriber(['own']);
    await client.response(client.multicast('own', 'x'));
    await other.next('the copy');
    await client.barrier();
    expect(client.framesOf(TYPE.multicast)).toEqual([]);
  });

  it('delivers one copy of a message that an application sends over two connections', async () => {
    const subscriber = await relay().subscriber(['two-links']);
    const [one, two] = [await relay().connect(), await relay().connect()];
    const frame = encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('two-links', 'once'));
    one.sendBytes(frame);
    two.sendBytes(frame);
    await one.next('the acknowledgement of the first copy');
    await two.next('the acknowledgement of the second copy');
    await subscriber.barrier();
    expect(subscriber.framesOf(TYPE.multicast)).toHaveLength(1);
  });

  it('delivers both messages that share a sequence but not their body or topic', async () => {
    const subscriber = await relay().subscriber(['seq-a', 'seq-b']);
    const sender = await relay().connect();
    const seq = newSeq();
    sender.multicast('seq-a', '1', seq);
    sender.multicast('seq-a', '2', seq);
    sender.multicast('seq-b', '1', seq);
    await sender.barrier();
    await subscriber.barrier();
    const got = subscriber.framesOf(TYPE.multicast).map((frame) => {
      const { topic, payload } = parseAmopBody(frame.body);
      return `${topic} ${payload}`;
    });
    expect(got).toEqual(['seq-a 1', 'seq-a 2', 'seq-b 1']);
  });

  it('delivers the second copy to a subscriber that came after the first', async () => {
    const early = await relay().subscriber(['late-comer'], { name: 'early' });
    const sender = await relay().connect();
    const frame = encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('late-comer', 'x'));
    sender.sendBytes(frame);
    await early.next('the first copy');
    const late = await relay().subscriber(['late-comer'], { name: 'late' });
    sender.sendBytes(frame);
    await late.next('the second copy');
    await early.barrier();
    expect(early.framesOf(TYPE.multicast)).toHaveLength(1);
  });

  it('keeps the order of one sender’s messages, unicast and multicast together', async () => {
    const subscriber = await relay().subscriber(['ordered']);
    subscriber.answerWithEcho();
    const sender = await relay().connect();
    for (let n = 0; n < 400; n++) {
      if (n % 3 === 0) sender.unicast('ordered', `${n}`);
      else sender.multicast('ordered', `${n}`);
    }
    await sender.waitFor(() => sender.framesOf(TYPE.response).length === 400, 'all answers');
    await subscriber.barrier();
    const order = subscriber.received.map((frame) => Number(`${parseAmopBody(frame.body).payload}`));
    expect(order).toEqual(Array.from({ length: 400 }, (_, n) => n));
  });

  it('drops the 0x31 that a subscriber sends after a multicast', async () => {
    const subscriber = await relay().subscriber(['go-answers']);
    const sender = await relay().connect();
    const seq = sender.multicast('go-answers', 'x');
    await subscriber.next('the copy');
    subscriber.send(TYPE.response, amopBody('go-answers', ''), seq);
    await subscriber.barrier();
    await sender.barrier();
    expect(sender.framesOf(TYPE.response)).toHaveLength(1);
  });
});
