import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../helpers/deadline.js';
import { Amop, amop, isBuilt, MAIN } from './run-amop.js';

let directory: string;
const running: Amop[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'amop-demo-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(() => {
  for (const run of running.splice(0)) run.child.kill('SIGKILL');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function startDemo(): Promise<{ run: Amop; relayPids: number[] }> {
  const run = new Amop(['demo', '--port-base', '0', '--directory', 'demo'], { cwd: directory });
  running.push(run);
  await run.says(/Ctrl-C stops everything/);
  const relayPids = [...run.stdout.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
  expect(relayPids).toHaveLength(2);
  return { run, relayPids };
}

/** The words of the first printed command that has `verb`. */
function command(run: Amop, verb: string): string[] {
  const line = new RegExp(`^ +node (.*? ${verb} .*)$`, 'm').exec(run.stdout)?.[1] ?? '';
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]);
  expect(words[0]).toBe(MAIN);
  return words.slice(1);
}

describe.runIf(isBuilt)('amop demo', () => {
  it('shows the first message with its round trip and prints commands that work', async () => {
    const { run } = await startDemo();
    expect(run.stdout).toContain('bank-a got');
    expect(run.stdout).toMatch(/First message and its answer: \d+\.\d\d ms; median of 100 more: \d+\.\d\d ms/);

    const asked = new Amop(command(run, 'request'), { cwd: directory });
    expect(await asked.end()).toMatchObject({ code: 0, stdout: 'bank-a got 23 bytes: "hello from the terminal"\n' });

    const sub = new Amop([...command(run, 'sub'), '--count', '1'], { cwd: directory });
    running.push(sub);
    await sub.says(/subscribed/);
    const multicast = new Amop(command(run, 'multicast'), { cwd: directory });
    expect((await multicast.end()).code).toBe(0);
    expect((await sub.end()).stdout).toBe('markets are open\n');

    const url = /http:\S+\/metrics/.exec(run.stdout)?.[0] ?? '';
    expect(await (await fetch(url)).text()).toContain('amop_');
  });

  it('stops everything and ends with 0 on Ctrl-C', async () => {
    const { run, relayPids } = await startDemo();
    expect(relayPids.filter(isAlive)).toEqual(relayPids);
    run.child.kill('SIGINT');
    expect((await run.end()).code).toBe(0);
    expect(relayPids.filter(isAlive)).toEqual([]);
  });

  it('leaves no relay behind when it is killed', async () => {
    const { run, relayPids } = await startDemo();
    run.child.kill('SIGKILL');
    await run.end();
    await until(() => !relayPids.some(isAlive), 'the relays to end by themselves', 12_000);
  });

  it.each(['bank-a', 'bank-b'])(
    'says so and ends with 1 when the relay of %s dies, and stops the other',
    async (bank) => {
      const { run, relayPids } = await startDemo();
      process.kill(relayPids[bank === 'bank-a' ? 0 : 1], 'SIGKILL');
      const { code, stderr } = await run.end();
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`^amop: the relay of ${bank} died: .*SIGKILL.*\\n$`));
      expect(relayPids.filter(isAlive)).toEqual([]);
    },
  );

  it('names a taken port and the way to others in one line', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const { code, stderr } = await amop(['demo', '--port-base', String(port), '--directory', directory]);
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`^amop: port ${port} on 127.0.0.1 is taken .*--port-base \\d+\\n$`));
    } finally {
      other.close();
    }
  });
});
