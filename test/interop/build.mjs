// Builds the programs around the Java and the Go SDK. Downloads go to a folder of their own (test/interop/.cache, or
// AMOP_INTEROP_CACHE): once it is full, nothing is asked of the network.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const cache = process.env.AMOP_INTEROP_CACHE || here('.cache');
const javaHome = process.env.JAVA_HOME;
const java = javaHome ? join(javaHome, 'bin', 'java') : 'java';
const ATTEMPTS_MAX = 3;

const TOOLS = [
  {
    command: javaHome ? join(javaHome, 'bin', 'javac') : 'javac',
    args: ['-version'],
    pattern: /(\d+)/,
    minimum: 17,
    name: 'JDK 17',
    debian: 'openjdk-17-jdk-headless',
  },
  { command: 'mvn', args: ['-version'], pattern: /Maven (\d+)/, minimum: 3, name: 'Maven 3', debian: 'maven' },
  { command: 'go', args: ['version'], pattern: /go1\.(\d+)/, minimum: 18, name: 'Go 1.18', debian: 'golang-go' },
];

/** One line for each tool that is missing or too old. */
export function findMissingTools() {
  return TOOLS.flatMap(({ command, args, pattern, minimum, name, debian }) => {
    const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
    const version = Number(pattern.exec(error ? '' : stdout + stderr)?.[1]);
    if (version >= minimum) return [];
    const what = Number.isNaN(version) ? `${command} was not found` : `${command} is too old`;
    return [`${what}: the interoperability suite needs ${name} or newer (on Debian: apt-get install ${debian})`];
  });
}

/** Where the programs are, for test/interop/programs.ts. Throws with the compiler's words when one cannot be built. */
export function buildPrograms() {
  const go = buildGo('go.mod', 'amop-go-v1.1.1');
  const goReconnecting = buildGo('go-v1.0.0.mod', 'amop-go-v1.0.0');
  return { java, classPath: buildJava(), go, goReconnecting };
}

function buildGo(moduleFile, name) {
  const file = join(cache, 'bin', name);
  run('go', ['build', `-modfile=${moduleFile}`, '-mod=readonly', '-buildvcs=false', '-o', file, '.'], here('go'), {
    GOMODCACHE: join(cache, 'go-modules'),
    GOCACHE: join(cache, 'go-build'),
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    CGO_ENABLED: '0',
  });
  return file;
}

/** @returns the class path: our own classes, and the jars as they came from the repository. */
function buildJava() {
  const list = here('java/target/class-path');
  const options = ['--batch-mode', '--quiet', '--strict-checksums', `-Dmaven.repo.local=${join(cache, 'maven')}`];
  const goals = ['compiler:compile', 'dependency:build-classpath', `-Dmdep.outputFile=${list}`];
  run('mvn', [...options, ...goals], here('java'), {});
  return `${here('java/target/classes')}:${readFileSync(list, 'utf8').trim()}`;
}

/** Again after a failure: 400 MB come over the network, and what has arrived is kept. */
function run(command, args, cwd, env) {
  for (let attempt = 1; ; attempt++) {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd,
      env: { ...process.env, ...env },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (error) throw error;
    if (status === 0) return;
    const what = `${command} ${args.join(' ')} ended with ${status} in ${cwd}:\n${stdout}${stderr}`;
    if (attempt === ATTEMPTS_MAX) throw new Error(what);
    console.error(`${what}\nAttempt ${attempt + 1} of ${ATTEMPTS_MAX} ...`);
  }
}
