/**
 * docs/troubleshooting.md: each mistake of its table is made here with the built command line, and the line that the table
 * promises is looked for in what comes out. Folders are shown as /etc/amop, ports as the usual ones.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Authority, authorityModule, certificateModule, crlModule, type Leaf } from '../helpers/dist-pki.js';
import { Amop, amop } from '../unit/cli/run-amop.js';

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../docs/troubleshooting.md', import.meta.url)), 'utf8');
// Many processes, each of which starts anew.
vi.setConfig({ testTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'amop-trouble-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Fixed dates stand in the lines of the table. */
const LONG = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2120-01-01T00:00:00Z') };
const OVER = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2021-01-01T00:00:00Z') };
const FUTURE = { notBefore: new Date('2110-01-01T00:00:00Z'), notAfter: new Date('2120-01-01T00:00:00Z') };

interface Chain {
  readonly chain: Authority;
  readonly agency: Authority;
}

let secp256k1: Chain;
let other: Chain;
let rsa: Chain;
let pki: Awaited<ReturnType<typeof authorityModule>>;
let certificates: Awaited<ReturnType<typeof certificateModule>>;
let crls: Awaited<ReturnType<typeof crlModule>>;

beforeAll(async () => {
  pki = await authorityModule();
  certificates = await certificateModule();
  crls = await crlModule();
  const make = (kind: 'secp256k1' | 'rsa', name: string): Chain => {
    const chain = pki.createChain({ kind, chainName: name, ...LONG });
    return { chain, agency: pki.createAgency(chain, 'bank-a', LONG) };
  };
  secp256k1 = make('secp256k1', 'chain');
  other = make('secp256k1', 'other-chain');
  rsa = make('rsa', 'chain-rsa');
});

const leafOf = ({ agency }: Chain, role: 'node' | 'sdk' = 'node', validity = LONG): Leaf =>
  pki.createLeaf(agency, role, role === 'node' ? 'relay-1' : 'app-1', validity);

interface Files {
  readonly key?: string;
  readonly cert?: string | Uint8Array;
  readonly ca?: string;
  readonly crl?: string;
  readonly keyMode?: number;
}

let folders = 0;

/** The folder of one mistake, with a good relay in it but for what is given. */
class Place {
  readonly dir = join(root, String(folders++));
  readonly leaf = leafOf(secp256k1);

  constructor() {
    mkdirSync(this.dir);
  }

  put(name: string, content: string | Uint8Array, mode = 0o600): string {
    const path = join(this.dir, name);
    writeFileSync(path, content, { mode });
    chmodSync(path, mode);
    return path;
  }

  /** `relay.toml` and the files that it names; `extra` stands behind the listener, `instead` replaces everything. */
  config(files: Files = {}, extra = '', port = 0): string {
    this.put('node.key', files.key ?? this.leaf.keyPem, files.keyMode);
    this.put('node.crt', files.cert ?? this.leaf.certPem, 0o644);
    this.put('ca.crt', files.ca ?? secp256k1.chain.certPem, 0o644);
    if (files.crl !== undefined) this.put('crl.pem', files.crl, 0o644);
    const crl = files.crl === undefined ? '' : 'crl = "crl.pem"\n';
    const listener = `[[rpc.listener]]\nchannel_listen_ip = "127.0.0.1"\nchannel_listen_port = ${port}\n`;
    const paths = `key = "node.key"\ncert = "node.crt"\nca_cert = "ca.crt"\n${crl}`;
    return this.put('relay.toml', `${listener}${paths}[admin]\nlisten_port = 0\n${extra}`);
  }

  client(leaf: Leaf, ca = secp256k1.chain.certPem): string[] {
    this.put('sdk.key', leaf.keyPem);
    this.put('sdk.crt', leaf.certPem, 0o644);
    this.put('ca.crt', ca, 0o644);
    return ['--certs', this.dir];
  }
}

interface Ran {
  readonly output: string;
  /** Real port to the one of the table. */
  readonly ports?: Readonly<Record<number, number>>;
}

async function run(args: readonly string[], stdin = ''): Promise<string> {
  const { stdout, stderr } = await amop(args, stdin, { AMOP_PASSWORD: '', AMOP_NEW_PASSWORD: '' });
  return stdout + stderr;
}

const check = async (files: Files, extra?: string): Promise<Ran> => {
  return { output: await run(['config', 'check', new Place().config(files, extra)]) };
};

