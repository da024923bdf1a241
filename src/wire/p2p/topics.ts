/**
 * Payloads of the topic module (protocol ID 2 / -2), plain ASCII and UTF-8:
 *
 *   SendTopicSeq   request, seq 0   the sender's topic sequence in decimal
 *   RequestTopics  request          empty
 *   SendTopics     response         topic sequence, then TAB and a topic for each one, in byte order: `5 TAB a TAB b`
 *
 * There is no escaping, so no topic may hold a TAB. Seen in captured frames.
 */
import { isUtf8 } from 'node:buffer';
import { TOPIC_BYTES_MAX } from '../../base/limits.js';
import { viewOf } from '../bytes.js';
import { topicFault } from '../channel/topic.js';

const TAB = 0x09;
const U32_MAX = 0xffffffff;
const SEQ_DIGITS_MAX = 10;

/**
 * Topics of one node: sixteen sessions with full lists. Real networks have tens; a peer that lists a million is
 * refused before a string is made of any of them.
 */
export const PEER_TOPICS_MAX = 65_536;

/** The longest list that can be legal: the sequence and that many topics of full length, each behind its TAB. */
export const TOPIC_LIST_BYTES_MAX = SEQ_DIGITS_MAX + PEER_TOPICS_MAX * (1 + TOPIC_BYTES_MAX);

/**
 * Formats a topic sequence (u32).
 * @throws RangeError when it is not one.
 */
export function formatTopicSeq(topicSeq: number): Buffer {
  if (!Number.isInteger(topicSeq) || topicSeq < 0 || topicSeq > U32_MAX) {
    throw new RangeError(`topic sequence ${topicSeq} is not an unsigned 32-bit integer`);
  }
  return Buffer.from(String(topicSeq), 'latin1');
}

/** The sequence of a SendTopicSeq, or undefined when the payload is not one: ignore the frame. */
export function parseTopicSeq(payload: Uint8Array): number | undefined {
  if (payload.length === 0 || payload.length > SEQ_DIGITS_MAX) return undefined;
  let topicSeq = 0;
  for (const byte of payload) {
    if (byte < 0x30 || byte > 0x39) return undefined;
    topicSeq = topicSeq * 10 + (byte - 0x30);
  }
  return topicSeq <= U32_MAX ? topicSeq : undefined;
}

export type PeerTopicsProblem = 'too-large' | 'too-many-topics' | 'no-topic-seq';

export type ParsedTopics =
  /**
   * `topics` has no duplicates and keeps the order; an empty element is the empty topic. `refused` counts elements that
   * are no topics (over 254 bytes, control characters, not UTF-8): nobody can send to them, so they are left out.
   */
  | { readonly ok: true; readonly topicSeq: number; readonly topics: string[]; readonly refused: number }
  | { readonly ok: false; readonly problem: PeerTopicsProblem };

/** Reads a SendTopics. */
export function parseTopics(payload: Uint8Array): ParsedTopics {
  const topics = new Set<string>();
  let refused = 0;
  const walked = walkTopicList(payload, TOPIC_LIST_BYTES_MAX, (start, end) => {
    const topic = decodeTopic(viewOf(payload, start, end));
    if (topic === undefined) refused++;
    else topics.add(topic);
  });
  return walked.ok ? { ...walked, topics: [...topics], refused } : walked;
}

/**
 * Reads a sequence and calls back with the bounds of each element behind it. The bounds of the list are checked on the bytes, before
 * the first call.
 */
export function walkTopicList(
  payload: Uint8Array,
  bytesMax: number,
  onElement: (start: number, end: number) => void,
): { readonly ok: true; readonly topicSeq: number } | { readonly ok: false; readonly problem: PeerTopicsProblem } {
  if (payload.length > bytesMax) return { ok: false, problem: 'too-large' };
  let tabs = 0;
  for (let at = payload.indexOf(TAB); at >= 0; at = payload.indexOf(TAB, at + 1)) {
    if (++tabs > PEER_TOPICS_MAX) return { ok: false, problem: 'too-many-topics' };
  }
  const seqEnd = tabs === 0 ? payload.length : payload.indexOf(TAB);
  const topicSeq = parseTopicSeq(payload.subarray(0, seqEnd));
  if (topicSeq === undefined) return { ok: false, problem: 'no-topic-seq' };
  for (let start = seqEnd + 1; start <= payload.length; ) {
    const tab = payload.indexOf(TAB, start);
    const end = tab < 0 ? payload.length : tab;
    onElement(start, end);
    start = end + 1;
  }
  return { ok: true, topicSeq };
}

/**
 * The topic, or undefined for what is none. Checked before it is decoded: a decoder that throws would cost microseconds for each of
 * 65,536 bad elements.
 */
export function decodeTopic(bytes: Buffer): string | undefined {
  if (topicFault(bytes) !== undefined || !isUtf8(bytes)) return undefined;
  return bytes.toString('utf8');
}

/**
 * Formats a SendTopics; duplicates are written once.
 * @throws RangeError for a topic that is none (a TAB would corrupt the list) or for more topics than a peer takes.
 */
export function formatTopics(topicSeq: number, topics: Iterable<string>): Buffer {
  const encoded: Buffer[] = [];
  for (const topic of new Set(topics)) {
    const bytes = Buffer.from(topic, 'utf8');
    const problem = topicFault(bytes);
    if (problem !== undefined)
      throw new RangeError(`topic ${JSON.stringify(topic.slice(0, 64))} is refused (${problem})`);
    encoded.push(bytes);
  }
  if (encoded.length > PEER_TOPICS_MAX) {
    throw new RangeError(`${encoded.length} topics are over the maximum of ${PEER_TOPICS_MAX}`);
  }
  encoded.sort(Buffer.compare);
  const separator = Buffer.of(TAB);
  return Buffer.concat([formatTopicSeq(topicSeq), ...encoded.flatMap((topic) => [separator, topic])]);
}
