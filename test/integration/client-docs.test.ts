/** Every example of docs/client.md, run as the page says, prints what the page says. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until, withDeadline } from '../helpers/deadline.js';
import { DIST_DIR, PROJECT_DIR, writeCerts } from '../helpers/pki.js';
import { useRelay } from '../helpers/relay-process.js';

const relay = useRelay();
const DEADLINE_MS = 15_000;
let folder: string;
let examples: { code: string; output: string }[];

beforeAll(async () => {
  const page = await readFile(join(PROJECT_DIR, 'docs', 'client.md'), 'utf8');
  examples = [...page.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)].map(([, code, output]) => ({
    code,
    output,
  }));
  expect(page.match(/^```js$/gm)).toHaveLength(examples.length);
  folder = await mkdtemp(join(tmpdir(), 'amop-client-docs-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(dirname(DIST_DIR), join(folder, 'node_modules', 'amop-relay'));
  await writeCerts(join(folder, 'conf'), relay().credentials('secp256k1'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(code: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await writeFile(join(folder, 'example.mjs'), code.replaceAll('20200', String(relay().ports.secp256k1)));
  const child = spawn(process.execPath, ['example.mjs'], { cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  child.stderr.on('data', (part) => {
    stderr += part;
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const all = () => `the example to end; it wrote:\n${stdout}${stderr}`;
  return { code: await withDeadline(ended, DEADLINE_MS, all).finally(() => child.kill('SIGKILL')), stdout, stderr };
}

it('runs every example of docs/client.md and prints what stands below it', async () => {
  expect(examples.length).toBeGreaterThanOrEqual(6);
  for (const { code, output } of examples) {
    await until(
      async () => (await relay().http('/metrics')).text.match(/^amop_sessions.* [1-9]/m) === null,
      'no session left',
    );
    expect(await run(code), code).toEqual({ code: 0, stdout: output, stderr: '' });
  }
}, 60_000);
