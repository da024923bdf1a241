/** Where a relay is, as people write it: `host`, `host:port`, `[ipv6]:port`, or a bare IPv6 address. */
import { isIPv6 } from 'node:net';

export interface RelayAddress {
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;

/** Host names of RFC 1123 with the underscore that internal names often hold, and IPv4. */
const HOST = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?$/;

/** @throws RangeError that shows the forms */
export function parseRelayAddress(text: string, defaultPort: number): RelayAddress {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  const named = /^([^:[\]]+)(?::(\d+))?$/.exec(text);
  const host = bracketed?.[1] ?? named?.[1] ?? text;
  const port = Number((bracketed ?? named)?.[2] ?? defaultPort);
  const isHost = named !== null ? HOST.test(host) : isIPv6(host);
  if (!isHost || port < 1 || port > PORT_MAX) {
    throw new RangeError(
      `${JSON.stringify(text)} is no address of a relay; give host:port, for example relay.example:20200 or [::1]:20200`,
    );
  }
  return { host, port };
}

/** `127.0.0.1:20200`, `[::1]:20200`. */
export function formatRelayAddress({ host, port }: RelayAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
