/**
 * A secp256k1 chain for the P2P ports of one test file: relays and nodes of several agencies, and everybody who must be
 * refused. Made with the built package's own PKI (milliseconds); the TLS libraries at both ends judge it independently.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Credentials, DIST_DIR } from '../pki.js';

const DAY_MS = 86_400_000;

interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}
interface Authority {
  readonly key: KeyObject;
  readonly certPem: string;
  readonly certificate: X509Certificate;
}
interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
  readonly certificate: X509Certificate;
}
interface Issuer {
  readonly name: unknown;
  readonly key: KeyObject;
}

/** What the tests use of dist/pki. */
interface PkiModules {
  createChain(request: Validity & { kind: 'secp256k1' | 'rsa'; chainName: string }): Authority;
  createAgency(chain: Authority, name: string, validity: Validity): Authority;
  createLeaf(agency: Authority, role: 'node' | 'sdk', name: string, validity: Validity): Leaf;
  issuerFrom(certificate: X509Certificate, key: KeyObject): Issuer;
  issueCertificate(request: object): { pem: string };
  issueCrl(request: {
    issuer: Issuer;
    thisUpdate: Date;
    nextUpdate: Date;
    revoked: readonly { serialHex: string; at: Date }[];
  }): string;
}

/** PEM texts of one node, the files a relay's configuration names, and its node ID. */
export interface NodeCredentials extends Credentials {
  readonly name: string;
  readonly nodeId: string;
  readonly files: { readonly key: string; readonly cert: string; readonly ca: string };
}

export type Agency = 'A' | 'B' | 'C';

/** Node ID: X and Y of the public key, 128 lower-case hex digits (§3.1). */
export function nodeIdOfKey(key: KeyObject): string {
  const point = key.export({ type: 'spki', format: 'der' }).subarray(-64);
  return point.toString('hex');
}

export class P2PPki {
  readonly dir: string;
  private readonly modules: PkiModules;
  private readonly chain: Authority;
  private readonly agencies: Readonly<Record<Agency, Authority>>;
  private readonly now = Date.now();
  private serial = 0;

  private constructor(modules: PkiModules) {
    this.modules = modules;
    this.dir = mkdtempSync(join(tmpdir(), 'amop-relay-test-p2p-pki-'));
    this.chain = modules.createChain({ kind: 'secp256k1', chainName: 'p2p-chain', ...this.days(-4, 600) });
    const agency = (name: string) => modules.createAgency(this.chain, name, this.days(-4, 600));
    this.agencies = { A: agency('agencyA'), B: agency('agencyB'), C: agency('agencyC') };
  }

  static async create(): Promise<P2PPki> {
    const load = (name: string) => import(pathToFileURL(join(DIST_DIR, `pki/${name}.js`)).href);
    const [authority, certificate, crl] = await Promise.all(['authority', 'certificate', 'crl'].map(load));
    return new P2PPki({ ...authority, ...certificate, ...crl } as PkiModules);
  }

  /** A relay or node of one agency. */
  node(name: string, agency: Agency = 'A'): NodeCredentials {
    return this.leaf(name, this.modules.createLeaf(this.agencies[agency], 'node', name, this.days(-1, 300)));
  }

  /** An application's certificate of the same chain. */
  sdk(name = 'sdk'): NodeCredentials {
    return this.leaf(name, this.modules.createLeaf(this.agencies.A, 'sdk', name, this.days(-1, 300)));
  }

  expired(name = 'expired'): NodeCredentials {
    return this.leaf(name, this.modules.createLeaf(this.agencies.A, 'node', name, this.days(-3, -1)));
  }

  notYetValid(name = 'early'): NodeCredentials {
    return this.leaf(name, this.modules.createLeaf(this.agencies.A, 'node', name, this.days(2, 300)));
  }

