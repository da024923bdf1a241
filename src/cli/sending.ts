/** What `pub`, `request` and `multicast` share: their options, the wait for a subscriber, the pace. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AmopClient, PrivateTopicSender } from '../client/index.js';
import { AmopCode, AmopError } from '../client/index.js';
import { parseCount, parseDuration, parseRate, parseTopic } from './arguments.js';
import { addConnectionOptions, type ConnectionOptions, connectTo, openTarget } from './connection-options.js';
import { ExitCode, WaitExpired } from './exit-codes.js';
import { payloads } from './payload.js';
import { addPrivateSendOptions, PRIVATE_NOTE, type PrivateSendOptions, receiverKeysOf } from './private-options.js';
import type { Verb } from './verb.js';

/** How often the subscriber is looked for. */
const WAIT_INTERVAL_MS = 200;

export interface SendOptions extends ConnectionOptions, PrivateSendOptions {
  readonly file?: string;
  readonly lines?: boolean;
  readonly count?: number;
  readonly rate?: number;
  readonly timeout?: number;
  readonly wait?: number;
}

/** A topic to send on, ordinary or private. */
export type Destination = Pick<PrivateTopicSender, 'request' | 'publish' | 'multicast'>;

/** Sends one payload and writes what there is to say. */
export type Send = (to: Destination, topic: string, payload: Buffer, options: SendOptions) => Promise<void>;

/** How it is found out whether somebody subscribes: by sending, or for a multicast, which never fails, by asking. */
export type WaitFor = 'accepted' | 'listed';

export function addSendOptions(command: Verb, timeoutText: string): Verb {
  command
    .argument('<topic>', 'topic', parseTopic)
    .argument('[payload]', 'text of the message, or - for standard input')
    .option('-f, --file <file>', 'send the content of a file')
    .option('-l, --lines', 'send each line of standard input as a message')
    .option('-C, --count <n>', 'send it this many times; with --lines at most this many lines', parseCount)
    .option('--rate <n>', 'at most this many messages a second', parseRate)
    .option('-W, --timeout <time>', timeoutText, parseDuration)
    .option('--wait <time>', 'wait so long for a subscriber of the topic; exit code 27 if none appears', parseDuration);
  addPrivateSendOptions(command);
  return addConnectionOptions(command)
    .note(PRIVATE_NOTE)
    .note(
      'On a private topic the first message waits until a receiver is certified, for --wait, or else for --timeout.',
    );
}

/** One message after the other; the first that fails ends it. */
export async function sendAll(
  command: Verb,
  topic: string,
  argument: string | undefined,
  send: Send,
  waitFor: WaitFor,
): Promise<number> {
  const options = command.opts<SendOptions>();
  const receiverKeys = await receiverKeysOf(topic, options);
  const source = payloads(topic, argument, options);
  // A password may have to be typed: before the payload, which may be typed as well, or one would be taken for the other.
  const target = await openTarget(command);
  // Before the connection, so that a wrong argument is told first.
  let next = await source.next();
  const [client] = await connectTo(target, command);
  try {
    const to =
      receiverKeys === undefined
        ? ordinary(client, topic)
        : await certifiedSender(await client.publishPrivate(topic, receiverKeys), topic, options);
    const pace = new Pace(options.rate);
    for (let first = true; !next.done; first = false) {
      await pace.next();
      const payload = next.value;
      const attempt = () => send(to, topic, payload, options);
      if (first && receiverKeys === undefined && options.wait !== undefined)
        await withSubscriber(client, topic, options.wait, attempt, waitFor);
      else await attempt();
      next = await source.next();
    }
  } finally {
    await client.close();
  }
  return ExitCode.ok;
}

function ordinary(client: AmopClient, topic: string): Destination {
  return {
    request: (payload, options) => client.request(topic, payload, options),
    publish: (payload, options) => client.publish(topic, payload, options),
    multicast: (payload, options) => client.multicast(topic, payload, options),
  };
}

/** Without a wait nothing could be sent: certification begins only when the sender appears. */
async function certifiedSender(sender: PrivateTopicSender, topic: string, options: SendOptions): Promise<Destination> {
  try {
    await sender.ready({ timeoutMs: options.wait ?? options.timeout });
    return sender;
  } catch (error) {
    if (options.wait === undefined || !isNotCertified(error)) throw error;
    throw new WaitExpired(`private topic ${JSON.stringify(topic)}: ${error.detail ?? error.message}`);
  }
}

function isNotCertified(error: unknown): error is AmopError {
  return error instanceof AmopError && error.reason === 'not-certified';
}

async function withSubscriber(
  client: AmopClient,
  topic: string,
  waitMs: number,
  attempt: () => Promise<void>,
  waitFor: WaitFor,
): Promise<void> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    if (waitFor === 'accepted') {
      try {
        await attempt();
        return;
      } catch (error) {
        if (!isNobody(error)) throw error;
      }
    } else if (await isListed(client, topic)) {
      await attempt();
      return;
    }
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) throw new WaitExpired(`nobody subscribed to ${JSON.stringify(topic)} within ${waitMs / 1000} s`);
    await sleep(Math.min(leftMs, WAIT_INTERVAL_MS));
  }
}

/** A node gives no reason with its 100. */
function isNobody(error: unknown): boolean {
  if (!(error instanceof AmopError) || error.code !== AmopCode.noRoute) return false;
  return error.reason === undefined || error.reason === 'no-subscriber';
}

async function isListed(client: AmopClient, topic: string): Promise<boolean> {
  const topics = await client.topics();
  return topics.some((one) => one.topic === topic && one.subscribers !== 0);
}

/** Lets at most `rate` messages a second pass; one that was late does not make the next ones come in a burst. */
class Pace {
  readonly #intervalMs: number;
  #nextMs = 0;

  constructor(rate: number | undefined) {
    this.#intervalMs = rate === undefined ? 0 : 1_000 / rate;
  }

  async next(): Promise<void> {
    const nowMs = performance.now();
    const waitMs = this.#nextMs - nowMs;
    if (waitMs > 0) await sleep(waitMs);
    this.#nextMs = Math.max(this.#nextMs, nowMs) + this.#intervalMs;
  }
}
