/** What a TLS endpoint presents and trusts, loaded and checked (load.ts). */
import type { X509Certificate } from 'node:crypto';

/** Paths as configured; `crl` holds one list for every CA of the chain. */
export interface IdentityPaths {
  readonly key: string;
  readonly cert: string;
  readonly caCert: string;
  readonly crl?: string;
  readonly passphrase?: string;
}

export interface TlsIdentity {
  readonly kind: 'secp256k1' | 'rsa';
  /** Leaf, then the authorities below the root, whatever else the file held. */
  readonly certPem: string;
  /** PKCS#8 or as the file had it, decrypted. */
  readonly keyPem: string;
  /** Everything in `ca_cert`, then our own agencies if they were not in it: they belong into the server's CA list. */
  readonly caPem: string;
  readonly crlPem?: string;
  readonly leaf: X509Certificate;
  /** 128 lower-case hex digits; undefined for RSA. */
  readonly nodeId?: string;
  /** When the first certificate of our chain expires. */
  readonly notAfter: Date;
  /** For the log: what works today but should be looked at. */
  readonly warnings: readonly string[];
}
