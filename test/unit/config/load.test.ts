import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/base/limits.js';
import { formatProblems, limitsFromConfig, loadConfigFile, parseConfig } from '../../../src/config/index.js';

const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';

function config(text: string) {
  const result = parseConfig(text, '/etc/amop');
  if (!result.ok) throw new Error(formatProblems(result.problems, 'relay.toml'));
  return result.config;
}

function warnings(text: string): string[] {
  const result = parseConfig(text, '/etc/amop');
  return result.ok ? formatProblems(result.warnings, 'f').split('\n').filter(Boolean) : [];
}

function problems(text: string): string[] {
  const result = parseConfig(text, '/etc/amop');
  return result.ok ? [] : formatProblems(result.problems, 'f').split('\n');
}

describe('a configuration without mistakes', () => {
  it('needs one listener with its three files and gets every other value by default', () => {
    expect(config(LISTENER)).toEqual({
      rpc: {
        listener: [
          {
            channel_listen_ip: '0.0.0.0',
            channel_listen_port: 20200,
            key: '/etc/amop/k',
            cert: '/etc/amop/c',
            ca_cert: '/etc/amop/a',
          },
        ],
      },
      tls: { ciphers: expect.stringContaining('ECDHE-ECDSA-AES128-GCM-SHA256'), curves: 'P-256:P-384:secp256k1' },
      p2p: { listen_ip: '0.0.0.0', listen_port: 30300, nodes: [], allow_sdk_certificates: false },
      compatibility: { supported_version: '2.11.0' },
      certificate_whitelist: { ids: [] },
      certificate_blacklist: { ids: [] },
      chain: { id: '1', groups: [1] },
      private_topics: { certify_local: true, certification_seconds: 600 },
      private_topic: [],
      flow_control: { topic: [] },
      organisation: [],
      admin: { listen_ip: '127.0.0.1', listen_port: 9090 },
      log: { level: 'info', format: 'json' },
      limits: expect.objectContaining({ sessions_max: DEFAULT_LIMITS.sessionsMax }),
    });
  });

  it('takes the default limits, and gives them back under the names of the code', () => {
    expect(limitsFromConfig(config(LISTENER).limits)).toEqual(DEFAULT_LIMITS);
    expect(limitsFromConfig(config(`${LISTENER}[limits]\nsession_queue_bytes_max = 20000`).limits)).toEqual({
      ...DEFAULT_LIMITS,
      sessionQueueBytesMax: 20_000,
    });
  });

  it('resolves relative file names against the directory of the file and keeps absolute ones', () => {
    const [listener] = config(
      '[[rpc.listener]]\nkey = "../keys/k"\ncert = "/abs/c"\nca_cert = "a"\ncrl = "crl/all.pem"',
    ).rpc.listener;
    expect(listener).toMatchObject({
      key: '/etc/keys/k',
      cert: '/abs/c',
      ca_cert: '/etc/amop/a',
      crl: '/etc/amop/crl/all.pem',
    });
  });

  it('lets listeners share an address when their port is 0 or their addresses differ', () => {
    const at = (ip: string, port: number) => `${LISTENER}channel_listen_ip = "${ip}"\nchannel_listen_port = ${port}\n`;
    expect(config(at('127.0.0.1', 0) + at('127.0.0.1', 0)).rpc.listener).toHaveLength(2);
    expect(config(at('127.0.0.1', 20200) + at('127.0.0.2', 20200)).rpc.listener).toHaveLength(2);
    expect(config(at('0.0.0.0', 20200) + at('::1', 20200)).rpc.listener).toHaveLength(2);
  });
});

