/**
 * Every command of docs/cli.md, run in a shell as somebody would type it: in a folder with certificates and the files that
 * the examples name, on a relay of the test.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { AmopClient, connect, Message, PrivateTopicSender } from '../../src/client/index.js';
import { codeBlocks, readPage } from '../helpers/documents.js';
import { copyClosed, FISCO } from '../helpers/fisco-tools.js';
import { DIST_DIR, writeCerts } from '../helpers/pki.js';
import { type RelayProcess, startRelay, useRelay } from '../helpers/relay-process.js';
import { amopOnPath, Shells } from '../helpers/shell.js';

const relay = useRelay({ tokenFile: 'admin.token' });
const DEADLINE_MS = 30_000;
const LINES = codeBlocks(readPage('docs/cli.md'), 'sh')
  .flatMap((block) => block.trim().split('\n'))
  .map((line) => line.replace(/ {3,}# .*$/, ''));
/** `amop pki` shows first steps that the commands below it show again: certificates and keys are made once. */
const COMMANDS = [...new Set(LINES)];

/** Of the channel port: 43 bytes, type 0x13, seq, result 0, "0". */
const HEARTBEAT = `\0\0\0\x2b\0\x13${'0123456789abcdef'.repeat(2)}\0\0\0\x000`;

let folder: string;
let shells: Shells;
/** Of the receivers of private topics. */
const keys = new Map<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>();
/** Another application: subscribes where an example sends, sends where one subscribes. */
let other: AmopClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amop-cli-docs-'));
  await writeCerts(join(folder, 'conf'), relay().credentials('secp256k1'));
  for (const name of ['relay.toml', 'admin.token']) await copyFile(join(relay().dir, name), join(folder, name));
  for (const name of ['node0', 'agency']) copyClosed(join(FISCO, name), join(folder, name));
  await copyFile(join(FISCO, 'accounts/openssl3.p12'), join(folder, 'account.p12'));
  await chmod(join(folder, 'account.p12'), 0o600);
  for (const [name, text] of Object.entries({
    'order.json': '{"buy":100}',
    'prices.json': '{"EUR":1.09}',
    'jobs.txt': 'first\nsecond\n',
    'terms.txt': 'net 30 days',
    'password.txt': '123456\n',
    'capture.bin': HEARTBEAT + HEARTBEAT,
  })) {
    await writeFile(join(folder, name), text, { mode: 0o600 });
  }
  for (const name of ['bank-b', 'bank-c']) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    keys.set(name, pair);
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(folder, `${name}.pem`), pem, { mode: 0o600 });
    await writeFile(join(folder, `${name}.public.pem`), pair.publicKey.export({ type: 'spki', format: 'pem' }));
  }
  const address = `127.0.0.1:${relay().ports.secp256k1}`;
  const env = {
    ...process.env,
    PATH: amopOnPath(folder),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    AMOP_RELAY: address,
    AMOP_CERTS: join(folder, 'conf'),
    AMOP_ADMIN: adminUrl(relay()),
    AMOP_PASSWORD: '',
    AMOP_NEW_PASSWORD: '',
  };
  shells = new Shells({ cwd: folder, env, shell: 'bash', deadlineMs: DEADLINE_MS });
  const client = (await import(pathToFileURL(join(DIST_DIR, 'client/index.js')).href)) as { connect: typeof connect };
  const { key, cert, ca } = relay().pki.sdkB.secp256k1;
  other = await client.connect({ relays: [address], key, cert, ca });
});
afterEach(() => shells.killAll());
afterAll(async () => {
  await other?.close();
  await rm(folder, { recursive: true, force: true });
});

function adminUrl({ adminPort }: RelayProcess): string {
  return `http://127.0.0.1:${adminPort}`;
}

interface Expectation {
  /** Topic on which the other application answers meanwhile. */
  readonly answers?: string;
  /** The same on a private topic, as bank-b. */
  readonly answersPrivately?: string;
  /** Sends once the command has subscribed. */
  readonly send?: (client: AmopClient) => Promise<unknown>;
  readonly says?: RegExp;
  readonly code?: number;
  /** Ends the relay, so it gets one of its own. */
  readonly endsRelay?: boolean;
}

const request = (topic: string, wanted: string) => async (client: AmopClient) =>
  expect((await client.request(topic, 'abc')).text()).toBe(wanted);
