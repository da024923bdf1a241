/** A client with several relays: where calls go, what comes back after a loss, and that nothing is delivered twice. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { AmopError, connect } from '../../../src/client/index.js';
import { ClientWorld } from '../../helpers/client-world.js';
import { until, withDeadline } from '../../helpers/deadline.js';
import { asOwnRelay, type Peer, type Script, type ScriptedRelay } from '../../helpers/scripted-relay.js';
import { amopBody, type Frame, newSeq, TYPE } from '../../helpers/wire.js';

const world = new ClientWorld({ connect, AmopError });
const failure = world.failure.bind(world);

/** Answers every call with this result; an own relay by its handshake. */
function answering(result: number, body?: (frame: Frame) => Buffer | string, own = true): Script {
  return {
    onFrame: (frame, peer) => {
      if (own && asOwnRelay(frame, peer)) return true;
      if (frame.type !== TYPE.unicast && frame.type !== TYPE.multicast) return false;
      peer.send(TYPE.response, frame.seq, result, body?.(frame) ?? (result === 0 ? frame.body : ''));
      return true;
    },
  };
}
const silent: Script = { onFrame: (frame, peer) => asOwnRelay(frame, peer) || frame.type === TYPE.unicast };

async function openAll(scripts: readonly Script[], options: Parameters<typeof world.connect>[0] = {}) {
  const relays: ScriptedRelay[] = [];
  for (const script of scripts) relays.push(await world.relay(script));
  const client = await world.connect({ relays: relays.map(({ address }) => address), ...options });
  await until(() => client.relays.every(({ state }) => state === 'connected'), 'all relays to be connected');
  const peers = await Promise.all(relays.map((relay) => relay.peer()));
  return { client, relays, peers };
}

const callsOf = (relay: ScriptedRelay, type: number): Frame[] => relay.peers.flatMap((peer) => peer.of(type));

