import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RelayError } from '../base/errors.js';
import { DEFAULT_PORT } from '../client/bounds.js';
import { type AmopClient, connect } from '../client/index.js';
import { createDemoPki, DEMO_AGENCIES, type DemoAgency, type DemoKind, type DemoPki } from '../pki/demo.js';
import type { IdentityPaths } from '../pki/identity.js';
import type { Act } from './act.js';
import { getAdminJson } from './admin-client.js';
import { parsePortBase } from './arguments.js';
import { answerGreetings, sendFirstMessage, TOPIC } from './demo/conversation.js';
import { formatDemoConfig } from './demo/demo-config.js';
import { demoPorts, PORTS_FROM_BASE, type RelayPorts, requirePorts } from './demo/demo-ports.js';
import { formatFirstMessage, formatGuide, fromHere, type Place } from './demo/guide.js';
import { underNpm, watchNpm } from './demo/npm-watch.js';
import { type RelayProcess, startRelayProcess } from './demo/relay-process.js';
import { ExitCode } from './exit-codes.js';
import { write } from './output.js';
import type { Verb } from './verb.js';

const HOST = '127.0.0.1';

/** Ctrl-C in a terminal reaches the relays too, which may be gone before we see our own signal. */
const SIGNAL_GRACE_MS = 300;

/** Two relays on one machine find each other in milliseconds. */
const JOIN_TIMEOUT_MS = 10_000;
const JOIN_POLL_MS = 20;

interface DemoOptions {
  readonly directory: string;
  readonly portBase?: number;
}

type Relays = Readonly<Record<DemoAgency, RelayProcess>>;

export function addDemoCommand(program: Verb, act: Act): void {
  const command = program
    .command('demo')
    .summary('run the relays of two banks on this machine')
    .description(
      'Makes certificates for two banks, starts a relay for each, joins them, sends a first message from one bank to the ' +
        'other and stays up until Ctrl-C.',
    )
    .option('--directory <dir>', 'where certificates, configurations and logs go', 'demo')
    .option(
      '--port-base <port>',
      `use this port and the next ${PORTS_FROM_BASE - 1}, 0 for any that are free (default: the usual ports, from ${DEFAULT_PORT}, 30300 and 9090 on)`,
      parsePortBase,
    );
  command.example('amop demo', 'until Ctrl-C').action((options: DemoOptions) => act(() => demo(options)));
}

async function demo(options: DemoOptions): Promise<number> {
  const stop = stopRequest();
  const directory = resolve(options.directory);
  const ports = demoPorts(options.portBase);
  await requirePorts(HOST, ports);
  await write('\n  Making certificates and starting a relay for each bank ...\n');
  mkdirSync(directory, { recursive: true });
  const pki = createDemoPki(join(directory, 'certs'), { now: new Date() });
  const started: RelayProcess[] = [];
  const clients: AmopClient[] = [];
  try {
    const start = async (bank: DemoAgency, dials: readonly number[]): Promise<RelayProcess> => {
      const configFile = join(directory, `${bank}.toml`);
      writeFileSync(configFile, configText(pki, bank, ports[bank], dials));
      const relay = await startRelayProcess(bank, configFile, join(directory, `${bank}.log`));
      started.push(relay);
      return relay;
    };
    const first = await start('bank-a', []);
    const second = await start('bank-b', [first.ready.p2p?.port ?? ports['bank-a'].p2p]);
    const relays = { 'bank-a': first, 'bank-b': second };
    const talk = joined(second)
      .then(() => talkAndGuide(relays, pki, clients))
      .then(() => stop);
    const died = Promise.race(started.map((relay) => relay.exited.then((words) => whenRelayDied(relay, words, stop))));
    const why = await Promise.race([talk, stop, died]);
    await write(`\n  Stopping (${why}).\n`);
    return ExitCode.ok;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(started.map((relay) => relay.stop()));
  }
}

