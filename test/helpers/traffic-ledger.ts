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
  readonly name: string;
  readonly problems: string[] = [];
  /** Send times of the unicasts it got. */
  readonly unicastSentAtMs: number[] = [];
  private readonly multicasts = new Set<string>();
  private readonly lastNumber = new Map<number, number>();

  constructor(name: string) {
    this.name = name;
  }

  unicast(stamp: Stamp): void {
    this.unicastSentAtMs.push(stamp.sentAtMs);
    this.checkOrder(stamp);
  }

  multicast(stamp: Stamp): void {
    const key = `${stamp.sender}/${stamp.number}`;
    if (this.multicasts.has(key)) this.problems.push(`multicast ${key} came twice`);
    this.multicasts.add(key);
    this.checkOrder(stamp);
  }

  has(sender: number, number: number): boolean {
    return this.multicasts.has(`${sender}/${number}`);
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
  readonly codes = new Map<number, number>();
  readonly problems: string[] = [];
  /** Numbers of acknowledged multicasts. */
  readonly acknowledged: number[] = [];
  private next = 0;
  private readonly open = new Map<string, { kind: 'request' | 'multicast'; number: number; body: Buffer }>();
  private readonly answered = new Set<string>();

  constructor(sender: number) {
    this.sender = sender;
  }

  stamp(): Stamp {
    return { sender: this.sender, number: this.next++, sentAtMs: performance.now() };
  }

  sent(seq: string, kind: 'request' | 'multicast', body: Buffer): void {
    this.open.set(seq, { kind, number: readStamp(body).number, body });
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
    if (sent.kind === 'request') this.codes.set(result, (this.codes.get(result) ?? 0) + 1);
    else if (result === 0) this.acknowledged.push(sent.number);
    else this.problems.push(`multicast ${seq} was answered ${result}`);
  }

  get unanswered(): number {
    return this.open.size;
  }

  get answeredCount(): number {
    return this.answered.size;
  }
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
