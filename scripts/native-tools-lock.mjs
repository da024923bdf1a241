// Writes scripts/native-tools/: what the addon is built with, in the versions and with the integrity of package-lock.json. The
// package carries these two files, because npm leaves its own lock file out. A test fails while they are not what this makes.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const TOOLS = ['node-addon-api', 'node-api-headers', 'node-gyp', 'secp256k1-wasm'];

/** The texts of package.json and package-lock.json. */
export function renderNativeTools() {
  const { packages, lockfileVersion } = readJson(join(root, 'package-lock.json'));
  const { devDependencies } = readJson(join(root, 'package.json'));
  const dependencies = Object.fromEntries(TOOLS.map((name) => [name, devDependencies[name]]));
  const head = { name: 'amop-relay-native-tools', private: true, dependencies };
  const found = new Map();
  for (const name of TOOLS) collect(packages, '', name, found);
  const entries = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  const { name, ...own } = head;
  const lock = {
    name,
    lockfileVersion,
    requires: true,
    packages: { '': { name, ...own }, ...Object.fromEntries(entries) },
  };
  return { 'package.json': text(head), 'package-lock.json': text(lock) };
}

/** A package and all it needs, each under its path in the lock file, where whoever needs it looks upwards from its own. */
function collect(packages, from, name, found) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[path] !== undefined) {
      if (found.has(path)) return;
      const { dev: _dev, ...entry } = packages[path];
      found.set(path, entry);
      for (const needed of Object.keys(entry.dependencies ?? {})) collect(packages, path, needed, found);
      return;
    }
    if (at === '') throw new Error(`${name}, which ${from} needs, is not in package-lock.json`);
  }
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const text = (value) => `${JSON.stringify(value, undefined, 2)}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, content] of Object.entries(renderNativeTools())) {
    const path = join(root, 'scripts', 'native-tools', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    console.log(`wrote ${path}`);
  }
}
