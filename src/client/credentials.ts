/**
 * PEM text to what a dialled connection presents. A relay that refuses a certificate just closes the connection, so what
 * can be seen to be wrong here is said here.
 */
import type { X509Certificate } from 'node:crypto';
import { RelayError } from '../base/errors.js';
import { parseCertificates } from '../pki/files.js';
import type { TlsIdentity } from '../pki/identity.js';
import { describeKey, exportPrivateKey, isEncryptedPem, keyKindOf, loadPrivateKey } from '../pki/key.js';
import type { Pem } from './options.js';

export interface Credentials {
  readonly key: Pem;
  readonly passphrase?: string | undefined;
  readonly cert: Pem;
  readonly ca: Pem;
}

/** @throws RelayError `certificate-invalid` or `key-invalid` */
export function clientIdentity(pem: Credentials, now: Date): TlsIdentity {
  const chain = parse(pem.cert, 'cert');
  const authorities = parse(pem.ca, 'ca');
  const keyText = pem.key.toString();
  if (pem.passphrase === undefined && isEncryptedPem(keyText)) {
    throw new RelayError(
      'key-invalid',
      'option key is an encrypted private key; give its password as option passphrase',
    );
  }
  const key = loadPrivateKey(keyText, 'option key', pem.passphrase);
  const leaf = chain[0];
  const kind = checkLeaf(leaf);
  if (!leaf.checkPrivateKey(key)) {
    throw new RelayError(
      'key-invalid',
      `option key is not the key of ${subjectOf(leaf)}, the first certificate of option cert`,
    );
  }
  checkValidity(leaf, now);
  return {
    kind,
    certPem: chain.map(String).join(''),
    keyPem: exportPrivateKey(key),
    caPem: authorities.map(String).join(''),
    leaf,
    notAfter: new Date(leaf.validTo),
    warnings: [],
  };
}

function checkLeaf(leaf: X509Certificate): 'secp256k1' | 'rsa' {
  const fail = (what: string) => new RelayError('certificate-invalid', `option cert: ${subjectOf(leaf)} ${what}`);
  if (leaf.ca) throw fail('is a CA certificate; the first certificate must be your own, followed by its agency');
  const kind = keyKindOf(leaf.publicKey);
  if (kind === 'secp256k1' || kind === 'rsa') return kind;
  const words = describeKey(leaf.publicKey).replace(/^the curve/, 'the unsupported curve');
  throw fail(`has a key on ${words}; relays and nodes take secp256k1 or RSA`);
}

function checkValidity(leaf: X509Certificate, now: Date): void {
  const fail = (what: string) => new RelayError('certificate-invalid', `certificate ${subjectOf(leaf)} ${what}`);
  if (now > new Date(leaf.validTo)) throw fail(`expired on ${new Date(leaf.validTo).toISOString()}; renew it`);
  if (now < new Date(leaf.validFrom)) {
    throw fail(`is not valid before ${new Date(leaf.validFrom).toISOString()}; check the clock`);
  }
}

function subjectOf(certificate: X509Certificate): string {
  return `"${certificate.subject.replaceAll('\n', ', ')}"`;
}

function parse(pem: Pem, option: 'cert' | 'ca'): X509Certificate[] {
  return parseCertificates({ path: 'given to connect', setting: `option ${option}:`, text: pem.toString(), mode: 0 });
}
