import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Credentials, relayCredentials, testPki, writeCerts } from '../../helpers/pki.js';
import { asOwnRelay, type Script, type ScriptedRelay, startScriptedRelay } from '../../helpers/scripted-relay.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';
import { Amop, amop, isBuilt } from './run-amop.js';

let directory: string;
let certs: string;
let relayPems: Credentials;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const pki = await testPki();
  directory = await mkdtemp(join(tmpdir(), 'amop-cli-'));
  certs = await writeCerts(join(directory, 'conf'), pki.sdkB.secp256k1);
  relayPems = await relayCredentials(pki, 'secp256k1');
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(script: Script = {}): Promise<{ relay: ScriptedRelay; options: string[] }> {
  const relay = await startScriptedRelay(relayPems, script);
  cleanups.push(() => relay.stop());
  return { relay, options: ['--certs', certs, '--relay', relay.address] };
}

function answering(result: number, body: (request: Buffer) => Buffer | string): Script {
  return {
    onFrame: (frame, peer) => {
      if (frame.type !== TYPE.unicast && frame.type !== TYPE.multicast) return false;
      peer.send(TYPE.response, frame.seq, result, body(frame.body));
      return true;
    },
  };
}

const shouting = answering(0, (body) => {
  const { topic, payload } = parseAmopBody(body);
  return amopBody(topic, payload.toString().toUpperCase());
});

describe.runIf(isBuilt)('amop request', () => {
  it('prints the answer and ends with 0', async () => {
    const { options } = await start(shouting);
    expect(await amop(['request', 'orders', 'buy 100', ...options])).toEqual({
      code: 0,
      stdout: 'BUY 100\n',
      stderr: '',
    });
  });

  it('takes standard input for -, and the environment for relay and certificates', async () => {
    const { relay } = await start(shouting);
    const env = { AMOP_RELAY: `127.0.0.1:${relay.port}`, AMOP_CERTS: certs };
    expect(await amop(['request', 'orders', '-'], 'from a pipe', env)).toMatchObject({
      code: 0,
      stdout: 'FROM A PIPE\n',
    });
  });

  it('prints one JSON object for each of several requests, with its round trip', async () => {
    const { options } = await start(shouting);
    const { stdout, code } = await amop(['request', 'orders', 'x', '--count', '3', '--json', ...options]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toEqual({
      topic: 'orders',
      seq: expect.stringMatching(/^[0-9a-f]{32}$/),
      rttMs: expect.any(Number),
      payload: 'X',
    });
  });

  it('prints an answer that is no text as base64 in JSON', async () => {
    const { options } = await start(answering(0, () => amopBody('t', Buffer.from([0xff, 0x00]))));
    const { stdout } = await amop(['request', 't', 'x', '--json', ...options]);
    expect(JSON.parse(stdout)).toMatchObject({ payloadBase64: '/wA=' });
  });

  it.each([
    [100, 10, 'no subscriber'],
    [101, 11, 'hand the message'],
    [102, 12, 'no answer in time'],
    [103, 13, 'limit'],
    [104, 14, 'behind the node'],
    [4711, 1, 'error of its own'],
  ])('ends after AMOP-%i with %i and one line in words', async (code, exitCode, words) => {
    const { options } = await start(answering(code, () => ''));
    const outcome = await amop(['request', 't', 'x', ...options]);
    expect(outcome.code).toBe(exitCode);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).toMatch(new RegExp(`^amop: AMOP-${code}: .*${words}.*\\n$`));
  });

  it('shows the reason of the relay, without the control characters in it', async () => {
    const { options } = await start(
      answering(100, () => amopBody('t', JSON.stringify({ reason: 'no \u001b[31m subscriber' }))),
    );
    const { stderr } = await amop(['request', 't', 'x', ...options]);
    expect(stderr).toContain('no \\x1b[31m subscriber');
  });

  it('ends with 12 when its own time-out passes', async () => {
    const { options } = await start({ onFrame: (frame) => frame.type === TYPE.unicast });
    const outcome = await amop(['request', 't', 'x', '--timeout', '200ms', ...options]);
    expect(outcome.code).toBe(12);
    expect(outcome.stderr).toContain('waited 200 ms');
  });

  it('ends with 9 where no relay listens, as JSON if asked', async () => {
    const { relay, options } = await start();
    await relay.stop();
    const words = await amop(['request', 't', 'x', ...options]);
    expect(words.code).toBe(9);
    expect(words.stderr).toMatch(/^amop: AMOP-99: .*nothing listens.*\n$/);
    const json = await amop(['request', 't', 'x', '--json', ...options]);
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { id: 'AMOP-99', code: 99 }, exitCode: 9 });
  });
});

