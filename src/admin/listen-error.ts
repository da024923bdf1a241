import { RelayError } from '../base/errors.js';
import type { ListenOptions } from './http.js';

/** Why the admin plane cannot listen, by the error code of the system where there is one. */
export function listenError(options: ListenOptions, code: string | undefined, cause?: unknown): RelayError {
  const address = options.listen_ip.includes(':')
    ? `[${options.listen_ip}]:${options.listen_port}`
    : `${options.listen_ip}:${options.listen_port}`;
  return new RelayError('admin-unavailable', `cannot listen on ${address} for [admin]: ${reason(code)}`, cause);
}

function reason(code: string | undefined): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is taken; end the other program or set admin.listen_port to another port, 0 for a free one';
    case 'EACCES':
      return 'permission denied; ports below 1024 need a privilege, set admin.listen_port to a higher one';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address; correct admin.listen_ip';
    default:
      return `${code ?? 'the system refused'}; check admin.listen_ip and admin.listen_port`;
  }
}
