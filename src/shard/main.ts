/**
 * A shard as one long-lived task of the pool: it runs until the control thread sends `drain` and everything has ended.
 * A failure to start is the result of the task: a message through the port could be overtaken by the end of the task.
 */
import { createSecp256k1 } from '../addon/secp256k1.js';
import { systemClock } from '../base/clock.js';
import { errorText } from '../base/errors.js';
import type { ShardOutcome, ShardSetup, ShardToControl } from './messages.js';
import { PortLogger } from './port-logger.js';
import type { SignChallenge } from './private-agents.js';
import { Shard } from './shard.js';

/** How often a shard says that its event loop runs. */
const ALIVE_MS = 1_000;

export default async function run(setup: ShardSetup): Promise<ShardOutcome> {
  const post = (message: ShardToControl): void => setup.port.postMessage(message);
  const logger = new PortLogger(setup.port, setup.logLevel, () => systemClock.nowMs());
  const shard = new Shard(setup, logger, systemClock, await challengeSigner());
  try {
    const { listeners, p2p } = await shard.start();
    post({ type: 'listening', listeners, p2p, scanner: shard.scanner.implementation });
  } catch (error) {
    shard.abort();
    setup.port.close();
    return { failed: { code: 'listen-failed', message: errorText(error) } };
  }
  const alive = setInterval(() => post({ type: 'alive' }), ALIVE_MS);
  await shard.stopped();
  clearInterval(alive);
  setup.port.close();
  return {};
}

/** Signs challenges with keys of the relay, which may come with a reload: as SDKs do, the Keccak-256 of what came. */
async function challengeSigner(): Promise<SignChallenge> {
  const secp256k1 = await createSecp256k1();
  return (payload, privateKey) => secp256k1.sign(secp256k1.keccak256(payload), privateKey);
}
