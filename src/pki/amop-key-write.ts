/** Keys of private topics as files: PEM for every SDK, PKCS#12 for the Java SDK, hex for code. */
import type { KeyObject } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { AMOP_KEY_MARK, publicHexOf, publicKeyOf } from './amop-key.js';
import { encryptPkcs8 } from './pbes2.js';
import { encodePem } from './pem.js';
import { writePkcs12 } from './pkcs12.js';

const WARNING = 'Never the key of a chain account: whoever sends on the topic chooses what it signs.';

/**
 * PKCS#8 PEM, encrypted with a password if there is one. Java takes the first block and wants it unencrypted.
 * Readers skip the text in front of the block; the mark stands there.
 */
export function formatPrivatePem(key: KeyObject, options: { marked: boolean; password?: string | undefined }): string {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const block =
    options.password === undefined
      ? encodePem('PRIVATE KEY', der)
      : encodePem('ENCRYPTED PRIVATE KEY', new Uint8Array(AsnConvert.serialize(encryptPkcs8(der, options.password))));
  return markText(key, options.marked) + block;
}

/** SubjectPublicKeyInfo PEM. */
export function formatPublicPem(key: KeyObject, options: { marked: boolean }): string {
  const der = publicKeyOf(key).export({ type: 'spki', format: 'der' });
  return markText(key, options.marked) + encodePem('PUBLIC KEY', der);
}

export function formatPkcs12(key: KeyObject, password: string, options: { marked: boolean }): Buffer {
  return writePkcs12(key, password, options.marked ? AMOP_KEY_MARK : undefined);
}

function markText(key: KeyObject, marked: boolean): string {
  return marked ? `${AMOP_KEY_MARK}\nPublic key: ${publicHexOf(key)}\n${WARNING}\n` : '';
}
