import type { Act } from './act.js';
import { parseDuration } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectWith } from './connection-options.js';
import { ExitCode } from './exit-codes.js';
import { note, printable, write, writeJson } from './output.js';
import { paint } from './style.js';
import type { Verb } from './verb.js';

interface TopicsOptions extends ConnectionOptions {
  readonly timeout?: number;
}

export function addTopicsCommand(program: Verb, act: Act): void {
  const command = program
    .command('topics')
    .summary('list the topics that somebody subscribes to')
    .description(
      'Lists the topics that somebody subscribes to, at the relay and at its peers. Relays count the sessions that do; 2.x nodes ' +
        'do not, and show the topics of their peers only. Names of the private-topic exchange are not shown.',
    )
    .option('-W, --timeout <time>', 'longest wait for the relays (default 5s)', parseDuration);
  addConnectionOptions(command)
    .example('amop topics', 'one topic a line, with its subscribers')
    .example('amop topics --json', 'one JSON object a line')
    .action((options: TopicsOptions) => act(() => topics(command), options.json));
}

async function topics(command: Verb): Promise<number> {
  const options = command.opts<TopicsOptions>();
  const [client] = await connectWith(command);
  try {
    const list = await client.topics({ timeoutMs: options.timeout });
    if (options.json)
      for (const { topic, subscribers } of list) await writeJson({ topic, subscribers: subscribers ?? null });
    else if (list.length > 0) await table(list.map(({ topic, subscribers }) => [String(subscribers ?? '-'), topic]));
    else if (!options.quiet) note('amop: nobody subscribes to anything');
  } finally {
    await client.close();
  }
  return ExitCode.ok;
}

/** The heading is for people: into a pipe only the rows go. */
async function table(rows: readonly (readonly [string, string])[]): Promise<void> {
  const width = Math.max(...rows.map(([count]) => count.length), process.stdout.isTTY ? 'SUBSCRIBERS'.length : 0);
  if (process.stdout.isTTY)
    await write(`${paint(process.stdout, 'bold', `${'SUBSCRIBERS'.padStart(width)}  TOPIC`)}\n`);
  for (const [count, topic] of rows) await write(`${count.padStart(width)}  ${printable(topic)}\n`);
}
