import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RECOVER_ROW_BYTES, VERIFY_ROW_BYTES } from '../../../src/addon/secp256k1-types.js';
import { SIGNATURE_BATCH_ROWS_MAX } from '../../../src/base/limits.js';
import {
  bothSecp256k1,
  bytes32,
  GO_KEY,
  hex,
  highTwin,
  KEY_A,
  N,
  P,
  RULES,
  recover,
  recoverAll,
  signatureOf,
  TIMEOUT_MS,
  toBigint,
  toHex,
  verify,
  verifyAll,
} from './secp256k1-helpers.js';

const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
// biome-ignore lint/suspicious/noExplicitAny: wrong types are the point
const wrong = (value: unknown): any => value;

const JAVA_CHALLENGE = ascii('5e14c53197adbcb719d915fb93342c25');
const JAVA_DIGEST = hex('95e85fba32450bd661846700181465969ab8d3908f3c5731bce7aeb2fb845597');
const JAVA_SIGNATURE = hex(
  '2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d75d5090b8948122938748f1b995021818a1e824e2304963ab0c72d8228c77abb00',
);
const JAVA_HIGH_TWIN = hex(
  '2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d8a2af6f476b7edd6c78b70e466afde7d30905a988c440a010f0b310aa76ec68601',
);
const GO_CHALLENGE = hex('02b1946f2e1f4cf3a0c9d1e2f3a4b5c6d7');
const GO_DIGEST = hex('da17af752425767f26b1b0dfba648a45d12b15ae82219dc43d6e6cfd1bf4eb13');

/** x of the generator and the parity of its y. */
const GX = 0x79be667e_f9dcbbac_55a06295_ce870b07_029bfcdb_2dce28d9_59f2815b_16f81798n;
const GY_PARITY = 0;

const { native, twin } = await bothSecp256k1();

