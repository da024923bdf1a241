/** Every example of docs/client.md, run as the page says, prints what the page says. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../helpers/deadline.js';
import { readPage } from '../helpers/documents.js';
import { DIST_DIR, writeCerts } from '../helpers/pki.js';
import { useRelay } from '../helpers/relay-process.js';
import { Shells } from '../helpers/shell.js';

const relay = useRelay();
const DEADLINE_MS = 15_000;
let folder: string;
let shells: Shells;
let examples: { code: string; output: string }[];

beforeAll(async () => {
  const page = readPage('docs/client.md');
  examples = [...page.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)].map(([, code, output]) => ({
    code,
    output,
  }));
  expect(page.match(/^```js$/gm)).toHaveLength(examples.length);
  folder = await mkdtemp(join(tmpdir(), 'amop-client-docs-'));
  shells = new Shells({ cwd: folder, deadlineMs: DEADLINE_MS });
  await mkdir(join(folder, 'node_modules'));
  await symlink(dirname(DIST_DIR), join(folder, 'node_modules', 'amop-relay'));
  await writeCerts(join(folder, 'conf'), relay().credentials('secp256k1'));
});
afterAll(async () => {
  shells?.killAll();
  await rm(folder, { recursive: true, force: true });
});

async function run(code: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await writeFile(join(folder, 'example.mjs'), code.replaceAll('20200', String(relay().ports.secp256k1)));
  const example = shells.start(`exec '${process.execPath}' example.mjs`);
  return { code: await example.end(), stdout: example.stdout, stderr: example.stderr };
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
