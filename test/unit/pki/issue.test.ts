import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSelfIssued } from '../../../src/pki/chain.js';
import { issueAgency, issueChain, issueLeaf } from '../../../src/pki/issue.js';
import { loadPrivateKey, nodeIdOf } from '../../../src/pki/key.js';
import { loadClientIdentity, loadListenerIdentity } from '../../../src/pki/load.js';
import { splitPem } from '../../../src/pki/pem.js';
import { copyFisco, DAY_MS, makeChain, NOW, read, refusal, request, useFolder } from './folders.js';

const root = useFolder();
const certificates = (directory: string, name: string) =>
  splitPem(read(directory, name)).map(({ pem }) => new X509Certificate(pem));
const identity = (directory: string, name: string) => ({
  cert: join(directory, `${name}.crt`),
  key: join(directory, `${name}.key`),
  caCert: join(directory, 'ca.crt'),
});

describe.each(['secp256k1', 'rsa'] as const)('a new chain of kind %s', (kind) => {
  const made = makeChain(join(root, kind), kind);

  it('has the file names of the FISCO tools, keys closed to others', async () => {
    const { chain, agency, relay, sdk } = await made;
    const nodeId = kind === 'rsa' ? [] : ['node.nodeid'];
    expect(readdirSync(chain).sort()).toEqual(['ca.crt', 'ca.key']);
    expect(readdirSync(agency).sort()).toEqual(['agency.crt', 'agency.key', 'ca.crt']);
    expect(readdirSync(relay).sort()).toEqual(['ca.crt', 'node.crt', 'node.key', ...nodeId]);
    expect(readdirSync(sdk).sort()).toEqual(['ca.crt', 'sdk.crt', 'sdk.key']);
    for (const directory of [chain, agency, relay, sdk]) {
      expect(statSync(directory).mode & 0o777).toBe(0o700);
      for (const name of readdirSync(directory).filter((one) => one.endsWith('.key'))) {
        expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
      }
    }
  });

  it('holds leaf and agency in a leaf file, and the root alone in ca.crt', async () => {
    const { relay, sdk, chain } = await made;
    for (const [directory, name, unit] of [
      [relay, 'node.crt', 'node'],
      [sdk, 'sdk.crt', 'sdk'],
    ] as const) {
      const [leaf, agency, ...more] = certificates(directory, name);
      expect(more).toEqual([]);
      expect(leaf.subject).toContain(`OU=${unit}`);
      expect(leaf.ca).toBe(false);
      expect(agency).toMatchObject({ ca: true, subject: 'CN=bank-a\nO=fisco-bcos\nOU=agency' });
      expect(certificates(directory, 'ca.crt').map(isSelfIssued)).toEqual([true]);
      expect(read(directory, 'ca.crt')).toBe(read(chain, 'ca.crt'));
    }
  });

  it('is what a relay and an application load without a warning', async () => {
    const { relay, sdk } = await made;
    expect(loadListenerIdentity(identity(relay, 'node'), NOW)).toMatchObject({ kind, warnings: [] });
    expect(loadClientIdentity(identity(sdk, 'sdk'), NOW)).toMatchObject({ kind, warnings: [] });
  });

  it('writes the node ID of a secp256k1 relay beside its key', async () => {
    const { relay } = await made;
    const key = loadPrivateKey(read(relay, 'node.key'), 'node.key');
    if (kind === 'rsa') expect(nodeIdOf(key)).toBeUndefined();
    else expect(read(relay, 'node.nodeid')).toBe(`${nodeIdOf(key)}\n`);
  });
});

