/**
 * The relay as its users run it: `node dist/cli/main.js relay --config relay.toml`, in a directory of its own, on ports
 * that the system chose. A relay that ends by itself fails the test that started it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { until, withDeadline } from './deadline.js';
import { type Metrics, parseMetrics } from './metrics.js';
import { type Credentials, DIST_DIR, KINDS, type Kind, type TestPki, testPki } from './pki.js';
import { RawClient, type RawClientOptions } from './raw-client.js';

const READY_DEADLINE_MS = 15_000;
const EXIT_DEADLINE_MS = 15_000;

/** The clients of a test share one certificate and one address, and are many. */
const TEST_LIMITS = { redials_max: 10_000 };

export interface RelayOptions {
  /** `[limits]`, in the names of the file. */
  readonly limits?: Readonly<Record<string, number>>;
  /** TOML behind everything else. */
  readonly extraToml?: string;
  readonly logLevel?: string;
  /** `admin.token_file`. */
  readonly tokenFile?: string;
  /** 0, a free one, unless a test wants a taken one. */
  readonly adminPort?: number;
  /** Those of a relay that is to be replaced; free ones otherwise. */
  readonly channelPorts?: Readonly<Record<Kind, number>>;
  /** Another build than the one under test. */
  readonly distDir?: string;
  /** Sent when the relay has logged its first line, which may be before it is ready. */
  readonly signalAtFirstLine?: NodeJS.Signals;
}

export interface LogLine {
  readonly msg: string;
  readonly level?: string | number;
  readonly [field: string]: unknown;
}

export interface ConnectOptions extends Partial<Omit<RawClientOptions, 'port'>> {
  readonly kind?: Kind;
  /** Instead of the listener's, for a proxy in front of it. */
  readonly port?: number;
}

export class RelayProcess {
  readonly dir: string;
  readonly pki: TestPki;
  readonly logs: LogLine[] = [];
  ports: Readonly<Record<Kind, number>> = { secp256k1: 0, rsa: 0 };
  adminPort = 0;
  /** Everything the process wrote, for a failing test. */
  output = '';
  private readonly child: ChildProcess;
  private readonly clients = new Set<RawClient>();
  private readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private stopping = false;
  private exited: { code: number | null; signal: NodeJS.Signals | null } | undefined;