describe('problems', () => {
  it('come all at once, in the order of the file, with line and key path', () => {
    expect(
      problems(`[log]
level = "warning"

[[rpc.listener]]
key = "k"
cert = "c"
ca_cert = "a"

[[rpc.listener]]
cert = 5
ca_cert = ""
channel_listen_port = 65536
channel_listen_prot = 1

[limits]
request_timeout_ms = 3000
idle_timeout_ms = "60s"

[chain]
id = 1
groups = [1, "2", 1.5]
`),
    ).toEqual([
      'f:2: log.level: must be one of trace, debug, info, warn, error, not "warning" (did you mean "warn"?)',
      'f:9: rpc.listener[1].key: is missing; it has no default',
      'f:10: rpc.listener[1].cert: must be a string in quotes, not 5',
      'f:11: rpc.listener[1].ca_cert: must not be empty',
      'f:12: rpc.listener[1].channel_listen_port: must be at most 65535, not 65536',
      'f:13: rpc.listener[1].channel_listen_prot: unknown key; did you mean channel_listen_port?',
      expect.stringContaining('f:15: limits.subscriber_timeout_ms: 5000 must be below request_timeout_ms (3000)'),
      'f:17: limits.idle_timeout_ms: must be a whole number, not "60s"',
      'f:20: chain.id: must be a string in quotes, not 1',
      'f:21: chain.groups[1]: must be a whole number, not "2"',
      'f:21: chain.groups[2]: must be a whole number, not 1.5',
    ]);
  });

  it('name line and column of a TOML syntax error', () => {
    const result = parseConfig(`${LISTENER}[log]\nlevel = info\n`, '/');
    expect(result).toMatchObject({ ok: false, problems: [{ path: '', line: 6, column: expect.any(Number) }] });
    expect(problems(`${LISTENER}[log]\nlevel = info\n`)).toEqual([
      expect.stringMatching(/^f:6:\d+: not valid TOML: ./),
    ]);
    expect(problems('a = 99999999999999999999')).toEqual([expect.stringMatching(/^f:1:\d+: not valid TOML: ./)]);
    expect(problems(`a = ${'['.repeat(5000)}`)).toEqual([expect.stringMatching(/^f:1:\d+: not valid TOML: ./)]);
    expect(problems('__proto__.x = 1')).toEqual([expect.stringMatching(/^f:1:\d+: not valid TOML: ./)]);
  });

  it('ask for a listener when there is none, or when it is written as one table', () => {
    const text = 'rpc.listener: no listener is configured; add [[rpc.listener]] with key, cert and ca_cert';
    expect(problems('')).toEqual([`f: ${text}`]);
    expect(problems('[rpc]')).toEqual([`f:1: ${text}`]);
    expect(problems('[rpc]\nlistener = []')).toEqual([`f:2: ${text}`]);
    expect(problems('[rpc.listener]\nkey = "k"')).toEqual([
      'f:1: rpc.listener: must be a list of tables, [[rpc.listener]] in double brackets, not a table',
    ]);
    expect(problems('rpc = 3')).toEqual(['f:1: rpc: must be a table, [rpc], not 3']);
    expect(problems(LISTENER.repeat(17))).toContain('f:1: rpc.listener: may have at most 16 entries');
  });

  it('point an unknown key to the nearest one, else to its section, else to what is known', () => {
    expect(problems(`${LISTENER}[limit]\n`)).toEqual(['f:5: limit: unknown key; did you mean limits?']);
    expect(problems(`[rpc]\nchannel_listen_port = 1\n${LISTENER}`)).toEqual([
      'f:2: rpc.channel_listen_port: unknown key here; it belongs under [[rpc.listener]]',
    ]);
    expect(problems(`level = "info"\n${LISTENER}`)).toEqual(['f:1: level: unknown key here; it belongs under [log]']);
    expect(problems(`${LISTENER}[relay]\nshards = 2`)).toEqual([
      'f:5: relay: unknown key; known here: rpc, network_security, p2p, compatibility, certificate_whitelist, ' +
        'certificate_blacklist, tls, chain, private_topics, private_topic, flow_control, organisation, admin, log, limits',
    ]);
    expect(problems(`${LISTENER}[limits]\nsession_max = 4\nhandshake_timeout = 5`)).toEqual([
      'f:6: limits.session_max: unknown key; did you mean sessions_max?',
      'f:7: limits.handshake_timeout: unknown key; did you mean handshake_timeout_ms?',
    ]);
    expect(problems(`${LISTENER}"a b" = 1`)).toEqual([
      expect.stringContaining('rpc.listener[0]."a b": unknown key; known here: channel_listen_ip'),
    ]);
  });

  it('find two ports on one address, also below 0.0.0.0 and beside the admin port', () => {
    const at = (ip: string, port: number) => `${LISTENER}channel_listen_ip = "${ip}"\nchannel_listen_port = ${port}\n`;
    expect(problems(LISTENER + LISTENER)).toEqual([
      'f:5: rpc.listener[1].channel_listen_port: 0.0.0.0:20200 is taken by rpc.listener[0] (0.0.0.0:20200); choose another port',
    ]);
    expect(problems(at('0.0.0.0', 1) + at('127.0.0.1', 1))).toHaveLength(1);
    expect(problems(at('::', 1) + at('127.0.0.1', 1))).toHaveLength(1);
    expect(problems(at('::1', 1) + at('0:0:0:0:0:0:0:1', 1))).toHaveLength(1);
    expect(problems(at('0.0.0.0', 9090))).toEqual([
      'f: admin.listen_port: 127.0.0.1:9090 is taken by rpc.listener[0] (0.0.0.0:9090); choose another port',
    ]);
  });

  it('judge addresses, chain and groups', () => {
    expect(problems(`${LISTENER}channel_listen_ip = "relay.example"`)).toEqual([
      expect.stringContaining('rpc.listener[0].channel_listen_ip: "relay.example" is no IP address'),
    ]);
    expect(problems(`${LISTENER}crl = "a\\u0000b"`)).toEqual([expect.stringContaining('NUL character')]);
    expect(problems(`${LISTENER}[chain]\nid = "a b"\ngroups = []`)).toEqual([
      'f:6: chain.id: "a b" must be printable ASCII without blanks',
      'f:7: chain.groups: must not be an empty list',
    ]);
    expect(problems(`${LISTENER}[chain]\ngroups = [2, 2]`)).toEqual(['f:6: chain.groups: names a group twice']);
    expect(problems(`${LISTENER}[chain]\ngroups = [0, 32768]`)).toHaveLength(2);
  });

  it('keep byte budgets large enough for one frame of the largest size', () => {
    expect(problems(`${LISTENER}[limits]\nsession_inbound_bytes_max = 104857839`)).toEqual([
      'f:6: limits.session_inbound_bytes_max: must be at least 104857840, not 104857839',
    ]);
    expect(config(`${LISTENER}[limits]\nsession_inbound_bytes_max = 104857840`).limits.session_inbound_bytes_max).toBe(
      104_857_840,
    );
    expect(
      problems(`${LISTENER}[limits]\nsession_inbound_bytes_max = 300000000\ninbound_bytes_max = 200000000`),
    ).toEqual([
      expect.stringContaining('session_inbound_bytes_max: 300000000 must not be above inbound_bytes_max (200000000)'),
    ]);
  });

  it('allow time-outs of 10 ms and refuse shorter ones', () => {
    expect(config(`${LISTENER}[limits]\nsubscriber_timeout_ms = 10`).limits.subscriber_timeout_ms).toBe(10);
    expect(problems(`${LISTENER}[limits]\nsubscriber_timeout_ms = 9`)).toHaveLength(1);
    expect(
      problems(`${LISTENER}[limits]\nsubscriber_timeout_ms = 1000\nrequest_timeout_ms = 1000`),
      'equal is too late for a second subscriber',
    ).toHaveLength(1);
  });

  it('give no line where a multi-line string could mislead', () => {
    expect(problems(`${LISTENER}[log]\nlevel = """\n[tls]\n"""`)).toEqual([expect.stringMatching(/^f: log\.level: /)]);
  });
});

