// Builds the load generator to build/bench/amop-load when one of its sources is newer.
//
//   node bench/load/build.mjs
//
// Exit codes: 0 built or up to date; 1 the compiler failed; 3 g++ or libssl-dev is missing (one line says which).
// CXX chooses the compiler.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXIT_FAILED = 1;
const EXIT_MISSING = 3;
const FLAGS = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Wshadow', '-Wconversion'];

const sources = fileURLToPath(new URL('./generator', import.meta.url));
const output = fileURLToPath(new URL('../../build/bench/amop-load', import.meta.url));

/** Path of the finished binary; ends the process with a line and an exit code when it cannot be made. */
export function ensureGenerator() {
  const files = readdirSync(sources).map((name) => join(sources, name));
  const newest = Math.max(...[...files, fileURLToPath(import.meta.url)].map((file) => statSync(file).mtimeMs));
  if ((statSync(output, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return output;

  const compiler = process.env.CXX ?? 'g++';
  const call = (args, options) => spawnSync(compiler, args, { encoding: 'utf8', ...options });
  if (call(['--version']).status !== 0) {
    fail(EXIT_MISSING, `load generator: no C++ compiler (${compiler}); install the Debian package g++`);
  }
  const probe = '#include <openssl/ssl.h>\nint main() { return SSL_CTX_new(TLS_client_method()) == nullptr; }\n';
  if (call(['-x', 'c++', '-', '-o', '/dev/null', '-lssl', '-lcrypto'], { input: probe }).status !== 0) {
    fail(EXIT_MISSING, 'load generator: the OpenSSL headers are missing; install the Debian package libssl-dev');
  }
  mkdirSync(join(output, '..'), { recursive: true });
  // Renamed when complete, so that a bench started at the same time never runs half a binary.
  const temporary = `${output}.${process.pid}`;
  const units = files.filter((file) => file.endsWith('.cc'));
  const { status, error } = call([...FLAGS, ...units, '-o', temporary, '-lssl', '-lcrypto'], { stdio: 'inherit' });
  if (status !== 0)
    fail(EXIT_FAILED, `load generator: the build failed${error ? `: ${error.message}` : ', see above'}`);
  renameSync(temporary, output);
  return output;
}

function fail(code, line) {
  process.stderr.write(`${line}\n`);
  process.exit(code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureGenerator();
