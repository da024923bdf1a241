/** Clients that cost memory: subscribers that do not read, senders that stop, sessions that do nothing. */
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import type { RawClient } from '../helpers/raw-client.js';
import { startRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

const MIB = 1024 * 1024;

describe('memory', () => {
  it('stays bounded when a subscriber never reads; others are served, the subscriber is closed', async () => {
    const relay = await startRelay({
      limits: { session_queue_bytes_max: 8 * MIB, slow_consumer_timeout_ms: 2_000 },
    });
    const never = await relay.subscriber(['flood'], { name: 'never reads' });
    never.pause();
    let reached = 0;
    const reader = await relay.connect({
      onFrame: (frame) => {
        if (frame.type !== TYPE.multicast) return false;
        if (parseAmopBody(frame.body).payload.readUInt32BE(0) !== reached++)
          throw new Error('lost, doubled or out of order');
        return true;
      },
    });
    await reader.subscribe('flood');
    const sender = await relay.connect({ onFrame: (frame) => frame.type === TYPE.response });

    const before = relay.residentBytes();
    let highest = before;
    const payload = Buffer.alloc(100_000);
    const messages = 1_500;
    for (let n = 0; n < messages; n++) {
      payload.writeUInt32BE(n, 0);
      sender.multicast('flood', payload);
      if (n % 25 !== 24) continue;
      // At the reader's pace: its own queue must not be what overflows.
      await until(() => reached > n - 25, `copy ${n}`);
      highest = Math.max(highest, relay.residentBytes());
    }
    await until(
      () => reached === messages,
      () => `all copies, got ${reached}`,
    );
    expect((highest - before) / MIB, 'growth in MiB under 143 MiB of messages').toBeLessThan(100);

    const metrics = await relay.metrics();
    expect(metrics.value('amop_multicast_dropped_total', { reason: 'queue-full' })).toBeGreaterThan(100);
    expect(metrics.value('amop_queue_bytes')).toBeLessThan(9 * MIB);
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'slow-consumer' }, 1);
    await relay.waitForLog((line) => line.reason === 'slow-consumer', 'a line with slow-consumer');
    await until(async () => (await relay.metrics()).value('amop_queue_bytes') === 0, 'the queue to be given back');
  }, 40_000);

  it('passes a slow consumer over for unicasts', async () => {
    const relay = await startRelay({
      limits: { session_queue_bytes_max: 2 * MIB, slow_consumer_timeout_ms: 10_000, subscriber_timeout_ms: 3_000 },
    });
    const slow = await relay.subscriber(['work', 'fill']);
    const quick = await relay.subscriber(['work']);
    quick.answerWithEcho();
    const sender = await relay.connect({
      onFrame: (frame) => frame.type === TYPE.response && frame.body.length > 10_000,
    });
    slow.pause();
    // Full when copies are refused: the socket's buffers take megabytes first.
    let sent = 0;
    await until(
      async () => {
        for (let n = 0; n < 20; n++, sent++) sender.multicast('fill', Buffer.alloc(200_000, sent));
        await sender.barrier();
        return (await relay.metrics()).value('amop_multicast_dropped_total') > 0;
      },
      'the queue of the slow subscriber to be full',
      15_000,
    );
    const startMs = performance.now();
    for (let n = 0; n < 20; n++) expect((await sender.request('work', Buffer.alloc(200_000, n))).result).toBe(0);
    expect(performance.now() - startMs, 'nobody waited for the slow one').toBeLessThan(2_500);
    expect(quick.framesOf(TYPE.unicast)).toHaveLength(20);
    slow.destroy();
  }, 30_000);

  it('answers 101 when the only subscriber has a full queue', async () => {
    const relay = await startRelay({
      limits: { session_queue_bytes_max: 2 * MIB, slow_consumer_timeout_ms: 10_000, subscriber_timeout_ms: 3_000 },
    });
    const slow = await relay.subscriber(['only', 'fill']);
    const sender = await relay.connect({
      onFrame: (frame) => frame.type === TYPE.response && frame.body.length > 10_000,
    });
    slow.pause();
    await until(
      async () => {
        for (let n = 0; n < 20; n++) sender.multicast('fill', Buffer.alloc(200_000));
        await sender.barrier();
        return (await relay.metrics()).value('amop_multicast_dropped_total') > 0;
      },
      'the queue of the subscriber to be full',
      15_000,
    );
    const answer = await sender.request('only', Buffer.alloc(200_000));
    expect([answer.result, answer.body.length]).toEqual([101, 0]);
  }, 30_000);

  it('keeps serving when many senders stop inside large frames', async () => {
    const relay = await startRelay({
      limits: { inbound_bytes_max: 128 * MIB, session_inbound_bytes_max: 110_000_000, slow_consumer_timeout_ms: 1_500 },
    });
    const subscriber = await relay.subscriber(['alive']);
    subscriber.answerWithEcho();
    const sender = await relay.connect();
    const before = relay.residentBytes();
    const stopped: RawClient[] = [];
    for (let n = 0; n < 6; n++) {
      const client = await relay.connect({ name: `stopped ${n}` });
      const head = encodeFrame(TYPE.unicast, newSeq(), 0, amopBody('alive', 'x'));
      head.writeUInt32BE(50_000_000, 0);
      client.sendBytes(head);
      client.sendBytes(Buffer.alloc(40_000_000));
      stopped.push(client);
    }
    // 240 MB offered to a budget of 128 MiB: some are cut off, everybody else is answered all the time.
    let highest = 0;
    await until(
      async () => {
        expect((await sender.request('alive', 'x')).result).toBe(0);
        highest = Math.max(highest, relay.residentBytes());
        return (await relay.metrics()).value('amop_connections_closed_total', { reason: 'frame-stalled' }) > 0;
      },
      'a stalled frame to be cut off',
      15_000,
    );
    expect((highest - before) / MIB, 'growth in MiB').toBeLessThan(330);
    for (let n = 0; n < 20; n++) expect((await sender.request('alive', 'x')).result).toBe(0);
    for (const client of stopped) client.destroy();
  }, 40_000);

  it('answers every request when a session has more without an answer than it may', async () => {
    const relay = await startRelay({ limits: { session_pending_max: 100, subscriber_timeout_ms: 800 } });
    const silent = await relay.subscriber(['pending']);
    const sender = await relay.connect();
    for (let n = 0; n < 150; n++) sender.unicast('pending', `${n}`);
    await sender.waitFor(() => sender.framesOf(TYPE.response).length === 150, '150 answers');
    await sender.barrier();
    const codes = sender.framesOf(TYPE.response).map(({ result }) => result);
    expect(codes).toHaveLength(150);
    expect(codes.filter((code) => code === 102)).toHaveLength(100);
    expect(silent.framesOf(TYPE.unicast)).toHaveLength(100);
    expect((await relay.metrics()).value('amop_request_failures_total', { reason: 'pending-max' })).toBe(50);
  });
});

