import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { RECOVER_ROW_BYTES, type Secp256k1 } from '../../../../src/addon/secp256k1-types.js';
import { ChallengeVerifier } from '../../../../src/control/private/challenge-verifier.js';
import {
  bothSecp256k1,
  bytes32,
  GO_KEY,
  highTwin,
  KEY_A,
  N,
  P,
  signatureOf,
  toBigint,
} from '../../addon/secp256k1-helpers.js';

const TOPIC = 'topic';
const CHALLENGE = Buffer.from('5e14c53197adbcb719d915fb93342c25');

let implementations: Readonly<Record<'native' | 'twin', Secp256k1>>;
beforeAll(async () => {
  implementations = await bothSecp256k1();
});

type Implementation = 'native' | 'twin';

/** The same, as an object whose parts can be replaced. */
const bound = (secp256k1: Secp256k1): Secp256k1 => ({
  implementation: secp256k1.implementation,
  inFlightMax: secp256k1.inFlightMax,
  verifyBatch: (rows, timeoutMs) => secp256k1.verifyBatch(rows, timeoutMs),
  recoverBatch: (rows, timeoutMs) => secp256k1.recoverBatch(rows, timeoutMs),
  sign: (digest, privateKey) => secp256k1.sign(digest, privateKey),
  publicFromPrivate: (privateKey) => secp256k1.publicFromPrivate(privateKey),
  keccak256: (bytes) => secp256k1.keccak256(bytes),
});
const make = (which: Implementation, ...keys: Uint8Array[]) =>
  new ChallengeVerifier(new Map([[TOPIC, keys]]), async () => implementations[which]);

function signed(which: Implementation, challenge: Uint8Array = CHALLENGE, { privateKey } = KEY_A): Uint8Array {
  const secp256k1 = implementations[which];
  return secp256k1.sign(secp256k1.keccak256(challenge), privateKey);
}

/** r or s replaced by a number that is none, v by others, other lengths and forms: all of a right signature that is none any more. */
function badSignatures(right: Uint8Array): Readonly<Record<string, Uint8Array>> {
  const [r, s, v] = [toBigint(right.subarray(0, 32)), toBigint(right.subarray(32, 64)), right[64]];
  const flipped = (at: number) => right.map((byte, index) => (index === at ? byte ^ 1 : byte));
  const max = 2n ** 256n - 1n;
  return {
    'no bytes': new Uint8Array(0),
    'one byte': Uint8Array.of(0),
    '65 zeros': new Uint8Array(65),
    '65 times 255': new Uint8Array(65).fill(255),
    'r = 0': signatureOf(0n, s, v),
    's = 0': signatureOf(r, 0n, v),
    'r = s = 1': signatureOf(1n, 1n, 0),
    'r = n': signatureOf(N, s, v),
    's = n': signatureOf(r, N, v),
    'r = n + 1': signatureOf(N + 1n, s, v),
    'r = p': signatureOf(P, s, v),
    'r = 2^256 - 1': signatureOf(max, s, v),
    's = 2^256 - 1': signatureOf(r, max, v),
    'r = n - 1': signatureOf(N - 1n, s, v),
    's = n - 1': signatureOf(r, N - 1n, v),
    's + n': signatureOf(r, (s + N) & max, v),
    'the high s that is as good for Java alone': highTwin(right),
    'the other v': flipped(64),
    'v = 2': signatureOf(r, s, 2),
    'v = 3': signatureOf(r, s, 3),
    'v = 4': signatureOf(r, s, 4),
    'v as Ethereum counts it': signatureOf(r, s, v + 27),
    'v = 255': signatureOf(r, s, 255),
    'no v': right.subarray(0, 64),
    'one byte more': Uint8Array.of(...right, 0),
    'v in front': Uint8Array.of(v, ...right.subarray(0, 64)),
    's before r': Uint8Array.of(...right.subarray(32, 64), ...right.subarray(0, 32), v),
    'a bit of r': flipped(0),
    'a bit of s': flipped(63),
    'hex text': Buffer.from(Buffer.from(right).toString('hex')),
    'DER, as web3sdk has it': Uint8Array.of(0x30, 68, 2, 32, ...bytes32(r), 2, 32, ...bytes32(s)),
    '256 bytes': new Uint8Array(256).fill(1),
    'of another challenge': implementations.twin.sign(
      implementations.twin.keccak256(Buffer.from('ce869c16cd96445dba7935d8cf001e12')),
      KEY_A.privateKey,
    ),
    'of another key': implementations.twin.sign(implementations.twin.keccak256(CHALLENGE), GO_KEY.privateKey),
    'of SHA-256 in the place of Keccak': implementations.twin.sign(
      createHash('sha256').update(CHALLENGE).digest(),
      KEY_A.privateKey,
    ),
  };
}