const multicast = (topic: string) => (client: AmopClient) => client.multicast(topic, 'to all');
const asks = async (client: AmopClient, topic: string, times: number) => {
  for (let i = 0; i < times; i++) await client.request(topic, `ping ${i}`);
};

const privately = async (client: AmopClient, topic: string, work: (sender: PrivateTopicSender) => Promise<unknown>) => {
  const sender = await client.publishPrivate(topic, [keys.get('bank-b')?.publicKey as KeyObject]);
  try {
    await sender.ready({ timeoutMs: DEADLINE_MS });
    await work(sender);
  } finally {
    await sender.close();
  }
};

/** What a command must do beyond ending with 0, by its beginning; the longest one counts. */
const EXPECTED: Readonly<Record<string, Expectation>> = {
  'amop config check': { says: /^relay\.toml is good\n {2}channel port |"ok":true/ },
  'amop config show': { says: /channel_listen_port/ },
  'amop config import': { says: /\[\[rpc\.listener\]\]|wrote \S+relay\.toml, \d+ keys carried over/ },
  'amop config import node0/config.ini --p2p-certs': { says: /relay\/p2p\/node\.key/ },
  'amop peers': { says: /^This node: |"endpoints":/ },
  'amop peers --admin': { says: /^This node: / },
  'amop reload': { says: /^configuration reloaded; 0 connections closed|"closed":0/ },
  'amop drain': { endsRelay: true, says: /^the relay is draining$/m },
  'amop private status': { says: /^No sender and subscriber|"pairs":\[\]/ },
  'amop pki init': { says: /^made / },
  'amop pki org': { says: /^made / },
  'amop pki org bank-a --chain chain --renew': { says: /^renewed bank-a: / },
  'amop pki relay': { says: /^made .*\n.*\n {2}node ID [0-9a-f]{128}$/m },
  'amop pki relay bank-a/relay-1 --org bank-a --renew': { says: /^renewed .*\n.*\n {2}node ID [0-9a-f]{128}$/m },
  'amop pki sdk': { says: /^made .*\n.*\n {2}files .*sdk\.crt/m },
  'amop pki show': { says: /certificate {2}(node|sdk)|"role":"node"/ },
  'amop pki verify bank-a': { says: /relay-1\S* is good for a channel listener/ },
  'amop pki verify bank-a/relay-1 --as p2p': { says: /is good for the P2P port.*\n {2}node ID/ },
  'amop pki verify --as client': { says: /is good for an application/ },
  'amop pki revoke bank-a bank-a/app-1': { says: /crl\.pem: 1 revoked, 1 of them new/ },
  'amop pki revoke chain': { says: /crl\.pem: 0 revoked, 0 of them new/ },
  'amop pki revoke bank-a --serial': { says: /crl\.pem: 2 revoked, 1 of them new/ },
  'amop keys generate': {
    says: /^private key {2}keys\/\S+\npublic key {3}keys\/\S+\.public\.pem\nhex {10}[0-9a-f]{128}\n/,
  },
  'amop keys show': { says: /^public key {3}\S+, (PEM|hex)\nhex {10}[0-9a-f]{128}\n/ },
  'amop keys show keys/orders-java.p12': { says: /^private key {2}\S+, PKCS#12, encrypted\n/ },
  'amop keys convert': { says: /^amop: wrote \S+$/m },
  'amop keys convert keys/orders.pem --to public-hex': { says: /^[0-9a-f]{128}$/m },
  'amop frame decode': { says: /^frame 1 at byte 0: .*channel/ },
  'amop frame decode - < capture.bin': { says: /^frame 2 at byte 43: /m },
  'amop frame decode --port p2p': { says: /^frame 1 at byte 0: .*RC1/ },
  'amop relay': { says: /"relay ready"/ },
  'amop demo': { says: /Ctrl-C stops everything/ },
  'amop sub news': { send: multicast('news'), says: /^to all$/m },
  'amop sub news rates --json': { send: multicast('rates'), says: /"topic":"rates","kind":"multicast".*"to all"/ },
  "amop sub news --format '%I %t %p'": { send: multicast('news'), says: /^20\S+Z news to all$/m },
  'amop sub news --timeout 1': { code: 27 },
  'amop sub deals --private': {
    send: (client) => privately(client, 'deals', (sender) => sender.multicast('between us')),
    says: /^between us$/m,
  },
  'amop pub deals': { answersPrivately: 'deals', says: /has taken the message/ },
  'amop request deals': { answersPrivately: 'deals', says: /seen: buy 100/ },
  'amop multicast deals': { answersPrivately: 'deals', says: /the relay has taken/ },
  'amop reply quotes': {
    send: (client) =>
      privately(client, 'quotes', async (sender) => expect((await sender.request('?')).text()).toBe('accepted')),
  },
  'amop sub orders': { send: request('orders', 'accepted'), says: /^abc$/m },
  'amop sub ping': { send: request('ping', 'abc'), says: /^abc$/m },
  'amop pub jobs': { answers: 'jobs', says: /has taken the message/ },
  'amop request orders': { answers: 'orders', says: /seen: / },
  'amop request orders --file': { answers: 'orders', says: /"rttMs":.*seen: / },
  'amop request ping': { answers: 'ping', says: /(seen: x\n){10}/ },
  'amop reply orders': { send: request('orders', 'accepted') },
  'amop reply terms': { send: request('terms', 'net 30 days') },
  'amop reply upper': { send: request('upper', 'ABC') },
  'amop reply count': { send: request('count', '3\n') },
  'amop reply ping': { send: (client) => asks(client, 'ping', 3), says: /answered/ },
  'amop multicast': { answers: 'news', says: /the relay has taken/ },
  'amop topics': { answers: 'news', says: /news/ },
  'amop bench': { says: /succeeded in|^$/ },
  'amop context add': { says: /is kept in/ },
  'amop context list': { says: /\* bank-a +127\.0\.0\.1:20200\n {2}bank-b/ },
  'amop context show': { says: /certificate +CN=sdkA/ },
  'amop explain AMOP-100': { says: /^AMOP-100: .*\n.*\n.*exit code 10/ },
  'amop explain -102': { says: /^AMOP-102: / },
};

function expectationOf(line: string): Expectation {
  const key = Object.keys(EXPECTED)
    .filter((beginning) => line.startsWith(beginning))
    .sort((a, b) => b.length - a.length)[0];
  return EXPECTED[key ?? ''] ?? {};
}

/** The demonstration and the second relay of the examples have fixed ports, which may be taken here. */
const onTestPorts = (line: string) =>
  line.replace(/^amop demo$/, 'amop demo --port-base 0').replace('http://127.0.0.1:9091', adminUrl(relay()));

const READY = /^amop: subscribed to|"relay ready"|Ctrl-C stops/m;

it.each(COMMANDS)(
  '%s',
  async (line) => {
    const { answers, answersPrivately, send, says, code = 0, endsRelay = false } = expectationOf(line);
    const own = endsRelay ? await startRelay({ tokenFile: join(folder, 'admin.token') }) : undefined;
    own?.expectExit();
    const seen = (message: Message) => `seen: ${message.text()}`;
    if (answers !== undefined) await other.subscribe(answers, seen);
    if (answersPrivately !== undefined) {
      await other.subscribePrivate(answersPrivately, keys.get('bank-b')?.privateKey as KeyObject, seen);
    }
    try {
      const shell = shells.start(onTestPorts(line), own === undefined ? {} : { AMOP_ADMIN: adminUrl(own) });
      await shell.says(READY);
      await send?.(other);
      if (says !== undefined) await shell.says(says);
      // A command that runs until somebody stops it, and one that has done its work.
      if (READY.test(shell.output) && !/--count|--timeout/.test(line)) shell.interrupt();
      expect(await shell.end(), shell.output).toBe(code);
      if (says !== undefined) expect(shell.output).toMatch(says);
      if (own !== undefined) expect(await own.waitForExit()).toEqual({ code: 0, signal: null });
    } finally {
      if (answers !== undefined) await other.unsubscribe(answers);
      if (answersPrivately !== undefined) await other.unsubscribePrivate(answersPrivately);
    }
  },
  60_000,
);

it('has found the commands, and every expectation is about one', () => {
  expect(COMMANDS.length).toBeGreaterThan(80);
  const unused = Object.keys(EXPECTED).filter((beginning) => !COMMANDS.some((line) => line.startsWith(beginning)));
  expect(unused).toEqual([]);
});
