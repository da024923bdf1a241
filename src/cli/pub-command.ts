import type { Act } from './act.js';
import { note, writeJson } from './output.js';
import { addSendOptions, type Destination, type SendOptions, sendAll } from './sending.js';
import type { Verb } from './verb.js';

export function addPubCommand(program: Verb, act: Act): void {
  const command = program
    .command('pub')
    .summary('send a message to one subscriber')
    .description(
      'Sends a message to one subscriber of a topic (unicast) and succeeds when it has taken it; what it answers is not ' +
        'shown. To reach all subscribers use "amop multicast".',
    );
  addSendOptions(command, 'longest wait for the subscriber (default 5s)')
    .example('amop pub jobs "settle 2026-07"', 'one subscriber takes it')
    .example('amop pub jobs --lines < jobs.txt', 'one message for each line, shared among the subscribers')
    .example('amop pub jobs "settle 2026-07" --wait 30', 'wait for a subscriber first')
    .example('amop pub deals "buy 100" --private --to bank-b.public.pem', 'to the holder of a key')
    .action((topic: string, payload: string | undefined, options: SendOptions) =>
      act(() => sendAll(command, topic, payload, publish, 'accepted'), options.json),
    );
}

async function publish(to: Destination, topic: string, payload: Buffer, options: SendOptions): Promise<void> {
  const { seq } = await to.publish(payload, { timeoutMs: options.timeout });
  if (options.json) await writeJson({ topic, kind: 'unicast', seq });
  else if (!options.quiet) note(`amop: a subscriber of ${JSON.stringify(topic)} has taken the message`);
}
