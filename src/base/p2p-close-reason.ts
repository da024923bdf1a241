/**
 * Why a link to a peer ended. Each value is a label of `amop_p2p_connections_closed_total{reason}` and stands in the log;
 * values are API and are only ever added. Nothing of this goes over the wire: the P2P protocol has no goodbye.
 */
export const P2P_CLOSE_REASONS = [
  'peer-closed', // the peer ended the connection
  'connection-lost', // reset or another socket error
  'no-node-id', // certificate without basicConstraints, or without an EC key: there is nothing to know the peer by
  'self', // the certificate holds our own key: we dialled ourselves, or somebody uses a copy of it
  'blacklisted', // on `[certificate_blacklist]`, which wins over the white list
  'not-whitelisted', // `[certificate_whitelist]` has entries and this is none of them
  'sdk-certificate', // OU=sdk while `p2p.allow_sdk_certificates` is off
  'duplicate-peer', // another link to the same node ID stays
  'replaced', // a newer link took over from one that was silent or led to an earlier start of the peer
  'peers-max', // the relay holds as many peers or links as it can
  'idle', // nothing received for 60 s
  'frame-too-short', // declared length below the header
  'frame-too-long', // declared length above the maximum
  'frame-stalled', // a frame stopped arriving while the inbound budget was exhausted
  'queue-full', // slow peer: its output queue was full and took no byte for too long
  'protocol-hello', // a hello that cannot be decoded
  'protocol-compression', // a Snappy block that is corrupt or claims more than a frame may hold
  'draining', // the relay is shutting down
  'internal-error', // our own fault, logged at level error
  'untrusted-certificate', // after a reload: it does not lead to a CA of ours any more
  'expired-certificate', // found at a reload
  'revoked-certificate', // after a reload: it stands in a list
] as const;

export type P2PCloseReason = (typeof P2P_CLOSE_REASONS)[number];

/** What was refused while its link was kept: label of `amop_p2p_input_refused_total`. */
export const P2P_REFUSALS = [
  'malformed-frame', // AMOP frame whose inside is no channel frame: nothing can be answered
  'malformed-body', // empty body, topic byte 0 or beyond the body, control character, reserved or private topic
  'unknown-type', // a channel frame that nodes do not exchange
  'unmatched-response', // an answer that nobody waits for, often a late one
  'inbound-budget', // a compressed frame that did not fit the memory left for input
  'gossip-dropped', // our own gossip for a peer whose output queue is full
  'gossip-rate', // the peer asked for topics more often than it may
  'topic-list', // a list that cannot be read or holds too many topics
  'topic', // elements of a list that are no topics
] as const;

export type P2PRefusal = (typeof P2P_REFUSALS)[number];
