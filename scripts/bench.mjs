// `npm run bench`: builds what is missing, then runs every bench, or those that are named:
//
//   npm run bench                                    round-trip with one relay and with two, subscription, private-topics, then bench/micro

//   npm run bench -- --smoke                         the same, briefly: shows that the benches work
//   npm run bench -- round-trip --mode joined        one, with its own options (see its first lines)
//   npm run bench -- scanner --payload=1024
//   npm run bench -- round-trip --relays 2
//   npm run bench -- compare --a DIST --b DIST       runs only when named
//
// Ends with the first exit code that is not 0; 3 means that g++ or libssl-dev is missing.
import { requireNodeVersion } from './lib/node-version.mjs';

requireNodeVersion();
const { readdirSync } = await import('node:fs');
const { join } = await import('node:path');
const { root, runNode } = await import('./lib/run.mjs');
const { ensureInstalled } = await import('./lib/install.mjs');
const { buildNative, ensureBuilt } = await import('./lib/build.mjs');

const EXIT_USAGE = 2;
const EXIT_TOOLS_MISSING = 3;

/** Path by name; `always` are those that run when none is named, with `args` of theirs. */
function findBenches() {
  const load = (name, ...args) => ({ name, path: join(root, 'bench', 'load', `${name}.mjs`), args });
  const micro = readdirSync(join(root, 'bench', 'micro'))
    .filter((file) => file.endsWith('.bench.mjs'))
    .sort()
    .map((file) => ({ name: file.replace('.bench.mjs', ''), path: join(root, 'bench', 'micro', file), args: [] }));
  const always = [
    load('round-trip'),
    load('round-trip', '--relays', '2'),
    load('subscription'),
    load('private-topics'),
    ...micro,
  ];
  return { always, named: [load('compare')] };
}

async function main(args) {
  const { always, named } = findBenches();
  const all = [...always, ...named];
  const chosen = args[0]?.startsWith('-') === false ? all.find(({ name }) => name === args[0]) : undefined;
  if (chosen === undefined && args.some((arg) => arg !== '--smoke')) {
    console.error(
      `expected --smoke, or one of ${[...new Set(all.map(({ name }) => name))].join(', ')} followed by its options`,
    );
    return EXIT_USAGE;
  }
  if (!(await ensureInstalled())) return 1;
  const native = await buildNative('the benches measure the addon');
  if (native !== 'built') return native === 'tools-missing' ? EXIT_TOOLS_MISSING : 1;
  if (!(await ensureBuilt())) return 1;
  const generator = await runNode([join(root, 'bench', 'load', 'build.mjs')]);
  if (generator !== 0) return generator;

  let failed = 0;
  const runs = chosen === undefined ? always : [{ ...chosen, args: args.slice(1) }];
  for (const { name, path, args: own } of runs) {
    const title = [name, ...own].join(' ');
    console.log(`\n== ${title}`);
    const code = await runNode([path, ...own, ...(chosen === undefined ? args : [])]);
    if (code !== 0) console.error(`bench ${title} ended with exit code ${code}`);
    if (failed === 0) failed = code;
  }
  return failed;
}

process.exitCode = await main(process.argv.slice(2));
