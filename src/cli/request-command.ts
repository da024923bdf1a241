import type { Command } from 'commander';
import type { Act } from './act.js';
import { parseCount, parseDuration, parseTopic } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectWith } from './connection-options.js';
import { ExitCode } from './exit-codes.js';
import { payloadFields, writeJson, writePayload } from './output.js';
import { readPayload } from './payload.js';

interface RequestOptions extends ConnectionOptions {
  readonly count: number;
  readonly timeout?: number;
}

const EXAMPLES = `
The exit code says how far it got: 9 no connection, 10 no subscriber, 11 not handed over, 12 no answer in time,
13 over a limit, 14 no answer behind a 2.x node.

Examples:
  amop request --certs conf orders "buy 100"
  amop request --certs conf orders - --timeout 20 < order.json
  amop request --certs conf ping x --count 10 --json      ten in a row, with their round trips`;

export function addRequestCommand(program: Command, act: Act): void {
  const command = program
    .command('request')
    .alias('req')
    .summary('send a message to one subscriber and print its answer')
    .description('Sends a message to one subscriber of a topic (unicast) and prints its answer.')
    .argument('<topic>', 'topic', parseTopic)
    .argument('<payload>', 'text of the message, or - for standard input')
    .option('-C, --count <n>', 'send it this many times, one after the other', parseCount, 1)
    .option('-W, --timeout <time>', 'longest wait for an answer (default 5s)', parseDuration);
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((topic: string, payload: string, options: RequestOptions) =>
      act(() => request(topic, payload, options), options.json),
    );
}

async function request(topic: string, argument: string, options: RequestOptions): Promise<number> {
  const payload = await readPayload(topic, argument);
  const client = await connectWith(options);
  try {
    for (let sent = 0; sent < options.count; sent++) {
      const startMs = performance.now();
      const answer = await client.request(topic, payload, { timeoutMs: options.timeout });
      const rttMs = Math.round((performance.now() - startMs) * 1000) / 1000;
      if (options.json) await writeJson({ topic, seq: answer.seq, rttMs, ...payloadFields(answer.payload) });
      else await writePayload(answer.payload);
    }
  } finally {
    await client.close();
  }
  return ExitCode.ok;
}
