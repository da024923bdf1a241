/** Names of private topics: callers say the plain one, the wire carries those of wire/channel/topic.ts. */
import { randomUUID } from 'node:crypto';
import {
  CHALLENGE_TOPIC_PREFIX,
  MESSAGE_TOPIC_PREFIX,
  PRIVATE_NAME_BYTES_MAX,
  PRIVATE_PREFIX,
  PUSH_TOPIC_PREFIX,
} from '../wire/channel/topic.js';
import { checkTopic } from './payload.js';

/** Plain name of a private topic: 1 to 185 bytes of UTF-8, so that its challenge topic fits a frame. */
export function checkPrivateName(topic: unknown): asserts topic is string {
  checkTopic(topic);
  if (topic.startsWith(PRIVATE_PREFIX)) {
    throw new RangeError(`give the plain name of a private topic, without ${PRIVATE_PREFIX} and what follows it`);
  }
  if (Buffer.byteLength(topic) > PRIVATE_NAME_BYTES_MAX) {
    throw new RangeError(`a private topic must not be longer than ${PRIVATE_NAME_BYTES_MAX} bytes`);
  }
}

export function messageTopicOf(name: string): string {
  return MESSAGE_TOPIC_PREFIX + name;
}

export function pushTopicOf(name: string): string {
  return PUSH_TOPIC_PREFIX + messageTopicOf(name);
}

/** A challenge topic of its own for each subscription: its 32 digits tell the subscribers of a topic apart. */
export function newChallengeTopic(name: string): string {
  return `${CHALLENGE_TOPIC_PREFIX}${messageTopicOf(name)}_${randomUUID().replaceAll('-', '')}`;
}
