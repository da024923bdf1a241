/** Walks the schema: the rows of the documentation, and the known keys for suggestions. */
import type * as z from 'zod';
import { configSchema } from './schema.js';

export interface ConfigRow {
  /** `rpc.listener[].key`; `[]` is each entry of a list of tables. */
  readonly path: string;
  /** The table header above the key as it stands in the file, `[[rpc.listener]]`. */
  readonly section: string;
  readonly key: string;
  /** Kind of value and its bounds, in words. */
  readonly type: string;
  readonly required: boolean;
  /** As written in TOML; undefined for a required key and one that is off by default. */
  readonly defaultToml: string | undefined;
  readonly description: string;
}

export interface ConfigSection {
  readonly header: string;
  readonly description: string;
  readonly rows: readonly ConfigRow[];
}

interface Unwrapped {
  readonly schema: z.core.$ZodType;
  readonly defaultValue: unknown;
  readonly optional: boolean;
  readonly meta: { readonly description: string; readonly kind: string | undefined };
}

/** The sections in the order of the schema. */
export function configSections(): ConfigSection[] {
  return sectionsOf(configSchema, []);
}

/** Every key of the configuration, in the order of the documentation. */
export function configTable(): ConfigRow[] {
  return configSections().flatMap((section) => section.rows);
}

/** Keys known at `path` of the file, or undefined where no table stands. */
export function knownKeys(path: readonly PropertyKey[]): string[] | undefined {
  const table = valueSchemaAt(path);
  return table !== undefined && isObject(table) ? Object.keys(table._zod.def.shape) : undefined;
}

/** Whether `path` is written as `[[path]]`. */
export function isTableList(path: readonly PropertyKey[]): boolean {
  const list = valueSchemaAt(path);
  return list !== undefined && isArray(list) && isObject(list._zod.def.element);
}

/** Whether the number at `path` may have decimals. */
export function isDecimal(path: readonly PropertyKey[]): boolean {
  const number = valueSchemaAt(path);
  return number !== undefined && number._zod.def.type === 'number' && !(number as z.ZodNumber).isInt;
}

/** Value that a missing key at `path` takes, or undefined. */
export function defaultAt(path: readonly PropertyKey[]): unknown {
  const schema = schemaAt(path);
  return schema === undefined ? undefined : (schema as z.ZodType).safeParse(undefined).data;
}

function valueSchemaAt(path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  const schema = schemaAt(path);
  return schema && unwrap(schema).schema;
}

function schemaAt(path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType = configSchema;
  for (const step of path) {
    const { schema: inner } = unwrap(schema);
    if (typeof step === 'number' && isArray(inner)) schema = inner._zod.def.element;
    else if (isObject(inner) && Object.hasOwn(inner._zod.def.shape, step)) schema = inner._zod.def.shape[String(step)];
    else return undefined;
  }
  return schema;
}

function sectionsOf(table: z.core.$ZodObject, path: readonly string[]): ConfigSection[] {
  const sections: ConfigSection[] = [];
  for (const [key, value] of Object.entries(table._zod.def.shape)) {
    const { schema, meta } = unwrap(value);
    const name = [...path, key];
    if (isObject(schema)) {
      const rows = rowsOf(schema, `[${name.join('.')}]`, name.join('.'));
      if (rows.length > 0) {
        sections.push({ header: `[${name.join('.')}]`, description: meta.description, rows });
      }
      sections.push(...sectionsOf(schema, name));
    } else if (isArray(schema) && isObject(schema._zod.def.element)) {
      const header = `[[${name.join('.')}]]`;
      const rows = rowsOf(schema._zod.def.element, header, `${name.join('.')}[]`);
      sections.push({ header, description: meta.description, rows });
    }
  }
  return sections;
}

function rowsOf(table: z.core.$ZodObject, section: string, prefix: string): ConfigRow[] {
  const rows: ConfigRow[] = [];
  for (const [key, value] of Object.entries(table._zod.def.shape)) {
    const { schema, defaultValue, optional, meta } = unwrap(value);
    if (isObject(schema) || (isArray(schema) && isObject(schema._zod.def.element))) continue;
    rows.push({
      path: `${prefix}.${key}`,
      section,
      key,
      type: meta.kind ?? typeText(schema),
      required: !optional && defaultValue === undefined,
      defaultToml: defaultValue === undefined ? undefined : tomlText(defaultValue),
      description: meta.description,
    });
  }
  return rows;
}

/** Takes off defaults and `optional`, keeping what they said. */
function unwrap(outer: z.core.$ZodType): Unwrapped {
  let schema = outer;
  let defaultValue: unknown;
  let optional = false;
  const own = (outer as z.ZodType).meta();
  for (;;) {
    const def = (schema as z.core.$ZodTypes)._zod.def;
    if (def.type === 'default' || def.type === 'prefault') defaultValue = def.defaultValue;
    else if (def.type === 'optional') optional = true;
    else break;
    schema = def.innerType;
  }
  const meta = { description: own?.description ?? '', kind: own?.kind as string | undefined };
  return { schema, defaultValue, optional, meta };
}

function typeText(schema: z.core.$ZodType): string {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  if (def.type === 'enum') return Object.values(def.entries).map(tomlText).join(', ');
  if (def.type === 'array') return `list of ${typeText(def.element)}`;
  if (def.type === 'number') {
    const { minValue, maxValue, isInt } = schema as z.ZodNumber;
    const unit = (schema as z.ZodType).meta()?.unit;
    return `${isInt ? 'integer' : 'decimal'}, ${unit === undefined ? '' : `${unit}, `}${minValue}-${maxValue}`;
  }
  if (def.type === 'boolean') return 'boolean';
  return 'string';
}

function tomlText(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(tomlText).join(', ')}]` : JSON.stringify(value);
}

function isObject(schema: z.core.$ZodType): schema is z.core.$ZodObject {
  return schema._zod.def.type === 'object';
}

function isArray(schema: z.core.$ZodType): schema is z.core.$ZodArray {
  return schema._zod.def.type === 'array';
}
