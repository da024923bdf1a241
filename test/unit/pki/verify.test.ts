import { createPublicKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAuthority } from '../../../src/pki/authority-folder.js';
import { issueCertificate, issuerFrom } from '../../../src/pki/certificate.js';
import { exportPrivateKey, generateKey, loadPrivateKey } from '../../../src/pki/key.js';
import { splitPem } from '../../../src/pki/pem.js';
import { revoke } from '../../../src/pki/revoke.js';
import { type Verdict, verifyFolder, verifyIdentity } from '../../../src/pki/verify.js';
import { copyFisco, DAY_MS, makeChain, NOW, noPassword, read, refusal, useFolder } from './folders.js';

const root = useFolder();
const options = { now: NOW, askPassword: noPassword };
const by = (verdicts: readonly Verdict[], use: Verdict['use']) => verdicts.find((one) => one.use === use)!;

describe('a folder', () => {
  it('of a relay is good for both of its ports, of an application for a client, of a CA for a CA', async () => {
    const { chain, agency, relay, sdk } = await makeChain(join(root, 'good'));
    const judged = await verifyFolder(relay, options);
    expect(judged.map(({ use, problem, warnings }) => [use, problem, warnings])).toEqual([
      ['listener', undefined, []],
      ['p2p', undefined, []],
    ]);
    expect(judged[1].nodeId).toBe(read(relay, 'node.nodeid').trim());
    expect(await verifyFolder(sdk, options)).toMatchObject([{ use: 'client', problem: undefined, warnings: [] }]);
    expect(await verifyFolder(agency, options)).toMatchObject([{ use: 'ca', problem: undefined }]);
    expect(await verifyFolder(chain, options)).toMatchObject([{ use: 'ca', problem: undefined }]);
  });

  it('of the FISCO tools is good as it is', async () => {
    const { node, sdk, agency } = copyFisco(join(root, 'fisco'));
    expect((await verifyFolder(node, options)).map(({ problem, warnings }) => [problem, warnings])).toEqual([
      [undefined, []],
      [undefined, []],
    ]);
    expect(await verifyFolder(sdk, options)).toMatchObject([{ use: 'client', problem: undefined, warnings: [] }]);
    expect(await verifyFolder(agency, options)).toMatchObject([{ use: 'ca', problem: undefined }]);
  });

  it('with an encrypted key is judged with its password, which is asked for once', async () => {
    const { relay } = await makeChain(join(root, 'encrypted'));
    const key = loadPrivateKey(read(relay, 'node.key'), 'node.key');
    const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' });
    writeFileSync(join(relay, 'node.key'), pem);
    const judge = async (password: string) => {
      const asked: string[] = [];
      const askPassword = async (name: string) => {
        asked.push(name);
        return password;
      };
      const verdicts = await verifyFolder(relay, { ...options, askPassword });
      expect(asked).toEqual([join(relay, 'node.key')]);
      return verdicts.map(({ problem }) => problem);
    };
    expect(await judge('secret')).toEqual([undefined, undefined]);
    const wrong = expect.stringContaining('node.key cannot be decrypted: the password is wrong');
    expect(await judge('guess')).toEqual([wrong, wrong]);
  });

  it('without anything known in it is refused', async () => {
    const folder = join(root, 'empty');
    mkdirSync(folder);
    expect((await refusal(() => verifyFolder(folder, options))).message).toContain('is no folder of a CA');
  });

  it('whose key is missing says which file', async () => {
    const { relay } = await makeChain(join(root, 'keyless'));
    const cert = read(relay, 'node.crt');
    const folder = join(root, 'keyless', 'copy');
    mkdirSync(folder);
    writeFileSync(join(folder, 'node.crt'), cert);
    expect(by(await verifyFolder(folder, options), 'listener').problem).toContain(
      `key file ${folder}/node.key does not exist`,
    );
  });
});

