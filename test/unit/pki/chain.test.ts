import { createPublicKey, X509Certificate } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import { Certificate, id_ce_subjectKeyIdentifier, SubjectKeyIdentifier } from '@peculiar/asn1-x509';
import { describe, expect, it } from 'vitest';
import { createLeaf } from '../../../src/pki/authority.js';
import { issueCertificate, keyIdentifierOf, signWith } from '../../../src/pki/certificate.js';
import { buildChain, isIssuedBy, mayBeIssuedBy } from '../../../src/pki/chain.js';
import { generateKey } from '../../../src/pki/key.js';
import { createWorld, VALID } from './world.js';

const world = createWorld('secp256k1');

/** A self-signed CA that claims the name and the key identifier of bank-a; only its key is another. */
function impostor(): X509Certificate {
  const key = generateKey('secp256k1');
  const name = { cn: 'bank-a', o: 'fisco-bcos', ou: 'agency' };
  const { der } = issueCertificate({
    subject: name,
    publicKey: createPublicKey(key),
    issuer: { name, key },
    notBefore: VALID.notBefore,
    notAfter: VALID.notAfter,
    ca: true,
  });
  const certificate = AsnConvert.parse(der, Certificate);
  const { extensions } = certificate.tbsCertificate;
  const own = extensions?.find((one) => one.extnID === id_ce_subjectKeyIdentifier);
  const claimed = new SubjectKeyIdentifier(keyIdentifierOf(world.bankA.certificate.publicKey));
  Object.assign(own ?? {}, { extnValue: new OctetString(AsnConvert.serialize(claimed)) });
  const tbs = AsnConvert.serialize(certificate.tbsCertificate);
  const forged = new Certificate({
    tbsCertificate: certificate.tbsCertificate,
    tbsCertificateRaw: tbs,
    signatureAlgorithm: certificate.signatureAlgorithm,
    signatureValue: signWith(key, tbs),
  });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(forged)));
}

describe('a chain', () => {
  const leaf = createLeaf(world.bankA, 'node', 'relay', VALID).certificate;
  const { certificate: agency } = world.bankA;
  const { certificate: root } = world.chain;

  it('is found by signature: names and key identifiers of an impostor do not count', () => {
    const fake = impostor();
    expect(mayBeIssuedBy(leaf, fake)).toBe(true);
    expect(isIssuedBy(leaf, fake)).toBe(false);
    expect(isIssuedBy(leaf, agency)).toBe(true);
    expect(buildChain(leaf, [fake, agency], [root])).toEqual({ ok: true, path: [leaf, agency, root] });
    expect(buildChain(leaf, [], [fake, root])).toEqual({ ok: false, missing: leaf });
  });

  it('ends only at a self-signed certificate of the trusted ones', () => {
    expect(buildChain(leaf, [agency, root], [])).toEqual({ ok: false, missing: root });
    expect(buildChain(leaf, [], [agency])).toEqual({ ok: false, missing: agency });
    expect(buildChain(root, [], [root])).toEqual({ ok: true, path: [root] });
  });

  it('never leads through a leaf', () => {
    expect(isIssuedBy(agency, leaf)).toBe(false);
    expect(mayBeIssuedBy(leaf, leaf)).toBe(false);
  });
});
