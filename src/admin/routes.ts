/** What the admin plane answers, apart from the HTTP server that carries it. */
import { errorText } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Health, HealthReport } from './health.js';
import type { Metrics } from './metrics.js';

export interface AdminAnswer {
  readonly status: keyof typeof STATUS_TEXT;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** False where the rest of the request is not worth reading. */
  readonly keepAlive: boolean;
}

export const STATUS_TEXT = {
  200: 'OK',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

export interface AdminRoutes {
  /** Never rejects. `path` without its query. */
  answer(method: string, path: string): Promise<AdminAnswer>;
}

/** A scrape takes milliseconds and comes every few seconds: more at one time are a mistake or an attack. */
const ANSWERS_AT_ONCE_MAX = 64;

const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export interface AdminSources {
  readonly metrics: Metrics;
  readonly health: Health;
  readonly peers: () => object;
  readonly privates: () => readonly object[];
}

export function createAdminRoutes({ metrics, health, peers, privates }: AdminSources, logger: Logger): AdminRoutes {
  const routes: Readonly<Record<string, () => AdminAnswer | Promise<AdminAnswer>>> = {
    '/metrics': async () => ({
      status: 200,
      headers: { ...COMMON_HEADERS, 'content-type': metrics.contentType },
      body: await metrics.render(),
      keepAlive: true,
    }),
    '/healthz': () => healthAnswer(health.live()),
    '/readyz': () => healthAnswer(health.ready()),
    '/peers': () => ({ ...json(200, peers()), keepAlive: true }),
    '/private': () => ({ ...json(200, { pairs: privates() }), keepAlive: true }),
  };
  let open = 0;

  return {
    async answer(method, path) {
      if (!Object.hasOwn(routes, path)) return json(404, { error: 'not found', paths: Object.keys(routes) });
      if (method !== 'GET') {
        return json(405, { error: `${path} answers GET only` }, { allow: 'GET' });
      }
      if (open >= ANSWERS_AT_ONCE_MAX) return json(503, { error: 'too many requests at one time, try again' });
      open++;
      try {
        return await routes[path]();
      } catch (error) {
        logger.log('error', { component: 'admin', path, error: errorText(error) }, 'admin request failed');
        return json(500, { error: 'internal error, see the log of the relay' });
      } finally {
        open--;
      }
    },
  };
}

function healthAnswer(report: HealthReport): AdminAnswer {
  return { ...json(report.status === 'ok' ? 200 : 503, report), keepAlive: true };
}

/** Refusals close the connection: what else it would send is not read. */
function json(status: AdminAnswer['status'], body: object, headers: Record<string, string> = {}): AdminAnswer {
  return {
    status,
    headers: { ...COMMON_HEADERS, 'content-type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify(body)}\n`,
    keepAlive: false,
  };
}
