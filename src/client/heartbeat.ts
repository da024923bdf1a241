/**
 * Heartbeats and the dead-link check of one connection. Any byte from the relay shows that the link lives; the answer
 * to a heartbeat shows besides how fast the relay is.
 */
export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly deadLinkMs: number;
  /** Milliseconds since the last byte came. */
  silentMs(): number;
  /** Sends one, unless the last is still on its way. */
  beat(): void;
  onDead(silentMs: number): void;
}

/** Starts the heartbeat; the returned function stops it. */
export function startHeartbeat(options: HeartbeatOptions): () => void {
  const check = () => {
    const silentMs = options.silentMs();
    if (silentMs >= options.deadLinkMs) options.onDead(silentMs);
  };
  const timer = setInterval(() => {
    if (options.silentMs() < options.deadLinkMs) options.beat();
    // After a pause of our own process timers run before the socket is read: look again when it has been.
    else setImmediate(() => setImmediate(check));
  }, options.intervalMs);
  return () => clearInterval(timer);
}
