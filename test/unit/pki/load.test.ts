import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { createChain, createLeaf, type LeafFiles } from '../../../src/pki/authority.js';
import { type CertificateRequest, issueCertificate, issuerFrom } from '../../../src/pki/certificate.js';
import type { IdentityPaths } from '../../../src/pki/identity.js';
import { exportPrivateKey, generateKey, nodeIdOf } from '../../../src/pki/key.js';
import { loadClientIdentity, loadListenerIdentity } from '../../../src/pki/load.js';
import { organisationIdOf } from '../../../src/pki/peer.js';
import { certificatesOf, createWorld, crlsOf, EXPIRED, handshake, NOT_YET, sdkOf, VALID } from './world.js';

const NOW = new Date();
const DAY_MS = 24 * 3600 * 1000;
const directory = mkdtempSync(join(tmpdir(), 'amop-load-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const world = createWorld('secp256k1');
const relay = createLeaf(world.bankA, 'node', 'relay', VALID);

let count = 0;
function put(text: string | Buffer, mode = 0o600): string {
  const path = join(directory, `file-${count++}.pem`);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
}

interface Texts {
  key?: string;
  cert?: string | Buffer;
  ca?: string;
  crl?: string;
  keyMode?: number;
}

function pathsOf(texts: Texts, leaf: LeafFiles = relay): IdentityPaths {
  return {
    key: put(texts.key ?? leaf.keyPem, texts.keyMode),
    cert: put(texts.cert ?? leaf.certPem),
    caCert: put(texts.ca ?? world.listenerCa),
    crl: texts.crl === undefined ? undefined : put(texts.crl),
  };
}

function refusal(paths: IdentityPaths): { code: string; message: string } {
  try {
    loadListenerIdentity(paths, NOW);
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    return error as RelayError;
  }
  throw new Error('the identity was accepted');
}

/** A leaf of bank-a with one thing different. */
function leafOf(key: KeyObject, extra: Partial<CertificateRequest> = {}): Texts {
  const issued = issueCertificate({
    subject: { cn: 'odd' },
    publicKey: createPublicKey(key),
    issuer: issuerFrom(world.bankA.certificate, world.bankA.key),
    notBefore: VALID.notBefore,
    notAfter: VALID.notAfter,
    ca: false,
    ...extra,
  });
  return { cert: issued.pem + world.bankA.certPem, key: exportPrivateKey(key) };
}

describe('a good identity', () => {
  it.each(['secp256k1', 'rsa'] as const)('of kind %s is loaded whole', (kind) => {
    const one = kind === 'secp256k1' ? world : createWorld(kind);
    const leaf = createLeaf(one.bankA, 'node', 'relay', VALID);
    const identity = loadListenerIdentity(pathsOf({ ca: one.listenerCa }, leaf), NOW);
    expect(identity).toMatchObject({ kind, warnings: [], nodeId: nodeIdOf(leaf.key), crlPem: undefined });
    expect(identity.nodeId === undefined).toBe(kind === 'rsa');
    expect(identity.leaf.raw.equals(leaf.certificate.raw)).toBe(true);
    expect(identity.notAfter.getTime()).toBe(Date.parse(leaf.certificate.validTo));
    expect(identity.certPem).toBe(leaf.certPem);
    expect(certificatesOf(identity.caPem)).toHaveLength(3);
  });

  it('sends leaf and agency even when the agency stands only in ca_cert, and never the root', async () => {
    const leafOnly = relay.certPem.slice(0, relay.certPem.indexOf('-----END CERTIFICATE-----') + 26);
    expect(certificatesOf(leafOnly)).toHaveLength(1);
    expect(loadListenerIdentity(pathsOf({ cert: leafOnly }), NOW).certPem).toBe(relay.certPem);
    const whole = relay.certPem + world.chain.certPem;
    const identity = loadListenerIdentity(pathsOf({ cert: whole, ca: world.chain.certPem }), NOW);
    expect(identity.certPem).toBe(relay.certPem);
    // Our own agency joins the CA list, so that Go clients of it find themselves in it.
    expect(identity.caPem).toBe(world.chain.certPem + world.bankA.certPem);
    const outcome = await handshake(identity, sdkOf(world));
    expect(outcome.peer?.organisationId).toBe(organisationIdOf(world.bankA.certificate));
  });

  it('takes an encrypted key with its password', () => {
    const key = relay.key
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
      .toString();
    expect(loadListenerIdentity({ ...pathsOf({ key }), passphrase: 'secret' }, NOW).keyPem).toBe(relay.keyPem);
    expect(refusal(pathsOf({ key }))).toMatchObject({
      code: 'key-invalid',
      message: expect.stringContaining('encrypted private key and no password was given'),
    });
  });

  it('takes one CRL for every CA', () => {
    const crl = crlsOf(world, []);
    expect(loadListenerIdentity(pathsOf({ crl }), NOW).crlPem).toBe(crl);
  });
});

describe('a warning', () => {
  const warningsOf = (texts: Texts, now = NOW) => loadListenerIdentity(pathsOf(texts), now).warnings;

  it.skipIf(process.platform === 'win32')('names a key file that others can read', () => {
    expect(warningsOf({ keyMode: 0o640 })).toEqual([expect.stringMatching(/mode 0640\); chmod 600 it$/)]);
    expect(warningsOf({ keyMode: 0o400 })).toEqual([]);
  });

  it('announces the end of a certificate and of a CRL a month before', () => {
    const soon = { notBefore: VALID.notBefore, notAfter: new Date(NOW.getTime() + 10 * DAY_MS) };
    const leaf = createLeaf(world.bankA, 'node', 'relay', soon);
    expect(warningsOf({ cert: leaf.certPem, key: leaf.keyPem })).toEqual([expect.stringContaining('expires on')]);
    expect(warningsOf({ crl: crlsOf(world, [], soon) })).toHaveLength(3);
  });

  it('names a chain of mixed kinds', () => {
    expect(warningsOf(leafOf(generateKey('rsa')))).toEqual([expect.stringContaining('cannot verify a mixed chain')]);
  });
});

describe('an unreadable file', () => {
  it('is named with its setting', () => {
    const missing = join(directory, 'nowhere.pem');
    for (const setting of ['key', 'cert', 'caCert', 'crl'] as const) {
      const found = refusal({ ...pathsOf({ crl: crlsOf(world, []) }), [setting]: missing });
      expect(found.code).toBe('config-unreadable');
      expect(found.message).toContain(`${setting === 'caCert' ? 'ca_cert' : setting} file ${missing} does not exist`);
    }
    mkdirSync(missing);
    expect(refusal({ ...pathsOf({}), cert: missing }).message).toContain('is a directory');
    rmSync(missing, { recursive: true });
  });

  it.skipIf(process.getuid?.() === 0)('says which user may not read it', () => {
    expect(refusal(pathsOf({ keyMode: 0o000 })).message).toContain('may not be read by this process');
  });

  it('is bounded in size', () => {
    expect(refusal(pathsOf({ cert: Buffer.alloc(16 * 1024 * 1024 + 1) })).message).toContain('is larger than');
  });
});

describe('a bad identity is refused for', () => {
  const cases: [string, () => Texts, string, string][] = [
    ['a certificate that is not PEM', () => ({ cert: 'hello' }), 'certificate-invalid', 'is not PEM'],
    ['DER', () => ({ cert: relay.certificate.raw }), 'certificate-invalid', 'looks like DER'],
    [
      'a damaged certificate',
      () => ({ cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }),
      'certificate-invalid',
      'certificate 1 of 1 cannot be parsed',
    ],
    ['a key in the place of the certificate', () => ({ cert: relay.keyPem }), 'certificate-invalid', 'swapped?'],
    ['a certificate in the place of the key', () => ({ key: relay.certPem }), 'key-invalid', 'swapped?'],
    [
      'the key of another certificate',
      () => ({ key: exportPrivateKey(generateKey('secp256k1')) }),
      'key-invalid',
      'is not the key of "CN=relay, O=fisco-bcos, OU=node"',
    ],
    [
      'certificates in the wrong order',
      () => {
        const second = createLeaf(world.bankA, 'node', 'second', VALID);
        return { cert: relay.certPem + second.certPem, key: second.keyPem };
      },
      'key-invalid',
      'put that certificate first',
    ],
    [
      'an expired leaf',
      () => {
        const leaf = createLeaf(world.bankA, 'node', 'relay', EXPIRED);
        return { cert: leaf.certPem, key: leaf.keyPem };
      },
      'certificate-invalid',
      'expired on',
    ],
    [
      'a leaf that is not valid yet',
      () => {
        const leaf = createLeaf(world.bankA, 'node', 'relay', NOT_YET);
        return { cert: leaf.certPem, key: leaf.keyPem };
      },
      'certificate-invalid',
      'is not valid before',
    ],
    [
      'an expired authority',
      () => {
        const chain = createChain({ kind: 'secp256k1', chainName: 'old', ...EXPIRED });
        const leaf = createLeaf(chain, 'node', 'relay', VALID);
        return { cert: leaf.certPem, key: leaf.keyPem, ca: chain.certPem };
      },
      'certificate-invalid',
      '"CN=old, O=fisco-bcos, OU=chain" expired on',
    ],
    [
      'a CA of another chain with other names',
      () => ({ ca: createChain({ kind: 'secp256k1', chainName: 'other', ...VALID }).certPem }),
      'certificate-invalid',
      '"CN=chain, O=fisco-bcos, OU=chain", which issued "CN=bank-a',
    ],
    [
      'a CA of another chain with the same names',
      () => ({ ca: createWorld('secp256k1').chain.certPem }),
      'certificate-invalid',
      'which has the name but another key',
    ],
    [
      'a file that brings its own root',
      () => ({ cert: relay.certPem + world.chain.certPem, ca: createWorld('secp256k1').chain.certPem }),
      'certificate-invalid',
      'is it the CA of another chain?',
    ],
    [
      'an agency without the root in ca_cert',
      () => ({ ca: world.bankA.certPem }),
      'certificate-invalid',
      'or lacks the self-signed chain CA',
    ],
    [
      'a CA certificate as leaf',
      () => ({ cert: world.bankA.certPem, key: world.bankA.keyPem }),
      'certificate-invalid',
      'is a CA certificate',
    ],
    ['P-256', () => leafOf(generateKey('p256')), 'certificate-invalid', 'the unsupported curve prime256v1'],
    [
      'brainpool',
      () => leafOf(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).privateKey),
      'certificate-invalid',
      'the unsupported curve brainpoolP256r1',
    ],
    [
      'a short RSA key',
      () => leafOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
      'certificate-invalid',
      'RSA with 1024 bits; at least 2048',
    ],
    ['a crl that is no CRL', () => ({ crl: relay.certPem }), 'certificate-invalid', 'no "-----BEGIN X509 CRL-----"'],
    [
      'a crl without a list for one CA',
      () => ({
        crl: crlsOf(world, [])
          .split(/(?=-----BEGIN)/)
          .slice(0, 2)
          .join(''),
      }),
      'certificate-invalid',
      'has no list signed by "CN=bank-b',
    ],
    [
      'a crl that has ended',
      () => ({ crl: crlsOf(world, [], EXPIRED) }),
      'certificate-invalid',
      'fetch the current one',
    ],
  ];

  it.each(cases)('%s', (_name, texts, code, words) => {
    const found = refusal(pathsOf(texts()));
    expect(found.message).toContain(words);
    expect(found.code).toBe(code);
    expect(found.message).toContain(directory);
  });
});

it('a client is checked like a listener', () => {
  const sdk = createLeaf(world.bankB, 'sdk', 'app', VALID);
  expect(loadClientIdentity(pathsOf({ ca: world.chain.certPem }, sdk), NOW).kind).toBe('secp256k1');
  expect(() => loadClientIdentity(pathsOf({ ca: 'x' }, sdk), NOW)).toThrow(RelayError);
});
