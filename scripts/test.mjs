// `npm test`: everything that needs no other language, from a fresh clone. Arguments go to vitest, for example
// `npm test -- test/unit/client`. AMOP_LONG=1 in the environment makes the long scenarios run whole.
import { requireNodeVersion } from './lib/node-version.mjs';

requireNodeVersion();
const { join } = await import('node:path');
const { root, runNode } = await import('./lib/run.mjs');
const { ensureInstalled } = await import('./lib/install.mjs');
const { buildNative, ensureBuilt } = await import('./lib/build.mjs');

async function main() {
  if (!(await ensureInstalled())) return 1;
  // Tests run over the addon and its twin: without the addon half of them would prove nothing.
  if ((await buildNative('the tests need the addon')) !== 'built') return 1;
  if (!(await ensureBuilt())) return 1;
  return runNode([join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]);
}

process.exitCode = await main();
