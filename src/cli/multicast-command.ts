import type { Act } from './act.js';
import { note, writeJson } from './output.js';
import { addSendOptions, type Destination, type SendOptions, sendAll } from './sending.js';
import type { Verb } from './verb.js';

export function addMulticastCommand(program: Verb, act: Act): void {
  const command = program
    .command('multicast')
    .summary('send a message to all subscribers of a topic')
    .description('Sends a message to every subscriber of a topic, without an answer.');
  addSendOptions(command, 'longest wait for the relay (default 5s)')
    .note(
      'Success means that a relay has taken the message, not that anybody received it: use "amop request" for that.',
    )
    .example('amop multicast news "markets are open"', 'tell everybody')
    .example('amop multicast prices - < prices.json', 'a payload from standard input')
    .example('amop multicast news "markets are open" --wait 30', 'wait until somebody subscribes')
    .example(
      'amop multicast deals "closed" --private --to bank-b.public.pem --to bank-c.public.pem',
      'to holders of two keys',
    )
    .action((topic: string, payload: string | undefined, options: SendOptions) =>
      act(() => sendAll(command, topic, payload, multicast, 'listed'), options.json),
    );
}

async function multicast(to: Destination, topic: string, payload: Buffer, options: SendOptions): Promise<void> {
  const { seq } = await to.multicast(payload, { timeoutMs: options.timeout });
  if (options.json) await writeJson({ topic, kind: 'multicast', seq });
  else if (!options.quiet)
    note(`amop: the relay has taken the message for the subscribers of ${JSON.stringify(topic)}`);
}
