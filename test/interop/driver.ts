/**
 * A program around one SDK, as a process: a command is one line of JSON on its standard input, an answer or event one on its
 * standard output. Payloads are base64. A program ends when its standard input does.
 *
 *   {"id":1,"command":"connect","peer":"127.0.0.1:20200","certificates":"/folder","label":"go"}   -> {"id":1,"ok":true,"sdk":"…"}
 *   {"id":2,"command":"subscribe","topic":"t"}    "unsubscribe" likewise
 *   {"id":3,"command":"unicast","topic":"t","payload":"…"}    -> {"id":3,"ok":true,"payload":"…"}  or  {…,"ok":false,"code":100,…}
 *   {"id":4,"command":"multicast","topic":"t","payload":"…"}
 *   {"id":5,"command":"peers"}     topics of the answer to the first getPeers -> {"id":5,"ok":true,"topics":["t"]}
 *   {"id":6,"command":"status"}    -> {"id":6,"ok":true,"sdk":"…","messages":12}
 *
 *   {"id":7,"command":"subscribePrivate","topic":"t","keyFile":"/k.pem"}    "password" opens a .p12; "unsubscribePrivate"
 *   {"id":8,"command":"publishPrivate","topic":"t","publicKeyFiles":["/k.public.pem"]}    "unpublishPrivate"
 *   {"id":9,"command":"unicastPrivate",…}    "multicastPrivate" likewise: as those of public topics
 *
 *   {"event":"message","topic":"t","payload":"…"}    for each message; the SDK answers it with `label:` and what came
 *
 * `peer` is one address; Java takes several with commas between them. `certificates` holds ca.crt, sdk.crt and sdk.key, as every SDK wants them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until, withDeadline } from '../helpers/deadline.js';
import { type Party, programOf } from './programs.js';

/** Longer than any time-out of an SDK under test: an SDK that hangs must not look like a slow one. */
const ANSWER_DEADLINE_MS = 20_000;
/** A JVM on a busy machine. */
const START_DEADLINE_MS = 60_000;
const EXIT_DEADLINE_MS = 5_000;
const KEPT_CHARS_MAX = 20_000;

export interface Answer {
  readonly ok: boolean;
  readonly payload?: Buffer;
  readonly topics?: readonly string[];
  readonly sdk?: string;
  readonly messages?: number;
  readonly code?: number;
  readonly error?: string;
}

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  /** performance.now() at arrival here. */
  readonly atMs: number;
}

/** The key of a receiver. */
export interface PrivateKeyFile {
  readonly keyFile: string;
  /** Of a .p12. */
  readonly password?: string;
}

type Environment = Readonly<Record<string, string>>;

export interface Endpoint {
  readonly port: number;
  /** Ports of further relays, for the Java SDK. */
  readonly further?: readonly number[];
  readonly certificates: string;
}

export class Driver {
  readonly party: Party;
  readonly label: string;
  readonly messages: Message[] = [];
  /** What the program says it runs. */
  sdk = '';
  /** Called for each message; true when it need not be kept. */
  onMessage: ((message: Message) => boolean) | undefined;
  private readonly child: ChildProcess;
  private readonly dir: string;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private readonly exit: Promise<void>;
  private exited: string | undefined;
  private diagnostics = '';
  private nextId = 1;

  private constructor(party: Party, label: string, dir: string, env: Environment) {
    this.party = party;
    this.label = label;
    this.dir = dir;
    const [command, ...args] = programOf(party, dir);
    this.child = spawn(command, args, { cwd: dir, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.exit = new Promise((resolve) => {
      const end = (how: string) => {
        this.exited ??= how;
        for (const answer of this.waiting.values()) answer({ ok: false, error: this.describeExit() });
        this.waiting.clear();
        resolve();
      };
      this.child.once('error', (error) => end(error.message));
      this.child.once('close', (code, signal) => end(String(signal ?? code)));
    });
    this.child.stdin!.on('error', () => {}); // its end is told by 'close'
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => this.diagnose(chunk));
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.receive(line));
  }

  /** Starts the program of a party and connects its SDK. The caller owns its end. */
  static async connect(party: Party, label: string, endpoint: Endpoint, env: Environment = {}): Promise<Driver> {
    const driver = new Driver(party, label, await mkdtemp(join(tmpdir(), 'amop-relay-interop-')), env);
    const { port, further = [], certificates } = endpoint;
    const peer = [port, ...further].map((one) => `127.0.0.1:${one}`).join(',');
    const fields = { peer, certificates, label };
    const answer = await driver.command('connect', fields, START_DEADLINE_MS).catch((error: Error) => error);
    if (answer instanceof Error || !answer.ok) {
      await driver.stop();
      const why = answer instanceof Error ? answer.message : answer.error;
      throw new Error(`${label} could not connect: ${why}\n${driver.lastWords}`);
    }
    driver.sdk = answer.sdk ?? '';
    return driver;
  }

