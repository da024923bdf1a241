import type { Act } from './act.js';
import { payloadFields, writeJson, writePayload } from './output.js';
import { addSendOptions, type Destination, type SendOptions, sendAll } from './sending.js';
import type { Verb } from './verb.js';

export function addRequestCommand(program: Verb, act: Act): void {
  const command = program
    .command('request')
    .alias('req')
    .summary('send a message to one subscriber and print its answer')
    .description('Sends a message to one subscriber of a topic (unicast) and prints its answer.');
  addSendOptions(command, 'longest wait for an answer (default 5s)')
    .example('amop request orders "buy 100"', 'print the answer')
    .example('amop request orders - --timeout 20 < order.json', 'a payload from standard input')
    .example('amop request orders --file order.json --json', 'one JSON object with the round trip')
    .example('amop request ping x --count 10 --rate 5', 'ten in a row, five a second')
    .example('amop request orders "buy 100" --wait 30', 'wait for a subscriber first')
    .example('amop request deals "buy 100" --private --to bank-b.public.pem --wait 30', 'wait for the holder of a key')
    .action((topic: string, payload: string | undefined, options: SendOptions) =>
      act(() => sendAll(command, topic, payload, request, 'accepted'), options.json),
    );
}

async function request(to: Destination, topic: string, payload: Buffer, options: SendOptions): Promise<void> {
  const startMs = performance.now();
  const answer = await to.request(payload, { timeoutMs: options.timeout });
  const rttMs = Math.round((performance.now() - startMs) * 1000) / 1000;
  if (options.json) await writeJson({ topic, seq: answer.seq, rttMs, ...payloadFields(answer.payload) });
  else await writePayload(answer.payload);
}
