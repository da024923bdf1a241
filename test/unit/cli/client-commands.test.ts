import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';
import {
  makePki,
  type Script,
  type ScriptedRelay,
  startScriptedRelay,
  type TestPki,
} from '../client/scripted-relay.js';
import { Amop, amop, isBuilt } from './run-amop.js';

let pki: TestPki;
let certs: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  pki = await makePki();
  certs = join(pki.directory, 'secp256k1', 'bank-b');
});
afterAll(() => pki.remove());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(script: Script = {}): Promise<{ relay: ScriptedRelay; options: string[] }> {
  const relay = await startScriptedRelay(pki.relay(), script);
  cleanups.push(() => relay.stop());
  return { relay, options: ['--certs', certs, '--relay', `127.0.0.1:${relay.port}`] };
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

describe.runIf(isBuilt)('amop pub', () => {
  it('sends a multicast and says that only the relay has it', async () => {
    const { relay, options } = await start(answering(0, (body) => body));
    const { code, stdout, stderr } = await amop(['pub', 'news', 'hello', ...options]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('the relay has taken');
    const sent = await (await relay.peer()).frame(TYPE.multicast);
    expect(sent.body).toEqual(amopBody('news', 'hello'));
  });

  it('says nothing with --quiet, and a JSON line with --json', async () => {
    const { options } = await start(answering(0, (body) => body));
    expect(await amop(['pub', 'news', 'x', '--quiet', ...options])).toEqual({ code: 0, stdout: '', stderr: '' });
    const { stdout } = await amop(['pub', 'news', 'x', '--json', ...options]);
    expect(JSON.parse(stdout)).toMatchObject({ topic: 'news', kind: 'multicast' });
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
    await peer.frame(TYPE.subscribe, 1);
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

  it('ends with 9 when the relay goes away', async () => {
    const { run, relay } = await subscribe('a');
    await run.says(/subscribed/);
    (await relay.peer()).socket.destroy();
    const { code, stderr } = await run.end();
    expect(code).toBe(9);
    expect(stderr).toContain('AMOP-99');
  });
});

describe.runIf(isBuilt)('amop', () => {
  it.each([
    [['request', 't'], 'missing required argument'],
    [['nonsense'], 'unknown command'],
    [['pub', 't', 'x', '--wrong'], 'unknown option'],
    [['sub', 'a\tb', '--certs', 'x'], 'control characters'],
    [['request', 'x'.repeat(255), 'x', '--certs', 'x'], '254'],
    [['request', 't', 'x', '--port', '70000', '--certs', 'x'], '65535'],
    [['request', 't', 'x', '--timeout', 'soon', '--certs', 'x'], 'Give a time'],
    [['request', 't', 'x'], 'which certificate?'],
    [['request', 't', 'x', '--certs', '/nowhere'], '/nowhere/'],
    [['sub', 't', '--echo', '--reply', 'x', '--certs', 'x'], 'not both'],
    [['relay'], '--config'],
    [[], 'Usage'],
  ])('ends with 2 for %j', async (args, words) => {
    const { code, stderr } = await amop(args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it.each(['relay', 'sub', 'pub', 'request', 'demo'])('explains %s with --help', async (verb) => {
    const { code, stdout } = await amop([verb, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: amop ${verb}`);
  });

  it('prints its version', async () => {
    const { code, stdout } = await amop(['--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
