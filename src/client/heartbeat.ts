/**
 * Heartbeats and the dead-link check of one connection.
 *
 * A heartbeat is not an exchange: any byte from the relay shows that the link lives, so no answer is waited for.
 */
import type { Link, Outgoing } from './link.js';

export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly deadLinkMs: number;
  encode(): Buffer;
}

/** Starts the heartbeat; the returned function stops it. */
export function startHeartbeat(link: Link, options: HeartbeatOptions): () => void {
  let last: Outgoing | undefined;
  const check = () => {
    const silentMs = link.silentMs();
    if (silentMs < options.deadLinkMs) return;
    link.fail('dead-link', `nothing came from the relay for ${Math.round(silentMs)} ms`);
  };
  const timer = setInterval(() => {
    if (link.silentMs() >= options.deadLinkMs) {
      // After a pause of our own process timers run before the socket is read: look again when it has been.
      setImmediate(() => setImmediate(check));
      return;
    }
    // One that still waits in the queue is as good as a new one.
    if (last === undefined || last.handedOver) last = link.send(options.encode());
  }, options.intervalMs);
  return () => clearInterval(timer);
}
