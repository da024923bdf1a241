/** The reference hands a challenge to whoever subscribes to its topic. */
import type { AskedClaims as Ours } from '../../../../src/shard/asked-claims.js';

export class AskedClaims implements Pick<Ours, keyof Ours> {
  asked(): void {}

  receivers(): undefined {
    return undefined;
  }
}