/** Resolves when the relay routes over its link to the other one. */
async function joined(relay: RelayProcess): Promise<void> {
  const endMs = performance.now() + JOIN_TIMEOUT_MS;
  while (performance.now() < endMs) {
    const { peers } = await getAdminJson<{ peers: { state: string; kind: string }[] }>(adminUrl(relay), '/peers');
    if (peers.some(({ state, kind }) => state === 'active' && kind === 'relay')) return;
    await new Promise((done) => setTimeout(done, JOIN_POLL_MS));
  }
  throw new RelayError('start-timeout', `the relays did not find each other within 10 s, see ${relay.logFile}`);
}

/** Connects the two banks, shows the first message and prints what to try next. */
async function talkAndGuide(relays: Relays, pki: DemoPki, clients: AmopClient[]): Promise<void> {
  const bankA = placeOf(pki.files.secp256k1['bank-a'].sdk, relays['bank-a'], 'secp256k1');
  const bankB = placeOf(pki.files.rsa['bank-b'].sdk, relays['bank-b'], 'rsa');
  const lines = DEMO_AGENCIES.map((bank) => {
    const { ready, pid } = relays[bank];
    const [ec, rsa] = (['secp256k1', 'rsa'] as const).map((kind) => portOf(relays[bank], kind));
    return `  relay of ${bank}   ${HOST}:${ec} (secp256k1), :${rsa} (RSA), peers on :${ready.p2p?.port}; process ${pid}`;
  });
  await write(`
${lines.join('\n')}
  bank-a            subscribes to "${TOPIC}" at its relay, with a secp256k1 certificate
  bank-b            sends at its relay, with an RSA certificate
`);
  const a = await connectBank(bankA);
  clients.push(a);
  const b = await connectBank(bankB);
  clients.push(b);
  await answerGreetings(a);
  await write(formatFirstMessage(await sendFirstMessage(b)));
  await write(formatGuide(bankA, bankB, adminUrl(relays['bank-a'])));
  const logs = DEMO_AGENCIES.map((bank) => fromHere(relays[bank].logFile)).join(' and ');
  await write(`\n  The relays log to ${logs}. Ctrl-C stops everything.\n`);
}

function connectBank(place: Place): Promise<AmopClient> {
  const read = (name: string) => readFileSync(join(place.certs, name));
  return connect({ host: HOST, port: place.port, key: read('sdk.key'), cert: read('sdk.crt'), ca: read('ca.crt') });
}

function placeOf(sdk: IdentityPaths, relay: RelayProcess, kind: DemoKind): Place {
  return { certs: dirname(sdk.cert), port: portOf(relay, kind) };
}

function portOf(relay: RelayProcess, kind: DemoKind): number {
  const listener = relay.ready.listeners.find((one) => one.kind === kind);
  if (listener === undefined) throw new RelayError('listen-failed', `the relay reports no ${kind} listener`);
  return listener.port;
}

function adminUrl({ ready }: RelayProcess): string {
  return `http://${ready.admin.ip}:${ready.admin.port}`;
}

function configText(pki: DemoPki, bank: DemoAgency, ports: RelayPorts, dials: readonly number[]): string {
  const { secp256k1, rsa } = pki.files;
  return formatDemoConfig({
    host: HOST,
    listeners: [
      { port: ports.secp256k1, ...secp256k1[bank].relay },
      { port: ports.rsa, ...rsa[bank].relay },
    ],
    p2p: { port: ports.p2p, ...secp256k1[bank].relay },
    dials,
    adminPort: ports.admin,
  });
}

/** Resolves with what asks for the end: a signal, or the death of the npm that started us. */
function stopRequest(): Promise<string> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => done(signal));
    if (underNpm()) watchNpm(() => done('npm is gone'));
  });
}

async function whenRelayDied(relay: RelayProcess, words: string, stop: Promise<string>): Promise<string> {
  const grace = new Promise<undefined>((done) => setTimeout(done, SIGNAL_GRACE_MS, undefined));
  const why = await Promise.race([stop, grace]);
  if (why !== undefined) return why;
  throw new RelayError('shard-failed', `the relay of ${relay.name} died: ${words}`);
}
