/**
 * Book-keeping of mixed traffic: what every client sent, what arrived where, and what must be true of it in the end.
 * Every message carries its sender and that sender's running number, so a receiver's list can be checked alone.
 */
import { amopBody, parseAmopBody } from './wire.js';

const STAMP_BYTES = 16;

export interface Stamp {
  readonly sender: number;
  readonly number: number;
  readonly sentAtMs: number;
}

export function stampedBody(topic: string, stamp: Stamp, paddingBytes: number): Buffer {
  const payload = Buffer.alloc(STAMP_BYTES + paddingBytes, stamp.number);
  payload.writeUInt32BE(stamp.sender, 0);
  payload.writeUInt32BE(stamp.number, 4);
  payload.writeDoubleBE(stamp.sentAtMs, 8);
  return amopBody(topic, payload);
}

export function readStamp(body: Buffer): Stamp {
  const { payload } = parseAmopBody(body);
  return { sender: payload.readUInt32BE(0), number: payload.readUInt32BE(4), sentAtMs: payload.readDoubleBE(8) };
}

/** What one receiver got, in order. */
export class Inbox {
  readonly problems: string[] = [];
  /** Send times of the unicasts it got. */
  readonly unicastSentAtMs: number[] = [];
  private readonly own: number;
  private readonly ordered: boolean;
  private readonly multicasts = new Set<string>();
  private readonly lastNumber = new Map<number, number>();

  /** `ordered` when no message can come to this receiver after another one let it fall: only then is there an order. */
  constructor(own: number, ordered: boolean) {
    this.own = own;
    this.ordered = ordered;
  }

  unicast(stamp: Stamp): void {
    this.checkOwn(stamp);
    this.unicastSentAtMs.push(stamp.sentAtMs);
    if (this.ordered) this.checkOrder(stamp);
  }

  multicast(stamp: Stamp): void {
    this.checkOwn(stamp);
    const key = `${stamp.sender}/${stamp.number}`;
    if (this.multicasts.has(key)) this.problems.push(`multicast ${key} came twice`);
    this.multicasts.add(key);
    if (this.ordered) this.checkOrder(stamp);
  }

  has(sender: number, number: number): boolean {
    return this.multicasts.has(`${sender}/${number}`);
  }

  private checkOwn({ sender, number }: Stamp): void {
    if (sender === this.own) this.problems.push(`received its own message ${number}`);
  }

  private checkOrder({ sender, number }: Stamp): void {
    const last = this.lastNumber.get(sender) ?? -1;
    if (number <= last) this.problems.push(`message ${number} of sender ${sender} came after its message ${last}`);
    this.lastNumber.set(sender, Math.max(last, number));
  }
}

/** What one sending session asked and was told. */
export class Outbox {
  readonly sender: number;
  readonly problems: string[] = [];
  /** Codes that requests got, by topic. */
  readonly codes = new Map<string, Set<number>>();
  private next = 0;
  private readonly open = new Map<string, { kind: 'request' | 'multicast'; topic: string; body: Buffer }>();
  private readonly acknowledgedByTopic = new Map<string, number[]>();
  private readonly answered = new Set<string>();

  constructor(sender: number) {
    this.sender = sender;
  }

  stamp(): Stamp {
    return { sender: this.sender, number: this.next++, sentAtMs: performance.now() };
  }

  sent(seq: string, kind: 'request' | 'multicast', topic: string, body: Buffer): void {
    this.open.set(seq, { kind, topic, body });
  }

  /** Numbers of the acknowledged multicasts on a topic. */
  acknowledged(topic: string): readonly number[] {
    return this.acknowledgedByTopic.get(topic) ?? [];
  }

  /** A 0x31: exactly one for each frame sent, and a positive one carries what was sent. */
  answer(seq: string, result: number, body: Buffer): void {
    const sent = this.open.get(seq);
    if (sent === undefined) {
      this.problems.push(this.answered.has(seq) ? `a second answer to ${seq}` : `an answer to ${seq}, never sent`);
      return;
    }
    this.open.delete(seq);
    this.answered.add(seq);
    if (result === 0 && !body.equals(sent.body)) this.problems.push(`the answer to ${seq} is another request's`);
    if (result !== 0 && body.length > 0) this.problems.push(`the answer ${result} to ${seq} has a body`);
    if (sent.kind === 'request') entry(this.codes, sent.topic, () => new Set()).add(result);
    else if (result === 0) entry(this.acknowledgedByTopic, sent.topic, () => []).push(readStamp(sent.body).number);
    else this.problems.push(`multicast ${seq} was answered ${result}`);
  }

  get unanswered(): number {
    return this.open.size;
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/**
 * The largest share of one receiver over all windows of `windowMs` that begin at a message and hold at least `minimum`.
 * Windows are of the time of sending: the test's own pauses delay arrivals of one socket against another's.
 */
export function largestShareInWindow(inboxes: readonly Inbox[], windowMs: number, minimum: number): number {
  const all = inboxes.flatMap((inbox, receiver) => inbox.unicastSentAtMs.map((atMs) => ({ atMs, receiver })));
  all.sort((a, b) => a.atMs - b.atMs);
  const counts = inboxes.map(() => 0);
  let largest = 0;
  let end = 0;
  for (let start = 0; start < all.length; start++) {
    while (end < all.length && all[end].atMs < all[start].atMs + windowMs) counts[all[end++].receiver]++;
    const total = end - start;
    // The last window is cut short by the end of the traffic.
    if (end < all.length && total >= minimum) largest = Math.max(largest, Math.max(...counts) / total);
    counts[all[start].receiver]--;
  }
  return largest;
}
