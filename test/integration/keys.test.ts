/** Keys of private topics as people make and convert them on the command line. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { withDeadline } from '../helpers/deadline.js';
import { amop, MAIN, type Outcome } from '../unit/cli/run-amop.js';

const ACCOUNTS = new URL('../fixtures/fisco-tools/accounts/', import.meta.url).pathname;
// Many processes, each of which starts anew.
vi.setConfig({ testTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'amop-keys-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => join(root, name);
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const NO_PASSWORD = { AMOP_PASSWORD: '', AMOP_NEW_PASSWORD: '' };
const keys = (args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Outcome> =>
  amop(['keys', ...args], stdin, { ...NO_PASSWORD, ...env });
const good = async (args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Outcome> => {
  const outcome = await keys(args, env, stdin);
  expect(outcome).toMatchObject({ code: 0 });
  return outcome;
};
const field = (text: string, name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(text)?.[1];

function account(name: string): string {
  const path = at(name);
  copyFileSync(join(ACCOUNTS, name), path);
  chmodSync(path, 0o600);
  return path;
}

describe('amop keys generate', () => {
  it('writes a closed private key and an open public one, and says what each is for', async () => {
    const { stdout, stderr } = await good(['generate', at('new/orders')]);
    expect(mode(at('new'))).toBe('700');
    expect(mode(at('new/orders.pem'))).toBe('600');
    expect(mode(at('new/orders.public.pem'))).toBe('644');
    expect(field(stdout, 'hex')).toMatch(/^[0-9a-f]{128}$/);
    expect(stderr).toContain(`keep ${at('new/orders.pem')} at the receiver; give ${at('new/orders.public.pem')}`);
    const shown = await good(['show', at('new/orders.pem')]);
    expect(shown.stderr).toBe('');
    expect(field(shown.stdout, 'hex')).toBe(field(stdout, 'hex'));
    expect(field(shown.stdout, 'fingerprint')).toBe(field(stdout, 'fingerprint'));
  });

  it('writes PKCS#12 with the password of a file or of the environment', async () => {
    const file = at('password.txt');
    writeFileSync(file, 'from a file\nsecond line\n', { mode: 0o600 });
    await good(['generate', at('by-file'), '--p12', '--new-password-file', file]);
    await good(['generate', at('by-env'), '--p12'], { AMOP_NEW_PASSWORD: 'from env' });
    expect(mode(at('by-file.p12'))).toBe('600');
    await good(['show', at('by-file.p12'), '--password-file', file]);
    await good(['show', at('by-env.p12')], { AMOP_PASSWORD: 'from env' });
    const wrong = await keys(['show', at('by-env.p12')], { AMOP_PASSWORD: 'another' });
    expect(wrong).toMatchObject({
      code: 2,
      stderr: `amop: key file ${at('by-env.p12')} does not open with this password, or is damaged\n`,
    });
  });

  it('writes encrypted PEM', async () => {
    await good(['generate', at('locked'), '--encrypt'], { AMOP_NEW_PASSWORD: 'secret' });
    expect(readFileSync(at('locked.pem'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    const { stdout } = await good(['show', at('locked.pem')], { AMOP_PASSWORD: 'secret' });
    expect(stdout).toContain('PEM, encrypted');
  });

  it('replaces no key unasked', async () => {
    await good(['generate', at('kept')]);
    const before = readFileSync(at('kept.pem'), 'utf8');
    const again = await keys(['generate', at('kept')]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining(`${at('kept.pem')} is there already`) });
    expect(readFileSync(at('kept.pem'), 'utf8')).toBe(before);
    await good(['generate', at('kept'), '--overwrite']);
    expect(readFileSync(at('kept.pem'), 'utf8')).not.toBe(before);
  });

  it('asks for a password where it can, and says how to give it where it cannot', async () => {
    const { code, stderr } = await keys(['generate', at('asked'), '--p12']);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `amop: ${at('asked.p12')} needs a password; give --new-password-file or AMOP_NEW_PASSWORD, or run the command on a terminal, where it asks\n`,
    );
  });

  it.each([
    ['', 'begins with an empty line'],
    ['日本\n', 'use printable ASCII'],
  ])('refuses the password file %j', async (content, reason) => {
    const file = at(`bad-password-${content.length}`);
    writeFileSync(file, content, { mode: 0o600 });
    const { code, stderr } = await keys(['generate', at('never'), '--p12', '--new-password-file', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(reason);
  });

  it('warns of a password file that others can read', async () => {
    const file = at('open-password');
    writeFileSync(file, 'secret', { mode: 0o644 });
    const { stderr } = await good(['generate', at('careless'), '--p12', '--new-password-file', file, '-q']);
    expect(stderr).toBe(`amop: warning: password file ${file} can be read by others; chmod 600 it\n`);
  });
});

describe('amop keys show', () => {
  it.each(['account.pem', 'openssl1.p12', 'openssl3.p12'])(
    'reads %s of the FISCO account script and warns that it may be an account’s',
    async (name) => {
      const { stdout, stderr } = await good(['show', account(name)], { AMOP_PASSWORD: '123456' });
      const beside = await good(['show', account('account.public.pem')]);
      expect(field(stdout, 'hex')).toBe(field(beside.stdout, 'hex'));
      expect(stderr).toContain(
        'does not say that it was made for private topics. If it is the key of a chain account, do not use it',
      );
    },
  );

  it('tells of a public key whose hex the Java SDK misreads', async () => {
    // Private key 45: its X begins with 04.
    const { stdout, stderr } = await good(['show', '-'], {}, `${'2d'.padStart(64, '0')}\n`);
    expect(field(stdout, 'hex')).toMatch(/^049370a4/);
    expect(stderr).toContain('begins with 04, and the Java SDK takes these digits of its hex form for a prefix');
  });

  it('reads a public key in hex with and without 04, and as JSON', async () => {
    const { stdout } = await good(['show', at('new/orders.public.pem'), '--json']);
    const { publicKey, fingerprint, holds } = JSON.parse(stdout);
    expect(holds).toBe('public');
    for (const hex of [publicKey, `0x04${publicKey}`]) {
      expect(field((await good(['show', hex])).stdout, 'fingerprint')).toBe(fingerprint);
    }
  });

  it('takes no private key on the command line and repeats none', async () => {
    const secret = 'c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c';
    const { code, stdout, stderr } = await keys(['show', secret]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('a private key does not belong on the command line');
    expect(stderr).not.toContain(secret.slice(0, 8));
  });

  it('refuses a private key that others can read', async () => {
    const path = account('account.pem');
    chmodSync(path, 0o644);
    const { code, stderr } = await keys(['show', path]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `amop: key file ${path} can be read by others (mode 0644); chmod 600 it, and make a new key if others had access\n`,
    );
  });
});

describe('amop keys convert', () => {
  it('goes round through every form and stays the same key, marked as it was', async () => {
    const { stdout } = await good(['generate', at('round')]);
    const hex = field(stdout, 'hex');
    const password = { AMOP_PASSWORD: 'pass', AMOP_NEW_PASSWORD: 'pass' };
    let from = at('round.pem');
    for (const [form, ending] of [
      ['p12', 'p12'],
      ['encrypted-pem', 'enc.pem'],
      ['pem', 'pem'],
      ['hex', 'hex'],
      ['pem', 'hex.pem'],
    ]) {
      const to = at(`round-2.${ending}`);
      await good(['convert', from, '--to', form, '-o', to], password);
      expect(mode(to)).toBe('600');
      expect(field((await good(['show', to], password)).stdout, 'hex')).toBe(hex);
      from = to;
    }
    // Hex has no place for the mark.
    expect(readFileSync(at('round-2.pem'), 'utf8')).toContain('AMOP private-topic key');
    expect(readFileSync(at('round-2.hex.pem'), 'utf8')).not.toContain('AMOP private-topic key');
    expect((await good(['convert', from, '--to', 'public-hex', '-q'])).stdout).toBe(`${hex}\n`);
    const pem = await good(['convert', at('round.pem'), '--to', 'public-pem', '-q']);
    expect(pem.stdout).toBe(readFileSync(at('round.public.pem'), 'utf8'));
  });

  it('writes no private key to standard output and makes none of a public one', async () => {
    const toStdout = await keys(['convert', at('round.pem'), '--to', 'pem']);
    expect(toStdout).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('name a file with -o') });
    const fromPublic = await keys(['convert', at('round.public.pem'), '--to', 'hex', '-o', at('x')]);
    expect(fromPublic).toMatchObject({ code: 2, stderr: expect.stringContaining('holds a public key') });
  });

  it('warns when an account’s key may become one of a private topic', async () => {
    const { stderr } = await good(['convert', account('account.pem'), '--to', 'p12', '-o', at('a.p12')], {
      AMOP_NEW_PASSWORD: 'p',
    });
    expect(stderr).toContain('do not use it: whoever sends on the topic chooses what it signs');
  });
});

describe('on a terminal', () => {
  it('the password is asked for twice and not shown', async () => {
    // script(1) gives the command a terminal; it is part of every Debian.
    const command = `'${process.execPath}' '${MAIN}' keys generate '${at('typed')}' --p12`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...NO_PASSWORD } });
    onTestFinished(() => void child.kill('SIGKILL'));
    let shown = '';
    let answers = 0;
    child.stdout.on('data', (part) => {
      shown += part;
      const questions = (shown.match(/New password for .*: |The same again: /g) ?? []).length;
      for (; answers < questions; answers++) child.stdin.write('hidden1\r');
    });
    const ended = new Promise((done) => child.once('close', done));
    expect(await withDeadline(ended, 10_000, () => `the command to end; it showed ${shown}`)).toBe(0);
    expect(shown).toContain('New password for');
    expect(shown).toContain('The same again:');
    expect(shown).not.toContain('hidden1');
    await good(['show', at('typed.p12')], { AMOP_PASSWORD: 'hidden1' });
  });
});
