import { describe, expect, it } from 'vitest';
import { type NativeAddon, type NativeSecp256k1, NativeStatus } from '../../../src/addon/loader.js';
import { AddonSecp256k1 } from '../../../src/addon/secp256k1-native.js';
import { writeVerifyRow } from '../../../src/addon/secp256k1-rows.js';
import { TwinSecp256k1 } from '../../../src/addon/secp256k1-twin.js';
import { VERIFY_ROW_BYTES } from '../../../src/addon/secp256k1-types.js';
import { SIGNATURE_BATCH_ROWS_MAX } from '../../../src/base/limits.js';
import { bothSecp256k1, bytes32, KEY_A, TIMEOUT_MS } from './secp256k1-helpers.js';

const row = new Uint8Array(VERIFY_ROW_BYTES);

/** An addon whose batches end in `start`. */
function addonWith(start: NativeSecp256k1['verifyBatch']): NativeAddon {
  class Secp256k1 implements NativeSecp256k1 {
    verifyBatch = start;
    recoverBatch = start;
    sign = () => NativeStatus.ok;
    publicFromPrivate = () => NativeStatus.ok;
  }
  return { contract: 2, FrameScanner: Object as never, Secp256k1, keccak256: () => NativeStatus.ok };
}

describe('batches of the addon', () => {
  const seed = new Uint8Array(32);

  it.each([
    ['has no place', () => NativeStatus.busy],
    ['has no memory to start', () => NativeStatus.noMemory],
    [
      'has no memory for the results',
      (_: Uint8Array, done: () => void) => {
        setImmediate(done);
        return NativeStatus.ok;
      },
    ],
  ] as const)('resolve as overloaded where it %s', async (_, start) => {
    const secp256k1 = new AddonSecp256k1(addonWith(start), seed);
    expect(await secp256k1.verifyBatch(row, TIMEOUT_MS)).toBe('overloaded');
    expect(await secp256k1.verifyBatch(row, TIMEOUT_MS)).toBe('overloaded');
  });

  it('reject where the addon says that it was called wrongly', async () => {
    const secp256k1 = new AddonSecp256k1(
      addonWith(() => NativeStatus.calledWrongly),
      seed,
    );
    await expect(secp256k1.verifyBatch(row, TIMEOUT_MS)).rejects.toThrow('invariant broken');
  });
});

describe('batches', () => {
  it('are refused at once above the bound, by both implementations', async () => {
    for (const secp256k1 of Object.values(await bothSecp256k1())) {
      const outcomes = Array.from({ length: 70 }, () => secp256k1.verifyBatch(row, TIMEOUT_MS));
      const places = secp256k1.inFlightMax + 64;
      expect(await Promise.all(outcomes)).toEqual(
        Array.from({ length: 70 }, (_, i) => (i < places ? Uint8Array.of(0) : 'overloaded')),
      );
    }
  });

  it('of the twin give way to the next when they are late, instead of being worked off', async () => {
    const twin = new TwinSecp256k1();
    // Rows that take a millisecond each.
    const full = new Uint8Array(SIGNATURE_BATCH_ROWS_MAX * VERIFY_ROW_BYTES);
    const digest = bytes32(5n);
    const check = { signature: twin.sign(digest, KEY_A.privateKey), digest, publicKey: KEY_A.publicKey };
    for (let i = 0; i < SIGNATURE_BATCH_ROWS_MAX; i++) writeVerifyRow(full, i, check);
    const late = twin.verifyBatch(full, 1);
    const next = twin.verifyBatch(row, TIMEOUT_MS);
    expect(await late).toBe('timed-out');
    let turns = 0;
    const count = () => {
      turns++;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    expect(await next).toEqual(Uint8Array.of(0));
    clearImmediate(immediate);
    // One for the row under way, one for the next batch, and some to spare; the rest of the late one would take 60.
    expect(turns).toBeLessThan(10);
  });
});
