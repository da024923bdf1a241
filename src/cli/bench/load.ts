/**
 * Load on a topic, and what it took. Latency of an open loop counts from the moment at which a message was due, not from
 * the one at which it was sent: a sender that is held up would otherwise leave out just the slow ones.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AmopClient, AmopError } from '../../client/index.js';

export interface LoadOptions {
  readonly topic: string;
  readonly msgs: number;
  readonly size: number;
  readonly multicast: boolean;
  /** Messages a second of all clients together; undefined is a closed loop. */
  readonly rate: number | undefined;
  /** Messages of one client without an answer in a closed loop. */
  readonly outstanding: number;
  readonly timeoutMs: number;
  /** Ends it early: what is under way is waited for. */
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

export interface LoadResult {
  readonly succeeded: number;
  /** By `AMOP-100`. */
  readonly failed: ReadonlyMap<string, number>;
  readonly firstError: AmopError | undefined;
  readonly seconds: number;
  /** Microseconds. */
  readonly latency: RecordableHistogram;
}

/** One minute: longer than any call may take. */
const LATENCY_US_MAX = 60_000_000;

/** A timer cannot wait for less, so messages that are due within it are sent together. */
const TICK_MS = 1;

export async function runLoad(clients: readonly AmopClient[], options: LoadOptions): Promise<LoadResult> {
  const run = new Run(options);
  const startMs = performance.now();
  if (options.rate === undefined) await closedLoop(run, clients, options);
  else await openLoop(run, clients, options.rate, options);
  return { ...run.result(), seconds: (performance.now() - startMs) / 1000 };
}

class Run {
  readonly #options: LoadOptions;
  readonly #payload: Buffer;
  readonly #latency = createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: 3 });
  readonly #failed = new Map<string, number>();
  #firstError: AmopError | undefined;
  #begun = 0;
  #succeeded = 0;
  #done = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#payload = Buffer.alloc(options.size, 'amop bench ');
  }

  /** Claims the next message; false when all are claimed or the end was asked for. */
  next(): boolean {
    if (this.#begun >= this.#options.msgs || this.#options.signal.aborted) return false;
    this.#begun++;
    return true;
  }

  async send(client: AmopClient, dueMs: number): Promise<void> {
    const { topic, multicast, timeoutMs } = this.#options;
    try {
      if (multicast) await client.multicast(topic, this.#payload, { timeoutMs });
      else await client.request(topic, this.#payload, { timeoutMs });
      this.#latency.record(Math.max(1, Math.round((performance.now() - dueMs) * 1000)));
      this.#succeeded++;
    } catch (error) {
      if (!(error instanceof AmopError)) throw error;
      this.#firstError ??= error;
      this.#failed.set(error.id, (this.#failed.get(error.id) ?? 0) + 1);
    }
    this.#done++;
    this.#options.onProgress(this.#done);
  }

  result(): Omit<LoadResult, 'seconds'> {
    return {
      succeeded: this.#succeeded,
      failed: this.#failed,
      firstError: this.#firstError,
      latency: this.#latency,
    };
  }
}

async function closedLoop(run: Run, clients: readonly AmopClient[], { outstanding }: LoadOptions): Promise<void> {
  const worker = async (client: AmopClient) => {
    while (run.next()) await run.send(client, performance.now());
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: outstanding }, () => worker(client))));
}

async function openLoop(
  run: Run,
  clients: readonly AmopClient[],
  rate: number,
  { signal }: LoadOptions,
): Promise<void> {
  const startMs = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let sent = 0; ; sent++) {
    const dueMs = startMs + (sent * 1000) / rate;
    const waitMs = dueMs - performance.now();
    if (waitMs > TICK_MS) await sleep(waitMs, undefined, { signal }).catch(() => {});
    if (!run.next()) break;
    const one = run.send(clients[sent % clients.length], dueMs).finally(() => underWay.delete(one));
    underWay.add(one);
    // Sending without a pause would keep answers from being read.
    if (sent % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(underWay);
}
