import type { AmopError } from './amop-error.js';
import type { ServerInfo } from './session.js';

/** A message that was refused because the inbox of its topic was full. */
export interface DroppedMessage {
  readonly topic: string;
  readonly seq: string;
  /** A multicast is lost; a unicast is not answered, so the relay gives it to another subscriber. */
  readonly multicast: boolean;
  readonly relay: string;
}

/** Events of a client; relays are named `host:port`. There is no event `error`: calls carry their own. */
export interface ClientEvents {
  /** A relay is connected and has the subscriptions. */
  connect: [{ readonly relay: string; readonly server: ServerInfo }];
  /** A connection is lost; it is dialled again. */
  disconnect: [{ readonly relay: string; readonly error: AmopError }];
  /** A relay could not be reached; the next attempt follows after `delayMs`. */
  retry: [{ readonly relay: string; readonly error: AmopError; readonly delayMs: number }];
  /** A message was refused because the inbox of its topic was full. */
  drop: [DroppedMessage];
  /** `close` has ended everything. */
  close: [];
}

/** What became of frames, since the client was made. */
export interface ClientCounters {
  /** Answers that nobody waits for: late, or never asked for. */
  unmatchedResponses: number;
  /** Messages on a topic that is not subscribed (left unanswered, so that the relay tries another subscriber). */
  unhandledMessages: number;
  /** Messages whose body has no valid topic. */
  malformedMessages: number;
  /** Copies of a multicast that came over another connection too. */
  duplicateMessages: number;
  /** Certifications of private topics asked for by a relay that nobody here sends on, or that cannot be read. */
  unhandledCertifications: number;
  /** Unicasts refused because the inbox was full. */
  droppedUnicasts: number;
  /** Multicasts lost because the inbox was full. */
  droppedMulticasts: number;
  /** Answers that could not be sent: the connection of the message is gone or takes no data. */
  droppedAnswers: number;
}

export type RelayState = 'connected' | 'disconnected';

/** One relay of a client, now. */
export interface RelayStatus {
  /** `host:port`. */
  readonly relay: string;
  readonly state: RelayState;
  /** What it said about itself, while connected. */
  readonly server: ServerInfo | undefined;
  /** Calls that wait for its answer. */
  readonly outstanding: number;
  /** Smoothed time of the answers it makes itself. */
  readonly rttMs: number;
  /** Why its last connection or attempt ended. */
  readonly lastError: AmopError | undefined;
}
