/**
 * The topic list between relays: like SendTopics of 2.x, and each topic has the number of its subscriber sessions in front.
 *
 *   requestTopics  protocol ID 90, packetType 2    empty
 *   sendTopics     protocol ID -90, packetType 3   `<topic sequence> TAB <count> SP <topic> TAB …`, in byte order of the topics
 *
 * Numbers are decimal ASCII. The count ends at the first blank, so a topic may begin with digits or hold blanks.
 * Behind a private message topic there is one element for each of its subscriber sessions:
 *
 *   `@ <handle, 16 hex> SP <SHA-256 of its certificate, 64 hex> SP <its challenge topic>`   (no blank behind the @)
 */
import { TOPIC_BYTES_MAX } from '../../base/limits.js';
import { viewOf } from '../bytes.js';
import { isChallengeTopicOf, topicFault } from '../channel/topic.js';
import { decodeTopic, formatTopicSeq, PEER_TOPICS_MAX, type PeerTopicsProblem, walkTopicList } from '../p2p/topics.js';
import { HANDLES_MAX } from './private-frame.js';

const BLANK = 0x20;
const DIGIT_0 = 0x30;
const SEQ_DIGITS_MAX = 10;

/** The most sessions a relay can be configured to hold: a larger count is a lie that would draw all unicasts. */
export const RELAY_COUNT_MAX = 1_000_000;
const COUNT_DIGITS_MAX = 7;

/** `@`, handle, blank, digest, blank. */
const SESSION_HEAD_CHARS = 1 + 16 + 1 + 64 + 1;
const SESSION_HEAD = /^@([0-9a-f]{16}) ([0-9a-f]{64}) $/;
const AT = 0x40;

/** The longest list that can be legal: every element a session, which is the longer kind. */
export const RELAY_LIST_BYTES_MAX = SEQ_DIGITS_MAX + PEER_TOPICS_MAX * (1 + SESSION_HEAD_CHARS + TOPIC_BYTES_MAX);

/** A subscriber session of a private topic. */
export interface PrivateSubscriber {
  /** 16 lower-case hex digits, stable for the life of the session. */
  readonly handle: string;
  /** SHA-256 of its certificate, 64 lower-case hex digits. */
  readonly digest: string;
  /** Where it takes its challenge; an SDK may rename it while the session lives. */
  readonly challengeTopic: string;
}

export type ParsedRelayTopics =
  /** `refused` counts elements that are no count and topic; they are left out. Of one topic named twice the first counts. */
  | {
      readonly ok: true;
      readonly topicSeq: number;
      readonly topics: Map<string, number>;
      /** By message topic. */
      readonly subscribers: Map<string, PrivateSubscriber[]>;
      readonly refused: number;
    }
  | { readonly ok: false; readonly problem: PeerTopicsProblem };

/** Reads a list. Never throws; its bounds are checked before any topic is decoded. */
export function parseRelayTopics(payload: Uint8Array): ParsedRelayTopics {
  const topics = new Map<string, number>();
  const subscribers = new Map<string, PrivateSubscriber[]>();
  let refused = 0;
  let latest = '';
  const walked = walkTopicList(payload, RELAY_LIST_BYTES_MAX, (start, end) => {
    if (payload[start] === AT) {
      const session = readSession(viewOf(payload, start, end), latest);
      const sessions = subscribers.get(latest) ?? [];
      if (session === undefined || sessions.length >= HANDLES_MAX) {
        refused++;
      } else {
        sessions.push(session);
        subscribers.set(latest, sessions);
      }
      return;
    }
    const count = readCount(payload, start, end);
    const topic = count && decodeTopic(viewOf(payload, start + count.bytes, end));
    if (count === undefined || topic === undefined) {
      refused++;
      return;
    }
    if (!topics.has(topic)) topics.set(topic, count.value);
    latest = topic;
  });
  return walked.ok ? { ...walked, topics, subscribers, refused } : walked;
}

/** An element behind `messageTopic`, or undefined. */
function readSession(bytes: Buffer, messageTopic: string): PrivateSubscriber | undefined {
  const head = SESSION_HEAD.exec(bytes.toString('latin1', 0, SESSION_HEAD_CHARS));
  const challengeTopic = decodeTopic(bytes.subarray(SESSION_HEAD_CHARS));
  if (head === null || challengeTopic === undefined || !isChallengeTopicOf(challengeTopic, messageTopic)) {
    return undefined;
  }
  return { handle: head[1], digest: head[2], challengeTopic };
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
export function formatRelayTopics(
  topicSeq: number,
  topics: ReadonlyMap<string, number>,
  subscribers: ReadonlyMap<string, readonly PrivateSubscriber[]> = new Map(),
): Buffer {
  if (topics.size > PEER_TOPICS_MAX) {
    throw new RangeError(`${topics.size} topics are over the maximum of ${PEER_TOPICS_MAX}`);
  }
  const elements: { bytes: Buffer; count: number; sessions: readonly PrivateSubscriber[] }[] = [];
  for (const [topic, count] of topics) {
    const bytes = Buffer.from(topic, 'utf8');
    if (topicFault(bytes) !== undefined || !Number.isInteger(count) || count < 1) {
      throw new RangeError(`topic ${JSON.stringify(topic.slice(0, 64))} with count ${count} is refused`);
    }
    elements.push({ bytes, count: Math.min(count, RELAY_COUNT_MAX), sessions: subscribers.get(topic) ?? [] });
  }
  elements.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const parts: Buffer[] = [formatTopicSeq(topicSeq)];
  for (const { bytes, count, sessions } of elements) {
    parts.push(Buffer.from(`\t${count} `, 'latin1'), bytes);
    for (const { handle, digest, challengeTopic } of sessions) {
      parts.push(Buffer.from(`\t@${handle} ${digest} ${challengeTopic}`, 'utf8'));
    }
  }
  return Buffer.concat(parts);
}
