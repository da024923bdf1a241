/** Which topics somebody subscribes to, as one relay or node tells it over JSON-RPC (0x12). */
import { errorText } from '../base/errors.js';
import { isJsonObject, type JsonBounds, member, readJson } from '../wire/channel/json-read.js';
import { MessageType } from '../wire/channel/message-type.js';
import { AmopCode, AmopError } from './amop-error.js';
import type { Deadline } from './deadline.js';
import { newSeq } from './seq.js';
import type { Session } from './session.js';

export interface TopicInfo {
  readonly topic: string;
  /** Sessions that subscribe to it at relays; undefined when only 2.x nodes have some, which do not count them. */
  readonly subscribers: number | undefined;
}

/** A relay lists at most 10,000 topics of 254 bytes; a node's list has no bound, so there is one here. */
const ANSWER_BOUNDS: JsonBounds = { bytesMax: 8 * 1024 * 1024, depthMax: 8, separatorsMax: 200_000 };

/** A node wants a group; which one does not matter to its peers. */
const ANY_GROUP = 1;

/**
 * Asks one server: a relay for its topics and those of its peers, a 2.x node for those of its peers (a node does not show its own).
 * @throws AmopError
 */
export async function askTopics(session: Session, deadline: Deadline): Promise<TopicInfo[]> {
  const method = session.isRelay ? 'amop_topics' : 'getPeers';
  const params = session.isRelay ? [] : [ANY_GROUP];
  const seq = newSeq();
  const body = Buffer.from(JSON.stringify({ id: 1, jsonrpc: '2.0', method, params }));
  const answer = await session.exchange({ type: MessageType.rpc, answerType: MessageType.rpc, seq, body }, deadline);
  if (answer.result !== 0) throw new AmopError(answer.result, { seq });
  try {
    const result = resultOf(answer.body);
    return session.isRelay ? relayTopics(result) : peerTopics(result);
  } catch (error) {
    const detail = `${session.relay} answered ${method} with something else: ${errorText(error)}`;
    throw new AmopError(AmopCode.subscriberFailed, { reason: 'malformed-answer', detail, seq, cause: error });
  }
}

/** The lists of several relays as one, sorted. Relays of one mesh report the same sessions, so the highest count stands. */
export function mergeTopics(lists: readonly (readonly TopicInfo[])[]): TopicInfo[] {
  const merged = new Map<string, number | undefined>();
  for (const { topic, subscribers } of lists.flat()) {
    const known = merged.get(topic);
    merged.set(
      topic,
      known === undefined || subscribers === undefined ? (known ?? subscribers) : Math.max(known, subscribers),
    );
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([topic, subscribers]) => ({ topic, subscribers }));
}

function resultOf(body: Buffer): unknown[] {
  const read = readJson(body, ANSWER_BOUNDS);
  if (!read.ok) throw new Error(read.problem);
  const result = isJsonObject(read.value) ? member(read.value, 'result') : undefined;
  if (!Array.isArray(result)) throw new Error('no list of results');
  return result;
}

function relayTopics(result: readonly unknown[]): TopicInfo[] {
  return result.map((row) => {
    const topic = isJsonObject(row) ? member(row, 'topic') : undefined;
    const subscribers = isJsonObject(row) ? member(row, 'subscribers') : undefined;
    if (typeof topic !== 'string' || (typeof subscribers !== 'number' && subscribers !== null))
      throw new Error('a row without topic and count');
    return { topic, subscribers: subscribers ?? undefined };
  });
}

function peerTopics(result: readonly unknown[]): TopicInfo[] {
  const topics = result.flatMap((peer) => {
    const list = isJsonObject(peer) ? member(peer, 'Topic') : undefined;
    return Array.isArray(list) ? list.filter((topic): topic is string => typeof topic === 'string') : [];
  });
  // What a relay hides a node shows: names of the private exchange and block notifications are no topics for people.
  const shown = topics.filter(
    (topic) => topic !== '' && !topic.startsWith('#!$') && !topic.startsWith('_block_notify_'),
  );
  return shown.map((topic) => ({ topic, subscribers: undefined }));
}