describe.runIf(isBuilt)('amop request, pub and multicast', () => {
  it('take a payload from a file', async () => {
    const { options } = await start(shouting);
    await writeFile(join(directory, 'order.txt'), 'buy 100');
    const { stdout } = await amop(['request', 'orders', '--file', join(directory, 'order.txt'), ...options]);
    expect(stdout).toBe('BUY 100\n');
  });

  it('send each line of standard input as a message, at most --count of them', async () => {
    const { relay, options } = await start(shouting);
    const { stdout } = await amop(['request', 't', '--lines', ...options], 'one\ntwo\nthree');
    expect(stdout).toBe('ONE\nTWO\nTHREE\n');
    await amop(['pub', 't', '--lines', '--count', '2', ...options], 'one\ntwo\nthree\n');
    expect((await relay.peer(1)).of(TYPE.unicast)).toHaveLength(2);
  });

  it('send no faster than --rate', async () => {
    const { options } = await start(shouting);
    const startMs = performance.now();
    const { stdout } = await amop(['request', 't', 'x', '--count', '5', '--rate', '10', ...options]);
    expect(stdout).toBe('X\n'.repeat(5));
    expect(performance.now() - startMs).toBeGreaterThan(400);
  });

  it.each([
    [[], 'what should be sent?'],
    [['x', '--lines'], 'one of them'],
    [['x', '--file', 'y'], 'one of them'],
    [['--file', '/nowhere/at/all'], '/nowhere/at/all cannot be read'],
    [['--file', '/dev/zero'], '/dev/zero holds more than'],
  ])('refuse the payload of %j', async (args, words) => {
    const { code, stderr } = await amop(['pub', 't', ...args, '--certs', certs]);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });

  it('wait with --wait for a subscriber', async () => {
    let calls = 0;
    const { options } = await start({
      onFrame: (frame, peer) => {
        if (frame.type !== TYPE.unicast) return false;
        if (++calls < 3) peer.send(TYPE.response, frame.seq, 100, amopBody('t', '{"reason":"no-subscriber"}'));
        else peer.send(TYPE.response, frame.seq, 0, amopBody('t', 'at last'));
        return true;
      },
    });
    expect(await amop(['request', 't', 'x', '--wait', '10', ...options])).toMatchObject({
      code: 0,
      stdout: 'at last\n',
    });
    expect(calls).toBe(3);
  });

  it('end with 27 when nobody has subscribed in time', async () => {
    const { options } = await start(answering(100, () => ''));
    const { code, stderr } = await amop(['request', 't', 'x', '--wait', '300ms', ...options]);
    expect({ code, stderr }).toEqual({ code: 27, stderr: 'amop: nobody subscribed to "t" within 0.3 s\n' });
  });

  it('do not wait for what no subscriber would mend', async () => {
    const { options } = await start(answering(100, () => amopBody('t', '{"reason":"private-topic"}')));
    expect((await amop(['pub', 't', 'x', '--wait', '10', ...options])).code).toBe(10);
  });

  it('wait before a multicast until the topic is listed', async () => {
    let asked = 0;
    const { relay, options } = await start({
      onFrame: (frame, peer) => {
        if (asOwnRelay(frame, peer)) return true;
        if (frame.type === TYPE.multicast) peer.send(TYPE.response, frame.seq, 0, frame.body);
        if (frame.type === TYPE.rpc) {
          const result = ++asked < 2 ? [] : [{ subscribers: 1, topic: 'news' }];
          peer.send(TYPE.rpc, frame.seq, 0, JSON.stringify({ id: 1, jsonrpc: '2.0', result }));
        }
        return frame.type === TYPE.multicast || frame.type === TYPE.rpc;
      },
    });
    expect((await amop(['multicast', 'news', 'x', '--wait', '10', ...options])).code).toBe(0);
    expect(asked).toBe(2);
    expect((await relay.peer()).of(TYPE.multicast)).toHaveLength(1);
  });

  it('try the relays that are there', async () => {
    const { relay, options } = await start(shouting);
    const gone = await start();
    await gone.relay.stop();
    const both = ['request', 't', 'x', '--certs', certs, '--relay', `${gone.relay.address},${relay.address}`];
    expect(await amop([...both, '--quiet'])).toEqual({ code: 0, stdout: 'X\n', stderr: '' });
    const repeated = ['request', 't', 'x', '--certs', certs, '--relay', relay.address, '--relay', gone.relay.address];
    expect(await amop(repeated)).toMatchObject({ code: 0, stdout: 'X\n' });
    expect(
      await amop(['request', 't', 'x', ...options, '--host', '127.0.0.1', '--port', String(relay.port)]),
    ).toMatchObject({
      code: 0,
    });
  });
});

