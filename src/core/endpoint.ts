/**
 * What routing needs of a session or of a peer link. The shard's connections implement it over sockets, tests over arrays.
 * The `router…` fields belong to the router alone: they live here because a field is cheaper than a map on the hot path.
 */
import type { FailureReason } from '../base/failure-reason.js';
import type { RequestList } from './pending-requests.js';
import type { Topic } from './topic-table.js';

export interface Endpoint {
  /** True for a link to another relay or node: it stands for its subscribers, and is never given what came from a peer. */
  readonly isPeer: boolean;
  /**
   * Of a link to a relay: links with the same value lead to the same process, which may answer over any of them what came over
   * one. Undefined for everybody else.
   */
  readonly process?: string | undefined;
  /** Unique in the process life of its shard. */
  readonly id: number;
  /** Requests this session sent that have no answer yet. */
  readonly routerRequests: RequestList;
  /** Pushes to this session that have no answer yet. */
  readonly routerPushes: RequestList;
  /** The last search for a subscriber in which this session could not take the frame. */
  routerPassedOver: number;
  /** Takes no bytes at the moment although some wait for it: others are preferred for a unicast. */
  stalled(nowMs: number): boolean;
  /**
   * Queues a frame (0x30 or 0x35) that the endpoint may refuse.
   * @param ticket the number under which a peer's response will come back; sessions answer under the sequence of the frame
   * @param topic what it was routed by, which decides the form that another relay gets it in
   * @returns false when the queue is full or the connection is closing; the frame was not taken.
   */
  deliver(frame: Buffer, ticket: number, topic: Topic, sender: Endpoint): boolean;
  /**
   * Queues an answer; an answer is never refused (its request bounds it).
   * @param ticket what `Router.unicast` was given with the request
   */
  answer(frame: Buffer, ticket: number): void;
  /** Queues a 0x31 with `code` for the request `frame`. */
  answerFailure(frame: Buffer, code: number, reason: FailureReason, ticket: number): void;
  /** The router holds `bytes` of this session's input until it calls `released` with the same number. */
  held(bytes: number): void;
  released(bytes: number): void;
}
