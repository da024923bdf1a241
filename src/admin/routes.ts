/**
 * What the admin plane answers, apart from the HTTP server that carries it.
 *
 * Reading is open on loopback and needs the token elsewhere; what changes the relay needs it always (decisions §12).
 */
import { errorText } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Health, HealthReport } from './health.js';
import type { Metrics } from './metrics.js';
import { isAuthorized } from './token.js';

export interface AdminAnswer {
  readonly status: keyof typeof STATUS_TEXT;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** False where the rest of the request is not worth reading. */
  readonly keepAlive: boolean;
}

export const STATUS_TEXT = {
  200: 'OK',
  202: 'Accepted',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

export interface AdminRoutes {
  /** Never rejects. `path` without its query; `authorization` is the header of that name. */
  answer(method: string, path: string, authorization: string | undefined): Promise<AdminAnswer>;
}

/** A scrape takes milliseconds and comes every few seconds: more at one time are a mistake or an attack. */
const ANSWERS_AT_ONCE_MAX = 64;

const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export interface AdminSources {
  readonly metrics: Metrics;
  readonly health: Health;
  /** What `/peers` shows. */
  readonly peers: () => object;
  /** What `/private` shows. */
  readonly privates: () => readonly object[];
  /** Reads the configuration anew. */
  readonly reload: () => Promise<{ readonly ok: boolean }>;
  /** Begins to drain, as SIGTERM does. */
  readonly drain: () => void;
  /** Undefined: nothing that needs it can be asked. */
  readonly token: string | undefined;
  /** Reached from this machine only. */
  readonly isLoopback: boolean;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly answer: () => AdminAnswer | Promise<AdminAnswer>;
}

export function createAdminRoutes(sources: AdminSources, logger: Logger): AdminRoutes {
  const { metrics, health, peers, privates, reload, drain, token, isLoopback } = sources;
  const routes: Readonly<Record<string, Route>> = {
    '/metrics': {
      method: 'GET',
      answer: async () => ({
        status: 200,
        headers: { ...COMMON_HEADERS, 'content-type': metrics.contentType },
        body: await metrics.render(),
        keepAlive: true,
      }),
    },
    '/healthz': { method: 'GET', answer: () => healthAnswer(health.live()) },
    '/readyz': { method: 'GET', answer: () => healthAnswer(health.ready()) },
    '/peers': { method: 'GET', answer: () => ({ ...json(200, peers()), keepAlive: true }) },
    '/private': { method: 'GET', answer: () => ({ ...json(200, { pairs: privates() }), keepAlive: true }) },
    '/reload': {
      method: 'POST',
      answer: async () => {
        const outcome = await reload();
        return json(outcome.ok ? 200 : 422, outcome);
      },
    },
    '/drain': {
      method: 'POST',
      answer: () => {
        drain();
        return json(202, { ok: true });
      },
    },
  };
  /** Probes of a supervisor carry no token and say nothing but whether to restart. */
  const isOpen = (path: string): boolean => isLoopback || path === '/healthz' || path === '/readyz';
  let open = 0;

  const refusal = (path: string, { method }: Route, authorization: string | undefined): AdminAnswer | undefined => {
    if (method === 'GET' && isOpen(path)) return undefined;
    if (token === undefined) {
      return json(403, { error: `${path} needs a token: set admin.token_file in the configuration of the relay` });
    }
    if (isAuthorized(authorization, token)) return undefined;
    return json(401, { error: `${path} needs the token in admin.token_file` }, { 'www-authenticate': 'Bearer' });
  };

  return {
    async answer(method, path, authorization) {
      if (!Object.hasOwn(routes, path)) return json(404, { error: 'not found', paths: Object.keys(routes) });
      const route = routes[path];
      if (method !== route.method) {
        return json(405, { error: `${path} answers ${route.method} only` }, { allow: route.method });
      }
      const refused = refusal(path, route, authorization);
      if (refused) return refused;
      if (open >= ANSWERS_AT_ONCE_MAX) return json(503, { error: 'too many requests at one time, try again' });
      open++;
      try {
        return await route.answer();
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