describe.runIf(isBuilt)('amop pub', () => {
  it('succeeds when a subscriber has taken the message, whatever it answers', async () => {
    const { options } = await start(shouting);
    const { code, stdout, stderr } = await amop(['pub', 'jobs', 'hello', ...options]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('a subscriber of "jobs" has taken the message');
  });

  it('ends with 10 when nobody subscribes', async () => {
    const { options } = await start(answering(100, () => ''));
    expect((await amop(['pub', 'jobs', 'hello', ...options])).code).toBe(10);
  });

  it('prints a JSON line with --json', async () => {
    const { options } = await start(shouting);
    const { stdout } = await amop(['pub', 'jobs', 'x', '--json', ...options]);
    expect(JSON.parse(stdout)).toMatchObject({ topic: 'jobs', kind: 'unicast' });
  });
});

describe.runIf(isBuilt)('amop multicast', () => {
  it('sends a multicast and says that only the relay has it', async () => {
    const { relay, options } = await start(answering(0, (body) => body));
    const { code, stdout, stderr } = await amop(['multicast', 'news', 'hello', ...options]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('the relay has taken');
    const sent = await (await relay.peer()).frame(TYPE.multicast);
    expect(sent.body).toEqual(amopBody('news', 'hello'));
  });

  it('says nothing with --quiet, and a JSON line with --json', async () => {
    const { options } = await start(answering(0, (body) => body));
    expect(await amop(['multicast', 'news', 'x', '--quiet', ...options])).toEqual({ code: 0, stdout: '', stderr: '' });
    const { stdout } = await amop(['multicast', 'news', 'x', '--json', ...options]);
    expect(JSON.parse(stdout)).toMatchObject({ topic: 'news', kind: 'multicast' });
  });
});

describe.runIf(isBuilt)('amop topics', () => {
  const listing = (own: boolean, result: unknown): Script => ({
    onFrame: (frame, peer) => {
      if (own && asOwnRelay(frame, peer)) return true;
      if (frame.type !== TYPE.rpc) return false;
      peer.send(TYPE.rpc, frame.seq, 0, JSON.stringify({ id: 1, jsonrpc: '2.0', result }));
      return true;
    },
  });

  it('lists topics and subscribers of a relay', async () => {
    const { relay, options } = await start(
      listing(true, [
        { subscribers: 1, topic: 'news' },
        { subscribers: 12, topic: 'orders' },
      ]),
    );
    expect(await amop(['topics', ...options])).toEqual({ code: 0, stdout: ' 1  news\n12  orders\n', stderr: '' });
    const { stdout } = await amop(['topics', '--json', ...options]);
    expect(stdout).toBe('{"topic":"news","subscribers":1}\n{"topic":"orders","subscribers":12}\n');
    const asked = await (await relay.peer()).frame(TYPE.rpc);
    expect(JSON.parse(asked.body.toString())).toMatchObject({ method: 'amop_topics' });
  });

  it('lists the topics of the peers of a node', async () => {
    const { options } = await start(
      listing(false, [{ Topic: ['b', '#!$PushChannel_x'] }, { Topic: ['a', 'b', '_block_notify_1'] }]),
    );
    expect((await amop(['topics', ...options])).stdout).toBe('-  a\n-  b\n');
  });

  it('says so when there is nothing', async () => {
    const { options } = await start(listing(true, []));
    expect(await amop(['topics', ...options])).toMatchObject({ code: 0, stdout: '' });
  });

  it('fails clearly on an answer that is none', async () => {
    const { options } = await start(listing(true, 'nonsense'));
    const { code, stderr } = await amop(['topics', ...options]);
    expect(code).toBe(1);
    expect(stderr).toContain('answered amop_topics with something else');
  });
});

describe.runIf(isBuilt)('amop sub', () => {
  async function subscribe(...args: string[]) {
    const { relay, options } = await start();
    const run = new Amop(['sub', ...args, ...options]);
    cleanups.push(async () => run.child.kill('SIGKILL'));
    return { run, relay };
  }

  it('prints messages, answers with --reply and ends after --count', async () => {
    const { run, relay } = await subscribe('orders', '--reply', 'accepted', '--count', '2');
    await run.says(/subscribed to "orders"/);
    const peer = await relay.peer();
    expect((await peer.frame(TYPE.subscribe)).body.toString()).toBe('["orders"]');
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('orders', 'one'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('orders', 'two'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('orders', 'too many'));
    expect(await run.end()).toMatchObject({ code: 0, stdout: 'one\ntwo\n' });
    const answers = peer.frames.filter((frame) => frame.type === TYPE.response);
    expect(answers.map((frame) => parseAmopBody(frame.body).payload.toString())).toEqual(['accepted', 'accepted']);
  });

  it('names the topic in front where there are several, and echoes with --echo', async () => {
    const { run, relay } = await subscribe('a', 'b', '--echo', '--count', '1', '--quiet');
    const peer = await relay.peer();
    expect((await peer.frame(TYPE.subscribe)).body.toString()).toBe('["a","b"]');
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('b', 'ping'));
    expect(await run.end()).toEqual({ code: 0, stdout: 'b\tping\n', stderr: '' });
    expect((await peer.frame(TYPE.response)).body).toEqual(amopBody('b', 'ping'));
  });

  it('prints JSON that tells requests from multicasts', async () => {
    const { run, relay } = await subscribe('a', '--json', '--count', '2');
    const peer = await relay.peer();
    await peer.frame(TYPE.subscribe);
    const seq = newSeq();
    peer.send(TYPE.multicast, seq, 0, amopBody('a', 'x'));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('a', 'y'));
    const lines = (await run.end()).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ topic: 'a', kind: 'multicast', seq, payload: 'x' });
    expect(lines[1].kind).toBe('request');
  });

  it('ends with 27 when its time is over', async () => {
    const { run } = await subscribe('a', '--timeout', '300ms');
    expect((await run.end()).code).toBe(27);
  });

  it('ends with 0 on SIGINT', async () => {
    const { run } = await subscribe('a');
    await run.says(/subscribed/);
    run.child.kill('SIGINT');
    expect((await run.end()).code).toBe(0);
  });

  it('stays when the relay goes away, says so, and is subscribed again when it is back', async () => {
    const { run, relay } = await subscribe('a');
    await run.says(/subscribed/);
    await relay.stop();
    await run.says(/warning: the connection to 127\.0\.0\.1:\d+ was lost/);
    const restarted = await startScriptedRelay(relayPems, {}, { port: relay.port });
    cleanups.push(() => restarted.stop());
    await run.says(/connected to 127/);
    const peer = await restarted.peer();
    expect((await peer.frame(TYPE.subscribe)).body.toString()).toBe('["a"]');
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('a', 'after'));
    await run.says(/after/);
    run.child.kill('SIGTERM');
    expect((await run.end()).code).toBe(0);
  });

  it('prints in the given format', async () => {
    const { run, relay } = await subscribe(
      'a',
      '--format',
      '%t|%p|%x|%l|%k|%%\\t',
      '--no-newline',
      '--count',
      '2',
      '--quiet',
    );
    const peer = await relay.peer();
    await peer.frame(TYPE.subscribe);
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('a', Buffer.from([0xff])));
    peer.send(TYPE.unicast, newSeq(), 0, amopBody('a', 'hi'));
    expect((await run.end()).stdout).toBe('a|\ufffd|ff|1|multicast|%\ta|hi|6869|2|request|%\t');
  });

  it('takes topics with -t too and prints them in front with -v', async () => {
    const { run, relay } = await subscribe('-t', 'a', '-v', '--count', '1', '--quiet');
    const peer = await relay.peer();
    await peer.frame(TYPE.subscribe);
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('a', 'x'));
    expect((await run.end()).stdout).toBe('a\tx\n');
  });
});

