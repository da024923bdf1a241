/**
 * The seal of a PKCS#12 file: an HMAC whose key comes from the password by PKCS#12's own derivation (RFC 7292,
 * appendix B), which nothing in node:crypto computes.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { MacData } from '@peculiar/asn1-pfx';
import { ROUNDS_MAX } from './pbes2.js';

export const OID_SHA256 = '2.16.840.1.101.3.4.2.1';

interface Digest {
  readonly name: string;
  readonly blockBytes: number;
}

const SHA256: Digest = { name: 'sha256', blockBytes: 64 };

/** SHA-1 is what OpenSSL 1.0 and 1.1, BouncyCastle and the JDK up to 11 write. */
const DIGESTS: Readonly<Record<string, Digest>> = {
  '1.3.14.3.2.26': { name: 'sha1', blockBytes: 64 },
  [OID_SHA256]: SHA256,
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', blockBytes: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', blockBytes: 128 },
};

/** "Which of the three outputs": 3 is the key of the MAC. */
const MAC_KEY_ID = 3;

export type SealCheck = 'right' | 'wrong' | 'unknown-algorithm' | 'too-many-rounds';

/** Whether `password` is the one that `content` was sealed with. */
export function checkSeal(mac: MacData, content: Uint8Array, password: string): SealCheck {
  const digest = DIGESTS[mac.mac.digestAlgorithm.algorithm];
  if (digest === undefined) return 'unknown-algorithm';
  if (!(mac.iterations >= 1 && mac.iterations <= ROUNDS_MAX)) return 'too-many-rounds';
  const salt = new Uint8Array(mac.macSalt.buffer);
  const stored = new Uint8Array(mac.mac.digest.buffer);
  const computed = seal(digest, content, password, salt, mac.iterations);
  return stored.length === computed.length && timingSafeEqual(stored, computed) ? 'right' : 'wrong';
}

/** HMAC-SHA-256 of `content`. */
export function sealSha256(content: Uint8Array, password: string, salt: Uint8Array, rounds: number): Buffer {
  return seal(SHA256, content, password, salt, rounds);
}

function seal(digest: Digest, content: Uint8Array, password: string, salt: Uint8Array, rounds: number): Buffer {
  return createHmac(digest.name, macKey(digest, password, salt, rounds))
    .update(content)
    .digest();
}

/** One block of output is enough, because the key of the HMAC is as long as its digest. */
function macKey(digest: Digest, password: string, salt: Uint8Array, rounds: number): Buffer {
  const { name, blockBytes } = digest;
  let value = createHash(name)
    .update(Buffer.alloc(blockBytes, MAC_KEY_ID))
    .update(repeated(salt, blockBytes))
    .update(repeated(bmpString(password), blockBytes))
    .digest();
  for (let round = 1; round < rounds; round++) value = createHash(name).update(value).digest();
  return value;
}

/** As many copies as fill whole blocks; the last one cut. */
function repeated(bytes: Uint8Array, blockBytes: number): Buffer {
  if (bytes.length === 0) return Buffer.alloc(0);
  return Buffer.alloc(Math.ceil(bytes.length / blockBytes) * blockBytes, bytes);
}

/** UTF-16 big-endian with two zero bytes behind it, also for the empty password. */
function bmpString(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16();
}
