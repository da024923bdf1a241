/**
 * Which challenge topics of a list are for which message topic. Here the names must match exactly; the reference takes the first
 * entry that starts with `#!$VerifyChannel_` and the message topic, which may be one of another private topic.
 */
import { parsePrivateTopic } from './topic.js';

/** Challenge topics by the message topic that they are for, in the order of their characters. */
export function challengesByTopic(topics: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const challenges = new Map<string, string[]>();
  for (const topic of [...topics].sort()) {
    const parsed = parsePrivateTopic(topic);
    if (parsed?.kind !== 'challenge') continue;
    const known = challenges.get(parsed.messageTopic) ?? [];
    challenges.set(parsed.messageTopic, known);
    known.push(topic);
  }
  return challenges;
}