describe.runIf(isBuilt)('amop', () => {
  it.each([
    [['request'], 'missing required argument'],
    [['request', 't'], 'what should be sent?'],
    [['nonsense'], 'unknown command'],
    [['pub', 't', 'x', '--wrong'], 'unknown option'],
    [['sub', 'a\tb', '--certs', 'x'], 'control characters'],
    [['request', 'x'.repeat(255), 'x', '--certs', 'x'], '254'],
    [['request', 't', 'x', '--port', '70000', '--certs', 'x'], '65535'],
    [['request', 't', 'x', '--timeout', 'soon', '--certs', 'x'], 'Give a time'],
    [['request', 't', 'x'], 'which certificate?'],
    [['request', 't', 'x', '--certs', '/nowhere'], '/nowhere/'],
    [['sub'], 'which topic?'],
    [['sub', 't', '--format', '%q', '--certs', 'x'], '%q is not known'],
    [['request', 't', 'x', '--rate', '0', '--certs', 'x'], 'messages a second'],
    [['request', 't', 'x', '--relay', 'a:b', '--certs', 'x'], 'host:port'],
    [['explain', 'AMOP'], '-100 or AMOP-100'],
    [['sub', 't', '--echo', '--reply', 'x', '--certs', 'x'], 'not both'],
    [['relay'], '--config'],
    [[], 'Usage'],
  ])('ends with 2 for %j', async (args, words) => {
    const { code, stderr } = await amop(args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it.each([
    'relay',
    'sub',
    'pub',
    'request',
    'reply',
    'multicast',
    'topics',
    'bench',
    'context',
    'context add',
    'explain',
    'completion',
    'demo',
    'config import',
    'frame decode',
    'keys',
    'keys convert',
    'peers',
    'pki',
    'pki init',
    'private status',
    'reload',
  ])('explains %s with --help', async (verb) => {
    const { code, stdout } = await amop([...verb.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout.replace('context|ctx', 'context')).toContain(`Usage: amop ${verb}`);
    expect(stdout).toMatch(/Examples:\n {2}\S/);
  });

  it.each(['102', '-102', 'AMOP-102', 'amop-102', 'AMOP102'])('explains a code that is typed as %s', async (typed) => {
    const { code, stdout } = await amop(['explain', typed]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^AMOP-102: no answer in time\n.*\n.*exit code 12/);
  });

  it('prints its version', async () => {
    const { code, stdout } = await amop(['--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
