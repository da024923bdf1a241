import { RelayError } from '../base/errors.js';
import type { HandlerResult, Message } from '../client/index.js';
import type { Act } from './act.js';
import { collectTopics } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectWith, topicKeyOption } from './connection-options.js';
import { FORMAT_NOTE, parseFormat } from './message-format.js';
import { payloadFields, write, writeJson, writePayload } from './output.js';
import { addPrivateReceiveOptions, PRIVATE_NOTE, type PrivateReceiveOptions, topicKeyOf } from './private-options.js';
import { addReceiveOptions, type ReceiveOptions, receive, topicsOf } from './receiving.js';
import type { Verb } from './verb.js';

interface SubOptions extends ConnectionOptions, ReceiveOptions, PrivateReceiveOptions {
  readonly verbose?: boolean;
  readonly newline: boolean;
  readonly format?: ReturnType<typeof parseFormat>;
  readonly reply?: string;
  readonly echo?: boolean;
}

const LINE_END = Buffer.from('\n');

export function addSubCommand(program: Verb, act: Act): void {
  const command = program
    .command('sub')
    .summary('print the messages of topics')
    .description('Subscribes to topics and prints their messages, one a line, until Ctrl-C.')
    .argument('[topic...]', 'topics', collectTopics);
  addReceiveOptions(command, 'messages')
    .option('-v, --verbose', 'print the topic in front of each message, as is done for several topics')
    .option('-F, --format <format>', 'print each message in this form', parseFormat)
    .option('-N, --no-newline', 'no line end behind a message')
    .option('--reply <text>', 'answer requests with this text; "amop reply" can do more')
    .option('--echo', 'answer requests with their own payload');
  addPrivateReceiveOptions(command);
  addConnectionOptions(command)
    .note('A request is answered with an empty payload unless --reply or --echo say otherwise.')
    .note(FORMAT_NOTE)
    .note(PRIVATE_NOTE)
    .example('amop sub news', 'print every message on "news"')
    .example('amop sub news rates --json', 'two topics, one JSON object a line')
    .example("amop sub news --format '%I %t %p'", 'time, topic and payload')
    .example('amop sub orders --reply accepted', 'answer every request with "accepted"')
    .example('amop sub ping --echo --count 1', 'answer one request with its own payload and end')
    .example('amop sub deals --private --topic-key bank-b.pem', 'a private topic')
    .example('amop sub news --timeout 1', 'end after 1 s with exit code 27')
    .action((topics: string[], options: SubOptions) => act(() => subscribe(command, topics), options.json));
}

async function subscribe(command: Verb, named: readonly string[]): Promise<number> {
  const options = command.opts<SubOptions>();
  if (options.echo && options.reply !== undefined) throw new RelayError('usage', 'give --reply or --echo, not both');
  if (options.json && options.format !== undefined) throw new RelayError('usage', 'give --json or --format, not both');
  const topics = topicsOf(named, options);
  const privateKey = await topicKeyOf(topics, { ...options, keyAsTopicKey: topicKeyOption(command) });
  const [client] = await connectWith(command);
  try {
    let enough!: () => void;
    let taken = 0;
    const handler = async (message: Message): Promise<HandlerResult> => {
      // One too many stays unanswered, so that the relay hands it to another subscriber when we go.
      if (options.count !== undefined && taken >= options.count) return new Promise(() => {});
      taken++;
      const last = taken === options.count;
      await print(message, topics.length > 1, options);
      // After the answer, which is queued when this handler has returned.
      if (last) setImmediate(enough);
      return options.echo ? message.payload : options.reply;
    };
    const finished = new Promise<void>((resolve) => {
      enough = resolve;
    });
    // One after the other, so that lines keep the order of arrival and a slow reader of ours slows the inbox down.
    const work = { handler, privateKey, subscribe: { concurrency: 1 }, enough: finished };
    return await receive(client, topics, options, work);
  } finally {
    await client.close();
  }
}

async function print(message: Message, severalTopics: boolean, options: SubOptions): Promise<void> {
  if (options.json) {
    const kind = message.multicast ? 'multicast' : 'request';
    await writeJson({ topic: message.topic, kind, seq: message.seq, ...payloadFields(message.payload) });
  } else if (options.format !== undefined) {
    const formatted = options.format(message);
    await write(options.newline ? Buffer.concat([formatted, LINE_END]) : formatted);
  } else {
    const prefix = severalTopics || options.verbose ? `${message.topic}\t` : '';
    await writePayload(message.payload, prefix, options.newline ? '\n' : '');
  }
}
