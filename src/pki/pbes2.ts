/**
 * Private keys encrypted with a password, as EncryptedPrivateKeyInfo (RFC 5958) with PBES2 (RFC 8018): PBKDF2 with
 * HMAC-SHA-256 and AES-256-CBC. OpenSSL 1.0.2 and later, the JDK from 8u301 on and BouncyCastle read it.
 *
 * node:crypto can write the same form, but with 2,048 rounds and no way to ask for more.
 */
import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import { EncryptedData, EncryptedPrivateKeyInfo } from '@peculiar/asn1-pkcs8';
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier } from '@peculiar/asn1-x509';
import { toArrayBuffer } from './bytes.js';

const OID_PBES2 = '1.2.840.113549.1.5.13';
const OID_PBKDF2 = '1.2.840.113549.1.5.12';
const OID_HMAC_SHA256 = '1.2.840.113549.2.9';
const OID_AES256_CBC = '2.16.840.1.101.3.4.1.42';
/** All of PKCS#12's own password schemes; their parameters are a salt and a number of rounds. */
const OID_PKCS12_PBE = '1.2.840.113549.1.12.1.';

const DER_NULL = new Uint8Array([5, 0]).buffer;
const SALT_BYTES = 16;
const IV_BYTES = 16;
const AES256_KEY_BYTES = 32;

/** For a file that is read now and then; as OWASP asks for. About 0.1 s. */
export const ROUNDS_DEFAULT = 600_000;

/** A file may ask for any number; this many take a few seconds. OpenSSL and the JDK write at most 10,000 by themselves. */
export const ROUNDS_MAX = 4_000_000;

class Pbes2Parameters {
  keyDerivation = new AlgorithmIdentifier();
  encryption = new AlgorithmIdentifier();
}
AsnType({ type: AsnTypeTypes.Sequence })(Pbes2Parameters);
AsnProp({ type: AlgorithmIdentifier })(Pbes2Parameters.prototype, 'keyDerivation');
AsnProp({ type: AlgorithmIdentifier })(Pbes2Parameters.prototype, 'encryption');

class Pbkdf2Parameters {
  salt = new OctetString();
  rounds = 0;
  keyBytes?: number;
  prf?: AlgorithmIdentifier;
}
AsnType({ type: AsnTypeTypes.Sequence })(Pbkdf2Parameters);
AsnProp({ type: OctetString })(Pbkdf2Parameters.prototype, 'salt');
AsnProp({ type: AsnPropTypes.Integer })(Pbkdf2Parameters.prototype, 'rounds');
AsnProp({ type: AsnPropTypes.Integer, optional: true })(Pbkdf2Parameters.prototype, 'keyBytes');
AsnProp({ type: AlgorithmIdentifier, optional: true })(Pbkdf2Parameters.prototype, 'prf');

class Pkcs12PbeParameters {
  salt = new OctetString();
  rounds = 0;
}
AsnType({ type: AsnTypeTypes.Sequence })(Pkcs12PbeParameters);
AsnProp({ type: OctetString })(Pkcs12PbeParameters.prototype, 'salt');
AsnProp({ type: AsnPropTypes.Integer })(Pkcs12PbeParameters.prototype, 'rounds');

/** Encrypts the DER of a PKCS#8 key. Salt and IV are fresh for each call. */
export function encryptPkcs8(pkcs8: Uint8Array, password: string, rounds = ROUNDS_DEFAULT): EncryptedPrivateKeyInfo {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const key = pbkdf2Sync(password, salt, rounds, AES256_KEY_BYTES, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const kdf = new Pbkdf2Parameters();
  kdf.salt = new OctetString(salt);
  kdf.rounds = rounds;
  kdf.prf = new AlgorithmIdentifier({ algorithm: OID_HMAC_SHA256, parameters: DER_NULL });
  const parameters = new Pbes2Parameters();
  parameters.keyDerivation = new AlgorithmIdentifier({
    algorithm: OID_PBKDF2,
    parameters: AsnConvert.serialize(kdf),
  });
  parameters.encryption = new AlgorithmIdentifier({
    algorithm: OID_AES256_CBC,
    parameters: AsnConvert.serialize(new OctetString(iv)),
  });
  return new EncryptedPrivateKeyInfo({
    encryptionAlgorithm: new AlgorithmIdentifier({
      algorithm: OID_PBES2,
      parameters: AsnConvert.serialize(parameters),
    }),
    encryptedData: new EncryptedData(toArrayBuffer(Buffer.concat([cipher.update(pkcs8), cipher.final()]))),
  });
}

/** Rounds of the password derivation that decrypting would cost, or undefined for a scheme that is not known here. */
export function roundsOf(info: EncryptedPrivateKeyInfo): number | undefined {
  const { algorithm, parameters } = info.encryptionAlgorithm;
  if (parameters == null) return undefined;
  if (algorithm.startsWith(OID_PKCS12_PBE)) return AsnConvert.parse(parameters, Pkcs12PbeParameters).rounds;
  if (algorithm !== OID_PBES2) return undefined;
  const { keyDerivation } = AsnConvert.parse(parameters, Pbes2Parameters);
  if (keyDerivation.algorithm !== OID_PBKDF2 || keyDerivation.parameters == null) return undefined;
  return AsnConvert.parse(keyDerivation.parameters, Pbkdf2Parameters).rounds;
}
