/**
 * Why a request ended with a code of our own. Label `reason` of `amop_request_failures_total`, field `reason` of the log
 * and of the body that our own client asks for. Values are API and are only ever added.
 */
export const FAILURE_REASONS = [
  'no-subscriber', // nobody but possibly the sender subscribes to the topic
  'subscriber-silent', // pushed to every choice, none answered in time
  'subscriber-gone', // pushed, then the subscriber's connection ended
  'subscriber-busy', // every choice had a full queue, was closing or held the same sequence already
  'deadline', // request_timeout_ms passed with choices left
  'bandwidth-limit', // a limit of the sender's own scope, or of every way to a subscriber
  'peer-unavailable', // every relay or node with subscribers was unreachable or could not take it
  'node-without-subscriber', // a 2.x node answered 104: none of its subscribers answered
  'pending-max', // too many requests without an answer
  'malformed-body',
  'private-topic', // `#!$` name of no known form, or plain from another relay
  'draining',
  'not-certified', // no receiver of a private topic is certified for this sender, or it may not send there
  'challenge-refused', // a challenge from nobody who may challenge, in no known form, or one too many
] as const;

export type FailureReason = (typeof FAILURE_REASONS)[number];
