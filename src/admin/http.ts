/** The admin plane (routes.ts) over plain HTTP, on whichever server this Node can run. */

import { isLoopback } from '../base/ip.js';
import type { Logger } from '../base/logger.js';
import { createNodeServer } from './node.js';
import { type AdminSources, createAdminRoutes } from './routes.js';
import { createUwsServer } from './uws.js';
import { loadUws } from './uws-loader.js';

/** `[admin]` of the configuration. */
export interface ListenOptions {
  readonly listen_ip: string;
  /** 0 takes a free port. */
  readonly listen_port: number;
}

export interface AdminOptions extends ListenOptions, Omit<AdminSources, 'isLoopback'> {
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
  const routes = createAdminRoutes({ ...options, isLoopback: isLoopback(options.listen_ip) }, logger);
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
