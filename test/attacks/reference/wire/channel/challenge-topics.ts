/** The reference takes the first entry of the list that starts with `#!$VerifyChannel_` and the message topic. */
import { CHALLENGE_TOPIC_PREFIX, MESSAGE_TOPIC_PREFIX } from '../../../../../src/wire/channel/topic.js';

export function challengesByTopic(topics: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const sorted = [...topics].sort();
  const challenges = new Map<string, readonly string[]>();
  for (const messageTopic of sorted.filter((topic) => topic.startsWith(MESSAGE_TOPIC_PREFIX))) {
    const first = sorted.find((topic) => topic.startsWith(CHALLENGE_TOPIC_PREFIX + messageTopic));
    if (first !== undefined) challenges.set(messageTopic, [first]);
  }
  return challenges;
}
