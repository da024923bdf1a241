/** Keys of private topics for tests, and signatures of challenges as the SDKs make them: with @noble, of which the relay uses its addon instead. */
import { createECDH } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

export interface SigningKey {
  /** Holds the private key in hex. */
  readonly file: string;
  /** X || Y. */
  readonly publicHex: string;
  /** r || s || v of the Keccak-256 of the challenge. */
  sign(challenge: Uint8Array): Buffer;
  /** Is it r || s || v of this challenge by this key? By recovery, as Java looks at it. */
  hasSigned(challenge: Uint8Array, signature: Uint8Array): boolean;
}

/** A folder for the keys of a test file. */
export class SigningKeys {
  readonly dir = mkdtempSync(join(tmpdir(), 'amop-signing-keys-'));

  make(name: string): SigningKey {
    const ecdh = createECDH('secp256k1');
    ecdh.generateKeys();
    const privateHex = ecdh.getPrivateKey('hex').padStart(64, '0');
    const publicHex = ecdh.getPublicKey('hex').slice(2);
    const file = join(this.dir, `${name}.hex`);
    writeFileSync(file, privateHex, { mode: 0o600 });
    const privateKey = Buffer.from(privateHex, 'hex');
    return {
      file,
      publicHex,
      sign: (challenge) => {
        const options = { prehash: false, format: 'recovered' } as const;
        const [v, ...rs] = secp256k1.sign(keccak_256(challenge), privateKey, options);
        return Buffer.from([...rs, v]);
      },
      hasSigned: (challenge, signature) => {
        if (signature.length !== 65) return false;
        const recovered = Buffer.from([signature[64], ...signature.subarray(0, 64)]);
        const point = secp256k1.recoverPublicKey(recovered, keccak_256(challenge), { prehash: false });
        return Buffer.from(secp256k1.Point.fromBytes(point).toBytes(false)).toString('hex').slice(2) === publicHex;
      },
    };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** `[[private_topic]]` with keys, for the applications with the certificate of sdkA unless said otherwise. */
export function agentToml(
  name: string,
  keys: { readonly certifies?: readonly SigningKey[]; readonly answers?: SigningKey },
  sessions: readonly string[] = ['agencyA/sdkA'],
): string {
  const { certifies, answers } = keys;
  return [
    '[[private_topic]]',
    `name = ${JSON.stringify(name)}`,
    ...(certifies ? [`public_keys = ${JSON.stringify(certifies.map(({ publicHex }) => publicHex))}`] : []),
    ...(answers ? [`private_key = ${JSON.stringify(answers.file)}`] : []),
    `sessions = ${JSON.stringify(sessions)}`,
  ].join('\n');
}
