/** Asks the admin port of a relay. */
import { Option } from 'commander';
import { errorText, RelayError } from '../base/errors.js';

export const ADMIN_URL = 'http://127.0.0.1:9090';

/** The answer takes milliseconds; a relay that is stopped in a debugger must not hang the command. */
const TIMEOUT_MS = 5_000;

export function adminOption(): Option {
  return new Option('--admin <url>', 'admin port of the relay').env('AMOP_ADMIN').default(ADMIN_URL);
}

/** @throws RelayError `admin-unavailable`, with words about what to look at; `usage` for what is no URL */
export async function getAdminJson<T>(base: string, path: string): Promise<T> {
  const url = adminUrl(base, path);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    throw new RelayError('admin-unavailable', `${url.origin} does not answer: ${whyNot(error)}`, error);
  }
  if (!response.ok) {
    throw new RelayError(
      'admin-unavailable',
      `${url.href} answers ${response.status}: is it the admin port of a relay?`,
    );
  }
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new RelayError('admin-unavailable', `${url.href} answers no JSON: is it the admin port of a relay?`, error);
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
