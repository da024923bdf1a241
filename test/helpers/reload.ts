/** A running relay reads its configuration anew. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from './deadline.js';
import type { LogLine, RelayProcess } from './relay-process.js';

/** Changes the configuration file of a relay. */
export async function edit(relay: RelayProcess, change: (toml: string) => string): Promise<void> {
  const path = join(relay.dir, 'relay.toml');
  const before = await readFile(path, 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  await writeFile(path, after);
}

/** Sends SIGHUP and waits for what came of it. */
export async function hangUp(relay: RelayProcess): Promise<LogLine> {
  const seen = relay.logs.length;
  process.kill(relay.pid, 'SIGHUP');
  return until(
    () =>
      relay.logs
        .slice(seen)
        .find(({ msg }) => msg === 'configuration reloaded' || msg.startsWith('the new configuration cannot')),
    'the end of the reload',
  );
}

/** A refusal is logged as an error, which the helper takes for a fault of the relay. */
export function forgetErrors(relay: RelayProcess): void {
  for (let n = relay.logs.length - 1; n >= 0; n--) if (relay.logs[n].level === 'error') relay.logs.splice(n, 1);
}
