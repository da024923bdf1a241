/**
 * What a person reads after a mistake with certificates, keys or ports: docs/errors.md lists the mistakes with the words, and
 * here each of them is made.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAgency, createChain, createLeaf, listenerCaPem } from '../../../src/pki/authority.js';
import { type Credentials, relayCredentials, testPki, writeCerts } from '../../helpers/pki.js';
import { startScriptedRelay } from '../../helpers/scripted-relay.js';
import { TYPE } from '../../helpers/wire.js';
import { amop, isBuilt } from './run-amop.js';

const DAY_MS = 86_400_000;
const VALID = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 90 * DAY_MS) };

/** Rows of the table: what somebody did, the words of the answer, the exit code. */
const TABLE = new Map(
  [
    ...readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
      .split('### What amop says to a wrong certificate, key or port')[1]
      .split(/^#+ /m)[0]
      .matchAll(/^\| ([^|]+?) \| `([^`]+)` \| (\d+) \|/gm),
  ].map(([, mistake, words, code]) => [mistake, { words, code: Number(code) }]),
);

let directory: string;
let relayPems: Credentials;
let sdk: Credentials;
let expired: Credentials;
let foreign: Credentials;
let rsa: Credentials;
const cleanups: (() => unknown)[] = [];
const made = new Set<string>();

beforeAll(async () => {
  const pki = await testPki();
  directory = await mkdtemp(join(tmpdir(), 'amop-mistakes-'));
  relayPems = await relayCredentials(pki, 'secp256k1');
  sdk = pki.sdkB.secp256k1;
  expired = pki.expired.secp256k1;
  foreign = pki.foreign.secp256k1;
  rsa = pki.sdkB.rsa;
});
afterAll(() => rm(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function relay(pems: Credentials = relayPems): Promise<string> {
  const started = await startScriptedRelay(pems, {
    onFrame: (frame, peer) => {
      if (frame.type !== TYPE.unicast) return false;
      peer.send(TYPE.response, frame.seq, 0, frame.body);
      return true;
    },
  });
  cleanups.push(() => started.stop());
  return started.address;
}

let folders = 0;
const certs = (credentials: Credentials) => writeCerts(join(directory, `conf-${folders++}`), credentials);

/** Makes the mistake, and compares with what the table says. */
async function expectRow(mistake: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  made.add(mistake);
  const row = TABLE.get(mistake);
  expect(row, `docs/errors.md has no row "${mistake}"`).toBeDefined();
  const { code, stderr } = await amop(['request', 't', 'x', ...args], '', env);
  const pattern = (row?.words ?? '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*');
  expect(stderr).toMatch(new RegExp(pattern));
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(code).toBe(row?.code);
}

describe.runIf(isBuilt)('amop explains', () => {
  it('files that are not there, or are not what they should be', async () => {
    const missing = await certs(sdk);
    await rm(join(missing, 'sdk.key'));
    await expectRow('a file of the folder is missing', ['--certs', missing]);
    const swapped = await certs(sdk);
    await writeFile(join(swapped, 'sdk.crt'), sdk.key);
    await expectRow('certificate and key are swapped', ['--certs', swapped]);
    const der = await certs(sdk);
    await writeFile(join(der, 'sdk.crt'), Buffer.from([0x30, 0x82, 0x01, 0x00]));
    await expectRow('a file is DER instead of PEM', ['--certs', der]);
    const authority = await certs(sdk);
    await writeFile(join(authority, 'sdk.crt'), sdk.ca);
    await expectRow('a CA certificate stands where the own one should', ['--certs', authority]);
  });

  it('a key that does not fit', async () => {
    await expectRow('the key of another certificate', ['--certs', await certs({ ...sdk, key: foreign.key })]);
    const key = createPrivateKey(sdk.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'secret',
    });
    const folder = await certs({ ...sdk, key: String(key) });
    await expectRow('an encrypted key without a password', ['--certs', folder]);
    await expectRow('a wrong password', ['--certs', folder], { AMOP_KEY_PASSWORD: 'wrong' });
    await writeFile(join(folder, 'password'), 'secret\n');
    const at = ['--relay', await relay(), '--certs', folder];
    const right = [amop(['request', 't', 'x', ...at], '', { AMOP_KEY_PASSWORD: 'secret' })];
    right.push(amop(['request', 't', 'x', ...at, '--key-password-file', join(folder, 'password')]));
    for (const outcome of await Promise.all(right)) expect(outcome).toEqual({ code: 0, stdout: 'x\n', stderr: '' });
  });

  it('a certificate that cannot work', async () => {
    await expectRow('the own certificate has expired', ['--certs', await certs(expired)]);
    await expectRow('the own certificate is of another chain than ca.crt', ['--certs', await certs(foreign)]);
    const chain = createChain({ kind: 'p256', chainName: 'chain', ...VALID });
    const agency = createAgency(chain, 'agency', VALID);
    const leaf = createLeaf(agency, 'sdk', 'app', VALID);
    const p256 = { key: leaf.keyPem, cert: leaf.certPem, ca: chain.certPem };
    await expectRow('a certificate on a curve that relays refuse', ['--certs', await certs(p256)]);
  });

  it('a relay that does not go with the certificate', async () => {
    const chain = createChain({ kind: 'secp256k1', chainName: 'other', ...VALID });
    const agency = createAgency(chain, 'agency', VALID);
    const node = createLeaf(agency, 'node', 'relay', VALID);
    const other = { key: node.keyPem, cert: node.certPem, ca: listenerCaPem(chain, [agency]) + relayPems.ca };
    await expectRow('a relay of another chain', ['--certs', await certs(sdk), '--relay', await relay(other)]);
    const mine = { ...relayPems, ca: listenerCaPem(chain, [agency]) };
    await expectRow('a relay that does not trust our chain', [
      '--certs',
      await certs(sdk),
      '--relay',
      await relay(mine),
    ]);
    const old = createLeaf(agency, 'node', 'relay', {
      notBefore: VALID.notBefore,
      notAfter: new Date(Date.now() - 3_600_000),
    });
    const late = { key: old.keyPem, cert: old.certPem, ca: relayPems.ca };
    const trusting = { ...sdk, ca: sdk.ca + chain.certPem };
    await expectRow("the relay's certificate has expired", [
      '--certs',
      await certs(trusting),
      '--relay',
      await relay(late),
    ]);
    await expectRow('an RSA certificate at the secp256k1 port', [
      '--certs',
      await certs(rsa),
      '--relay',
      await relay(),
    ]);
  });

  it('a port of something else', async () => {
    const folder = await certs(sdk);
    const web = await listening(http.createServer((_request, response) => response.end('{}')));
    await expectRow('the JSON-RPC or admin port', ['--certs', folder, '--relay', web]);
    const ssh = await listening(net.createServer((socket) => socket.write('SSH-2.0-test\r\n')));
    await expectRow('a port of another service', ['--certs', folder, '--relay', ssh]);
    const silent = await listening(net.createServer(() => {}));
    await expectRow('a port that says nothing', ['--certs', folder, '--relay', silent, '--connect-timeout', '500ms']);
    const p2p = await listening(
      tls.createServer(
        { ...relayPems, requestCert: true, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ecdhCurve: 'P-256:secp256k1' },
        // A topic sequence as a node announces it every five seconds.
        (socket) => socket.write(Buffer.from('000000120001000000020001000000003131', 'hex')),
      ),
    );
    await expectRow('the P2P port', ['--certs', folder, '--relay', p2p]);
    const refusing = await listening(
      tls.createServer(
        { ...relayPems, requestCert: true, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ecdhCurve: 'P-256:secp256k1' },
        (socket) => socket.on('data', () => socket.destroy()),
      ),
    );
    await expectRow('a server that closes without a word', ['--certs', folder, '--relay', refusing]);
  });

  it('a place where no relay is', async () => {
    const gone = await startScriptedRelay(relayPems);
    await gone.stop();
    await expectRow('no relay at this port', ['--certs', await certs(sdk), '--relay', gone.address]);
    await expectRow('no certificate named', []);
  });

  it('every mistake of the table', () => {
    expect([...TABLE.keys()].sort()).toEqual([...made].sort());
  });
});