describe('connect with several relays', () => {
  it('is there with the first relay that answers, and keeps a connection to each', async () => {
    const [up, later] = [await world.relay(), await world.relay()];
    const { port } = later;
    await later.stop();
    const client = await world.connect({ relays: [later.address, up.address] });
    expect(client.relays.map(({ state }) => state)).toEqual(['disconnected', 'connected']);
    const back = once(client, 'connect');
    await world.relay({}, { port });
    expect((await withDeadline(back, 3_000, 'the second relay'))[0]).toMatchObject({
      relay: later.address,
      server: { nodeVersion: '2.11.0' },
    });
    expect(client.relays.map(({ state }) => state)).toEqual(['connected', 'connected']);
  });

  it('fails when every relay has failed, and says of each why', async () => {
    const gone = await world.relay();
    await gone.stop();
    const foreign = await world.relay({}, { kind: 'rsa' });
    const error = await failure(world.connect({ relays: [gone.address, foreign.address] }));
    expect(error).toMatchObject({ code: 99, reason: 'connect-failed' });
    expect(error.message).toContain(`nothing listens on ${gone.address}`);
    expect(error.message).toMatch(new RegExp(`${foreign.address} .*other (certificate )?kind`));
  });

  it('does not wait for a relay with `lazy`, whose calls wait until their deadline', async () => {
    const relay = await world.relay();
    const { port, address } = relay;
    await relay.stop();
    const client = await world.connect({ relays: [address], lazy: true });
    const startMs = performance.now();
    const error = await failure(client.request('t', 'x', { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 99, reason: 'not-connected' });
    expect(error.seq).toMatch(/^[0-9a-f]{32}$/);
    expect(error.message).toContain('nothing listens');
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(200);
    expect(await failure(client.ready({ timeoutMs: 700 }))).toMatchObject({ code: 99, reason: 'not-connected' });
    const ready = client.ready();
    const call = client.request('t', 'x');
    await world.relay(answering(0), { port });
    await ready;
    expect((await call).text()).toBe('x');
  });

  it('holds no more bytes of calls that wait for a relay than its bound, beyond the first', async () => {
    const relay = await world.relay();
    await relay.stop();
    const client = await world.connect({ relays: [relay.address], lazy: true, queueBytesMax: 1_000 });
    const options = { timeoutMs: 400 };
    const large = failure(client.request('t', Buffer.alloc(5_000), options));
    const startMs = performance.now();
    expect(await failure(client.request('t', 'x', options))).toMatchObject({ code: 99, reason: 'queue-full' });
    expect(performance.now() - startMs).toBeLessThan(300);
    expect(await large).toMatchObject({ code: 99, reason: 'not-connected' });
    // What has settled holds nothing any more.
    expect(await failure(client.request('t', 'x', { timeoutMs: 50 }))).toMatchObject({ reason: 'not-connected' });
  });

  it.each([
    ['a host name', 'localhost', '127.0.0.1'],
    ['an IPv6 address', '[::1]', '::1'],
  ])('takes %s', async (_name, host, listen) => {
    const relay = await world.relay(answering(0), { host: listen });
    const client = await world.connect({ relays: [`${host}:${relay.port}`] });
    expect((await client.request('t', 'hello')).text()).toBe('hello');
    expect(client.relays[0].relay).toBe(`${host}:${relay.port}`);
    const other = await world.connect({ host: host.replace(/[[\]]/g, ''), port: relay.port });
    expect((await other.request('t', 'hello')).text()).toBe('hello');
  });

  it.each([
    [{ relays: [] }, 'relays'],
    [{ relays: ['a:1', 'a:1'] }, 'twice'],
    [{ relays: ['a:1'], host: 'b' }, 'not both'],
    [{ relays: ['a:99999'] }, 'host:port'],
    [{ relays: Array.from({ length: 17 }, (_, i) => `a:${i + 1}`) }, '16'],
    [{ relays: 'a:1' as unknown as string[] }, 'array'],
    [{ host: 'a:1' }, 'host'],
  ])('refuses %j', async (options, words) => {
    await expect(world.connect(options)).rejects.toThrow(words);
  });
});

describe('a call', () => {
  it('goes over one of the relays', async () => {
    const { client, relays } = await openAll([answering(0), answering(0)]);
    for (let i = 0; i < 20; i++) await client.request('t', 'x');
    const counts = relays.map((relay) => callsOf(relay, TYPE.unicast).length);
    expect(counts[0] + counts[1]).toBe(20);
  });

  it('goes where fewer calls wait', async () => {
    const { client, relays } = await openAll([silent, answering(0)]);
    const held: Promise<unknown>[] = [];
    await until(() => {
      held.push(client.request('t', 'held').catch(() => {}));
      return callsOf(relays[0], TYPE.unicast).length > 0;
    }, 'a call on the silent relay');
    await until(() => client.relays[1].outstanding === 0, 'the other relay to be idle');
    const before = callsOf(relays[0], TYPE.unicast).length;
    for (let i = 0; i < 20; i++) expect((await client.request('t', 'x')).text()).toBe('x');
    expect(callsOf(relays[0], TYPE.unicast).length).toBe(before);
    await client.close();
    await Promise.all(held);
  });

  it.each([
    [100, 'no-subscriber'],
    [101, 'subscriber-busy'],
    [100, 'draining'],
  ])('answered with %i %s tries the next relay under the same seq', async (code, reason) => {
    const refusing = answering(code, () => amopBody('t', JSON.stringify({ reason })));
    const { client, relays } = await openAll([refusing, answering(0)]);
    for (let i = 0; i < 10; i++) expect((await client.request('t', 'x')).text()).toBe('x');
    const [refused, taken] = relays.map((relay) => callsOf(relay, TYPE.unicast).map(({ seq }) => seq));
    expect(refused.length).toBeGreaterThan(0);
    expect(taken).toEqual(expect.arrayContaining(refused));
  });

  it('ends with the farthest answer when no relay can carry it', async () => {
    const { client } = await openAll([answering(100), answering(101), answering(100)]);
    const startMs = performance.now();
    expect(await failure(client.request('t', 'x'))).toMatchObject({ code: 101 });
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  it.each([
    ['102', answering(102)],
    ['103', answering(103)],
    ['104', answering(104)],
    ['a code of the subscriber', answering(4711)],
    ['100 malformed-body', answering(100, () => amopBody('t', '{"reason":"malformed-body"}'))],
  ])('answered with %s is not tried again', async (_name, script) => {
    const { client, relays } = await openAll([script, script]);
    await failure(client.request('t', 'x'));
    expect(relays.flatMap((relay) => callsOf(relay, TYPE.unicast))).toHaveLength(1);
  });

  it('that a lost connection may have carried is not sent again', async () => {
    const dropping: Script = {
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        if (frame.type === TYPE.unicast) peer.socket.destroy();
        return frame.type === TYPE.unicast;
      },
    };
    const { client, relays } = await openAll([dropping, dropping]);
    expect(await failure(client.request('t', 'x'))).toMatchObject({ code: 99, reason: 'connection-lost' });
    expect(relays.flatMap((relay) => callsOf(relay, TYPE.unicast))).toHaveLength(1);
  });

  it('passes over a relay that has just failed', async () => {
    const flapping: Script = {
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        if (frame.type === TYPE.unicast) peer.socket.destroy();
        return frame.type === TYPE.unicast;
      },
    };
    const { client, relays } = await openAll([flapping, answering(0)]);
    await until(
      async () => (await client.request('t', 'x').catch((error: AmopError) => error)) instanceof AmopError,
      'a call to meet the failing relay',
    );
    await until(() => client.relays[0].state === 'connected', 'the failed relay to be back');
    for (let i = 0; i < 20; i++) await client.request('t', 'x');
    expect(callsOf(relays[0], TYPE.unicast)).toHaveLength(1);
  });

  it('passes over a relay that lets calls run out in silence, and gives it up when it is silent to heartbeats too', async () => {
    let deaf = true;
    const hanging: Script = {
      onFrame: (frame, peer) => asOwnRelay(frame, peer) || (deaf && frame.type !== TYPE.handshake),
    };
    const { client, relays } = await openAll([hanging, answering(0)]);
    const lost = once(client, 'disconnect');
    await until(
      async () =>
        (await client.request('t', 'x', { timeoutMs: 60 }).catch((error: AmopError) => error)) instanceof AmopError,
      'a call to meet the silent relay',
    );
    // At once, so that the number of open calls alone would send some of them to the silent one.
    await Promise.all(Array.from({ length: 20 }, () => client.request('t', 'x')));
    expect(callsOf(relays[0], TYPE.unicast)).toHaveLength(1);
    const [event] = await withDeadline(lost, 8_000, 'the silent relay to be given up');
    expect(event).toMatchObject({ relay: relays[0].address, error: { reason: 'dead-link' } });
    deaf = false;
  });

  it('that was never written goes over another relay when its own is lost', async () => {
    const { client, relays, peers } = await openAll([answering(0), silent]);
    await relays[0].stop();
    await until(() => client.relays[0].state === 'disconnected', 'the first relay to be lost');
    peers[1].socket.pause();
    const calls = Array.from({ length: 6 }, () =>
      client.request('t', Buffer.alloc(2 * 1024 * 1024), { timeoutMs: 8_000 }),
    );
    const outcomes = calls.map((call) =>
      call.then(
        () => 'answered',
        (error: AmopError) => error.reason,
      ),
    );
    await world.relay(answering(0), { port: relays[0].port });
    await until(() => client.relays[0].state === 'connected', 'the first relay to be back');
    peers[1].socket.destroy();
    const results = await withDeadline(Promise.all(outcomes), 8_000, 'every call');
    expect(results).toContain('answered');
    expect(new Set(results)).toEqual(new Set(['answered', 'connection-lost']));
  });
});

describe('a multicast', () => {
  it('whose acknowledgement is lost goes to another relay under the same seq, for relays know copies', async () => {
    let dropped: Frame | undefined;
    const dropping: Script = {
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        if (frame.type !== TYPE.multicast) return false;
        if (dropped === undefined) {
          dropped = frame;
          peer.socket.destroy();
        } else {
          peer.send(TYPE.response, frame.seq, 0, frame.body);
        }
        return true;
      },
    };
    const { client, relays } = await openAll([dropping, dropping]);
    const { seq } = await client.multicast('t', 'x');
    expect(relays.flatMap((relay) => callsOf(relay, TYPE.multicast)).map((frame) => frame.seq)).toEqual([seq, seq]);
    for (const relay of relays) expect(callsOf(relay, TYPE.multicast)).toHaveLength(1);
  });

  it('leaves another relay time when one is silent', async () => {
    let silentPeer: Peer | undefined;
    const quiet: Script = {
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        if (frame.type !== TYPE.multicast) return false;
        silentPeer ??= peer;
        if (peer !== silentPeer) peer.send(TYPE.response, frame.seq, 0, frame.body);
        return true;
      },
    };
    const { client } = await openAll([quiet, quiet]);
    const { seq } = await client.multicast('t', 'x', { timeoutMs: 400 });
    expect((await (silentPeer as Peer).frame(TYPE.multicast)).seq).toBe(seq);
  });

  it('goes the same way as the one before, so that none overtakes another', async () => {
    const { client, relays } = await openAll([answering(0), answering(0), answering(0)]);
    await Promise.all(Array.from({ length: 50 }, (_, i) => client.multicast('t', String(i))));
    const [used, ...others] = relays.filter((relay) => callsOf(relay, TYPE.multicast).length > 0);
    expect(others).toEqual([]);
    const texts = callsOf(used, TYPE.multicast).map((frame) => frame.body.toString('latin1', 2));
    expect(texts).toEqual(texts.map((_, i) => String(i)));
    await used.stop();
    await until(() => client.relays.some(({ state }) => state === 'disconnected'), 'the loss');
    await client.multicast('t', 'after');
    expect(relays.filter((relay) => callsOf(relay, TYPE.multicast).length > 0)).toHaveLength(2);
  });

  it('is not repeated beside a 2.x node, which would deliver a copy', async () => {
    const dropping: Script = {
      onFrame: (frame, peer) => {
        if (frame.type === TYPE.multicast) peer.socket.destroy();
        return frame.type === TYPE.multicast;
      },
    };
    const { client, relays } = await openAll([dropping, dropping]);
    expect(await failure(client.multicast('t', 'x'))).toMatchObject({ code: 99, reason: 'connection-lost' });
    expect(relays.flatMap((relay) => callsOf(relay, TYPE.multicast))).toHaveLength(1);
  });

  it('of ours does not come back to us over the other relay', async () => {
    const { client, relays, peers } = await openAll([answering(0), answering(0)]);
    const got: string[] = [];
    await client.subscribe('t', (message) => void got.push(message.text()));
    const { seq } = await client.multicast('t', 'mine');
    for (const peer of peers) peer.send(TYPE.multicast, seq, 0, amopBody('t', 'mine'));
    for (const peer of peers) peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', `theirs of ${relays.length}`));
    await until(() => got.length === 2, 'the messages of others');
    expect(got).toEqual(['theirs of 2', 'theirs of 2']);
    expect(client.counters.duplicateMessages).toBe(2);
  });
});

