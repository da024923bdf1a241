/**
 * Contexts: relays and certificates under a name, so that nobody types them twice. They are kept in
 * `$XDG_CONFIG_HOME/amop/contexts.json` (mode 0600) and name files; no key or password is ever stored.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { errorText, RelayError } from '../base/errors.js';
import { parseRelayAddress } from '../client/address.js';
import { DEFAULT_PORT, RELAYS_MAX } from '../client/bounds.js';

export interface Context {
  /** `host:port`. */
  readonly relays: readonly string[];
  /** Absolute paths. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly keyPasswordFile?: string;
}

export interface ContextFile {
  readonly selected?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const VERSION = 1;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
/** Far above what a person keeps; the file is parsed whole. */
const CONTEXTS_MAX = 1_000;
const FILE_BYTES_MAX = 1024 * 1024;

/** Where the contexts are. The XDG specification says that a relative path is to be ignored. */
export function contextPath(environment: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CONFIG_HOME: base } = environment;
  const folder = base !== undefined && isAbsolute(base) ? base : join(environment.HOME ?? homedir(), '.config');
  return join(folder, 'amop', 'contexts.json');
}

export function isContextName(name: string): boolean {
  return NAME.test(name);
}

/** The empty set where there is no file. @throws RelayError `config-unreadable` or `config-invalid` with its path */
export function readContexts(path: string = contextPath()): ContextFile {
  let text: string;
  try {
    if (statSync(path).size > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} };
    throw new RelayError('config-unreadable', `contexts file ${path} cannot be read: ${errorText(error)}`, error);
  }
  try {
    return parse(JSON.parse(text));
  } catch (error) {
    const remedy = 'correct it, or remove it and add your contexts again';
    throw new RelayError('config-invalid', `amop: contexts file ${path}: ${errorText(error)}; ${remedy}`, error);
  }
}

/** Writes a new file and puts it in the place of the old one, so that no reader sees half of it. */
export function writeContexts(file: ContextFile, path: string = contextPath()): void {
  if (Object.keys(file.contexts).length > CONTEXTS_MAX) {
    throw new RelayError('usage', `${CONTEXTS_MAX} contexts are kept already; remove some`);
  }
  const draft = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify({ version: VERSION, ...file }, null, 2)}\n`, { mode: 0o600 });
    // The mode above is for a new file only, and a umask may have narrowed it.
    chmodSync(draft, 0o600);
    renameSync(draft, path);
  } catch (error) {
    throw new RelayError('config-unreadable', `contexts file ${path} cannot be written: ${errorText(error)}`, error);
  }
}

/** @throws RelayError `usage` naming the contexts there are */
export function findContext(file: ContextFile, name: string): Context {
  if (Object.hasOwn(file.contexts, name)) return file.contexts[name];
  const names = Object.keys(file.contexts);
  const known = names.length === 0 ? 'there is none yet: amop context add' : `there are ${names.join(', ')}`;
  throw new RelayError('usage', `no context ${JSON.stringify(name)}; ${known}`);
}

function parse(value: unknown): ContextFile {
  const file = object(value, 'the file');
  if (file.version !== VERSION) throw new Error(`version is not ${VERSION}; was it written by another amop?`);
  const contexts: Record<string, Context> = {};
  for (const [name, context] of Object.entries(object(file.contexts, 'contexts'))) {
    if (!isContextName(name)) throw new Error(`${JSON.stringify(name)} is no name of a context`);
    contexts[name] = parseContext(object(context, name), name);
  }
  const { selected } = file;
  if (selected === undefined) return { contexts };
  if (typeof selected !== 'string' || !Object.hasOwn(contexts, selected)) {
    throw new Error('selected is none of the contexts');
  }
  return { selected, contexts };
}

function parseContext(value: Record<string, unknown>, name: string): Context {
  const path = (member: string): string => {
    const text = value[member];
    if (typeof text !== 'string' || !isAbsolute(text)) throw new Error(`${name}.${member} is no absolute path`);
    return text;
  };
  const { relays } = value;
  if (!Array.isArray(relays) || relays.length < 1 || relays.length > RELAYS_MAX) {
    throw new Error(`${name}.relays is no list of 1 to ${RELAYS_MAX} relays`);
  }
  for (const relay of relays) parseRelayAddress(String(relay), DEFAULT_PORT);
  const context = { relays: relays.map(String), ca: path('ca'), cert: path('cert'), key: path('key') };
  return value.keyPasswordFile === undefined ? context : { ...context, keyPasswordFile: path('keyPasswordFile') };
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Record<string, unknown>;
}
