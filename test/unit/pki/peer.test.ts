import { createPublicKey, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createLeaf } from '../../../src/pki/authority.js';
import { issueCertificate, issuerFrom } from '../../../src/pki/certificate.js';
import { generateKey } from '../../../src/pki/key.js';
import { describePeer, type KnownPeers, organisationIdOf } from '../../../src/pki/peer.js';
import { serverTlsOptions } from '../../../src/pki/tls-options.js';
import { connectOnce, createWorld, dialPlain, handshake, identityOf, relayOf, sdkOf, VALID } from './world.js';

/** Stands for a socket whose peer sent these certificates after its leaf. */
function socketOf(leaf: X509Certificate, sent: readonly X509Certificate[], authorized = true): TLSSocket {
  let next: X509Certificate | undefined;
  for (const one of [...sent].reverse()) {
    Object.defineProperty(one, 'issuerCertificate', { value: next, configurable: true });
    next = one;
  }
  Object.defineProperty(leaf, 'issuerCertificate', { value: next, configurable: true });
  return { authorized, getPeerX509Certificate: () => leaf } as unknown as TLSSocket;
}

describe('describing a peer', () => {
  const world = createWorld('secp256k1');

  it('gives every agency its own organisation, and one agency the same for all its leaves', () => {
    const authorities = [world.chain.certificate, world.bankA.certificate, world.bankB.certificate];
    const organisation = (agency = world.bankA) =>
      describePeer(socketOf(createLeaf(agency, 'sdk', 'app', VALID).certificate, []), authorities)?.organisationId;
    expect(organisation()).toMatch(/^[0-9a-f]{64}$/);
    expect(organisation()).toBe(organisation());
    expect(organisation()).not.toBe(organisation(world.bankB));
  });

  it('remembers a certificate that it has described, and only if its issuer was found', () => {
    const authorities = [world.chain.certificate, world.bankA.certificate];
    const known: KnownPeers = new Map();
    const describeOnce = (leaf: X509Certificate, authorized = true) =>
      describePeer(socketOf(leaf, [], authorized), authorities, known);
    const [one, two] = ['one', 'two'].map((name) => createLeaf(world.bankA, 'sdk', name, VALID).certificate);
    const first = describeOnce(one);
    expect(describeOnce(one)).toBe(first);
    expect(describeOnce(two)?.subjectCn).toBe('two');
    expect(known.size).toBe(2);
    // Nobody has verified this connection: neither is it believed, nor remembered.
    expect(describeOnce(one, false)).not.toBe(first);
    const stranger = createLeaf(world.bankB, 'sdk', 'stranger', VALID).certificate;
    expect(describeOnce(stranger)?.organisationId).toBeUndefined();
    expect(known.size).toBe(2);
  });

  it('remembers a bounded number of certificates', () => {
    const authorities = [world.chain.certificate, world.bankA.certificate];
    const leaf = createLeaf(world.bankA, 'sdk', 'app', VALID).certificate;
    const description = describePeer(socketOf(leaf, []), authorities)!;
    const known: KnownPeers = new Map(Array.from({ length: 1_024 }, (_, n) => [`certificate ${n}`, description]));
    describePeer(socketOf(leaf, []), authorities, known);
    expect(known.size).toBe(1_024);
    expect(known.has('certificate 0')).toBe(false);
    expect(known.has(description.certificateDigest)).toBe(true);
  });

  it('takes an agency from the sent chain only when a CA of ours signed it', () => {
    const leaf = createLeaf(world.bankA, 'sdk', 'app', VALID).certificate;
    const agency = new X509Certificate(world.bankA.certPem);
    const id = (authorities: X509Certificate[]) => describePeer(socketOf(leaf, [agency]), authorities)?.organisationId;
    expect(id([world.chain.certificate])).toBe(organisationIdOf(agency));
    expect(id([createWorld('secp256k1').chain.certificate])).toBeUndefined();
    expect(id([])).toBeUndefined();
  });

  it('is not fooled by a certificate of the agency’s name with another key, sent first', async () => {
    // The attacker's own "bank-a", same name, same key identifier, not signed by the chain.
    const key = generateKey('secp256k1');
    const real = issuerFrom(world.bankA.certificate, world.bankA.key);
    const bogus = issueCertificate({
      subject: { cn: 'bank-a', o: 'fisco-bcos', ou: 'agency' },
      publicKey: createPublicKey(key),
      issuer: { name: { cn: 'chain', o: 'fisco-bcos', ou: 'chain' }, key },
      notBefore: VALID.notBefore,
      notAfter: VALID.notAfter,
      ca: true,
    });
    const leaf = issueCertificate({
      subject: { cn: 'app' },
      publicKey: createPublicKey(key),
      issuer: { name: real.name, key: world.bankA.key },
      notBefore: VALID.notBefore,
      notAfter: VALID.notAfter,
      ca: false,
    });
    const client = sdkOf(world);
    const outcome = await connectOnce(
      serverTlsOptions(relayOf(world)),
      dialPlain({
        ca: client.caPem,
        cert: leaf.pem + bogus.pem + world.bankA.certPem,
        key: key.export({ type: 'pkcs8', format: 'pem' }),
        ecdhCurve: 'P-256:secp256k1',
      }),
    );
    expect(outcome.peer?.organisationId).toBe(organisationIdOf(world.bankA.certificate));
    const certificate = new X509Certificate(leaf.pem);
    const sent = [new X509Certificate(bogus.pem)];
    expect(describePeer(socketOf(certificate, sent), [world.chain.certificate])?.organisationId).toBeUndefined();
  });

  it('keeps the organisation of an agency whose certificate was renewed with its key', () => {
    const renewed = issueCertificate({
      subject: { cn: 'bank-a', o: 'fisco-bcos', ou: 'agency' },
      publicKey: world.bankA.certificate.publicKey,
      issuer: issuerFrom(world.chain.certificate, world.chain.key),
      notBefore: VALID.notBefore,
      notAfter: VALID.notAfter,
      ca: true,
    });
    const leaf = createLeaf(world.bankA, 'sdk', 'app', VALID).certificate;
    const authorities = [new X509Certificate(renewed.pem), world.bankA.certificate];
    expect(describePeer(socketOf(leaf, []), authorities)?.organisationId).toBe(
      organisationIdOf(world.bankA.certificate),
    );
  });

  it('takes the agency from the sent chain where Node shows it to a server, and never another one', async () => {
    const relay = { ...relayOf(world), caPem: world.chain.certPem };
    const outcome = await handshake(relay, sdkOf(world, VALID, world.bankB));
    const real = organisationIdOf(world.bankB.certificate);
    // Node 24.21 gives a server no sent chain; a later 24 may.
    const hidden = process.versions.node.startsWith('24.');
    expect(hidden ? [real, undefined] : [real]).toContain(outcome.peer?.organisationId);
    expect(outcome.peer?.issuerCn).toBe('bank-b');
  });

  it('cleans names of what would break a log line', async () => {
    const leaf = createLeaf(world.bankA, 'sdk', `a\nb\u001b[31m\u202e${'x'.repeat(200)}`, VALID);
    const outcome = await handshake(relayOf(world), identityOf(world, leaf, world.chain.certPem));
    expect(outcome.peer?.subjectCn).toBe(`a?b?[31m?${'x'.repeat(55)}`);
  });

  it('never throws, whatever the socket does', () => {
    const none = { getPeerX509Certificate: () => undefined } as unknown as TLSSocket;
    expect(describePeer(none, [])).toBeUndefined();
    const broken = {
      getPeerX509Certificate: () => {
        throw new Error('gone');
      },
    } as unknown as TLSSocket;
    expect(describePeer(broken, [])).toBeUndefined();
  });
});
