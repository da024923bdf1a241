// One relay as a process of its own, with a fresh configuration on free ports.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const START_TIMEOUT_MS = 20_000;
/** The relay drains for at most 10 s. */
const STOP_TIMEOUT_MS = 15_000;
/** Enough to show why a relay did not start. */
const KEPT_CHARS_MAX = 8_192;

/**
 * Makes or reuses the demo certificates under `directory` with the relay's own code.
 * @returns paths of one relay and one application of the kind, `{relay, sdk}` with `key`, `cert` and `caCert` each
 */
export async function createCertificates(dist, directory, kind) {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { createDemoPki } = await import(pathToFileURL(resolve(dist, 'pki/demo.js')).href);
  const pki = createDemoPki(directory, { now: new Date() });
  return pki.files[kind]['bank-a'];
}

/** The versions of a node binary: `{node, openssl}`. */
export function nodeVersions(node) {
  const { stdout, error } = spawnSync(node, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`--node ${node}: ${error.message}`);
  const versions = JSON.parse(stdout);
  return { node: versions.node, openssl: versions.openssl };
}

/**
 * Starts `<node> <dist>/cli/main.js relay` and waits until it is ready.
 * @returns `{pid, port, stop}`; `stop()` lets it drain and throws when it did not end with code 0
 */
export async function startRelay({ node, dist, identity, directory }) {
  const configFile = join(directory, 'relay.toml');
  // JSON strings are TOML strings.
  const text = (value) => JSON.stringify(value);
  writeFileSync(
    configFile,
    `[[rpc.listener]]
channel_listen_ip = "127.0.0.1"
channel_listen_port = 0
key = ${text(identity.key)}
cert = ${text(identity.cert)}
ca_cert = ${text(identity.caCert)}

[admin]
listen_ip = "127.0.0.1"
listen_port = 0
`,
  );
  const child = spawn(node, [resolve(dist, 'cli/main.js'), 'relay', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Whatever ends the bench, the relay does not outlive it.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let lastWords = '';
  const keep = (chunk) => {
    lastWords = (lastWords + chunk).slice(-KEPT_CHARS_MAX);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const ended = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(signal ?? code));
  });
  ended.then(() => process.off('exit', kill));

  const ready = await withTimeout(
    Promise.race([readyLine(child.stdout), ended.then((how) => ({ how }))]),
    START_TIMEOUT_MS,
    () => {
      kill();
      return new Error(`the relay was not ready after ${START_TIMEOUT_MS / 1000} s:\n${lastWords}`);
    },
  );
  if (ready.listeners === undefined) throw new Error(`the relay did not start (${ready.how}):\n${lastWords}`);

  const stop = async () => {
    child.kill('SIGTERM');
    const how = await withTimeout(ended, STOP_TIMEOUT_MS, () => {
      kill();
      return new Error(`the relay did not stop within ${STOP_TIMEOUT_MS / 1000} s:\n${lastWords}`);
    });
    if (how !== 0) throw new Error(`the relay ended with ${how}:\n${lastWords}`);
  };
  return { pid: child.pid, port: ready.listeners[0].port, stop };
}

/** Resolves with the log line that says where the relay listens. */
function readyLine(stdout) {
  return new Promise((done) => {
    let rest = '';
    const onData = (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.includes('"relay ready"')) continue;
        stdout.off('data', onData);
        done(JSON.parse(line));
        return;
      }
    };
    stdout.on('data', onData);
  });
}

async function withTimeout(promise, timeoutMs, makeError) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(makeError()), timeoutMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
