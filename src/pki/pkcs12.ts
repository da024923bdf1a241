/**
 * One private key in a PKCS#12 file, as the Java SDK reads and FISCO's account script writes it: a shrouded key bag with
 * the alias `key`, no certificate, sealed with the same password.
 *
 *   PFX { version 3, data { AuthenticatedSafe [ data { SafeContents [ key bag ] } ] }, MAC over AuthenticatedSafe }
 *
 * Java files hold a certificate too, in an encrypted part that is of no use here and is not opened.
 */
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { ContentInfo } from '@peculiar/asn1-cms';
import {
  AuthenticatedSafe,
  id_keyBag,
  id_pkcs8ShroudedKeyBag,
  MacData,
  PFX,
  PKCS8ShroudedKeyBag,
  PKCS12Attribute,
  SafeBag,
  SafeContents,
} from '@peculiar/asn1-pfx';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier, AttributeValue } from '@peculiar/asn1-x509';
import { errorText, RelayError } from '../base/errors.js';
import { toArrayBuffer } from './bytes.js';
import { encryptPkcs8, ROUNDS_MAX, roundsOf } from './pbes2.js';
import { checkSeal, OID_SHA256, sealSha256 } from './pkcs12-mac.js';

const OID_DATA = '1.2.840.113549.1.7.1';
const OID_FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const OID_DESCRIPTION = '2.5.4.13';
const PFX_VERSION = 3;
const MAC_SALT_BYTES = 16;

/** Guessing goes through the MAC as well as through the key, so both cost the same. Ten times what the JDK writes. */
const P12_ROUNDS = 100_000;

const BAD_ROUNDS = `rounds of password derivation; 1 to ${ROUNDS_MAX} are accepted`;

/** The alias that the Java SDK asks for. */
export const JAVA_ALIAS = 'key';

export interface Pkcs12Key {
  readonly key: KeyObject;
  /** Friendly name of the key, undefined when it has none. */
  readonly alias: string | undefined;
  /** Its description attribute, where `writePkcs12` notes what the key is for. */
  readonly description: string | undefined;
}

/**
 * Reads the private key of a PKCS#12 file. Of several it takes the one with the alias `key`.
 *
 * @param name stands in the error text, usually the file's path
 * @throws RelayError `key-invalid`
 */
export function readPkcs12(der: Uint8Array, password: string, name: string): Pkcs12Key {
  const fail = (what: string, cause?: unknown) => new RelayError('key-invalid', `${name} ${what}`, cause);
  let bags: SafeBag[];
  let mac: MacData | undefined;
  let sealed: Uint8Array;
  try {
    const pfx = AsnConvert.parse(toArrayBuffer(der), PFX);
    sealed = dataOf(pfx.authSafe) ?? new Uint8Array(0);
    // The library puts an empty one where the file has none; the key's own encryption then tells a wrong password.
    mac = pfx.macData.mac.digestAlgorithm.algorithm === '' ? undefined : pfx.macData;
    bags = AsnConvert.parse(toArrayBuffer(sealed), AuthenticatedSafe).flatMap((part) => {
      const content = dataOf(part);
      return content === undefined ? [] : [...AsnConvert.parse(toArrayBuffer(content), SafeContents)];
    });
  } catch (error) {
    throw fail(`is not a PKCS#12 file, or is damaged (${errorText(error)})`, error);
  }
  switch (mac === undefined ? 'right' : checkSeal(mac, sealed, password)) {
    case 'wrong':
      throw fail('does not open with this password, or is damaged');
    case 'unknown-algorithm':
      throw fail(`is sealed with an algorithm that is not known here (${mac?.mac.digestAlgorithm.algorithm})`);
    case 'too-many-rounds':
      throw fail(`asks for ${mac?.iterations} ${BAD_ROUNDS}`);
  }
  const keys = bags.filter(({ bagId }) => bagId === id_pkcs8ShroudedKeyBag || bagId === id_keyBag);
  const bag = keys.find((one) => aliasOf(one) === JAVA_ALIAS) ?? keys[0];
  if (bag === undefined) throw fail('holds no private key outside its encrypted part; export the key alone');
  return {
    key: openBag(bag, password, fail),
    alias: aliasOf(bag),
    description: attributeOf(bag, OID_DESCRIPTION, (value) => value.toString()),
  };
}

