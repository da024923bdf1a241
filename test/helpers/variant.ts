/**
 * Builds of the relay in which some modules are replaced: they show that an attack works where a check is missing, and so that a
 * test of the check would fail without it.
 *
 * A replacement is a TypeScript module of the same path under its own folder and has the exports of the one it stands for. What it
 * imports from src is that of its build; the module that it replaces itself is still there for it.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { madeOnce } from './made-once.js';
import { DIST_DIR, PROJECT_DIR } from './pki.js';

export interface Variant {
  /** Letters. */
  readonly name: string;
  /** Folder of the replacements. */
  readonly folder: string;
  /** Paths below src, without ending. */
  readonly modules: readonly string[];
}

/** Path of a dist like the one under test but for the replaced modules. */
export async function variantDist(variant: Variant): Promise<string> {
  return join(await madeOnce(`dist-${variant.name}`, (dir) => build(dir, variant)), 'dist');
}

async function build(dir: string, { folder, modules }: Variant): Promise<void> {
  const dist = join(dir, 'dist');
  const isCode = (path: string) => !path.endsWith('.map') && !path.endsWith('.d.ts');
  await cp(DIST_DIR, dist, { recursive: true, filter: isCode });
  // What a module looks for beside dist.
  for (const name of ['package.json', 'node_modules', 'build']) await symlink(join(PROJECT_DIR, name), join(dir, name));
  const compiled = join(dir, 'compiled');
  await compile(folder, modules, compiled);
  for (const module of modules) {
    const target = join(dist, `${module}.js`);
    await rename(target, originalOf(target)); // throws when there is no such module
    const text = await readFile(join(compiled, `${module}.js`), 'utf8');
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, withImportsOf(dist, target, module, text));
  }
}

const originalOf = (target: string): string => target.replace(/\.js$/, '.replaced.js');

/** Types are checked with those of all tests; here they are only taken away. */
async function compile(folder: string, modules: readonly string[], outDir: string): Promise<void> {
  const tsc = join(PROJECT_DIR, 'node_modules/typescript/bin/tsc');
  const options = [
    '--ignoreConfig',
    '--noCheck',
    '--noResolve',
    '--types',
    '',
    '--rootDir',
    folder,
    '--outDir',
    outDir,
  ];
  const language = ['--target', 'ES2022', '--module', 'NodeNext'];
  const files = modules.map((module) => join(folder, `${module}.ts`));
  await promisify(execFile)(process.execPath, [tsc, ...options, ...language, ...files]);
}

function withImportsOf(dist: string, target: string, replaced: string, text: string): string {
  return text.replace(/(from |import\()'(?:\.\.\/)+src\/([^']+)\.js'/g, (_, how: string, module: string) => {
    const path = join(dist, `${module}.js`);
    const from = relative(dirname(target), module === replaced ? originalOf(path) : path)
      .split(sep)
      .join('/');
    return `${how}'${from.startsWith('.') ? from : `./${from}`}'`;
  });
}
