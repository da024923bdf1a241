import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/base/limits.js';
import { configTable, EXAMPLE_CONFIG, parseConfig, renderConfigDocs } from '../../../src/config/index.js';

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
      'tls.ciphers',
      'tls.curves',
      'chain.id',
      'chain.groups',
      'admin.listen_ip',
      'admin.listen_port',
      'log.level',
      'log.format',
      ...Object.keys(DEFAULT_LIMITS).map(
        (name) => `limits.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      ),
    ]);
    expect(rows.filter((row) => row.required).map((row) => row.key)).toEqual(['key', 'cert', 'ca_cert']);
    expect(rows.find((row) => row.key === 'groups')).toMatchObject({
      type: 'list of integer, 1-32767',
      defaultToml: '[1]',
    });
    expect(rows.find((row) => row.key === 'drain_timeout_ms')?.defaultToml).toBe(String(DEFAULT_LIMITS.drainTimeoutMs));
  });

  it('shows an example that is a valid configuration without warnings', () => {
    expect(parseConfig(EXAMPLE_CONFIG, '/')).toMatchObject({ ok: true, warnings: [] });
  });

  it('gives defaults that are themselves valid when written out', () => {
    const sections = new Map<string, string[]>();
    for (const row of configTable()) {
      const value = row.defaultToml ?? (row.required ? '"x"' : undefined);
      if (value !== undefined)
        sections.set(row.section, [...(sections.get(row.section) ?? []), `${row.key} = ${value}`]);
    }
    const text = [...sections].map(([header, lines]) => `${header}\n${lines.join('\n')}\n`).join('\n');
    expect(parseConfig(text, '/')).toEqual(parseConfig('[[rpc.listener]]\nkey="x"\ncert="x"\nca_cert="x"', '/'));
  });
});
