import { randomUUID } from 'node:crypto';
import { Option } from 'commander';
import { RelayError } from '../base/errors.js';
import { OUTSTANDING_MAX } from '../client/bounds.js';
import type { AmopClient } from '../client/index.js';
import type { Act } from './act.js';
import { parseCount, parseCountOrZero, parseDuration, parseRate, parseSize, parseTopic } from './arguments.js';
import { type LoadOptions, runLoad } from './bench/load.js';
import { formatCsv, formatReport, reportOf } from './bench/report.js';
import { addConnectionOptions, type ConnectionOptions, connectWith } from './connection-options.js';
import { ExitCode } from './exit-codes.js';
import { note, write, writeJson } from './output.js';
import { fitting } from './payload.js';
import { reportFailure } from './report.js';
import { listenForStop } from './stop-signal.js';
import type { Verb } from './verb.js';

interface BenchOptions extends ConnectionOptions {
  readonly msgs: number;
  readonly size: number;
  readonly clients: number;
  readonly subscribers: number;
  readonly rate?: number;
  readonly outstanding: number;
  readonly multicast?: boolean;
  readonly timeout: number;
  readonly csv?: boolean;
  readonly progress: boolean;
}

/** Sender and subscriber are processes of one machine here: hundreds of connections would measure the machine. */
const CLIENTS_MAX = 256;
/** Copies that are still on their way when the last acknowledgement has come. */
const COPIES_TIMEOUT_MS = 5_000;
const PROGRESS_INTERVAL_MS = 1_000;

export function addBenchCommand(program: Verb, act: Act): void {
  const command = program
    .command('bench')
    .summary('measure messages a second and latency')
    .description(
      'Sends messages as fast as they are answered, or with --rate as fast as it is told, and prints the rate and the ' +
        'percentiles of the latency. Without --subscribers 0 it brings its own subscribers, which answer with the payload.',
    )
    .argument('[topic]', 'topic (default: one of its own)', parseTopic)
    .option('--msgs <n>', 'messages to send', parseCount, 10_000)
    .option('--size <bytes>', 'payload of a message: 128, 4k, 1m', parseSize, 128)
    .option('--clients <n>', 'connections that send', parseCount, 1)
    .option('--subscribers <n>', 'connections that subscribe; 0 to use those that are there', parseCountOrZero, 1)
    .option('--rate <n>', 'open loop: this many messages a second in all', parseRate)
    .option('--outstanding <n>', 'closed loop: messages of one client without an answer', parseCount, 16)
    .option('--multicast', 'multicasts; the latency is that of the acknowledgement')
    .addOption(
      new Option('-W, --timeout <time>', 'longest wait for an answer').default(5_000, '5s').argParser(parseDuration),
    )
    .option('--csv', 'a heading and a row of comma-separated values')
    .option('--no-progress', 'no progress on standard error');
  addConnectionOptions(command)
    .note(
      'Latency with --rate counts from the moment at which a message was due. Sender and subscriber share this process, so its ' +
        'own CPU is part of the result: it tells one relay from another and today from yesterday, not how fast a relay can be.',
    )
    .example('amop bench', '10,000 requests of 128 bytes')
    .example('amop bench --rate 500 --msgs 1000', 'latency at 500 requests a second')
    .example('amop bench --size 64k --clients 4 --msgs 1000', 'throughput of larger messages')
    .example('amop bench --multicast --subscribers 3 --msgs 1000', 'copies to three subscribers')
    .example('amop bench --msgs 1000 --csv > bench.csv', 'for a table')
    .action((topic: string | undefined, options: BenchOptions) => act(() => bench(command, topic), options.json));
}

async function bench(command: Verb, named: string | undefined): Promise<number> {
  const options = command.opts<BenchOptions>();
  const topic = named ?? `bench-${randomUUID()}`;
  check(options, topic);
  const clients = await connectWith(command, options.clients + options.subscribers);
  const senders = clients.slice(0, options.clients);
  const subscribers = clients.slice(options.clients);
  const stop = listenForStop();
  const end = new AbortController();
  void stop.first.then(() => end.abort());
  let delivered = 0;
  try {
    await Promise.all(
      subscribers.map((client) =>
        client.subscribe(topic, (message) => {
          delivered++;
          return message.payload;
        }),
      ),
    );
    const showProgress = options.progress && !options.quiet && process.stderr.isTTY;
    const load: LoadOptions = {
      topic,
      msgs: options.msgs,
      size: options.size,
      multicast: options.multicast ?? false,
      rate: options.rate,
      outstanding: options.outstanding,
      timeoutMs: options.timeout,
      signal: end.signal,
      onProgress: showProgress ? progress(options.msgs) : () => {},
    };
    const result = await runLoad(senders, load);
    if (load.multicast) await untilDelivered(() => delivered, result.succeeded * subscribers.length, subscribers);
    const report = reportOf(load, result, { clients: senders.length, subscribers: subscribers.length, delivered });
    if (options.json) await writeJson(report);
    else await write(options.csv ? formatCsv(report) : formatReport(report, result.failed));
    return result.firstError === undefined ? ExitCode.ok : reportFailure(result.firstError, options.json);
  } finally {
    stop.forget();
    await Promise.all(clients.map((client) => client.close()));
  }
}

function check(options: BenchOptions, topic: string): void {
  const fail = (text: string) => new RelayError('usage', text);
  if (options.json && options.csv) throw fail('give --json or --csv, not both');
  if (options.clients + options.subscribers > CLIENTS_MAX) throw fail(`at most ${CLIENTS_MAX} connections`);
  if (options.outstanding > OUTSTANDING_MAX) throw fail(`at most ${OUTSTANDING_MAX} outstanding messages of a client`);
  fitting(topic, Buffer.alloc(options.size));
}

/** Waits for the copies of multicasts, which come after their acknowledgements, as long as some still do. */
async function untilDelivered(
  delivered: () => number,
  wanted: number,
  subscribers: readonly AmopClient[],
): Promise<void> {
  const lost = () => subscribers.reduce((sum, client) => sum + client.counters.droppedMulticasts, 0);
  const endMs = performance.now() + COPIES_TIMEOUT_MS;
  while (delivered() + lost() < wanted && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function progress(msgs: number): (done: number) => void {
  let shownMs = performance.now();
  return (done) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < PROGRESS_INTERVAL_MS) return;
    shownMs = nowMs;
    note(`amop: ${done.toLocaleString('en-US')} of ${msgs.toLocaleString('en-US')}`);
  };
}
