/** Certificates as people make them on the command line, up to a relay and its clients that live on them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Amop, amop, type Outcome } from '../unit/cli/run-amop.js';

// Many processes, each of which starts anew.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'amop-pki-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...parts: string[]) => join(root, ...parts);

const pki = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> =>
  amop(['pki', ...args], '', { AMOP_PASSWORD: '', AMOP_NEW_PASSWORD: '', ...env });
const good = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const outcome = await pki(args, env);
  expect(outcome).toMatchObject({ code: 0 });
  return outcome.stdout;
};

beforeAll(async () => {
  for (const kind of ['secp256k1', 'rsa']) {
    await good(['init', at(kind), '--kind', kind]);
    await good(['org', at(kind, 'bank-a'), '--chain', at(kind)]);
    await good(['relay', at(kind, 'relay-1'), '--org', at(kind, 'bank-a')]);
    await good(['sdk', at(kind, 'app-1'), '--org', at(kind, 'bank-a')]);
  }
});

describe('a relay and applications with new certificates of both kinds', () => {
  it('talk to each other', async () => {
    const listener = (kind: string) => `[[rpc.listener]]
channel_listen_ip = "127.0.0.1"
channel_listen_port = 0
key = "${kind}/relay-1/node.key"
cert = "${kind}/relay-1/node.crt"
ca_cert = "${kind}/ca.crt"
`;
    writeFileSync(at('relay.toml'), `${listener('secp256k1')}${listener('rsa')}[admin]\nlisten_port = 0\n`);
    const relay = new Amop(['relay', '--config', at('relay.toml')]);
    try {
      await relay.says(/"relay ready"/);
      expect(relay.stdout).not.toContain('certificate warning');
      const port = (kind: string) => new RegExp(`"port":(\\d+),"kind":"${kind}"`).exec(relay.stdout)?.[1] ?? '';
      const subscriber = new Amop([
        'sub',
        '--certs',
        at('rsa', 'app-1'),
        '--relay',
        `127.0.0.1:${port('rsa')}`,
        'orders',
        '--reply',
        'accepted',
        '--count',
        '1',
      ]);
      await subscriber.says(/subscribed/);
      const asked = await amop([
        'request',
        '--certs',
        at('secp256k1', 'app-1'),
        '--relay',
        `127.0.0.1:${port('secp256k1')}`,
        'orders',
        'buy 100',
      ]);
      expect(asked).toMatchObject({ code: 0, stdout: 'accepted\n' });
      expect(await subscriber.end()).toMatchObject({ code: 0 });
    } finally {
      relay.child.kill('SIGTERM');
      await relay.end();
    }
  });
});

describe('amop pki relay --renew', () => {
  it('says the same node ID and both ends, and writes no key', async () => {
    const folder = at('secp256k1', 'relay-1');
    const key = readFileSync(join(folder, 'node.key'), 'utf8');
    const nodeId = readFileSync(join(folder, 'node.nodeid'), 'utf8').trim();
    const said = await good(['relay', folder, '--org', at('secp256k1', 'bank-a'), '--renew', '--days', '10', '--json']);
    const { files, ...rest } = JSON.parse(said);
    expect(rest).toMatchObject({ nodeId, subject: 'CN=relay-1, O=fisco-bcos, OU=node' });
    expect(Date.parse(rest.renewed)).toBeGreaterThan(Date.parse(rest.notAfter));
    expect(files).toEqual([join(folder, 'node.crt'), join(folder, 'node.nodeid')]);
    expect(readFileSync(join(folder, 'node.key'), 'utf8')).toBe(key);
  });

  it.each([[['--renew', '--overwrite']], [['--renew', '--name', 'other']], [['--days', '0']], [['--days', '36501']]])(
    '%j is wrong usage',
    async (options) => {
      const { code, stderr } = await pki([
        'relay',
        at('secp256k1', 'relay-1'),
        '--org',
        at('secp256k1', 'bank-a'),
        ...options,
      ]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^amop: /);
    },
  );
});

describe('amop pki show', () => {
  it('describes every certificate and key of a folder', async () => {
    const said = await good(['show', at('secp256k1', 'app-1'), '--json']);
    const files = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(files.map(({ path }) => path)).toEqual(
      ['ca.crt', 'sdk.crt', 'sdk.key'].map((name) => at('secp256k1', 'app-1', name)),
    );
    const [[ca], [leaf, agency], [key]] = files.map(({ contents }) => contents);
    expect(ca).toMatchObject({
      what: 'certificate',
      role: 'chain CA',
      subject: 'CN=secp256k1, O=fisco-bcos, OU=chain',
    });
    expect(leaf).toMatchObject({ role: 'sdk', issuer: 'CN=bank-a, O=fisco-bcos, OU=agency', basicConstraints: true });
    expect(agency).toMatchObject({ role: 'agency CA' });
    expect(key).toMatchObject({
      what: 'private key',
      form: 'PKCS#8',
      encrypted: false,
      nodeId: leaf.nodeId,
      mode: 0o600,
    });
    expect(key.keySha256).toBe(leaf.keySha256);
  });

  it('prints lines for people, and shows no key', async () => {
    const said = await good(['show', at('rsa', 'relay-1')]);
    expect(said).toMatch(/^ {2}certificate {2}node$/m);
    expect(said).toMatch(/^ {2}key {10}RSA with 2048 bits$/m);
    expect(said).toMatch(/^ {2}valid {8}.*, 109\d days left$/m);
    expect(said).toMatch(/^ {2}private key {2}PKCS#8, mode 0600$/m);
    expect(said).not.toContain('node ID');
    expect(said).not.toContain('BEGIN');
  });

  it('ends with 2 for a file that it cannot read, and still shows the others', async () => {
    writeFileSync(at('junk.crt'), 'junk');
    const { code, stdout } = await pki(['show', at('junk.crt'), at('rsa', 'ca.crt')]);
    expect(code).toBe(2);
    expect(stdout).toContain('holds neither a certificate nor a private key');
    expect(stdout).toContain('chain CA');
    expect((await pki(['show', at('missing')])).stderr).toContain('cannot be read');
    mkdirSync(at('empty'));
    expect((await pki(['show', at('empty')])).stderr).toContain('holds no .crt, .key, .pem or .crl file');
  });

  it('tells an encrypted key and a revocation list', async () => {
    await good(['init', at('locked'), '--encrypt'], { AMOP_NEW_PASSWORD: 'secret' });
    expect(await good(['show', at('locked', 'ca.key')])).toContain('PKCS#8, encrypted, mode 0600');
    await good(['revoke', at('locked')], { AMOP_PASSWORD: 'secret' });
    expect(await good(['show', at('locked', 'crl.pem')])).toMatch(/revocations {2}0\n {2}issuer {7}CN=locked/);
  });
});

describe('amop pki verify', () => {
  it('ends with 0 for a good folder and with 2 for a bad one, with the reason', async () => {
    expect(await good(['verify', at('rsa', 'app-1')])).toMatch(/sdk\.crt is good for an application, until /);
    writeFileSync(at('rsa', 'app-1', 'sdk.key'), readFileSync(at('rsa', 'relay-1', 'node.key')), { mode: 0o600 });
    const bad = await pki(['verify', at('rsa', 'app-1')]);
    expect(bad.code).toBe(2);
    expect(bad.stdout).toContain('sdk.crt is not good for an application: key file');
  });

  it('lets an RSA relay pass for its channel port, and not where P2P is asked for', async () => {
    expect((await pki(['verify', at('rsa', 'relay-1')])).code).toBe(0);
    expect((await pki(['verify', at('rsa', 'relay-1'), '--as', 'p2p'])).code).toBe(2);
  });

  it('opens the key of a CA with its password only', async () => {
    const verify = (env: NodeJS.ProcessEnv) => pki(['verify', at('locked')], env);
    expect((await verify({ AMOP_PASSWORD: 'secret' })).code).toBe(0);
    expect((await verify({ AMOP_PASSWORD: 'wrong' })).stdout).toContain('the password is wrong');
    expect((await verify({})).stdout).toContain('needs a password; give --password-file or AMOP_PASSWORD');
  });

  it.each([[['--cert', 'x']], [[]]])('wants a folder or three files (%j)', async (options) => {
    const { code, stderr } = await pki(['verify', ...options]);
    expect(code).toBe(2);
    expect(stderr).toContain('give a folder, or all of --cert, --key and --ca');
  });
});
