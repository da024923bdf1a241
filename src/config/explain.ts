/** Issues of the schema -> problems in the words of an operator. Reads codes, never message texts. */
import { closest, distance } from 'fastest-levenshtein';
import type * as z from 'zod';
import { configTable, isDecimal, isTableList, knownKeys } from './describe.js';
import { formatPath } from './problem.js';

export interface LocatedProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** One issue can hold several unknown keys: each becomes a problem of its own. */
export function explainIssue(issue: z.core.$ZodIssue, root: unknown): LocatedProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: unknownKeyText(key, issue.path) }));
  }
  return [{ path: issue.path, message: issueText(issue, valueAt(root, issue.path)) }];
}

function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return 'is missing; it has no default';
      if (issue.expected === 'string') return `must be a string${quoteHint(value)}, not ${describeValue(value)}`;
      if (issue.expected === 'int' || issue.expected === 'number') {
        return `must be a ${isDecimal(issue.path) ? 'decimal' : 'whole'} number, not ${describeValue(value)}`;
      }
      if (issue.expected === 'boolean') return `must be true or false, not ${describeValue(value)}`;
      if (issue.expected === 'array') return `must be a list${listHint(issue.path)}, not ${describeValue(value)}`;
      if (issue.expected === 'object') {
        return `must be a table, [${formatPath(issue.path)}], not ${describeValue(value)}`;
      }
      return `must be ${issue.expected}, not ${describeValue(value)}`;
    case 'too_small':
      if (issue.origin === 'array' && formatPath(issue.path) === 'rpc.listener') {
        return 'no listener is configured; add [[rpc.listener]] with key, cert and ca_cert';
      }
      if (issue.origin === 'array') return 'must not be an empty list';
      if (issue.origin === 'string') return 'must not be empty';
      return `must be at least ${issue.minimum}, not ${describeValue(value)}`;
    case 'too_big':
      if (issue.origin === 'array') return `may have at most ${issue.maximum} entries`;
      if (issue.origin === 'string') return `may have at most ${issue.maximum} characters`;
      return `must be at most ${issue.maximum}, not ${describeValue(value)}`;
    case 'invalid_value': {
      const known = issue.values.map(String);
      const near = typeof value === 'string' ? nearest(value.toLowerCase(), known) : undefined;
      const question = near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`;
      return `must be one of ${known.join(', ')}, not ${describeValue(value)}${question}`;
    }
    case 'custom':
      return issue.message;
    default:
      return typeof value === 'string' ? `${describeValue(value)} ${issue.message}` : issue.message;
  }
}

function unknownKeyText(key: string, table: readonly PropertyKey[]): string {
  const known = knownKeys(table) ?? [];
  const near = nearest(key, known);
  if (near !== undefined) return `unknown key; did you mean ${near}?`;
  const elsewhere = configTable().filter((row) => row.key === key);
  if (elsewhere.length > 0)
    return `unknown key here; it belongs under ${elsewhere.map((row) => row.section).join(' or ')}`;
  return `unknown key; known here: ${known.join(', ')}`;
}

/** The candidate that was probably meant: one begins with the other, or few edits lie between them. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  const begun = candidates.find((one) => Math.min(one.length, word.length) >= 4 && begins(one, word));
  if (begun !== undefined || candidates.length === 0) return begun;
  const candidate = closest(word, candidates);
  // A slip is two edits, or a third of a long name; four letters that differ in two are another word.
  const editsMax = candidate.length <= 4 ? 1 : Math.max(2, Math.floor(candidate.length / 3));
  return distance(word, candidate) <= editsMax ? candidate : undefined;
}

function begins(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** A value as it may stand in a message: short, one line. */
function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object' && value !== null) return 'a table';
  return String(value);
}

function quoteHint(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? ' in quotes' : '';
}

function listHint(path: readonly PropertyKey[]): string {
  return isTableList(path) ? ` of tables, [[${formatPath(path)}]] in double brackets` : ', [...]';
}

/** What stands in the file at `path`, or undefined. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}
