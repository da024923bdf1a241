// What every load bench does around its measurement: a directory of its own, an exit code, a result file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The build that is measured unless --dist names another one. */
export const OWN_DIST = fileURLToPath(new URL('../../dist', import.meta.url));

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

/** Runs `main(directory)` and ends with the code it returns, 1 when it throws; the directory goes with the process. */
export async function runBench(main) {
  const directory = mkdtempSync(join(tmpdir(), 'amop-bench-'));
  // Also after process.exit and Ctrl-C.
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  try {
    process.exitCode = await main(directory);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** Writes a result to bench/results/ and says so. */
export function saveResult(name, result) {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`saved bench/results/${name}.json`);
}

/** The options that make a figure; paths are left out, they name the machine they were measured on. */
export function settingsOf({ node, 'node-b': _nodeB, dist, a, b, save, name, json, ...rest }) {
  return rest;
}
