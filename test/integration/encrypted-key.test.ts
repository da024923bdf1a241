/** A relay and the commands with an encrypted TLS key: the password comes from a file or from the environment. */
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testPki } from '../helpers/pki.js';
import { Amop, amop } from '../unit/cli/run-amop.js';

const PASSWORD = 'correct horse';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'amop-encrypted-'));
  const pki = await testPki();
  const files = join(pki.dir, 'secp256k1');
  const key = createPrivateKey(await readFile(join(files, 'relay.key')));
  const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD });
  await writeFile(join(dir, 'relay.key'), pem, { mode: 0o600 });
  await writeFile(join(dir, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
  const lines = ['key = "relay.key"', `cert = "${files}/relay.crt"`, `ca_cert = "${files}/ca.crt"`];
  const listener = ['[[rpc.listener]]', 'channel_listen_ip = "127.0.0.1"', 'channel_listen_port = 0', ...lines];
  await writeFile(join(dir, 'relay.toml'), [...listener, '[admin]', 'listen_port = 0'].join('\n'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('a relay starts with it, and reads it again', async () => {
  const config = ['relay', '--config', join(dir, 'relay.toml')];
  for (const [args, env] of [
    [['--key-password-file', join(dir, 'password')], {}],
    [[], { AMOP_KEY_PASSWORD: PASSWORD }],
  ] as const) {
    const relay = new Amop([...config, ...args], { env: { ...env } });
    try {
      await relay.says(/"relay ready"/);
      relay.child.kill('SIGHUP');
      await relay.says(/"configuration reloaded"/);
      relay.child.kill('SIGTERM');
      expect((await relay.end()).code).toBe(0);
    } finally {
      relay.child.kill('SIGKILL');
    }
  }
});

it('is refused without its password, and with a wrong one', async () => {
  const config = ['--config', join(dir, 'relay.toml')];
  const without = await amop(['relay', ...config]);
  expect([without.code, without.stderr]).toEqual([
    2,
    `amop: key file ${join(dir, 'relay.key')} is an encrypted private key and no password was given; give it ` +
      '(--key-password-file, AMOP_KEY_PASSWORD, or typed on a terminal), or store it decrypted with mode 0600\n',
  ]);
  // A variable that is set to nothing is no password.
  expect(await amop(['relay', ...config], '', { AMOP_KEY_PASSWORD: '' })).toEqual(without);
  const wrong = await amop(['relay', ...config], '', { AMOP_KEY_PASSWORD: 'wrong' });
  const words = `key file ${join(dir, 'relay.key')} cannot be decrypted: the password is wrong`;
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining(words)]);
});

it('is checked with its password', async () => {
  const check = ['config', 'check', join(dir, 'relay.toml')];
  const checked = await amop([...check, '--key-password-file', join(dir, 'password')]);
  expect([checked.code, checked.stderr]).toEqual([0, '']);
  expect((await amop(check)).code).toBe(2);
});
