import type { Command } from 'commander';
import type { Act } from './act.js';
import { parseCount, parseDuration, parseTopic } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectWith } from './connection-options.js';
import { ExitCode } from './exit-codes.js';
import { note, writeJson } from './output.js';
import { readPayload } from './payload.js';

interface PubOptions extends ConnectionOptions {
  readonly count: number;
  readonly timeout?: number;
}

const EXAMPLES = `
Success means that the relay has taken the message, not that anybody received it: use "amop request" for that.

Examples:
  amop pub --certs conf news "markets are open"
  amop pub --certs conf prices - < prices.json`;

export function addPubCommand(program: Command, act: Act): void {
  const command = program
    .command('pub')
    .summary('send a message to all subscribers of a topic')
    .description('Sends a message to every subscriber of a topic (multicast), without an answer.')
    .argument('<topic>', 'topic', parseTopic)
    .argument('<payload>', 'text of the message, or - for standard input')
    .option('-C, --count <n>', 'send it this many times', parseCount, 1)
    .option('-W, --timeout <time>', 'longest wait for the relay (default 5s)', parseDuration);
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((topic: string, payload: string, options: PubOptions) =>
      act(() => publish(topic, payload, options), options.json),
    );
}

async function publish(topic: string, argument: string, options: PubOptions): Promise<number> {
  const payload = await readPayload(topic, argument);
  const client = await connectWith(options);
  try {
    for (let sent = 0; sent < options.count; sent++) {
      const { seq } = await client.multicast(topic, payload, { timeoutMs: options.timeout });
      if (options.json) await writeJson({ topic, kind: 'multicast', seq });
      else if (!options.quiet)
        note(`amop: the relay has taken the message for the subscribers of ${JSON.stringify(topic)}`);
    }
  } finally {
    await client.close();
  }
  return ExitCode.ok;
}
