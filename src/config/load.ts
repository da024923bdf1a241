/** TOML text or file -> RelayConfig, or every problem at once. Never throws for what stands in the file. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import * as z from 'zod';
import { errorText } from '../base/errors.js';
import { crossChecks, type Lookup } from './cross-checks.js';
import { defaultAt } from './describe.js';
import { explainIssue, type LocatedProblem, valueAt } from './explain.js';
import { lineOf, locateKeys } from './locate.js';
import { type ConfigProblem, formatPath } from './problem.js';
import { configSchema, type RelayConfig } from './schema.js';

/** A full configuration has about 5 KiB: a larger file is something else, given by mistake. */
const FILE_BYTES_MAX = 1_048_576;
/** The schema nests three deep. */
const TOML_DEPTH_MAX = 16;

export type ConfigResult =
  | { readonly ok: true; readonly config: RelayConfig; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Reads a file; names in it are relative to its directory. */
export function loadConfigFile(file: string): ConfigResult {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) return failed(`has ${size} bytes; a configuration has at most ${FILE_BYTES_MAX}`);
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    return failed(unreadableText(error));
  }
  return parseConfig(text, path.dirname(path.resolve(file)));
}

/** Checks a text; file names in it are relative to `baseDirectory`. */
export function parseConfig(text: string, baseDirectory: string): ConfigResult {
  let raw: Record<string, unknown>;
  try {
    raw = parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: TOML_DEPTH_MAX });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, problems: [{ path: '', message: tomlText(error), line: error.line, column: error.column }] };
  }
  const lines = locateKeys(text);
  const place = (found: LocatedProblem): ConfigProblem => {
    const line = lineOf(lines, found.path);
    return { path: formatPath(found.path), message: found.message, ...(line === undefined ? {} : { line }) };
  };

  const completed = withSections(raw);
  const parsed = configSchema.safeParse(completed);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => explainIssue(issue, completed));
  const given = (keyPath: readonly PropertyKey[]) => valueAt(raw, keyPath) !== undefined;
  const findings = crossChecks(effectiveValues(completed, problems), given);
  problems.push(...findings.problems);
  if (!parsed.success || problems.length > 0) return { ok: false, problems: inFileOrder(problems.map(place)) };
  return {
    ok: true,
    config: withAbsolutePaths(parsed.data, baseDirectory),
    warnings: inFileOrder(findings.warnings.map(place)),
  };
}

/** A missing section is an empty one, but for those whose presence means something and lists of tables. */
function withSections(raw: Record<string, unknown>): Record<string, unknown> {
  const sections = Object.entries(configSchema.shape).filter(([, schema]) => schema instanceof z.ZodObject);
  return { ...Object.fromEntries(sections.map(([name]) => [name, {}])), ...raw };
}

/**
 * What the cross checks may look at: values of the file and defaults, without those that are wrong by themselves. The
 * schema returns no data when anything is wrong, hence this second way to the values.
 */
function effectiveValues(raw: Record<string, unknown>, problems: readonly LocatedProblem[]): Lookup {
  const wrong = new Set(problems.map((problem) => formatPath(problem.path)));
  return (keyPath) => {
    let value: unknown = raw;
    for (let length = 1; length <= keyPath.length; length++) {
      if (wrong.has(formatPath(keyPath.slice(0, length)))) return undefined;
      if (typeof value !== 'object' || value === null) return undefined;
      value = (value as Record<PropertyKey, unknown>)[keyPath[length - 1]];
    }
    return value === undefined ? defaultAt(keyPath) : value;
  };
}

/** A public key itself, not the name of its file. */
const PUBLIC_HEX = /^(?:0x)?(?:04)?[0-9a-f]{128}$/i;

function withAbsolutePaths(config: RelayConfig, baseDirectory: string): RelayConfig {
  const absolute = (file: string) => path.resolve(baseDirectory, file);
  const files = <Files extends { key: string; cert: string; ca_cert: string }>(table: Files): Files => ({
    ...table,
    key: absolute(table.key),
    cert: absolute(table.cert),
    ca_cert: absolute(table.ca_cert),
  });
  const withCrl = <Table extends { crl?: string | undefined }>(table: Table): Table =>
    table.crl === undefined ? table : { ...table, crl: absolute(table.crl) };
  return {
    ...config,
    rpc: { ...config.rpc, listener: config.rpc.listener.map((one) => withCrl(files(one))) },
    ...(config.network_security && { network_security: files(config.network_security) }),
    p2p: withCrl(config.p2p),
    organisation: config.organisation.map((one) => ({ ...one, issuers: one.issuers.map(absolute) })),
    private_topic: config.private_topic.map(
      ({ public_keys: publicKeys, private_key: key, password_file: password, ...one }) => ({
        ...one,
        ...(publicKeys && {
          public_keys: publicKeys.map((reference) => (PUBLIC_HEX.test(reference) ? reference : absolute(reference))),
        }),
        ...(key !== undefined && { private_key: absolute(key) }),
        ...(password !== undefined && { password_file: absolute(password) }),
      }),
    ),
    admin: { ...config.admin, ...(config.admin.token_file && { token_file: absolute(config.admin.token_file) }) },
  };
}

/** In the order of the file, so that an operator can go through it once; the sort is stable. */
function inFileOrder(problems: ConfigProblem[]): ConfigProblem[] {
  return problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function failed(message: string): ConfigResult {
  return { ok: false, problems: [{ path: '', message }] };
}

/** The parser's message has a headline and then a picture of the place, which the position replaces. */
function tomlText(error: TomlError): string {
  const [headline] = error.message.split('\n', 1);
  return headline.replace(/^Invalid TOML document: /, 'not valid TOML: ');
}

function unreadableText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'no such file; name the configuration with --config';
    case 'EACCES':
    case 'EPERM':
      return 'cannot be read: permission denied for the user of this process';
    case 'EISDIR':
      return 'is a directory, not a file';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text; save it as UTF-8';
    default:
      return `cannot be read: ${errorText(error)}`;
  }
}
