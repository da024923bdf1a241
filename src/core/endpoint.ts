/**
 * What routing needs of a session. The shard's sessions implement it over sockets, tests implement it over arrays.
 * The `router…` fields belong to the router alone: they live here because a field is cheaper than a map on the hot path.
 */
import type { FailureReason } from '../base/failure-reason.js';
import type { RequestList } from './pending-requests.js';

export interface Endpoint {
  /** Unique in the process life of its shard. */
  readonly id: number;
  /** Requests this session sent that have no answer yet. */
  readonly routerRequests: RequestList;
  /** Pushes to this session that have no answer yet. */
  readonly routerPushes: RequestList;
  /** The last search for a subscriber in which this session could not take the frame. */
  routerPassedOver: number;
  /**
   * Queues a frame (0x30 or 0x35) that the session may refuse.
   * @returns false when the queue is full or the session is closing; the frame was not taken.
   */
  deliver(frame: Buffer): boolean;
  /** Queues an answer; an answer is never refused (its request bounds it). */
  answer(frame: Buffer): void;
  /** Queues a 0x31 with `code` for the request `frame`. */
  answerFailure(frame: Buffer, code: number, reason: FailureReason): void;
  /** The router holds `bytes` of this session's input until it calls `released` with the same number. */
  held(bytes: number): void;
  released(bytes: number): void;
}