describe('a subscription with several relays', () => {
  it('is announced to each, and a copy that comes over both is delivered once', async () => {
    const { client, peers } = await openAll([{}, {}]);
    const got: string[] = [];
    await client.subscribe('t', (message) => void got.push(`${message.text()} over ${message.relay}`));
    for (const peer of peers) expect((await peer.frame(TYPE.subscribe)).body.toString()).toBe('["t"]');
    const seq = newSeq();
    for (const peer of peers) peer.send(TYPE.multicast, seq, 0, amopBody('t', 'copy'));
    for (const peer of peers) peer.send(TYPE.multicast, seq, 0, amopBody('t', 'same seq, other payload'));
    await until(() => client.counters.duplicateMessages === 2, 'both copies');
    expect(got.map((text) => text.replace(/ over .*/, '')).sort()).toEqual(['copy', 'same seq, other payload']);
  });

  it('answers a unicast over the connection it came by', async () => {
    const { client, peers } = await openAll([{}, {}]);
    await client.subscribe('t', (message) => message.text().toUpperCase());
    for (const peer of peers) {
      const seq = newSeq();
      peer.send(TYPE.unicast, seq, 0, amopBody('t', 'x'));
      expect(await peer.frame(TYPE.response)).toMatchObject({ seq, body: amopBody('t', 'X') });
    }
    for (const peer of peers) expect(peer.of(TYPE.response)).toHaveLength(1);
  });

  it('stands although one relay does not react', async () => {
    const hanging: Script = { onFrame: (frame) => frame.type === TYPE.heartbeat };
    const { client } = await openAll([hanging, {}]);
    await client.subscribe('t', () => {}, { timeoutMs: 200 });
    expect(client.subscriptions).toEqual(['t']);
  });

  it('is back within a second of the relay, and so are calls', async () => {
    const relay = await world.relay(answering(0));
    const client = await world.connect({ relays: [relay.address] });
    const got: string[] = [];
    await client.subscribe('t', (message) => void got.push(message.text()));
    const lost = once(client, 'disconnect');
    await relay.stop();
    await lost;
    // Long enough for the back-off to have reached its maximum.
    let attempts = 0;
    client.on('retry', () => attempts++);
    await until(() => attempts >= 5, 'some attempts');
    const restarted = await world.relay(answering(0), { port: relay.port });
    const startMs = performance.now();
    const call = client.request('t', 'x');
    const peer = await restarted.peer();
    expect((await peer.frame(TYPE.subscribe)).body.toString()).toBe('["t"]');
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect((await call).text()).toBe('x');
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', 'after'));
    await until(() => got.length === 1, 'a message over the new connection');
  });

  it('that ended while a relay was away is not announced when it is back', async () => {
    const { client, relays } = await openAll([{}, {}]);
    await client.subscribe('a', () => {});
    await client.subscribe('b', () => {});
    const lost = once(client, 'disconnect');
    await relays[0].stop();
    await lost;
    await client.unsubscribe('a');
    const restarted = await world.relay({}, { port: relays[0].port });
    expect((await (await restarted.peer()).frame(TYPE.subscribe)).body.toString()).toBe('["b"]');
  });
});

