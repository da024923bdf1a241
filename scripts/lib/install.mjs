// Dependencies: `npm ci`, but only when node_modules is not what package-lock.json says.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, runNode } from './run.mjs';

const lockFile = join(root, 'package-lock.json');
// Inside node_modules, so that it vanishes with what it vouches for: `npm ci` deletes the folder first.
const stampFile = join(root, 'node_modules', '.amop-relay-lock.sha256');

/** Resolves with true when the dependencies are there, after installing them if need be. */
export async function ensureInstalled() {
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (readText(stampFile) === wanted) return true;
  if (!installedByHand()) {
    console.log('Installing dependencies (npm ci) ...');
    if ((await npmCi()) !== 0) {
      console.error('npm ci failed, see above; is the npm registry reachable?');
      return false;
    }
  }
  writeFileSync(stampFile, wanted);
  return true;
}

async function npmCi() {
  // Development tools are needed to build, whatever NODE_ENV or .npmrc say.
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  if (npm !== undefined && /\.c?js$/.test(npm)) return runNode([npm, ...args]);
  try {
    return await run('npm', args, { shell: process.platform === 'win32' });
  } catch {
    console.error('npm was not found: it comes with Node.js, on some distributions as the package "npm".');
    return 1;
  }
}

/** npm keeps its own record of what it installed: after an `npm ci` or `npm install` by hand nothing is left to do. */
function installedByHand() {
  const record = readText(join(root, 'node_modules', '.package-lock.json'));
  if (record === undefined) return false;
  try {
    const installed = JSON.parse(record).packages;
    const wanted = JSON.parse(readFileSync(lockFile, 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
