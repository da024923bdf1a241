// One relay as a process of its own, with a fresh configuration on free ports.
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withTimeout } from './deadline.mjs';

const START_TIMEOUT_MS = 20_000;
/** The relay drains for at most 10 s. */
const STOP_TIMEOUT_MS = 15_000;
/** Enough to show why a relay did not start. */
const KEPT_CHARS_MAX = 8_192;

/** The versions of a node binary: `{node, openssl}`. */
export function nodeVersions(node) {
  const { stdout, error } = spawnSync(node, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`--node ${node}: ${error.message}`);
  const versions = JSON.parse(stdout);
  return { node: versions.node, openssl: versions.openssl };
}

/**
 * Starts `<node> <dist>/cli/main.js relay` and waits until it is ready.
 * @param name of its configuration file under `directory`
 * @param identity `{channel, p2p}`, see certificates.mjs
 * @param dials P2P ports of other relays; without it the relay has no P2P port
 * @returns `{pid, port, p2pPort, adminPort, stop}`; `stop()` lets it drain and throws when it did not end with code 0
 */
export async function startRelay({ node, dist, name, identity, directory, dials }) {
  const configFile = join(directory, `${name}.toml`);
  writeFileSync(configFile, configuration(identity, dials));
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
  const { listeners, p2p, admin } = ready;
  return { pid: child.pid, port: listeners[0].port, p2pPort: p2p?.port, adminPort: admin.port, stop };
}

function configuration({ channel, p2p }, dials) {
  // JSON strings are TOML strings, and so are lists of them.
  const text = (value) => JSON.stringify(value);
  const files = ({ key, cert, caCert }) => `key = ${text(key)}\ncert = ${text(cert)}\nca_cert = ${text(caCert)}\n`;
  const p2pPort =
    dials === undefined
      ? ''
      : `[network_security]
${files(p2p)}
[p2p]
listen_ip = "127.0.0.1"
listen_port = 0
nodes = ${text(dials.map((port) => `127.0.0.1:${port}`))}

`;
  return `[[rpc.listener]]
channel_listen_ip = "127.0.0.1"
channel_listen_port = 0
${files(channel)}
${p2pPort}[admin]
listen_ip = "127.0.0.1"
listen_port = 0
`;
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
