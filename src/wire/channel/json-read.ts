/**
 * JSON from the wire, bounded before it is parsed.
 *
 * `JSON.parse` survives any nesting, but two megabytes of `[` or of `{},` become fifty times as much memory.
 * So one pass over the bytes counts nesting and separators outside strings and stops at the first one over the limit;
 * only what passes is decoded. Text that is not UTF-8 is refused instead of repaired: two different names must not
 * become the same one.
 */

import { isUtf8 } from 'node:buffer';
import { viewOf } from '../bytes.js';

export interface JsonBounds {
  readonly bytesMax: number;
  /** Nesting of arrays and objects; 1 is `[1,2]`. */
  readonly depthMax: number;
  /** Commas outside strings: members and elements of the whole text, less one for each array or object. */
  readonly separatorsMax: number;
}

export type JsonProblem = 'too-large' | 'too-deep' | 'too-many-values' | 'not-utf8' | 'not-json';

export type ReadJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: JsonProblem };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

function overBounds(body: Uint8Array, bounds: JsonBounds): JsonProblem | undefined {
  if (body.length > bounds.bytesMax) return 'too-large';
  let depth = 0;
  let separators = 0;
  let inString = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === COMMA) {
      if (++separators > bounds.separatorsMax) return 'too-many-values';
    } else if (byte === ARRAY_OPEN || byte === OBJECT_OPEN) {
      if (++depth > bounds.depthMax) return 'too-deep';
    } else if (byte === ARRAY_CLOSE || byte === OBJECT_CLOSE) {
      depth--;
    }
  }
  return undefined;
}

/** Parses a body within bounds. Never throws. */
export function readJson(body: Uint8Array, bounds: JsonBounds): ReadJson {
  const problem = overBounds(body, bounds);
  if (problem !== undefined) return { ok: false, problem };
  if (!isUtf8(body)) return { ok: false, problem: 'not-utf8' };
  try {
    return { ok: true, value: JSON.parse(viewOf(body, 0, body.length).toString('utf8')) };
  } catch {
    return { ok: false, problem: 'not-json' };
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member `name`: a body must not reach what `Object.prototype` carries. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Control bodies of a handful of members (0x14, 0x37, 0x38, reasons): far above what any SDK sends. */
export const CONTROL_BODY_BOUNDS: JsonBounds = { bytesMax: 16 * 1024, depthMax: 8, separatorsMax: 256 };
