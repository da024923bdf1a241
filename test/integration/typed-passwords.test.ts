/**
 * Passwords that are typed: the keys of TLS and of private topics, on a real terminal. What the terminal shows is looked at whole,
 * so a password that it echoes is found wherever it stands.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { relayCredentials, testPki, writeCerts } from '../helpers/pki.js';
import { useRelay } from '../helpers/relay-process.js';
import { CTRL_C, CTRL_D, ENTER, type Terminal } from '../helpers/terminal.js';
import { amopBody, parseAmopBody } from '../helpers/wire.js';
import { amop, amopLine, terminal } from '../unit/cli/run-amop.js';

const TLS_PASSWORD = 'correct horse';
const TOPIC_PASSWORD = 'battery staple';
const relay = useRelay();
let dir: string;
const at = (name: string) => join(dir, name);

function encrypted(key: KeyObject, passphrase: string): string {
  return String(key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }));
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'amop-typed-'));
  const pki = await testPki();
  const { key, cert, ca } = pki.sdkB.secp256k1;
  await writeCerts(at('conf'), { key: encrypted(createPrivateKey(key), TLS_PASSWORD), cert, ca });
  await writeCerts(at('open'), { key, cert, ca });
  const own = await relayCredentials(pki, 'secp256k1');
  await writeFile(at('relay.key'), encrypted(createPrivateKey(own.key), TLS_PASSWORD), { mode: 0o600 });
  const files = join(pki.dir, 'secp256k1');
  const paths = ['key = "relay.key"', `cert = "${files}/relay.crt"`, `ca_cert = "${files}/ca.crt"`];
  const listener = ['[[rpc.listener]]', 'channel_listen_ip = "127.0.0.1"', 'channel_listen_port = 0', ...paths];
  await writeFile(at('relay.toml'), [...listener, '[admin]', 'listen_port = 0'].join('\n'));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  await writeFile(at('topic.pem'), encrypted(privateKey, TOPIC_PASSWORD), { mode: 0o600 });
  const made = await amop(['keys', 'generate', at('java'), '--p12'], '', { AMOP_NEW_PASSWORD: TOPIC_PASSWORD });
  expect(made.code, made.stderr).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs it on a terminal and waits for the question about a key. */
async function asks(key: string, line: string): Promise<Terminal> {
  const run = terminal(line);
  onTestFinished(() => run.close());
  await run.says(new RegExp(`Password of ${at(key)}: `));
  return run;
}

const exec = (...args: readonly string[]) => `exec ${amopLine(...args)}`;
const startRelay = () => exec('relay', '--config', at('relay.toml'));
const toRelay = (certs: string) => ['--certs', at(certs), '--relay', `127.0.0.1:${relay().ports.secp256k1}`];
const subscribe = (certs: string, key: string) =>
  exec('sub', 'deals', '--private', '--topic-key', at(key), ...toRelay(certs));

async function answeringSubscriber(topic: string): Promise<void> {
  const client = await relay().subscriber([topic]);
  client.answerer = ({ body }) => ({ body: amopBody(topic, `seen ${parseAmopBody(body).payload}`) });
}

describe('the password of a relay’s TLS key', () => {
  it('is taken unseen, and Ctrl-C is then the usual one', async () => {
    const run = await asks('relay.key', startRelay());
    run.type(TLS_PASSWORD + ENTER);
    await run.says(/"relay ready"/);
    run.type(CTRL_C);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toContain(TLS_PASSWORD);
  });

  it('that is wrong is told with the file', async () => {
    const run = await asks('relay.key', startRelay());
    run.type(`no horse${ENTER}`);
    await run.says(new RegExp(`key file ${at('relay.key')} cannot be decrypted: the password is wrong`));
    expect(await run.end()).toBe(2);
    expect(run.output).not.toContain('no horse');
  });

  it('is not typed after Ctrl-C, which leaves the terminal as it was', async () => {
    const run = await asks('relay.key', `${amopLine('relay', '--config', at('relay.toml'))}; echo "code $?"; stty -a`);
    run.type(`half a pass${CTRL_C}`);
    await run.says(/amop: interrupted\r\ncode 2\r\n/);
    await run.says(/(?<!-)icanon.* (?<!-)echo /s);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toContain('half a pass');
  });

  it('does not keep a supervisor from ending the relay', async () => {
    const run = await asks('relay.key', startRelay());
    process.kill(await run.pid(), 'SIGTERM');
    expect(await run.end()).toBe(128 + 15);
  });

  it('is asked for by config check and context add as well', async () => {
    const check = await asks('relay.key', exec('config', 'check', at('relay.toml')));
    check.type(TLS_PASSWORD + ENTER);
    await check.says(/relay\.toml is good/);
    expect(await check.end()).toBe(0);
    const config = `XDG_CONFIG_HOME='${at('config')}'`;
    const add = await asks('conf/sdk.key', `${config} ${amopLine('context', 'add', 'bank', '--certs', at('conf'))}`);
    add.type(TLS_PASSWORD + ENTER);
    await add.says(/context bank is kept in /);
    expect(await add.end()).toBe(0);
    expect(check.output + add.output).not.toContain(TLS_PASSWORD);
    expect(await readFile(at('config/amop/contexts.json'), 'utf8')).not.toContain(TLS_PASSWORD);
  });
});

