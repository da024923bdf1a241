import { createSecp256k1 } from '../../../src/addon/secp256k1.js';
import {
  type Recovery,
  type Verification,
  writeRecoverRow,
  writeVerifyRow,
} from '../../../src/addon/secp256k1-rows.js';
import {
  RECOVER_RESULT_BYTES,
  RECOVER_ROW_BYTES,
  type Secp256k1,
  type SignatureRule,
  VERIFY_ROW_BYTES,
} from '../../../src/addon/secp256k1-types.js';

/** Order of the group and of the field. */
export const N = 0xffffffff_ffffffff_ffffffff_fffffffe_baaedce6_af48a03b_bfd25e8c_d0364141n;
export const P = 0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_fffffffe_fffffc2fn;

export const RULES: readonly SignatureRule[] = ['strict', 'java', 'go', 'compact'];

/** Long enough that only a hang ends in it. */
export const TIMEOUT_MS = 60_000;

/** Vectors of the SDKs: key A is the demo's consumer_private_key.p12. */
export const KEY_A = {
  privateKey: hex('c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c'),
  publicKey: hex(
    'd7b9e00f56d3f79305359fa2d7db166021e73086bdcd2e7a28d6ed27345e1f2d' +
      'decf85db7438e8457fd474ef9c4ceb89abb7d5fa60a22f2902ec26dca52ad5e5',
  ),
};
export const GO_KEY = {
  privateKey: hex('b8ac1f6be271cd4ad5644615dea54823f7fa5d860fb8d3ae8b24141d9f1b9486'),
  publicKey: hex(
    '7cd0596006e3c0549482d010735303f25d6c308ef66643b63deef0a382a76205' +
      '56eb49641cb3d45f4901a068a5e68475f8ba3b03a1bc785e84fe6490d66df365',
  ),
};

/** Both implementations; a missing addon fails the suite instead of skipping it. */
export async function bothSecp256k1(): Promise<{ native: Secp256k1; twin: Secp256k1 }> {
  return { native: await createSecp256k1('native'), twin: await createSecp256k1('typescript') };
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** 32 bytes, big-endian. */
export function bytes32(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(64, '0'));
}

export function toBigint(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

/** r || s || v. */
export function signatureOf(r: bigint, s: bigint, v: number): Uint8Array {
  return Uint8Array.of(...bytes32(r), ...bytes32(s), v);
}

/** The other signature that every valid one has: n - s, with the parity of v turned round. */
export function highTwin(signature: Uint8Array): Uint8Array {
  const s = toBigint(signature.subarray(32, 64));
  return signatureOf(toBigint(signature.subarray(0, 32)), N - s, signature[64]! ^ 1);
}

export async function verifyAll(secp256k1: Secp256k1, checks: readonly Verification[]): Promise<boolean[]> {
  const rows = new Uint8Array(checks.length * VERIFY_ROW_BYTES);
  for (const [i, check] of checks.entries()) writeVerifyRow(rows, i, check);
  const results = await secp256k1.verifyBatch(rows, TIMEOUT_MS);
  if (typeof results === 'string') throw new Error(results);
  return Array.from(results, (result) => result === 1);
}

export async function verify(secp256k1: Secp256k1, check: Verification): Promise<boolean> {
  return (await verifyAll(secp256k1, [check]))[0]!;
}

/** Public keys in hex, or undefined where nothing was recovered. */
export async function recoverAll(secp256k1: Secp256k1, checks: readonly Recovery[]): Promise<(string | undefined)[]> {
  const rows = new Uint8Array(checks.length * RECOVER_ROW_BYTES);
  for (const [i, check] of checks.entries()) writeRecoverRow(rows, i, check);
  const results = await secp256k1.recoverBatch(rows, TIMEOUT_MS);
  if (typeof results === 'string') throw new Error(results);
  return checks.map((_, i) => {
    const result = results.subarray(i * RECOVER_RESULT_BYTES, (i + 1) * RECOVER_RESULT_BYTES);
    return result[0] === 1 ? toHex(result.subarray(1)) : undefined;
  });
}

export async function recover(secp256k1: Secp256k1, check: Recovery): Promise<string | undefined> {
  return (await recoverAll(secp256k1, [check]))[0];
}
