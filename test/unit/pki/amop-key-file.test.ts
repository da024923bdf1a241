import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { RelayError } from '../../../src/base/errors.js';
import { generateAmopKey, privateHexOf, publicHexOf } from '../../../src/pki/amop-key.js';
import { loadAmopPrivateKey, loadAmopPublicKey, readAmopKeyFile } from '../../../src/pki/amop-key-file.js';
import { formatPkcs12, formatPrivatePem, formatPublicPem } from '../../../src/pki/amop-key-write.js';
import { exportPrivateKey, generateKey } from '../../../src/pki/key.js';
import { encodePem, splitPem } from '../../../src/pki/pem.js';
import { writePkcs12 } from '../../../src/pki/pkcs12.js';

const ACCOUNTS = fileURLToPath(new URL('../../fixtures/fisco-tools/accounts/', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'amop-key-file-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
function put(content: string | Uint8Array, mode = 0o600): string {
  const path = join(directory, `key-${count++}`);
  writeFileSync(path, content, { mode });
  chmodSync(path, mode);
  return path;
}

function refusal(run: () => unknown): RelayError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError);
    return error as RelayError;
  }
  throw new Error('it was accepted');
}

const key = generateAmopKey();
const hex = publicHexOf(key);
const sec1 = (one: KeyObject) => one.export({ type: 'sec1', format: 'pem' }).toString();

describe('a private key', () => {
  it.each([
    ['PEM of ours', formatPrivatePem(key, { marked: true }), undefined],
    ['encrypted PEM of ours', formatPrivatePem(key, { marked: true, password: 'p' }), 'p'],
    ['PKCS#12 of ours', formatPkcs12(key, 'p', { marked: true }), 'p'],
  ])('as %s is loaded and known as made for private topics', (_name, content, password) => {
    const loaded = loadAmopPrivateKey(put(content), 'private_key', password);
    expect(loaded).toMatchObject({ publicHex: hex, marked: true, warnings: [] });
    expect(loaded.key.equals(key)).toBe(true);
  });

  it.each([
    ['plain PKCS#8', exportPrivateKey(key)],
    ['SEC1', sec1(key)],
    ['SEC1 with CRLF and text around it', `text\r\n${sec1(key).replaceAll('\n', '\r\n')}more`],
    ['64 hex digits', privateHexOf(key)],
    ['hex with 0x and a line end', `0x${privateHexOf(key).toUpperCase()}\n`],
  ])('as %s is loaded, without the mark', (_name, content) => {
    expect(loadAmopPrivateKey(put(content), 'private_key')).toMatchObject({ publicHex: hex, marked: false });
  });

  it.each([
    ['account.pem', undefined],
    ['openssl1.p12', '123456'],
    ['openssl3.p12', '123456'],
  ])('of the account script, %s, is loaded with the public key that lies beside it', (name, password) => {
    const loaded = loadAmopPrivateKey(put(readFileSync(ACCOUNTS + name)), 'private_key', password);
    expect(loaded.publicHex).toBe(loadAmopPublicKey(`${ACCOUNTS}account.public.pem`, 'public_keys').publicHex);
    expect(loaded.marked).toBe(false);
  });

  it.each([0o640, 0o604, 0o620, 0o666])('that others may read or write (mode %o) is refused', (mode) => {
    const path = put(formatPrivatePem(key, { marked: true }), mode);
    const { code, message } = refusal(() => loadAmopPrivateKey(path, 'private_key'));
    expect(code).toBe('key-invalid');
    expect(message).toBe(
      `private_key file ${path} can be read by others (mode 0${mode.toString(8)}); chmod 600 it, and make a new key if others had access`,
    );
  });

  it.each([
    ['no password', formatPkcs12(key, 'p', { marked: true }), undefined, 'is encrypted, and no password was given'],
    ['the wrong password', formatPkcs12(key, 'p', { marked: true }), 'q', 'does not open with this password'],
    ['a wrong PEM password', formatPrivatePem(key, { marked: true, password: 'p' }), 'q', 'the password is wrong'],
    ['a public key', formatPublicPem(key, { marked: true }), undefined, 'holds a public key; the private key'],
    ['a certificate', encodePem('CERTIFICATE', Buffer.from('x')), undefined, 'PEM block "CERTIFICATE"'],
    ['P-256', exportPrivateKey(generateKey('p256')), undefined, 'prime256v1'],
    ['P-256 in PKCS#12', writePkcs12(generateKey('p256'), 'p'), 'p', 'prime256v1'],
    ['RSA', exportPrivateKey(generateKey('rsa')), undefined, 'RSA with 2048 bits'],
    ['text', 'hello', undefined, 'is neither PEM nor PKCS#12 nor hex digits'],
    ['nothing', '', undefined, 'is neither PEM nor PKCS#12 nor hex digits'],
    ['hex of 62 digits', 'a'.repeat(62), undefined, '62 hex digits'],
    ['DER that is no PKCS#12', Buffer.from('3003020103', 'hex'), 'p', 'is not a PKCS#12 file'],
  ])('%s is refused with file and reason', (_name, content, password, reason) => {
    const path = put(content);
    const { message } = refusal(() => loadAmopPrivateKey(path, 'private_key', password));
    expect(message.startsWith(`private_key file ${path} `)).toBe(true);
    expect(message).toContain(reason);
  });

  it('on the SM2 curve is refused, and told that private topics never use it', () => {
    const sm2 = generateKeyPairSync('ec', { namedCurve: 'SM2' }).privateKey;
    const { message } = refusal(() => loadAmopPrivateKey(put(exportPrivateKey(sm2)), 'private_key'));
    expect(message).toContain('secp256k1, also where the chain uses SM2');
  });

  it('whose public half belongs to another key is refused', () => {
    const other = publicHexOf(generateAmopKey());
    const der = Buffer.from(key.export({ type: 'pkcs8', format: 'der' }));
    der.write(other, der.length - 64, 'hex');
    const { message } = refusal(() => loadAmopPrivateKey(put(encodePem('PRIVATE KEY', der)), 'private_key'));
    expect(message).toMatch(/public half|cannot be parsed/);
  });

  it('with another alias than the Java SDK asks for brings a warning', () => {
    const path = put(readFileSync(`${ACCOUNTS}other-alias.p12`));
    const { warnings, publicHex } = loadAmopPrivateKey(path, 'private_key', '123456');
    expect(publicHex).toBe(loadAmopPublicKey(`${ACCOUNTS}account.public.pem`, 'public_keys').publicHex);
    expect(warnings).toEqual([
      `private_key file ${path} has the alias "bank-a"; the Java SDK finds a key under the alias "key" only`,
    ]);
  });

  it('that does not exist is named', () => {
    const { code, message } = refusal(() => loadAmopPrivateKey(join(directory, 'missing'), 'private_key'));
    expect(code).toBe('config-unreadable');
    expect(message).toContain(`private_key file ${join(directory, 'missing')} does not exist`);
  });
});

