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
  'pending-max', // too many requests without an answer
  'malformed-body',
  'private-topic',
  'draining',
] as const;

export type FailureReason = (typeof FAILURE_REASONS)[number];
