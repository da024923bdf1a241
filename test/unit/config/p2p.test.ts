import { describe, expect, it } from 'vitest';
import { formatProblems, p2pFormatOf, parseConfig } from '../../../src/config/index.js';

const LISTENER = '[[rpc.listener]]\nkey = "k"\ncert = "c"\nca_cert = "a"\n';
/** Eight lines: what a test adds stands from line 9 on. */
const PEERED = `${LISTENER}[network_security]\nkey = "pk"\ncert = "pc"\nca_cert = "pa"\n`;
const ID = 'AB'.repeat(64);

function config(text: string) {
  const result = parseConfig(text, '/etc/amop');
  if (!result.ok) throw new Error(formatProblems(result.problems, 'relay.toml'));
  return result.config;
}

function problems(text: string): string[] {
  const result = parseConfig(text, '/etc/amop');
  return result.ok ? [] : formatProblems(result.problems, 'f').split('\n');
}

const repeated = (count: number, text: (index: number) => string) => Array.from({ length: count }, (_, i) => text(i));

describe('a relay with a P2P port', () => {
  it('names three files, made absolute like the lists of [p2p] and the issuers of an organisation', () => {
    const made = config(
      `${PEERED}[p2p]\ncrl = "crl.pem"\n[[organisation]]\nname = "bank"\nissuers = ["ca/ec.crt", "/abs/rsa.crt"]`,
    );
    expect(made.network_security).toEqual({ key: '/etc/amop/pk', cert: '/etc/amop/pc', ca_cert: '/etc/amop/pa' });
    expect(made.p2p).toEqual({
      listen_ip: '0.0.0.0',
      listen_port: 30300,
      nodes: [],
      crl: '/etc/amop/crl.pem',
      allow_sdk_certificates: false,
    });
    expect(made.organisation).toEqual([{ name: 'bank', issuers: ['/etc/amop/ca/ec.crt', '/abs/rsa.crt'] }]);
  });

  it('misses each file that [network_security] lacks', () => {
    expect(problems(`${LISTENER}[network_security]\ncert = "c"`)).toEqual([
      'f:5: network_security.key: is missing; it has no default',
      'f:5: network_security.ca_cert: is missing; it has no default',
    ]);
  });

  it('is the only one that may have what belongs to the port', () => {
    const needs = (place: string) =>
      `f:${place}: needs [network_security] with key, cert and ca_cert, without which the relay has no P2P port`;
    const sections =
      '[p2p]\nlisten_port = 1\n[compatibility]\n[certificate_whitelist]\n[certificate_blacklist]\n' +
      '[flow_control]\nsession_bandwidth_limit = 1\noutgoing_bandwidth_limit = 1\n';
    expect(problems(LISTENER + sections)).toEqual([
      needs('5: p2p'),
      needs('7: compatibility'),
      needs('8: certificate_whitelist'),
      needs('9: certificate_blacklist'),
      needs('12: flow_control.outgoing_bandwidth_limit'),
    ]);
    expect(problems(PEERED + sections)).toEqual([]);
    expect(problems(`network_security = 3\n[p2p]\n${LISTENER}`)).toEqual([
      'f:1: network_security: must be a table, [network_security], not 3',
    ]);
  });

  it('needs a free address for it', () => {
    const other = 'is taken by rpc.listener[0] (0.0.0.0:30300); choose another port';
    const onP2pPort = LISTENER.replace('\n', '\nchannel_listen_port = 30300\n');
    expect(problems(PEERED.replace(LISTENER, onP2pPort))).toEqual([`f: p2p.listen_port: 0.0.0.0:30300 ${other}`]);
    expect(problems(`${PEERED}[p2p]\nlisten_port = 9090`)).toEqual([
      'f: admin.listen_port: 127.0.0.1:9090 is taken by [p2p] (0.0.0.0:9090); choose another port',
    ]);
    expect(problems(onP2pPort), 'without a P2P port its default takes nothing').toEqual([]);
    expect(problems(`${PEERED}[p2p]\nlisten_ip = "relay.example"\nlisten_port = 0`)).toHaveLength(1);
  });

  it('finds every wrong node, and every one that stands twice, in one go', () => {
    expect(
      problems(
        `${PEERED}[p2p]\nnodes = ["10.0.0.1:30300", "b.example", "10.0.0.1:30300", 5, "B.example:1", "b.example:1", "[::1]:2", "[0:0::1]:2"]\n` +
          'allow_sdk_certificates = "yes"',
      ),
    ).toEqual([
      expect.stringMatching(/^f:10: p2p\.nodes\[1]: "b\.example" has no port/),
      'f:10: p2p.nodes[3]: must be a string in quotes, not 5',
      'f:10: p2p.nodes[2]: "10.0.0.1:30300" is named twice; p2p.nodes[0] has it',
      'f:10: p2p.nodes[5]: "b.example:1" is named twice; p2p.nodes[4] has it',
      'f:10: p2p.nodes[7]: "[0:0::1]:2" is named twice; p2p.nodes[6] has it',
      'f:11: p2p.allow_sdk_certificates: must be true or false, not "yes"',
    ]);
  });

  it('takes 256 nodes, one host on several ports included, and warns when the peers may be fewer', () => {
    const nodes = (count: number) => `${PEERED}[p2p]\nnodes = [${repeated(count, (i) => `"h:${i + 1}"`)}]\n`;
    expect(parseConfig(`${nodes(128)}`, '/')).toMatchObject({ ok: true, warnings: [] });
    expect(parseConfig(`${nodes(256)}[limits]\npeers_max = 255`, '/')).toMatchObject({
      ok: true,
      warnings: [
        { path: 'limits.peers_max', message: expect.stringContaining('255 is below the 256 nodes'), line: 12 },
      ],
    });
    expect(problems(nodes(257))).toEqual(['f:10: p2p.nodes: may have at most 256 entries']);
  });

  it('waits for a peer for less than a request may take', () => {
    expect(problems(`${PEERED}[limits]\nrequest_timeout_ms = 10500`)).toEqual([
      'f:9: limits.peer_timeout_ms: 10500 must be below request_timeout_ms (10500), or no request could ever go on after a silent peer',
    ]);
    expect(problems(`${PEERED}[limits]\nrequest_timeout_ms = 10501`)).toEqual([]);
    expect(problems(`${LISTENER}[limits]\nrequest_timeout_ms = 10000`), 'no peers, no wait').toEqual([]);
    expect(problems(`${LISTENER}[limits]\npeer_timeout_ms = 30000`)).toHaveLength(1);
  });

  it('bounds peers and their queues', () => {
    expect(problems(`${LISTENER}[limits]\npeers_max = 0\npeer_queue_bytes_max = 16383`)).toEqual([
      'f:6: limits.peers_max: must be at least 1, not 0',
      'f:7: limits.peer_queue_bytes_max: must be at least 16384, not 16383',
    ]);
    expect(config(`${LISTENER}[limits]\npeer_queue_bytes_max = 16384`).limits.peer_queue_bytes_max).toBe(16_384);
  });
});

