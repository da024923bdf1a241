// `npm start`: from a fresh clone to a running relay with its first message. Arguments go to the demonstration, for
// example `npm start -- --port-base 21200`.
import { requireNodeVersion } from './lib/node-version.mjs';

requireNodeVersion();
const { root } = await import('./lib/run.mjs');
const { ensureInstalled } = await import('./lib/install.mjs');
const { buildNative, ensureBuilt } = await import('./lib/build.mjs');

async function prepare() {
  if (!(await ensureInstalled())) return false;
  if ((await buildNative("the TypeScript twins do the addon's work")) === 'failed') return false;
  return ensureBuilt();
}

if (await prepare()) {
  // In this process, so that nothing stands between Ctrl-C and the demonstration.
  process.chdir(root);
  const { runCli } = await import('../dist/cli/run.js');
  process.exitCode = await runCli([...process.argv.slice(0, 2), 'demo', ...process.argv.slice(2)]);
} else {
  process.exitCode = 1;
}
