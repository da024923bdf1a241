import { describe, expect, it } from 'vitest';
import type { BatchFailure, Secp256k1 } from '../../../src/addon/secp256k1-types.js';
import { RECOVER_ROW_BYTES, VERIFY_ROW_BYTES } from '../../../src/addon/secp256k1-types.js';
import { SignatureVerifier } from '../../../src/addon/signature-verifier.js';
import { bothSecp256k1, bytes32, GO_KEY, KEY_A, TIMEOUT_MS } from './secp256k1-helpers.js';

// biome-ignore lint/suspicious/noExplicitAny: wrong types are the point
const wrong = (value: unknown): any => value;

const { native, twin } = await bothSecp256k1();
const digest = bytes32(77n);
const good = { signature: native.sign(digest, KEY_A.privateKey), digest, publicKey: KEY_A.publicKey };
const bad = { ...good, publicKey: GO_KEY.publicKey };

/** Remembers the size of every batch; fails them all when `failure` says so. */
class Recorder implements Secp256k1 {
  readonly implementation = 'native';
  readonly inFlightMax: number;
  readonly batches: number[] = [];
  readonly timeoutsMs = new Set<number>();
  failure: BatchFailure | Error | undefined;

  constructor(inFlightMax: number) {
    this.inFlightMax = inFlightMax;
  }

  verifyBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    return this.#look(rows.length / VERIFY_ROW_BYTES, timeoutMs, () => native.verifyBatch(rows, timeoutMs));
  }

  recoverBatch(rows: Uint8Array, timeoutMs: number): Promise<Uint8Array | BatchFailure> {
    return this.#look(rows.length / RECOVER_ROW_BYTES, timeoutMs, () => native.recoverBatch(rows, timeoutMs));
  }

  async #look(count: number, timeoutMs: number, run: () => Promise<Uint8Array | BatchFailure>) {
    this.batches.push(count);
    this.timeoutsMs.add(timeoutMs);
    if (this.failure instanceof Error) throw this.failure;
    return this.failure ?? run();
  }

  sign = native.sign;
  publicFromPrivate = native.publicFromPrivate;
  keccak256 = native.keccak256;
}

describe.each([
  ['native', native],
  ['typescript', twin],
] as const)('signature verifier over %s', (_, secp256k1) => {
  it('gives each caller the answer to its own question', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: TIMEOUT_MS });
    const outcomes = Array.from({ length: 20 }, (_, i) => verifier.verify(i % 3 === 0 ? bad : good));
    expect(await Promise.all(outcomes)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? 'invalid' : 'valid')),
    );
    const { signature } = good;
    const recoveries = await Promise.all([
      verifier.recover(good),
      verifier.recover({ signature: signature.subarray(1), digest }),
      verifier.recover(good),
    ]);
    expect(recoveries).toEqual([KEY_A.publicKey, 'invalid', KEY_A.publicKey]);
  });

  it('lets callers reuse their buffers at once', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: TIMEOUT_MS });
    const signature = Buffer.from(good.signature);
    const outcome = verifier.verify({ ...good, signature });
    signature.fill(0);
    expect(await outcome).toBe('valid');
  });

  it('keeps to the rule of each check', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: TIMEOUT_MS });
    const signature = Uint8Array.from(good.signature);
    signature[64]! ^= 1;
    const checks = (['strict', 'java', 'go'] as const).map((rule) => verifier.verify({ ...good, signature, rule }));
    expect(await Promise.all(checks)).toEqual(['invalid', 'invalid', 'valid']);
  });

  it('says timed out when the answer is late', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: 0.001 });
    const outcomes = Array.from({ length: 64 * 8 }, () => verifier.verify(good));
    const late = (await Promise.all(outcomes)).filter((outcome) => outcome === 'timed-out');
    expect(late.length).toBeGreaterThan(0);
  });

  it('takes nothing of an earlier signature for part of a shorter one', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: TIMEOUT_MS });
    expect(await verifier.verify(good)).toBe('valid');
    for (const length of [0, 63, 64]) {
      expect(await verifier.verify({ ...good, signature: good.signature.subarray(0, length) })).toBe('invalid');
    }
  });

  it('rejects wrong arguments and goes on with the others', async () => {
    const verifier = new SignatureVerifier(secp256k1, { timeoutMs: TIMEOUT_MS });
    const first = verifier.verify(good);
    const refused = [
      { ...good, publicKey: Uint8Array.of(4, ...KEY_A.publicKey) },
      { ...good, digest: new Uint8Array(20) },
      { ...good, signature: 'text' },
      { ...good, rule: 'lax' },
      { ...good, rule: 'toString' },
      {},
    ].map((check) => verifier.verify(wrong(check)));
    const recoveries = [
      { ...good, rule: 'go' },
      { ...good, digest: undefined },
    ].map((check) => verifier.recover(wrong(check)));
    const last = verifier.verify(bad);
    for (const outcome of [...refused, ...recoveries]) await expect(outcome).rejects.toThrow(TypeError);
    expect([await first, await last]).toEqual(['valid', 'invalid']);
  });
});

describe('micro-batches', () => {
  const ask = (verifier: SignatureVerifier, count: number) =>
    Promise.all(Array.from({ length: count }, () => verifier.verify(good)));

  it('hold what is asked for within one turn, at most 64', async () => {
    const recorder = new Recorder(1);
    const verifier = new SignatureVerifier(recorder, { timeoutMs: 1234 });
    await ask(verifier, 1);
    await ask(verifier, 64);
    await ask(verifier, 150);
    expect(recorder.batches).toEqual([1, 64, 64, 64, 22]);
    expect([...recorder.timeoutsMs]).toEqual([1234]);
  });

  it('are split over the threads there are, but never below 4', async () => {
    const recorder = new Recorder(2);
    const verifier = new SignatureVerifier(recorder, { timeoutMs: TIMEOUT_MS });
    for (const count of [3, 7, 8, 21]) await ask(verifier, count);
    expect(recorder.batches).toEqual([3, 7, 4, 4, 11, 10]);
  });

  it('do not mix verifications and recoveries', async () => {
    const recorder = new Recorder(1);
    const verifier = new SignatureVerifier(recorder, { timeoutMs: TIMEOUT_MS });
    const outcomes = await Promise.all([verifier.verify(good), verifier.recover(good), verifier.verify(bad)]);
    expect(outcomes).toEqual(['valid', KEY_A.publicKey, 'invalid']);
    expect(recorder.batches.sort()).toEqual([1, 2]);
  });

  it('pass the failure of a batch to each of its callers', async () => {
    const recorder = new Recorder(1);
    const verifier = new SignatureVerifier(recorder, { timeoutMs: TIMEOUT_MS });
    recorder.failure = 'overloaded';
    expect(await ask(verifier, 2)).toEqual(['overloaded', 'overloaded']);
    expect(await verifier.recover(good)).toBe('overloaded');
    recorder.failure = new Error('broken');
    const outcomes = [verifier.verify(good), verifier.verify(good)];
    for (const outcome of outcomes) await expect(outcome).rejects.toThrow('broken');
  });
});