describe('the supported version', () => {
  it('selects the P2P header: rc1 for 2.0.0-rc1 alone', () => {
    const formats = ['2.0.0-rc1', '2.0.0-rc2', '2.0.0-rc3', '2.0.0-rc10', '2.0.0', '2.1.0-rc1', '2.10.0', '2.11.0'].map(
      (version) => {
        const made = config(`${PEERED}[compatibility]\nsupported_version = "${version}"`);
        return `${version} ${p2pFormatOf(made.compatibility.supported_version)}`;
      },
    );
    expect(formats.filter((one) => one.endsWith(' rc1'))).toEqual(['2.0.0-rc1 rc1']);
    expect(formats).toHaveLength(8);
  });

  it.each([
    '',
    '2',
    '2.11',
    'v2.11.0',
    '2.11.0 ',
    '2.11.0.1',
    '2.011.0',
    '2.0.0-rc',
    '2.0.0-rc0',
    '2.0.0-RC1',
    '2.x.0',
  ])('is refused as %j, with the form that is meant', (version) => {
    expect(problems(`${PEERED}[compatibility]\nsupported_version = "${version}"`)).toEqual([
      `f:10: compatibility.supported_version: "${version}" is no version; write it as in config.ini, like "2.11.0" or "2.0.0-rc1"`,
    ]);
  });

  it.each(['3.0.0', '1.5.0', '12.0.0'])('is refused as %s, because only fisco 2.x is spoken', (version) => {
    expect(problems(`${PEERED}[compatibility]\nsupported_version = "${version}"`)).toEqual([
      expect.stringContaining(`"${version}" is no version of fisco 2.x`),
    ]);
  });
});

describe('certificate lists', () => {
  it('take node IDs in any case, with and without 0x, and give them in lower case', () => {
    const made = config(
      `${PEERED}[certificate_whitelist]\nids = ["${ID}", "0x${ID.toLowerCase()}", "0X${'1f'.repeat(64)}"]\n` +
        `[certificate_blacklist]\nids = ["${ID}"]`,
    );
    expect(made.certificate_whitelist.ids).toEqual([ID.toLowerCase(), ID.toLowerCase(), '1f'.repeat(64)]);
    expect(made.certificate_blacklist.ids).toEqual([ID.toLowerCase()]);
  });

  it('refuse what is not 128 hex digits', () => {
    const refused = [ID.slice(1), `${ID}0`, `04${ID}`, ` ${ID}`, `g${ID.slice(1)}`, 'node.crt', ''];
    expect(problems(`${PEERED}[certificate_blacklist]\nids = [${refused.map((one) => JSON.stringify(one))}]`)).toEqual(
      refused.map((_, index) =>
        expect.stringMatching(
          new RegExp(
            String.raw`^f:10: certificate_blacklist\.ids\[${index}\]: ".{0,20}" is no node ID: it has 128 hex`,
          ),
        ),
      ),
    );
  });
});
