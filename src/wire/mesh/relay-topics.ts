/**
 * The topic list between relays: like SendTopics of 2.x, and each topic has the number of its subscriber sessions in front.
 *
 *   requestTopics  protocol ID 90, packetType 2    empty
 *   sendTopics     protocol ID -90, packetType 3   `<topic sequence> TAB <count> SP <topic> TAB …`, in byte order of the topics
 *
 * Numbers are decimal ASCII. The count ends at the first blank, so a topic may begin with digits or hold blanks.
 */
import { isUtf8 } from 'node:buffer';
import { TOPIC_BYTES_MAX } from '../../base/limits.js';
import { viewOf } from '../bytes.js';
import { topicFault } from '../channel/topic.js';
import { formatTopicSeq, PEER_TOPICS_MAX, type PeerTopicsProblem, parseTopicSeq } from '../p2p/topics.js';

const TAB = 0x09;
const BLANK = 0x20;
const DIGIT_0 = 0x30;
const SEQ_DIGITS_MAX = 10;

/** The most sessions a relay can be configured to hold: a larger count is a lie that would draw all unicasts. */
export const RELAY_COUNT_MAX = 1_000_000;
const COUNT_DIGITS_MAX = 7;

/** The longest list that can be legal. */
export const RELAY_LIST_BYTES_MAX = SEQ_DIGITS_MAX + PEER_TOPICS_MAX * (1 + COUNT_DIGITS_MAX + 1 + TOPIC_BYTES_MAX);

export type ParsedRelayTopics =
  /** `refused` counts elements that are no count and topic; they are left out. Of one topic named twice the first counts. */
  | { readonly ok: true; readonly topicSeq: number; readonly topics: Map<string, number>; readonly refused: number }
  | { readonly ok: false; readonly problem: PeerTopicsProblem };

/** Reads a list. Never throws; the bounds are checked on the bytes, before any topic is decoded. */
export function parseRelayTopics(payload: Uint8Array): ParsedRelayTopics {
  if (payload.length > RELAY_LIST_BYTES_MAX) return { ok: false, problem: 'too-large' };
  let tabs = 0;
  for (let at = payload.indexOf(TAB); at >= 0; at = payload.indexOf(TAB, at + 1)) {
    if (++tabs > PEER_TOPICS_MAX) return { ok: false, problem: 'too-many-topics' };
  }
  const seqEnd = tabs === 0 ? payload.length : payload.indexOf(TAB);
  const topicSeq = parseTopicSeq(payload.subarray(0, seqEnd));
  if (topicSeq === undefined) return { ok: false, problem: 'no-topic-seq' };

  const topics = new Map<string, number>();
  let refused = 0;
  for (let start = seqEnd + 1; start <= payload.length; ) {
    const tab = payload.indexOf(TAB, start);
    const end = tab < 0 ? payload.length : tab;
    const count = readCount(payload, start, end);
    const bytes = count === undefined ? undefined : viewOf(payload, start + count.bytes, end);
    // Checked before it is decoded: a decoder that throws would cost microseconds for each of 65,536 bad elements.
    if (count === undefined || bytes === undefined || topicFault(bytes) !== undefined || !isUtf8(bytes)) {
      refused++;
    } else {
      const topic = bytes.toString('utf8');
      if (!topics.has(topic)) topics.set(topic, count.value);
    }
    start = end + 1;
  }
  return { ok: true, topicSeq, topics, refused };
}

/** The count at `start` and its bytes with the blank, or undefined. */
function readCount(payload: Uint8Array, start: number, end: number): { value: number; bytes: number } | undefined {
  let value = 0;
  for (let at = start; at < end && at - start <= COUNT_DIGITS_MAX; at++) {
    const byte = payload[at];
    if (byte === BLANK) {
      const legal = at > start && value >= 1 && value <= RELAY_COUNT_MAX;
      return legal ? { value, bytes: at - start + 1 } : undefined;
    }
    if (byte < DIGIT_0 || byte > DIGIT_0 + 9) return undefined;
    value = value * 10 + (byte - DIGIT_0);
  }
  return undefined;
}

/**
 * Formats a list; a count above the maximum is written as the maximum.
 * @throws RangeError for a topic that is none, a count below 1, or more topics than a peer takes
 */
export function formatRelayTopics(topicSeq: number, topics: ReadonlyMap<string, number>): Buffer {
  if (topics.size > PEER_TOPICS_MAX) {
    throw new RangeError(`${topics.size} topics are over the maximum of ${PEER_TOPICS_MAX}`);
  }
  const elements: { bytes: Buffer; count: number }[] = [];
  for (const [topic, count] of topics) {
    const bytes = Buffer.from(topic, 'utf8');
    if (topicFault(bytes) !== undefined || !Number.isInteger(count) || count < 1) {
      throw new RangeError(`topic ${JSON.stringify(topic.slice(0, 64))} with count ${count} is refused`);
    }
    elements.push({ bytes, count: Math.min(count, RELAY_COUNT_MAX) });
  }
  elements.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const parts: Buffer[] = [formatTopicSeq(topicSeq)];
  for (const { bytes, count } of elements) parts.push(Buffer.from(`\t${count} `, 'latin1'), bytes);
  return Buffer.concat(parts);
}
