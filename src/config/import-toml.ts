/** Tables of the imported configuration -> text of relay.toml. */
import type { LeftOutKey } from './import-run.js';

export type TomlValue = string | number | readonly string[] | readonly number[];

export interface TomlTable {
  /** `[p2p]`, `[[rpc.listener]]` */
  readonly header: string;
  readonly values: Readonly<Record<string, TomlValue>>;
}

export function formatTables(tables: readonly TomlTable[], leftOut: readonly LeftOutKey[]): string {
  const head = ['# Made from the config.ini of a 2.x node by amop config import.'];
  if (leftOut.length > 0) {
    head.push('# Not carried over:', ...leftOut.map(({ key, value }) => `#   ${key}=${oneLine(value)}`));
  }
  const bodies = tables.map(({ header, values }) =>
    [header, ...Object.entries(values).map(([key, value]) => `${key} = ${formatValue(value)}`)].join('\n'),
  );
  return `${[head.join('\n'), ...bodies].join('\n\n')}\n`;
}

/** A TOML basic string has the escapes of JSON. */
function formatValue(value: TomlValue): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  const items = value.map((one) => JSON.stringify(one));
  return items.length < 2 ? `[${items.join(', ')}]` : `[\n${items.map((item) => `  ${item},\n`).join('')}]`;
}

/** Comments may hold no control characters. */
function oneLine(value: string): string {
  return value.replace(/\p{Cc}/gu, '?').slice(0, 200);
}
