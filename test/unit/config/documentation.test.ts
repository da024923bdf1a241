import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/base/limits.js';
import {
  type ConfigRow,
  configTable,
  EXAMPLE_CONFIG,
  parseConfig,
  renderConfigDocs,
} from '../../../src/config/index.js';

describe('the documentation of the configuration', () => {
  it('in docs/configuration.md is what the schema says (else build and run scripts/config-docs.mjs)', () => {
    const committed = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    expect(committed).toBe(renderConfigDocs());
  });

  it('describes every key, with bounds and default', () => {
    const rows = configTable();
    expect(rows.filter((row) => row.description === '' || row.type === '')).toEqual([]);
    expect(rows.map((row) => row.path)).toEqual([
      'rpc.listener[].channel_listen_ip',
      'rpc.listener[].channel_listen_port',
      'rpc.listener[].key',
      'rpc.listener[].cert',
      'rpc.listener[].ca_cert',
      'rpc.listener[].crl',
      'network_security.key',
      'network_security.cert',
      'network_security.ca_cert',
      'p2p.listen_ip',
      'p2p.listen_port',
      'p2p.nodes',
      'p2p.crl',
      'p2p.allow_sdk_certificates',
      'compatibility.supported_version',
      'certificate_whitelist.ids',
      'certificate_blacklist.ids',
      'tls.ciphers',
      'tls.curves',
      'chain.id',
      'chain.groups',
      'private_topics.certify_local',
      'private_topics.certification_seconds',
      'private_topic[].name',
      'private_topic[].senders',
      'private_topic[].public_keys',
      'private_topic[].private_key',
      'private_topic[].password_file',
      'private_topic[].sessions',
      'flow_control.outgoing_bandwidth_limit',
      'flow_control.session_bandwidth_limit',
      'flow_control.organisation_bandwidth_limit',
      'flow_control.topic_bandwidth_limit',
      'flow_control.topic[].name',
      'flow_control.topic[].bandwidth_limit',
      'organisation[].name',
      'organisation[].issuers',
      'admin.listen_ip',
      'admin.listen_port',
      'admin.token_file',
      'log.level',
      'log.format',
      ...Object.keys(DEFAULT_LIMITS).map(
        (name) => `limits.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      ),
    ]);
    expect(rows.filter((row) => row.required).map((row) => row.path)).toEqual([
      ...['key', 'cert', 'ca_cert'].map((key) => `rpc.listener[].${key}`),
      ...['key', 'cert', 'ca_cert'].map((key) => `network_security.${key}`),
      'private_topic[].name',
      'flow_control.topic[].name',
      'flow_control.topic[].bandwidth_limit',
      'organisation[].name',
      'organisation[].issuers',
    ]);
    expect(rows.find((row) => row.key === 'groups')).toMatchObject({
      type: 'list of integer, 1-32767',
      defaultToml: '[1]',
    });
    expect(rows.find((row) => row.key === 'outgoing_bandwidth_limit')).toMatchObject({
      type: 'decimal, Mbit/s, 0.001-1000000',
      defaultToml: undefined,
    });
    expect(rows.find((row) => row.key === 'nodes')).toMatchObject({ type: 'list of string', defaultToml: '[]' });
    expect(rows.find((row) => row.key === 'allow_sdk_certificates')).toMatchObject({
      type: 'boolean',
      defaultToml: 'false',
    });
    expect(rows.find((row) => row.key === 'drain_timeout_ms')?.defaultToml).toBe(String(DEFAULT_LIMITS.drainTimeoutMs));
  });

  it('shows an example that is a valid configuration without warnings', () => {
    expect(parseConfig(EXAMPLE_CONFIG, '/')).toMatchObject({ ok: true, warnings: [] });
  });

  it('gives defaults that are themselves valid when written out', () => {
    const required = (type: string) => (type.startsWith('list') ? '["x"]' : type.startsWith('decimal') ? '1' : '"x"');
    const written = (rows: readonly ConfigRow[]) => {
      const sections = new Map<string, string[]>();
      for (const row of rows) {
        const value = row.required ? required(row.type) : row.defaultToml;
        if (value !== undefined)
          sections.set(row.section, [...(sections.get(row.section) ?? []), `${row.key} = ${value}`]);
      }
      return [...sections].map(([header, lines]) => `${header}\n${lines.join('\n')}\n`).join('\n');
    };
    const all = parseConfig(written(configTable()), '/');
    expect(all).toMatchObject({ ok: true });
    expect(all).toEqual(parseConfig(written(configTable().filter((row) => row.required)), '/'));
  });
});
