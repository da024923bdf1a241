/**
 * PEM text to what a dialled connection presents. A relay that refuses a certificate just closes the connection, so what
 * can be seen to be wrong here is said here.
 */
import type { X509Certificate } from 'node:crypto';
import { RelayError } from '../base/errors.js';
import { parseCertificates } from '../pki/files.js';
import type { TlsIdentity } from '../pki/identity.js';
import { exportPrivateKey, keyKindOf, loadPrivateKey } from '../pki/key.js';

import type { Pem } from './options.js';

/** @throws RelayError `certificate-invalid` or `key-invalid` */
export function clientIdentity(
  pem: { readonly key: Pem; readonly cert: Pem; readonly ca: Pem },
  now: Date,
): TlsIdentity {
  const chain = parse(pem.cert, 'cert');
  const authorities = parse(pem.ca, 'ca');
  const key = loadPrivateKey(pem.key.toString(), 'option key');
  const leaf = chain[0];
  const subject = leaf.subject.replaceAll('\n', ', ');
  if (!leaf.checkPrivateKey(key)) {
    throw new RelayError(
      'key-invalid',
      `option key is not the key of "${subject}", the first certificate of option cert`,
    );
  }
  const notAfter = new Date(leaf.validTo);
  if (now > notAfter) {
    throw new RelayError(
      'certificate-invalid',
      `certificate "${subject}" expired on ${notAfter.toISOString()}; renew it`,
    );
  }
  if (now < new Date(leaf.validFrom)) {
    throw new RelayError(
      'certificate-invalid',
      `certificate "${subject}" is not valid before ${new Date(leaf.validFrom).toISOString()}; check the clock`,
    );
  }
  return {
    kind: keyKindOf(leaf.publicKey) === 'rsa' ? 'rsa' : 'secp256k1',
    certPem: chain.map(String).join(''),
    keyPem: exportPrivateKey(key),
    caPem: authorities.map(String).join(''),
    leaf,
    notAfter,
    warnings: [],
  };
}

function parse(pem: Pem, option: 'cert' | 'ca'): X509Certificate[] {
  return parseCertificates({ path: 'given to connect', setting: `option ${option}:`, text: pem.toString(), mode: 0 });
}