describe('a public key', () => {
  it.each([
    ['PEM of ours', () => put(formatPublicPem(key, { marked: true }), 0o644)],
    ['hex', () => hex],
    ['hex with 04 and 0x', () => `0x04${hex}`],
    ['a file with hex', () => put(`${hex}\n`, 0o644)],
  ])('as %s is loaded', (_name, reference) => {
    expect(loadAmopPublicKey(reference(), 'public_keys[0]').publicHex).toBe(hex);
  });

  it.each([
    ['a private key', () => put(formatPrivatePem(key, { marked: true })), 'which only the receiver may have'],
    ['a PKCS#12 file', () => put(formatPkcs12(key, 'p', { marked: true })), 'which only the receiver may have'],
    ['private hex in a file', () => put(privateHexOf(key)), 'which only the receiver may have'],
    ['a damaged PEM', () => put(encodePem('PUBLIC KEY', Buffer.from('3003020103', 'hex'))), 'cannot be parsed'],
    ['a P-256 key', () => put(publicPem(generateKey('p256'))), 'prime256v1'],
    ['hex off the curve', () => `${hex.slice(0, -1)}${hex.endsWith('0') ? '1' : '0'}`, 'no point of the curve'],
    ['a missing file', () => join(directory, 'missing'), 'does not exist'],
  ])('%s is refused with the setting and the reason', (_name, reference, reason) => {
    const { message } = refusal(() => loadAmopPublicKey(reference(), 'public_keys[0]'));
    expect(message.startsWith('public_keys[0] ')).toBe(true);
    expect(message).toContain(reason);
  });

  function publicPem(one: KeyObject): string {
    return formatPublicPem(one, { marked: false });
  }
});

describe('a key file that is not opened', () => {
  it.each([
    [formatPrivatePem(key, { marked: true }), { format: 'pem', holds: 'private', encrypted: false }],
    [formatPrivatePem(key, { marked: true, password: 'p' }), { format: 'pem', holds: 'private', encrypted: true }],
    [formatPkcs12(key, 'p', { marked: true }), { format: 'p12', holds: 'private', encrypted: true }],
    [`00${privateHexOf(key).slice(2)}`, { format: 'hex', holds: 'private', encrypted: false }],
    [`30${hex.slice(2)}`, { format: 'hex', holds: 'public', encrypted: false }],
    [formatPublicPem(key, { marked: true }), { format: 'pem', holds: 'public', encrypted: false }],
  ])('is known by its content (%#)', (content, expected) => {
    expect(readAmopKeyFile(put(content), 'key')).toMatchObject(expected);
  });
});

describe('a written key', () => {
  it('holds PKCS#8 as its first block, which is all that the Java SDK looks at, behind text that says what it is for', () => {
    const text = formatPrivatePem(key, { marked: true });
    expect(splitPem(text).map(({ label }) => label)).toEqual(['PRIVATE KEY']);
    expect(text).toMatch(/^AMOP private-topic key\nPublic key: [0-9a-f]{128}\nNever the key of a chain account/);
    expect(formatPrivatePem(key, { marked: false })).toBe(exportPrivateKey(key));
  });
});