  /** Of another chain; trusts ours all the same. */
  foreign(name = 'foreign'): NodeCredentials {
    const chain = this.modules.createChain({ kind: 'secp256k1', chainName: 'other-chain', ...this.days(-4, 600) });
    const agency = this.modules.createAgency(chain, 'otherAgency', this.days(-4, 600));
    return this.leaf(name, this.modules.createLeaf(agency, 'node', name, this.days(-1, 300)));
  }

  /** A sound leaf but for the missing extension: a real node completes the handshake and then closes. */
  withoutBasicConstraints(name = 'bare'): NodeCredentials {
    const { keyPem } = this.modules.createLeaf(this.agencies.A, 'node', name, this.days(-1, 300));
    const issued = this.modules.issueCertificate({
      subject: { cn: name, o: 'fisco-bcos', ou: 'node' },
      publicKey: createPublicKey(createPrivateKey(keyPem)),
      issuer: this.issuer(this.agencies.A),
      ...this.days(-1, 300),
      ca: false,
      omitBasicConstraints: true,
    });
    return this.leaf(name, { keyPem, certPem: issued.pem + this.agencies.A.certPem });
  }

  /** An agency's own certificate and key, used as if they were a node's. */
  authorityAsNode(name = 'agency'): NodeCredentials {
    const keyPem = this.agencies.C.key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return this.leaf(name, { keyPem, certPem: this.agencies.C.certPem });
  }

  /** An RSA leaf under an agency of the secp256k1 chain: it has no node ID. */
  rsa(name = 'rsa'): NodeCredentials {
    const rsaChain = this.modules.createChain({ kind: 'rsa', chainName: 'rsa', ...this.days(-4, 600) });
    const issued = this.modules.issueCertificate({
      subject: { cn: name, o: 'fisco-bcos', ou: 'node' },
      publicKey: createPublicKey(rsaChain.key),
      issuer: this.issuer(this.agencies.A),
      ...this.days(-1, 300),
      ca: false,
    });
    const keyPem = rsaChain.key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return this.leaf(name, { keyPem, certPem: issued.pem + this.agencies.A.certPem });
  }

  /** File with a list for every CA of the chain; the given certificates are revoked in agency A's. */
  crlFile(...revoked: readonly { readonly cert: string }[]): string {
    const serials = revoked.map(({ cert }) => ({ serialHex: serialOf(cert), at: new Date(this.now - DAY_MS) }));
    const list = (authority: Authority, entries: typeof serials) =>
      this.modules.issueCrl({
        issuer: this.issuer(authority),
        thisUpdate: new Date(this.now - DAY_MS),
        nextUpdate: new Date(this.now + 30 * DAY_MS),
        revoked: entries,
      });
    const { A, B, C } = this.agencies;
    return this.file('crl.pem', list(this.chain, []) + list(A, serials) + list(B, []) + list(C, []));
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  private leaf(name: string, { keyPem, certPem }: Pick<Leaf, 'keyPem' | 'certPem'>): NodeCredentials {
    const caPem =
      this.chain.certPem +
      Object.values(this.agencies)
        .map(({ certPem: agency }) => agency)
        .join('');
    return {
      name,
      key: keyPem,
      cert: certPem,
      ca: this.chain.certPem,
      nodeId: nodeIdOfKey(createPublicKey(createPrivateKey(keyPem))),
      files: {
        key: this.file(`${name}.key`, keyPem),
        cert: this.file(`${name}.crt`, certPem),
        ca: this.file(`${name}-ca.crt`, caPem),
      },
    };
  }

  private file(name: string, text: string): string {
    const path = join(this.dir, `${this.serial++}-${name}`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  private issuer({ certificate, key }: Authority): Issuer {
    return this.modules.issuerFrom(certificate, key);
  }

  private days(from: number, to: number): Validity {
    return { notBefore: new Date(this.now + from * DAY_MS), notAfter: new Date(this.now + to * DAY_MS) };
  }
}

function serialOf(certPem: string): string {
  return new X509Certificate(certPem).serialNumber;
}