  /** The end of what the program and its SDK logged. */
  get lastWords(): string {
    return this.diagnostics.slice(-2_000);
  }

  async command(name: string, fields: object = {}, deadlineMs: number = ANSWER_DEADLINE_MS): Promise<Answer> {
    if (this.exited !== undefined) return { ok: false, error: this.describeExit() };
    const id = this.nextId++;
    const answer = new Promise<Answer>((resolve) => this.waiting.set(id, resolve));
    this.child.stdin!.write(`${JSON.stringify({ id, command: name, ...fields })}\n`);
    return withDeadline(
      answer,
      deadlineMs,
      () => `${this.label} (${this.sdk}) to answer "${name}"; it wrote:\n${this.lastWords}`,
    ).finally(() => this.waiting.delete(id));
  }

  async subscribe(topic: string): Promise<void> {
    await this.demand('subscribe', { topic });
  }

  async unsubscribe(topic: string): Promise<void> {
    await this.demand('unsubscribe', { topic });
  }

  unicast(topic: string, payload: Buffer): Promise<Answer> {
    return this.command('unicast', { topic, payload: payload.toString('base64') });
  }

  async multicast(topic: string, payload: Buffer): Promise<void> {
    await this.demand('multicast', { topic, payload: payload.toString('base64') });
  }

  async subscribePrivate(topic: string, key: PrivateKeyFile): Promise<void> {
    await this.demand('subscribePrivate', { topic, ...key });
  }

  async unsubscribePrivate(topic: string): Promise<void> {
    await this.demand('unsubscribePrivate', { topic });
  }

  async publishPrivate(topic: string, ...publicKeyFiles: readonly string[]): Promise<void> {
    await this.demand('publishPrivate', { topic, publicKeyFiles });
  }

  async unpublishPrivate(topic: string): Promise<void> {
    await this.demand('unpublishPrivate', { topic });
  }

  unicastPrivate(topic: string, payload: Buffer): Promise<Answer> {
    return this.command('unicastPrivate', { topic, payload: payload.toString('base64') });
  }

  async multicastPrivate(topic: string, payload: Buffer): Promise<void> {
    const answer = await this.tryMulticastPrivate(topic, payload);
    if (!answer.ok) throw new Error(`${this.label} (${this.sdk}) could not multicast on "${topic}": ${answer.error}`);
  }

  tryMulticastPrivate(topic: string, payload: Buffer): Promise<Answer> {
    return this.command('multicastPrivate', { topic, payload: payload.toString('base64') });
  }

  messagesOn(topic: string): Message[] {
    return this.messages.filter((message) => message.topic === topic);
  }

  /** Waits until a message of this kind has come. */
  waitForMessage(topic: string, matches: (payload: Buffer) => boolean, deadlineMs?: number): Promise<true> {
    return until(
      () => this.messagesOn(topic).some(({ payload }) => matches(payload)) as true,
      () => `a message on "${topic}" at ${this.label}, which has ${this.messagesOn(topic).length} others`,
      deadlineMs,
    );
  }

  /** Ends the process and what it leaves behind. */
  async stop(): Promise<void> {
    this.child.stdin!.end();
    await withDeadline(this.exit, EXIT_DEADLINE_MS, `the end of ${this.label}`).catch(() => this.child.kill('SIGKILL'));
    await this.exit;
    await rm(this.dir, { recursive: true, force: true });
  }

  private async demand(name: string, fields: object): Promise<void> {
    const answer = await this.command(name, fields);
    if (!answer.ok) throw new Error(`${this.label} (${this.sdk}) could not ${name}: ${answer.error}`);
  }

  private receive(line: string): void {
    let value: { id?: number; event?: string; topic: string; payload?: string };
    try {
      value = JSON.parse(line);
    } catch {
      this.diagnose(`not JSON: ${line}\n`);
      return;
    }
    const payload = Buffer.from(value.payload ?? '', 'base64');
    if (value.event === 'message') {
      const message = { topic: value.topic, payload, atMs: performance.now() };
      if (this.onMessage?.(message) !== true) this.messages.push(message);
    } else if (value.id !== undefined) {
      this.waiting.get(value.id)?.({ ...(value as object), payload } as unknown as Answer);
    }
  }

  private diagnose(text: string): void {
    this.diagnostics = (this.diagnostics + text).slice(-KEPT_CHARS_MAX);
  }

  private describeExit(): string {
    return `the program of ${this.label} ended with ${this.exited}:\n${this.lastWords}`;
  }
}
