/**
 * The shards as tasks of one piscina pool: one long-lived task a thread, ended by a drain message, never by killing threads.
 */
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { errorText, RelayError } from '../base/errors.js';
import { createStatMemory } from '../base/stats.js';
import type {
  BoundListener,
  BoundP2p,
  ControlToShard,
  ShardOutcome,
  ShardSetup,
  ShardToControl,
} from '../shard/messages.js';

const SHARD_MODULE = fileURLToPath(new URL('../shard/main.js', import.meta.url));
/** Loading the modules and binding ports takes a tenth of this on a busy machine. */
const START_TIMEOUT_MS = 15_000;
/** What a shard may take beyond its drain time-out before its thread is ended. */
const STOP_GRACE_MS = 3_000;

export interface ShardPoolOptions {
  readonly shards: number;
  /** Everything of a shard's setup but what the pool itself makes. */
  readonly setup: Omit<ShardSetup, 'index' | 'port' | 'stats'>;
  /** Messages other than those of start and life. */
  readonly onMessage: (shard: number, message: ShardToControl) => void;
  /** A shard ended although nobody asked it to. */
  readonly onLost: (shard: number, problem: string) => void;
}

interface Slot {
  readonly port: MessagePort;
  readonly stats: Float64Array;
  readonly task: Promise<ShardOutcome>;
  aliveMs: number;
}

export class ShardPool {
  readonly #options: ShardPoolOptions;
  readonly #pool: Piscina;
  readonly #slots: Slot[] = [];
  #stopping = false;
  #listeners: readonly BoundListener[] = [];
  #p2p: BoundP2p | undefined = undefined;
  #scanner: 'native' | 'typescript' = 'typescript';

  constructor(options: ShardPoolOptions) {
    this.#options = options;
    this.#pool = new Piscina({
      filename: SHARD_MODULE,
      minThreads: options.shards,
      maxThreads: options.shards,
      concurrentTasksPerWorker: 1,
      // A shard's thread must never wait in Atomics: it serves sockets while its task runs.
      atomics: 'disabled',
    });
  }

  get listeners(): readonly BoundListener[] {
    return this.#listeners;
  }

  /** The P2P port, where there is one. */
  get p2p(): BoundP2p | undefined {
    return this.#p2p;
  }

  get scanner(): 'native' | 'typescript' {
    return this.#scanner;
  }

  /** Counters of every shard, for the reading side of stats.ts. */
  get stats(): readonly Float64Array[] {
    return this.#slots.map((slot) => slot.stats);
  }

  /** Milliseconds since the shard heard from least said that it lives. */
  silentMs(nowMs: number): number {
    return this.#slots.reduce((most, slot) => Math.max(most, nowMs - slot.aliveMs), 0);
  }

  /** Starts every shard; rejects with `listen-failed`, `shard-failed` or `start-timeout` after ending what was started. */
  async start(nowMs: () => number): Promise<void> {
    const started = Array.from({ length: this.#options.shards }, (_, index) => this.#startShard(index, nowMs));
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new RelayError('start-timeout', `the shards did not start within ${START_TIMEOUT_MS / 1000} s`)),
        START_TIMEOUT_MS,
      );
    });
    try {
      await Promise.race([Promise.all(started), timeout]);
    } catch (error) {
      this.#stopping = true;
      await this.#pool.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  post(shard: number, message: ControlToShard): void {
    this.#slots[shard].port.postMessage(message);
  }

  /** Drains every shard; resolves when all have ended or were ended after the time-out. */
  async stop(drainTimeoutMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const slot of this.#slots) {
      slot.port.postMessage({ type: 'drain', timeoutMs: drainTimeoutMs } satisfies ControlToShard);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainTimeoutMs + STOP_GRACE_MS);
    });
    await Promise.race([Promise.allSettled(this.#slots.map((slot) => slot.task)), late]);
    clearTimeout(timer);
    await this.#pool.destroy();
  }

  #startShard(index: number, nowMs: () => number): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const memory = createStatMemory();
    const setup: ShardSetup = { ...this.#options.setup, index, port: port2, stats: memory };
    return new Promise((resolve, reject) => {
      let started = false;
      const task = this.#pool.run(setup, { transferList: [port2] }) as Promise<ShardOutcome>;
      const slot: Slot = { port: port1, stats: new Float64Array(memory), task, aliveMs: nowMs() };
      this.#slots[index] = slot;
      const lost = (problem: string): void => {
        port1.close();
        if (!started) reject(new RelayError('shard-failed', `shard ${index} did not start: ${problem}`));
        else if (!this.#stopping) this.#options.onLost(index, problem);
      };
      task.then(
        ({ failed }) => {
          if (failed && !started) reject(new RelayError(failed.code, failed.message));
          lost('it ended');
        },
        (error: unknown) => lost(errorText(error)),
      );
      port1.on('message', (message: ShardToControl) => {
        slot.aliveMs = nowMs();
        switch (message.type) {
          case 'listening':
            started = true;
            this.#listeners = message.listeners;
            this.#p2p = message.p2p;
            this.#scanner = message.scanner;
            resolve();
            return;
          case 'alive':
            return;
          default:
            this.#options.onMessage(index, message);
        }
      });
    });
  }
}
