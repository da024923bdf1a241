import { Option } from 'commander';
import { errorText, RelayError } from '../base/errors.js';
import { CHANNEL_FRAME_BYTES_MAX, CHANNEL_HEADER_BYTES, TOPIC_BYTES_MAX } from '../base/limits.js';
import type { Message } from '../client/index.js';
import type { Act } from './act.js';
import { parseCode, parseCount, parseDuration, parseTopic } from './arguments.js';
import { ChildCommand } from './child-command.js';
import { addConnectionOptions, type ConnectionOptions, connectWith, topicKeyOption } from './connection-options.js';
import { note, printable, warn, writeJson } from './output.js';
import { fitting, readWhole } from './payload.js';
import { addPrivateReceiveOptions, PRIVATE_NOTE, type PrivateReceiveOptions, topicKeyOf } from './private-options.js';
import { addReceiveOptions, type ReceiveOptions, receive, topicsOf, type Work } from './receiving.js';
import type { Verb } from './verb.js';
import { splitWords } from './words.js';

interface ReplyOptions extends ConnectionOptions, ReceiveOptions, PrivateReceiveOptions {
  readonly file?: string;
  readonly echo?: boolean;
  readonly fail?: number;
  readonly command?: string;
  readonly shell?: boolean;
  readonly jobs: number;
  readonly commandTimeout: number;
}

/** A node has cores for as many programs at once; more wait in the inbox. */
const JOBS = 4;
/** The relay waits 5 s for a subscriber and then asks the next: a later answer is for nobody. */
const COMMAND_TIMEOUT_MS = 5_000;
const OUTPUT_BYTES_MAX = CHANNEL_FRAME_BYTES_MAX - CHANNEL_HEADER_BYTES - 1 - TOPIC_BYTES_MAX;

/** Answers one request; false when it could not. */
type Answer = (message: Message) => Promise<boolean>;

export function addReplyCommand(program: Verb, act: Act): void {
  const command = program
    .command('reply')
    .summary('answer the requests of a topic')
    .description(
      'Subscribes to a topic and answers every request with a text, a file, its own payload, or the output of a command, ' +
        'until Ctrl-C. Multicasts cannot be answered and are ignored.',
    )
    .argument('<topic>', 'topic', parseTopic)
    .argument('[text]', 'text of the answer');
  addReceiveOptions(command, 'answers')
    .option('-f, --file <file>', 'answer with the content of a file, read anew for each request')
    .option('--echo', 'answer with the payload of the request')
    .option('--fail <code>', 'answer with this code and no payload, to see what senders do with it', parseCode)
    .option('--command <command>', 'run this for each request and answer with its output')
    .option('--shell', 'hand --command to sh instead of running it directly')
    .addOption(new Option('--jobs <n>', 'so many commands run at once').default(JOBS).argParser(parseCount))
    .addOption(
      new Option('--command-timeout <time>', 'end a command that takes longer')
        .default(COMMAND_TIMEOUT_MS, '5s')
        .argParser(parseDuration),
    );
  addPrivateReceiveOptions(command);
  addConnectionOptions(command)
    .note(
      'A command gets the payload on standard input, AMOP_TOPIC and AMOP_SEQ in its environment, and what it writes to standard ' +
        'output is the answer. It is split into words as a shell does but run without one, so nothing in it is expanded. If it ' +
        'fails or is ended, the sender gets AMOP-1 with the reason command-failed, command-timeout or command-output-too-large.',
    )
    .example('amop reply orders accepted', 'answer with a text')
    .example('amop reply terms --file terms.txt', 'answer with a file')
    .example("amop reply upper --command 'tr a-z A-Z'", 'answer with what a program makes of the payload')
    .example('amop reply count --shell --command \'wc -c | tr -d " "\'', 'a pipe needs a shell')
    .note(PRIVATE_NOTE)
    .example('amop reply ping --echo --count 3', 'answer three requests and end')
    .example('amop reply quotes accepted --private --topic-key bank-b.pem', 'on a private topic')
    .action((topic: string, text: string | undefined, options: ReplyOptions) =>
      act(() => reply(command, topic, text), options.json),
    );
}

