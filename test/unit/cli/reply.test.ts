import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { type Credentials, relayCredentials, testPki, writeCerts } from '../../helpers/pki.js';
import { type Peer, startScriptedRelay } from '../../helpers/scripted-relay.js';
import { amopBody, newSeq, parseAmopBody, TYPE } from '../../helpers/wire.js';
import { Amop, amop, isBuilt } from './run-amop.js';

let directory: string;
let certs: string;
let relayPems: Credentials;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const pki = await testPki();
  directory = await mkdtemp(join(tmpdir(), 'amop-reply-'));
  certs = await writeCerts(join(directory, 'conf'), pki.sdkB.secp256k1);
  relayPems = await relayCredentials(pki, 'secp256k1');
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function replying(...args: string[]): Promise<{ run: Amop; peer: Peer }> {
  const relay = await startScriptedRelay(relayPems);
  cleanups.push(() => relay.stop());
  const run = new Amop(['reply', 't', ...args, '--certs', certs, '--relay', relay.address], { cwd: directory });
  cleanups.push(async () => run.child.kill('SIGKILL'));
  await run.says(/subscribed to "t"/);
  return { run, peer: await relay.peer() };
}

const ask = (peer: Peer, payload: Uint8Array | string, seq = newSeq()): void =>
  peer.send(TYPE.unicast, seq, 0, amopBody('t', payload));

async function answer(peer: Peer, n = 0): Promise<string> {
  const frame = await peer.frame(TYPE.response, n);
  return `${frame.result} ${parseAmopBody(frame.body).payload}`;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe.runIf(isBuilt)('amop reply', () => {
  it('answers with a text, ignores multicasts, and ends after --count answers', async () => {
    const { run, peer } = await replying('accepted', '--count', '2', '--json');
    peer.send(TYPE.multicast, newSeq(), 0, amopBody('t', 'to all'));
    const seqs = [newSeq(), newSeq()];
    for (const seq of seqs) ask(peer, 'q', seq);
    const { code, stdout } = await run.end();
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      seqs.map((seq) => ({ topic: 't', seq, bytes: 1, answered: true })),
    );
    expect([await answer(peer), await answer(peer, 1)]).toEqual(['0 accepted', '0 accepted']);
  });

  it('reads its file anew for each request, and answers with AMOP-1 when it is gone', async () => {
    const file = join(directory, 'terms.txt');
    await writeFile(file, 'first');
    const { peer, run } = await replying('--file', file);
    ask(peer, 'q');
    expect(await answer(peer)).toBe('0 first');
    await writeFile(file, 'second');
    ask(peer, 'q');
    expect(await answer(peer, 1)).toBe('0 second');
    await rm(file);
    ask(peer, 'q');
    expect(await answer(peer, 2)).toBe('1 {"reason":"file-unreadable"}');
    await run.says(/terms\.txt cannot be read/);
  });

  it('echoes, and answers with a code that is typed in any form', async () => {
    const echo = await replying('--echo');
    ask(echo.peer, Buffer.from([0, 255]));
    expect(parseAmopBody((await echo.peer.frame(TYPE.response)).body).payload).toEqual(Buffer.from([0, 255]));
    const failing = await replying('--fail', 'AMOP-4711');
    ask(failing.peer, 'q');
    expect((await failing.peer.frame(TYPE.response)).result).toBe(4711);
  });

  it('runs a command without a shell: payload on standard input, nothing expanded', async () => {
    const script =
      'process.stdin.on("data", (d) => process.stdout.write([process.argv[2], d, process.env.AMOP_TOPIC].join("|")))';
    await writeFile(join(directory, 'handle.cjs'), script);
    const { peer } = await replying('--command', `"${process.execPath}" handle.cjs '$HOME; echo *'`);
    ask(peer, '$(rm -rf /); `id`');
    expect(await answer(peer)).toBe('0 $HOME; echo *|$(rm -rf /); `id`|t');
  });

  it('runs a command with a shell where asked', async () => {
    const { peer } = await replying('--shell', '--command', "tr a-z A-Z | sed 's/A/X/'");
    ask(peer, 'abc');
    expect(await answer(peer)).toBe('0 XBC');
  });

  it('answers with the reason when a command fails, cannot run, or takes too long, and goes on', async () => {
    const failing = await replying('--shell', '--command', 'read x; [ "$x" = good ] && echo fine || exit 3');
    ask(failing.peer, 'bad');
    expect(await answer(failing.peer)).toBe('1 {"reason":"command-failed"}');
    await failing.run.says(/ended with exit code 3/);
    ask(failing.peer, 'good');
    expect(await answer(failing.peer, 1)).toBe('0 fine\n');

    const missing = await replying('--command', '/nowhere/at/all');
    ask(missing.peer, 'q');
    expect(await answer(missing.peer)).toBe('1 {"reason":"command-failed"}');

    // It leaves a process behind that holds the pipe open.
    const slow = await replying(
      '--shell',
      '--command',
      'sleep 600 & echo $! >&2; sleep 600',
      '--command-timeout',
      '300ms',
    );
    ask(slow.peer, 'q');
    const pid = Number((await slow.run.says(/^(\d+)$/m))[1]);
    expect(await answer(slow.peer)).toBe('1 {"reason":"command-timeout"}');
    await until(() => !isAlive(pid), 'what the command had started to end');
  });

  it('runs no more commands at once than --jobs, and all of them', async () => {
    const { peer } = await replying('--jobs', '2', '--shell', '--command', 'cat; sleep 0.3');
    const startMs = performance.now();
    for (let i = 0; i < 4; i++) ask(peer, String(i));
    await peer.frame(TYPE.response, 3);
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeGreaterThan(590);
    const answers = peer.of(TYPE.response).map((frame) => String(parseAmopBody(frame.body).payload));
    expect(answers.sort()).toEqual(['0', '1', '2', '3']);
  });

  it('lets what runs finish at the first Ctrl-C and ends it at the second', async () => {
    const polite = await replying('--shell', '--command', 'echo begun >&2; sleep 0.5; echo done');
    ask(polite.peer, 'q');
    await polite.run.says(/begun/);
    polite.run.child.kill('SIGINT');
    expect(await answer(polite.peer)).toBe('0 done\n');
    expect((await polite.run.end()).code).toBe(0);

    const hurried = await replying('--shell', '--command', 'echo $$ >&2; sleep 600', '--command-timeout', '600');
    ask(hurried.peer, 'q');
    const pid = Number((await hurried.run.says(/^(\d+)$/m))[1]);
    hurried.run.child.kill('SIGINT');
    await hurried.run.says(/Ctrl-C again/);
    hurried.run.child.kill('SIGINT');
    expect((await hurried.run.end()).code).toBe(0);
    await until(() => !isAlive(pid), 'the command to end');
  });

  it.each([
    [[], 'answer with what?'],
    [['x', '--echo'], 'one of them'],
    [['x', '--shell'], '--shell is for --command'],
    [['--command', '"open'], 'not closed'],
    [['--command', ' '], 'the command is empty'],
    [['--file', '/nowhere/at/all'], '/nowhere/at/all cannot be read'],
    [['x', '--jobs', '0'], 'whole number from 1'],
    [['--fail', '0'], 'AMOP-100'],
  ])('ends with 2 for %j', async (args, words) => {
    const { code, stderr } = await amop(['reply', 't', ...args, '--certs', certs]);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });
});
