/**
 * The numbers under which relays speak among themselves. A 2.x node drops the unknown module and stays connected (seen on a
 * running v2.11.0 node), so a relay may say them to anybody.
 */

/** Module of group 0, so it fits the 8-bit module of RC1 headers; a response carries its negative. */
export const RELAY_MODULE = 90;

/**
 * `packetType` of frames of that module; the hello stands in hello.ts, the lists in relay-topics.ts, private messages and
 * challenges in private-frame.ts.
 */
export const RelayPacketType = {
  hello: 1,
  requestTopics: 2,
  sendTopics: 3,
  privateMessage: 4,
  challenge: 5,
} as const;

/**
 * `packetType` of an AMOP response (module 1) that a relay made itself, because it could not deliver. A subscriber's own answer
 * carries 0, as in the reference, whose receivers look at the frame inside only.
 */
export const RELAY_RESPONSE = 1;
