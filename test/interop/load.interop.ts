/**
 * 2,000 messages a second through one real subscriber, unicasts and multicasts in turn, small and large, sent in bursts so that
 * the relay could join frames. A Go SDK that once gets two frames in one record, or half a length, stays behind or stops, and
 * the last messages never come. AMOP_LONG=1 runs a minute of it.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../helpers/deadline.js';
import { startRelay } from '../helpers/relay-process.js';
import { amopBody, encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';
import { Driver } from './driver.js';
import { CertificateFolders } from './places.js';
import { KIND_OF, type Party } from './programs.js';

const DURATION_MS = process.env.AMOP_LONG === '1' ? 60_000 : 5_000;
const PER_SECOND = 2_000;
const BURST_MS = 5;
const TOTAL = (DURATION_MS * PER_SECOND) / 1000;
/**
 * Nothing at all arrives for so long while messages are under way: far above a pause of a garbage collector. Mere slowness on a
 * busy machine is none, hence also the patience of the relay.
 */
const STALL_MS = 4_000;
const PATIENT = { subscriber_timeout_ms: 25_000 };
/** Go reads 4,096 bytes at a time, a record holds 16,384. */
const LARGE_BYTES = [4_000, 5_000, 16_384, 20_000];
const LARGE_EVERY = 50;

/** Longest time that the subscriber may need for what has piled up. */
const SLOW_MS = 30_000;

const TOPIC = 'load';
const SUBSCRIBERS = ['go', 'java-rsa'] as const satisfies readonly Party[];

/** A message by its number: the number in 8 digits, then filler. */
function payloadOf(number: number): Buffer {
  const bytes = number % LARGE_EVERY === 0 ? LARGE_BYTES[(number / LARGE_EVERY) % LARGE_BYTES.length] : 128;
  const payload = Buffer.alloc(bytes, number % 251);
  payload.write(String(number).padStart(8, '0'), 'latin1');
  return payload;
}
const numberOf = (payload: Buffer): number => Number(payload.toString('latin1', 0, 8));
const isUnicast = (number: number): boolean => number % 2 === 0;

/** What became of each message, the last one included, which follows the load. */
class Ledger {
  readonly sentMs = new Float64Array(TOTAL + 1);
  readonly arrivals = new Uint8Array(TOTAL + 1);
  readonly answers = new Uint8Array(TOTAL + 1);
  readonly delaysMs: number[] = [];
  readonly problems: string[] = [];
  arrived = 0;
  answered = 0;
  longestPauseMs = 0;
  #lastMs = performance.now();

  /** False when nothing came for too long; call it only while something is under way. */
  get flows(): boolean {
    return performance.now() - this.#lastMs < STALL_MS;
  }

  arrive(payload: Buffer, atMs: number): void {
    this.longestPauseMs = Math.max(this.longestPauseMs, atMs - this.#lastMs);
    this.#lastMs = atMs;
    const number = numberOf(payload);
    if (!payload.equals(payloadOf(number))) this.problems.push(`message ${number} came changed`);
    if (++this.arrivals[number] > 1) this.problems.push(`message ${number} came twice`);
    this.arrived++;
    this.delaysMs.push(atMs - this.sentMs[number]);
  }

  answer(result: number, body: Buffer, label: string): void {
    if (result !== 0) {
      this.problems.push(`a request was answered with ${result}`);
      return;
    }
    const payload = parseAmopBody(body).payload.subarray(label.length + 1);
    const number = numberOf(payload);
    if (!payload.equals(payloadOf(number))) this.problems.push(`the answer to ${number} came changed`);
    if (++this.answers[number] > 1) this.problems.push(`message ${number} was answered twice`);
    this.answered++;
  }

  quantileMs(share: number): number {
    const sorted = [...this.delaysMs].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }
}

describe.each(SUBSCRIBERS)('2,000 messages a second through %s', (party) => {
  it(
    'arrive all, once, and without a stall',
    async () => {
      const relay = await startRelay({ logLevel: 'info', limits: PATIENT });
      const folders = await CertificateFolders.create(relay.pki);
      onTestFinished(() => folders.remove());
      const kind = KIND_OF[party];
      const endpoint = { port: relay.ports[kind], certificates: folders.of('left', kind) };
      const subscriber = await Driver.connect(party, party, endpoint);
      onTestFinished(() => subscriber.stop());
      await subscriber.subscribe(TOPIC);
      const ledger = new Ledger();
      const acknowledgements = new Set<string>();
      const sender = await relay.connect({
        onFrame: ({ type, result, seq, body }) => {
          if (type !== TYPE.response) return false;
          if (!acknowledgements.delete(seq)) ledger.answer(result, body, party);
          return true;
        },
      });
      const prober = await relay.connect();
      await until(async () => (await prober.request(TOPIC)).result === 0, `${party} to be subscribed`);
      await subscriber.waitForMessage(TOPIC, () => true);
      subscriber.onMessage = ({ payload, atMs }) => {
        ledger.arrive(payload, atMs);
        return true;
      };

      const startMs = performance.now();
      for (let sent = 0; sent < TOTAL; ) {
        const due = Math.min(TOTAL, Math.floor(((performance.now() - startMs) * PER_SECOND) / 1000));
        const burst: Buffer[] = [];
        for (; sent < due; sent++) {
          const seq = newSeq();
          if (!isUnicast(sent)) acknowledgements.add(seq);
          const type = isUnicast(sent) ? TYPE.unicast : TYPE.multicast;
          burst.push(encodeFrame(type, seq, 0, amopBody(TOPIC, payloadOf(sent))));
          ledger.sentMs[sent] = performance.now();
        }
        if (burst.length > 0) sender.sendBytes(Buffer.concat(burst));
        await passTime(BURST_MS);
      }
      const tookMs = performance.now() - startMs;
      // Nothing is sent any more that could push a stuck message on.
      const isDone = () => ledger.arrived >= TOTAL && ledger.answered >= TOTAL / 2 && acknowledgements.size === 0;
      await until(() => isDone() || !ledger.flows, 'the last messages', SLOW_MS);
      expect({
        arrived: ledger.arrived,
        answered: ledger.answered,
        unacknowledged: acknowledgements.size,
        problems: ledger.problems.slice(0, 5),
      }).toEqual({ arrived: TOTAL, answered: TOTAL / 2, unacknowledged: 0, problems: [] });
      // A second copy would have come before this answer.
      ledger.sentMs[TOTAL] = performance.now();
      expect((await prober.request(TOPIC, payloadOf(TOTAL))).result).toBe(0);
      console.log(
        `\n${subscriber.sdk}: ${TOTAL} messages in ${(tookMs / 1000).toFixed(1)} s, until they are seen here ` +
          `${[0.5, 0.99, 1].map((share) => ledger.quantileMs(share).toFixed(1)).join(' / ')} ms (p50 / p99 / max), ` +
          `longest pause ${ledger.longestPauseMs.toFixed(0)} ms\n`,
      );
      expect(ledger.problems.slice(0, 5)).toEqual([]);
      expect(ledger.arrived).toBe(TOTAL + 1);
      expect(ledger.longestPauseMs).toBeLessThan(STALL_MS);
      const metrics = await relay.metrics();
      expect(metrics.value('amop_multicast_dropped_total')).toBe(0);
      expect(metrics.value('amop_push_retries_total')).toBe(0);
    },
    DURATION_MS + 60_000,
  );
});
