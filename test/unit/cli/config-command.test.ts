import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MASKED, maskSecrets } from '../../../src/cli/config-mask.js';
import { createDemoPki, type DemoPki } from '../../../src/pki/demo.js';
import { amop, isBuilt } from './run-amop.js';

const FISCO = fileURLToPath(new URL('../../fixtures/fisco-tools/', import.meta.url));
// Many processes, each of which starts anew.
vi.setConfig({ testTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'amop-config-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let pki: DemoPki;
beforeAll(() => {
  pki = createDemoPki(join(root, 'certs'), { now: new Date() });
  cpSync(FISCO, join(root, 'fisco'), { recursive: true });
  chmodSync(join(root, 'fisco/node0/conf/node.key'), 0o600);
});

let count = 0;
function configOf(extra = '', listener: Partial<Record<'key' | 'cert' | 'ca_cert', string>> = {}): string {
  const { key, cert, caCert } = pki.files.secp256k1['bank-a'].relay;
  const paths = { key, cert, ca_cert: caCert, ...listener };
  const path = join(root, `relay-${count++}.toml`);
  const lines = Object.entries(paths).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  writeFileSync(
    path,
    `[[rpc.listener]]\nchannel_listen_ip = "127.0.0.1"\nchannel_listen_port = 0\n${lines.join('\n')}\n${extra}`,
  );
  return path;
}

describe.runIf(isBuilt)('amop config check', () => {
  it('says that a configuration is good, what it opens and until when', async () => {
    const file = configOf();
    const { code, stdout, stderr } = await amop(['config', 'check', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^${file} is good\n {2}channel port 127.0.0.1:0, certificate until 20\\d\\d-`));
  });

  it('prints the problems of the text with their places, and ends with 2', async () => {
    const file = configOf('[limits]\nsessions_max = "many"\nidle_timeout = 3\n');
    const { code, stdout, stderr } = await amop(['config', 'check', file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')[0]).toMatch(new RegExp(`^${file}:8: limits.sessions_max: must be a whole number`));
    expect(stderr.split('\n')[1]).toMatch(new RegExp(`^${file}:9: limits.idle_timeout: unknown key; did you mean`));
  });

  it('prints the problems of every certificate, not of the first', async () => {
    const { key, cert } = pki.files.rsa['bank-a'].relay;
    const other = `[[rpc.listener]]\nchannel_listen_port = 1\nkey = ${JSON.stringify(key)}\ncert = ${JSON.stringify(cert)}\nca_cert = "nowhere.crt"\n`;
    const file = configOf(other, { key: pki.files.secp256k1['bank-b'].relay.key });
    const { code, stderr } = await amop(['config', 'check', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}: rpc.listener[0]: key file`);
    expect(stderr).toContain('is not the key of');
    expect(stderr).toContain(`${file}: rpc.listener[1]: ca_cert file ${join(root, 'nowhere.crt')} does not exist`);
  });

  it('judges the certificate of the P2P port as peers do', async () => {
    const { key, cert, caCert } = pki.files.rsa['bank-a'].relay;
    const own = `[network_security]\nkey = ${JSON.stringify(key)}\ncert = ${JSON.stringify(cert)}\nca_cert = ${JSON.stringify(caCert)}\n`;
    const { code, stderr } = await amop(['config', 'check', configOf(own)]);
    expect(code).toBe(2);
    expect(stderr).toContain('network_security: cert file');
    expect(stderr).toContain('the P2P port needs one on secp256k1');
  });

  it('warns and stays good, in JSON too', async () => {
    const { key, cert, caCert } = pki.files.secp256k1['bank-a'].relay;
    const open = join(root, 'open.key');
    cpSync(key, open);
    chmodSync(open, 0o644);
    const file = configOf('', { key: open, cert, ca_cert: caCert });
    const text = await amop(['config', 'check', file]);
    expect(text.code).toBe(0);
    expect(text.stderr).toContain(
      `warning: ${file}: rpc.listener[0]: key file ${open} can be read by others (mode 0644); chmod 600 it`,
    );
    const json = await amop(['config', 'check', file, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, problems: [], warnings: [{ path: 'rpc.listener[0]' }] });
  });

  it('does not repeat a private key that stands where a file name belongs', async () => {
    const { code, stderr } = await amop([
      'config',
      'check',
      configOf('', { key: readFileSync(pki.files.rsa['bank-a'].relay.key, 'utf8') }),
    ]);
    expect(code).toBe(2);
    expect(stderr).not.toContain('PRIVATE KEY');
  });
});

describe.runIf(isBuilt)('amop config show', () => {
  it('prints a configuration with every default, which is good and says the same again', async () => {
    const file = configOf('[chain]\nid = "9"\n');
    const shown = await amop(['config', 'show', file]);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('id = "9"');
    expect(shown.stdout).toContain('idle_timeout_ms = 60000');
    const again = join(root, 'shown.toml');
    writeFileSync(again, shown.stdout);
    expect((await amop(['config', 'check', again])).code).toBe(0);
    expect((await amop(['config', 'show', again])).stdout).toBe(shown.stdout);
  });

  it('prints JSON with the same keys', async () => {
    const { code, stdout } = await amop(['config', 'show', configOf('[chain]\nid = "9"\n'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ chain: { id: '9' }, rpc: { listener: [{ channel_listen_port: 0 }] } });
  });

  it('shows the problems instead of a configuration that is none', async () => {
    const { code, stdout, stderr } = await amop(['config', 'show', configOf('[limits]\nsessions_max = 0\n')]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('limits.sessions_max');
  });
});

describe('secrets in a configuration', () => {
  it('are masked, file names are not', () => {
    const hex = 'a'.repeat(64);
    expect(
      maskSecrets({
        admin: { token: 'abc', token_file: '/etc/token' },
        private_topic: [
          { name: 'a', private_key: hex },
          { name: 'b', private_key: 'keys/b.pem', sessions: [hex] },
        ],
        listener: { key: '-----BEGIN PRIVATE KEY-----\nx', cert: 'node.crt', password: '' },
      }),
    ).toEqual({
      admin: { token: MASKED, token_file: '/etc/token' },
      private_topic: [
        { name: 'a', private_key: MASKED },
        { name: 'b', private_key: 'keys/b.pem', sessions: [hex] },
      ],
      listener: { key: MASKED, cert: 'node.crt', password: '' },
    });
  });
});

describe.runIf(isBuilt)('amop config import', () => {
  const ini = () => join(root, 'fisco/node0/config.ini');

  it('makes a configuration with a P2P certificate of its own, which passes the check', async () => {
    const output = join(root, 'imported', 'relay.toml');
    const { code, stdout, stderr } = await amop([
      'config',
      'import',
      ini(),
      '--org',
      join(root, 'fisco/agency'),
      '-o',
      output,
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`amop: wrote ${output}, `);
    expect(stderr).toContain('amop: not carried over: tx_pool.limit=150000 is about the ledger');
    const folder = join(root, 'imported', 'p2p');
    expect(readdirSync(folder).sort()).toEqual(['ca.crt', 'node.crt', 'node.key', 'node.nodeid']);
    expect(statSync(join(folder, 'node.key')).mode & 0o777).toBe(0o600);
    const nodeId = readFileSync(join(folder, 'node.nodeid'), 'utf8').trim();
    expect(nodeId).not.toBe(readFileSync(join(root, 'fisco/node0/conf/node.nodeid'), 'utf8').trim());
    expect(stderr).toContain(`must add the relay's node ID ${nodeId}`);
    const checked = await amop(['config', 'check', output]);
    expect(checked.code).toBe(0);
    expect(checked.stdout).toContain(nodeId);
    const text = readFileSync(output, 'utf8');
    expect(text).toContain('groups = [\n  1,\n  3,\n]');
  });

  it('takes a certificate that is there, or the node’s own when told that the node goes', async () => {
    const certs = join(root, 'own-p2p');
    expect((await amop(['pki', 'relay', certs, '--org', join(root, 'fisco/agency')])).code).toBe(0);
    const own = await amop(['config', 'import', ini(), '--p2p-certs', certs]);
    expect(own.code).toBe(0);
    expect(own.stdout).toContain(`key = ${JSON.stringify(join(certs, 'node.key'))}`);
    const replaced = await amop(['config', 'import', ini(), '--replace-node']);
    expect(replaced.stdout.match(/key = ".*\/node0\/conf\/node\.key"/g)).toHaveLength(2);
  });

  it('reports as JSON', async () => {
    const { stdout } = await amop(['config', 'import', ini(), '--json']);
    const report = JSON.parse(stdout);
    expect(report.carried).toContainEqual({ key: 'chain.id', value: '7', to: 'chain.id' });
    expect(report.leftOut).toContainEqual({ key: 'my_section.surprise', value: '1', reason: 'is not known here' });
    expect(report.toml).toContain('[[rpc.listener]]');
  });

  it('overwrites neither a configuration nor a key unasked', async () => {
    const output = join(root, 'twice', 'relay.toml');
    const org = join(root, 'fisco/agency');
    expect((await amop(['config', 'import', ini(), '--org', org, '-o', output])).code).toBe(0);
    const key = readFileSync(join(root, 'twice/p2p/node.key'), 'utf8');
    const again = await amop(['config', 'import', ini(), '--org', org, '-o', output]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') });
    const elsewhere = await amop(['config', 'import', ini(), '--org', org, '-o', join(root, 'twice', 'other.toml')]);
    expect(elsewhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds a key already; use it with --p2p-certs'),
    });
    expect(readFileSync(join(root, 'twice/p2p/node.key'), 'utf8')).toBe(key);
  });

  it('writes nothing when the result would not pass the check', async () => {
    const node = join(root, 'broken');
    cpSync(join(root, 'fisco/node0'), node, { recursive: true });
    rmSync(join(node, 'conf/ca.crt'));
    const output = join(root, 'broken-relay', 'relay.toml');
    const { code, stderr } = await amop([
      'config',
      'import',
      join(node, 'config.ini'),
      '--org',
      join(root, 'fisco/agency'),
      '-o',
      output,
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain(`rpc.listener[0]: ca_cert file ${join(node, 'conf/ca.crt')} does not exist`);
    expect(stderr).toContain('nothing was written');
    expect(existsSync(join(root, 'broken-relay'))).toBe(false);
  });

  it('names a mistake of the config.ini with its line', async () => {
    const bad = join(root, 'bad.ini');
    writeFileSync(bad, '[p2p]\nnode.0=nowhere\n');
    const certs = join(root, 'own-p2p');
    const { code, stderr } = await amop(['config', 'import', bad, '--p2p-certs', certs]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${bad}:2: p2p.node.0: "nowhere" has no port`);
    expect((await amop(['config', 'import', join(root, 'missing.ini')])).stderr).toContain(
      'missing.ini cannot be read',
    );
  });
});
