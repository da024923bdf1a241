/** Private topics of a relay where nobody uses any. */
import { silentLogger } from '../../../../src/base/logger.js';
import { createStatMemory, Stats } from '../../../../src/base/stats.js';
import { PrivateTopics } from '../../../../src/control/private/private-topics.js';

export function noPrivates(ownNodeId: string): PrivateTopics {
  return new PrivateTopics({
    ownNodeId,
    certifyLocal: true,
    ttlMs: 60_000,
    maySend: () => true,
    agentTopics: [],
    verify: async () => 'wrong',
    logger: silentLogger,
    clock: { nowMs: () => 0 },
    stats: new Stats(createStatMemory()),
    post: () => {},
    announce: () => {},
  });
}
