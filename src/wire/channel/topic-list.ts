/**
 * 0x32: a JSON array of topics that replaces the whole set of the session. It is never answered, so whatever is wrong
 * with it can only be logged: a body that is no list of topics leaves the old set, a single bad topic is left out.
 */
import { JSON_BODY_BYTES_MAX, TOPIC_BYTES_MAX, TOPICS_PER_SESSION_MAX } from '../../base/limits.js';
import { readJson } from './json-read.js';
import { type TopicProblem, topicFault } from './topic.js';

/** What a log line shows of a refused topic. */
const REFUSED_TOPIC_CHARS_MAX = 64;

export type TopicListProblem = 'too-large' | 'too-many-topics' | 'not-utf8' | 'not-json' | 'not-an-array-of-scalars';

export interface RefusedTopic {
  /** At most 64 characters of it; may hold control characters. */
  readonly topic: string;
  readonly problem: TopicProblem | 'not-unicode' | 'inexact-number';
}

export type ParsedTopicList =
  /** `topics` has no duplicates and keeps the order of the body. */
  | { readonly ok: true; readonly topics: string[]; readonly refused: RefusedTopic[] }
  | { readonly ok: false; readonly problem: TopicListProblem };

/**
 * Reads the body of a 0x32. A number, boolean or null in the array becomes its text (null the empty topic), seen on
 * the running v2.11.0 node. More than 4,096 elements are refused whole, duplicates counted, before they are parsed.
 */
export function parseTopicList(body: Uint8Array): ParsedTopicList {
  const read = readJson(body, {
    bytesMax: JSON_BODY_BYTES_MAX,
    depthMax: 1,
    separatorsMax: TOPICS_PER_SESSION_MAX - 1,
  });
  if (!read.ok) {
    if (read.problem === 'too-many-values') return { ok: false, problem: 'too-many-topics' };
    if (read.problem === 'too-deep') return { ok: false, problem: 'not-an-array-of-scalars' };
    return { ok: false, problem: read.problem };
  }
  // `null` is how a client without topics may write its empty list, and the reference clears the set on it. Any other
  // bare scalar clears it there too, but no client means that: it is refused, and the set stays.
  const elements: unknown = read.value === null ? [] : read.value;
  if (!Array.isArray(elements)) return { ok: false, problem: 'not-an-array-of-scalars' };

  const topics = new Set<string>();
  const refused: RefusedTopic[] = [];
  for (const element of elements) {
    const topic = scalarText(element);
    const problem = typeof element === 'number' && !Number.isSafeInteger(element) ? 'inexact-number' : fault(topic);
    if (problem === undefined) topics.add(topic);
    else refused.push({ topic: topic.slice(0, REFUSED_TOPIC_CHARS_MAX), problem });
  }
  return { ok: true, topics: [...topics], refused };
}

/** A fraction or a large number has several texts (the node prints 0.1 with 17 digits), so it names no topic. */
function scalarText(element: unknown): string {
  if (typeof element === 'string') return element;
  return element === null ? '' : String(element);
}

function fault(topic: string): RefusedTopic['problem'] | undefined {
  // A lone surrogate (`"\ud800"`) has no UTF-8 form: encoding it would subscribe to another topic.
  if (/\p{Cs}/u.test(topic)) return 'not-unicode';
  return topicFault(Buffer.from(topic, 'utf8'));
}

/**
 * The client's side: `["a","b"]`.
 * @throws RangeError for a topic or a number of topics that the other side would refuse.
 */
export function formatTopicList(topics: readonly string[]): Buffer {
  if (topics.length > TOPICS_PER_SESSION_MAX) {
    throw new RangeError(`${topics.length} topics are over the maximum of ${TOPICS_PER_SESSION_MAX}`);
  }
  for (const topic of topics) {
    const problem = fault(topic);
    if (problem !== undefined) {
      const shown = JSON.stringify(topic.slice(0, REFUSED_TOPIC_CHARS_MAX));
      throw new RangeError(
        `topic ${shown} is refused (${problem}): use at most ${TOPIC_BYTES_MAX} bytes of UTF-8 without control characters`,
      );
    }
  }
  return Buffer.from(JSON.stringify(topics), 'utf8');
}
