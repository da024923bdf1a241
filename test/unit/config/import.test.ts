import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { type ImportOptions, type ImportResult, importConfig } from '../../../src/config/import.js';
import { parseIni } from '../../../src/config/import-ini.js';
import { parseConfig, type RelayConfig } from '../../../src/config/index.js';

const FULL = readFileSync(new URL('../../fixtures/fisco-tools/node0/config.ini', import.meta.url), 'utf8');
const P2P = { key: '/relay/p2p/node.key', cert: '/relay/p2p/node.crt', caCert: '/relay/p2p/ca.crt' };
const ID = 'ab'.repeat(64);

type Good = Extract<ImportResult, { ok: true }>;

function imported(text: string, options: Partial<ImportOptions> = {}): Good {
  const result = importConfig(text, { directory: '/node0', replaceNode: false, groups: [], ...options });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

/** What a relay would read; fails when it would not start. */
function effective(result: Good): RelayConfig {
  const parsed = parseConfig(result.toml, '/relay');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function problems(text: string, options: Partial<ImportOptions> = {}): string[] {
  const result = importConfig(text, { directory: '/node0', replaceNode: false, groups: [], ...options });
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line ?? '-'} ${message}`);
}

const reasonOf = (result: Good, key: string) => result.leftOut.find((one) => one.key === key)?.reason;
const targetOf = (result: Good, key: string) => result.carried.find((one) => one.key === key)?.to;

describe('the config.ini of a node', () => {
  it.each([
    ['with a certificate for P2P', { p2p: P2P }],
    ['without one', {}],
    ['whose place the relay takes', { replaceNode: true }],
  ])('%s leads to a configuration that is accepted', (_name, options) => {
    expect(() => effective(imported(FULL, options))).not.toThrow();
  });

  it.each([{ p2p: P2P }, {}, { replaceNode: true }])(
    'loses no key: each is carried over or left out with a reason (%#)',
    (options) => {
      const result = imported(FULL, options);
      const ini = parseIni(FULL);
      const wanted = ini.ok ? ini.entries.map(({ section, key }) => `${section}.${key}`) : [];
      expect(wanted.length).toBeGreaterThan(35);
      const seen = [...result.carried, ...result.leftOut].map(({ key }) => key);
      expect(seen.sort()).toEqual(wanted.sort());
      expect(result.leftOut.filter(({ reason }) => reason.length < 8)).toEqual([]);
      for (const { key, value } of result.leftOut) expect(result.toml).toContain(`#   ${key}=${value}`);
    },
  );

  it('becomes listener, peers, lists, chain, bandwidth and log level', () => {
    const config = effective(imported(FULL, { p2p: P2P, groups: [1, 3] }));
    expect(config.rpc.listener).toMatchObject([
      {
        channel_listen_ip: '0.0.0.0',
        channel_listen_port: 20_200,
        key: '/node0/conf/node.key',
        cert: '/node0/conf/node.crt',
        ca_cert: '/node0/conf/ca.crt',
      },
    ]);
    expect(config.network_security).toEqual({ key: P2P.key, cert: P2P.cert, ca_cert: P2P.caCert });
    expect(config.p2p).toMatchObject({
      listen_ip: '0.0.0.0',
      listen_port: 30_300,
      nodes: ['127.0.0.1:30300', '127.0.0.1:30301', '[fd00::2]:30300'],
    });
    expect(config.compatibility.supported_version).toBe('2.9.1');
    expect(config.certificate_blacklist.ids).toEqual(['3b5da4d8e3a4fe5b'.repeat(8)]);
    expect(config.certificate_whitelist.ids).toEqual([]);
    expect(config.chain).toEqual({ id: '7', groups: [1, 3] });
    expect(config.flow_control.outgoing_bandwidth_limit).toBe(2.5);
    expect(config.log.level).toBe('warn');
  });

  it('says of an unknown key that it is unknown', () => {
    expect(reasonOf(imported(FULL), 'my_section.surprise')).toBe('is not known here');
  });
});