describe('the P2P port', () => {
  it('does not take an RSA key', async () => {
    const { relay } = await makeChain(join(root, 'rsa'), 'rsa');
    const verdicts = await verifyFolder(relay, options);
    expect(by(verdicts, 'listener').problem).toBeUndefined();
    expect(by(verdicts, 'p2p').problem).toContain('has an RSA key; the P2P port needs one on secp256k1');
  });

  it('does not take a certificate that was made for an SDK', async () => {
    const { sdk } = await makeChain(join(root, 'as-sdk'));
    const files = { cert: join(sdk, 'sdk.crt'), key: join(sdk, 'sdk.key'), caCert: join(sdk, 'ca.crt') };
    expect(verifyIdentity('p2p', files, options).problem).toContain('OU=sdk');
    expect(verifyIdentity('client', files, options).problem).toBeUndefined();
  });

  it('does not take a certificate without basicConstraints', async () => {
    const { agency } = await makeChain(join(root, 'bare'));
    const { authority } = await openAuthority(agency, NOW, noPassword);
    const key = generateKey('secp256k1');
    const issued = issueCertificate({
      subject: { cn: 'bare', o: 'fisco-bcos', ou: 'node' },
      publicKey: createPublicKey(key),
      issuer: issuerFrom(authority.certificate, authority.key),
      notBefore: NOW,
      notAfter: new Date(NOW.getTime() + 90 * DAY_MS),
      ca: false,
      omitBasicConstraints: true,
    });
    const folder = join(root, 'bare', 'node');
    mkdirSync(folder);
    writeFileSync(join(folder, 'node.crt'), issued.pem + authority.certPem);
    writeFileSync(join(folder, 'node.key'), exportPrivateKey(key), { mode: 0o600 });
    writeFileSync(join(folder, 'ca.crt'), read(agency, 'ca.crt'));
    const verdicts = await verifyFolder(folder, options);
    expect(by(verdicts, 'listener').problem).toBeUndefined();
    expect(by(verdicts, 'p2p').problem).toContain('has no basicConstraints, so a node finds no node ID in it');
  });

  it('warns when the node.nodeid beside the certificate is that of another', async () => {
    const { relay } = await makeChain(join(root, 'stale'));
    writeFileSync(join(relay, 'node.nodeid'), `${'1'.repeat(128)}\n`);
    const verdict = by(await verifyFolder(relay, options), 'p2p');
    expect(verdict.problem).toBeUndefined();
    expect(verdict.warnings).toEqual([expect.stringContaining('node.nodeid is not that of')]);
  });
});

describe('an application', () => {
  it('is warned when its file lacks the agency, though the CA file makes up for it here', async () => {
    const { agency, sdk } = await makeChain(join(root, 'alone'));
    writeFileSync(join(sdk, 'sdk.crt'), splitPem(read(sdk, 'sdk.crt'))[0].pem);
    writeFileSync(join(sdk, 'ca.crt'), read(sdk, 'ca.crt') + read(agency, 'agency.crt'));
    const [verdict] = await verifyFolder(sdk, options);
    expect(verdict.problem).toBeUndefined();
    expect(verdict.warnings).toEqual([expect.stringContaining('lacks the certificate of its agency: a Go client')]);
  });

  it('is warned about a key that the Java SDK cannot read', async () => {
    const { sdk } = await makeChain(join(root, 'sec1'));
    const key = loadPrivateKey(read(sdk, 'sdk.key'), 'sdk.key');
    writeFileSync(join(sdk, 'sdk.key'), key.export({ type: 'sec1', format: 'pem' }));
    const [verdict] = await verifyFolder(sdk, options);
    expect(verdict.warnings).toEqual([expect.stringContaining('the Java SDK reads PKCS#8 only')]);
  });
});

describe('a revoked certificate', () => {
  it('is no problem of the folder, but a missing list is', async () => {
    const { chain, agency, relay, sdk } = await makeChain(join(root, 'revoked'));
    const how = { days: 60, now: NOW, askPassword: noPassword, serials: [] };
    await revoke({ ...how, directory: agency, certificates: [join(sdk, 'sdk.crt')] });
    const crl = join(root, 'revoked', 'crl.pem');
    writeFileSync(crl, read(agency, 'crl.pem'));
    expect(by(await verifyFolder(relay, { ...options, crl }), 'listener').problem).toContain(
      'has no list signed by "CN=chain',
    );
    await revoke({ ...how, directory: chain, certificates: [] });
    writeFileSync(crl, read(agency, 'crl.pem') + read(chain, 'crl.pem'));
    expect(by(await verifyFolder(relay, { ...options, crl }), 'listener').problem).toBeUndefined();
  });
});
