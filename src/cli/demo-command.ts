import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RelayError } from '../base/errors.js';
import { DEFAULT_PORT } from '../client/bounds.js';
import { type AmopClient, connect } from '../client/index.js';
import { createDemoPki, type DemoKind, type DemoPki } from '../pki/demo.js';
import type { IdentityPaths } from '../pki/identity.js';
import type { Act } from './act.js';
import { parsePortBase } from './arguments.js';
import { answerGreetings, sendFirstMessage, TOPIC } from './demo/conversation.js';
import { type DemoConfig, formatDemoConfig } from './demo/demo-config.js';
import { formatFirstMessage, formatGuide, fromHere, type Place } from './demo/guide.js';
import { underNpm, watchNpm } from './demo/npm-watch.js';
import { findUnavailablePort } from './demo/ports.js';
import { type ReadyLine, type RelayProcess, startRelayProcess } from './demo/relay-process.js';
import { ExitCode } from './exit-codes.js';
import { write } from './output.js';
import type { Verb } from './verb.js';

const HOST = '127.0.0.1';
const ADMIN_PORT = 9090;

/** How far a suggested port base lies from a taken one. */
const PORT_BASE_STEP = 1_000;

/** Ctrl-C in a terminal reaches the relay too, which may be gone before we see our own signal. */
const SIGNAL_GRACE_MS = 300;

interface DemoOptions {
  readonly directory: string;
  readonly portBase?: number;
}

interface Ports {
  readonly secp256k1: number;
  readonly rsa: number;
  readonly admin: number;
}

export function addDemoCommand(program: Verb, act: Act): void {
  const command = program
    .command('demo')
    .summary('run a relay with two banks on this machine')
    .description(
      'Makes certificates for two banks, starts a relay, sends a first message between them and stays up until Ctrl-C.',
    )
    .option('--directory <dir>', 'where certificates, configuration and log go', 'demo')
    .option(
      '--port-base <port>',
      `use this port and the next two, 0 for any that are free (default ${DEFAULT_PORT}, ${DEFAULT_PORT + 1} and ${ADMIN_PORT})`,
      parsePortBase,
    );
  command.example('amop demo', 'until Ctrl-C').action((options: DemoOptions) => act(() => demo(options)));
}

async function demo(options: DemoOptions): Promise<number> {
  const stop = stopRequest();
  const directory = resolve(options.directory);
  const ports = portsOf(options.portBase);
  await requirePorts(ports);
  await write('\n  Making certificates and starting the relay ...\n');
  mkdirSync(directory, { recursive: true });
  const pki = createDemoPki(join(directory, 'certs'), { now: new Date() });
  const configFile = join(directory, 'relay.toml');
  writeFileSync(configFile, formatDemoConfig(configOf(pki, ports)));
  const relay = await startRelayProcess(configFile, join(directory, 'relay.log'));
  const clients: AmopClient[] = [];
  try {
    const talk = talkAndGuide(relay, pki, clients).then(() => stop);
    const why = await Promise.race([talk, stop, relay.exited.then((words) => whenRelayDied(words, stop))]);
    await write(`\n  Stopping (${why}).\n`);
    return ExitCode.ok;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await relay.stop();
  }
}

/** Connects the two banks, shows the first message and prints what to try next. */
async function talkAndGuide(relay: RelayProcess, pki: DemoPki, clients: AmopClient[]): Promise<void> {
  const bankA = placeOf(pki.files.secp256k1['bank-a'].sdk, relay.ready, 'secp256k1');
  const bankB = placeOf(pki.files.rsa['bank-b'].sdk, relay.ready, 'rsa');
  await write(`
  relay    ${HOST}:${bankA.port} (secp256k1) and ${HOST}:${bankB.port} (RSA), process ${relay.pid}
  bank-a   subscribes to "${TOPIC}" with a secp256k1 certificate
  bank-b   sends with an RSA certificate
`);
  const a = await connectBank(bankA);
  clients.push(a);
  const b = await connectBank(bankB);
  clients.push(b);
  await answerGreetings(a);
  await write(formatFirstMessage(await sendFirstMessage(b)));
  const { admin } = relay.ready;
  await write(formatGuide(bankA, bankB, admin === undefined ? undefined : `http://${admin.ip}:${admin.port}`));
  await write(`\n  The relay logs to ${fromHere(relay.logFile)}. Ctrl-C stops everything.\n`);
}

function connectBank(place: Place): Promise<AmopClient> {
  const read = (name: string) => readFileSync(join(place.certs, name));
  return connect({ host: HOST, port: place.port, key: read('sdk.key'), cert: read('sdk.crt'), ca: read('ca.crt') });
}

function placeOf(sdk: IdentityPaths, ready: ReadyLine, kind: DemoKind): Place {
  const listener = ready.listeners.find((one) => one.kind === kind);
  if (listener === undefined) throw new RelayError('listen-failed', `the relay reports no ${kind} listener`);
  return { certs: dirname(sdk.cert), port: listener.port };
}

function configOf(pki: DemoPki, ports: Ports): DemoConfig {
  const { secp256k1, rsa } = pki.files;
  return {
    host: HOST,
    listeners: [
      { port: ports.secp256k1, ...secp256k1['bank-a'].relay },
      { port: ports.rsa, ...rsa['bank-a'].relay },
    ],
    adminPort: ports.admin,
  };
}

function portsOf(base: number | undefined): Ports {
  if (base === undefined) return { secp256k1: DEFAULT_PORT, rsa: DEFAULT_PORT + 1, admin: ADMIN_PORT };
  if (base === 0) return { secp256k1: 0, rsa: 0, admin: 0 };
  return { secp256k1: base, rsa: base + 1, admin: base + 2 };
}

async function requirePorts(ports: Ports): Promise<void> {
  const failed = await findUnavailablePort(HOST, [ports.secp256k1, ports.rsa, ports.admin]);
  if (failed === undefined) return;
  const why = failed.code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be used (${failed.code})`;
  const base = (ports.secp256k1 + PORT_BASE_STEP) % 60_000;
  const command = underNpm() ? 'npm start -- --port-base' : 'amop demo --port-base';
  throw new RelayError('listen-failed', `port ${failed.port} on ${HOST} ${why}; choose others: ${command} ${base}`);
}

/** Resolves with what asks for the end: a signal, or the death of the npm that started us. */
function stopRequest(): Promise<string> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => done(signal));
    if (underNpm()) watchNpm(() => done('npm is gone'));
  });
}

async function whenRelayDied(words: string, stop: Promise<string>): Promise<string> {
  const grace = new Promise<undefined>((done) => setTimeout(done, SIGNAL_GRACE_MS, undefined));
  const why = await Promise.race([stop, grace]);
  if (why !== undefined) return why;
  throw new RelayError('shard-failed', `the relay died: ${words}`);
}