describe('the end', () => {
  it('is no loss of a connection', async () => {
    const { client } = await openAll([{}, {}]);
    const events: string[] = [];
    for (const name of ['disconnect', 'retry', 'close'] as const) client.on(name, () => events.push(name));
    await client.close();
    expect(events).toEqual(['close']);
  });

  it('settles calls that wait for a relay and stops dialling', async () => {
    const relay = await world.relay();
    const client = await world.connect({ relays: [relay.address] });
    const lost = once(client, 'disconnect');
    await relay.stop();
    await lost;
    const call = failure(client.request('t', 'x'));
    const subscribing = failure(client.subscribe('t', () => {}));
    await client.close();
    expect(await call).toMatchObject({ code: 99, reason: 'closed' });
    expect(await subscribing).toMatchObject({ code: 99, reason: 'closed' });
    await client.closed;
    const restarted = await world.relay({}, { port: relay.port });
    expect(restarted.peers).toEqual([]);
  });

  it('comes while a relay is being dialled', async () => {
    const relay = await world.relay({ onFrame: () => true });
    const client = await world.connect({ relays: [relay.address], lazy: true });
    const peer = await relay.peer();
    await withDeadline(client.close(), 1_000, 'close');
    await until(() => peer.socket.destroyed, 'the connection to end');
  });
});
