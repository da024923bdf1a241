// `npm run interop`: the unmodified Java and Go SDKs and our own client against relays, from a fresh clone. Needs a JDK, Maven
// and Go. AMOP_LONG=1 in the environment makes the load run whole.
//
//   npm run interop                              everything
//   npm run interop -- --same-relay-only         without the half of the matrix that needs two relays
//   npm run interop -- matrix                    files by name; further arguments go to vitest
import { requireNodeVersion } from './lib/node-version.mjs';

requireNodeVersion();
const { join } = await import('node:path');
const { root, runNode } = await import('./lib/run.mjs');
const { ensureInstalled } = await import('./lib/install.mjs');
const { buildNative, ensureBuilt } = await import('./lib/build.mjs');
const { buildPrograms, findMissingTools } = await import('../test/interop/build.mjs');

const EXIT_TOOLS_MISSING = 3;
const SAME_RELAY_ONLY = '--same-relay-only';

async function main(args) {
  const missing = findMissingTools();
  for (const line of missing) console.error(line);
  if (missing.length > 0) return EXIT_TOOLS_MISSING;
  if (!(await ensureInstalled())) return 1;
  const native = await buildNative('the SDKs are to meet the addon');
  if (native !== 'built') return native === 'tools-missing' ? EXIT_TOOLS_MISSING : 1;
  if (!(await ensureBuilt())) return 1;
  console.log('Building the programs around the SDKs ...');
  try {
    process.env.AMOP_INTEROP_PROGRAMS = JSON.stringify(buildPrograms());
  } catch (error) {
    console.error(
      `${error.message}\nThe programs around the SDKs could not be built, see above; is the network reachable?`,
    );
    return 1;
  }
  if (args.includes(SAME_RELAY_ONLY)) process.env.AMOP_INTEROP_SAME_RELAY_ONLY = '1';
  const rest = args.filter((arg) => arg !== SAME_RELAY_ONLY);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  return runNode([vitest, 'run', '--config', 'test/interop/vitest.config.ts', ...rest]);
}

process.exitCode = await main(process.argv.slice(2));
