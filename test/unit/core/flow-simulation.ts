/** Virtual traffic against a FlowControl: senders offer requests that a peer link must carry, as fast as they are told to. */
import { FlowControl, type FlowLimits, type FlowSource } from '../../../src/core/flow-control.js';

/** What a P2P frame adds to a channel frame. */
export const P2P_HEADER_BYTES = 16;

export interface Sender {
  readonly organisation: string;
  readonly frameBytes: number;
  /** Offered bytes/s on the wire. */
  readonly bytesPerSecond: number;
  /** Equal distances, exponential ones, or groups of equal messages once a second. */
  readonly pattern: 'paced' | 'poisson' | 'bursts';
  /** Silent inside these windows. */
  readonly pausesMs?: readonly (readonly [number, number])[];
}

interface Running {
  readonly sender: Sender;
  readonly source: FlowSource;
  nextMs: number;
  left: number;
  carry: number;
}

export interface Outcome {
  readonly flow: FlowControl;
  /** Bytes on peer links. */
  readonly wireBytes: number;
  /** The same by organisation. */
  readonly passed: ReadonlyMap<string, number>;
  readonly offered: ReadonlyMap<string, number>;
  /** Bytes on peer links in each whole second. */
  readonly perSecond: readonly number[];
}

export function simulate(
  limits: FlowLimits,
  senders: readonly Sender[],
  durationMs: number,
  random: () => number,
): Outcome {
  const flow = new FlowControl(limits);
  const running = senders.map((sender) => {
    const one: Running = { sender, source: flow.openSession(sender.organisation), nextMs: 0, left: 0, carry: 0 };
    one.nextMs = random() * gapMs(one, () => 0.5);
    return one;
  });
  const passed = new Map<string, number>();
  const offered = new Map<string, number>();
  const perSecond = new Array<number>(Math.ceil(durationMs / 1000)).fill(0);
  let wireBytes = 0;
  for (;;) {
    let next: Running | undefined;
    for (const one of running) if (!next || one.nextMs < next.nextMs) next = one;
    if (!next || next.nextMs >= durationMs) break;
    const { sender, source, nextMs: nowMs } = next;
    next.nextMs += gapMs(next, random);
    if (sender.pausesMs?.some(([from, to]) => nowMs >= from && nowMs < to)) continue;
    const bytes = sender.frameBytes + P2P_HEADER_BYTES;
    add(offered, sender.organisation, bytes);
    if (flow.offer(source, undefined, sender.frameBytes, 1, true, nowMs) !== undefined) continue;
    flow.chargePeer(source, bytes, nowMs);
    add(passed, sender.organisation, bytes);
    wireBytes += bytes;
    perSecond[Math.floor(nowMs / 1000)] += bytes;
  }
  return { flow, wireBytes, passed, offered, perSecond };
}

function gapMs(one: Running, random: () => number): number {
  const { frameBytes, bytesPerSecond, pattern } = one.sender;
  const meanMs = ((frameBytes + P2P_HEADER_BYTES) / bytesPerSecond) * 1000;
  if (pattern === 'paced') return meanMs;
  if (pattern === 'poisson') return -Math.log(1 - random()) * meanMs;
  if (one.left > 0) {
    one.left--;
    return 0;
  }
  // A whole number of messages a second; what is left over is carried to the next group.
  const groupMs = Math.max(1000, meanMs);
  one.carry += groupMs / meanMs;
  one.left = Math.floor(one.carry) - 1;
  one.carry -= one.left + 1;
  return groupMs;
}

function add(map: Map<string, number>, key: string, bytes: number): void {
  map.set(key, (map.get(key) ?? 0) + bytes);
}
