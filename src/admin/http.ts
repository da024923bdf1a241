/** The admin plane: `/metrics`, `/healthz`, `/readyz`, `/peers` and `/private` over plain HTTP, on whichever server this Node can run. */
import type { Logger } from '../base/logger.js';
import type { Health } from './health.js';
import type { Metrics } from './metrics.js';
import { createNodeServer } from './node.js';
import { createAdminRoutes } from './routes.js';
import { createUwsServer } from './uws.js';
import { loadUws } from './uws-loader.js';

/** `[admin]` of the configuration. */
export interface ListenOptions {
  readonly listen_ip: string;
  /** 0 takes a free port. */
  readonly listen_port: number;
}

export interface AdminOptions extends ListenOptions {
  readonly metrics: Metrics;
  readonly health: Health;
  /** What `/peers` shows. */
  readonly peers: () => object;
  /** What `/private` shows. */
  readonly privates: () => readonly object[];
  /** Does without uWebSockets.js where it is available. */
  readonly implementation?: 'node:http';
}

export type AdminImplementation = 'uWebSockets.js' | 'node:http';

/** A type alias, so that it is also a value of a log line. */
export type AdminAddress = {
  readonly ip: string;
  readonly port: number;
  readonly implementation: AdminImplementation;
};

export interface AdminServer {
  /** Once. Rejects with RelayError `admin-unavailable` when it cannot listen. */
  start(): Promise<AdminAddress>;
  /** Closes the port and every connection. */
  stop(): Promise<void>;
}

/** Takes uWebSockets.js when its package holds a binary for this Node and platform, else node:http, and says so. */
export function createAdminServer(options: AdminOptions, logger: Logger): AdminServer {
  const routes = createAdminRoutes(options, logger);
  if (options.implementation !== 'node:http') {
    const loaded = loadUws();
    if (loaded.ok) return createUwsServer(loaded.uws, options, routes);
    logger.log(
      'info',
      { component: 'admin', why: loaded.why },
      'uWebSockets.js is not available, node:http serves the admin port',
    );
  }
  return createNodeServer(options, routes);
}
