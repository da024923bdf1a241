/**
 * Which byte strings are topics, which of them a client may send to, and the names around a private topic.
 *
 *   message topic    N = `#!$TopicNeedVerify_` name            announced by the subscriber, carries the messages
 *   challenge topic  V = `#!$VerifyChannel_` N `_` 32 hex      announced by the subscriber, carries the certification
 *   push topic           `#!$PushChannel_` N                   announced by the publisher, asks to be sent 0x37
 *
 * The reference takes any topic that starts with `#!$VerifyChannel_` N for the challenge topic of N, which lets `ab` pick
 * the one of `abC`; here the match is exact.
 */
import { CHANNEL_HEADER_BYTES, TOPIC_BYTES_MAX } from '../../base/limits.js';
import { MessageType } from './message-type.js';

/** What all private-topic names start with. */
export const PRIVATE_PREFIX = '#!$';
export const MESSAGE_TOPIC_PREFIX = '#!$TopicNeedVerify_';
export const CHALLENGE_TOPIC_PREFIX = '#!$VerifyChannel_';
export const PUSH_TOPIC_PREFIX = '#!$PushChannel_';
/** Followed by a group number; a Go client panics when a message arrives on it. */
export const BLOCK_NOTIFY_PREFIX = '_block_notify_';

/** `_` and 32 hex digits at the end of a challenge topic. */
const CHALLENGE_SUFFIX = /^_[0-9a-fA-F]{32}$/;
const CHALLENGE_SUFFIX_CHARS = 33;

/** Longest plain name of a private topic in bytes: its challenge topic must fit 254. */
export const PRIVATE_NAME_BYTES_MAX =
  TOPIC_BYTES_MAX - CHALLENGE_TOPIC_PREFIX.length - MESSAGE_TOPIC_PREFIX.length - CHALLENGE_SUFFIX_CHARS;

export type TopicProblem = 'too-long' | 'control-character';

/**
 * Why these bytes cannot be a topic, or undefined. Control characters are the bytes 0x00-0x1f and 0x7f: a TAB would
 * split the topic in two in the lists that nodes exchange, the others have no place in a name that is logged and shown.
 */
export function topicFault(topic: Uint8Array): TopicProblem | undefined {
  if (topic.length > TOPIC_BYTES_MAX) return 'too-long';
  for (let i = 0; i < topic.length; i++) {
    const byte = topic[i];
    if (byte < 0x20 || byte === 0x7f) return 'control-character';
  }
  return undefined;
}

function startsWith(topic: Uint8Array, prefix: string): boolean {
  if (topic.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (topic[i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}

/** True for every topic that starts with `#!$`. */
export function isPrivateTopic(topic: Uint8Array): boolean {
  return startsWith(topic, PRIVATE_PREFIX);
}

/** Has this 0x30 or 0x35, whose topic is well-formed, a topic that starts with `#!$`? Reads integers only. */
export function hasPrivateTopic(frame: Uint8Array): boolean {
  const at = CHANNEL_HEADER_BYTES;
  // The length byte counts itself.
  return (
    frame[at] > PRIVATE_PREFIX.length && frame[at + 1] === 0x23 && frame[at + 2] === 0x21 && frame[at + 3] === 0x24
  );
}

/**
 * True when a client may not send a frame of this type (0x30 or 0x35) to the topic, although it may subscribe to it:
 * `_block_notify_*` and `#!$PushChannel_*` with both types, `#!$VerifyChannel_*` with 0x35.
 */
export function isReservedForSending(topic: Uint8Array, type: number): boolean {
  if (startsWith(topic, BLOCK_NOTIFY_PREFIX) || startsWith(topic, PUSH_TOPIC_PREFIX)) return true;
  return type === MessageType.multicast && startsWith(topic, CHALLENGE_TOPIC_PREFIX);
}

export type PrivateTopic =
  | { readonly kind: 'message'; readonly messageTopic: string; readonly name: string }
  | { readonly kind: 'challenge'; readonly messageTopic: string; readonly name: string }
  | { readonly kind: 'push'; readonly messageTopic: string; readonly name: string };

/** Reads a name of the table above; undefined for an ordinary topic and for a private one of no known form. */
export function parsePrivateTopic(topic: string): PrivateTopic | undefined {
  if (topic.startsWith(MESSAGE_TOPIC_PREFIX)) return named('message', topic);
  if (topic.startsWith(PUSH_TOPIC_PREFIX)) return named('push', topic.slice(PUSH_TOPIC_PREFIX.length));
  if (!topic.startsWith(CHALLENGE_TOPIC_PREFIX)) return undefined;
  if (!CHALLENGE_SUFFIX.test(topic.slice(-CHALLENGE_SUFFIX_CHARS))) return undefined;
  return named('challenge', topic.slice(CHALLENGE_TOPIC_PREFIX.length, -CHALLENGE_SUFFIX_CHARS));
}

function named(kind: PrivateTopic['kind'], messageTopic: string): PrivateTopic | undefined {
  if (!messageTopic.startsWith(MESSAGE_TOPIC_PREFIX)) return undefined;
  return { kind, messageTopic, name: messageTopic.slice(MESSAGE_TOPIC_PREFIX.length) };
}

/** True when `topic` is the challenge topic of exactly this message topic. */
export function isChallengeTopicOf(topic: string, messageTopic: string): boolean {
  const parsed = parsePrivateTopic(topic);
  return parsed?.kind === 'challenge' && parsed.messageTopic === messageTopic;
}