describe('the key of the node', () => {
  it('serves the channel port only: without another the relay has no P2P port, and what is for it is named', () => {
    const result = imported(FULL);
    expect(parse(result.toml)).not.toHaveProperty('network_security');
    for (const key of [
      'p2p.node.0',
      'p2p.listen_port',
      'compatibility.supported_version',
      'certificate_blacklist.crl.0',
    ]) {
      expect(reasonOf(result, key)).toMatch(/^is for the P2P port, which needs a certificate of its own; give --org/);
    }
  });

  it('serves both ports of a relay that takes its place', () => {
    const config = effective(imported(FULL, { replaceNode: true }));
    expect(config.network_security?.key).toBe('/node0/conf/node.key');
    expect(config.rpc.listener[0].key).toBe('/node0/conf/node.key');
  });

  it('is found where the file says, from the folder of the config.ini', () => {
    const text = '[network_security]\ndata_path=../keys\nkey=my.key\ncert=/abs/my.crt\n';
    expect(effective(imported(text)).rpc.listener[0]).toMatchObject({
      key: '/keys/my.key',
      cert: '/abs/my.crt',
      ca_cert: '/keys/ca.crt',
    });
    expect(effective(imported('[secure]\ndata_path=conf2\n')).rpc.listener[0].key).toBe('/node0/conf2/node.key');
  });

  it('encrypted by a key manager cannot be used', () => {
    expect(problems('[storage_security]\nenable=true\n')).toEqual([
      expect.stringMatching(/^2 storage_security.enable: the node's key is encrypted by a key manager/),
    ]);
  });
});

describe('the certificates that SDKs see', () => {
  it('are the RSA ones where the node shows these, while P2P stays on the node’s', () => {
    const text =
      '[chain]\nrsa_crypto_channel=true\n[compatibility]\nsupported_version=2.9.0\n[network_security]\nkey=node.key\n';
    const result = imported(text, { replaceNode: true });
    const config = effective(result);
    expect(config.rpc.listener[0]).toMatchObject({
      key: '/node0/conf/channel_cert/node.key',
      cert: '/node0/conf/channel_cert/node.crt',
      ca_cert: '/node0/conf/channel_cert/ca.crt',
    });
    expect(config.network_security?.key).toBe('/node0/conf/node.key');
    expect(targetOf(result, 'network_security.key')).toBe('network_security.key');
    expect(reasonOf(imported(text), 'network_security.key')).toContain('whose key the relay does not use');
  });

  it('are the node’s own before 2.9.0, which does not know the switch', () => {
    const result = imported('[chain]\nrsa_crypto_channel=true\n[compatibility]\nsupported_version=2.8.0\n');
    expect(effective(result).rpc.listener[0].key).toBe('/node0/conf/node.key');
    expect(reasonOf(result, 'chain.rsa_crypto_channel')).toContain('no effect before supported_version 2.9.0');
  });

  it('of an SM chain are its secp256k1 ones, and its P2P port cannot be spoken with', () => {
    const result = imported('[chain]\nsm_crypto=true\n[p2p]\nnode.0=a:1\n', { p2p: P2P });
    expect(effective(result).rpc.listener[0].key).toBe('/node0/conf/origin_cert/node.key');
    expect(parse(result.toml)).not.toHaveProperty('network_security');
    expect(reasonOf(result, 'p2p.node.0')).toContain('speaks SM TLS');
  });

  it('of a node whose SDKs use SM TLS cannot be imported', () => {
    expect(problems('[chain]\nsm_crypto=true\nsm_crypto_channel=true\n')).toEqual([
      expect.stringContaining('3 chain.sm_crypto_channel: the SDKs of this node use SM TLS'),
    ]);
  });
});

describe('supported_version', () => {
  it('is always written out with a P2P port, 2.0.0-rc1 where the file has none', () => {
    const result = imported('[p2p]\nlisten_port=30301\n', { p2p: P2P });
    expect(effective(result).compatibility.supported_version).toBe('2.0.0-rc1');
    expect(result.remarks).toContainEqual(expect.stringContaining('the format of 2.0.0-rc1: written out'));
    expect(result.toml).toContain('supported_version = "2.0.0-rc1"');
  });

  it('of another generation is refused', () => {
    expect(problems('[compatibility]\nsupported_version=3.2.0\n')).toEqual([
      expect.stringMatching(/^2 compatibility.supported_version: "3.2.0" is no version of fisco 2.x/),
    ]);
  });
});

describe('certificate lists', () => {
  it('are node IDs, whatever the keys are called, in any case and with 0x', () => {
    const text = `[crl]\ncrl.0=0x${ID.toUpperCase()}\n[cal]\ncal.5=${ID}\ncal.6=zz\n`;
    const result = imported(text, { p2p: P2P });
    const config = effective(result);
    expect(config.certificate_blacklist.ids).toEqual([ID]);
    expect(config.certificate_whitelist.ids).toEqual([ID]);
    expect(parse(result.toml)).not.toHaveProperty('p2p.crl');
    expect(reasonOf(result, 'cal.cal.6')).toBe('is no node ID of 128 hex digits; nodes ignore it as well');
    expect(targetOf(result, 'crl.crl.0')).toBe('certificate_blacklist.ids[0]');
  });
});

describe('peers', () => {
  it('named twice are dialled once', () => {
    const result = imported('[p2p]\nnode.0=Host:1\nnode.1=host:1\nnode.2=b:2\n', { p2p: P2P });
    expect(effective(result).p2p.nodes).toEqual(['Host:1', 'b:2']);
    expect(reasonOf(result, 'p2p.node.1')).toContain('names already');
  });

  it('that are no addresses are refused with their line', () => {
    expect(problems('[p2p]\nnode.0=host\nnode.1=1.2.3:30300\n', { p2p: P2P })).toEqual([
      expect.stringMatching(/^2 p2p.node.0: "host" has no port/),
      expect.stringMatching(/^3 p2p.node.1: "1.2.3:30300" has no IPv4 address/),
    ]);
  });

  it('that are missing are remarked on', () => {
    expect(imported('', { p2p: P2P }).remarks).toContainEqual(expect.stringContaining('add the addresses of peers'));
  });
});

describe('ports and addresses', () => {
  it('are the node’s own, which is remarked on while the node stays', () => {
    const stays = imported('[rpc]\nchannel_listen_port=20201\n', { p2p: P2P });
    expect(effective(stays).rpc.listener[0].channel_listen_port).toBe(20_201);
    expect(stays.remarks).toContainEqual(expect.stringContaining('channel port 20201 is the node'));
    expect(stays.remarks).toContainEqual(expect.stringContaining('P2P port 30300 is the node'));
    const moved = imported('', { p2p: P2P, channelPort: 21_000, p2pPort: 31_000 });
    expect(effective(moved)).toMatchObject({
      p2p: { listen_port: 31_000 },
      rpc: { listener: [{ channel_listen_port: 21_000 }] },
    });
    for (const result of [moved, imported('', { replaceNode: true })]) {
      expect(result.remarks.filter((remark) => remark.includes("is the node's own"))).toEqual([]);
    }
  });

  it('take the old key listen_ip where the new one is missing', () => {
    expect(effective(imported('[rpc]\nlisten_ip=10.0.0.1\n')).rpc.listener[0].channel_listen_ip).toBe('10.0.0.1');
    const both = imported('[rpc]\nlisten_ip=10.0.0.1\nchannel_listen_ip=10.0.0.2\n');
    expect(effective(both).rpc.listener[0].channel_listen_ip).toBe('10.0.0.2');
    expect(reasonOf(both, 'rpc.listen_ip')).toContain('overruled');
  });

  it.each(['0', '65536', '20200x'])('port %s is refused', (port) => {
    expect(problems(`[rpc]\nchannel_listen_port=${port}\n`)).toEqual([
      `2 rpc.channel_listen_port: "${port}" is no port from 1 to 65535`,
    ]);
  });
});

describe('what the relay does differently', () => {
  it('is remarked on: clients of other agencies, the bytes that bandwidth is counted in', () => {
    const result = imported('[flow_control]\noutgoing_bandwidth_limit=2\n', { p2p: P2P });
    expect(result.remarks).toContainEqual(expect.stringContaining('those of every agency that ca_cert leads to'));
    expect(result.remarks).toContainEqual(expect.stringContaining('a quarter of its bytes'));
    const off = imported('[network_security]\ncheck_cert_issuer=false\n');
    expect(off.remarks.filter((remark) => remark.includes('agency'))).toEqual([]);
    expect(reasonOf(off, 'network_security.check_cert_issuer')).toContain('has no counterpart');
  });

  it.each(['0', '-1', 'two'])('bandwidth %s is refused', (limit) => {
    expect(problems(`[flow_control]\noutgoing_bandwidth_limit=${limit}\n`, { p2p: P2P })).toHaveLength(1);
  });
});

describe('the file itself', () => {
  it.each([
    ['[rpc\n', '1 "[rpc" is no section header'],
    ['[rpc]\nhello\n', '2 "hello" is no key=value'],
    ['[rpc]\na=1\na=2\n', '3 rpc.a stands in line 2 already'],
    ['[rpc]\n[p2p]\n[rpc]\n', '3 [rpc] stands in line 1 already'],
    ['[chain]\nsm_crypto=maybe\n', '2 chain.sm_crypto: "maybe" is neither true nor false'],
  ])('with a mistake is refused as a node refuses it (%#)', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  it('may have comments, blanks, Windows line ends and a byte order mark', () => {
    const text = '\ufeff; a comment\r\n[rpc]\r\n  # another\r\n  channel_listen_port = 20999 \r\n\r\n';
    expect(effective(imported(text)).rpc.listener[0].channel_listen_port).toBe(20_999);
  });

  it('keeps a semicolon inside a value, as the node does', () => {
    expect(imported('[log]\nlog_path=./a;b\n').leftOut).toContainEqual(expect.objectContaining({ value: './a;b' }));
  });

  it('cannot break out of the comment that repeats it', () => {
    const result = imported('[x]\na=b\u0001[admin]\n');
    expect(() => effective(result)).not.toThrow();
  });
});
