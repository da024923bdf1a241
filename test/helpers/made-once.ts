/** Things that every file of a test run needs and that cost time to make: made once, kept in a temporary directory. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'amop-relay-test-made-';

/**
 * The directory that `make` has filled in this run.
 * @param name what it holds: letters and blanks
 */
export async function madeOnce(name: string, make: (dir: string) => Promise<void>): Promise<string> {
  // The test files of one run are processes of one parent, so its id names the run.
  const dir = join(tmpdir(), `${PREFIX}${process.ppid}-${name}`);
  if (existsSync(dir)) return dir;
  await removeStale();
  const draft = await mkdtemp(join(tmpdir(), `${PREFIX}draft-`));
  await make(draft);
  // Another file of this run may have been faster: renaming onto its directory fails, and its files are as good.
  await rename(draft, dir).catch(() => rm(draft, { recursive: true, force: true }));
  return dir;
}

/** Directories of runs whose process is gone. */
async function removeStale(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
