import { describe, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { RelayProcess, startRelay } from '../helpers/relay-process.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

describe('life of the process', () => {
  it('answers /healthz, /readyz and /metrics', async () => {
    const relay = await startRelay();
    for (const path of ['/healthz', '/readyz']) {
      const { status, text } = await relay.http(path);
      expect(status, `${path}: ${text}`).toBe(200);
    }
    expect((await relay.http('/nothing-here')).status).toBe(404);
    const { names } = await relay.metrics();
    const expected = [
      'amop_build_info',
      'amop_sessions',
      'amop_subscriptions',
      'amop_requests_total',
      'amop_request_duration_seconds_bucket',
      'amop_request_duration_seconds_sum',
      'amop_request_duration_seconds_count',
      'amop_queue_bytes',
      'amop_connections_closed_total',
      'amop_tls_handshake_failures_total',
      'amop_input_refused_total',
      'process_resident_memory_bytes',
    ];
    expect(expected.filter((name) => !names.has(name))).toEqual([]);
    expect([...names].filter((name) => !/^(amop|process|nodejs)_/.test(name))).toEqual([]);
  });

  it('counts sessions, subscriptions, frames and bytes', async () => {
    const relay = await startRelay();
    const subscriber = await relay.subscriber(['counted', 'too']);
    subscriber.answerWithEcho();
    const sender = await relay.connect();
    await relay.waitForMetric('amop_sessions', {}, 2);
    await relay.waitForMetric('amop_subscriptions', {}, 2);
    const before = await relay.metrics();
    for (let n = 0; n < 10; n++) await sender.request('counted', 'x'.repeat(100));
    await relay.waitForMetric('amop_request_duration_seconds_count', {}, 10);
    const after = await relay.metrics();
    const grown = (name: string, labels = {}) => after.value(name, labels) - before.value(name, labels);
    expect(grown('amop_requests_total', { code: '0' })).toBe(10);
    const byDirection = [...after.names].filter((name) => /^amop_(messages|frames)_(received|sent)_total$/.test(name));
    expect(byDirection).toHaveLength(2);
    for (const name of byDirection) {
      expect(grown(name, { kind: 'unicast' }), `${name} unicast`).toBe(10);
      expect(grown(name, { kind: 'response' }), `${name} response`).toBe(10);
    }
    const requestBytes = 42 + 1 + 'counted'.length + 100;
    for (const name of ['amop_bytes_received_total', 'amop_bytes_sent_total']) {
      expect(grown(name, { kind: 'unicast' }), name).toBe(10 * requestBytes);
      expect(grown(name, { kind: 'response' }), name).toBe(10 * (requestBytes + 'echo:'.length));
    }
    await subscriber.close();
    await sender.close();
    await relay.waitForMetric('amop_connections_closed_total', { reason: 'client-closed' }, 2);
    expect((await relay.metrics()).value('amop_sessions')).toBe(0);
    expect((await relay.metrics()).value('amop_subscriptions')).toBe(0);
  });

  it('ends with code 0 on SIGTERM when nothing is going on', async () => {
    const relay = await startRelay();
    const client = await relay.connect();
    await client.barrier();
    await relay.terminate();
    await client.waitForClose();
  });

  it('answers a request in flight before it ends on SIGTERM, and takes no new connection meanwhile', async () => {
    const relay = await startRelay();
    const subscriber = await relay.subscriber(['drained']);
    const sender = await relay.connect();
    const seq = sender.unicast('drained', 'last words');
    await subscriber.next('the request');
    relay.signal('SIGTERM');
    await relay.waitForLog((line) => /drain|stop|shut/i.test(line.msg), 'a line about draining');
    await until(async () => {
      const late = await relay.connect().catch(() => undefined);
      return (
        late === undefined ||
        late.barrier().then(
          () => false,
          () => true,
        )
      );
    }, 'a new connection to be refused');
    expect(sender.isClosed).toBe(false);
    subscriber.send(TYPE.response, amopBody('drained', 'heard'), seq);
    expect(`${parseAmopBody((await sender.response(seq)).body).payload}`).toBe('heard');
    expect((await relay.waitForExit()).code).toBe(0);
  });

  it('does not wait longer than its drain time for a subscriber that never answers', async () => {
    const relay = await startRelay({ limits: { drain_timeout_ms: 1_000, subscriber_timeout_ms: 20_000 } });
    const subscriber = await relay.subscriber(['never']);
    const sender = await relay.connect();
    sender.unicast('never', 'x');
    await subscriber.next('the request');
    const startMs = performance.now();
    await relay.terminate();
    expect(performance.now() - startMs).toBeLessThan(6_000);
  });

  it('writes JSON lines with session, sequence and code, never payloads', async () => {
    const relay = await startRelay({ logLevel: 'trace', limits: { subscriber_timeout_ms: 300 } });
    const secret = 'TOP-SECRET-PAYLOAD';
    const silent = await relay.subscriber(['logged']);
    const sender = await relay.connect();
    const failed = newSeq();
    sender.unicast('logged', secret, failed);
    expect((await sender.response(failed)).result).toBe(102);
    silent.answerer = (frame) => ({ body: frame.body });
    expect((await sender.request('logged', secret)).result).toBe(0);
    await sender.response(sender.multicast('logged', secret));
    sender.send(TYPE.unicast, Buffer.concat([Buffer.from([0]), Buffer.from(secret)]));
    sender.send(TYPE.rpc, `{"method":"${secret}"}`);
    sender.send(TYPE.handshake, secret);
    sender.send(TYPE.subscribe, `{"${secret}":1}`);
    sender.send(0x7f, secret);
    await sender.barrier();
    const line = await relay.waitForLog((candidate) => candidate.seq === failed, 'a line with the failed sequence');
    expect(Number(line.code)).toBe(102);
    expect(line.session).toBeDefined();
    await relay.terminate();
    expect(relay.logs.filter((candidate) => candidate.notJson)).toEqual([]);
    expect(relay.output).not.toContain(secret);
    expect(relay.output).not.toContain(Buffer.from(secret).toString('hex'));
    expect(relay.output).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16));
  });

  it('logs the certificate of a session and why it ended', async () => {
    const relay = await startRelay();
    const client = await relay.connect({ credentials: relay.pki.sdkB.secp256k1 });
    await relay.waitForLog((line) => JSON.stringify(line).includes('sdkB'), 'a line with the name in the certificate');
    await client.close();
    await relay.waitForLog((line) => line.reason === 'client-closed', 'a line with the close reason');
  });

  it('says in one line which address is taken and ends with a code other than 0', async () => {
    const first = await startRelay();
    const failure = await RelayProcess.start({ adminPort: first.adminPort }).then(
      async (relay) => {
        await relay.cleanUp();
        return 'it started';
      },
      (error: Error) => error.message,
    );
    expect(failure).toMatch(/ended with code [1-9]/);
    expect(failure).toContain(String(first.adminPort));
  });
});
