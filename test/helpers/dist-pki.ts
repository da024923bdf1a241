/** The parts of the built PKI that make the certificates of tests, bad ones included. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DIST_DIR, type Kind } from './pki.js';

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Authority {
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly certificate: X509Certificate;
  readonly certPem: string;
}

export interface Leaf {
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly certPem: string;
}

/** Opaque to tests. */
type Issuer = { readonly issuer: never };

interface AuthorityModule {
  createChain(request: Validity & { kind: Kind; chainName: string }): Authority;
  createAgency(chain: Authority, name: string, validity: Validity): Authority;
  createLeaf(agency: Authority, role: 'node' | 'sdk', name: string, validity: Validity): Leaf;
}

interface CertificateModule {
  issueCertificate(
    request: Validity & {
      subject: { cn: string; o?: string; ou?: string };
      publicKey: KeyObject;
      issuer: Issuer;
      ca: boolean;
    },
  ): { readonly pem: string };
  issuerFrom(certificate: X509Certificate, key: KeyObject): Issuer;
}

interface CrlModule {
  issueCrl(request: {
    issuer: Issuer;
    thisUpdate: Date;
    nextUpdate: Date;
    revoked: readonly { serialHex: string; at: Date }[];
  }): string;
}

const load = (name: string) => import(pathToFileURL(join(DIST_DIR, 'pki', name)).href);

export const authorityModule = (): Promise<AuthorityModule> => load('authority.js');
export const certificateModule = (): Promise<CertificateModule> => load('certificate.js');
export const crlModule = (): Promise<CrlModule> => load('crl.js');
