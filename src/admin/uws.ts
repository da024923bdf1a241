/**
 * The admin plane on uWebSockets.js.
 *
 * Rules of that library which the code below keeps: a response is dead after 'aborted' and after its end; writes outside
 * the handler's own turn are corked and come from setImmediate; `close()` before the thread ends, or the process aborts.
 * It has no bound on connections; idle ones it closes itself after about 10 s.
 */
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
  getHeader(name: string): string;
}

interface UwsResponse {
  onAborted(handler: () => void): UwsResponse;
  cork(callback: () => void): UwsResponse;
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  end(body: string, closeConnection: boolean): UwsResponse;
}

/** Another program on the port is an error, as with node:http; the library's default would share the port with it. */
const LISTEN_EXCLUSIVE = 1;
const UNPRIVILEGED_PORT_MIN = 1024;

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
    const authorization = request.getHeader('authorization');
    void routes.answer(method, request.getUrl(), authorization).then((answer) =>
      setImmediate(() => {
        if (!aborted && !closed) response.cork(() => send(response, answer, method === 'HEAD'));
      }),
    );
  });

  const close = (): void => {
    if (closed) return;
    closed = true;
    app.close();
  };

  return {
    start: () =>
      new Promise<AdminAddress>((resolve, reject) => {
        app.listen(options.listen_ip, options.listen_port, LISTEN_EXCLUSIVE, (socket) => {
          if (socket === false) {
            close();
            reject(listenError(options, probableCode(options)));
          } else {
            const port = uws.us_socket_local_port(socket);
            resolve({ ip: options.listen_ip, port, implementation: 'uWebSockets.js' });
          }
        });
      }),
    stop: async () => close(),
  };
}

function send(response: UwsResponse, answer: AdminAnswer, headOnly: boolean): void {
  response.writeStatus(`${answer.status} ${STATUS_TEXT[answer.status]}`);
  for (const [name, value] of Object.entries(answer.headers)) response.writeHeader(name, value);
  response.end(headOnly ? '' : answer.body, !answer.keepAlive);
}

/** The library does not say why it cannot listen. */
function probableCode({ listen_ip, listen_port }: ListenOptions): string | undefined {
  if (!isOwnAddress(listen_ip)) return 'EADDRNOTAVAIL';
  return listen_port >= UNPRIVILEGED_PORT_MIN ? 'EADDRINUSE' : undefined;
}

function isOwnAddress(ip: string): boolean {
  if (ip === '0.0.0.0' || ip === '::' || ip.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === ip));
}
