import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PFX } from '@peculiar/asn1-pfx';
import { AsnConvert } from '@peculiar/asn1-schema';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { generateAmopKey, privateHexOf, publicHexOf } from '../../../src/pki/amop-key.js';
import { loadPrivateKey } from '../../../src/pki/key.js';
import { readPkcs12, writePkcs12 } from '../../../src/pki/pkcs12.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const fixture = (name: string) => readFileSync(`${FIXTURES}${name}`);
const PASSWORD = '123456';

function refusal(der: Uint8Array, password = PASSWORD): RelayError {
  try {
    readPkcs12(der, password, 'key file k.p12');
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    expect((error as RelayError).code).toBe('key-invalid');
    return error as RelayError;
  }
  throw new Error('the file was accepted');
}

function serialized(pfx: PFX): Buffer {
  return Buffer.from(AsnConvert.serialize(pfx));
}

/** Replaces one run of bytes that occurs exactly once. */
function patched(der: Buffer, from: string, to: string): Buffer {
  const at = der.indexOf(Buffer.from(from, 'hex'));
  expect(at).toBeGreaterThan(0);
  expect(der.indexOf(Buffer.from(from, 'hex'), at + 1)).toBe(-1);
  const copy = Buffer.from(der);
  copy.write(to, at, 'hex');
  return copy;
}

describe('a PKCS#12 file', () => {
  it.each(['openssl1', 'openssl3'])(
    'of the account script with %s holds the key of its PEM, under the alias key',
    (name) => {
      const pem = fixture('fisco-tools/accounts/account.pem').toString();
      const read = readPkcs12(fixture(`fisco-tools/accounts/${name}.p12`), PASSWORD, 'k');
      expect(read.alias).toBe('key');
      expect(read.description).toBeUndefined();
      expect(privateHexOf(read.key)).toBe(privateHexOf(loadPrivateKey(pem, 'account.pem')));
    },
  );

  it('of the Java SDK, in BER and with a certificate, holds its key', () => {
    const read = readPkcs12(fixture('java-sdk/key-a.p12'), PASSWORD, 'k');
    expect(read.alias).toBe('key');
    expect(privateHexOf(read.key)).toBe('c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c');
  });

  it('comes back as it was written', () => {
    const key = generateAmopKey();
    const read = readPkcs12(writePkcs12(key, 'p w', 'what it is for'), 'p w', 'k');
    expect(publicHexOf(read.key)).toBe(publicHexOf(key));
    expect(read).toMatchObject({ alias: 'key', description: 'what it is for' });
  });

  it('is never written twice with the same salt', () => {
    const key = generateAmopKey();
    expect(writePkcs12(key, PASSWORD).equals(writePkcs12(key, PASSWORD))).toBe(false);
  });

  it('is refused with another password', () => {
    expect(refusal(fixture('fisco-tools/accounts/openssl1.p12'), '123457').message).toMatch(
      /^key file k.p12 does not open with this password, or is damaged$/,
    );
    expect(refusal(writePkcs12(generateAmopKey(), PASSWORD), '').message).toContain('does not open');
  });

  it('is refused when its seal asks for more rounds than anybody writes', () => {
    const pfx = AsnConvert.parse(fixture('fisco-tools/accounts/openssl3.p12'), PFX);
    pfx.macData.iterations = 0x7fffffff;
    expect(refusal(serialized(pfx)).message).toMatch(/^key file k.p12 asks for 2147483647 rounds/);
  });

  it('is refused when its key asks for more rounds than anybody writes', () => {
    const der = fixture('fisco-tools/accounts/openssl3.p12');
    const { version, authSafe } = AsnConvert.parse(der, PFX);
    const unsealed = serialized(new PFX({ version, authSafe }));
    expect(privateHexOf(readPkcs12(unsealed, PASSWORD, 'k').key)).toMatch(/^[0-9a-f]{64}$/);
    // 2,048 rounds behind the salt, then the algorithm of the digest.
    const greedy = patched(unsealed, '02020800300c06082a864886f70d0209', '0202ffff300c06082a864886f70d0209');
    expect(refusal(greedy).message).toContain('-1 rounds');
  });

  it('is refused when its seal uses an unknown algorithm', () => {
    // SHA-256 to SHA-224.
    const der = patched(
      fixture('fisco-tools/accounts/openssl3.p12'),
      '0609608648016503040201',
      '0609608648016503040204',
    );
    expect(refusal(der).message).toContain('2.16.840.1.101.3.4.2.4');
  });

  it('is refused in words whatever byte of it is changed or missing', () => {
    const der = fixture('fisco-tools/accounts/openssl1.p12');
    for (let length = 0; length < der.length; length += 7) refusal(der.subarray(0, length));
    const digest = createHash('sha256').update(der).digest();
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at] ^= digest[at % digest.length] | 1;
      try {
        // A change of an attribute or of the version may leave the key as it was.
        expect(privateHexOf(readPkcs12(changed, PASSWORD, 'k').key)).toMatch(/^[0-9a-f]{64}$/);
      } catch (error) {
        expect(error).toBeInstanceOf(RelayError);
      }
    }
  });
});
