/** Asks the bandwidth limits before a message of a session is routed. */
import { FLOW_SCOPES } from '../base/stats.js';
import type { ShardContext } from './context.js';
import type { Session } from './session.js';

/**
 * Asks the limits of the sender's own scopes, and charges them; answers 103 when one refuses.
 * @param copies 1 for a unicast, receivers for a multicast
 * @param needsPeer a multicast that goes to peers, too; a unicast asks when it is handed to one
 */
export function mayPass(
  context: ShardContext,
  session: Session,
  frame: Buffer,
  topic: string,
  copies: number,
  needsPeer: boolean,
  nowMs: number,
): boolean {
  const { flow, stats, router } = context;
  if (!flow.enabled) return true;
  const scope = flow.offer(session.flow, flow.topic(topic, nowMs), frame.length, copies, needsPeer, nowMs);
  if (scope === undefined) return true;
  stats.add('bandwidthRefused', FLOW_SCOPES.indexOf(scope));
  router.refuse(session, frame, 103, 'bandwidth-limit');
  return false;
}
