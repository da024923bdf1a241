/** Bad frames and bodies from an authenticated client (decisions §5): each handled, counted, and the relay serves on. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../helpers/raw-client.js';
import { useRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, TYPE } from '../helpers/wire.js';

const FRAME_BYTES_MAX = 104_857_584;

describe('hostile input', () => {
  const relay = useRelay({ limits: { subscriber_timeout_ms: 1_000 } });

  const refused = async (reason: string) => (await relay().metrics()).value('amop_input_refused_total', { reason });
  const closed = async (reason: string) => (await relay().metrics()).value('amop_connections_closed_total', { reason });

  /** After each test other clients are served as ever. */
  afterEach(async () => {
    const subscriber = await relay().subscriber(['serving-on']);
    subscriber.answerWithEcho();
    const sender = await relay().connect();
    expect((await sender.request('serving-on', 'x')).result).toBe(0);
    await subscriber.close();
    await sender.close();
  });

  const badBodies: [string, Buffer][] = [
    ['an empty body', Buffer.alloc(0)],
    ['topic byte 0', Buffer.from([0])],
    ['topic byte 0 with text behind it', Buffer.from('\0topic and payload')],
    ['a topic byte beyond the body', Buffer.from([0xff, 0x41])],
    ['a topic byte one beyond the body', Buffer.from([3, 0x41])],
    ['a tab in the topic', amopBody('tab\there', 'x')],
    ['a line feed in the topic', amopBody('line\nfeed', 'x')],
    ['a zero byte in the topic', amopBody('nul\0', 'x')],
    ['DEL in the topic', amopBody('del\x7f', 'x')],
    ['a block notification topic', amopBody('_block_notify_1', 'x')],
  ];
  for (const [name, type] of [
    ['0x30', TYPE.unicast],
    ['0x35', TYPE.multicast],
  ] as const) {
    for (const [what, body] of badBodies) {
      it(`answers 100 with an empty body to ${name} with ${what}, counts it and keeps the connection`, async () => {
        // A subscriber that holds even the reserved name must not be handed the message: Go clients panic on it.
        const victim = await relay().subscriber(['_block_notify_1', 'A']);
        const before = await refused('malformed-body');
        const client = await relay().connect();
        const answer = await client.response(client.send(type, body));
        expect(answer.bytes.toString('hex')).toBe(encodeFrame(TYPE.response, answer.seq, 100, '').toString('hex'));
        await client.barrier();
        await victim.barrier();
        expect(victim.received).toEqual([]);
        expect(await refused('malformed-body')).toBe(before + 1);
        await victim.close();
      });
    }
  }

  it.each([
    // A push topic is never sent to, a challenge topic not by multicast; other names may be, if they are of a known form.
    ['#!$PushChannel_#!$TopicNeedVerify_x', 2, 0],
    ['#!$VerifyChannel_x', 1, 1],
    ['#!$TopicNeedVerify_x', 0, 0],
    [`#!$VerifyChannel_#!$TopicNeedVerify_x_${'0'.repeat(32)}`, 1, 0],
    ['#!$', 0, 2],
  ])('answers 100 to messages on %s and delivers them to nobody', async (topic, malformed, unknown) => {
    const victim = await relay().subscriber([topic]);
    const before = [await refused('malformed-body'), await refused('private-topic')];
    const client = await relay().connect();
    for (const type of [TYPE.unicast, TYPE.multicast]) {
      const answer = await client.response(client.send(type, amopBody(topic, 'x')));
      expect([answer.result, answer.body.length]).toEqual([100, 0]);
    }
    await victim.barrier();
    expect(victim.received).toEqual([]);
    const after = [await refused('malformed-body'), await refused('private-topic')];
    expect(after).toEqual([before[0] + malformed, before[1] + unknown]);
  });

  it('keeps a session through 100 malformed bodies in a minute and closes it at the next', async () => {
    const before = await closed('malformed-bodies');
    const client = await relay().connect();
    for (let n = 0; n < 100; n++) client.send(TYPE.unicast, Buffer.from([0]));
    await client.barrier();
    expect(client.framesOf(TYPE.response)).toHaveLength(100);
    expect(client.isClosed).toBe(false);
    client.send(TYPE.multicast, Buffer.alloc(0));
    await client.waitForClose();
    await relay().waitForMetric('amop_connections_closed_total', { reason: 'malformed-bodies' }, before + 1);
  });

  it.each([
    [0, 'frame-too-short'],
    [1, 'frame-too-short'],
    [41, 'frame-too-short'],
    [FRAME_BYTES_MAX + 1, 'frame-too-long'],
    [104_857_600, 'frame-too-long'],
    [0x7fffffff, 'frame-too-long'],
    [0xffffffff, 'frame-too-long'],
  ])('closes the connection at a frame length of %i as %s', async (length, reason) => {
    const before = await closed(reason);
    const client = await relay().connect();
    const frame = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('x', 'y'));
    frame.writeUInt32BE(length, 0);
    client.sendBytes(frame);
    await client.waitForClose();
    expect(client.received).toEqual([]);
    await relay().waitForMetric('amop_connections_closed_total', { reason }, before + 1);
    await relay().waitForLog((line) => line.reason === reason && line.session !== undefined, `a line with ${reason}`);
  });

  it('reads a length of the maximum as the beginning of a frame', async () => {
    const client = await relay().connect();
    const head = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('x', 'y'));
    head.writeUInt32BE(FRAME_BYTES_MAX, 0);
    client.sendBytes(head);
    const other = await relay().connect();
    await other.barrier();
    expect(client.isClosed).toBe(false);
    client.destroy();
  });

  it('handles the frames before a bad length', async () => {
    const client = await relay().connect();
    const good = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('nobody', 'y'));
    client.sendBytes(Buffer.concat([good, Buffer.alloc(42)]));
    await client.waitForClose();
    expect(client.framesOf(TYPE.response).map(({ result }) => result)).toEqual([100]);
  });

  it('forgets a frame whose sender closed the connection in the middle', async () => {
    const subscriber = await relay().subscriber(['truncated']);
    const client = await relay().connect();
    client.sendBytes(
      encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('truncated', Buffer.alloc(5_000))).subarray(0, 3_000),
    );
    await client.close();
    await subscriber.barrier();
    expect(subscriber.received).toEqual([]);
  });

  it('survives garbage instead of frames', async () => {
    for (const byte of [0x00, 0x20, 0x47, 0xff]) {
      const client = await relay().connect();
      client.sendBytes(Buffer.alloc(10_000, byte));
      // 0x00 and 0xff are bad lengths; the others announce frames above the maximum as well.
      await client.waitForClose();
    }
  });

  it('survives random bytes behind an acceptable length', async () => {
    let state = 12_345;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 16;
    };
    const types = [...Object.values(TYPE), 0, 0xffff];
    const clients: RawClient[] = [];
    for (let session = 0; session < 5; session++) {
      const client = await relay().connect();
      clients.push(client);
      for (let n = 0; n < 60; n++) {
        const body = Buffer.from(Array.from({ length: random() % 300 }, () => random() & 0xff));
        client.send(types[random() % types.length], body, newSeq(), random() - 32_768);
      }
    }
    // A random 0x14 or too many malformed bodies may close some of them.
    await Promise.all(clients.map((client) => client.barrier().catch(() => client.waitForClose())));
  });

  it('holds a sender that stops inside a frame of 50 MB while it serves others without delay', async () => {
    const stopped = await relay().connect();
    const head = encodeFrame(TYPE.multicast, newSeq(), 0, amopBody('stopped', 'x'));
    head.writeUInt32BE(50_000_000, 0);
    stopped.sendBytes(head);
    stopped.sendBytes(Buffer.alloc(20_000_000));
    await new Promise<void>((resolve) => stopped.socket.write(Buffer.alloc(1), () => resolve()));
    const subscriber = await relay().subscriber(['unaffected']);
    subscriber.answerWithEcho();
    const sender = await relay().connect();
    const startMs = performance.now();
    for (let n = 0; n < 100; n++) expect((await sender.request('unaffected', 'x'.repeat(1_000))).result).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(stopped.isClosed).toBe(false);
    stopped.destroy();
  });
});
