/** The first message: bank-a subscribes, bank-b asks. */
import { type AmopClient, AmopCode, AmopError } from '../../client/index.js';

export const TOPIC = 'greetings';
const QUESTION = 'Good morning bank-a, this is bank-b.';
const ROUND_TRIPS = 100;
const ROUTE_TIMEOUT_MS = 5_000;

export interface FirstMessage {
  readonly question: string;
  readonly answer: string;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly roundTrips: number;
}

/** Makes bank-a answer on the topic until its connection ends. */
export async function answerGreetings(bankA: AmopClient): Promise<void> {
  await bankA.subscribe(TOPIC, ({ payload }) => `bank-a got ${payload.length} bytes: "${payload.toString()}"`);
}

/** Sends the first message, as soon as the subscription is known at the other relay, and then a hundred more for the median. */
export async function sendFirstMessage(bankB: AmopClient): Promise<FirstMessage> {
  const first = await firstRequest(bankB);
  const times: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) times.push((await timedRequest(bankB)).ms);
  times.sort((a, b) => a - b);
  const medianMs = (times[ROUND_TRIPS / 2 - 1] + times[ROUND_TRIPS / 2]) / 2;
  return { question: QUESTION, answer: first.answer, firstMs: first.ms, medianMs, roundTrips: ROUND_TRIPS };
}

/** The subscription crosses to the other relay in milliseconds; until then a request finds nobody. */
async function firstRequest(bankB: AmopClient): Promise<{ answer: string; ms: number }> {
  const endMs = performance.now() + ROUTE_TIMEOUT_MS;
  for (;;) {
    try {
      return await timedRequest(bankB);
    } catch (error) {
      const early = error instanceof AmopError && error.code === AmopCode.noRoute && performance.now() < endMs;
      if (!early) throw error;
    }
  }
}

async function timedRequest(bankB: AmopClient): Promise<{ answer: string; ms: number }> {
  const startMs = performance.now();
  const reply = await bankB.request(TOPIC, QUESTION);
  return { ms: performance.now() - startMs, answer: reply.payload.toString() };
}
