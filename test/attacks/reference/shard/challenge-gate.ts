/** The reference hands a challenge to whoever subscribes to its topic: from anybody, of any content, as often as it comes. */
import type { ChallengeResult } from '../../../../src/base/stats.js';
import type { ChallengeAttempt, ChallengeGate as Ours } from '../../../../src/shard/challenge-gate.js';

export class ChallengeGate implements Pick<Ours, keyof Ours> {
  admit({ held }: ChallengeAttempt): ChallengeResult {
    return held ? 'passed' : 'no-subscriber';
  }
}
