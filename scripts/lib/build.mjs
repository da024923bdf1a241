// The two builds: the addon (native/) and TypeScript (dist/).
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode } from './run.mjs';

/** Exit code of build-native.mjs when compiler, make or Python is missing; it has said which. */
const TOOLS_MISSING = 3;

/**
 * Builds the addon: 'built', 'tools-missing' or 'failed'. Lines that say why have been printed; the one about missing
 * tools ends in `consequence`.
 */
export async function buildNative(consequence) {
  let text = '';
  const onStderr = (part) => {
    text += part;
  };
  const code = await runNode([join(root, 'scripts', 'build-native.mjs')], { onStderr });
  if (code === TOOLS_MISSING) {
    console.error(`${text.trimEnd()}; ${consequence}`);
    return 'tools-missing';
  }
  process.stderr.write(text);
  return code === 0 ? 'built' : 'failed';
}

/** Compiles src/ to dist/ unless dist is newer; false when that fails. */
export async function ensureBuilt() {
  if (!isStale()) return true;
  console.log('Compiling TypeScript ...');
  if ((await runNode([join(root, 'scripts', 'build.mjs')])) === 0) return true;
  // The compiler writes files even when it finds errors: without them the next run would take these for a build.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  console.error('The TypeScript build failed, see above.');
  return false;
}

/** True when a module was added, removed or changed since the build, or the way to build changed. */
function isStale() {
  const dist = join(root, 'dist');
  if (!existsSync(join(dist, 'cli', 'main.js'))) return true;
  const sources = list(join(root, 'src'), '.ts');
  const outputs = list(dist, '.js');
  const names = new Set(sources.map(({ name }) => name.replace(/\.ts$/, '.js')));
  if (outputs.length !== sources.length || outputs.some(({ name }) => !names.has(name))) return true;
  const inputs = ['tsconfig.json', 'package-lock.json', 'scripts/build.mjs'].map(
    (name) => statSync(join(root, name)).mtimeMs,
  );
  const newest = Math.max(...inputs, ...sources.map(({ mtimeMs }) => mtimeMs));
  return outputs.some(({ mtimeMs }) => mtimeMs < newest);
}

function list(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(ending) && !name.endsWith('.d.ts'))
    .map((name) => ({ name, mtimeMs: statSync(join(folder, name)).mtimeMs }));
}