describe('an existing key', () => {
  it('is never replaced unasked, and nothing else is written then', async () => {
    const { agency, relay } = await makeChain(join(root, 'kept'));
    const before = ['node.key', 'node.crt', 'ca.crt'].map((name) => read(relay, name));
    const { code, message } = await refusal(() =>
      issueLeaf({ ...request(relay), role: 'node', agencyDirectory: agency }),
    );
    expect(code).toBe('usage');
    expect(message).toBe(`${relay}/node.key is there already; --renew keeps its key, --overwrite makes a new one`);
    expect(['node.key', 'node.crt', 'ca.crt'].map((name) => read(relay, name))).toEqual(before);
    expect(readdirSync(relay).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('is replaced when that was said', async () => {
    const { agency, relay } = await makeChain(join(root, 'replaced'));
    const before = read(relay, 'node.key');
    await issueLeaf({ ...request(relay, { overwrite: true }), role: 'node', agencyDirectory: agency });
    expect(read(relay, 'node.key')).not.toBe(before);
    expect(loadListenerIdentity(identity(relay, 'node'), NOW).warnings).toEqual([]);
  });
});

describe('renewing', () => {
  it('keeps key and node ID of a relay and gives it a new certificate', async () => {
    const { agency, relay } = await makeChain(join(root, 'renewed'));
    const [keyBefore, nodeIdBefore] = [read(relay, 'node.key'), read(relay, 'node.nodeid')];
    const [before] = certificates(relay, 'node.crt');
    const later = new Date(NOW.getTime() + 50 * DAY_MS);
    const issued = await issueLeaf({
      ...request(relay, { renew: true, now: later }),
      role: 'node',
      agencyDirectory: agency,
    });
    const [after] = certificates(relay, 'node.crt');
    expect(read(relay, 'node.key')).toBe(keyBefore);
    expect(read(relay, 'node.nodeid')).toBe(nodeIdBefore);
    expect(issued.nodeId).toBe(nodeIdBefore.trim());
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(after.subject).toBe(before.subject);
    expect(Date.parse(after.validTo) - Date.parse(before.validTo)).toBe(50 * DAY_MS);
    expect(loadListenerIdentity(identity(relay, 'node'), later).nodeId).toBe(nodeIdBefore.trim());
  });

  it('of chain CA and agency keeps the leaves below them valid', async () => {
    const { chain, agency, relay } = await makeChain(join(root, 'renewed-above'));
    await issueChain({ ...request(chain, { renew: true, days: 2_000 }), kind: 'secp256k1' });
    await issueAgency({ ...request(agency, { renew: true, days: 1_500 }), chainDirectory: chain });
    // The old leaf under the new authorities.
    const [leaf] = certificates(relay, 'node.crt');
    writeFileSync(join(relay, 'node.crt'), String(leaf) + read(agency, 'agency.crt'));
    writeFileSync(join(relay, 'ca.crt'), read(chain, 'ca.crt'));
    const loaded = loadListenerIdentity(identity(relay, 'node'), NOW);
    expect(loaded.notAfter).toEqual(new Date(leaf.validTo));
    // And the folder that is renewed gets the new root.
    rmSync(join(agency, 'ca.crt'));
    await issueAgency({ ...request(agency, { renew: true }), chainDirectory: chain });
    expect(read(agency, 'ca.crt')).toBe(read(chain, 'ca.crt'));
  });

  it('of something that is not there says so', async () => {
    const { agency } = await makeChain(join(root, 'nothing'));
    const { message } = await refusal(() =>
      issueLeaf({ ...request(join(root, 'no-relay'), { renew: true }), role: 'node', agencyDirectory: agency }),
    );
    expect(message).toContain('nothing to renew');
  });

  it('with a key that is not the certificate’s is refused', async () => {
    const { agency, relay, sdk } = await makeChain(join(root, 'mismatch'));
    writeFileSync(join(relay, 'node.key'), read(sdk, 'sdk.key'));
    const { message } = await refusal(() =>
      issueLeaf({ ...request(relay, { renew: true }), role: 'node', agencyDirectory: agency }),
    );
    expect(message).toContain(`${relay}/node.key is not the key of "CN=relay-1`);
  });
});

describe('folders of the FISCO tools', () => {
  it('issue and renew as they are: SEC1 keys, certificates without key identifiers, the root inside agency.crt', async () => {
    const { agency, node } = copyFisco(join(root, 'fisco'));
    const nodeId = read(node, 'node.nodeid').trim();
    const fresh = join(root, 'fisco', 'relay-9');
    await issueLeaf({ ...request(fresh), role: 'node', agencyDirectory: agency });
    expect(certificates(fresh, 'node.crt')).toHaveLength(2);
    expect(loadListenerIdentity(identity(fresh, 'node'), NOW).warnings).toEqual([]);
    const renewed = await issueLeaf({ ...request(node, { renew: true }), role: 'node', agencyDirectory: agency });
    expect(renewed.nodeId).toBe(nodeId);
    expect(loadListenerIdentity(identity(node, 'node'), NOW).nodeId).toBe(nodeId);
  });

  it('find the chain CA one folder up, where build_chain leaves it', async () => {
    const { agency, chain } = copyFisco(join(root, 'fisco-up'));
    writeFileSync(join(root, 'fisco-up', 'ca.crt'), read(chain, 'ca.crt'));
    rmSync(join(agency, 'ca.crt'));
    writeFileSync(join(agency, 'agency.crt'), splitPem(read(agency, 'agency.crt'))[0].pem);
    const fresh = join(root, 'fisco-up', 'app');
    await issueLeaf({ ...request(fresh), role: 'sdk', agencyDirectory: agency });
    expect(loadClientIdentity(identity(fresh, 'sdk'), NOW).warnings).toEqual([]);
    rmSync(join(root, 'fisco-up', 'ca.crt'));
    const { message } = await refusal(() =>
      issueLeaf({ ...request(join(root, 'x')), role: 'sdk', agencyDirectory: agency }),
    );
    expect(message).toContain('put the ca.crt of its chain into');
  });
});

describe('a certificate', () => {
  it('does not outlive its issuer, and the caller is told', async () => {
    const { agency } = await makeChain(join(root, 'long'));
    const made = await issueLeaf({
      ...request(join(root, 'long', 'r'), { days: 10_000 }),
      role: 'node',
      agencyDirectory: agency,
    });
    expect(made.certificate.validTo).toBe(certificates(agency, 'agency.crt')[0].validTo);
    expect(made.notes).toEqual([expect.stringContaining('it ends with its issuer')]);
  });

  it('may end after 2049, where X.509 changes its form of dates', async () => {
    const made = await issueChain({ ...request(join(root, 'century'), { days: 36_500 }), kind: 'secp256k1' });
    expect(Date.parse(made.certificate.validTo) - NOW.getTime()).toBeGreaterThan(36_499 * DAY_MS);
  });

  it.each(['', 'a'.repeat(65), 'a\nb', 'a\u202eb'])('is not made for the name %j', async (name) => {
    const { message } = await refusal(() =>
      issueChain({ ...request(join(root, 'unnamed'), { name }), kind: 'secp256k1' }),
    );
    expect(message).toContain('1 to 64 printable characters');
  });
});

describe('a CA key with a password', () => {
  it('is written encrypted and asked for when it signs', async () => {
    const chain = join(root, 'locked');
    await issueChain({ ...request(chain, { newPassword: 'secret' }), kind: 'secp256k1' });
    expect(splitPem(read(chain, 'ca.key')).map(({ label }) => label)).toEqual(['ENCRYPTED PRIVATE KEY']);
    const asked: string[] = [];
    const askPassword = async (name: string) => {
      asked.push(name);
      return 'secret';
    };
    await issueAgency({ ...request(join(chain, 'a'), { askPassword }), chainDirectory: chain });
    expect(asked).toEqual([join(chain, 'ca.key')]);
    const { message } = await refusal(() =>
      issueAgency({ ...request(join(chain, 'b'), { askPassword: async () => 'wrong' }), chainDirectory: chain }),
    );
    expect(message).toContain('the password is wrong');
  });
});

describe('a folder that cannot issue', () => {
  it.each([
    ['is empty', async (folder: string) => void mkdirSync(folder), 'is no folder of a CA'],
    [
      'has the key of another',
      async (folder: string) => {
        const { agency, sdk } = await makeChain(folder);
        writeFileSync(join(agency, 'agency.key'), read(sdk, 'sdk.key'));
        return agency;
      },
      'is not the key of "CN=bank-a',
    ],
    [
      'has a leaf for a CA',
      async (folder: string) => {
        const { agency, sdk } = await makeChain(folder);
        writeFileSync(join(agency, 'agency.crt'), read(sdk, 'sdk.crt'));
        return agency;
      },
      'is no CA certificate',
    ],
    [
      'is that of the chain CA',
      async (folder: string) => (await makeChain(folder)).chain,
      'is the folder of a chain CA',
    ],
  ])('because it %s is refused', async (name, prepare, reason) => {
    const folder = join(root, name.replaceAll(' ', '-'));
    const agencyDirectory = (await prepare(folder)) ?? folder;
    const { message } = await refusal(() =>
      issueLeaf({ ...request(join(folder, 'leaf')), role: 'node', agencyDirectory }),
    );
    expect(message).toContain(reason);
  });

  it('because its certificate has expired is refused', async () => {
    const { agency } = await makeChain(join(root, 'expired'));
    const now = new Date(NOW.getTime() + 501 * DAY_MS);
    const { message } = await refusal(() =>
      issueLeaf({ ...request(join(root, 'late'), { now }), role: 'node', agencyDirectory: agency }),
    );
    expect(message).toMatch(/"CN=bank-a, .* expired on .*; renew it first/);
  });

  it('does not touch a folder that belongs to another chain', async () => {
    const { sdk } = await makeChain(join(root, 'mine'));
    const { agency } = await makeChain(join(root, 'theirs'));
    const before = read(sdk, 'ca.crt');
    const { message } = await refusal(() => issueLeaf({ ...request(sdk), role: 'node', agencyDirectory: agency }));
    expect(message).toContain('is the CA of another chain');
    expect(read(sdk, 'ca.crt')).toBe(before);
    expect(readdirSync(sdk)).not.toContain('node.key');
  });
});
