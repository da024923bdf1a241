/**
 * Three relays in a full mesh and the scripted 2.x node, twelve raw clients, clients and one relay coming and going.
 * Relays 0 and 1 stay, relay 2 is killed or stopped and started again. AMOP_LONG=1 runs a minute of it.
 *
 *   4 subscribers of `work`   on relays 0, 1 and twice 2: equal shares while all four are there
 *   4 stable participants     on relays 0 and 1: send requests and multicasts, receive every multicast once
 *   4 guests                  on any relay: come, send, change their topics and leave in every way
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { passTime, until } from '../helpers/deadline.js';
import { LegacyPeer } from '../helpers/p2p/legacy-peer.js';
import { P2PPki } from '../helpers/p2p/p2p-pki.js';
import { type Mesh, startMesh } from '../helpers/p2p/relays.js';
import { seededRandom } from '../helpers/random.js';
import type { RawClient, ReceivedFrame } from '../helpers/raw-client.js';
import { Inbox, Outbox, readStamp, stampedBody } from '../helpers/traffic-ledger.js';
import { encodeFrame, newSeq, parseAmopBody, TYPE } from '../helpers/wire.js';

const LONG = process.env.AMOP_LONG === '1';
const DURATION_MS = LONG ? 60_000 : 8_000;
const SEND_INTERVAL_MS = 6;
const PADDING_BYTES = [0, 0, 0, 50, 112, 112, 500, 2_000, 17_000];
/** Sender number of the node in the stamps. */
const NODE = 1_000_000;

class Participant {
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  client!: RawClient;

  constructor(id: number, ordered: boolean) {
    this.inbox = new Inbox(id, ordered);
    this.outbox = new Outbox(id);
  }

  async join(mesh: Mesh, relay: number, name: string, topics: readonly string[], silent: () => boolean = () => false) {
    const onFrame = (frame: ReceivedFrame): boolean => {
      if (frame.type === TYPE.response) this.outbox.answer(frame.seq, frame.result, frame.body);
      else if (frame.type === TYPE.multicast) this.inbox.multicast(readStamp(frame.body));
      else if (frame.type === TYPE.unicast) {
        this.inbox.unicast(readStamp(frame.body));
        if (!silent()) this.client.send(TYPE.response, frame.body, frame.seq);
      } else return false;
      return true;
    };
    this.client = await mesh.connect(relay, { name, onFrame });
    await this.client.subscribe(...topics);
  }

  send(kind: 'request' | 'multicast', topic: string, paddingBytes: number): void {
    if (this.client.isClosed) return;
    const body = stampedBody(topic, this.outbox.stamp(), paddingBytes);
    const seq = newSeq();
    this.outbox.sent(seq, kind, topic, body);
    this.client.send(kind === 'request' ? TYPE.unicast : TYPE.multicast, body, seq);
  }
}