describe.each([
  ['native', native],
  ['typescript', twin],
] as const)('%s secp256k1', (name, secp256k1) => {
  const valid = { signature: JAVA_SIGNATURE, digest: JAVA_DIGEST, publicKey: KEY_A.publicKey };

  it('is the implementation that was asked for', () => {
    expect(secp256k1.implementation).toBe(name);
  });

  describe('vectors of the SDKs', () => {
    it('hashes as Java and Go do', () => {
      expect(toHex(secp256k1.keccak256(new Uint8Array()))).toBe(
        'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
      );
      expect(secp256k1.keccak256(JAVA_CHALLENGE)).toEqual(JAVA_DIGEST);
      expect(secp256k1.keccak256(GO_CHALLENGE)).toEqual(GO_DIGEST);
      // An address is the end of the digest of the public key.
      expect(toHex(secp256k1.keccak256(KEY_A.publicKey).subarray(12))).toBe('45e14c53197adbcb719d915fb93342c25600faaf');
    });

    it('makes the public keys', () => {
      expect(secp256k1.publicFromPrivate(KEY_A.privateKey)).toEqual(KEY_A.publicKey);
      expect(secp256k1.publicFromPrivate(GO_KEY.privateKey)).toEqual(GO_KEY.publicKey);
    });

    it('makes the signatures', () => {
      expect(secp256k1.sign(JAVA_DIGEST, KEY_A.privateKey)).toEqual(JAVA_SIGNATURE);
      expect(toHex(secp256k1.sign(GO_DIGEST, KEY_A.privateKey))).toBe(
        '0b145cc1ccfd01ea5b13b101fc3bc4fea2a4213669820760ba8144c26b82405a65287dbd23d9ac8a45b033aab96652e19e3735c42d869ee363a5fb6646b4745001',
      );
      expect(toHex(secp256k1.sign(GO_DIGEST, GO_KEY.privateKey))).toBe(
        '0f789e21fa866e5068786ab8dba8cefda23f4f4db32758b2920d4f99249d1f51102252fbc945fcc4e7f2fbd5c1a651acf7ba7b6507f86479d213df933a0fd4eb01',
      );
    });

    it('accepts a signature by every rule', async () => {
      for (const rule of RULES) {
        const signature = rule === 'compact' ? JAVA_SIGNATURE.subarray(0, 64) : JAVA_SIGNATURE;
        expect(await verify(secp256k1, { ...valid, signature, rule })).toBe(true);
      }
      expect(await recover(secp256k1, valid)).toBe(toHex(KEY_A.publicKey));
    });

    it('accepts the high-S twin by recovery only, as Java does', async () => {
      expect(highTwin(JAVA_SIGNATURE)).toEqual(JAVA_HIGH_TWIN);
      const twinCheck = { ...valid, signature: JAVA_HIGH_TWIN };
      expect(await verify(secp256k1, { ...twinCheck, rule: 'java' })).toBe(true);
      expect(await recover(secp256k1, { ...twinCheck, rule: 'java' })).toBe(toHex(KEY_A.publicKey));
      expect(await verify(secp256k1, { ...twinCheck, rule: 'strict' })).toBe(false);
      expect(await recover(secp256k1, { ...twinCheck, rule: 'strict' })).toBeUndefined();
      expect(await verify(secp256k1, { ...twinCheck, rule: 'go' })).toBe(false);
      expect(
        await verify(secp256k1, { ...twinCheck, signature: JAVA_HIGH_TWIN.subarray(0, 64), rule: 'compact' }),
      ).toBe(false);
    });

    it('refuses a flipped v unless v is ignored, as Go does', async () => {
      const signature = Uint8Array.from(JAVA_SIGNATURE);
      signature[64] = 1;
      expect(await verify(secp256k1, { ...valid, signature, rule: 'strict' })).toBe(false);
      expect(await verify(secp256k1, { ...valid, signature, rule: 'java' })).toBe(false);
      expect(await verify(secp256k1, { ...valid, signature, rule: 'go' })).toBe(true);
      const other = await recover(secp256k1, { ...valid, signature });
      expect(other).toMatch(/^[0-9a-f]{128}$/);
      expect(other).not.toBe(toHex(KEY_A.publicKey));
    });

    it('recovers key A from the web3sdk signature, whose digest is SHA-1 and whose s is high', async () => {
      const der = Buffer.from(
        'MEYCIQCDPucCkFKXNYROlmXTHscQL/+6Q+XMGjLEvIzhMou34QIhAOKt282mBUmFXR8YJHlJkN0ADFi6D3eqr5U9MA9eJbWw',
        'base64',
      );
      const [r, s] = [der.subarray(5, 37), der.subarray(40, 72)].map(toBigint);
      const digest = new Uint8Array(32);
      digest.set(createHash('sha1').update(JAVA_CHALLENGE).digest(), 12);
      const checks = [0, 1].map((v) => ({ signature: signatureOf(r!, s!, v), digest, rule: 'java' as const }));
      const keys = await recoverAll(secp256k1, checks);
      expect(keys.filter((key) => key === toHex(KEY_A.publicKey))).toHaveLength(1);
    });
  });

  it('signs by RFC 6979', () => {
    // A vector that implementations of Bitcoin share: key 1, SHA-256 of the text.
    const digest = createHash('sha256').update('Satoshi Nakamoto').digest();
    expect(toHex(secp256k1.sign(digest, bytes32(1n))).slice(0, 128)).toBe(
      '934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8' +
        '2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5',
    );
  });

  it('takes a digest modulo the order of the group, in signing and in checking', async () => {
    const large = bytes32(2n ** 256n - 1n);
    const reduced = bytes32(2n ** 256n - 1n - N);
    const signature = secp256k1.sign(large, KEY_A.privateKey);
    expect(secp256k1.sign(reduced, KEY_A.privateKey)).toEqual(signature);
    for (const digest of [large, reduced]) {
      expect(await verify(secp256k1, { ...valid, signature, digest })).toBe(true);
      expect(await verify(secp256k1, { ...valid, signature, digest, rule: 'go' })).toBe(true);
    }
    expect(secp256k1.sign(bytes32(N), KEY_A.privateKey)).toEqual(secp256k1.sign(new Uint8Array(32), KEY_A.privateKey));
  });

  it('accepts signatures of digest 0 and by the smallest and largest key', async () => {
    for (const d of [1n, 2n, N - 1n]) {
      const publicKey = secp256k1.publicFromPrivate(bytes32(d))!;
      for (const digest of [new Uint8Array(32), JAVA_DIGEST]) {
        const signature = secp256k1.sign(digest, bytes32(d));
        expect(await verifyAll(secp256k1, [{ signature, digest, publicKey }])).toEqual([true]);
      }
    }
  });

  it('refuses a private key that is 0 or not below the order', () => {
    for (const d of [0n, N, N + 1n, 2n ** 256n - 1n]) {
      expect(secp256k1.publicFromPrivate(bytes32(d))).toBeUndefined();
      expect(() => secp256k1.sign(JAVA_DIGEST, bytes32(d))).toThrow(TypeError);
    }
  });

  describe('refuses', () => {
    const r = toBigint(JAVA_SIGNATURE.subarray(0, 32));
    const s = toBigint(JAVA_SIGNATURE.subarray(32, 64));

    /** By every rule and both ways; the right signature in the same batch is accepted all the same. */
    async function expectRefused(signature: Uint8Array, digest = JAVA_DIGEST, publicKey = KEY_A.publicKey) {
      const checks = RULES.map((rule) => ({
        signature: rule === 'compact' && signature.length === 65 ? signature.subarray(0, 64) : signature,
        digest,
        publicKey,
        rule,
      }));
      expect(await verifyAll(secp256k1, [valid, ...checks, valid])).toEqual([true, false, false, false, false, true]);
    }

    it.each([
      ['r of 0', 0n, s],
      ['s of 0', r, 0n],
      ['r and s of 0', 0n, 0n],
      ['r equal to the order', N, s],
      ['s equal to the order', r, N],
      ['r over the order by one', N + 1n, s],
      ['s over the order', r, s + N < 2n ** 256n ? s + N : 2n ** 256n - 1n],
      ['r and s of all ones', 2n ** 256n - 1n, 2n ** 256n - 1n],
      ['r equal to the order of the field', P, s],
      ['s less one than it should be', r, s - 1n],
      ['r and s of 1', 1n, 1n],
      ['r and s exchanged', s, r],
    ])('%s', async (_, badR, badS) => {
      for (const v of [0, 1]) {
        await expectRefused(signatureOf(badR, badS, v));
        expect(await recover(secp256k1, { signature: signatureOf(badR, badS, v), digest: JAVA_DIGEST })).not.toBe(
          toHex(KEY_A.publicKey),
        );
      }
    });

    it.each([0, 1, 32, 63, 66, 72, 255, 256, 321])('a signature of %i bytes by every rule', async (length) => {
      const signature = new Uint8Array(length);
      signature.set(JAVA_SIGNATURE.subarray(0, length));
      await expectRefused(signature);
      expect(await recover(secp256k1, { signature, digest: JAVA_DIGEST })).toBeUndefined();
    });

    it('64 bytes where v is wanted and 65 where it is not', async () => {
      for (const rule of ['strict', 'java', 'go'] as const) {
        expect(await verify(secp256k1, { ...valid, signature: JAVA_SIGNATURE.subarray(0, 64), rule })).toBe(false);
      }
      expect(await verify(secp256k1, { ...valid, rule: 'compact' })).toBe(false);
      expect(await recover(secp256k1, { ...valid, signature: JAVA_SIGNATURE.subarray(0, 64) })).toBeUndefined();
    });

    it('DER, which web3sdk sends', async () => {
      const der = Buffer.concat([
        hex('304402'),
        hex('20'),
        JAVA_SIGNATURE.subarray(0, 32),
        hex('0220'),
        JAVA_SIGNATURE.subarray(32, 64),
      ]);
      await expectRefused(der);
      await expectRefused(der.subarray(0, 65));
    });

    it('every v but the right one', async () => {
      for (const v of [1, 2, 3, 4, 27, 28, 128, 255]) {
        const signature = signatureOf(r, s, v);
        expect(await verify(secp256k1, { ...valid, signature, rule: 'strict' })).toBe(false);
        expect(await verify(secp256k1, { ...valid, signature, rule: 'java' })).toBe(false);
        // 2 and 3 say that x of the point is r + n, which is no element of the field for almost all r.
        if (v !== 1) expect(await recover(secp256k1, { ...valid, signature })).toBeUndefined();
      }
    });

    it.each([
      ['of zeros', new Uint8Array(64)],
      ['not on the curve', Uint8Array.of(...KEY_A.publicKey.subarray(0, 63), KEY_A.publicKey[63]! ^ 1)],
      [
        'with the other y',
        Uint8Array.of(...KEY_A.publicKey.subarray(0, 32), ...bytes32(P - toBigint(KEY_A.publicKey.subarray(32)))),
      ],
      ['with x not below the order of the field', Uint8Array.of(...bytes32(P + 1n), ...KEY_A.publicKey.subarray(32))],
      ['of all ones', new Uint8Array(64).fill(0xff)],
      ['of somebody else', GO_KEY.publicKey],
    ])('a public key %s', async (_, publicKey) => {
      await expectRefused(JAVA_SIGNATURE, JAVA_DIGEST, publicKey);
    });

    it('another digest', async () => {
      await expectRefused(JAVA_SIGNATURE, GO_DIGEST);
      await expectRefused(JAVA_SIGNATURE, new Uint8Array(32));
    });

    it('a signature whose verification ends at infinity', async () => {
      // u1 G + u2 Q = 0 when h + r d = 0.
      const d = toBigint(KEY_A.privateKey);
      const badR = ((N - toBigint(JAVA_DIGEST)) * inverse(d)) % N;
      for (const v of [0, 1]) await expectRefused(signatureOf(badR, 1n, v));
    });

    it('a signature whose recovery ends at infinity', async () => {
      // Q = (s R - h G) / r = 0 when R = G and s = h.
      const digest = bytes32(12_345n);
      const signature = signatureOf(GX, 12_345n, GY_PARITY);
      expect(await recover(secp256k1, { signature, digest })).toBeUndefined();
      await expectRefused(signature, digest);
      // With the other point of this x it is an ordinary recovery.
      expect(await recover(secp256k1, { signature: signatureOf(GX, 12_345n, 1), digest })).toMatch(/^[0-9a-f]{128}$/);
    });

    it('an r that is the x of no point', async () => {
      // 5^3 + 7 is no square.
      const signature = signatureOf(5n, s, 0);
      expect(await recover(secp256k1, { signature, digest: JAVA_DIGEST })).toBeUndefined();
      await expectRefused(signature);
    });
  });

  it('accepts a v above 1 where x of the point was not below the order', async () => {
    // x = n + r for a small r: nobody can make such a signature for a given key, but a key can be made for the signature.
    let found = 0;
    for (let r = 1n; found < 4; r++) {
      for (const v of [2, 3]) {
        const signature = signatureOf(r, 1_000_003n, v);
        const key = await recover(secp256k1, { signature, digest: JAVA_DIGEST });
        if (key === undefined) continue;
        found++;
        for (const rule of ['strict', 'java', 'go'] as const) {
          expect(await verify(secp256k1, { signature, digest: JAVA_DIGEST, publicKey: hex(key), rule })).toBe(true);
        }
        const lower = signatureOf(r, 1_000_003n, v - 2);
        expect(await verify(secp256k1, { signature: lower, digest: JAVA_DIGEST, publicKey: hex(key) })).toBe(false);
      }
    }
  });

  it('looks at the rows as they were when it was called, waiting or not', async () => {
    // A Buffer too, whose slice() would be a view.
    const rows = Buffer.from([0, 65, ...JAVA_SIGNATURE, ...JAVA_DIGEST, ...KEY_A.publicKey]);
    const outcomes = Array.from({ length: 4 }, () => secp256k1.verifyBatch(rows, TIMEOUT_MS));
    rows.fill(0);
    for (const outcome of outcomes) expect(await outcome).toEqual(Uint8Array.of(1));
  });

  it('gives no answer from rows with a rule that there is not', async () => {
    for (const rule of [4, 128, 255]) {
      for (const length of [64, 65]) {
        const row = Uint8Array.of(rule, length, ...JAVA_SIGNATURE, ...JAVA_DIGEST, ...KEY_A.publicKey);
        expect(await secp256k1.verifyBatch(row, TIMEOUT_MS)).toEqual(Uint8Array.of(0));
        const recovered = await secp256k1.recoverBatch(row.subarray(0, RECOVER_ROW_BYTES), TIMEOUT_MS);
        expect(recovered).toEqual(new Uint8Array(65));
      }
    }
    // Rules that ignore v cannot recover.
    const row = Uint8Array.of(2, 65, ...JAVA_SIGNATURE, ...JAVA_DIGEST);
    expect(await secp256k1.recoverBatch(row, TIMEOUT_MS)).toEqual(new Uint8Array(65));
  });

  it('throws a TypeError for wrong arguments', async () => {
    for (const digest of [new Uint8Array(31), new Uint8Array(33), 'text', undefined, new Uint16Array(32)]) {
      expect(() => secp256k1.sign(wrong(digest), KEY_A.privateKey)).toThrow(TypeError);
    }
    for (const key of [new Uint8Array(31), new Uint8Array(64), 'text', undefined, null]) {
      expect(() => secp256k1.sign(JAVA_DIGEST, wrong(key))).toThrow(TypeError);
      expect(() => secp256k1.publicFromPrivate(wrong(key))).toThrow(TypeError);
    }
    for (const data of ['text', undefined, new ArrayBuffer(3)]) {
      expect(() => secp256k1.keccak256(wrong(data))).toThrow(TypeError);
    }
    const tooMany = new Uint8Array((SIGNATURE_BATCH_ROWS_MAX + 1) * VERIFY_ROW_BYTES);
    for (const rows of [new Uint8Array(), new Uint8Array(VERIFY_ROW_BYTES - 1), tooMany, 'rows', undefined]) {
      await expect(secp256k1.verifyBatch(wrong(rows), TIMEOUT_MS)).rejects.toThrow(TypeError);
      await expect(secp256k1.recoverBatch(wrong(rows), TIMEOUT_MS)).rejects.toThrow(TypeError);
    }
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, undefined]) {
      await expect(secp256k1.verifyBatch(new Uint8Array(VERIFY_ROW_BYTES), wrong(timeoutMs))).rejects.toThrow(
        TypeError,
      );
    }
  });
});

/** Modulo the order, by Fermat. */
function inverse(value: bigint): bigint {
  let result = 1n;
  let base = value % N;
  for (let exponent = N - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % N;
    base = (base * base) % N;
  }
  return result;
}
