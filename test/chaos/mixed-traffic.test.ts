/**
 * Twelve raw clients on one relay: four stable subscribers, four steady senders, four that come and go. AMOP_LONG=1 runs
 * a minute of it.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passTime, until } from '../helpers/deadline.js';
import { seededRandom } from '../helpers/random.js';
import type { RawClient, ReceivedFrame } from '../helpers/raw-client.js';
import { type ConnectOptions, type RelayProcess, startRelay } from '../helpers/relay-process.js';
import { Inbox, largestShareInWindow, Outbox, readStamp, stampedBody } from '../helpers/traffic-ledger.js';
import { encodeFrame, newSeq, TYPE } from '../helpers/wire.js';

const DURATION_MS = process.env.AMOP_LONG === '1' ? 60_000 : 6_000;
const SEND_INTERVAL_MS = 4;
const PADDING_BYTES = [0, 0, 0, 50, 112, 112, 500, 2_000, 17_000];

/** One session with its two books. */
class Participant {
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly client: RawClient;

  private constructor(client: RawClient, inbox: Inbox, outbox: Outbox) {
    this.client = client;
    this.inbox = inbox;
    this.outbox = outbox;
  }

  static async join(
    relay: RelayProcess,
    id: number,
    options: ConnectOptions,
    silent: (() => boolean) | undefined,
  ): Promise<Participant> {
    const inbox = new Inbox(id, silent === undefined);
    const outbox = new Outbox(id);
    const onFrame = (frame: ReceivedFrame): boolean => {
      if (frame.type === TYPE.response) outbox.answer(frame.seq, frame.result, frame.body);
      else if (frame.type === TYPE.multicast) inbox.multicast(readStamp(frame.body));
      else if (frame.type === TYPE.unicast) {
        inbox.unicast(readStamp(frame.body));
        if (silent?.() !== true) client.send(TYPE.response, frame.body, frame.seq);
      } else return false;
      return true;
    };
    const client = await relay.connect({ ...options, onFrame });
    return new Participant(client, inbox, outbox);
  }

  send(kind: 'request' | 'multicast', topic: string, paddingBytes: number): void {
    const body = stampedBody(topic, this.outbox.stamp(), paddingBytes);
    const seq = newSeq();
    this.outbox.sent(seq, kind, topic, body);
    this.client.send(kind === 'request' ? TYPE.unicast : TYPE.multicast, body, seq);
  }
}

