import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { type LogFields, type Logger, type LogLevel, silentLogger } from '../../../src/base/logger.js';
import { formatProblems, parseConfig, type RelayConfig } from '../../../src/config/index.js';
import { prepare } from '../../../src/control/prepare.js';
import { createAgency, createLeaf, type LeafFiles } from '../../../src/pki/authority.js';
import { type CertificateRequest, issueCertificate, issuerFrom } from '../../../src/pki/certificate.js';
import { exportPrivateKey, generateKey, nodeIdOf } from '../../../src/pki/key.js';
import { organisationIdOf } from '../../../src/pki/peer.js';
import { createWorld, crlsOf, EXPIRED, VALID } from '../pki/world.js';

const directory = mkdtempSync(join(tmpdir(), 'amop-prepare-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ec = createWorld('secp256k1');
const rsa = createWorld('rsa');
const channel = createLeaf(ec.bankA, 'node', 'channel', VALID);
const node = createLeaf(ec.bankA, 'node', 'relay', VALID);

let count = 0;
function put(text: string): string {
  const path = join(directory, `file-${count++}.pem`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

type Files = Pick<LeafFiles, 'keyPem' | 'certPem'>;

/** The three settings of an identity. */
const settings = ({ keyPem, certPem }: Files, ca: string): string =>
  `key = "${put(keyPem)}"\ncert = "${put(certPem)}"\nca_cert = "${put(ca)}"\n`;

const listener = (files: Files = channel, ca = ec.listenerCa) => `[[rpc.listener]]\n${settings(files, ca)}`;
const p2p = (files: Files = node, ca = ec.listenerCa) => `[network_security]\n${settings(files, ca)}`;
const organisation = (name: string, ...paths: string[]) =>
  `[[organisation]]\nname = ${JSON.stringify(name)}\nissuers = ${JSON.stringify(paths)}\n`;

function configOf(text: string): RelayConfig {
  const result = parseConfig(text, directory);
  if (!result.ok) throw new Error(formatProblems(result.problems, 'relay.toml'));
  return result.config;
}

const prepared = (text: string, logger: Logger = silentLogger) => prepare(configOf(text), logger);

function refusal(text: string): { code: string; message: string } {
  try {
    prepared(text);
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    return error as RelayError;
  }
  throw new Error('it was accepted');
}

/** A leaf of bank-a with one thing different. */
function leafOf(extra: Partial<CertificateRequest>): Files {
  const key = generateKey('secp256k1');
  const issued = issueCertificate({
    subject: { cn: 'odd' },
    publicKey: createPublicKey(key),
    issuer: issuerFrom(ec.bankA.certificate, ec.bankA.key),
    notBefore: VALID.notBefore,
    notAfter: VALID.notAfter,
    ca: false,
    ...extra,
  });
  return { certPem: issued.pem + ec.bankA.certPem, keyPem: exportPrivateKey(key) };
}

describe('what the configuration names', () => {
  it('comes as the contents of its files, listeners in their order', () => {
    const rsaLeaf = createLeaf(rsa.bankB, 'node', 'channel-rsa', VALID);
    const {
      listeners,
      setup,
      p2p: none,
    } = prepared(
      `${listener()}channel_listen_ip = "127.0.0.1"\nchannel_listen_port = 0\n${listener(rsaLeaf, rsa.listenerCa)}channel_listen_port = 20201\n`,
    );
    expect(listeners.map(({ kind }) => kind)).toEqual(['secp256k1', 'rsa']);
    expect(setup.listeners).toMatchObject([
      { ip: '127.0.0.1', port: 0, kind: 'secp256k1', certPem: channel.certPem, keyPem: channel.keyPem },
      { port: 20201, kind: 'rsa', certPem: rsaLeaf.certPem },
    ]);
    expect([setup.p2p, none, setup.organisations]).toEqual([undefined, undefined, []]);
    expect(setup.limits.sessionsMax).toBe(10_000);
  });

  it('has a P2P port with the node ID of its certificate, its CRL and the header of the network', () => {
    const crl = crlsOf(ec, []);
    const text = (version: string) =>
      `${listener()}${p2p()}[p2p]\nlisten_ip = "127.0.0.1"\nlisten_port = 0\ncrl = "${put(crl)}"\n[compatibility]\n${version}`;
    const { p2p: identity, setup } = prepared(text(''));
    expect(identity?.nodeId).toBe(nodeIdOf(node.key));
    expect(setup.p2p).toMatchObject({ ip: '127.0.0.1', port: 0, kind: 'secp256k1', format: 'rc2', crlPem: crl });
    expect(setup.p2p?.certPem, 'and not that of the channel port').toBe(node.certPem);
    expect(prepared(text('supported_version = "2.0.0-rc1"\n')).setup.p2p?.format).toBe('rc1');
  });

  it('has limits in bytes a second, and none where none are set', () => {
    const { flowLimits } = prepared(
      `${listener()}${p2p()}[flow_control]\noutgoing_bandwidth_limit = 5\nsession_bandwidth_limit = 0.5\n` +
        '[[flow_control.topic]]\nname = "t"\nbandwidth_limit = 2\n',
    ).setup;
    expect(flowLimits).toEqual({
      nodeBytesPerSecond: 655_360,
      sessionBytesPerSecond: 65_536,
      organisationBytesPerSecond: undefined,
      topicBytesPerSecond: undefined,
      topics: [{ name: 't', bytesPerSecond: 262_144 }],
    });
    expect(prepared(listener()).setup.flowLimits).toMatchObject({ nodeBytesPerSecond: undefined, topics: [] });
  });

  it('is warned of in the log where it will not do for long', () => {
    const lines: { level: LogLevel; fields: LogFields }[] = [];
    const soon = { notBefore: VALID.notBefore, notAfter: new Date(Date.now() + 5 * 24 * 3600 * 1000) };
    prepared(`${listener()}${p2p(createLeaf(ec.bankA, 'node', 'relay', soon))}`, {
      enabled: () => true,
      log: (level, fields) => lines.push({ level, fields }),
    });
    expect(lines).toEqual([
      { level: 'warn', fields: { component: 'tls', warning: expect.stringContaining('expires on') } },
    ]);
  });
});

describe('a P2P certificate is refused', () => {
  it('when it is an RSA one, which has no node ID', () => {
    const files = createLeaf(rsa.bankA, 'node', 'relay', VALID);
    expect(refusal(listener() + p2p(files, rsa.listenerCa))).toMatchObject({
      code: 'certificate-invalid',
      message: expect.stringMatching(
        /^network_security\.cert file .*\.pem: the certificate is an RSA one; the P2P port needs a secp256k1 certificate/,
      ),
    });
  });

  it('when it has no basicConstraints, because nodes of 2.x refuse such a peer', () => {
    expect(refusal(listener() + p2p(leafOf({ omitBasicConstraints: true })))).toMatchObject({
      code: 'certificate-invalid',
      message: expect.stringMatching(/has no basicConstraints extension, .* issue it with CA:FALSE$/),
    });
    // A channel listener takes it, as the reference does.
    expect(prepared(listener(leafOf({ omitBasicConstraints: true }))).listeners).toHaveLength(1);
  });

  it.each([
    ['has expired', () => p2p(createLeaf(ec.bankA, 'node', 'relay', EXPIRED)), 'certificate-invalid'],
    ['has another key', () => p2p({ certPem: node.certPem, keyPem: channel.keyPem }), 'key-invalid'],
    ['is of another chain', () => p2p(node, createWorld('secp256k1').listenerCa), 'certificate-invalid'],
  ])('when it %s', (_what, text, code) => {
    expect(refusal(listener() + text())).toMatchObject({ code });
  });
});

describe('organisations', () => {
  const bankB = createAgency(ec.chain, 'bank-b-new', VALID);
  const [ecA, ecB, rsaA] = [ec.bankA, ec.bankB, rsa.bankA].map(({ certPem }) => put(certPem));
  const idOf = ({ certificate }: Parameters<typeof createAgency>[0]) => organisationIdOf(certificate);

  it('join the CAs of several files, and all certificates of one file', () => {
    const bundle = put(ec.bankB.certPem + bankB.certPem);
    const { organisations } = prepared(
      listener() + organisation('Bank A', ecA, rsaA) + organisation('Bank B', bundle),
    ).setup;
    expect(organisations).toEqual([
      { name: 'Bank A', issuerIds: [idOf(ec.bankA), idOf(rsa.bankA)] },
      { name: 'Bank B', issuerIds: [idOf(ec.bankB), idOf(bankB)] },
    ]);
  });

  it('cannot share a CA, under whatever certificate of its key', () => {
    const renewed = issueCertificate({
      subject: { cn: 'bank-a', o: 'fisco-bcos', ou: 'agency' },
      publicKey: ec.bankA.certificate.publicKey,
      issuer: issuerFrom(ec.chain.certificate, ec.chain.key),
      notBefore: VALID.notBefore,
      notAfter: VALID.notAfter,
      ca: true,
    });
    expect(
      refusal(listener() + organisation('Bank A', ecA) + organisation('Bank "B"', ecB, put(renewed.pem))),
    ).toMatchObject({
      code: 'config-invalid',
      message: 'organisation[1].issuers: a CA of "Bank \\"B\\"" belongs to "Bank A" already',
    });
  });

  it('may name one CA twice themselves', () => {
    expect(prepared(listener() + organisation('Bank A', ecA, ecA)).setup.organisations).toMatchObject([
      { name: 'Bank A' },
    ]);
  });

  it.each([
    ['is missing', join(directory, 'nowhere.pem'), 'config-unreadable'],
    ['holds no certificate', put('nothing'), 'certificate-invalid'],
  ])('need files that can be read: one that %s is named with its setting', (_what, path, code) => {
    expect(refusal(listener() + organisation('Bank A', ecA, path))).toMatchObject({
      code,
      message: expect.stringContaining('organisation[0].issuers[1]'),
    });
  });
});
