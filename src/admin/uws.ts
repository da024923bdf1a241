/**
 * The admin plane on uWebSockets.js.
 *
 * Rules of that library which the code below keeps: a response is dead after 'aborted' and after its end; writes outside
 * the handler's own turn are corked and come from setImmediate; `close()` before the thread ends, or the process aborts.
 * It has no bound on connections; idle ones it closes itself after about 10 s.
 */
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { AdminAddress, AdminServer, ListenOptions } from './http.js';
import { listenError } from './listen-error.js';
import { type AdminAnswer, type AdminRoutes, STATUS_TEXT } from './routes.js';

/** What is used of the library; it is optional, so its own types may be missing. */
export interface UwsModule {
  App(): UwsApp;
  us_socket_local_port(socket: object): number;
}

interface UwsApp {
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(host: string, port: number, options: number, callback: (socket: object | false) => void): UwsApp;
  close(): void;
}

interface UwsRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
}

interface UwsResponse {
  onAborted(handler: () => void): UwsResponse;
  cork(callback: () => void): UwsResponse;
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  end(body: string, closeConnection: boolean): UwsResponse;
}

/**
 * Shared listening (SO_REUSEPORT). The exclusive mode sets no SO_REUSEADDR, so a restarted relay could not take its port
 * again for a minute while connections of the one before are in TIME_WAIT. What the exclusive mode is for, noticing
 * another program on the port, `isTaken` does.
 */
const LISTEN_SHARED = 0;
/** Own addresses answer or refuse at once. */
const PROBE_TIMEOUT_MS = 500;

export function createUwsServer(uws: UwsModule, options: ListenOptions, routes: AdminRoutes): AdminServer {
  const app = uws.App();
  let closed = false;
  app.any('/*', (response, request) => {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    // The request is gone when this function returns.
    const method = request.getCaseSensitiveMethod();
    void routes.answer(method, request.getUrl()).then((answer) =>
      setImmediate(() => {
        if (!aborted && !closed) response.cork(() => send(response, answer, method === 'HEAD'));
      }),
    );
  });

  return {
    async start() {
      if (await isTaken(options)) throw listenError(options, 'EADDRINUSE');
      return new Promise<AdminAddress>((resolve, reject) => {
        app.listen(options.listen_ip, options.listen_port, LISTEN_SHARED, (socket) => {
          if (socket === false) {
            reject(listenError(options, isOwnAddress(options.listen_ip) ? undefined : 'EADDRNOTAVAIL'));
          } else {
            const port = uws.us_socket_local_port(socket);
            resolve({ ip: options.listen_ip, port, implementation: 'uWebSockets.js' });
          }
        });
      });
    },
    async stop() {
      if (closed) return;
      closed = true;
      app.close();
    },
  };
}

function send(response: UwsResponse, answer: AdminAnswer, headOnly: boolean): void {
  response.writeStatus(`${answer.status} ${STATUS_TEXT[answer.status]}`);
  for (const [name, value] of Object.entries(answer.headers)) response.writeHeader(name, value);
  response.end(headOnly ? '' : answer.body, !answer.keepAlive);
}

/** True when somebody accepts connections there. */
async function isTaken({ listen_ip, listen_port }: ListenOptions): Promise<boolean> {
  if (listen_port === 0 || !isOwnAddress(listen_ip)) return false;
  const host = listen_ip === '0.0.0.0' ? '127.0.0.1' : listen_ip === '::' ? '::1' : listen_ip;
  return new Promise((resolve) => {
    const socket = connect({ host, port: listen_port, timeout: PROBE_TIMEOUT_MS });
    const settle = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket
      .once('connect', () => settle(true))
      .once('error', () => settle(false))
      .once('timeout', () => settle(false));
  });
}

function isOwnAddress(ip: string): boolean {
  if (ip === '0.0.0.0' || ip === '::' || ip.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === ip));
}
