/**
 * JSON as the reference node writes it: compact, members sorted by name at every level, one LF at the end, text
 * outside ASCII as UTF-8. Clients do not depend on the order; equal bytes make captured answers comparable.
 */

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  /** Members that are undefined are left out. */
  | { readonly [name: string]: JsonValue | undefined };

/** Our own answers nest four levels; more than this is a fault of ours, better named than a stack overflow. */
const DEPTH_MAX = 64;

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function write(value: JsonValue, depth: number): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (depth >= DEPTH_MAX) throw new RangeError(`JSON nested deeper than ${DEPTH_MAX} levels`);
  if (isArray(value)) return `[${value.map((element) => write(element, depth + 1)).join(',')}]`;
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const element = value[name];
    if (element !== undefined) members.push(`${JSON.stringify(name)}:${write(element, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

/**
 * Formats a body.
 * @throws RangeError for a value nested deeper than 64 levels (which includes a cycle).
 */
export function formatJson(value: JsonValue): Buffer {
  return Buffer.from(`${write(value, 0)}\n`, 'utf8');
}