async function taken(): Promise<{ port: number; close: () => void }> {
  const server = createServer((_request, response) => response.end());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

/** Dials a running relay as a client would, and returns what both of them said. */
async function dialRelay(client: (place: Place) => string[]): Promise<Ran> {
  const place = new Place();
  const config = place.config({ ca: secp256k1.chain.certPem + secp256k1.agency.certPem });
  const relay = new Amop(['relay', '--config', config]);
  try {
    const [, port] = await relay.says(/"port":(\d+),"kind"/);
    const said = await run(['request', ...client(new Place()), '--relay', `127.0.0.1:${port}`, 't', 'x']);
    relay.child.kill('SIGTERM');
    const { stdout } = await relay.end();
    return { output: said + stdout.replaceAll('\\"', '"'), ports: { [Number(port)]: 20_200 } };
  } finally {
    relay.child.kill('SIGKILL');
  }
}

function leafWithKey(key: KeyObject): Files {
  const issued = certificates.issueCertificate({
    subject: { cn: 'relay-1', o: 'fisco-bcos', ou: 'node' },
    publicKey: createPublicKey(key),
    issuer: certificates.issuerFrom(secp256k1.agency.certificate, secp256k1.agency.key),
    ...LONG,
    ca: false,
  });
  return {
    cert: issued.pem + secp256k1.agency.certPem,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function listOf(authority: Authority, nextUpdate: Date): string {
  const issuer = certificates.issuerFrom(authority.certificate, authority.key);
  return crls.issueCrl({ issuer, thisUpdate: LONG.notBefore, nextUpdate, revoked: [] });
}

const p2pTables = (place: Place, leaf: Leaf): string => {
  place.put('p2p.key', leaf.keyPem);
  place.put('p2p.crt', leaf.certPem);
  return '[network_security]\nkey = "p2p.key"\ncert = "p2p.crt"\nca_cert = "ca.crt"\n';
};

const p2pConfig = (place: Place, leaf: Leaf, port: number, nodes: readonly number[] = []): string =>
  `[p2p]\nlisten_ip = "127.0.0.1"\nlisten_port = ${port}\nnodes = ${JSON.stringify(nodes.map((one) => `127.0.0.1:${one}`))}\n${p2pTables(place, leaf)}`;

/** Of two relays that should be one node each. */
let twinLeaf: Leaf | undefined;
function twin(): Leaf {
  twinLeaf ??= leafOf(secp256k1);
  return twinLeaf;
}

/** What a relay says until it has said this. */
async function runUntil(config: string, pattern: RegExp): Promise<string> {
  const relay = new Amop(['relay', '--config', config]);
  try {
    await relay.says(pattern);
    relay.child.kill('SIGTERM');
    return (await relay.end()).stdout.replaceAll('\\"', '"');
  } finally {
    relay.child.kill('SIGKILL');
  }
}

/** A relay that dials another one, until it has said this. */
async function joined(config: (place: Place, port: number) => string, pattern: RegExp): Promise<Ran> {
  const place = new Place();
  const first = new Amop(['relay', '--config', place.config({}, p2pConfig(place, twin(), 0))]);
  try {
    const [, port] = await first.says(/"p2p":\{"ip":"127.0.0.1","port":(\d+)/);
    const second = new Place();
    const output = await runUntil(second.config({}, config(second, Number(port))), pattern);
    return { output, ports: { [Number(port)]: 30_300 } };
  } finally {
    first.child.kill('SIGKILL');
  }
}

/** By the first column of the table. */
const MISTAKES: Readonly<Record<string, () => Promise<Ran> | Ran>> = {
  'no such configuration': async () => ({
    output: await run(['relay', '--config', join(new Place().dir, 'relay.toml')]),
  }),
  'not TOML': async () => {
    const file = new Place().put('relay.toml', '[admin]\nlisten_port = 9090\nlisten_ip = 127.0.0.1\n');
    return { output: await run(['config', 'check', file]) };
  },
  'unknown key': () => check({}, '[limits]\nidle_timeout = 60000\n'),
  'number in quotes': () => check({}, '[limits]\nsessions_max = "200"\n'),
  'two ports the same': async () => {
    const place = new Place();
    const second =
      '[[rpc.listener]]\nchannel_listen_port = 20200\nkey = "node.key"\ncert = "node.crt"\nca_cert = "ca.crt"\n';
    return { output: await run(['config', 'check', place.config({}, second, 20_200)]) };
  },
  'X25519 among the curves': () => check({}, '[tls]\ncurves = "X25519:P-256:secp256k1"\n'),
  'P2P without a certificate for it': () => check({}, '[p2p]\nnodes = ["10.0.0.1:30300"]\n'),
  'wrong path': async () => {
    const place = new Place();
    const config = place.config();
    rmSync(join(place.dir, 'ca.crt'));
    return { output: await run(['config', 'check', config]) };
  },
  'key and certificate swapped': () => {
    const { keyPem, certPem } = leafOf(secp256k1);
    return check({ key: certPem, cert: keyPem });
  },
  'DER instead of PEM': () => check({ cert: new Uint8Array(new X509Certificate(leafOf(secp256k1).certPem).raw) }),
  'key of another certificate': () => check({ key: leafOf(secp256k1).keyPem }),
  'CA of another chain': () => check({ ca: other.chain.certPem }),
  expired: () => {
    const { certPem, keyPem } = leafOf(secp256k1, 'node', OVER);
    return check({ cert: certPem, key: keyPem });
  },
  'not yet valid': async () => {
    const { certPem, keyPem } = leafOf(secp256k1, 'node', FUTURE);
    const { output } = await check({ cert: certPem, key: keyPem });
    return { output: output.replace(/it is now \S+:/, 'it is now 2026-01-31T12:00:00.000Z:') };
  },
  'CA instead of leaf': () => check({ cert: secp256k1.agency.certPem, key: secp256k1.agency.keyPem }),
  'agency missing': () => {
    const { certPem, keyPem } = leafOf(secp256k1);
    return check({ cert: String(new X509Certificate(certPem)), key: keyPem });
  },
  'encrypted key': () => {
    const { key, certPem } = leafOf(secp256k1);
    const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' });
    return check({ key: pem.toString(), cert: certPem });
  },
  'RSA certificate under a secp256k1 CA': () =>
    check(leafWithKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)),
  'certificate on P-256': () => check(leafWithKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey)),
  'key that others can read': () => check({ keyMode: 0o644 }),
  'revocation list of one CA only': () => check({ crl: listOf(secp256k1.agency, LONG.notAfter) }),
  'revocation list that has ended': () =>
    check({ crl: listOf(secp256k1.agency, OVER.notAfter) + listOf(secp256k1.chain, LONG.notAfter) }),
  'RSA certificate for P2P': async () => {
    const place = new Place();
    return {
      output: await run([
        'config',
        'check',
        place.config({ ca: secp256k1.chain.certPem + rsa.chain.certPem }, p2pTables(place, leafOf(rsa))),
      ]),
    };
  },
  'SDK certificate for P2P': async () => {
    const place = new Place();
    return { output: await run(['config', 'check', place.config({}, p2pTables(place, leafOf(secp256k1, 'sdk')))]) };
  },
  'channel port taken': async () => {
    const { port, close } = await taken();
    const output = await run(['relay', '--config', new Place().config({}, '', port)]);
    close();
    return { output, ports: { [port]: 20_200 } };
  },
  'P2P port taken': async () => {
    const { port, close } = await taken();
    const place = new Place();
    const output = await run(['relay', '--config', place.config({}, p2pConfig(place, leafOf(secp256k1), port))]);
    close();
    return { output, ports: { [port]: 30_300 } };
  },
  'unreachable peer': async () => {
    const { port, close } = await taken();
    close();
    const place = new Place();
    const said = await runUntil(place.config({}, p2pConfig(place, leafOf(secp256k1), 0, [port])), /nothing listens/);
    return { output: said, ports: { [port]: 30_300 } };
  },
  'two relays with one node ID': () => joined((place, port) => p2pConfig(place, twin(), 0, [port]), /"reason":"self"/),
  'peer that is not let in': () =>
    joined(
      (place, port) =>
        `${p2pConfig(place, leafOf(secp256k1), 0, [port])}[certificate_whitelist]\nids = ["${'0'.repeat(128)}"]\n`,
      /certificate_whitelist/,
    ),
  'channel port of a relay dialled as a peer': async () => {
    const place = new Place();
    const first = new Amop(['relay', '--config', place.config()]);
    try {
      const [, port] = await first.says(/"port":(\d+),"kind"/);
      const second = new Place();
      const config = second.config({}, p2pConfig(second, leafOf(secp256k1), 0, [Number(port)]));
      return {
        output: await runUntil(config, /"dialling a peer failed"|"peer disconnected"/),
        ports: { [port]: 20_200 },
      };
    } finally {
      first.child.kill('SIGKILL');
    }
  },
  'nothing listens there': async () => {
    const { port, close } = await taken();
    close();
    const output = await run([
      'request',
      ...new Place().client(leafOf(secp256k1, 'sdk')),
      '--relay',
      `127.0.0.1:${port}`,
      't',
      'x',
    ]);
    return { output, ports: { [port]: 20_200 } };
  },
  'HTTP port instead of the channel port': async () => {
    const { port, close } = await taken();
    const output = await run([
      'request',
      ...new Place().client(leafOf(secp256k1, 'sdk')),
      '--relay',
      `127.0.0.1:${port}`,
      't',
      'x',
    ]);
    close();
    return { output, ports: { [port]: 9_090 } };
  },
  'port of the other certificate kind': () => dialRelay((place) => place.client(leafOf(rsa, 'sdk'), rsa.chain.certPem)),
  'application of another chain, seen by the application': () =>
    dialRelay((place) => place.client(leafOf(other, 'sdk'), other.chain.certPem + secp256k1.chain.certPem)),
  'application of another chain, seen by the relay': () =>
    dialRelay((place) => place.client(leafOf(other, 'sdk'), other.chain.certPem + secp256k1.chain.certPem)),
  'no certificates named': async () => ({ output: await run(['request', 't', 'x']) }),
  'key would be overwritten': async () => {
    const place = new Place();
    await run(['pki', 'init', join(place.dir, 'chain')]);
    return { output: await run(['pki', 'init', join(place.dir, 'chain')]) };
  },
  'folder is not that of a CA': async () => {
    const place = new Place();
    return { output: await run(['pki', 'relay', join(place.dir, 'relay-1'), '--org', place.dir]) };
  },
  'password needed, no terminal': async () => {
    const place = new Place();
    return { output: await run(['keys', 'generate', join(place.dir, 'orders'), '--p12']) };
  },
  'private-topic key that others can read': async () => {
    const place = new Place();
    await run(['keys', 'generate', join(place.dir, 'orders')]);
    chmodSync(join(place.dir, 'orders.pem'), 0o644);
    return { output: await run(['keys', 'show', join(place.dir, 'orders.pem')]) };
  },
  'private key wanted from a public one': async () => {
    const place = new Place();
    await run(['keys', 'generate', join(place.dir, 'orders')]);
    return {
      output: await run([
        'keys',
        'convert',
        join(place.dir, 'orders.public.pem'),
        '--to',
        'pem',
        '-o',
        join(place.dir, 'x.pem'),
      ]),
    };
  },
  'frame cut off in a log': async () => ({ output: await run(['frame', 'decode', '000000360030']) }),
};

/** The lines of the table: mistake, line, what to do. */
const ROWS = [...DOCUMENT.matchAll(/^\| ([^|`]+) \| `([^`]+)` \| ([^|]+) \|$/gm)].map(([, mistake, line, remedy]) => ({
  mistake: mistake.trim(),
  line,
  remedy,
}));

function asDocumented({ output, ports = {} }: Ran): string[] {
  let text = output.replaceAll(new RegExp(`${root}/\\d+`, 'g'), '/etc/amop');
  for (const [port, shown] of Object.entries(ports)) text = text.replaceAll(port, String(shown));
  return text.split('\n');
}

describe('docs/troubleshooting.md', () => {
  it('has a row for every mistake that is made here, and no other', () => {
    expect(ROWS.length).toBeGreaterThanOrEqual(20);
    expect(ROWS.map(({ mistake }) => mistake).sort()).toEqual(Object.keys(MISTAKES).sort());
  });

  it.each(ROWS)('$mistake: prints the line that the table has', async ({ mistake, line }) => {
    const lines = asDocumented(await MISTAKES[mistake]());
    // What stands around the part in question, such as a time, is left out in the table with an ellipsis.
    const wanted = line.replace(/^… /, '').replace(/ …$/, '');
    const found = lines.filter((one) => (line === wanted ? one === wanted : one.includes(wanted)));
    expect(found.length === 0 ? lines : [line]).toEqual([line]);
  });
});
