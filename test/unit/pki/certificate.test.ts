import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { type CertificateRequest, issueCertificate, issuerFrom } from '../../../src/pki/certificate.js';
import { crlIsFrom, issueCrl, parseCrls } from '../../../src/pki/crl.js';
import { generateKey, type KeyKind } from '../../../src/pki/key.js';

const FROM = new Date('2026-01-01T00:00:00Z');
const UNTIL = new Date('2036-01-01T00:00:00Z');
const ROOT = { cn: 'chain', o: 'fisco-bcos', ou: 'chain' };

function issue(kind: KeyKind, extra: Partial<CertificateRequest> = {}) {
  const rootKey = generateKey(kind);
  const root = issueCertificate({
    subject: ROOT,
    publicKey: createPublicKey(rootKey),
    issuer: { name: ROOT, key: rootKey },
    notBefore: FROM,
    notAfter: UNTIL,
    ca: true,
  });
  const key = generateKey(kind);
  const leaf = issueCertificate({
    subject: { cn: 'node0', o: 'fisco-bcos', ou: 'node' },
    publicKey: createPublicKey(key),
    issuer: issuerFrom(new X509Certificate(root.pem), rootKey),
    notBefore: FROM,
    notAfter: UNTIL,
    ca: false,
    ...extra,
  });
  return { rootKey, key, root: new X509Certificate(root.pem), leaf: new X509Certificate(leaf.pem), leafDer: leaf.der };
}

/** DER of the extensions, as hex by OID. */
function extensionsOf(der: Buffer): Record<string, { critical: boolean; hex: string }> {
  const parsed = AsnConvert.parse(der, Certificate).tbsCertificate.extensions ?? [];
  return Object.fromEntries(
    parsed.map((one) => [
      one.extnID,
      { critical: one.critical, hex: Buffer.from(one.extnValue.buffer).toString('hex') },
    ]),
  );
}

describe('issued certificates', () => {
  it.each(['secp256k1', 'rsa', 'p256'] as const)('of kind %s verify in node:crypto', (kind) => {
    const { root, leaf, key, rootKey } = issue(kind);
    expect(root.ca).toBe(true);
    expect(root.verify(createPublicKey(rootKey))).toBe(true);
    expect(root.checkIssued(root)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.verify(leaf.publicKey)).toBe(false);
    expect(leaf.checkPrivateKey(key)).toBe(true);
    expect(leaf.subject).toBe('CN=node0\nO=fisco-bcos\nOU=node');
    expect(leaf.issuer).toBe('CN=chain\nO=fisco-bcos\nOU=chain');
    expect(new Date(leaf.validFrom)).toEqual(FROM);
    expect(new Date(leaf.validTo)).toEqual(UNTIL);
  });

  it('carry the reference extensions: CA:FALSE, three key usages, key identifiers', () => {
    const { leafDer, root } = issue('secp256k1');
    const leaf = extensionsOf(leafDer);
    expect(leaf['2.5.29.19']).toEqual({ critical: false, hex: '3000' });
    // digitalSignature, nonRepudiation, keyEncipherment: bits 0-2, five unused bits
    expect(leaf['2.5.29.15']).toEqual({ critical: false, hex: '030205e0' });
    const authority = extensionsOf(root.raw);
    expect(authority['2.5.29.19']).toEqual({ critical: true, hex: '30030101ff' });
    expect(authority['2.5.29.15']).toEqual({ critical: true, hex: '03020106' });
    expect(leaf['2.5.29.35'].hex.slice(8)).toBe(authority['2.5.29.14'].hex.slice(4));
    expect(leaf['2.5.29.14'].hex).not.toBe(authority['2.5.29.14'].hex);
  });

  it('leave basicConstraints out on request and take a path length', () => {
    expect(extensionsOf(issue('secp256k1', { omitBasicConstraints: true }).leafDer)['2.5.29.19']).toBeUndefined();
    const { leafDer } = issue('secp256k1', { ca: true, pathLength: 0 });
    expect(extensionsOf(leafDer)['2.5.29.19'].hex).toBe('30060101ff020100');
  });

  it('keep serials positive and minimal', () => {
    const serialOf = (bytes: number[]) => issue('secp256k1', { serial: Uint8Array.from(bytes) }).leaf.serialNumber;
    expect(serialOf([0xff])).toBe('FF');
    expect(serialOf([0, 0, 1])).toBe('01');
    expect(serialOf([0])).toBe('01');
  });

  it('hold dates beyond 2049', () => {
    const notAfter = new Date('2126-01-01T00:00:00Z');
    expect(new Date(issue('secp256k1', { notAfter }).leaf.validTo)).toEqual(notAfter);
  });

  it('are refused for keys that sign otherwise', () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    expect(() => issue('secp256k1', { issuer: { name: ROOT, key } })).toThrow(RelayError);
  });
});

describe('revocation lists', () => {
  it('are signed by their issuer and name the revoked serials', () => {
    const { root, rootKey, leaf } = issue('secp256k1');
    const pem = issueCrl({
      issuer: issuerFrom(root, rootKey),
      thisUpdate: FROM,
      nextUpdate: UNTIL,
      revoked: [{ serialHex: leaf.serialNumber, at: FROM }],
    });
    const [crl] = parseCrls(pem);
    expect(crl.nextUpdate).toEqual(UNTIL);
    expect(crlIsFrom(crl, root)).toBe(true);
    expect(crlIsFrom(crl, leaf)).toBe(false);
    const serials = crl.list.tbsCertList.revokedCertificates?.map((one) =>
      BigInt(`0x${Buffer.from(one.userCertificate).toString('hex')}`),
    );
    expect(serials).toEqual([BigInt(`0x${leaf.serialNumber}`)]);
  });

  it('may be empty', () => {
    const { root, rootKey } = issue('rsa');
    const pem = issueCrl({ issuer: issuerFrom(root, rootKey), thisUpdate: FROM, nextUpdate: UNTIL, revoked: [] });
    const [crl] = parseCrls(pem);
    expect(crl.list.tbsCertList.revokedCertificates).toBeUndefined();
    expect(crlIsFrom(crl, root)).toBe(true);
  });
});