async function reply(command: Verb, topic: string, text: string | undefined): Promise<number> {
  const options = command.opts<ReplyOptions>();
  const children = childCommandOf(options);
  const answer = await answerOf(topic, text, options, children);
  const topics = topicsOf([topic], options);
  const privateKey = await topicKeyOf(topics, { ...options, keyAsTopicKey: topicKeyOption(command) });
  const [client] = await connectWith(command);
  try {
    return await receive(client, topics, options, { ...workOf(answer, options, children), privateKey });
  } finally {
    children?.killAll();
    await client.close();
  }
}

function workOf(answer: Answer, options: ReplyOptions, children: ChildCommand | undefined): Work {
  let onEnough!: () => void;
  const enough = new Promise<void>((resolve) => {
    onEnough = resolve;
  });
  const underWay = new Set<Promise<void>>();
  let taken = 0;
  let answered = 0;
  let finishing = false;
  const handle = async (message: Message) => {
    if (await answer(message)) answered++;
    // After the answer, which is queued now.
    if (answered === options.count) setImmediate(onEnough);
  };
  return {
    enough,
    subscribe: { concurrency: options.jobs },
    handler: (message) => {
      if (message.multicast) return undefined;
      // One too many stays unanswered, so that the relay hands it to another subscriber when we go.
      if (finishing || (options.count !== undefined && taken >= options.count)) return new Promise<undefined>(() => {});
      taken++;
      const done = handle(message).finally(() => underWay.delete(done));
      underWay.add(done);
      return done;
    },
    finish: () => {
      finishing = true;
      return underWay.size === 0 ? undefined : Promise.all(underWay).then(() => {});
    },
    abandon: () => children?.killAll(),
  };
}

async function answerOf(
  topic: string,
  text: string | undefined,
  options: ReplyOptions,
  children: ChildCommand | undefined,
): Promise<Answer> {
  const { file, echo, fail } = options;
  const ways = [text, file, echo, fail, children].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    throw new RelayError('usage', 'answer with what? give a text, --file, --echo, --fail or --command, one of them');
  }
  if (children !== undefined) return (message) => answerWithCommand(message, children, options);
  if (fail !== undefined) return (message) => told(message, options, () => message.fail(fail));
  if (file !== undefined) {
    await readWhole(file);
    return (message) => answerWithFile(message, file, options);
  }
  const fixed = text === undefined ? undefined : fitting(topic, Buffer.from(text));
  return (message) => told(message, options, () => message.reply(fixed ?? message.payload));
}

function childCommandOf({ command, shell, commandTimeout }: ReplyOptions): ChildCommand | undefined {
  if (command === undefined) {
    if (shell) throw new RelayError('usage', '--shell is for --command');
    return undefined;
  }
  const bounds = { timeoutMs: commandTimeout, outputBytesMax: OUTPUT_BYTES_MAX };
  if (shell) return new ChildCommand({ file: 'sh', args: ['-c', command], ...bounds });
  try {
    const [file, ...args] = splitWords(command);
    return new ChildCommand({ file, args, ...bounds });
  } catch (error) {
    throw new RelayError('usage', `--command: ${errorText(error)}`, error);
  }
}

async function answerWithCommand(message: Message, children: ChildCommand, options: ReplyOptions): Promise<boolean> {
  const outcome = await children.run(message);
  if (outcome.ok) return told(message, options, () => message.reply(outcome.output));
  warn(`the command for request ${message.seq} ${outcome.why}`);
  return told(message, options, () => message.fail(1, outcome.reason));
}

async function answerWithFile(message: Message, file: string, options: ReplyOptions): Promise<boolean> {
  try {
    const content = await readWhole(file);
    return await told(message, options, () => message.reply(content));
  } catch (error) {
    warn(errorText(error));
    return told(message, options, () => message.fail(1, 'file-unreadable'));
  }
}

/** Sends the answer and says so. */
async function told(message: Message, options: ReplyOptions, send: () => boolean): Promise<boolean> {
  const sent = send();
  const { topic, seq, payload } = message;
  if (options.json) await writeJson({ topic, seq, bytes: payload.length, answered: sent });
  else if (!sent) warn(`the answer to request ${seq} could not be sent: its connection is gone`);
  else if (!options.quiet)
    note(`amop: answered ${payload.length} bytes on ${printable(JSON.stringify(topic))} [seq ${printable(seq)}]`);
  return sent;
}
