/**
 * How a fisco 2.x node keeps private topics of a peer (node specification §4): a status for each topic of the peer's list, and the
 * questions that follow from it. The rules only; the scripted node in legacy-peer.ts asks and listens.
 *
 *   a private topic is verifying until somebody says 0 or something else of it, and that is final while the name stays listed
 *   the challenge topic is the first of the list that begins with the right name, whatever follows it
 *   a success is of the node as a whole: every session there receives, and every one here may send
 */
export const STATUS = { verifying: 0, success: 1, failed: 2 } as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

const MESSAGE_PREFIX = '#!$TopicNeedVerify_';
const CHALLENGE_PREFIX = '#!$VerifyChannel_';
export const PUSH_PREFIX = '#!$PushChannel_';

/** Topics of a peer with their status, in the order of their bytes. */
export type Statuses = ReadonlyMap<string, Status>;

/** The statuses after a list has come. */
export function statusesOf(before: Statuses, topics: readonly string[]): Statuses {
  const sorted = [...topics].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return new Map(
    sorted.map((topic) => [
      topic,
      topic.startsWith(MESSAGE_PREFIX) ? (before.get(topic) ?? STATUS.verifying) : STATUS.success,
    ]),
  );
}

/** The statuses after a 0x38: only of what is verifying. */
export function statusesAfter(before: Statuses, topic: string, checkResult: number): Statuses {
  if (before.get(topic) !== STATUS.verifying) return before;
  return new Map(before).set(topic, checkResult === 0 ? STATUS.success : STATUS.failed);
}

/** What the node asks about now, with the challenge topic that it takes. */
export function verifying(statuses: Statuses): { readonly topic: string; readonly topicForCert: string }[] {
  const questions: { topic: string; topicForCert: string }[] = [];
  for (const [topic, status] of statuses) {
    if (status !== STATUS.verifying) continue;
    const topicForCert = [...statuses.keys()].find((one) => one.startsWith(CHALLENGE_PREFIX + topic));
    if (topicForCert !== undefined) questions.push({ topic, topicForCert });
  }
  return questions;
}
