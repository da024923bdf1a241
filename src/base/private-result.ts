/**
 * What comes of certifying a private topic. Label `result` of `amop_private_certifications_total`; values are API and are only
 * ever added.
 */
export const PRIVATE_RESULTS = [
  'certified', // the sender says that the signature was right
  'refused', // the sender says that it was not
  'unanswered', // the sender was asked and said nothing
  'challenge-failed', // the challenge was not answered by a signature
  'subscriber-left', // the subscriber disconnected right after it was challenged
  'expired', // a success ran out before it was renewed
  'not-asked', // a 0x38 for nothing that was asked, or for a second time
  'claim-refused', // a challenge topic that another certificate holds
  'sender-refused', // a session that may not send on the topic, by `[[private_topic]] senders`
  'pairs-max', // more senders and subscribers than the relay certifies
] as const;
export type PrivateResult = (typeof PRIVATE_RESULTS)[number];