describe('mixed traffic with clients coming and going', () => {
  const seed = Number(process.env.AMOP_SEED ?? randomInt(1, 2 ** 31));

  it(
    `answers every request once, loses and doubles no multicast, shares unicasts fairly (AMOP_SEED=${seed})`,
    async () => {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
      const relay = await startRelay({
        logLevel: 'info',
        limits: { subscriber_timeout_ms: 400, request_timeout_ms: 2_500 },
      });

      let nextId = 0;
      const everybody: Participant[] = [];
      const join = async (name: string, topics: readonly string[], clientType?: string, silent?: () => boolean) => {
        const id = nextId++;
        const participant = await Participant.join(relay, id, { name, kind: pick(['secp256k1', 'rsa']) }, silent);
        everybody.push(participant);
        if (clientType !== undefined) await participant.client.handshake(clientType);
        await participant.client.subscribe(...topics);
        return participant;
      };
      const subscribers = await Promise.all(
        [undefined, 'java-sdk', 'Go-SDK', undefined].map((type, n) => join(`subscriber ${n}`, ['work', 'news'], type)),
      );
      const senders = await Promise.all(
        ['java-sdk', undefined, 'Go-SDK', 'java-sdk'].map((type, n) => join(`sender ${n}`, ['news'], type)),
      );
      const stable = [...subscribers, ...senders];

      let running = true;
      const timers = senders.map((sender) =>
        setInterval(() => {
          sender.send('request', 'work', pick(PADDING_BYTES));
          const dice = random();
          if (dice < 0.1) sender.send('multicast', 'news', pick(PADDING_BYTES));
          else if (dice < 0.2) sender.send('request', 'churn', pick(PADDING_BYTES));
          else if (dice < 0.22) sender.send('request', 'nobody', 0);
        }, SEND_INTERVAL_MS),
      );
      for (const subscriber of subscribers) {
        timers.push(setInterval(() => subscriber.send('multicast', 'news', pick(PADDING_BYTES)), 50));
      }

      let visits = 0;
      const comeAndGo = async (slot: number): Promise<void> => {
        while (running) {
          const guest = await join(
            `guest ${slot}.${visits++}`,
            ['churn', 'news'],
            pick([undefined, 'java-sdk']),
            () => random() < 0.02,
          );
          const messages = 5 + Math.floor(random() * 40);
          for (let n = 0; n < messages && running; n++) {
            await passTime(random() * 20);
            const kind = pick(['request', 'request', 'multicast'] as const);
            guest.send(kind, kind === 'multicast' ? 'news' : pick(['work', 'churn', 'nobody']), pick(PADDING_BYTES));
            if (random() < 0.1)
              guest.client.send(TYPE.subscribe, JSON.stringify(pick([['churn', 'news'], ['news'], []])));
          }
          const farewell = random();
          if (farewell < 0.4) guest.client.destroy();
          else if (farewell < 0.6) {
            guest.client.sendBytes(encodeFrame(TYPE.multicast, newSeq(), 0, Buffer.alloc(9_000)).subarray(0, 5_000));
            guest.client.destroy();
          } else {
            if (farewell < 0.8) await until(() => guest.outbox.unanswered === 0, `answers for ${guest.client.name}`);
            await guest.client.close();
          }
        }
      };
      const guests = Promise.all([0, 1, 2, 3].map(comeAndGo));
      // A guest that cannot join ends the traffic at once instead of after its time.
      await Promise.race([guests, passTime(DURATION_MS)]);
      running = false;
      for (const timer of timers) clearInterval(timer);
      await guests;

      await until(
        () => stable.every(({ outbox }) => outbox.unanswered === 0),
        () => `answers: ${stable.map(({ outbox }) => `${outbox.unanswered} of sender ${outbox.sender}`).join(', ')}`,
        10_000,
      );
      for (const { client } of stable) await client.barrier();

      for (const { inbox, outbox, client } of everybody) {
        expect([...inbox.problems, ...outbox.problems].slice(0, 5), client.name).toEqual([]);
      }
      for (const { client } of stable) expect(client.isClosed, client.name).toBe(false);

      for (const { outbox, client } of everybody) {
        // Stable subscribers answer everything on `work`; guests leave, are silent and are alone at times.
        expect([...(outbox.codes.get('work') ?? [0])], `codes on work for ${client.name}`).toEqual([0]);
        expect([...(outbox.codes.get('nobody') ?? [100])], `codes on nobody for ${client.name}`).toEqual([100]);
        for (const code of outbox.codes.get('churn') ?? []) expect([0, 100, 101, 102]).toContain(code);
      }

      let copies = 0;
      for (const receiver of stable) {
        const missing: string[] = [];
        for (const { outbox } of everybody) {
          if (outbox === receiver.outbox) continue;
          for (const number of outbox.acknowledged('news')) {
            if (receiver.inbox.has(outbox.sender, number)) copies++;
            else missing.push(`${outbox.sender}/${number}`);
          }
        }
        expect(missing.slice(0, 5), `multicasts missing at ${receiver.client.name}`).toEqual([]);
      }
      expect(copies).toBeGreaterThan(DURATION_MS / 10);

      const counts = subscribers.map(({ inbox }) => inbox.unicastSentAtMs.length);
      const total = counts.reduce((sum, count) => sum + count, 0);
      expect(total).toBeGreaterThan(DURATION_MS / 4);
      for (const [index, count] of counts.entries()) {
        expect(Math.abs(count / total - 0.25), `share ${count}/${total} of subscriber ${index}`).toBeLessThanOrEqual(
          0.03,
        );
      }
      const inboxes = subscribers.map(({ inbox }) => inbox);
      expect(largestShareInWindow(inboxes, 100, 8)).toBeLessThanOrEqual(0.5);
      expect(visits).toBeGreaterThan(DURATION_MS / 1_000);
    },
    DURATION_MS + 40_000,
  );
});
