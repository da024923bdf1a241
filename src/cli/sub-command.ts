import type { Command } from 'commander';
import { RelayError } from '../base/errors.js';
import type { AmopClient, HandlerResult, Message } from '../client/index.js';
import type { Act } from './act.js';
import { parseCount, parseDuration, parseTopic } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectWith } from './connection-options.js';
import { ExitCode } from './exit-codes.js';
import { note, payloadFields, writeJson, writePayload } from './output.js';

interface SubOptions extends ConnectionOptions {
  readonly count?: number;
  readonly timeout?: number;
  readonly reply?: string;
  readonly echo?: boolean;
}

const EXAMPLES = `
A request is answered with an empty payload unless --reply or --echo say otherwise.

Examples:
  amop sub --certs conf news                      print every message on "news" until Ctrl-C
  amop sub --certs conf news rates --json         two topics, one JSON object a line
  amop sub --certs conf orders --reply accepted   answer every request with "accepted"
  amop sub --certs conf ping --echo --count 1     answer one request with its own payload and end
  amop sub --certs conf news --timeout 30         end after 30 s with exit code 27`;

export function addSubCommand(program: Command, act: Act): void {
  const command = program
    .command('sub')
    .summary('print the messages of topics, and answer requests')
    .description('Subscribes to topics and prints their messages, one a line.')
    .argument('<topic...>', 'topics', (text: string, previous: string[] = []) => [...previous, parseTopic(text)])
    .option('-C, --count <n>', 'end after this many messages', parseCount)
    .option('-W, --timeout <time>', 'end after this time with exit code 27', parseDuration)
    .option('--reply <text>', 'answer requests with this text')
    .option('--echo', 'answer requests with their own payload');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((topics: string[], options: SubOptions) => act(() => subscribe(topics, options), options.json));
}

async function subscribe(topics: readonly string[], options: SubOptions): Promise<number> {
  if (options.echo && options.reply !== undefined) throw new RelayError('usage', 'give --reply or --echo, not both');
  const client = await connectWith(options);
  try {
    return await receive(client, topics, options);
  } finally {
    await client.close();
  }
}

async function receive(client: AmopClient, topics: readonly string[], options: SubOptions): Promise<number> {
  let finish!: (exitCode: number) => void;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const stop = () => finish(ExitCode.ok);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const timer =
    options.timeout === undefined ? undefined : setTimeout(() => finish(ExitCode.waitExpired), options.timeout);

  let taken = 0;
  const handler = async (message: Message): Promise<HandlerResult> => {
    // One too many stays unanswered, so that the relay hands it to another subscriber when we go.
    if (options.count !== undefined && taken >= options.count) return new Promise(() => {});
    taken++;
    const last = taken === options.count;
    await print(message, topics.length > 1, options.json ?? false);
    // After the answer, which is queued when this handler has returned.
    if (last) setImmediate(() => finish(ExitCode.ok));
    return options.echo ? message.payload : options.reply;
  };
  try {
    const lost = client.closed.then((error) => {
      throw error ?? new Error('the connection was closed');
    });
    const ready = Promise.all(topics.map((topic) => client.subscribe(topic, handler))).then(() => {
      if (!options.quiet)
        note(`amop: subscribed to ${topics.map((topic) => JSON.stringify(topic)).join(', ')}; Ctrl-C ends`);
      return finished;
    });
    return await Promise.race([ready, finished, lost]);
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function print(message: Message, withTopic: boolean, json: boolean): Promise<void> {
  if (json) {
    const kind = message.multicast ? 'multicast' : 'request';
    await writeJson({ topic: message.topic, kind, seq: message.seq, ...payloadFields(message.payload) });
  } else {
    await writePayload(message.payload, withTopic ? `${message.topic}\t` : '');
  }
}
