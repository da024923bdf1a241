import { randomBytes } from 'node:crypto';
import { tryNative } from './loader.js';
import { AddonSecp256k1 } from './secp256k1-native.js';
import { SECP256K1_SEED_BYTES, type Secp256k1 } from './secp256k1-types.js';

/**
 * Makes a secp256k1 with contexts and bounds of its own: one for each thread that needs it is enough.
 * The twin is imported only where it is needed: @noble adds tens of milliseconds to the start of a process.
 *
 * @param prefer 'auto' takes the addon where it loads, else the twin
 * @throws Error when 'native' was asked for and the addon does not load
 */
export async function createSecp256k1(prefer: 'native' | 'typescript' | 'auto' = 'auto'): Promise<Secp256k1> {
  const { addon, reason } = prefer === 'typescript' ? { reason: 'not asked for' } : tryNative();
  if (addon === undefined) {
    if (prefer === 'native') throw new Error(`native secp256k1 is not available: ${reason}`);
    const { TwinSecp256k1 } = await import('./secp256k1-twin.js');
    return new TwinSecp256k1();
  }
  const seed = randomBytes(SECP256K1_SEED_BYTES);
  try {
    return new AddonSecp256k1(addon, seed);
  } finally {
    seed.fill(0);
  }
}