describe('mixed traffic over three relays and a node', () => {
  const seed = Number(process.env.AMOP_SEED ?? randomInt(1, 2 ** 31));

  it(
    `answers every request once, loses and doubles no multicast, shares fairly (AMOP_SEED=${seed})`,
    async () => {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
      const pki = await P2PPki.create();
      const node = await LegacyPeer.start({
        credentials: pki.node('node'),
        announceIntervalMs: 1_000,
        redialIntervalMs: 500,
      });
      onTestFinished(() => node.stop());
      const mesh = await startMesh(
        {
          count: 3,
          mutual: true,
          logLevel: 'info',
          dials: [node.port],
          limits: { subscriber_timeout_ms: 600, peer_timeout_ms: 2_000, request_timeout_ms: 5_000 },
        },
        pki,
      );

      // The node's own application.
      const nodeInbox = new Inbox(NODE, false);
      node.subscribe('news', 'node-work');
      node.answerer = ({ body }) => ({ body });
      node.announce();

      let nextId = 0;
      const stable: Participant[] = [];
      const workers: Participant[] = [];
      const guests: Participant[] = [];
      for (const relay of [0, 1, 2, 2]) {
        const worker = new Participant(nextId++, false);
        await worker.join(mesh, relay, `worker ${relay}`, ['work']);
        workers.push(worker);
      }
      for (const relay of [0, 1, 0, 1]) {
        const participant = new Participant(nextId++, true);
        await participant.join(mesh, relay, `stable ${relay}`, ['news']);
        stable.push(participant);
      }
      for (const relay of [0, 1, 2]) await mesh.settled(relay);
      for (const relay of mesh.relays) {
        await node.waitForTopic('news', mesh.relays.indexOf(relay) < 2 ? relay.nodeId : undefined);
      }
      const prober = await mesh.connect(0);
      await until(async () => (await prober.request('node-work', Buffer.alloc(16))).result === 0, 'the node’s topics');
      const prober1 = await mesh.connect(1);
      await until(async () => (await prober1.request('node-work', Buffer.alloc(16))).result === 0, 'the node’s topics');

      let running = true;
      /** All four workers are there, and every relay knows. */
      let complete = true;
      let nodeNumber = 0;
      const shares = [0, 0, 0, 0];
      const seenBefore = workers.map(({ inbox }) => inbox.unicastSentAtMs.length);
      const count = () => {
        for (const [index, { inbox }] of workers.entries()) {
          const seen = inbox.unicastSentAtMs.length;
          if (complete) shares[index] += seen - seenBefore[index];
          seenBefore[index] = seen;
        }
      };

      const timers = stable.map((sender) =>
        setInterval(() => {
          sender.send('request', 'work', pick(PADDING_BYTES));
          const dice = random();
          if (dice < 0.1) sender.send('multicast', 'news', pick(PADDING_BYTES));
          else if (dice < 0.2) sender.send('request', 'node-work', pick(PADDING_BYTES));
          else if (dice < 0.3) sender.send('request', 'churn', pick(PADDING_BYTES));
          else if (dice < 0.31) sender.send('request', 'nobody', 0);
        }, SEND_INTERVAL_MS),
      );
      const nodeRequests: Promise<void>[] = [];
      const nodeCodes: number[] = [];
      timers.push(
        setInterval(() => {
          const stamp = { sender: NODE, number: nodeNumber++, sentAtMs: performance.now() };
          node.forwardMulticast(
            encodeFrame(TYPE.multicast, newSeq(), 0, stampedBody('news', stamp, pick(PADDING_BYTES))),
          );
          nodeRequests.push(
            node.unicast('work', parseAmopBody(stampedBody('work', stamp, 0)).payload).then(({ result }) => {
              nodeCodes.push(result);
            }),
          );
        }, 40),
      );

      const comeAndGoRelay = async (): Promise<void> => {
        while (running) {
          await passTime(1_500 + random() * 1_500);
          if (!running) return;
          count();
          complete = false;
          if (random() < 0.5) await mesh.kill(2);
          else await mesh.terminate(2);
          await passTime(random() * 500);
          await mesh.startRelay(2);
          await mesh.relays[2].waitForPeers(3);
          await Promise.all([2, 3].map((index) => workers[index].join(mesh, 2, `worker ${index} again`, ['work'])));
          await mesh.settled(2);
          count();
          complete = true;
        }
      };

      let visits = 0;
      const comeAndGo = async (slot: number): Promise<void> => {
        while (running) {
          const guest = new Participant(nextId++, false);
          const relay = Math.floor(random() * 3);
          const joined = await guest
            .join(mesh, relay, `guest ${slot}.${visits++}`, ['churn', 'news'], () => random() < 0.02)
            .then(
              () => true,
              () => false,
            );
          if (!joined) {
            await passTime(50); // its relay is down
            continue;
          }
          guests.push(guest);
          const messages = 5 + Math.floor(random() * 40);
          for (let n = 0; n < messages && running && !guest.client.isClosed; n++) {
            await passTime(random() * 20);
            const kind = pick(['request', 'request', 'multicast'] as const);
            const topic = kind === 'multicast' ? 'news' : pick(['work', 'churn', 'node-work', 'nobody']);
            guest.send(kind, topic, pick(PADDING_BYTES));
            if (random() < 0.1 && !guest.client.isClosed) {
              guest.client.send(TYPE.subscribe, JSON.stringify(pick([['churn', 'news'], ['news'], []])));
            }
          }
          const farewell = random();
          if (farewell < 0.5) guest.client.destroy();
          else await guest.client.close().catch(() => {});
        }
      };

      const movement = Promise.all([comeAndGoRelay(), ...[0, 1, 2, 3].map(comeAndGo)]);
      await Promise.race([movement, passTime(DURATION_MS)]);
      running = false;
      await movement;
      for (const timer of timers) clearInterval(timer);
      count();

      await until(
        () => stable.every(({ outbox }) => outbox.unanswered === 0),
        () => `answers: ${stable.map(({ outbox }) => outbox.unanswered).join(', ')} of the stable ones are open`,
        10_000,
      );
      await Promise.all(nodeRequests);
      const closing = [await mesh.connect(0), await mesh.connect(1)];
      for (const client of closing) await client.response(client.multicast('flush', ''));
      for (const relay of [0, 1, 2]) await mesh.settled(relay);
      for (const { client } of stable) await client.barrier();

      for (const { inbox, outbox, client } of [...stable, ...workers, ...guests]) {
        expect([...inbox.problems, ...outbox.problems].slice(0, 5), client.name).toEqual([]);
      }
      for (const { client } of stable) expect(client.isClosed, client.name).toBe(false);
      expect(node.faults).toEqual([]);

      // The workers of relays 0 and 1 answer everything, so whatever relay 2 does, `work` has an answer.
      for (const { outbox, client } of stable) {
        expect([...(outbox.codes.get('work') ?? [])], `codes on work for ${client.name}`).toEqual([0]);
        expect([...(outbox.codes.get('node-work') ?? [])], `codes on node-work for ${client.name}`).toEqual([0]);
        expect([...(outbox.codes.get('nobody') ?? [100])], `codes on nobody for ${client.name}`).toEqual([100]);
        for (const code of outbox.codes.get('churn') ?? []) expect([0, 100, 101, 102]).toContain(code);
      }
      expect(nodeCodes.length).toBeGreaterThan(DURATION_MS / 100);
      for (const code of nodeCodes) expect([0, 100, 101, 102]).toContain(code); // a relay's failure is final for a node
      expect(nodeCodes.filter((code) => code === 0).length).toBeGreaterThan(nodeCodes.length / 2);

      // Every acknowledged multicast between those who stayed, and every one of the node, came once.
      for (const frame of node.multicasts) nodeInbox.multicast(readStamp(frame.body));
      expect(nodeInbox.problems.slice(0, 5), 'copies at the node').toEqual([]);
      let copies = 0;
      for (const receiver of [
        ...stable.map(({ inbox, client }) => ({ inbox, name: client.name })),
        { inbox: nodeInbox, name: 'the node' },
      ]) {
        const missing: string[] = [];
        for (const { outbox, inbox } of stable) {
          if (inbox === receiver.inbox) continue;
          for (const number of outbox.acknowledged('news')) {
            if (receiver.inbox.has(outbox.sender, number)) copies++;
            else missing.push(`${outbox.sender}/${number}`);
          }
        }
        if (receiver.inbox !== nodeInbox) {
          for (let number = 0; number < nodeNumber; number++) {
            if (!receiver.inbox.has(NODE, number)) missing.push(`node/${number}`);
          }
        }
        expect(missing.slice(0, 5), `multicasts missing at ${receiver.name}`).toEqual([]);
      }
      expect(copies).toBeGreaterThan(DURATION_MS / 20);

      const total = shares.reduce((sum, share) => sum + share, 0);
      console.info(`shares of ${total} requests: ${shares.map((share) => (share / total).toFixed(3)).join(' ')}`);
      expect(total).toBeGreaterThan(DURATION_MS / 20);
      for (const share of shares) expect(Math.abs(share / total - 0.25), `shares ${shares}`).toBeLessThanOrEqual(0.03);
      expect(visits).toBeGreaterThan(DURATION_MS / 1_000);
    },
    DURATION_MS + 60_000,
  );
});
