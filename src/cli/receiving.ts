/** What `sub` and `reply` share: their topics and ends, and the remarks about messages that were refused. */

import type { KeyObject } from 'node:crypto';
import { RelayError } from '../base/errors.js';
import type { AmopClient, Handler, SubscribeOptions } from '../client/index.js';
import { collectTopics, parseCount, parseDuration } from './arguments.js';
import { ExitCode } from './exit-codes.js';
import { note, printable, warn } from './output.js';
import { listenForStop } from './stop-signal.js';
import type { Verb } from './verb.js';

export interface ReceiveOptions {
  readonly topic?: readonly string[];
  readonly count?: number;
  readonly timeout?: number;
  readonly quiet?: boolean;
}

export function addReceiveOptions(command: Verb, counted: string): Verb {
  return command
    .option('-t, --topic <topic>', 'a topic, beside those given without an option', collectTopics)
    .option('-C, --count <n>', `end after this many ${counted}`, parseCount)
    .option('-W, --timeout <time>', 'end after this time with exit code 27', parseDuration);
}

/** The topics of arguments and `--topic`, each once. @throws RelayError `usage` when there is none */
export function topicsOf(named: readonly string[], options: ReceiveOptions): readonly string[] {
  const topics = [...new Set([...named, ...(options.topic ?? [])])];
  if (topics.length === 0) throw new RelayError('usage', 'which topic? name one or more');
  return topics;
}

/** What a receiver does with the messages it is given. */
export interface Work {
  readonly handler: Handler;
  readonly subscribe?: SubscribeOptions;
  /** The topics are private ones, received with this key. */
  readonly privateKey?: KeyObject | undefined;
  /** Resolves when enough has been received; never, if there is no such thing. */
  readonly enough: Promise<void>;
  /** Takes no more messages; what is under way, if anything is. */
  finish?(): Promise<void> | undefined;
  /** Called when somebody asked twice for the end: what is under way is given up. */
  abandon?(): void;
}

/** Receives until there is enough, the time is over or a signal comes; returns the exit code. */
export async function receive(
  client: AmopClient,
  topics: readonly string[],
  options: ReceiveOptions,
  work: Work,
): Promise<number> {
  const signal = listenForStop();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<number>((resolve) => {
    if (options.timeout !== undefined) timer = setTimeout(resolve, options.timeout, ExitCode.waitExpired);
  });
  const tellDropped = countDropped(client);
  try {
    const { handler, privateKey, subscribe } = work;
    const subscribed = Promise.all(
      topics.map((topic) =>
        privateKey === undefined
          ? client.subscribe(topic, handler, subscribe)
          : client.subscribePrivate(topic, privateKey, handler, subscribe),
      ),
    );
    const ready = subscribed.then(() => {
      const names = topics.map((topic) => JSON.stringify(topic)).join(', ');
      if (!options.quiet)
        note(`amop: subscribed to ${privateKey === undefined ? '' : 'private '}${printable(names)}; Ctrl-C ends`);
      return work.enough;
    });
    const done = ready.then(() => ExitCode.ok);
    const stopped = signal.first.then(() => ExitCode.ok);
    const exitCode = await Promise.race([done, expired, stopped, work.enough.then(() => ExitCode.ok)]);
    const underWay = work.finish?.();
    if (underWay !== undefined) {
      if (!options.quiet) note('amop: waiting for what is under way; Ctrl-C again ends it');
      // Whatever comes now is for other subscribers.
      for (const topic of topics) {
        const ended = privateKey === undefined ? client.unsubscribe(topic) : client.unsubscribePrivate(topic);
        ended.catch(() => {});
      }
      void signal.second.then(() => work.abandon?.());
      await Promise.race([underWay, signal.second]);
    }
    return exitCode;
  } finally {
    clearTimeout(timer);
    signal.forget();
    if (!options.quiet) tellDropped();
  }
}

/** Says once that messages are refused, and at the end how many were. */
function countDropped(client: AmopClient): () => void {
  let dropped = 0;
  client.on('drop', ({ topic, multicast }) => {
    dropped++;
    if (dropped > 1) return;
    const what = multicast ? 'multicasts are lost' : 'requests go to other subscribers';
    warn(`messages on ${JSON.stringify(topic)} come faster than they are taken here: ${what}`);
  });
  return () => {
    if (dropped > 0) warn(`${dropped} messages were refused`);
  };
}