describe('warnings', () => {
  it('are silent for the defaults', () => {
    expect(warnings(LISTENER)).toEqual([]);
  });

  it('name legal settings that are probably not meant', () => {
    expect(
      warnings(
        `${LISTENER}[admin]\nlisten_ip = "0.0.0.0"\n[limits]\nidle_timeout_ms = 1000\npending_max = 10\nsession_pending_max = 11`,
      ),
    ).toEqual([
      expect.stringContaining('f:6: admin.listen_ip: 0.0.0.0 is reachable from other machines'),
      expect.stringContaining('f:8: limits.idle_timeout_ms: 1000 is below request_timeout_ms (30000)'),
      expect.stringContaining('f:10: limits.session_pending_max: 11 has no effect above pending_max (10)'),
    ]);
  });
});

describe('a configuration file', () => {
  const made: string[] = [];
  const directory = () => {
    made.push(mkdtempSync(path.join(tmpdir(), 'amop-config-')));
    return made[made.length - 1];
  };
  afterEach(() => {
    for (const each of made.splice(0)) rmSync(each, { recursive: true, force: true });
  });

  it('is read, and its names are relative to its directory', () => {
    const home = directory();
    writeFileSync(path.join(home, 'relay.toml'), LISTENER);
    const result = loadConfigFile(path.relative(process.cwd(), path.join(home, 'relay.toml')));
    expect(result.ok && result.config.rpc.listener[0].key).toBe(path.join(home, 'k'));
  });

  it('that cannot be read is a problem, not an exception', () => {
    const home = directory();
    mkdirSync(path.join(home, 'directory'));
    writeFileSync(path.join(home, 'binary'), Buffer.from([0x61, 0xff, 0xfe]));
    writeFileSync(path.join(home, 'huge'), Buffer.alloc(1_048_577, 0x20));
    writeFileSync(path.join(home, 'secret'), LISTENER);
    chmodSync(path.join(home, 'secret'), 0);
    const text = (name: string) => {
      const result = loadConfigFile(path.join(home, name));
      return result.ok ? 'ok' : formatProblems(result.problems, name);
    };
    expect(text('missing')).toBe('missing: no such file; name the configuration with --config');
    expect(text('directory')).toBe('directory: is a directory, not a file');
    expect(text('binary')).toBe('binary: is not UTF-8 text; save it as UTF-8');
    expect(text('huge')).toContain('huge: has 1048577 bytes');
    if (process.getuid?.() !== 0) expect(text('secret')).toContain('permission denied');
  });
});
