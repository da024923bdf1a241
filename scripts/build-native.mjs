// Builds native/ to build/Release/amop_native.node with node-gyp, without network and whatever npm is configured to do.
//
//   node scripts/build-native.mjs [--force] [--verbose] [--package-headers] [--fetch-tools]
//
// --fetch-tools is for an installed package: npm packages that are needed and not there are fetched for this build alone.
// --package-headers takes the headers of the npm package even where Node brings its own, to test that way.
// Exit codes: 0 built or up to date; 1 the build failed (the compiler's output is printed); 3 a C or C++ compiler, make or
// Python 3 is missing (one line on stderr): the relay then runs on its TypeScript twins, the tests do not.
// CC, CXX, MAKE and PYTHON choose the tools.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXIT_FAILED = 1;
const EXIT_TOOLS_MISSING = 3;
const GENERATED_HEADERS = 'amop-node-headers-';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const output = join(root, 'build', 'Release', 'amop_native.node');
const stamp = join(root, 'build', 'Release', 'amop_native.stamp');

function fail(code, ...lines) {
  for (const line of lines) process.stderr.write(line.endsWith('\n') ? line : `${line}\n`);
  process.exit(code);
}

/** Where the packages come from: beside us, or fetched. */
let toolsFolder = root;

function findPackage(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`, { paths: [toolsFolder] }));
  } catch {
    return undefined;
  }
}

/** The package's directory, or exits with what to do. */
function packageDir(name) {
  return (
    findPackage(name) ??
    fail(
      EXIT_FAILED,
      `native addon: the npm package ${name} is not installed; add --fetch-tools, or in a clone run npm install (with dev dependencies)`,
    )
  );
}

async function fetchMissingTools() {
  if (['node-gyp', 'node-addon-api', 'secp256k1-wasm', 'node-api-headers'].every(findPackage)) return;
  const { fetchTools } = await import('./native-tools.mjs');
  try {
    toolsFolder = fetchTools();
  } catch (error) {
    fail(EXIT_FAILED, `native addon: ${error.message}`);
  }
}

function filesUnder(dir) {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/**
 * Digest of everything the binary depends on. Contents instead of times: a checkout, a container layer or a cache changes
 * the times and not the meaning. Node's version is left out on purpose, one Node-API build serves all of them.
 */
function inputsDigest(packages) {
  const hash = createHash('sha256');
  const files = [...filesUnder(join(root, 'native')), join(root, 'binding.gyp'), fileURLToPath(import.meta.url)];
  for (const file of files.sort()) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  // A published version never changes, so it stands for the contents.
  const versions = packages.map((dir) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).version);
  const { CC = '', CFLAGS = '', CXX = '', CXXFLAGS = '' } = process.env;
  hash.update([process.platform, process.arch, ...versions, CC, CFLAGS, CXX, CXXFLAGS].join('\0'));
  return hash.digest('hex');
}

function upToDate(digest) {
  try {
    return existsSync(output) && readFileSync(stamp, 'utf8') === digest;
  } catch {
    return false;
  }
}

/** The first of `candidates` that answers `args` with success; a candidate may carry arguments ("ccache g++"). */
function findTool(candidates, args) {
  return candidates.find((candidate) => {
    const [command, ...rest] = candidate.trim().split(/\s+/);
    return command !== '' && spawnSync(command, [...rest, ...args], { stdio: 'ignore' }).status === 0;
  });
}

function findTools() {
  const { CC, CXX, MAKE, PYTHON } = process.env;
  const cc = findTool(CC ? [CC] : ['gcc', 'cc', 'clang'], ['--version']);
  const cxx = findTool(CXX ? [CXX] : ['g++', 'c++', 'clang++'], ['--version']);
  const make = findTool(MAKE ? [MAKE] : ['make', 'gmake'], ['--version']);
  const isPython3 = ['-c', 'import sys; sys.exit(sys.version_info < (3, 6))'];
  const python = findTool(PYTHON ? [PYTHON] : ['python3', 'python'], isPython3);
  const missing = [
    [cc, CC ? `C compiler (CC=${CC} does not run)` : 'C compiler', 'gcc'],
    [cxx, CXX ? `C++ compiler (CXX=${CXX} does not run)` : 'C++ compiler', 'g++'],
    [make, MAKE ? `make (MAKE=${MAKE} does not run)` : 'make', 'make'],
    [python, PYTHON ? `Python 3 (PYTHON=${PYTHON} does not run)` : 'Python 3', 'python3'],
  ].filter(([found]) => found === undefined);
  if (missing.length > 0) {
    const what = missing.map(([, name]) => name).join(', ');
    const names = missing.map(([, , name]) => name);
    // g++ brings gcc.
    const packages = names.filter((name) => name !== 'gcc' || !names.includes('g++')).join(' ');
    fail(EXIT_TOOLS_MISSING, `native addon: not built, missing: ${what}; on Debian: apt-get install ${packages}`);
  }
  return { cc, cxx, make, python };
}

/**
 * Directory with include/node for node-gyp, which would otherwise download headers: the one Node was installed with, or
 * one laid out here from the npm package node-api-headers and our own common.gypi.
 */
function nodeDir() {
  const installed = dirname(dirname(process.execPath));
  const beside = join(installed, 'include', 'node');
  const packageHeaders = process.argv.includes('--package-headers');
  if (!packageHeaders && existsSync(join(beside, 'node_api.h')) && existsSync(join(beside, 'common.gypi')))
    return installed;
  const headers = join(packageDir('node-api-headers'), 'include');
  // Outside the project: gyp does not quote this path, and the project's may hold a space.
  const generated = mkdtempSync(join(tmpdir(), GENERATED_HEADERS));
  process.on('exit', () => rmSync(generated, { recursive: true, force: true }));
  const include = join(generated, 'include', 'node');
  cpSync(headers, include, { recursive: true });
  cpSync(join(root, 'native', 'node-headers', 'common.gypi'), join(include, 'common.gypi'));
  // node-gyp starts its own config.gypi from this one; ours has nothing to add.
  writeFileSync(join(include, 'config.gypi'), '{ "target_defaults": {}, "variables": {} }\n');
  return generated;
}

/** npm's settings reach node-gyp through the environment and would win over the arguments below. */
function cleanEnvironment(tools) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_(package_)?config_/i.test(key)));
  return { ...env, CC: tools.cc, CXX: tools.cxx, MAKE: tools.make };
}

function build(tools, addonApiDir, libsecp256k1Dir, verbose) {
  const nodeGyp = join(packageDir('node-gyp'), 'bin', 'node-gyp.js');
  const nodedir = nodeDir();
  const shared = [`--nodedir=${nodedir}`, `--python=${tools.python}`, '--release'];
  // gyp takes a variable that ends in _dir as relative to the file that holds it, which is build/config.gypi.
  const fromBuild = (dir) => relative(join(root, 'build'), dir);
  const variables = [
    `--node_addon_api_dir=${fromBuild(addonApiDir)}`,
    `--libsecp256k1_dir=${fromBuild(libsecp256k1Dir)}`,
  ];
  const steps = [
    ['configure', ...shared, ...variables],
    ['build', ...shared],
  ];
  for (const args of steps) {
    const result = spawnSync(process.execPath, [nodeGyp, ...args, ...(verbose ? ['--verbose'] : [])], {
      cwd: root,
      env: cleanEnvironment(tools),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: verbose ? 'inherit' : 'pipe',
    });
    if (result.status !== 0) {
      fail(EXIT_FAILED, result.stdout ?? '', result.stderr ?? '', `native addon: node-gyp ${args[0]} failed`);
    }
    // Warnings are ours to fix, so they are not swallowed on success either.
    const warnings = (result.stderr ?? '').split('\n').filter((line) => /warning:/.test(line));
    if (warnings.length > 0) process.stderr.write(`${warnings.join('\n')}\n`);
  }
  return nodedir;
}

const force = process.argv.includes('--force');
const startedMs = performance.now();
if (process.argv.includes('--fetch-tools')) await fetchMissingTools();
const addonApiDir = packageDir('node-addon-api');
const secp256k1Package = packageDir('secp256k1-wasm');
const libsecp256k1Dir = join(secp256k1Package, 'depend', 'secp256k1');
const digest = inputsDigest([addonApiDir, secp256k1Package]);
if (!force && upToDate(digest)) {
  console.log('native addon: up to date');
} else {
  const tools = findTools();
  // All of it gone first: make decides by times, which lie after a checkout; a build that dies half-way must not look finished;
  // and a process that has the old binary mapped keeps its own copy.
  rmSync(dirname(output), { recursive: true, force: true });
  const nodedir = build(tools, addonApiDir, libsecp256k1Dir, process.argv.includes('--verbose'));
  if (!existsSync(output)) fail(EXIT_FAILED, `native addon: node-gyp left no ${relative(root, output)}`);
  writeFileSync(stamp, digest);
  const from = basename(nodedir).startsWith(GENERATED_HEADERS) ? 'node-api-headers' : nodedir;
  console.log(`native addon: built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s (headers: ${from})`);
}
