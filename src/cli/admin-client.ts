/** Asks the admin port of a relay. */
import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { errorText, RelayError } from '../base/errors.js';
import { printable } from './output.js';

export const ADMIN_URL = 'http://127.0.0.1:9090';

/** The answer takes milliseconds; a relay that is stopped in a debugger must not hang the command. */
const TIMEOUT_MS = 5_000;

export function adminOption(): Option {
  return new Option('--admin <url>', 'admin port of the relay').env('AMOP_ADMIN').default(ADMIN_URL);
}

/** The relay demands it where something is changed, and says how to set one up; so the command does not demand it itself. */
export function tokenOption(use: 'read' | 'change'): Option {
  const words = 'file with the token of the admin port (admin.token_file)';
  const demanded = use === 'change' ? ', without which nothing is changed' : '';
  return new Option('--token-file <file>', words + demanded).env('AMOP_ADMIN_TOKEN_FILE');
}

/** @throws RelayError `admin-unavailable`, with words about what to look at; `usage` for what is no URL */
export async function getAdminJson<T>(base: string, path: string, tokenFile?: string): Promise<T> {
  return (await ask(base, path, 'GET', tokenFile)) as T;
}

/** Asks for a change. @throws as getAdminJson, and RelayError `config-invalid` with the relay's words when it refuses */
export async function postAdmin(base: string, path: string, tokenFile: string | undefined): Promise<unknown> {
  return ask(base, path, 'POST', tokenFile);
}

async function ask(
  base: string,
  path: string,
  method: 'GET' | 'POST',
  tokenFile: string | undefined,
): Promise<unknown> {
  const url = adminUrl(base, path);
  let response: Response;
  let text: string;
  try {
    const headers: Record<string, string> =
      tokenFile === undefined ? {} : { authorization: `Bearer ${readToken(tokenFile)}` };
    response = await fetch(url, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    if (error instanceof RelayError) throw error;
    throw new RelayError('admin-unavailable', `${url.origin} does not answer: ${whyNot(error)}`, error);
  }
  if (response.status === 422) throw new RelayError('config-invalid', problemOf(text));
  if (response.status === 401 || response.status === 403) {
    throw new RelayError('usage', `${url.href} refuses: ${problemOf(text)}; see --token-file`);
  }
  if (!response.ok) {
    throw new RelayError(
      'admin-unavailable',
      `${url.href} answers ${response.status}: is it the admin port of a relay?`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RelayError('admin-unavailable', `${url.href} answers no JSON: is it the admin port of a relay?`, error);
  }
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new RelayError('config-unreadable', `token file ${path} cannot be read: ${errorText(error)}`, error);
  }
}

/** What a refusal of the relay says. */
function problemOf(text: string): string {
  try {
    const { problem, error } = JSON.parse(text) as { problem?: unknown; error?: unknown };
    return printable(String(problem ?? error ?? text));
  } catch {
    return printable(text.slice(0, 200));
  }
}

function adminUrl(base: string, path: string): URL {
  const withScheme = /^https?:\/\//.test(base) ? base : `http://${base}`;
  if (!URL.canParse(withScheme)) {
    throw new RelayError(
      'usage',
      `${JSON.stringify(base)} is no address; give http://127.0.0.1:9090 or 127.0.0.1:9090`,
    );
  }
  return new URL(path, withScheme);
}

function whyNot(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (cause?.code === 'ECONNREFUSED')
    return 'nothing listens there; is the relay running, and is it [admin] listen_port?';
  return cause?.code ?? cause?.message ?? errorText(error);
}
