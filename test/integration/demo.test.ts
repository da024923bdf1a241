/** The demonstration as a newcomer meets it: what it shows, what it tells to type, and that Ctrl-C leaves nothing behind. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until, withDeadline } from '../helpers/deadline.js';
import { DIST_DIR } from '../helpers/pki.js';

const run = promisify(execFile);
const MAIN = join(DIST_DIR, 'cli', 'main.js');

describe('the demonstration', () => {
  let directory = '';
  let demo: ChildProcess;
  let output = '';

  const commands = () =>
    output
      .split('\n')
      .filter((line) => /^ {4}\S/.test(line))
      .map((line) => line.trim());

  /** A printed command in a shell of the demonstration's folder, as somebody would paste it. */
  const paste = (command: string) => run('sh', ['-c', command], { cwd: directory, timeout: 15_000 });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'amop-demo-'));
    demo = spawn(process.execPath, [MAIN, 'demo', '--port-base', '0'], { cwd: directory });
    for (const stream of [demo.stdout, demo.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    await until(
      () => output.includes('Ctrl-C'),
      () => `the guide; so far:\n${output}`,
      25_000,
    );
  });

  afterAll(() => {
    demo.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it('shows the first message, its answer and the measured round trip', () => {
    expect(output).toMatch(/First message and its answer: \d+\.\d\d ms; median of \d+ more: \d+\.\d\d ms/);
  });

  it('prints commands that work in another terminal', async () => {
    const list = commands();
    expect(list.length).toBeGreaterThanOrEqual(7);
    for (const command of list) {
      const [verb] = / (request|sub|multicast) --certs/.exec(command)?.slice(1) ?? [];
      if (verb !== 'sub') {
        if (command.includes(' echo ')) continue;
        const { stdout, stderr } = await paste(command);
        expect(stdout.length + stderr.length, command).toBeGreaterThan(0);
        continue;
      }
      // A subscriber waits for the command that follows it in the guide.
      const next = list[list.indexOf(command) + 1];
      const waiting = paste(`${command} --count 1`);
      let received = false;
      void waiting.then(() => {
        received = true;
      });
      await until(
        async () => {
          await paste(next).catch(() => undefined);
          return received;
        },
        `${command} to receive what ${next} sends`,
        15_000,
      );
      expect((await waiting).stdout.length, command).toBeGreaterThan(0);
    }
  }, 60_000);

  it('joins two relays: a message crosses from one to the other', async () => {
    const admin = /curl -s (http:\/\/\S+)\/readyz/.exec(output)?.[1];
    const { peers } = (await (await fetch(`${admin}/peers`)).json()) as {
      peers: { kind: string; messagesSent: number }[];
    };
    expect(peers).toMatchObject([{ kind: 'relay', state: 'active', organisation: 'bank-b' }]);
    expect(peers[0].messagesSent).toBeGreaterThan(0);
  });

  it('ends with 0 on Ctrl-C and takes its relays with it', async () => {
    const admin = /curl -s (http:\/\/\S+)\/readyz/.exec(output)?.[1];
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    const exit = once(demo, 'exit');
    demo.kill('SIGINT');
    expect(await withDeadline(exit, 15_000, 'the demonstration to end')).toEqual([0, null]);
    await expect(fetch(`${admin}/readyz`)).rejects.toThrow();
  }, 30_000);
});