type Fail = (what: string, cause?: unknown) => RelayError;

function openBag(bag: SafeBag, password: string, fail: Fail): KeyObject {
  try {
    const der = Buffer.from(bag.bagValue);
    if (bag.bagId === id_keyBag) return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const info = AsnConvert.parse(bag.bagValue, PKCS8ShroudedKeyBag);
    const rounds = roundsOf(info);
    if (rounds === undefined) {
      throw fail(`encrypts its key in a way that is not known here (${info.encryptionAlgorithm.algorithm})`);
    }
    if (!(rounds >= 1 && rounds <= ROUNDS_MAX)) throw fail(`asks for ${rounds} ${BAD_ROUNDS}`);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8', passphrase: password });
  } catch (error) {
    if (error instanceof RelayError) throw error;
    throw fail(`holds a private key that does not open with this password, or is damaged (${errorText(error)})`, error);
  }
}

/** BouncyCastle, and with it the Java SDK, writes in pieces (BER) what the library reads in one. */
class Pieces extends OctetString {
  override fromASN(asn: Parameters<OctetString['fromASN']>[0]): this {
    this.buffer = asn.getValue();
    return this;
  }
}

/** Content of a part that is not encrypted; undefined for one that is. */
function dataOf(info: ContentInfo): Uint8Array | undefined {
  if (info.contentType !== OID_DATA) return undefined;
  return new Uint8Array(AsnConvert.parse(info.content, Pieces).buffer);
}

function aliasOf(bag: SafeBag): string | undefined {
  return attributeOf(bag, OID_FRIENDLY_NAME, (value) => value.bmpString);
}

function attributeOf<T>(bag: SafeBag, type: string, read: (value: AttributeValue) => T | undefined): T | undefined {
  const value = bag.bagAttributes?.find((one) => one.attrId === type)?.attrValues[0];
  return value === undefined ? undefined : read(AsnConvert.parse(value, AttributeValue));
}

/** Writes the file; `description` says what the key is for and is visible without the password. */
export function writePkcs12(key: KeyObject, password: string, description?: string): Buffer {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const attributes = [attribute(OID_FRIENDLY_NAME, new AttributeValue({ bmpString: JAVA_ALIAS }))];
  if (description !== undefined) {
    attributes.push(attribute(OID_DESCRIPTION, new AttributeValue({ utf8String: description })));
  }
  const bag = new SafeBag({
    bagId: id_pkcs8ShroudedKeyBag,
    bagValue: AsnConvert.serialize(encryptPkcs8(pkcs8, password, P12_ROUNDS)),
    bagAttributes: attributes,
  });
  const safe = AsnConvert.serialize(new AuthenticatedSafe([dataInfo(AsnConvert.serialize(new SafeContents([bag])))]));
  const salt = randomBytes(MAC_SALT_BYTES);
  const macData = new MacData({ macSalt: new OctetString(salt), iterations: P12_ROUNDS });
  macData.mac.digestAlgorithm = new AlgorithmIdentifier({
    algorithm: OID_SHA256,
    parameters: new Uint8Array([5, 0]).buffer,
  });
  macData.mac.digest = new OctetString(sealSha256(new Uint8Array(safe), password, salt, P12_ROUNDS));
  return Buffer.from(AsnConvert.serialize(new PFX({ version: PFX_VERSION, authSafe: dataInfo(safe), macData })));
}

function dataInfo(content: ArrayBuffer): ContentInfo {
  return new ContentInfo({ contentType: OID_DATA, content: AsnConvert.serialize(new OctetString(content)) });
}

function attribute(type: string, value: AttributeValue): PKCS12Attribute {
  // The constructor of this class takes the members and forgets them (asn1-pfx 2.11.1).
  const made = new PKCS12Attribute();
  made.attrId = type;
  made.attrValues = [AsnConvert.serialize(value)];
  return made;
}
