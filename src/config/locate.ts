/**
 * Key path -> line. The TOML parser keeps no positions, so this reads the table headers and `key =` lines once more.
 * It only adds a position to a message: where the text could mislead it (multi-line strings) it finds nothing.
 */
import { formatPath } from './problem.js';

const BARE = '[A-Za-z0-9_-]+';
const DOTTED = String.raw`${BARE}(?:\s*\.\s*${BARE})*`;
const HEADER = new RegExp(String.raw`^\s*(\[\[?)\s*(${DOTTED})\s*\]`);
const ASSIGNMENT = new RegExp(String.raw`^\s*(${DOTTED})\s*=`);

/** Lines, counted from 1, by key path as formatPath writes it. */
export function locateKeys(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  if (text.includes('"""') || text.includes("'''")) return lines;
  const entries = new Map<string, number>();
  let table: PropertyKey[] = [];
  text.split('\n').forEach((line, index) => {
    const header = HEADER.exec(line);
    if (header !== null) {
      table = tablePath(header[2], header[1] === '[[', entries);
      note(lines, table, 0, index + 1);
      return;
    }
    const assignment = ASSIGNMENT.exec(line);
    if (assignment !== null) note(lines, [...table, ...splitKey(assignment[1])], table.length, index + 1);
  });
  return lines;
}

/** The line of `path`, or of the nearest table around it. */
export function lineOf(lines: ReadonlyMap<string, number>, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(formatPath(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

function splitKey(dotted: string): string[] {
  return dotted.split('.').map((part) => part.trim());
}

/** Path of a header; every step that is a list of tables means its last entry, `[[…]]` adds one. */
function tablePath(dotted: string, adds: boolean, entries: Map<string, number>): PropertyKey[] {
  const path: PropertyKey[] = [];
  const keys = splitKey(dotted);
  keys.forEach((key, index) => {
    path.push(key);
    const list = formatPath(path);
    if (adds && index === keys.length - 1) entries.set(list, (entries.get(list) ?? -1) + 1);
    const entry = entries.get(list);
    if (entry !== undefined) path.push(entry);
  });
  return path;
}

/** The first mention of a path counts, also for the parents that it creates. */
function note(lines: Map<string, number>, path: readonly PropertyKey[], from: number, line: number): void {
  for (let length = from + 1; length <= path.length; length++) {
    const key = formatPath(path.slice(0, length));
    if (!lines.has(key)) lines.set(key, line);
  }
}
