/**
 * Chain CA -> agency CA -> leaf, as the reference's tools lay a chain out. One chain is of one key kind throughout:
 * a JDK 17 client cannot verify an RSA leaf under a secp256k1 authority.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { issueCertificate, issuerFrom } from './certificate.js';
import { exportPrivateKey, generateKey, type KeyKind } from './key.js';
import type { DistinguishedName } from './names.js';

const ORGANISATION = 'fisco-bcos';

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A certificate authority with its key: the chain itself or one agency of it. */
export interface Authority {
  readonly kind: KeyKind;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly certificate: X509Certificate;
  readonly certPem: string;
}

/** `node` serves and dials as a node does, `sdk` is an application's. Stands in the subject as OU. */
export type LeafRole = 'node' | 'sdk';

/** What goes into the leaf's two files. */
export interface LeafFiles {
  /**
   * Leaf, then agency. The agency must be there: ca.crt of a client is the chain root alone, and a Go client sends
   * no certificate at all when nothing in its file leads to a name in the server's CA list.
   */
  readonly certPem: string;
  /** PKCS#8, unencrypted. */
  readonly keyPem: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

/** A self-signed chain CA with a fresh key. */
export function createChain(request: Validity & { readonly kind: KeyKind; readonly chainName: string }): Authority {
  const subject = nameIn(request.chainName, 'chain');
  const key = generateKey(request.kind);
  const issued = issueCertificate({
    subject,
    publicKey: createPublicKey(key),
    issuer: { name: subject, key },
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    ca: true,
  });
  return authority(request.kind, key, issued.pem);
}

/** An agency CA under the chain: it may issue leaves only. */
export function createAgency(chain: Authority, name: string, validity: Validity): Authority {
  const key = generateKey(chain.kind);
  const issued = issueCertificate({
    subject: nameIn(name, 'agency'),
    publicKey: createPublicKey(key),
    issuer: issuerFrom(chain.certificate, chain.key),
    notBefore: validity.notBefore,
    notAfter: validity.notAfter,
    ca: true,
    pathLength: 0,
  });
  return authority(chain.kind, key, issued.pem);
}

/** A leaf with a fresh key under an agency. */
export function createLeaf(agency: Authority, role: LeafRole, name: string, validity: Validity): LeafFiles {
  const key = generateKey(agency.kind);
  const issued = issueCertificate({
    subject: nameIn(name, role),
    publicKey: createPublicKey(key),
    issuer: issuerFrom(agency.certificate, agency.key),
    notBefore: validity.notBefore,
    notAfter: validity.notAfter,
    ca: false,
  });
  return {
    certPem: issued.pem + agency.certPem,
    keyPem: exportPrivateKey(key),
    key,
    certificate: new X509Certificate(issued.pem),
  };
}

/**
 * `ca_cert` of a listener: the root, and every agency so that it stands in the CA list that the server sends.
 * A client's ca.crt is the root alone (`chain.certPem`). Agencies here are no trust anchors of their own: OpenSSL ends
 * a chain only at a self-signed certificate.
 */
export function listenerCaPem(chain: Authority, agencies: readonly Authority[]): string {
  return chain.certPem + agencies.map((agency) => agency.certPem).join('');
}

/** A subject as the reference writes it. */
export function nameIn(cn: string, ou: string): DistinguishedName {
  return { cn, o: ORGANISATION, ou };
}

function authority(kind: KeyKind, key: KeyObject, certPem: string): Authority {
  return { kind, key, keyPem: exportPrivateKey(key), certificate: new X509Certificate(certPem), certPem };
}