describe('the password of an application’s TLS key', () => {
  it('is asked for before anything is sent', async () => {
    await answeringSubscriber('orders');
    const run = await asks('conf/sdk.key', exec('request', 'orders', 'buy 100', ...toRelay('conf')));
    run.type(TLS_PASSWORD + ENTER);
    await run.says(/seen buy 100/);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toContain(TLS_PASSWORD);
  });

  it('is never taken for the message that is typed behind it', async () => {
    await answeringSubscriber('typed');
    const whole = await asks('conf/sdk.key', exec('request', 'typed', '-', ...toRelay('conf')));
    whole.type(TLS_PASSWORD + ENTER);
    await whole.says(/^\r\n/);
    whole.type(`all of it\n${CTRL_D}`);
    await whole.says(/seen all of it/);
    expect(await whole.end()).toBe(0);
    const lines = await asks('conf/sdk.key', exec('request', 'typed', '--lines', ...toRelay('conf')));
    lines.type(TLS_PASSWORD + ENTER);
    await lines.says(/^\r\n/);
    lines.type('first\n');
    await lines.says(/seen first\r\n/);
    lines.type(`second\n${CTRL_D}`);
    await lines.says(/seen second\r\n/);
    expect(await lines.end()).toBe(0);
    expect(whole.output + lines.output).not.toContain(TLS_PASSWORD);
  });

  it('that is wrong is told with the file', async () => {
    const run = await asks('conf/sdk.key', exec('sub', 'orders', ...toRelay('conf')));
    run.type(`no horse${ENTER}`);
    await run.says(new RegExp(`key file ${at('conf/sdk.key')} cannot be decrypted: the password is wrong`));
    expect(await run.end()).toBe(2);
  });
});

describe('the password of a topic’s key', () => {
  it.each(['topic.pem', 'java.p12'])('is taken unseen for %s', async (key) => {
    const run = await asks(key, subscribe('open', key));
    run.type(TOPIC_PASSWORD + ENTER);
    await run.says(/subscribed to private "deals"/);
    run.type(CTRL_C);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toContain(TOPIC_PASSWORD);
  });

  it('that is wrong is told with the file', async () => {
    for (const [key, words] of [
      ['topic.pem', 'cannot be decrypted: the password is wrong'],
      ['java.p12', 'does not open with this password'],
    ]) {
      const run = await asks(key, subscribe('open', key));
      run.type(`no staple${ENTER}`);
      await run.says(new RegExp(`${at(key)} ${words}`));
      expect(await run.end()).toBe(2);
      expect(run.output).not.toContain('no staple');
    }
  });

  it('is not typed after Ctrl-C', async () => {
    const run = await asks('topic.pem', subscribe('open', 'topic.pem'));
    run.type(CTRL_C);
    await run.says(/interrupted/);
    expect(await run.end()).toBe(2);
  });

  it('is asked for beside that of the TLS key, and both may be typed ahead', async () => {
    const run = await asks('topic.pem', subscribe('conf', 'topic.pem'));
    run.type(TOPIC_PASSWORD + ENTER + TLS_PASSWORD + ENTER);
    await run.says(new RegExp(`Password of ${at('conf/sdk.key')}: `));
    await run.says(/subscribed to private "deals"/);
    run.type(CTRL_C);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toMatch(new RegExp(`${TOPIC_PASSWORD}|${TLS_PASSWORD}`));
  });

  it('is asked for on the terminal when the key itself was typed', async () => {
    const run = terminal(exec('keys', 'show', '-'));
    onTestFinished(() => run.close());
    await run.pid();
    run.type((await readFile(at('topic.pem'), 'utf8')) + CTRL_D);
    await run.says(/Password of standard input: /);
    run.type(TOPIC_PASSWORD + ENTER);
    await run.says(/private key {2}standard input, PEM, encrypted/);
    expect(await run.end()).toBe(0);
    expect(run.output).not.toContain(TOPIC_PASSWORD);
  });

  it('is given in one of three ways, which a command without a terminal names', async () => {
    const { code, stderr } = await amop([
      'sub',
      'deals',
      '--private',
      '--topic-key',
      at('topic.pem'),
      ...toRelay('open'),
    ]);
    expect([code, stderr]).toEqual([
      2,
      `amop: ${at('topic.pem')} needs a password; give --password-file or AMOP_PASSWORD, or run the command on ` +
        'a terminal, where it asks\n',
    ]);
  });
});

describe('a new password', () => {
  it('is typed twice, and nothing is written when the two differ', async () => {
    const generate = async (second: string) => {
      const run = terminal(exec('keys', 'generate', at(`new ${second}`), '--encrypt'));
      onTestFinished(() => run.close());
      await run.says(/New password for .*: /);
      run.type(`secret${ENTER}`);
      await run.says(/The same again: /);
      run.type(second + ENTER);
      return { code: await run.end(), output: run.output };
    };
    expect(await generate('secret')).toMatchObject({ code: 0, output: expect.not.stringMatching(/^secret/m) });
    expect((await amop(['keys', 'show', at('new secret.pem')], '', { AMOP_PASSWORD: 'secret' })).code).toBe(0);
    expect(await generate('another')).toMatchObject({
      code: 2,
      output: expect.stringContaining('the two passwords differ'),
    });
    await expect(readFile(at('new another.pem'))).rejects.toThrow('ENOENT');
  });
});
