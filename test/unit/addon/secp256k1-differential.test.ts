/**
 * The addon against its twin on random input: AMOP_LONG=1 makes it 100,000 cases instead of some thousands, AMOP_SEED repeats a
 * run; the seed stands in the name of the test.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Verification } from '../../../src/addon/secp256k1-rows.js';
import { SIGNATURE_BATCH_ROWS_MAX } from '../../../src/base/limits.js';
import { seededRandom } from '../../helpers/random.js';
import { bothSecp256k1, bytes32, highTwin, N, P, RULES, recoverAll, toHex, verifyAll } from './secp256k1-helpers.js';

const IS_LONG = process.env.AMOP_LONG === '1';
const CASES = IS_LONG ? 100_000 : 3_000;
const SEED = Number(process.env.AMOP_SEED ?? randomInt(2 ** 31));

const { native, twin } = await bothSecp256k1();

function makeGenerator(seed: number) {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
  const bytes = (length: number) => Uint8Array.from({ length }, () => below(256));
  /** Small numbers, and those around the orders, where a comparison or a reduction may be wrong. */
  const edge = () => bytes32(pick([0n, N, P, N >> 1n, P - N, 1n << 255n, 2n ** 256n - 4n]) + BigInt(below(4)));
  const number = () => (below(4) === 0 ? edge() : bytes(32));
  const flip = (original: Uint8Array) => {
    const changed = Uint8Array.from(original);
    changed[below(changed.length)]! ^= 1 << below(8);
    return changed;
  };

  /** A right signature, then at most one thing about it that may be wrong. */
  function check(): Verification {
    const privateKey = bytes32((BigInt(`0x${toHex(bytes(32))}`) % (N - 1n)) + 1n);
    const publicKey = native.publicFromPrivate(privateKey)!;
    const digest = number();
    const rule = pick(RULES);
    const whole = native.sign(digest, privateKey);
    const signature = rule === 'compact' ? whole.subarray(0, 64) : whole;
    const right = { signature, digest, publicKey, rule };
    const change = [
      () => right,
      () => right,
      () => ({ ...right, signature: rule === 'compact' ? highTwin(whole).subarray(0, 64) : highTwin(whole) }),
      () => ({ ...right, signature: flip(signature) }),
      () => ({ ...right, digest: flip(digest) }),
      () => ({ ...right, publicKey: flip(publicKey) }),
      () => ({ ...right, publicKey: bytes(64) }),
      () => ({ ...right, signature: Uint8Array.of(...whole.subarray(0, 64), below(6)) }),
      () => ({ ...right, signature: bytes(pick([0, 63, 64, 65, 66, 300])) }),
      () => ({ ...right, signature: whole.subarray(0, 62 + below(4)) }),
      () => ({ ...right, signature: Uint8Array.of(...edge(), ...whole.subarray(32)) }),
      () => ({ ...right, signature: Uint8Array.of(...whole.subarray(0, 32), ...edge(), whole[64]!) }),
      () => ({ ...right, signature: Uint8Array.of(...edge(), ...edge(), below(4)) }),
    ];
    return pick(change)();
  }

  return { below, bytes, number, check };
}

function signOrRefuse(secp256k1: typeof native, digest: Uint8Array, privateKey: Uint8Array): string {
  try {
    return toHex(secp256k1.sign(digest, privateKey));
  } catch (error) {
    if (error instanceof TypeError) return 'refused';
    throw error;
  }
}

describe('native secp256k1 and its twin', () => {
  it(`agree on ${CASES} random cases (seed ${SEED})`, async () => {
    const generator = makeGenerator(SEED);
    const counts = { valid: 0, invalid: 0, recovered: 0, unrecovered: 0, signed: 0, refused: 0, hashed: 0 };
    let cases = 0;
    while (cases < CASES) {
      const verifications = Array.from({ length: SIGNATURE_BATCH_ROWS_MAX }, generator.check);
      const valid = await verifyAll(native, verifications);
      expect(valid).toEqual(await verifyAll(twin, verifications));

      const recoveries = Array.from({ length: 20 }, generator.check).map(({ signature, digest, rule }) => ({
        signature,
        digest,
        rule: rule === 'java' ? ('java' as const) : ('strict' as const),
      }));
      const keys = await recoverAll(native, recoveries);
      expect(keys).toEqual(await recoverAll(twin, recoveries));

      const keyPairs = Array.from({ length: 16 }, () => [generator.number(), generator.number()] as const);
      const signatures = keyPairs.map(([digest, privateKey]) => signOrRefuse(native, digest, privateKey));
      expect(signatures).toEqual(keyPairs.map(([digest, privateKey]) => signOrRefuse(twin, digest, privateKey)));
      const publicKeys = keyPairs.map(([, privateKey]) => native.publicFromPrivate(privateKey));
      expect(publicKeys).toEqual(keyPairs.map(([, privateKey]) => twin.publicFromPrivate(privateKey)));

      const inputs = Array.from({ length: 10 }, () => generator.bytes(generator.below(600)));
      expect(inputs.map((input) => native.keccak256(input))).toEqual(inputs.map((input) => twin.keccak256(input)));

      counts.valid += valid.filter(Boolean).length;
      counts.invalid += valid.filter((ok) => !ok).length;
      counts.recovered += keys.filter((key) => key !== undefined).length;
      counts.unrecovered += keys.filter((key) => key === undefined).length;
      counts.signed += signatures.filter((signature) => signature !== 'refused').length;
      counts.refused += signatures.filter((signature) => signature === 'refused').length;
      counts.hashed += inputs.length;
      cases += verifications.length + recoveries.length + 2 * keyPairs.length + inputs.length;
    }
    // The generator must reach all of it, or agreement says nothing.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(CASES / 250);
  }, 1_200_000);

  it('agree on inputs of every length around the blocks of Keccak', () => {
    for (let length = 0; length <= 3 * 136 + 1; length++) {
      const input = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
      expect(native.keccak256(input)).toEqual(twin.keccak256(input));
    }
  });
});
