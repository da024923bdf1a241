/** `ip:port`, `host:port` and `[v6]:port`, the form of static peers in the config.ini of fisco 2.x nodes. */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

export interface NodeAddress {
  /** IP address, without brackets, or host name; as it was written. */
  readonly host: string;
  /** 1-65535 */
  readonly port: number;
}

/** RFC 1035: 255 bytes with the length bytes, so 253 characters. */
const HOST_CHARS_MAX = 253;
/** RFC 1123, and the underscore, which container names have. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const FORM = 'write "host:port", "ip:port" or "[ipv6]:port"';

/** Text -> address, or why it is none, in words for a person. */
export function parseNodeAddress(text: string): NodeAddress | { readonly problem: string } {
  const no = (why: string) => ({ problem: `${JSON.stringify(text.slice(0, 80))} ${why}` });
  if (/[/@\s]/.test(text)) return no(`is no address; ${FORM}, without scheme, path and blanks`);
  const bracketed = /^\[([^[\]]*)\](?::(.*))?$/.exec(text);
  const colon = text.lastIndexOf(':');
  if (bracketed === null && colon !== text.indexOf(':')) {
    return no('has several colons; an IPv6 address stands in brackets, "[fd00::1]:30300"');
  }
  const host = bracketed?.[1] ?? (colon < 0 ? text : text.slice(0, colon));
  const digits = bracketed === null ? (colon < 0 ? undefined : text.slice(colon + 1)) : bracketed[2];

  if (bracketed !== null && !isIPv6(host)) return no('has no IPv6 address in the brackets');
  if (bracketed === null) {
    const problem = hostProblem(host);
    if (problem !== undefined) return no(problem);
  }
  if (digits === undefined || digits === '') return no('has no port; nodes use 30300 unless told otherwise');
  const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) return no('has no port from 1 to 65535 behind the colon');
  return { host, port };
}

/** For a string of the configuration: no text, or one. */
export function nodeAddressProblems(text: string): string[] {
  const parsed = parseNodeAddress(text);
  return 'problem' in parsed ? [parsed.problem] : [];
}

/** The inverse of parseNodeAddress; also for addresses that listen. */
export function formatNodeAddress({ host, port }: NodeAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One spelling for all spellings of an IP address; host names in lower case. */
export function canonicalHost(host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host.toLowerCase();
}

function hostProblem(host: string): string | undefined {
  if (host === '') return `has no host; ${FORM}`;
  if (isIPv4(host)) return undefined;
  const labels = host.replace(/\.$/, '').split('.');
  // A name whose last label is a number is a mistyped IPv4 address; resolvers read some of them as octal.
  if (/^\d+$/.test(labels[labels.length - 1]))
    return 'has no IPv4 address: four numbers from 0 to 255, without zeros in front';
  if (/[^\x20-\x7e]/.test(host)) return 'has a host name with letters outside ASCII; write its "xn--" form';
  if (host.length > HOST_CHARS_MAX || !labels.every((label) => LABEL.test(label))) {
    return 'has no valid host name: letters, digits and hyphens between dots, at most 63 characters each';
  }
  return undefined;
}