describe('idle sessions', () => {
  it('closes a session after idle_timeout_ms without traffic and keeps one that sends heartbeats', async () => {
    const relay = await startRelay({ limits: { idle_timeout_ms: 1_500 } });
    const idle = await relay.connect({ name: 'idle' });
    const alive = await relay.connect({ name: 'alive' });
    await alive.handshake();
    const startMs = performance.now();
    const heartbeats = setInterval(() => alive.send(TYPE.heartbeat, '{"heartBeat":0}'), 300);
    try {
      await idle.waitForClose(6_000);
      const elapsedMs = performance.now() - startMs;
      expect(elapsedMs).toBeGreaterThan(1_300);
      expect(elapsedMs).toBeLessThan(4_000);
      const beats = alive.framesOf(TYPE.heartbeat).length;
      await until(() => alive.framesOf(TYPE.heartbeat).length >= beats + 4, 'more heartbeats');
      expect(alive.isClosed).toBe(false);
    } finally {
      clearInterval(heartbeats);
    }
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'idle' }, 1);
    await relay.waitForLog((line) => line.reason === 'idle', 'a line with idle');
  });

  it('keeps a subscriber that only receives', async () => {
    const relay = await startRelay({ limits: { idle_timeout_ms: 1_200 } });
    const receiver = await relay.subscriber(['ticks']);
    const sender = await relay.connect();
    const ticks = setInterval(() => sender.multicast('ticks', 'x'), 250);
    try {
      await until(() => receiver.framesOf(TYPE.multicast).length >= 10, 'ten messages');
      expect(receiver.isClosed).toBe(false);
    } finally {
      clearInterval(ticks);
    }
  });
});
