/** What `--private` takes and refuses, before anything is connected. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addConnectionOptions, resolveTarget, topicKeyOption } from '../../../src/cli/connection-options.js';
import {
  addPrivateReceiveOptions,
  addPrivateSendOptions,
  receiverKeysOf,
  topicKeyOf,
} from '../../../src/cli/private-options.js';
import { Verb } from '../../../src/cli/verb.js';
import { privateHexOf, publicHexOf } from '../../../src/pki/amop-key.js';

const pair = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const publicHex = publicHexOf(pair.publicKey);
let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amop-private-options-'));
  const encryption = { cipher: 'aes-256-cbc', passphrase: 'open sesame' };
  const files = {
    'key.pem': pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'locked.pem': pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption }).toString(),
    'key.hex': privateHexOf(pair.privateKey),
    'key.public.pem': pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    password: 'open sesame\n',
    wrong: 'sesame\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text, { mode: 0o600 });
  await writeFile(at('shared.pem'), files['key.pem'], { mode: 0o644 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('--key', () => {
  const verb = (...args: string[]) => {
    const command = new Verb('sub');
    addConnectionOptions(addPrivateReceiveOptions(command));
    command.parse(args, { from: 'user' });
    return command;
  };

  it('is the key of the private topics where no --cert says that it is the other one', () => {
    expect(topicKeyOption(verb('--private', '--key', 'k.pem'))).toBe('k.pem');
    const others = [
      ['--key', 'k.pem'],
      ['--private', '--cert', 'c', '--ca', 'a', '--key', 'k.pem'],
      ['--private', '--topic-key', 't.pem', '--key', 'k.pem'],
    ];
    for (const args of others) expect(topicKeyOption(verb(...args)), args.join(' ')).toBeUndefined();
    const sender = new Verb('pub');
    addConnectionOptions(addPrivateSendOptions(sender));
    sender.parse(['--private', '--to', publicHex, '--key', 'k.pem'], { from: 'user' });
    expect(topicKeyOption(sender)).toBeUndefined();
  });

  it('leaves the key of the certificate to the folder then', () => {
    const target = resolveTarget(verb('--private', '--certs', 'conf', '--key', 'k.pem'), 'without');
    expect(target.key).toBe(join('conf', 'sdk.key'));
    expect(resolveTarget(verb('--certs', 'conf', '--key', 'k.pem'), 'without').key).toBe('k.pem');
  });

  it('is read as --topic-key is', async () => {
    const key = await topicKeyOf(['t'], { private: true, keyAsTopicKey: at('key.pem'), quiet: true });
    expect(key && publicHexOf(key)).toBe(publicHex);
  });
});

describe('--topic-key', () => {
  const load = (topicKey: string | undefined, more: object = {}, topics = ['t']) =>
    topicKeyOf(topics, { private: true, topicKey, quiet: true, ...more });

  it('reads a key as PEM, as hex, and with its password', async () => {
    for (const [name, more] of [
      ['key.pem', {}],
      ['key.hex', {}],
      ['locked.pem', { passwordFile: at('password') }],
    ] as const) {
      const key = await load(at(name), more);
      expect(key === undefined ? undefined : publicHexOf(key), name).toBe(publicHex);
    }
  });

  it('is nothing for ordinary topics', async () => {
    expect(await topicKeyOf(['t'], {})).toBeUndefined();
  });

  it.each([
    ['without a key', undefined, {}, ['t'], 'usage', '--private needs --topic-key'],
    ['without --private', 'key.pem', { private: false }, ['t'], 'usage', 'add --private'],
    ['for a full name', 'key.pem', {}, ['#!$TopicNeedVerify_t'], 'usage', 'plain name'],
    ['for a name that is too long', 'key.pem', {}, ['x'.repeat(186)], 'usage', '185 bytes'],
    ['that is public', 'key.public.pem', {}, ['t'], 'key-invalid', 'the private key is needed'],
    ['that others can read', 'shared.pem', {}, ['t'], 'key-invalid', 'chmod 600'],
    ['with a wrong password', 'locked.pem', { passwordFile: 'wrong' }, ['t'], 'key-invalid', 'password is wrong'],
  ])('is refused %s', async (_, name, { passwordFile, ...more }: Record<string, unknown>, topics, code, text) => {
    const options = { ...more, ...(typeof passwordFile === 'string' ? { passwordFile: at(passwordFile) } : {}) };
    const loading = load(name === undefined ? undefined : at(name), options, topics);
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });
});

describe('--to', () => {
  const load = (to: readonly string[] | undefined, more: object = {}) =>
    receiverKeysOf('t', { private: true, ...(to === undefined ? {} : { to }), ...more });

  it('reads public keys as files and hex, and is nothing for an ordinary topic', async () => {
    expect(await load([at('key.public.pem'), publicHex, `0x04${publicHex}`])).toHaveLength(3);
    expect(await receiverKeysOf('t', {})).toBeUndefined();
  });

  it('is refused without a key, without --private, and for a private key', async () => {
    await expect(load(undefined)).rejects.toMatchObject({ code: 'usage' });
    await expect(load([publicHex], { private: false })).rejects.toMatchObject({ code: 'usage' });
    const message = expect.stringContaining('only the receiver may have');
    await expect(load([at('key.pem')])).rejects.toMatchObject({ code: 'key-invalid', message });
  });
});