describe.each(['native', 'twin'] as const)('a signature of a challenge, checked by the %s', (which) => {
  it('is right by any of the keys, and by no other', async () => {
    const signature = signed(which);
    expect(await make(which, KEY_A.publicKey).verify(TOPIC, CHALLENGE, signature)).toBe('right');
    expect(await make(which, GO_KEY.publicKey, KEY_A.publicKey).verify(TOPIC, CHALLENGE, signature)).toBe('right');
    expect(await make(which, GO_KEY.publicKey).verify(TOPIC, CHALLENGE, signature)).toBe('wrong');
    expect(await make(which).verify(TOPIC, CHALLENGE, signature)).toBe('wrong');
    expect(await make(which, KEY_A.publicKey).verify('another topic', CHALLENGE, signature)).toBe('wrong');
  });

  it('is wrong in every form but the right one, and never an exception', async () => {
    const verifier = make(which, KEY_A.publicKey);
    const bad = badSignatures(signed(which));
    expect(Object.keys(bad).length).toBeGreaterThan(30);
    for (const [what, signature] of Object.entries(bad)) {
      expect([what, await verifier.verify(TOPIC, CHALLENGE, signature)]).toEqual([what, 'wrong']);
    }
    const all = await Promise.all(Object.values(bad).map((signature) => verifier.verify(TOPIC, CHALLENGE, signature)));
    expect(new Set(all), 'all in one batch').toEqual(new Set(['wrong']));
    expect(await verifier.verify(TOPIC, CHALLENGE, signed(which))).toBe('right');
  });

  it('is judged by the keys of now', async () => {
    const verifier = make(which, KEY_A.publicKey);
    verifier.setKeys(new Map([[TOPIC, [GO_KEY.publicKey]]]));
    expect(await verifier.verify(TOPIC, CHALLENGE, signed(which))).toBe('wrong');
    expect(await verifier.verify(TOPIC, CHALLENGE, signed(which, CHALLENGE, GO_KEY))).toBe('right');
    verifier.setKeys(new Map());
    expect(await verifier.verify(TOPIC, CHALLENGE, signed(which, CHALLENGE, GO_KEY))).toBe('wrong');
  });
});

it('costs one check, however many keys there are', async () => {
  let rows = 0;
  const { native } = implementations;
  const counting: Secp256k1 = {
    ...bound(native),
    verifyBatch: () => Promise.reject(new Error('a key at a time')),
    recoverBatch: (batch, timeoutMs) => {
      rows += batch.length / RECOVER_ROW_BYTES;
      return native.recoverBatch(batch, timeoutMs);
    },
  };
  const keys = Array.from({ length: 63 }, (_, n) => native.publicFromPrivate(bytes32(BigInt(n + 1)))!);
  const verifier = new ChallengeVerifier(new Map([[TOPIC, [...keys, KEY_A.publicKey]]]), async () => counting);
  const signature = signed('native');
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => verifier.verify(TOPIC, CHALLENGE, signature)));
  expect([new Set(verdicts), rows]).toEqual([new Set(['right']), 100]);
});

it.each(['overloaded', 'timed-out'] as const)('is unchecked, and not wrong, when its check is %s', async (failure) => {
  const { native } = implementations;
  const failing = { ...bound(native), recoverBatch: async () => failure };
  const verifier = new ChallengeVerifier(new Map([[TOPIC, [KEY_A.publicKey]]]), async () => failing);
  expect(await verifier.verify(TOPIC, CHALLENGE, signed('native'))).toBe('unchecked');
});

it('is unchecked while there is nothing to check it with', async () => {
  let tries = 0;
  const verifier = new ChallengeVerifier(new Map([[TOPIC, [KEY_A.publicKey]]]), async () => {
    if (++tries === 1) throw new Error('no memory');
    return implementations.native;
  });
  expect(tries, 'nothing is loaded before it is needed').toBe(0);
  expect(await verifier.verify(TOPIC, CHALLENGE, signed('native'))).toBe('unchecked');
  expect(await verifier.verify(TOPIC, CHALLENGE, signed('native'))).toBe('right');
  expect(await verifier.verify(TOPIC, CHALLENGE, signed('native'))).toBe('right');
  expect(tries).toBe(2);
});
