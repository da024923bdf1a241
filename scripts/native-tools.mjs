// The packages that the addon is built with, for an installed package, which has them not: fetched by npm into a folder outside
// everything, in the versions and with the integrity that were pinned with this package, for the length of one build.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PINNED = fileURLToPath(new URL('native-tools', import.meta.url));

/** A folder with node_modules/, which goes with this process. Throws with npm's words. */
export function fetchTools() {
  const folder = mkdtempSync(join(tmpdir(), 'amop-native-tools-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  cpSync(PINNED, folder, { recursive: true });
  // None of them needs its scripts: they are sources and tools in JavaScript.
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm !== undefined && /\.c?js$/.test(npm) ? [process.execPath, npm] : ['npm'];
  const { status, stderr, error } = spawnSync(command, [...first, ...args], { cwd: folder, encoding: 'utf8' });
  if (error !== undefined) throw new Error(`npm was not found (${error.message}): it comes with Node.js`);
  if (status !== 0)
    throw new Error(`${stderr.trim()}\nnpm could not fetch the tools, see above; is the npm registry reachable?`);
  return folder;
}
