/** The admin plane on node:http, wherever uWebSockets.js has no binary. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AdminAddress, AdminServer, ListenOptions } from './http.js';
import { listenError } from './listen-error.js';
import type { AdminRoutes } from './routes.js';

/** Scrapers, probes and a few people; more connections wait in the backlog of the system. */
const CONNECTIONS_MAX = 128;
const HEADER_BYTES_MAX = 16_384;
/** A request of this plane is one packet; whoever needs longer holds a connection without need. */
const REQUEST_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_TIMEOUT_MS = 15_000;

export function createNodeServer(options: ListenOptions, routes: AdminRoutes): AdminServer {
  const server = http.createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  // Also a client that takes no byte of its answer.
  server.timeout = REQUEST_TIMEOUT_MS + KEEP_ALIVE_TIMEOUT_MS;
  server.on('request', (request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    void routes.answer(request.method ?? '', path, request.headers.authorization).then((answer) => {
      if (response.destroyed) return;
      const connection = answer.keepAlive ? {} : { connection: 'close' };
      response.writeHead(answer.status, {
        ...answer.headers,
        ...connection,
        'content-length': Buffer.byteLength(answer.body),
      });
      response.end(answer.body);
    });
  });

  return {
    start: () =>
      new Promise<AdminAddress>((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(options, error.code, error)));
        server.listen(options.listen_port, options.listen_ip, () => {
          const { address, port } = server.address() as AddressInfo;
          resolve({ ip: address, port, implementation: 'node:http' });
        });
      }),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
