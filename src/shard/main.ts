/**
 * A shard as one long-lived task of the pool: it runs until the control thread sends `drain` and everything has ended.
 * A failure to start is told through the port as well as by rejecting the task.
 */
import { systemClock } from '../base/clock.js';
import { errorText, type RelayErrorCode } from '../base/errors.js';
import type { ShardSetup, ShardToControl } from './messages.js';
import { PortLogger } from './port-logger.js';
import { Shard } from './shard.js';

/** How often a shard says that its event loop runs. */
const ALIVE_MS = 1_000;

export default async function run(setup: ShardSetup): Promise<void> {
  const post = (message: ShardToControl): void => setup.port.postMessage(message);
  const logger = new PortLogger(setup.port, setup.logLevel, () => systemClock.nowMs());
  const shard = new Shard(setup, logger, systemClock);
  try {
    const listeners = await shard.start();
    post({ type: 'listening', listeners, scanner: shard.scanner.implementation });
  } catch (error) {
    shard.abort();
    post({ type: 'failed', code: 'listen-failed' satisfies RelayErrorCode, message: errorText(error) });
    setup.port.close();
    return;
  }
  const alive = setInterval(() => post({ type: 'alive' }), ALIVE_MS);
  await shard.stopped();
  clearInterval(alive);
  setup.port.close();
}