  private constructor(dir: string, pki: TestPki, { distDir = DIST_DIR, signalAtFirstLine }: RelayOptions) {
    this.dir = dir;
    this.pki = pki;
    this.child = spawn(process.execPath, [join(distDir, 'cli/main.js'), 'relay', '--config', join(dir, 'relay.toml')], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exit = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.exited = { code, signal };
        resolve(this.exited);
      });
    });
    this.child.stderr?.on('data', (chunk) => {
      this.output += chunk;
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.output += `${line}\n`;
      this.logs.push(parseLogLine(line));
      if (this.logs.length === 1 && signalAtFirstLine !== undefined) this.signal(signalAtFirstLine);
    });
  }

  /** Starts a relay; the caller owns its end. Tests use `startRelay` or `useRelay`. */
  static async start(options: RelayOptions = {}): Promise<RelayProcess> {
    const { distDir = DIST_DIR } = options;
    if (!existsSync(join(distDir, 'cli/main.js'))) throw new Error(`${distDir}/cli/main.js is missing: build first`);
    const pki = await testPki();
    const dir = await mkdtemp(join(tmpdir(), 'amop-relay-test-'));
    await writeFile(join(dir, 'relay.toml'), relayToml(pki, options));
    const relay = new RelayProcess(dir, pki, options);
    try {
      const ready = await Promise.race([
        relay.waitForLog((line) => line.msg === 'relay ready', 'the line "relay ready"', READY_DEADLINE_MS),
        relay.exit.then(({ code }) => {
          throw new Error(`the relay ended with code ${code} before it was ready:\n${relay.output}`);
        }),
      ]);
      const listeners = ready.listeners as { kind: Kind; port: number }[];
      const ports = Object.fromEntries(listeners.map(({ kind, port }) => [kind, port]));
      relay.ports = ports as Record<Kind, number>;
      relay.adminPort = (ready.admin as { port: number }).port;
      for (const kind of KINDS) if (!(relay.ports[kind] > 0)) throw new Error(`no port for ${kind} in "relay ready"`);
      return relay;
    } catch (error) {
      relay.stopping = true; // its end is part of this error
      await relay.cleanUp().catch(() => {});
      throw error;
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    const kind = options.kind ?? 'secp256k1';
    const client = await RawClient.connect({
      ...options,
      port: options.port ?? this.ports[kind],
      credentials: options.credentials ?? this.pki.sdkA[kind],
    });
    this.clients.add(client);
    client.socket.once('close', () => this.clients.delete(client));
    return client;
  }

  /** A client that takes part: connected, its topics applied. */
  async subscriber(topics: readonly string[], options: ConnectOptions = {}): Promise<RawClient> {
    const client = await this.connect(options);
    await client.subscribe(...topics);
    return client;
  }

  credentials(kind: Kind): Credentials {
    return this.pki.sdkA[kind];
  }

  async http(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, text: await response.text() };
  }

  async metrics(): Promise<Metrics> {
    const { status, text } = await this.http('/metrics');
    if (status !== 200) throw new Error(`/metrics answered ${status}: ${text}`);
    return parseMetrics(text);
  }

  /** Waits until a metric has at least this value. */
  async waitForMetric(
    name: string,
    labels: Readonly<Record<string, string>>,
    minimum: number,
    deadlineMs?: number,
  ): Promise<number> {
    let value = 0;
    return until(
      async () => {
        value = (await this.metrics()).value(name, labels);
        return value >= minimum && value;
      },
      () => `${name}${JSON.stringify(labels)} to reach ${minimum}, it is ${value}`,
      deadlineMs,
    );
  }

  waitForLog(matches: (line: LogLine) => boolean, what: string, deadlineMs?: number): Promise<LogLine> {
    return until(
      () => this.logs.find(matches),
      () => `${what}; the relay wrote:\n${this.output.slice(-2_000)}`,
      deadlineMs,
    );
  }

  /** Resident memory of the process in bytes. */
  residentBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    if (match === null) throw new Error('no VmRSS');
    return Number(match[1]) * 1024;
  }

  signal(signal: NodeJS.Signals): void {
    this.stopping = true;
    this.child.kill(signal);
  }

  /** Its end is part of the test. */
  expectExit(): void {
    this.stopping = true;
  }

  waitForExit(deadlineMs: number = EXIT_DEADLINE_MS): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return withDeadline(this.exit, deadlineMs, () => `the relay to end; it wrote:\n${this.output.slice(-2_000)}`);
  }

  /** SIGTERM; fails unless the relay drains and ends with code 0. */
  async terminate(deadlineMs?: number): Promise<void> {
    this.signal('SIGTERM');
    const { code, signal } = await this.waitForExit(deadlineMs);
    if (code !== 0)
      throw new Error(`after SIGTERM the relay ended with ${signal ?? code}:\n${this.output.slice(-4_000)}`);
  }

  /** Ends everything; throws when the relay had died by itself, was no longer healthy or had logged an error of its own. */
  async cleanUp(): Promise<void> {
    const illness = await this.illness();
    for (const client of this.clients) client.destroy();
    if (this.exited === undefined) {
      this.signal('SIGKILL');
      await this.waitForExit();
    }
    await rm(this.dir, { recursive: true, force: true });
    if (illness !== undefined) throw new Error(`${illness}:\n${this.output.slice(-4_000)}`);
  }

  private async illness(): Promise<string | undefined> {
    const error = this.logs.find(({ level }) => level === 'error' || level === 50);
    if (error !== undefined) return `the relay logged an error, "${error.msg}"`;
    if (this.stopping) return undefined;
    if (this.exited !== undefined) return `the relay died by itself with ${this.exited.signal ?? this.exited.code}`;
    const health = await this.http('/healthz').catch((failure: Error) => ({ status: failure.message }));
    return health.status === 200 ? undefined : `/healthz of the relay said ${health.status}`;
  }
}

/** A relay for one test. */
export async function startRelay(options: RelayOptions = {}): Promise<RelayProcess> {
  const relay = await RelayProcess.start(options);
  onTestFinished(() => relay.cleanUp());
  return relay;
}

/** A relay for all tests of a file. */
export function useRelay(options: RelayOptions = {}): () => RelayProcess {
  let relay: RelayProcess | undefined;
  beforeAll(async () => {
    relay = await RelayProcess.start(options);
  });
  afterAll(() => relay?.cleanUp());
  return () => {
    if (relay === undefined) throw new Error('the relay is not running yet');
    return relay;
  };
}

function relayToml(pki: TestPki, options: RelayOptions): string {
  const listeners = KINDS.map((kind) =>
    [
      '[[rpc.listener]]',
      'channel_listen_ip = "127.0.0.1"',
      `channel_listen_port = ${options.channelPorts?.[kind] ?? 0}`,
      `key = ${JSON.stringify(join(pki.dir, kind, 'relay.key'))}`,
      `cert = ${JSON.stringify(join(pki.dir, kind, 'relay.crt'))}`,
      `ca_cert = ${JSON.stringify(join(pki.dir, kind, 'ca.crt'))}`,
    ].join('\n'),
  );
  const limits = Object.entries({ ...TEST_LIMITS, ...options.limits }).map(([name, value]) => `${name} = ${value}`);
  return [
    ...listeners,
    `[admin]\nlisten_ip = "127.0.0.1"\nlisten_port = ${options.adminPort ?? 0}`,
    ...(options.tokenFile === undefined ? [] : [`token_file = ${JSON.stringify(options.tokenFile)}`]),
    `[log]\nlevel = "${options.logLevel ?? 'debug'}"`,
    ['[limits]', ...limits].join('\n'),
    options.extraToml ?? '',
  ].join('\n\n');
}

function parseLogLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { msg: line, notJson: true };
  }
}
